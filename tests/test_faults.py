"""Calls to the operating system that fail, once or for ever, done or not: told in our words, and nothing is lost."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disk import CHANGING, Calls, Disk, another_boot, chain
from mishaps import Fault
from simdisk import Mount, SimDisk, edges
from workloads import LOG

from jsonl_audit import AuditError, AuditLog, Receipt, SealError, StorageError, SyncError, WriteError, storage, verify
from jsonl_audit.writer import tip

pytestmark = [pytest.mark.usefixtures("quick_disk"), pytest.mark.exhaustive]

IO, NO_SPACE = errno.EIO, errno.ENOSPC


# -- writes


@pytest.mark.parametrize("done", [0, 1, 100, -1], ids=["nothing", "a byte", "a piece", "all of it"])
@pytest.mark.parametrize("error", [IO, NO_SPACE], ids=["i/o error", "no space"])
@pytest.mark.parametrize("many", [1, 3])
def test_a_write_that_fails_is_told_and_the_log_goes_on(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, done: int, error: int, many: int
) -> None:
    log = disk.open()
    log.append("t", n=1)
    before = (log.last_seq, log.head)
    real = os.write

    def write(fd: int, data: bytes) -> int:
        real(fd, bytes(data)[: done if done >= 0 else len(data)])
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(WriteError, match=os.strerror(error)) as caught:
            log.append_many([{"n": 2}] * many)
    assert caught.value.errno == error
    assert caught.value.path == str(disk.path)
    receipt = log.append("t", n=3)
    log.close()
    found = chain(disk)
    kept = [r["n"] for r in found.events]
    assert kept == ([1, *[2] * many, 3] if done == -1 else [1, 3])
    assert receipt.seq == before[0] + (many if done == -1 else 0) + 1 + len(found.torn)
    assert bool(found.torn) == (done > 0)
    if found.torn:
        assert found.torn[0] is not None
        assert found.torn[0]["bytes"] == done


def test_with_no_space_at_all_every_append_is_told_until_there_is_some(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = disk.open(max_bytes=2000)
    for n in range(5):
        log.append("t", n=n)
    real = os.write
    room = [100]

    def write(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(NO_SPACE, os.strerror(NO_SPACE))
        part = bytes(data)[: room[0]]
        room[0] -= len(part)
        return real(fd, part)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        for _ in range(5):
            with pytest.raises(StorageError, match="No space"):
                log.append("t", n=-1)
    for n in range(5, 9):
        log.append("t", n=n)
    log.close()
    assert [r["n"] for r in chain(disk).events] == list(range(9))


def test_what_was_acknowledged_is_on_disk_before_the_file_of_a_failed_write_is_sealed(
    disk: Disk, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = disk.open(fsync="never")
    log.append("t", n=1)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:50]) if len(data) > 60 else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            log.append("t", n=2)
    calls.clear()
    log.append("t", n=3)
    made = [name for name, _ in calls.made if name in ("sync", "rename")]
    assert made[: made.index("rename")].count("sync") == 2, "of the old file and of the next one"
    log.close()


def test_closing_after_a_failed_write_leaves_a_log_that_opens(disk: Disk, calls: Calls) -> None:
    log = disk.open()
    log.append("t", n=1)
    calls.fail("write")
    with pytest.raises(WriteError):
        log.append("t", n=2)
    log.close()
    with disk.open() as log:
        log.append("t", n=3)
    assert [r["n"] for r in chain(disk).events] == [1, 3]


def test_an_interrupt_in_the_middle_of_a_write_is_survived(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    log = disk.open()
    log.append("t", n=1)
    real = os.write

    def write(fd: int, data: bytes) -> int:
        real(fd, bytes(data)[:50])
        raise KeyboardInterrupt

    for call in (lambda: log.append("t", n=2), lambda: log.append_many([{}, {}])):
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            with pytest.raises(KeyboardInterrupt):
                call()
    log.append("t", n=3)
    log.close()
    found = chain(disk)
    assert [r["n"] for r in found.events] == [1, 3]
    assert [torn["bytes"] for torn in found.torn if torn] == [50, 50] or len(found.torn) <= 2


def test_records_of_a_group_that_were_written_before_it_failed_count(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = disk.open()
    log.append("t", n=1)
    real = os.write

    def write(fd: int, data: bytes) -> int:
        real(fd, b"".join(bytes(data).splitlines(keepends=True)[:2]))
        raise OSError(IO, os.strerror(IO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(WriteError):
            log.append_group([{"n": 2, "time": 5}, {"n": 3}, {"n": 4}])
    log.append("t", n=5)
    log.rotate()
    log.close()
    found = chain(disk)
    assert [r["n"] for r in found.events] == [1, 2, 3, 5]
    assert found.headers[1]["previous"]["time"][0] == "1970-01-01T00:00:05.000000Z"


# -- syncs


def test_a_sync_that_fails_voids_what_it_covered_and_the_file_is_not_synced_again(disk: Disk, calls: Calls) -> None:
    log = disk.open(fsync="always")
    log.append("t", n=1)
    size = disk.path.stat().st_size
    calls.fail("sync", about=disk.path.name)
    for call in (lambda: log.append("t", n=2), log.flush):
        with pytest.raises(SyncError) as caught:
            call()
        assert caught.value.errno == IO
    assert b'"failed":true' in disk.lock.read_bytes()
    calls.heal()
    calls.clear()
    inode = disk.path.stat().st_ino
    log.append("t", n=3)
    assert disk.sealed()[0].stat().st_ino == inode
    assert b'"failed":false' in disk.lock.read_bytes()
    log.close()
    found = chain(disk)
    assert [r["n"] for r in found.events] == [1, 3]
    assert found.headers[1]["previous"]["bytes"] == size
    assert found.torn == [{"unsynced": True}]
    assert not found.lost, "it was never acknowledged"


@pytest.mark.parametrize("fsync", ["interval", "never"])
@pytest.mark.parametrize("by", ["flush", "close", "background", "rotate"])
def test_acknowledged_records_behind_a_failed_sync_are_counted_as_lost(
    disk: Disk, calls: Calls, fsync: str, by: str
) -> None:
    if by == "background" and fsync == "never":
        pytest.skip("there is none")
    log = disk.open(fsync=fsync, sync_interval=0.05 if by == "background" else 60)
    log.append("t", n=1)
    log.flush()
    failed = threading.Event()
    calls.fail("sync", about=disk.path.name)
    fail = calls.before
    assert fail is not None

    def before(name: str, args: tuple[Any, ...]) -> None:
        try:
            fail(name, args)
        except OSError:
            failed.set()
            raise

    calls.before = before
    log.append("t", n=2)
    log.append("t", n=3)
    if by == "background":
        assert failed.wait(5)
        while b'"failed":true' not in disk.lock.read_bytes():
            time.sleep(0.001)
    else:
        with pytest.raises(SyncError):
            getattr(log, by)()
    assert b'"failed":true' in disk.lock.read_bytes()
    calls.heal()
    if by == "close":
        log = disk.open()
    log.append("t", n=4)
    log.close()
    found = chain(disk)
    assert [r["n"] for r in found.events] == [1, 4]
    assert found.torn == [{"unsynced": True}]
    assert found.lost == [{"first_seq": 3, "last_seq": 4, "count": 2}]


def test_what_one_sync_was_told_holds_for_every_later_one(disk: Disk, calls: Calls) -> None:
    """The system tells of a failed sync once: a second one that says all is well must not be believed."""
    log = disk.open(fsync="never")
    log.append("t", n=1)
    calls.fail("sync", about=disk.path.name)
    with pytest.raises(SyncError):
        log.flush()
    calls.clear()
    with pytest.raises(SyncError):
        log.close()
    assert calls.count("sync") == 0
    calls.heal()
    with disk.open() as log:
        log.append("t", n=2)
    found = chain(disk)
    assert found.torn == [{"unsynced": True}]
    assert found.lost == [{"first_seq": 2, "last_seq": 2, "count": 1}]


@pytest.mark.parametrize("by", ["flush", "rotate", "close"])
def test_a_sync_under_way_in_the_background_that_fails_is_heard_of_by_all(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Of two syncs that overlap the system tells one alone of the failure."""
    begun, go_on = threading.Event(), threading.Event()
    log = disk.open(fsync="interval", sync_interval=0.01)
    real, told = storage.sync, []

    def sync(fd: int) -> None:
        if threading.current_thread() is not threading.main_thread():
            begun.set()
            assert go_on.wait(10)
            if not told:
                told.append(fd)
                raise OSError(IO, os.strerror(IO))
        real(fd)

    monkeypatch.setattr(storage, "sync", sync)
    log.append("t", n=1)
    assert begun.wait(10)
    threading.Timer(0.05, go_on.set).start()
    with pytest.raises(SyncError):
        getattr(log, by)()
    assert b'"failed":true' in disk.lock.read_bytes()
    if by == "close":
        log = disk.open()
    log.append("t", n=2)
    log.close()
    found = chain(disk)
    assert [r["n"] for r in found.events] == [2]
    assert found.lost == [{"first_seq": 2, "last_seq": 2, "count": 1}]


