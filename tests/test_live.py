"""A file that is deleted, replaced, cut or grown under its writer: noticed soon, answered by rule; the log goes on."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from disk import Calls, Chain, Disk, chain

from jsonl_audit import AuditLog, LockedError, NotALogError, StorageError, WrongLogError, verify
from jsonl_audit.writer import tip

pytestmark = pytest.mark.usefixtures("quick_disk")

NOTICED = tip.WATCH  # ns


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer looks with each commit, so that no test has to wait; that it looks soon is a test of its own."""
    monkeypatch.setattr(tip, "WATCH", 0)


@pytest.fixture(params=["never", "interval", "always"])
def fsync(request: pytest.FixtureRequest) -> str:
    """Each mode: each has its own way to the disk."""
    return str(request.param)


def numbers(disk: Disk) -> list[int | None]:
    """Those of the active segment's events; None for its header. Changes of settings are left out."""
    records = [json.loads(line) for line in disk.lines()]
    return [record.get("n") for record in records if record["type"] != "audit.settings"]


def begun(disk: Disk, fsync: str = "never") -> AuditLog:
    log = disk.open(fsync=fsync, sync_interval=60)
    for n in range(3):
        log.append("t", n=n)
    return log


def goes_on(disk: Disk, log: AuditLog, n: int = 10) -> Chain:
    """The log takes records now and when it is opened again; the segments newer than the harm are one chain."""
    log.append("t", n=n)
    assert json.loads(disk.lines()[-1])["n"] == n
    log.append_many([{"n": n + 1}, {"n": n + 2}])
    log.close()
    with disk.open() as again:
        again.append("t", n=n + 3)
    return chain(disk)


def test_it_is_noticed_within_a_tenth_of_a_second(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tip, "WATCH", NOTICED)
    log = begun(disk)
    away = disk.folder / "away"
    disk.path.rename(away)
    renamed = time.monotonic()
    while not disk.path.exists():
        log.append("t")
        assert time.monotonic() - renamed < 0.5
    log.close()
    if (seen := time.monotonic() - renamed) > 0.15:  # the machine was busy with something else
        pytest.skip(f"took {seen} s")
    assert len(disk.lines()) == 2


def test_a_file_that_was_renamed_away_has_a_successor(disk: Disk, fsync: str) -> None:
    log = begun(disk, fsync)
    size = disk.path.stat().st_size
    away = disk.folder / "audit.jsonl.1"
    disk.path.rename(away)
    log.append("t", n=10)
    log.close()
    header = json.loads(disk.lines()[0])["details"]
    assert header["active"] == "missing"
    assert header["previous"]["bytes"] == size == away.stat().st_size, "nothing was written into the void"
    assert header["previous"]["blake3"] == blake3(away.read_bytes()).hexdigest()
    assert json.loads(disk.lines()[0])["seq"] == 5
    assert "removed" in " ".join(log.notes)
    away.rename(disk.folder / header["previous"]["name"])
    assert [r["n"] for r in chain(disk).events] == [0, 1, 2, 10]


def test_a_file_that_was_deleted_has_a_successor(disk: Disk, fsync: str) -> None:
    log = begun(disk, fsync)
    disk.path.unlink()
    log.append("t", n=10)
    log.append("t", n=11)
    log.close()
    with disk.open() as again:
        assert "segment 1 is not here" in " ".join(again.notes)
        again.append("t", n=12)
    assert numbers(disk) == [None, 10, 11, 12]
    assert json.loads(disk.lines()[0])["details"]["segment"] == 2


def test_a_folder_that_was_removed_is_made_anew(disk: Disk, fsync: str) -> None:
    log = begun(disk, fsync)
    shutil.rmtree(disk.folder)
    log.append("t", n=10)
    log.append("t", n=11)
    with pytest.raises(LockedError):
        disk.open()
    log.close()
    with disk.open() as again:
        again.append("t", n=12)
    assert numbers(disk) == [None, 10, 11, 12]


