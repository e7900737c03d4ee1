"""Sealing: names, headers, what is never split, and a log that goes on whatever step of it fails."""

from __future__ import annotations

import errno
import json
import os
import re
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from disk import Calls, Disk, chain
from logs import Log

from jsonl_audit import AuditError, AuditLog, SealError, StorageError, SyncError, WriteError, query, record, storage
from jsonl_audit.writer import tip

pytestmark = pytest.mark.usefixtures("quick_disk")

DENIED, NO_SPACE, READ_ONLY = errno.EPERM, errno.ENOSPC, errno.EROFS


def previous(disk: Disk, number: int) -> dict[str, Any]:
    """What the header of segment `number` says of the one before."""
    found: dict[str, Any] = chain(disk).headers[number - 1]["previous"]
    return found


# -- names


def test_a_sealed_segment_is_named_by_the_time_of_its_sealing(disk: Disk) -> None:
    with disk.open() as log:
        log.append("t")
        before = datetime.now(timezone.utc)
        path = log.rotate()
        after = datetime.now(timezone.utc)
    assert path == str(disk.sealed()[0])
    stamp = re.fullmatch(r"audit\.(\d{8}T\d{12})Z\.jsonl", os.path.basename(path))
    assert stamp
    sealed_at = datetime.strptime(stamp[1] + "+0000", "%Y%m%dT%H%M%S%f%z")
    assert before <= sealed_at <= after
    assert disk.names() == {"audit.jsonl", "audit.jsonl.lock", os.path.basename(path)}


def test_two_seals_within_a_microsecond_get_names_in_order(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    with disk.open() as log:
        monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000_000_000)
        paths = []
        for _ in range(5):
            log.append("t")
            paths.append(log.rotate())
    assert paths == sorted(set(map(str, paths))) == [str(path) for path in disk.sealed()]
    assert len(chain(disk).events) == 5


def test_a_clock_gone_back_does_not_turn_names_or_times_round(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_800_000_000_000_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: now[0])
    paths = []
    with disk.open() as log:
        for _ in range(5):
            log.append("t")
            paths.append(log.rotate())
            now[0] -= 3_600_000_000_000
    assert paths == sorted(map(str, paths)) == [str(path) for path in disk.sealed()]
    found = chain(disk)
    assert len({r["ts"] for r in found.records}) == 1
    clocks = [r.get("clock") for r in found.records]
    assert clocks[:2] == [None, None]
    assert all(clock is not None for clock in clocks[3:]), "also a header says what the clock said"
    assert clocks[-1] == "2027-01-15T04:00:00.000000Z"


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_name_is_later_than_every_one_that_is_here_whoever_made_it(disk: Disk, suffix: str) -> None:
    stranger = disk.folder / f"audit.29991231T235959999999Z.jsonl{suffix}"
    with disk.open() as log:
        log.append("t")
        stranger.write_bytes(b"?")
        path = log.rotate()
        assert os.path.basename(str(path)) == "audit.29991231T235960000000Z.jsonl"
    assert stranger.read_bytes() == b"?"


def test_when_no_later_name_is_left_the_log_goes_on_in_its_file(disk: Disk) -> None:
    with disk.open(max_bytes=1000) as log:
        (disk.folder / "audit.99999999T999999999999Z.jsonl").write_bytes(b"?")
        for n in range(10):
            log.append("t", n=n)
        with pytest.raises(SealError, match="99999999T999999999999Z"):
            log.rotate()
        log.append("t", n=10)
    assert [json.loads(line).get("n") for line in disk.lines()[1:]] == list(range(11))


def test_the_clock_before_1970_is_no_trouble(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: -10_000_000_000_000_000)
    disk.make(2, 2)
    assert len(chain(disk).events) == 4
    assert [r["ts"][:4] for r in chain(disk).records] == ["1969"] * 6


# -- headers