@pytest.mark.parametrize("gone", [False, True], ids=["kept by the disk", "gone"])
def test_another_process_goes_on_after_a_failed_sync_as_this_one_would(
    disk: Disk, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    log = disk.open(fsync="interval", sync_interval=60)
    log.append("t", n=1)
    log.flush()
    synced = disk.path.stat().st_size
    log.append("t", n=2)
    log.append("t", n=3)
    calls.fail("sync", about=disk.path.name)
    with pytest.raises(SyncError):
        log.flush()
    calls.heal()
    copy = disk.copy(tmp_path / "copy")
    if gone:
        copy.cut(synced)
    with another_boot(monkeypatch), copy.open() as other:
        assert "sync" in " ".join(other.notes)
        other.append("t", n=4)
    found = chain(copy)
    assert [r["n"] for r in found.events] == [1, 4]
    assert found.torn == [{"unsynced": True}]
    assert found.lost == [{"first_seq": 3, "last_seq": 4, "count": 2}]
    with pytest.raises(SyncError):
        log.close()


def test_a_sync_that_fails_while_opening_is_not_believed_at_the_next(disk: Disk, calls: Calls, tmp_path: Path) -> None:
    log = disk.open(fsync="interval", sync_interval=60)
    log.append("t", n=1)
    log.flush()
    log.append("t", n=2)
    copy = disk.copy(tmp_path / "copy")
    log.close()
    calls.fail("sync", about=copy.path.name)
    with pytest.raises(SyncError):
        copy.open()
    calls.heal()
    with copy.open() as again:
        again.append("t", n=3)
    found = chain(copy)
    assert [r["n"] for r in found.events] == [1, 3]
    assert found.lost == [{"first_seq": 3, "last_seq": 3, "count": 1}]


def test_a_sync_that_fails_while_a_torn_end_is_sealed(disk: Disk, calls: Calls, tmp_path: Path) -> None:
    log = disk.open(fsync="interval", sync_interval=60)
    log.append("t", n=1)
    copy = disk.copy(tmp_path / "copy")
    log.close()
    copy.grow(b'{"seq"')
    calls.fail("sync", about=copy.path.name)
    with pytest.raises(SyncError):
        copy.open()
    calls.heal()
    with copy.open() as again:
        again.append("t", n=3)
    assert chain(copy).events[-1]["n"] == 3


@pytest.mark.parametrize("after", ["begin", "lost"])
def test_what_was_lost_is_counted_though_the_count_itself_comes_to_nothing(
    disk: Disk, calls: Calls, tmp_path: Path, after: str
) -> None:
    """A crash between sealing and the record that says what was lost, or a disk that takes neither."""
    log = disk.open(fsync="never")
    log.append("t", n=1)
    log.flush()
    log.append("t", n=2)
    calls.fail("sync", about=disk.path.name)
    with pytest.raises(SyncError):
        log.flush()
    taken: list[Disk] = []

    def before(name: str, args: tuple[Any, ...]) -> None:
        if name == "write" and disk.sealed() and not disk.next.exists():
            taken.append(disk.copy(tmp_path / f"copy{len(taken)}"))
            raise OSError(NO_SPACE, os.strerror(NO_SPACE))

    calls.before = before
    for _ in range(2):
        with pytest.raises(WriteError):
            log.append("t", n=3)
    assert taken
    calls.heal()
    log.append("t", n=4)
    log.close()
    lost = [{"first_seq": 3, "last_seq": 3, "count": 1}]
    assert chain(disk).lost == lost
    assert [r["n"] for r in chain(disk).events] == [1, 4]
    with taken[0].open() as other:
        other.append("t", n=5)
    assert chain(taken[0]).lost == lost
    with taken[0].open() as other:
        other.append("t", n=6)
    assert chain(taken[0]).lost == lost
    torn = taken[1]
    torn.grow(b'{"seq":')
    torn.forget()
    torn.open().close()
    assert chain(torn).lost == lost


@pytest.mark.parametrize("by", ["the same", "the next to open"])
def test_a_loss_is_told_though_the_record_of_it_is_lost_in_its_turn(disk: Disk, calls: Calls, by: str) -> None:
    log = disk.open(fsync="never")
    log.append("t", n=1)
    calls.fail("sync", about=disk.path.name)
    with pytest.raises(SyncError):
        log.flush()
    calls.heal()

    def after(name: str, args: tuple[Any, ...], _: Any) -> None:
        if name == "write" and b"audit.lost" in args[1]:
            raise OSError(IO, "done, and said to have failed")

    calls.after = after
    with pytest.raises(WriteError):
        log.append("t", n=2)
    calls.after = None
    log.append("t", n=3)
    calls.fail("sync", about=disk.path.name, for_ever=True)
    with pytest.raises(SyncError):
        log.flush()
    calls.heal()
    if by == "the next to open":
        with pytest.raises(SyncError):
            log.close()
        log = disk.open()
    log.append("t", n=4)
    log.close()
    found = chain(disk)
    assert [r["n"] for r in found.events] == [4]
    assert found.lost == [{"first_seq": 2, "last_seq": 4, "count": 3}]


def test_a_failed_sync_of_the_lost_record_itself(disk: Disk, calls: Calls) -> None:
    log = disk.open(fsync="never")
    log.append("t", n=1)
    log.flush()
    log.append("t", n=2)
    calls.fail("sync", about=disk.path.name, for_ever=True)
    with pytest.raises(SyncError):
        log.flush()
    for _ in range(3):
        with pytest.raises(StorageError):
            log.append("t", n=3)
    calls.heal()
    log.append("t", n=4)
    log.close()
    found = chain(disk)
    assert [r["n"] for r in found.events] == [1, 4]
    assert {"first_seq": 3, "last_seq": 3, "count": 1} in found.lost
    assert len(found.lost) == 1


# -- descriptors, and what cannot be asked


@pytest.mark.parametrize("call", ["fstat", "fchmod", "stat"])
@pytest.mark.parametrize("nth", range(1, 10))
def test_an_opening_that_fails_leaves_nothing_open(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, call: str, nth: int
) -> None:
    opened: list[int] = []
    left = [nth]
    open_, real = os.open, getattr(os, call)

    def fail(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise OSError(IO, os.strerror(IO))
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        patch.setattr(os, "open", lambda *args, **kwargs: opened.append(open_(*args, **kwargs)) or opened[-1])
        with contextlib.suppress(StorageError):
            disk.open().close()
    for fd in set(opened):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_a_writer_whose_lock_file_is_gone_does_not_keep_itself_out(disk: Disk, calls: Calls) -> None:
    with disk.open() as log:
        disk.lock.unlink()
        log._appender._tip.broken = True
        calls.fail("overwrite")
        with pytest.raises(StorageError):
            log.append("t", n=1)
        calls.heal()
        log.append("t", n=2)
    assert [r["n"] for r in chain(disk).events] == [2]


@pytest.mark.parametrize("when", ["opening", "going on"])
def test_a_file_that_is_there_though_the_system_says_it_is_not_is_never_written_over(
    disk: Disk, calls: Calls, when: str
) -> None:
    """What network file systems do for a moment."""
    disk.make(3)
    before = disk.path.read_bytes()
    if when == "opening":
        calls.fail("size", 2, error=errno.ENOENT)
        with pytest.raises(StorageError, match="a moment ago"):
            disk.open()
        assert disk.path.read_bytes() == before
        calls.heal()
    with disk.open() as log:
        if when == "going on":
            log._appender._tip.broken = True
            calls.fail("open_read", error=errno.ENOENT, about=disk.path.name)
            with pytest.raises(WriteError, match="a moment ago"):
                log.append("t", n=-1)
            assert disk.path.read_bytes() == before
            calls.heal()
        log.append("t", n=3)
    assert [r.get("n") for r in chain(disk).events][-1] == 3
    assert len(chain(disk).events) == 4


def test_a_name_that_cannot_be_asked_for_counts_as_taken(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A next segment with records in it would be written over, a file would take another's place."""
    disk.make(1)
    with disk.open() as log:
        log.append("t")
        disk.next.write_bytes(disk.path.read_bytes())

        def lstat(path: Any, **_: Any) -> os.stat_result:
            raise OSError(IO, os.strerror(IO), path)

        with monkeypatch.context() as patch:
            patch.setattr(os, "lstat", lstat)
            with pytest.raises(SealError):
                log.rotate()
            with pytest.raises(OSError, match=os.strerror(IO)):
                storage.rename(str(disk.path), str(disk.next))
        assert disk.next.read_bytes() == disk.path.read_bytes()
        disk.next.unlink()


@pytest.mark.parametrize("end", ["rotate", "close", "query"])
def test_a_descriptor_that_cannot_be_closed_fails_nothing(disk: Disk, calls: Calls, end: str) -> None:
    log = disk.open()
    log.append("t", n=1)

    def after(name: str, _: Any, __: Any) -> None:
        if name == "close":
            raise OSError(IO, os.strerror(IO))

    calls.after = after
    assert end != "query" or [r["n"] for r in log.query()] == [1]
    assert end != "rotate" or log.rotate() == str(disk.sealed()[0])
    log.close()
    calls.after = None
    assert [r["n"] for r in chain(disk).events] == [1]


def test_a_rename_of_which_nobody_says_what_came_is_looked_for_later(
    disk: Disk, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that did it and went away: taken for a file that was removed, the log would say that a part is gone."""
    with disk.open(fsync="always") as log:
        log.append("t", n=1)
        gone = [False]

        def before(name: str, _: Any) -> None:
            if gone[0]:
                raise OSError(IO, os.strerror(IO))

        def after(name: str, _: Any, __: Any) -> None:
            if name == "rename":
                gone[0] = True
                raise OSError(IO, os.strerror(IO))

        calls.before, calls.after = before, after
        lstat = os.lstat
        with monkeypatch.context() as patch:
            patch.setattr(os, "lstat", lambda path: before("", ()) or lstat(path))
            for call in (log.rotate, lambda: log.append("t", n=-1)):
                with pytest.raises(WriteError):
                    call()
        calls.before = calls.after = None
        log.append("t", n=2)
    found = chain(disk)
    assert [r["n"] for r in found.events] == [1, 2]
    assert len(found.headers) == 2
    assert "active" not in found.headers[1]


def test_what_was_synced_a_moment_ago_is_known_when_the_disk_is_read_anew(disk: Disk, calls: Calls) -> None:
    """A sealing whose end nobody knows, and then a failed sync: the mark may be a second old, this writer is not."""
    with disk.open(fsync="always") as log:
        log.append("t", n=1)
        log.append("t", n=2)
        calls.fail("sync_directory", 2)
        with pytest.raises(SyncError):
            log.rotate()
        disk.sealed()[0].rename(disk.path)
        calls.fail("sync", about=disk.path.name)
        with pytest.raises(SyncError):
            log.append("t", n=-1)
        calls.heal()
        log.append("t", n=3)
    assert [r["n"] for r in chain(disk).events] == [1, 2, 3]


# -- several


@pytest.mark.parametrize("call", ["rename", "sync_directory", "replace", "open_append"])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("failed", ["write", "sync"])
def test_a_file_that_is_sealed_after_a_failure_is_sealed_once_whatever_fails_on_the_way(
    disk: Disk, calls: Calls, monkeypatch: pytest.MonkeyPatch, call: str, nth: int, failed: str
) -> None:
    log = disk.open(fsync="always")
    log.append("t", n=1)
    if failed == "sync":
        calls.fail("sync", about=disk.path.name)
        with pytest.raises(SyncError):
            log.append("t", n=2)
    else:
        real = os.write
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:50]) if len(data) > 60 else 1 / 0)
            with pytest.raises(ZeroDivisionError):
                log.append("t", n=2)
    calls.fail(call, nth)
    for _ in range(5):
        with contextlib.suppress(StorageError):
            log.append("t", n=3)
    calls.heal()
    log.append("t", n=4)
    log.close()
    found = chain(disk)
    kept = [r["n"] for r in found.events]
    assert [kept[0], kept[-1], set(kept[1:-1])] == [1, 4, {3}]
    assert len(found.headers) == 2
    assert "active" not in found.headers[1]
    assert verify(disk.path, full=True).verdict == "intact"


@pytest.mark.parametrize("which", ["next", "sealed"])
def test_what_cannot_be_read_for_now_is_not_taken_for_what_is_not_there(disk: Disk, calls: Calls, which: str) -> None:
    """Between the renames of a seal: a wrong guess would begin the log's end a second time."""
    disk.make(2, 2)
    disk.path.rename(disk.next)
    before = disk.content()
    calls.fail("open_read", about=disk.next.name if which == "next" else disk.sealed()[0].name, for_ever=True)
    with pytest.raises(StorageError):
        disk.open()
    assert disk.content() == before
    calls.heal()
    with disk.open() as log:
        log.append("t")
    assert len(chain(disk).events) == 5


class Trouble:
    """Faults drawn at random: before a call, after it, in the middle of a write."""

    def __init__(self, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chance = random.Random()
        self.often = 0.0
        self.struck = 0
        self._write = os.write
        calls.before, calls.after = self._before, self._after
        monkeypatch.setattr(os, "write", self._half)

    def _strikes(self) -> bool:
        strikes = self.chance.random() < self.often
        self.struck += strikes
        return strikes

    def _before(self, name: str, _: Any) -> None:
        if name != "close" and self._strikes():
            raise OSError(self.chance.choice([IO, NO_SPACE, errno.EPERM]), "made to fail")

    def _after(self, name: str, _: Any, __: Any) -> None:
        if name in CHANGING and not name.startswith("open") and self._strikes():
            raise OSError(IO, "done, and said to have failed")

    def _half(self, fd: int, data: bytes) -> int:
        if self._strikes():
            self._write(fd, bytes(data)[: self.chance.randrange(len(data) + 1)])
            raise OSError(NO_SPACE, "made to fail in the middle")
        return self._write(fd, data)


def live_with(trouble: Trouble, disk: Disk, fsync: str) -> dict[str, int]:
    """Lives of writers, some of which are killed. What was acknowledged: seq by hash."""
    chance, log = trouble.chance, None
    acknowledged: dict[str, int] = {}
    for _ in range(chance.randrange(5, 50)):
        step = chance.random()
        made: list[Receipt] = []
        try:
            if log is None:
                size = chance.choice([1500, 5000, None])
                log = disk.open(fsync=fsync, max_bytes=size, sync_interval=60)
            elif step < 0.5:
                made = [log.append("t", text="x" * chance.randrange(400))]
            elif step < 0.65:
                made = log.append_many([{"n": n} for n in range(chance.randrange(1, 5))])
            elif step < 0.75:
                made = log.append_group([{"n": n} for n in range(chance.randrange(1, 5))])
            elif step < 0.82:
                log.rotate()
            elif step < 0.9:
                log.flush()
            elif step < 0.95:
                ended, log = log, None
                ended.close()
            else:
                log._appender._tip.let_go()  # as the kernel does
                log._appender.closed = True
                log = None
        except AuditError:
            pass
        acknowledged |= {receipt.hash: receipt.seq for receipt in made}
    trouble.often = 0.0
    if log is not None:
        with contextlib.suppress(AuditError):
            log.close()
    return acknowledged


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_many_faults_at_once(
    disk: Disk,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    long: bool,
    tried: Callable[[str, int], None],
    fsync: str,
) -> None:
    """To begin with another seed: SEED."""
    monkeypatch.setattr(tip, "WATCH", 0)
    monkeypatch.setattr(tip, "SEAL_AGAIN", 0)
    first = int(os.environ.get("SEED", "1"))
    trouble = Trouble(calls, monkeypatch)
    for seed in range(first, first + (1000 if long else 30)):
        mine = Disk(disk.folder / str(seed))
        mine.folder.mkdir()
        trouble.chance = random.Random(seed)
        trouble.often = trouble.chance.choice([0.01, 0.03, 0.06])
        acknowledged = live_with(trouble, mine, fsync)
        with mine.open() as log:
            log.append("t")
        found = chain(mine)
        hashes = [r["hash"] for r in found.events]
        assert len(set(hashes)) == len(hashes), seed
        assert [one for one in hashes if one in acknowledged] == [one for one in acknowledged if one in hashes], seed
        for own, seq in acknowledged.items():
            counted = any(lost["first_seq"] <= seq <= lost["last_seq"] for lost in found.lost)
            assert own in hashes or counted, f"seed {seed}: seq {seq} is gone, and nobody said so"
        assert verify(mine.path, full=True).verdict == "intact", seed
        shutil.rmtree(mine.folder)
    tried("faults", trouble.struck)


def test_an_error_says_what_where_and_what_to_do(disk: Disk, calls: Calls) -> None:
    with disk.open() as log:
        calls.fail("write", error=NO_SPACE)
        with pytest.raises(WriteError) as caught:
            log.append("t")
        told = str(caught.value)
        assert told.startswith(str(disk.path))
        assert "not known to be recorded" in told
        assert "No space left" in told
        assert isinstance(caught.value, OSError)
        calls.heal()


def test_what_the_caller_holds_can_be_pickled(disk: Disk, calls: Calls) -> None:
    import pickle

    with disk.open() as log:
        receipt = log.append("t")
        calls.fail("write")
        with pytest.raises(WriteError) as caught:
            log.append("t")
        calls.heal()
    assert pickle.loads(pickle.dumps(receipt)) == receipt  # noqa: S301 - our own
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (str(again), again.errno, again.path) == (str(caught.value), IO, str(disk.path))


def test_the_mark_that_cannot_be_written_fails_no_commit(disk: Disk, calls: Calls) -> None:
    with disk.open(fsync="always") as log:
        calls.fail("overwrite", for_ever=True)
        log.append("t")
        log.flush()
        log.rotate()
        log.append("t")
    calls.heal()
    with AuditLog(disk.path) as log:
        log.append("t")
    assert len(chain(disk).events) == 3
    assert json.loads(disk.lines()[0])["details"]["segment"] == 2


def test_a_next_segment_whose_sync_failed_is_never_put_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second sync would say that all is well, and a power cut could leave an active file without a header."""
    mount = Mount(monkeypatch)
    with pytest.raises(StorageError), Fault("sync", 1, errno.EIO, 0).within(mount):
        AuditLog(LOG)
    moments: list[SimDisk] = []
    disk = mount.disk
    disk.watch = lambda _: moments.append(disk.copy())
    AuditLog(LOG).close()
    disk.watch = None
    for moment in moments:
        for mount.disk in moment.power_cuts(sizes=edges, limit=40, chance=random.Random(1)):
            AuditLog(LOG).close()
            assert verify(LOG).verdict == "intact"