def test_a_file_cut_at_any_place_is_sealed_with_what_was_chained(disk: Disk, tmp_path: Path) -> None:
    for size in (0, 1, 100, 500, 700, -1, -100):
        log = begun(Disk(tmp_path / str(size)))
        mine = Disk(tmp_path / str(size))
        head, seq = log.head, log.last_seq
        content = mine.path.read_bytes()
        mine.cut(size)
        log.append("t", n=10)
        log.close()
        header = json.loads(mine.lines()[0])
        assert (header["prev"], header["seq"]) == (head, seq + 1)
        assert header["details"]["previous"]["blake3"] == blake3(content).hexdigest()
        assert mine.sealed()[0].read_bytes() == content[:size]
        with mine.open() as again:
            again.append("t", n=11)
        assert numbers(mine) == [None, 10, 11]


def test_a_file_replaced_by_a_copy_of_itself_goes_on_as_one_log(disk: Disk, fsync: str) -> None:
    log = begun(disk, fsync)
    copy = disk.folder / "copy"
    shutil.copy(disk.path, copy)
    copy.replace(disk.path)
    assert [r["n"] for r in goes_on(disk, log).events] == [0, 1, 2, 10, 11, 12, 13]


def test_a_file_replaced_by_an_older_copy_is_moved_aside_with_what_was_chained(disk: Disk, fsync: str) -> None:
    log = begun(disk, fsync)
    older = disk.folder / "older"
    shutil.copy(disk.path, older)
    log.append("t", n=3)
    content = disk.path.read_bytes()
    older.replace(disk.path)
    log.append("t", n=10)
    log.close()
    header = json.loads(disk.lines()[0])["details"]
    assert header["previous"]["blake3"] == blake3(content).hexdigest()
    assert disk.sealed()[0].read_bytes() == content[: disk.sealed()[0].stat().st_size]
    with disk.open() as again:
        again.append("t", n=11)


@pytest.mark.parametrize("content", [b"hello\n", b'{"a":1}\n' * 100, b"\x1f\x8b" * 50], ids=["text", "json", "gzip"])
def test_a_foreign_file_in_its_place_is_refused_and_untouched(disk: Disk, content: bytes, fsync: str) -> None:
    log = begun(disk, fsync)
    kept = disk.path.read_bytes()
    disk.path.rename(disk.folder / "kept")
    disk.path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(NotALogError):
            log.append("t", n=10)
    assert disk.path.read_bytes() == content
    assert (disk.folder / "kept").read_bytes() == kept
    (disk.folder / "kept").replace(disk.path)
    assert [r["n"] for r in goes_on(disk, log).events] == [0, 1, 2, 10, 11, 12, 13]


def test_another_logs_file_in_its_place_is_refused_and_untouched(disk: Disk, tmp_path: Path, fsync: str) -> None:
    other = Disk(tmp_path / "other").make(2)
    log = begun(disk, fsync)
    disk.path.rename(disk.folder / "kept")
    shutil.copy(other.path, disk.path)
    with pytest.raises(WrongLogError):
        log.append("t")
    assert disk.path.read_bytes() == other.path.read_bytes()
    disk.path.unlink()
    log.append("t", n=10)
    log.close()


def test_an_empty_file_in_its_place_counts_as_missing(disk: Disk, fsync: str) -> None:
    log = begun(disk, fsync)
    disk.path.rename(disk.folder / "kept")
    disk.path.touch()
    log.append("t", n=10)
    log.close()
    header = json.loads(disk.lines()[0])["details"]
    assert header["active"] == "missing"
    (disk.folder / "kept").rename(disk.folder / header["previous"]["name"])
    assert [r["n"] for r in chain(disk).events] == [0, 1, 2, 10]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_something_that_is_no_file_in_its_place_is_told(disk: Disk, make: Callable[[Path], None], fsync: str) -> None:
    log = begun(disk, fsync)
    disk.path.rename(disk.folder / "kept")
    make(disk.path)
    with pytest.raises(StorageError, match=r"audit\.jsonl"):
        log.append("t")
    disk.path.rmdir() if disk.path.is_dir() else disk.path.unlink()
    (disk.folder / "kept").rename(disk.path)
    assert [r["n"] for r in goes_on(disk, log).events] == [0, 1, 2, 10, 11, 12, 13]