def test_a_header_says_what_stands_in_the_segment_before(disk: Disk) -> None:
    with disk.open() as log:
        log.append("t")
        first = log.rotate()
        log.append("t", time="2001-01-01T00:00:00Z")
        log.append("t", time="2999-01-01T00:00:00Z")
        second = log.rotate()
    found = chain(disk)
    content = disk.sealed()[1].read_bytes()
    records = [json.loads(line) for line in content.splitlines()]
    assert found.headers[2] == {
        **found.headers[2],  # details may hold further members
        "format": 1,
        "log": found.headers[0]["log"],
        "segment": 3,
        "writer": found.headers[0]["writer"],
        "previous": {
            **found.headers[2]["previous"],
            "name": os.path.basename(str(second)),
            "first_seq": 3,
            "last_seq": 5,
            "bytes": len(content),
            "blake3": blake3(content).hexdigest(),
            "time": ["2001-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"],
        },
    }
    assert found.headers[0]["previous"] is None
    assert found.headers[1]["previous"]["name"] == os.path.basename(str(first))
    assert found.headers[1]["previous"]["time"] == [found.records[0]["ts"], found.records[1]["ts"]]
    assert [r["seq"] for r in records] == [3, 4, 5]


def test_times_are_in_the_range_also_in_a_segment_that_was_reopened(disk: Disk) -> None:
    for time_ in ("2002-01-01T00:00:00Z", None, "2998-01-01T00:00:00Z", None):
        with disk.open() as log:
            log.append_many([{"time": time_} if time_ else {}, {}])
    with disk.open() as log:
        log.rotate()
    assert previous(disk, 2)["time"] == ["2002-01-01T00:00:00.000000Z", "2998-01-01T00:00:00.000000Z"]
    assert len(chain(disk).events) == 8


def test_the_digest_is_right_however_often_a_segment_was_reopened(disk: Disk) -> None:
    for n in range(20):
        with disk.open(max_bytes=3000) as log:
            for _ in range(n % 4):
                log.append("t", text="ü" * n)
    assert len(chain(disk).events) == 30
    assert len(disk.sealed()) > 2


def test_a_floor_is_repeated_in_every_later_header(log_dir: Any) -> None:
    made = Log(log_dir).fill(3)
    made.seal().fill(3)
    made.purge(1)
    with AuditLog(made.active, fsync="never") as log:
        assert not log.notes
        log.append("t")
        log.rotate()
        log.append("t")
        log.rotate()
    headers = [json.loads(path.read_bytes().split(b"\n")[0])["details"] for path in Disk(log_dir).sealed()]
    headers.append(json.loads(Disk(log_dir).lines()[0])["details"])
    assert made.floor is not None
    assert [header.get("purged") for header in headers] == [None, made.floor.to_dict(), made.floor.to_dict()]


# -- when


def test_a_segment_is_sealed_before_it_would_grow_past_its_size(disk: Disk) -> None:
    with disk.open(max_bytes=3000) as log:
        for n in range(40):
            log.append("t", n=n)
            assert disk.path.stat().st_size <= 3000
    sizes = [path.stat().st_size for path in disk.sealed()]
    assert len(sizes) > 3
    assert all(2500 < size <= 3000 for size in sizes)
    assert [r["n"] for r in chain(disk).events] == list(range(40))


@pytest.mark.parametrize("max_bytes", [1, 100, 1000, 5000])
def test_neither_a_record_nor_a_batch_is_ever_split(disk: Disk, max_bytes: int) -> None:
    with disk.open(max_bytes=max_bytes, line_limit=2**20) as log:
        log.append("t", text="x" * 10_000)
        log.append_many([{"n": n, "text": "y" * 300} for n in range(20)])
        log.append("t")
        log.append_many([{"n": n} for n in range(3)])
        log.append_group([{"n": n, "text": "z" * 300} for n in range(20)])
    found = chain(disk)  # which fails where a batch goes on in another segment
    assert len(found.events) == 1 + 20 + 1 + 3 + 20
    assert len(found.headers) > 4


