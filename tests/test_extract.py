"""A slice holds the records that were asked for, byte for byte, and verifies as a part, wherever it is cut."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commandline import CommandLine, cli
from disk import Calls, Disk

from jsonl_audit import (
    AuditError,
    AuditLog,
    Notice,
    QueryError,
    Slice,
    StorageError,
    extract,
    instants,
    manifest,
    query,
    verify,
)
from jsonl_audit.links import Link
from jsonl_audit.reader import query_lines
from jsonl_audit.scan import Walk
from jsonl_audit.segment import Names

__all__ = ["cli"]

ALLOWED = {"segment-missing"}
"""What may be said of a slice of a whole log."""
BATCH = {6, 7, 8, 9}
"""The seqs of the batch in the log of `_make`."""


def _make(disk: Disk) -> list[bytes]:
    """A log of four segments with a batch across the middle, a torn end between, and an artifact; its lines."""
    with disk.open(max_bytes=None) as log:
        for n in range(3):
            log.append("test.event", details={"n": n})
        log.rotate()
        log.append_many([{"type": "test.event", "details": {"n": n}} for n in range(4)])
        log.append("test.event", details={"file": log.attach(b"\0" * 900)})
    disk.grow(b'{"seq":11,"ts":"20')  # a crash, which the next header accounts for
    with disk.forget().open(max_bytes=None) as log:
        log.append("test.event")
        log.rotate()
        log.append("test.event", time="2001-01-01T00:00:00.000000Z")
        log.append("test.event")
    return list(query_lines(disk.path, control=True))


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _seqs(line: bytes) -> int:
    return int(json.loads(line)["seq"])


def _lines_of(cut: Slice) -> list[bytes]:
    return [line for path in cut.files for line in Path(path).read_bytes().splitlines(keepends=True)]


def _check(cut: Slice, lines: list[bytes], *, full: bool) -> None:
    """What holds of every slice of a log without damage."""
    report = verify(cut.path, full=full)
    own = _lines_of(cut)
    committed = [line for line in own if line.endswith(b"}\n")]
    whole = committed == lines and Path(cut.path, "audit.jsonl").exists()
    assert report.verdict == ("intact" if whole else "incomplete"), report
    assert {finding.kind for finding in report.findings} <= ALLOWED, report
    assert not manifest.check(manifest.load(Path(cut.path) / "manifest.json"), cut.path)
    start = lines.index(committed[0])
    assert committed == lines[start : start + len(committed)]
    assert json.loads(committed[0])["type"] == "audit.segment"
    assert _seqs(committed[0]) <= cut.first_seq <= cut.last_seq <= _seqs(committed[-1]) <= cut.last_seq + 1
    assert (report.head, report.last_seq) == (cut.manifest.head, cut.manifest.last_seq)
    before = (cut.manifest.slice or {})["before"]
    assert before == {"seq": _seqs(committed[0]) - 1, "hash": json.loads(committed[0])["prev"]}


@pytest.mark.exhaustive
def test_every_range_verifies_as_a_part_and_holds_what_was_asked_for(
    disk: Disk, tmp_path: Path, quick_disk: None, tried: Callable[[str, int], None]
) -> None:
    lines = _make(disk)
    before = _content(disk.folder)
    count = 0
    for first, last in itertools.combinations_with_replacement(range(1, len(lines) + 1), 2):
        cut = extract(disk.path, tmp_path / f"{first}-{last}", since=first, until=last)
        assert cut.first_seq <= first
        assert cut.last_seq >= last
        _check(cut, lines, full=count % 2 == 0)
        count += 1
    assert _content(disk.folder) == before
    tried("schedules", count)


@pytest.mark.exhaustive
def test_every_exact_range_is_these_lines_and_no_others(disk: Disk, tmp_path: Path, quick_disk: None) -> None:
    lines = _make(disk)
    links = [Link(0, "0" * 64, ""), *(Link(_seqs(line), line[-67:-3].decode(), "") for line in lines)]
    for first, last in itertools.combinations_with_replacement(range(1, len(lines) + 1), 2):
        cut = extract(disk.path, tmp_path / f"{first}-{last}", since=first, until=last, exact=True)
        [path] = cut.files
        data = Path(path).read_bytes()
        assert data.splitlines(keepends=True) == lines[cut.first_seq - 1 : cut.last_seq]
        batch = BATCH if {first, last} & BATCH else set()
        assert {cut.first_seq, cut.last_seq} <= {first, last} | batch
        assert (cut.manifest.slice or {})["before"] == {"seq": cut.first_seq - 1, "hash": links[cut.first_seq - 1].hash}
        walk = Walk(link=links[cut.first_seq - 1])
        walk.feed(data)
        walk.finish()
        assert (walk.damaged, walk.torn, walk.last and walk.last.hash) == (0, None, cut.manifest.head)
        report = verify(cut.path, copy=True)
        assert report.verdict == ("incomplete" if cut.first_seq > 1 else "intact"), report
        assert {finding.kind for finding in report.findings} <= {*ALLOWED, "piece-unjoined"}
        assert not manifest.check(cut.manifest, cut.path)


def test_a_slice_that_ends_with_a_segment_holds_the_header_that_vouches_for_it(disk: Disk, tmp_path: Path) -> None:
    disk.make(2, 2, 2)
    cut = extract(disk.path, tmp_path / "slice", since=1, until=3)
    assert [(each.segment, each.first_seq, each.last_seq) for each in cut.manifest.files] == [(1, 1, 3), (2, 4, 4)]
    disk_of = Disk(Path(cut.path))
    disk_of.flip(200, Path(cut.files[0]))
    assert "segment-altered" in {finding.kind for finding in verify(cut.path).findings}


def test_a_slice_to_the_end_has_the_file_that_the_log_is_named_by_and_one_before_it_has_not(
    disk: Disk, tmp_path: Path
) -> None:
    disk.make(2, 3)
    assert verify(extract(disk.path, tmp_path / "a").path).verdict == "intact"
    assert (tmp_path / "a" / "audit.jsonl").read_bytes() == disk.path.read_bytes()
    cut = extract(disk.path, tmp_path / "b", until=6)
    assert not (tmp_path / "b" / "audit.jsonl").exists()
    assert disk.path.read_bytes().startswith(Path(cut.files[-1]).read_bytes())
    names = Names.of(disk.path)
    assert all(names.stamp_of(os.path.basename(path)) for path in cut.files)
    # Put back beside the rest, nothing takes the place of anything, and a verifier sees an older copy.
    for path in cut.files:
        target = disk.folder / os.path.basename(path)
        assert not target.exists() or target.read_bytes() == Path(path).read_bytes()
        target.write_bytes(Path(path).read_bytes())
    report = verify(disk.path)
    assert (report.verdict, [note.kind for note in report.notes]) == ("intact", ["older-copy"])


def test_artifacts_go_along_and_one_that_is_missing_or_altered_is_said(disk: Disk, tmp_path: Path) -> None:
    _make(disk)
    cut = extract(disk.path, tmp_path / "a", since=10, until=10)
    [entry] = cut.manifest.artifacts
    assert Path(cut.path, *entry.name.split("/")).read_bytes() == b"\0" * 900
    assert extract(disk.path, tmp_path / "b", until=9).manifest.artifacts == ()
    assert extract(disk.path, tmp_path / "c", since=11, exact=True).manifest.artifacts == ()
    stored = disk.folder / entry.name
    for number, mishap in enumerate((lambda: stored.write_bytes(b"\1" * 900), stored.unlink)):
        mishap()
        told: list[Notice] = []
        out = tmp_path / f"without-{number}"
        assert extract(disk.path, out, since=10, on_damage=told.append).manifest.artifacts == ()
        assert [each.kind for each in told] == [("artifact-altered", "artifact-missing")[number]]
        assert not [path for path in out.rglob("*") if path.is_file() and path.suffix not in (".jsonl", ".json")]
        assert verify(out).verdict == "incomplete"


def test_times_mean_the_records_from_the_first_that_fits_to_the_last(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(1_800_000_000 * 10**9, 60 * 10**9)
    monkeypatch.setattr("time.time_ns", lambda: next(clock))
    disk.make(3, 3)
    times = {record["seq"]: record["ts"] for record in query(disk.path, control=True)}
    cut = extract(disk.path, tmp_path / "a", since=times[3], until=times[6])
    assert (cut.first_seq, cut.last_seq) == (3, 5)
    day = times[3][:10]
    assert extract(disk.path, tmp_path / "b", since=day, until=day).last_seq == 8
    mixed = extract(disk.path, tmp_path / "c", since=2, until=times[4])
    assert (mixed.first_seq, mixed.last_seq) == (2, 3)
    epoch = instants.micros(times[3]) / 1e6
    assert extract(disk.path, tmp_path / "d", since=str(int(epoch)), until="seq:4").last_seq == 4
    with pytest.raises(QueryError, match="no record lies between"):
        extract(disk.path, tmp_path / "e", until="2001-01-01")
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize(
    ("since", "until", "says"),
    [
        (9, None, "from seq 1 to 6"),
        (4, 3, "no record lies between"),
        (0, 0, "no record lies between"),
        ("next tuesday or so", None, "is no time"),
        (-1, None, "below"),
        (True, None, "is no time"),
        (None, [3], "is no time"),
        ("2026-11-22", "2026-11-20", "lies behind until"),
    ],
)
def test_bounds_between_which_nothing_lies_are_refused_and_nothing_is_made(
    disk: Disk, tmp_path: Path, since: Any, until: Any, says: str
) -> None:
    disk.make(2, 2)
    with pytest.raises(QueryError, match=says):
        extract(disk.path, tmp_path / "slice", since=since, until=until)
    assert not (tmp_path / "slice").exists()


def test_nothing_is_written_over(disk: Disk, tmp_path: Path) -> None:
    disk.make(2)
    for taken in (disk.folder, disk.path, tmp_path / "dangling"):
        if not taken.exists():
            taken.symlink_to(tmp_path / "nowhere")
        with pytest.raises(StorageError, match="nothing is written over"):
            extract(disk.path, taken)
    (tmp_path / "empty").mkdir()
    assert extract(disk.path, tmp_path / "empty").last_seq == 3


@pytest.mark.exhaustive
@pytest.mark.parametrize("call", ["make_directory", "open_append", "write", "sync", "sync_directory"])
def test_where_the_disk_refuses_nothing_stays_and_the_next_try_succeeds(
    disk: Disk, tmp_path: Path, calls: Calls, call: str, tried: Callable[[str, int], None]
) -> None:
    _make(disk)
    before = _content(disk.folder)
    out = tmp_path / "there" / "slice"
    named = set()
    for nth in range(1, 100):
        calls.fail(call, nth, about=str(tmp_path / "there"))
        try:
            extract(disk.path, out, since=2)
        except StorageError as error:
            named.add(str(error.path))
            assert not out.exists()
        else:
            break
    assert nth > 1
    assert all(str(tmp_path) in path for path in named)
    calls.heal()
    assert verify(out).verdict == "intact"
    assert _content(disk.folder) == before
    tried("faults", nth - 1)


def test_what_was_written_is_read_again_and_held_against_what_was_read(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.make(2)
    from jsonl_audit import storage

    real = storage.write
    monkeypatch.setattr(storage, "write", lambda fd, data: real(fd, data.replace(b"test", b"tset")))
    with pytest.raises(StorageError, match="is not what was read from the log"):
        extract(disk.path, tmp_path / "slice")
    assert not (tmp_path / "slice").exists()


def test_packed_segments_are_cut_as_what_is_in_them(disk: Disk, tmp_path: Path) -> None:
    lines = b"".join(disk.make(2, 2, 2).lines(disk.sealed()[1]))
    for path in disk.sealed():
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    cut = extract(disk.path, tmp_path / "slice", since=5, until=6)
    assert Path(cut.files[0]).read_bytes() == lines
    assert verify(cut.path, full=True).verdict == "incomplete"


def test_damage_is_cut_out_as_it_stands_and_is_found_in_the_slice(disk: Disk, tmp_path: Path) -> None:
    disk.make(3, 3)
    disk.flip(disk.path.read_bytes().index(b'"n":1') + 4)
    told = [(finding.kind, finding.seq) for finding in verify(disk.path).findings]
    cut = extract(disk.path, tmp_path / "slice", since=6)
    here = [(finding.kind, finding.seq) for finding in verify(cut.path).findings]
    assert [each for each in here if each[0] != "segment-missing"] == told
    assert verify(cut.path).verdict == "tampered"


def test_a_damaged_header_neither_widens_a_slice_nor_ends_it(disk: Disk, tmp_path: Path) -> None:
    lines = list(query_lines(disk.make(3, 3, 3).path, control=True))
    disk.flip(60, disk.sealed()[1])
    for first, last in itertools.combinations_with_replacement(range(1, 13), 2):
        cut = extract(disk.path, tmp_path / f"{first}-{last}", since=first, until=last, on_damage=lambda _: None)
        own = b"".join(_lines_of(cut))
        assert all((line in own) for line in lines[first - 1 : last] if b'"seq":5,' not in line)
        assert not any(line in own for line in lines[last + 1 :])
        assert b"" not in [Path(path).read_bytes() for path in cut.files]
        assert verify(cut.path).verdict == ("tampered" if first <= 8 and last >= 5 else "incomplete")


def test_what_stands_behind_the_last_record_is_not_in_a_slice(disk: Disk, tmp_path: Path) -> None:
    disk.make(2)
    whole = disk.path.read_bytes()
    disk.grow(b'{"seq":4,"ts":"20')
    assert Path(extract(disk.path, tmp_path / "slice").files[0]).read_bytes() == whole


def test_a_slice_of_what_was_purged_begins_with_what_is_here(disk: Disk, tmp_path: Path) -> None:
    with disk.make(2, 2, 2).open() as log:
        log.purge(keep=1, reason="old")
    cut = extract(disk.path, tmp_path / "slice", since=1, until=6)
    assert cut.first_seq == 4
    assert (cut.manifest.slice or {})["asked"] == {"since": "1", "until": "6"}
    assert verify(cut.path).verdict == "incomplete"


@pytest.mark.exhaustive
def test_slices_of_a_log_that_is_written_rotated_and_purged_meanwhile_verify(
    disk: Disk, tmp_path: Path, quick_disk: None
) -> None:
    done = threading.Event()

    def write() -> None:
        with disk.open(max_bytes=4096) as log:
            for n in itertools.count():
                log.append("test.event", details={"n": n, "text": "x" * 200})
                if n % 300 == 299:
                    log.purge(keep=8, reason="test")
                if done.is_set() and n > 1000:
                    return

    with disk.open() as log:
        log.append("test.event")
    writer = threading.Thread(target=write)
    writer.start()
    good, refused = 0, set()
    try:
        for number in range(40):
            out = tmp_path / str(number)
            since = max((record["seq"] for record in query(disk.path, reverse=True, limit=40)), default=1)
            try:
                cut = extract(disk.path, out, since=max(1, since - 40), on_damage=lambda _: None)
            except AuditError as error:
                refused.add(error.message.rpartition("; ")[2])
                assert not out.exists()
                continue
            report = verify(cut.path, full=True)
            assert report.verdict in ("incomplete", "intact"), report
            assert {finding.kind for finding in report.findings} <= ALLOWED, report
            good += 1
    finally:
        done.set()
        writer.join()
    assert good > 20
    assert refused <= {"try again"}


# -- the command


def test_the_command_cuts_tells_and_verifies(cli: CommandLine) -> None:
    disk = Disk(cli.folder).make(3, 3)
    ran = cli("extract", "--from", "2", "--to", "3", "evidence")
    assert ran.status == 0, ran.err
    assert "evidence: seq 2 to 3 of audit.jsonl" in ran.lines[0]
    assert cli("verify", "evidence").status == 3
    assert cli("query", "evidence", "--control", "--count").text.strip() == "3"
    ran = cli("extract", "--json", "--exact", "--from", "2", "--to", "3", disk.path, "lines")
    found = json.loads(ran.out)
    assert (found["first_seq"], found["last_seq"], found["manifest"]["slice"]["exact"]) == (2, 3, True)
    assert [each["name"] for each in found["manifest"]["files"]] == ["audit.2-3.jsonl"]


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["--from", "99", "out"], 2, "no record lies between these bounds: the log goes from seq 1 to 4"),
        (["--from", "soon", "out"], 2, "is no time"),
        (["."], 4, "nothing is written over"),
        (["nowhere.jsonl", "out"], 4, "no such log"),
        (["a", "b", "c"], 2, "one slice at a time"),
        ([], 2, "Missing argument"),
    ],
)
def test_the_command_says_what_is_wrong(cli: CommandLine, args: list[str], status: int, says: str) -> None:
    Disk(cli.folder).make(3)
    ran = cli("extract", *args)
    assert (ran.status, says in ran.err) == (status, True), ran.err
    assert not (cli.folder / "out").exists()


def test_the_log_may_be_open_elsewhere(disk: Disk, tmp_path: Path) -> None:
    with AuditLog(disk.path, fsync="never") as log:
        receipt = log.append("test.event")
        assert extract(disk.path, tmp_path / "slice").manifest.head == receipt.hash