@pytest.mark.parametrize("foreign", [b"a piece", b"a line\n", bytes(600), b'{"seq":5,"ts":"'], ids=repr)
def test_what_a_stranger_wrote_behind_is_accounted_for(disk: Disk, foreign: bytes, fsync: str) -> None:
    log = begun(disk, fsync)
    size = disk.path.stat().st_size
    disk.grow(foreign)
    found = goes_on(disk, log)
    assert [r["n"] for r in found.events] == [0, 1, 2, 10, 11, 12, 13]
    assert found.headers[1]["previous"]["bytes"] == size
    assert found.torn[0] == {"bytes": len(foreign), "blake3": blake3(foreign).hexdigest()}
    assert bool(found.damage[0]) == (b"\n" in foreign)


def test_a_record_that_a_stranger_put_behind_with_right_prev_is_taken(disk: Disk) -> None:
    """As a commit of ours that was reported as failed and was not."""
    log = begun(disk)
    twin = Disk(disk.folder.parent / "twin")
    shutil.copytree(disk.folder, twin.folder)
    with twin.open() as other:
        other.append("t", n=3, time="2001-01-01T00:00:00Z")
    disk.grow(twin.lines()[-1])
    log.append("t", n=10)
    log.rotate()
    assert [r["n"] for r in goes_on(disk, log, 20).events] == [0, 1, 2, 3, 10, 20, 21, 22, 23]
    previous = chain(disk).headers[1]["previous"]
    assert previous["time"][0] == "2001-01-01T00:00:00.000000Z"
    assert previous.get("timed") in (None, 1)


def test_a_changed_byte_is_found_when_the_segment_is_reopened_not_before(disk: Disk) -> None:
    log = begun(disk)
    content = disk.path.read_bytes()
    disk.flip(400)
    log.append("t", n=10)
    log.rotate()
    log.close()
    previous = json.loads(disk.lines()[0])["details"]["previous"]
    line = disk.lines(disk.sealed()[0])[-1]
    assert previous["blake3"] == blake3(content + line).hexdigest(), "of what was chained, not of what lies there"


def test_the_end_changed_under_the_writer_while_the_length_stays(disk: Disk, calls: Calls) -> None:
    log = begun(disk)
    disk.flip(disk.path.stat().st_size - 70)
    disk.grow(b"x")  # so that it looks at all
    log.append("t", n=10)
    log.close()
    previous = json.loads(disk.lines()[0])["details"]["previous"]
    assert previous["last_seq"] == 4
    assert json.loads(disk.lines()[0])["seq"] == 5