@pytest.mark.parametrize("max_bytes", [None, 0])
def test_without_a_limit_nothing_is_sealed(disk: Disk, max_bytes: int | None) -> None:
    with disk.open(max_bytes=max_bytes) as log:
        for _ in range(100):
            log.append("t")
    assert not disk.sealed()


def test_rotate_seals_now_and_an_empty_segment_is_left_alone(disk: Disk) -> None:
    with disk.open() as log:
        assert log.rotate() is None
        log.append("t")
        assert log.rotate() == str(disk.sealed()[0])
        assert log.rotate() is None
        assert (log.last_seq, len(disk.sealed())) == (3, 1)
    with disk.open() as log:
        assert log.rotate() is None
    assert len(disk.sealed()) == 1


def test_receipts_and_head_go_on_across_segments(disk: Disk) -> None:
    with disk.open(max_bytes=1500) as log:
        receipts = [log.append("t", n=n) for n in range(20)]
        assert (log.last_seq, log.head) == (receipts[-1].seq, receipts[-1].hash)
    assert [r.hash for r in receipts] == [r["hash"] for r in chain(disk).events]


# -- a segment that was reopened


@pytest.mark.exhaustive
def test_a_reopened_segment_is_walked_in_slices(disk: Disk, calls: Calls) -> None:
    with disk.open() as log:
        for _ in range(20):
            log.append_group([{"text": "x" * 10_000}] * 100)
    size = disk.path.stat().st_size
    assert size > 20e6
    calls.clear()
    with disk.open(max_bytes=int(size + 10_000)) as log:
        assert calls.bytes_read < 2**20
        most = 0
        for n in range(60):
            calls.clear()
            log.append("t", n=n, text="x" * 500)
            most = max(most, calls.bytes_read)
        assert most <= 2 * tip.SLICE
        assert len(disk.sealed()) == 1
    assert len(chain(disk).events) == 2060


def test_a_reopened_segment_past_its_size_is_walked_beforehand(disk: Disk, calls: Calls) -> None:
    with disk.open() as log:
        log.append_group([{"text": "x" * 10_000}] * 300)
    with disk.open(max_bytes=10_000) as log:
        calls.clear()
        log.append("t")
        assert calls.bytes_read < 10_000
        assert len(disk.sealed()) == 1
    assert len(chain(disk).events) == 301


def test_rotate_walks_what_is_left(disk: Disk) -> None:
    with disk.open() as log:
        log.append_group([{"text": "x" * 10_000}] * 300)
    with disk.open() as log:
        log.rotate()
    assert len(chain(disk).events) == 300


def test_damage_in_a_reopened_segment_is_found_on_the_way_and_listed(disk: Disk) -> None:
    disk.make(30)
    at = len(b"".join(disk.lines()[:10])) + 200
    disk.flip(at)
    with disk.open() as log:
        assert not log.notes  # it was closed cleanly: nothing is read at first
        log.append("t")
        assert "damage" in " ".join(log.notes)
    found = chain(disk)
    assert [(entry["kind"], entry["offset"]) for entry in found.damage[0]] == [
        ("record-modified", len(b"".join(disk.lines(disk.sealed()[0])[:10])))
    ]
    assert previous(disk, 2)["damaged"] == 1
    assert len(found.events) == 30


def test_a_hole_in_a_reopened_segment_takes_nothing_along(disk: Disk) -> None:
    """What the mark says was on disk was there: a hole before it is damage, and the records behind it count."""
    disk.make(30)
    disk.hole(2048, 4096)
    with disk.open() as log:
        log.append("t", n=99)
        log.rotate()
    found = chain(disk)
    assert found.damage[0]
    assert previous(disk, 2)["last_seq"] == 32
    assert found.events[-1]["n"] == 99


# -- steps that fail


STEPS = [
    ("write", "next"),
    ("sync", "next"),
    ("sync_directory", ""),
    ("rename", ""),
    ("open_append", "next"),
    ("replace", ""),
]


