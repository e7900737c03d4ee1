"""Copies verify by themselves: unfinished, renamed, packed, merged, split, older and newer ones in one folder."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commandline import CommandLine, cli
from logs import OTHER, Log, build

from jsonl_audit import AuditLog, LogError, StorageError
from jsonl_audit.verifier import Report, verify

__all__ = ["cli"]

UNFINISHED = {"intact", "torn", "incomplete", "empty"}
"""What an unfinished copy may be called."""
TORN = b'{"seq":15,"ts":"20'


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Three segments, a batch and a torn end."""
    made = build(tmp_path / "log", segments=3, events=3)
    made.batch([{"type": "a.b"}, {"type": "a.b", "time": "2026-11-20T00:00:00.000000Z"}])
    made.raw(TORN)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the copies come."""
    (tmp_path / "copies").mkdir()
    return tmp_path / "copies"


def said(report: Report) -> tuple[str, list[str], list[str]]:
    """Verdict, kinds of findings, kinds of notes."""
    return (
        report.verdict,
        [finding.kind for finding in report.findings],
        [note.kind for note in report.notes],
    )


def whole(log: Log) -> bytes:
    return b"".join(path.read_bytes() for path in log.paths)


def put(folder: Path, files: dict[str, bytes]) -> None:
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def split(data: bytes, size: int) -> dict[str, bytes]:
    return {f"x{at:06}": data[at : at + size] for at in range(0, len(data), size)}


# -- under any names, in any shape


def test_a_folder_holds_the_log_under_any_names(log: Log, folder: Path) -> None:
    names = ["copy of audit (2).jsonl", "a\nb", "[x] 'y'.jsonl.1"]
    put(folder, {name: log.read(number) for number, name in enumerate(names, 1)})
    for full in (False, True):
        report = verify(folder, copy=True, full=full)
        assert said(report) == ("torn", ["torn-tail"], [])
        assert (report.records, report.first_seq, report.last_seq, report.segments) == (14, 1, 14, 3)
        assert report.findings[0].segment == names[2]


def test_what_holds_no_record_is_passed_over(log: Log, folder: Path) -> None:
    put(folder, {path.name: path.read_bytes() for path in log.paths})
    for number in range(5):
        (folder / f"notes {number}.txt").write_text("nothing\n" * number)
    (folder / "audit.jsonl.lock").write_bytes(log.read(1))
    (folder / "audit.jsonl.next").write_bytes(log.read(1))
    (folder / "audit.jsonl.d").mkdir()
    report = verify(folder, copy=True)
    assert said(report) == ("torn", ["torn-tail"], ["not-a-segment"])
    assert report.notes[0].message.startswith("5 files hold no record and were passed over: notes 0.txt, ")


def test_merged_into_one_file_in_any_order(log: Log, folder: Path) -> None:
    for order in ((1, 2, 3), (3, 1, 2), (2, 3, 1), (1, 2, 1, 2, 3)):
        put(folder, {"merged": b"".join(log.read(number) for number in order)})
        for path in (folder, folder / "merged"):
            report = verify(path, copy=True)
            assert report.verdict == "torn"
            assert (report.records, report.last_seq, report.segments) == (14, 14, 3)


def test_a_merged_file_with_an_older_copy_in_it(log: Log, folder: Path) -> None:
    put(folder, {"merged": log.read(2)[:1000] + whole(log)})
    assert said(verify(folder, copy=True)) == ("torn", ["torn-tail"], ["older-copy"])


def test_split_by_lines_or_by_bytes(log: Log, folder: Path) -> None:
    data = whole(log)[: -len(TORN)]
    for size in (700, 999, 1500, 3000):
        put(folder, split(data, size))
        assert said(verify(folder, copy=True)) == ("intact", [], [])
    put(folder, split(data, 300))  # smaller than a line: what stands in the middle of one is placed by its name
    report = verify(folder, copy=True)
    assert said(report) == ("intact", [], [])
    assert report.records == 14
    pieces = split(data, 300)
    put(folder, {f"{number % 7}{name}": piece for number, (name, piece) in enumerate(pieces.items())})
    assert verify(folder, copy=True).verdict == "incomplete"  # not even the names tell
    lines = data.splitlines(keepends=True)
    for count in (1, 2, 3, 5, 14):
        groups = [b"".join(lines[at : at + count]) for at in range(0, len(lines), count)]
        put(folder, {str(number): group for number, group in enumerate(groups)})
        report = verify(folder, copy=True)
        assert said(report) == ("intact", [], [])
        assert report.records == 14


def test_a_split_copy_without_one_of_its_pieces_is_incomplete(log: Log, folder: Path) -> None:
    for size in (700, 1500):
        pieces = split(whole(log), size)
        for name in pieces:
            put(folder, {other: data for other, data in pieces.items() if other != name})
            report = verify(folder, copy=True)
            assert report.verdict in ("incomplete", "torn", "intact")
            if name != max(pieces):
                assert report.verdict == "incomplete"


def test_pieces_that_overlap_are_read_once(log: Log, folder: Path) -> None:
    data = whole(log)[: -len(TORN)]
    put(folder, {"a": data[:3000], "b": data[2000:], "c": data[1900:2500]})
    report = verify(folder, copy=True)
    assert report.verdict == "intact"
    assert report.records == 14


@pytest.mark.exhaustive
def test_compressed_also_where_it_was_merged_or_is_unfinished(log: Log, folder: Path) -> None:
    packed = {f"{number}.gz": gzip.compress(log.read(number)) for number in (1, 2, 3)}
    put(folder, packed)
    assert said(verify(folder, copy=True)) == ("torn", ["torn-tail"], [])
    put(folder, {"all.gz": gzip.compress(whole(log))})
    assert said(verify(folder, copy=True)) == ("torn", ["torn-tail"], [])
    for size in range(100, len(packed["2.gz"]), 37):
        put(folder, {**packed, "2.gz": packed["2.gz"][:size]})
        assert verify(folder, copy=True).verdict == "incomplete"
        put(folder, {**packed, "3.gz": packed["3.gz"][:size]})
        assert verify(folder, copy=True).verdict in UNFINISHED


def test_zstd_that_is_unfinished(log: Log, folder: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    packed = {f"{number}.zst": zstandard.ZstdCompressor().compress(log.read(number)) for number in (1, 2, 3)}
    put(folder, packed)
    assert said(verify(folder, copy=True)) == ("torn", ["torn-tail"], [])
    for size in range(50, len(packed["2.zst"]), 37):
        put(folder, {**packed, "2.zst": packed["2.zst"][:size]})
        assert verify(folder, copy=True).verdict == "incomplete"


def test_a_packed_file_that_is_damaged_is_not_called_unfinished(log: Log, folder: Path) -> None:
    packed = {f"{number}.gz": gzip.compress(log.read(number), mtime=0) for number in (1, 2, 3)}
    damaged = bytearray(packed["2.gz"])
    damaged[-6] ^= 1  # of the checksum
    put(folder, {**packed, "2.gz": bytes(damaged)})
    assert said(verify(folder, copy=True))[0] == "tampered"


def test_the_log_at_a_path_may_be_a_copy_too(log: Log) -> None:
    log.cut(2, 900)
    report = verify(log.active, copy=True)
    assert said(report) == ("incomplete", ["segment-unfinished", "torn-tail"], [])
    log.drop(3)
    assert said(verify(log.active, copy=True))[2] == ["active-missing"]


def test_a_log_may_be_called_as_its_own_folder_is_not(tmp_path: Path) -> None:
    log = build(tmp_path / "log", name="audit.d", segments=2)
    (tmp_path / "log" / "audit.d.d").mkdir()
    assert said(verify(log.directory, copy=True)) == ("intact", [], [])
    assert said(verify(log.paths, copy=True)) == ("intact", [], [])


def test_what_bears_a_name_of_the_log_and_holds_no_record_is_not_passed_over(log: Log, folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in log.paths}
    for name, data in files.items():
        for noise in (b"noise\n" * 100, b"{}\n", bytes(1 << 20) + data, b"x"):
            put(folder, {**files, name: noise})
            report = verify(folder, copy=True)
            assert report.verdict == "tampered", (name, noise[:9])
            assert "header-missing" in said(report)[1]
        put(folder, {**files, name: bytes(5000)})  # room that was made for it, and nothing has come
        assert verify(folder, copy=True).verdict in ("intact", "incomplete")


def test_a_list_may_hold_files_and_folders(log: Log, folder: Path) -> None:
    shutil.copyfile(log.paths[0], folder / "x")
    report = verify([folder, *log.paths[1:]], copy=True)
    assert said(report) == ("torn", ["torn-tail"], [])
    (folder / "junk").write_text("junk\n")
    with_junk = verify([folder / "x", *log.paths[1:], folder / "junk"], copy=True)
    assert with_junk.verdict == "tampered"  # named, so it should be the log's


def test_a_folder_with_two_logs_is_refused(log: Log, folder: Path) -> None:
    put(folder, {path.name: path.read_bytes() for path in log.paths})
    other = build(folder, name="other.jsonl", log=OTHER, segments=2)
    with pytest.raises(LogError, match="holds copies of 2 logs"):
        verify(folder, copy=True)
    assert said(verify(folder / "audit.jsonl", copy=True))[:2] == ("torn", ["torn-tail"])
    assert said(verify(other.active, copy=True)) == ("intact", [], [])


def test_a_folder_without_a_log_is_refused(folder: Path) -> None:
    with pytest.raises(LogError, match="no file in this folder holds a record"):
        verify(folder, copy=True)
    with pytest.raises(LogError, match="nothing was named"):
        verify([], copy=True)
    with pytest.raises(StorageError):
        verify([folder / "nowhere"], copy=True)


def test_only_pieces_without_a_header_are_incomplete(log: Log, folder: Path) -> None:
    put(folder, {"piece": log.read(1)[500:], "other": log.read(2)[700:1500]})
    report = verify(folder, copy=True)
    assert said(report)[:2] == ("incomplete", ["piece-unjoined", "piece-unjoined"])
    assert report.findings[0].seq == report.first_seq


# -- cut off anywhere


def cuts(data: bytes, long: bool) -> Iterator[int]:
    """Where to cut: everywhere, or by lot and at the ends of lines."""
    if long:
        yield from range(len(data) - 1)
        return
    ends = [at for at, byte in enumerate(data) if byte == 10]
    yield from sorted({0, 1, *ends, *(end + 1 for end in ends[:-1]), *random.Random(1).sample(range(len(data)), 25)})


@pytest.mark.exhaustive
def test_a_copy_cut_off_anywhere_is_never_called_changed(
    log: Log, folder: Path, long: bool, tried: Callable[[str, int], None]
) -> None:
    files = {path.name: path.read_bytes() for path in log.paths}
    active = log.paths[2].name
    put(folder, files)
    count = 0
    for name, data in files.items():
        for size in cuts(data, long):
            (folder / name).write_bytes(data[:size])
            report = verify(folder, copy=True)
            count += 1
            assert report.verdict in (UNFINISHED if name == active else {"incomplete"}), (name, size)
            for finding in report.findings:
                if finding.kind == "segment-unfinished":
                    assert finding.segment == name
                    assert finding.offset == size
        (folder / name).write_bytes(data)
    tried("states", count)


@pytest.mark.exhaustive
def test_a_merged_or_split_copy_cut_off_anywhere(log: Log, folder: Path, long: bool) -> None:
    data = whole(log)
    for size in cuts(data, long):
        put(folder, {"merged": data[:size]})
        try:
            assert verify(folder, copy=True).verdict in UNFINISHED
        except LogError:
            assert size < 120  # of the first line so little is here that it is no record
    pieces = split(data, 1500)
    put(folder, pieces)
    for name, piece in pieces.items():
        for size in cuts(piece, long):
            (folder / name).write_bytes(piece[:size])
            assert verify(folder, copy=True).verdict in UNFINISHED, (name, size)
        (folder / name).write_bytes(piece)


def test_room_that_was_made_for_what_did_not_arrive(log: Log, folder: Path) -> None:
    put(folder, {path.name: path.read_bytes() for path in log.paths})
    name, data = log.paths[1].name, log.read(2)
    (folder / name).write_bytes(data[:900] + bytes(len(data) - 900))
    assert said(verify(folder, copy=True))[:2] == ("incomplete", ["segment-unfinished", "torn-tail"])
    (folder / name).write_bytes(data[:-100] + bytes(100))
    assert verify(folder, copy=True).verdict == "tampered"


def test_what_a_crash_left_may_be_unfinished_too(tmp_path: Path, folder: Path) -> None:
    log = Log(tmp_path).fill(3)
    size = len(log.read(1))
    log.raw(b'{"seq":5,"ts":"2026-11')
    log.seal().fill(2)
    files = {path.name: path.read_bytes() for path in log.paths}
    put(folder, files)
    assert said(verify(folder, copy=True)) == ("intact", [], ["documented-torn"])
    # A shipper of lines drops what has no end: no record is lacking.
    (folder / log.paths[0].name).write_bytes(files[log.paths[0].name][:size])
    assert said(verify(folder, copy=True)) == ("intact", [], ["documented-torn"])
    for cut in range(size + 1, len(files[log.paths[0].name])):
        (folder / log.paths[0].name).write_bytes(files[log.paths[0].name][:cut])
        report = verify(folder, copy=True)
        assert said(report)[:2] == ("incomplete", ["segment-unfinished"])
        assert report.records == 7
    put(folder, {"merged": whole(log)})  # the header of segment 2 stands behind the torn line
    assert said(verify(folder, copy=True)) == ("intact", [], ["documented-torn"])


def test_a_cut_sealed_file_of_the_log_itself_is_still_altered_and_the_way_out_is_named(log: Log) -> None:
    log.cut(2, 900)
    report = verify(log.active)
    assert report.verdict == "tampered"
    assert "--copy" in report.findings[0].message


# -- and yet nothing passes


@pytest.mark.exhaustive
@pytest.mark.parametrize("shape", ["files", "merged", "split", "cut"])
def test_every_changed_byte_is_found_in_a_copy(
    log: Log, folder: Path, shape: str, long: bool, tried: Callable[[str, int], None]
) -> None:
    data = whole(log)
    files = {
        "files": {path.name: path.read_bytes() for path in log.paths},
        "merged": {"merged": data},
        "split": split(data, 1500),
        "cut": {path.name: path.read_bytes()[: -600 if path == log.paths[1] else None] for path in log.paths},
    }[shape]
    put(folder, files)
    before = verify(folder, copy=True)
    last = max(files) if shape != "cut" else log.paths[2].name
    not_judged = {last: len(TORN) + 1}  # the end that never counted
    if shape == "cut":
        not_judged[log.paths[1].name] = len(files[log.paths[1].name]) - files[log.paths[1].name].rfind(b"\n") + 1
    lot, count = random.Random(2), 0
    for name, text in files.items():
        for at in range(len(text)) if long else lot.sample(range(len(text)), min(len(text), 40)):
            changed = bytearray(text)
            changed[at] ^= lot.choice((1, 2, 4, 16, 128))
            (folder / name).write_bytes(changed)
            report = verify(folder, copy=True)
            count += 1
            if at >= len(text) - not_judged.get(name, 0):
                assert report.verdict in ("torn", "tampered", "incomplete")
            elif shape == "split":  # a line that was cut in two, and is changed, is not there
                assert report.verdict in ("tampered", "incomplete"), (name, at)
            else:
                assert report.verdict == "tampered", (name, at)
        (folder / name).write_bytes(text)
    assert verify(folder, copy=True).findings == before.findings
    tried("tamperings", count)


@pytest.mark.exhaustive
@pytest.mark.parametrize("shape", ["files", "merged", "split"])
def test_every_line_that_is_taken_out_is_found_in_a_copy(log: Log, folder: Path, shape: str) -> None:
    data = whole(log)
    files = {
        "files": {path.name: path.read_bytes() for path in log.paths},
        "merged": {"merged": data},
        "split": split(data, 1500),
    }[shape]
    put(folder, files)
    for name, text in files.items():
        lines = text.splitlines(keepends=True)
        for number in range(len(lines)):
            if name == max(files) and number >= len(lines) - 2:
                continue  # the end: a copy may end there
            (folder / name).write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
            verdict = verify(folder, copy=True).verdict
            inner = 0 < number < len(lines) - 1
            assert verdict in (("tampered",) if inner and shape == "files" else ("tampered", "incomplete")), number
        (folder / name).write_bytes(text)


def test_a_line_in_a_copy_that_ends_early_is_still_held_to_be_right(log: Log, folder: Path) -> None:
    put(folder, {path.name: path.read_bytes() for path in log.paths})
    name, lines = log.paths[1].name, log.lines(2)
    cut = [*lines[:3], lines[3][:100]]
    (folder / name).write_bytes(b"".join([cut[0], *cut[2:]]))
    assert verify(folder, copy=True).verdict == "tampered"
    (folder / name).write_bytes(b"".join([*cut[:2], cut[3]]))  # the line without end is not the one that is due
    assert verify(folder, copy=True).verdict == "tampered"
    (folder / name).write_bytes(b"".join([*cut[:2], cut[1], *cut[2:]]))
    assert verify(folder, copy=True).verdict == "tampered"


def test_a_place_in_a_merged_file_is_named_where_it_lies(log: Log, folder: Path) -> None:
    lines = whole(log).splitlines(keepends=True)
    lines[6] = lines[6].replace(b"test.event", b"test.evenT")
    put(folder, {"merged": b"".join(lines)})
    [altered, modified, torn] = verify(folder, copy=True).findings
    assert (modified.kind, modified.segment, modified.line, modified.seq) == ("record-modified", "merged", 7, 7)
    assert modified.offset == sum(map(len, lines[:6]))
    assert torn.offset == sum(map(len, lines[:-1]))
    assert altered.kind == "segment-altered"


def test_a_place_in_a_split_file_is_named_where_it_lies(log: Log, folder: Path) -> None:
    data = whole(log)
    lines = data.splitlines(keepends=True)
    start = sum(map(len, lines[:6]))
    pieces = split(data.replace(lines[6], lines[6].replace(b"test.event", b"test.evenT")), 1500)
    put(folder, pieces)
    [found] = [each for each in verify(folder, copy=True).findings if each.kind == "record-modified"]
    assert found.seq == 7
    assert found.segment == f"x{start // 1500 * 1500:06}"
    assert found.offset == start % 1500
    in_piece = pieces[found.segment]
    assert found.line is not None
    assert in_piece[: found.offset].count(b"\n") + 1 == found.line


# -- older and newer


def test_older_and_newer_copies_of_all_segments_are_read_once(log: Log, folder: Path) -> None:
    files = {}
    for path in log.paths:
        data = path.read_bytes()
        for number, size in enumerate((400, 700, 1100, len(data))):
            files[f"{path.name}.{number}"] = data[:size]
    put(folder, files)
    report = verify(folder, copy=True)
    assert said(report)[:2] == ("torn", ["torn-tail"])
    assert set(said(report)[2]) == {"older-copy"}
    assert (report.records, report.last_seq) == (14, 14)


def test_two_histories_are_a_fork_in_a_copy_too(tmp_path: Path, log: Log, folder: Path) -> None:
    put(folder, {path.name: path.read_bytes() for path in log.paths})
    again = build(tmp_path / "again", segments=2, events=3)
    again.seal()
    again.add("another.one")
    (folder / "x").write_bytes(again.read(3))
    assert said(verify(folder, copy=True))[0] == "forked"


def test_what_was_purged_may_be_kept_and_is_held_to_be_right(tmp_path: Path, log: Log, folder: Path) -> None:
    log = build(tmp_path / "purged", segments=3, events=3)
    kept = {path.name: path.read_bytes() for path in log.paths[:2]}
    log.purge(2).fill(1)
    now = {log.paths[2].name: log.read(3)}
    put(folder, now)
    assert said(verify(folder, copy=True)) == ("intact", [], ["purged-prefix"])
    put(folder, {**kept, **now})
    report = verify(folder, copy=True)
    assert said(report) == ("intact", [], [])
    assert report.first_seq == 1
    [first, second] = kept
    put(folder, {second: kept[second], **now})
    assert said(verify(folder, copy=True)) == ("intact", [], ["purged-prefix"])
    put(folder, {first: kept[first], **now})
    report = verify(folder, copy=True)
    assert said(report) == ("intact", [], ["purged-prefix"])
    assert "of those from 1 on, which were copied before, 2 is missing" in report.notes[0].message
    put(folder, {first: kept[first], second: kept[second][:700], **now})
    assert said(verify(folder, copy=True)) == ("intact", [], ["purged-unfinished"])
    changed = bytearray(kept[first])
    changed[500] ^= 1
    put(folder, {first: bytes(changed), second: kept[second], **now})
    assert verify(folder, copy=True).verdict == "tampered"


def test_an_anchor_that_a_copy_does_not_reach_is_missing_and_not_cut(log: Log, folder: Path) -> None:
    last = log.lines(3)[-2]
    anchor = (14, last[-67:-3].decode())
    put(folder, {path.name: path.read_bytes() for path in log.paths[:2]})
    assert said(verify(folder, copy=True, expect=anchor)) == ("incomplete", ["anchor-missing"], [])
    copied = folder / "audit.jsonl"
    copied.write_bytes(log.read(3)[:600])
    assert said(verify(folder, copy=True, expect=anchor))[:2] == ("incomplete", ["torn-tail", "anchor-missing"])
    assert said(verify(copied, copy=True, expect=anchor))[0] == "incomplete"
    assert said(verify(copied, expect=anchor))[0] == "tampered"


# -- many files


@pytest.mark.exhaustive
def test_a_folder_of_thousands_of_files(log: Log, folder: Path) -> None:
    put(folder, {path.name: path.read_bytes() for path in log.paths})
    for number in range(1500):
        (folder / f"{number}.txt").write_bytes(b"x")
    report = verify(folder, copy=True)
    assert said(report) == ("torn", ["torn-tail"], ["not-a-segment"])
    assert "1,500 files hold no record" in report.notes[0].message


def test_on_the_command_line(cli: CommandLine) -> None:
    path = cli.folder / "audit.jsonl"
    with AuditLog(path, fsync="never") as log:
        for n in range(30):
            if n in (10, 20):
                log.rotate()
            log.append("test.event", details={"n": n})
    copies = cli.folder / "copies"
    copies.mkdir()
    for number, name in enumerate(sorted(cli.folder.glob("audit.2*.jsonl"))):
        shutil.copyfile(name, copies / f"copy {number}\n[1]")
    shutil.copyfile(path, copies / "newest")
    ended = cli("verify", "--copy", copies)
    assert (ended.status, ended.text.startswith("intact: ")) == (0, True)
    with (copies / "copy 1\n[1]").open("r+b") as file:
        file.truncate(1500)
    ended = cli("verify", "--copy", "--json", copies)
    report = json.loads(ended.out)
    assert (ended.status, report["verdict"]) == (3, "incomplete")
    assert report["findings"][0]["kind"] == "segment-unfinished"
    assert report["findings"][0]["segment"] == "copy 1\n[1]"
    assert "\n[1]" not in cli("verify", "--copy", copies).text


def test_a_name_with_a_line_end_steers_no_report(log: Log, folder: Path) -> None:
    put(folder, {"a\nintact: b\r": log.read(2)[:900], "c": log.read(1)})
    text = verify(folder, copy=True).text()
    assert "a\\nintact: b\\r, " in text
    assert "\nintact" not in text
