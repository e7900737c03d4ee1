"""One appender at a time: a second is refused and told by whom; the lock goes with its process, however that ends."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from blake3 import blake3
from disk import Calls, Disk, chain, holders, open_below

from jsonl_audit import AuditLog, LockedError, NotALogError, StorageError

pytestmark = pytest.mark.usefixtures("quick_disk")

HOLD = """
import sys, time
from jsonl_audit import AuditLog
log = AuditLog(sys.argv[1])
log.append("held")
print("held", flush=True)
sys.stdin.readline()
"""


@contextmanager
def another(disk: Disk) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the log, until a line comes to it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(disk.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def test_a_second_appender_in_the_same_process_is_refused(disk: Disk) -> None:
    with disk.open() as log:
        log.append("t")
        before = disk.content()
        with pytest.raises(LockedError) as caught:
            disk.open()
        assert caught.value.holder["pid"] == os.getpid()
        assert str(os.getpid()) in str(caught.value)
        assert str(disk.path) in str(caught.value)
        assert "lock_timeout" in str(caught.value)
        assert disk.content() == before
        log.append("t")
    disk.open().close()
    assert len(chain(disk).events) == 2


def test_a_second_appender_in_another_process_is_refused(disk: Disk) -> None:
    with another(disk) as process:
        with pytest.raises(LockedError) as caught:
            disk.open()
        assert caught.value.holder["pid"] == process.pid
        assert {"pid", "host", "program", "since"} <= caught.value.holder.keys()
    with disk.open() as log:
        log.append("t")
    assert [r["type"] for r in chain(disk).events] == ["held", "t"]


def test_no_argument_of_the_holder_is_told_to_others(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/service", "--token", "hunter2"])
    with disk.open():
        with pytest.raises(LockedError, match=r"\(service, since") as caught:
            disk.open()
        assert caught.value.holder["program"] == "service"
        assert b"hunter2" not in disk.lock.read_bytes()


def test_the_second_is_refused_at_once_unless_it_wants_to_wait(disk: Disk) -> None:
    with disk.open():
        started = time.monotonic()
        with pytest.raises(LockedError):
            disk.open()
        at_once = time.monotonic() - started
        with pytest.raises(LockedError):
            disk.open(lock_timeout=0.4)
        assert time.monotonic() - started - at_once >= 0.4
        assert at_once < 0.3


def test_lock_timeout_waits_for_the_other_to_let_go(disk: Disk) -> None:
    first = disk.open()
    first.append("t", n=1)
    threading.Timer(0.2, first.close).start()
    with disk.open(lock_timeout=10) as log:
        log.append("t", n=2)
    assert [r["n"] for r in chain(disk).events] == [1, 2]


def test_the_lock_dies_with_its_process(disk: Disk) -> None:
    with another(disk) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with disk.open(lock_timeout=5) as log:
            log.append("t")
    assert len(chain(disk).events) == 2


def test_a_path_through_a_symlink_is_the_same_log(disk: Disk) -> None:
    link = disk.folder / "link.jsonl"
    link.symlink_to(disk.path)
    with disk.open(), pytest.raises(LockedError):
        AuditLog(link)


def test_the_lock_file_stays(disk: Disk) -> None:
    disk.make(1)
    inode = disk.lock.stat().st_ino
    disk.make(1)
    assert disk.lock.stat().st_ino == inode
    assert not holders(disk.path)


def test_a_lock_file_that_somebody_removed_lets_no_second_writer_do_harm_for_long(disk: Disk) -> None:
    """The first one notices; whichever goes on, no record that was acknowledged is lost and the chain is one."""
    first = disk.open()
    first.append("t", n=1)
    disk.lock.unlink()
    with disk.open() as second:
        second.append("t", n=2)
        time.sleep(0.11)
        try:
            first.append("t", n=3)
        except StorageError:
            pass
        except LockedError as error:
            assert "lock" in str(error)  # noqa: PT017 - one of two right answers
    first.close()
    with disk.open() as log:
        log.append("t", n=4)
    kept = [r["n"] for r in chain(disk).events]
    assert {1, 2, 4} <= set(kept)


def test_a_file_system_without_locks_is_named(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    import portalocker

    def none(*_: object) -> None:
        raise portalocker.LockException(OSError(37, "No locks available"))

    monkeypatch.setattr(portalocker, "lock", none)
    with pytest.raises(StorageError, match="No locks") as caught:
        disk.open()
    assert caught.value.errno == 37


@pytest.mark.parametrize("content", [b"", b"x" * 2000, b"\0" * 2048, b"{}\n" * 100, b'{"boot":1,"check":"00"}\n'])
def test_a_lock_file_with_anything_in_it_promises_nothing(disk: Disk, content: bytes) -> None:
    disk.make(3)
    disk.lock.write_bytes(content)
    with disk.open() as log:
        log.append("t")
        with pytest.raises(LockedError):
            disk.open()
    assert len(chain(disk).events) == 4
    assert not disk.sealed()


def test_a_mark_of_another_shape_promises_nothing(disk: Disk) -> None:
    disk.make(3)
    good = json.loads(disk.lock.read_bytes().split(b"\n")[0])
    del good["check"]
    for name, wrong in (
        ("synced", "x"),
        ("synced", -5),
        ("synced", 10**12),
        ("synced", None),
        ("segment", "1"),
        ("hash", 5),
        ("inode", 1),
        ("boot", None),
        ("log", []),
        ("purged", 7),
        ("acknowledged", 1.5),
        ("fsync", None),
        ("more", 1),
    ):
        body = json.dumps({**good, name: wrong}, separators=(",", ":")).encode()
        disk.lock.write_bytes(b'%b,"check":"%b"}\n' % (body[:-1], blake3(body).hexdigest().encode()))
        with disk.open() as log:
            log.append("t")
    assert len(chain(disk).events) == 3 + 13


def test_a_file_in_the_place_of_the_lock_that_is_none_is_not_written_over(disk: Disk) -> None:
    for other in (Disk(disk.folder, "x.jsonl.lock.jsonl").make(20).path, None):
        content = other.read_bytes() if other else b"precious\n" * 400
        disk.lock.write_bytes(content)
        with pytest.raises(NotALogError, match=r"audit\.jsonl\.lock"):
            disk.open()
        assert disk.lock.read_bytes() == content
        assert not disk.path.exists()


def test_a_lock_that_is_refused_leaves_no_descriptor_open(disk: Disk) -> None:
    with disk.open():
        before = open_below(disk.folder)
        for _ in range(20):
            with pytest.raises(LockedError):
                disk.open()
        assert open_below(disk.folder) == before


def test_no_descriptor_stays_open_when_opening_fails(disk: Disk, calls: Calls) -> None:
    for name in ("open_append", "read", "write", "sync", "sync_directory", "replace", "stat", "overwrite"):
        for nth in range(1, 8):
            calls.fail(name, nth)
            try:
                disk.open().close()
            except StorageError:
                pass
            calls.heal()
    assert open_below(disk.folder) == 0
    disk.make(1)
    assert len(chain(disk).events) == 1


@pytest.mark.parametrize("shared", [False, True])
def test_a_lock_file_that_is_said_not_to_be_there_for_ever_is_not_made_for_ever(
    disk: Disk, calls: Calls, shared: bool
) -> None:
    calls.fail("stat", error=errno.ENOENT, for_ever=True, about=disk.lock.name)
    with pytest.raises(StorageError, match="again and again"):
        disk.open(shared=shared)
    calls.heal()
    disk.open(shared=shared).close()