def test_sealing_goes_by_the_steps_of_the_format(disk: Disk, calls: Calls) -> None:
    with disk.open() as log:
        log.append("t")
        calls.clear()
        log.rotate()
        made = [
            (name, args)
            for name, args in calls.made
            if name in ("write", "sync", "sync_directory", "rename", "replace")
        ]
    assert [name for name, _ in made] == [
        "sync", "write", "sync", "sync_directory", "rename", "sync_directory", "replace", "sync_directory"
    ]  # fmt: skip


@pytest.mark.parametrize("error", [NO_SPACE, DENIED, READ_ONLY], ids=["no space", "denied", "read-only"])
@pytest.mark.parametrize(
    ("call", "about"), [step for step in STEPS if step != ("replace", "")], ids=lambda step: step or "-"
)
@pytest.mark.parametrize("fsync", ["always", "never"])
def test_a_seal_for_size_that_fails_before_the_renames_fails_no_commit(
    disk: Disk, calls: Calls, call: str, about: str, error: int, fsync: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0]
    monkeypatch.setattr(time, "monotonic_ns", lambda: now[0])
    with disk.open(fsync=fsync, max_bytes=2000) as log:
        while disk.path.stat().st_size < 1700:
            log.append("t", n=0)
        calls.fail(call, error=error, for_ever=True, about=about and disk.next.name)
        receipts = []
        for n in range(1, 9):
            receipts.append(log.append("t", n=n))
            now[0] += 600_000_000
        assert not disk.sealed()
        assert any("grows on" in note and os.strerror(error) in note for note in log.notes)
        tried = calls.count("open_append") - 2
        assert tried <= 5, "it is tried again later, not with every commit"
        calls.heal()
        now[0] += 2_000_000_000
        receipts.append(log.append("t", n=9))
        assert len(disk.sealed()) == 1
    found = chain(disk)
    assert [r["hash"] for r in found.events][-9:] == [receipt.hash for receipt in receipts]
    assert not disk.next.exists()


@pytest.mark.parametrize(("call", "about"), STEPS, ids=lambda step: step or "-")
@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
def test_whatever_step_fails_nothing_acknowledged_is_lost_and_the_log_goes_on(
    disk: Disk, calls: Calls, call: str, about: str, for_ever: bool
) -> None:
    acknowledged = []
    nth = 0
    while True:
        nth += 1
        calls.heal()
        with disk.open(fsync="always") as log:
            acknowledged.append(log.append("t", n=nth).hash)
            calls.clear()
            calls.fail(call, nth, for_ever=for_ever, about=about and disk.next.name)
            try:
                log.rotate()
                failed = False
            except (SealError, SyncError, WriteError):
                failed = True
            for n in range(2):
                try:
                    acknowledged.append(log.append("t", n=n).hash)
                except StorageError:
                    assert for_ever or failed
            calls.heal()
            acknowledged.append(log.append("t", n=-1).hash)
        if not failed:
            break
    found = [r["hash"] for r in chain(disk).events]
    assert [one for one in found if one in set(acknowledged)] == acknowledged
    assert nth > 1