def test_a_reopened_segment_that_was_cut_before_it_was_walked(disk: Disk) -> None:
    with disk.open() as log:
        log.append_group([{"n": n, "text": "x" * 20_000} for n in range(200)])
    size = disk.path.stat().st_size
    for cut in (size // 2, 300, 0):
        mine = disk.copy(disk.folder.parent / str(cut))
        with mine.open(max_bytes=None) as log:
            head = log.head
            mine.cut(cut)
            log.append("t", n=999)
        header = json.loads(mine.lines()[0])
        assert header["prev"] == head
        assert header["details"]["previous"]["damaged"] >= 1
        assert header["details"]["previous"]["last_seq"] == 201
        with mine.open() as again:
            again.append("t", n=1000)
        assert numbers(mine) == [None, 999, 1000]


def test_a_reopened_segment_that_is_cut_just_when_it_is_to_be_sealed(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with disk.open() as log:
        log.append_group([{"n": n, "text": "x" * 20_000} for n in range(200)])
    monkeypatch.setattr(tip, "WATCH", 10**12)
    with disk.open(max_bytes=None) as log:
        head = log.head
        disk.cut(disk.path.stat().st_size // 2)
        log.rotate()
        log.append("t", n=999)
    assert json.loads(disk.lines()[0])["prev"] == head
    with disk.open() as log:
        log.append("t", n=1000)


def test_nothing_is_read_again_where_nothing_was_touched(disk: Disk, calls: Calls) -> None:
    log = begun(disk)
    calls.clear()
    for _ in range(3):
        log.append("t")
    assert calls.bytes_read == 0
    assert calls.count("stat") <= 12
    log.close()


def test_it_is_noticed_at_the_next_background_sync_too(disk: Disk) -> None:
    log = disk.open(fsync="interval", sync_interval=0.02)
    log.append("t", n=0)
    disk.path.rename(disk.folder / "kept")
    time.sleep(0.06)
    log.append("t", n=1)
    log.close()
    assert disk.path.exists()
    assert json.loads(disk.lines()[-1])["n"] == 1


def test_flush_and_rotate_notice_too(disk: Disk) -> None:
    for use in ("flush", "rotate"):
        mine = Disk(disk.folder, f"{use}.jsonl")
        log = begun(mine)
        mine.path.rename(mine.folder / f"{use}.kept")
        getattr(log, use)()
        assert mine.path.exists()
        log.close()


def test_a_lock_file_that_was_removed_is_made_anew(disk: Disk) -> None:
    log = begun(disk)
    disk.lock.unlink()
    log.append("t", n=10)
    with pytest.raises(LockedError):
        disk.open()
    assert not disk.sealed()
    log.close()


def test_where_another_writer_took_a_removed_lock_the_first_one_waits_for_it(disk: Disk) -> None:
    log = begun(disk)
    disk.lock.unlink()
    with disk.open() as other:
        other.append("t", n=3)
        with pytest.raises(LockedError):
            log.append("t", n=10)
        other.append("t", n=4)
    log.append("t", n=10)
    log.close()
    assert [r["n"] for r in chain(disk).events] == [0, 1, 2, 3, 4, 10]


def test_a_handler_may_append_to_the_log_that_it_is_warned_about(disk: Disk) -> None:
    log = disk.open()
    log.append("t", n=1)

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log.append("warned", message=record.getMessage())

    handler = Handler()
    logging.getLogger("jsonl_audit").addHandler(handler)
    try:
        disk.grow(b"a piece")
        time.sleep(0.11)
        log.append("t", n=2)
    finally:
        logging.getLogger("jsonl_audit").removeHandler(handler)
        log.close()
    assert [r["type"] for r in chain(disk).events] == ["t", "t", "warned"]


def test_a_handler_that_raises_stops_nothing(disk: Disk) -> None:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError(record.getMessage())

    handler = Handler()
    logging.getLogger("jsonl_audit").addHandler(handler)
    try:
        with disk.open() as log:
            log.append("t", n=1)
            disk.grow(b"a piece")
            time.sleep(0.11)
            log.append("t", n=2)
        disk.grow(b"another")
        with disk.open() as log:
            log.append("t", n=3)
    finally:
        logging.getLogger("jsonl_audit").removeHandler(handler)
    assert [r["n"] for r in chain(disk).events] == [1, 2, 3]


def test_a_writer_that_was_overtaken_is_told_to_open_the_log_anew(disk: Disk) -> None:
    """Its lock file was removed and another writer went on: moving that one's file away would fork the log."""
    log = disk.open()
    log.append("t", n=1)
    disk.lock.unlink()
    with disk.open() as other:
        other.append("t", n=2)
        other.rotate()
        other.append("t", n=3)
    time.sleep(0.11)
    with pytest.raises(WrongLogError, match=r"another writer.*open the log anew"):
        log.append("t", n=4)
    log.close()
    with disk.open() as again:
        again.append("t", n=4)
    assert [r["n"] for r in chain(disk).events] == [1, 2, 3, 4]


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_file_that_was_removed_a_moment_ago_is_noticed_by_closing(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monkeypatch.setattr(tip, "WATCH", 10**12)
    log = disk.open(shared=shared)
    log.append("t", n=0)
    disk.path.unlink()
    if shared:
        log.append("t", n=1)
    log.close()
    assert any("removed" in note for note in log.notes)
    assert [finding.kind for finding in verify(disk.path).findings] == ["segment-missing"]


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_file_that_was_removed_is_noticed_by_sealing(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monkeypatch.setattr(tip, "WATCH", 10**12)
    with disk.open(shared=shared, max_bytes=2000) as log:
        log.append("t", n=0)
        disk.path.unlink()
        for n in range(1, 12):
            log.append("t", n=n)
        assert disk.path.exists()


def test_a_folder_that_was_removed_a_moment_ago_is_made_anew_by_one_that_shares(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tip, "WATCH", 10**12)
    with disk.open(shared=True) as log:
        log.append("t", n=0)
        shutil.rmtree(disk.folder)
        log.append("t", n=1)
        log.append("t", n=2)
    assert disk.lock.exists()