def test_a_rename_that_was_done_and_reported_as_failed_is_seen(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network file systems do that: the writer looks which names exist."""
    for name in ("rename", "replace"):
        with disk.open(fsync="always") as log:
            log.append("t", of=name)
            with monkeypatch.context() as patch:
                real = getattr(storage, name)

                def done_and_failed(source: str, target: str, real: Any = real) -> None:
                    real(source, target)
                    raise OSError(errno.EIO, "Input/output error")

                patch.setattr(storage, name, done_and_failed)
                try:
                    log.rotate()
                except StorageError:
                    pass
            log.append("t", of=name)
            log.append("t", of=name)
    assert len(chain(disk).events) == 6


def test_in_a_folder_where_nothing_can_be_renamed_the_log_grows_on(disk: Disk, calls: Calls) -> None:
    """As on Linux with `chattr +a` on the directory."""
    with disk.open(max_bytes=2000) as log:

        def before(name: str, _: Any) -> None:
            if name in ("rename", "replace", "unlink"):
                raise OSError(DENIED, os.strerror(DENIED))

        calls.before = before
        for n in range(30):
            log.append("t", n=n)
        with pytest.raises(SealError):
            log.rotate()
    calls.before = before
    with disk.open(max_bytes=2000) as log:
        log.append("t", n=30)
    calls.heal()
    with disk.open() as log:
        log.rotate()
        log.append("t", n=31)
    assert [r["n"] for r in chain(disk).events] == list(range(32))


@pytest.mark.parametrize("behind", [b"x", b'{"seq":3}\n', None], ids=["a piece", "a foreign line", "a record"])
@pytest.mark.parametrize("damaged", [False, True])
def test_a_next_segment_with_records_in_it_is_never_written_over(
    disk: Disk, behind: bytes | None, damaged: bool
) -> None:
    disk.make(2, 2)
    header = disk.lines()[0]
    if damaged:
        header = header.replace(b'"segment":2', b'"segment":7')
    disk.next.write_bytes(header + (behind if behind is not None else disk.lines()[1]))
    before = disk.next.read_bytes()
    with disk.open(max_bytes=1500) as log:
        for n in range(10):
            log.append("t", n=n)
        with pytest.raises(SealError, match=r"audit\.jsonl\.next"):
            log.rotate()
    assert disk.next.read_bytes() == before
    disk.next.unlink()
    with disk.open() as log:
        assert log.rotate()
    assert len(chain(disk).events) == 14


@pytest.mark.parametrize("left", [b"", b'{"seq":5,"ts', b"\0" * 400, "header", "newer"])
def test_what_a_crash_left_of_a_next_segment_is_written_over(disk: Disk, left: Any) -> None:
    disk.make(2, 2)
    header = disk.lines()[0]
    if left == "newer":
        line = header.replace(b'"format":1', b'"format":2')
        left = line[:-67] + record.hash_of(line).encode() + b'"}\n'
    disk.next.write_bytes(header if left == "header" else left)
    with disk.open(max_bytes=1500) as log:
        for n in range(10):
            log.append("t", n=n)
        log.rotate()
    assert not disk.next.exists()
    assert len(chain(disk).events) == 14


def test_a_failure_that_lasts_is_told_but_not_without_end(
    disk: Disk, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0]
    monkeypatch.setattr(time, "monotonic_ns", lambda: now[0])
    with disk.open(max_bytes=1500) as log:
        calls.fail("rename", error=DENIED, for_ever=True)
        for _ in range(500):
            log.append("t")
            now[0] += 2_000_000_000
        assert 1 <= len(log.notes) <= 100
        calls.heal()


def test_an_error_of_sealing_is_ours(disk: Disk, calls: Calls) -> None:
    with disk.open() as log:
        log.append("t")
        calls.fail("write", error=NO_SPACE)
        with pytest.raises(SealError, match="No space") as caught:
            log.rotate()
        assert caught.value.errno == NO_SPACE
        assert isinstance(caught.value, AuditError)


def test_a_header_counts_the_records_with_a_time_of_their_own_also_of_a_reopened_segment(log_dir: Path) -> None:
    path = log_dir / "audit.jsonl"
    with AuditLog(path) as log:
        log.append("a.b", time="2020-01-01T00:00:00Z")
        log.append("a.b", details={"time": "2020-01-01T00:00:00.000000Z"})
        log.append_many([{"type": "a.b", "time": 1.5}, {"type": "a.b"}])
    with AuditLog(path) as log:
        log.append("a.b", time=2.5)
        log.rotate()
        log.append("a.b")
        log.rotate()
    headers = [record["details"]["previous"] for record in query(path, type="audit.segment", control=True)][1:]
    assert [previous["timed"] for previous in headers] == [3, 0]
