"""What goes wrong for one of those that share a log, and what the others make of it."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from disk import Disk
from sharers import Child, ended, found, sharing, start

from jsonl_audit import AuditError, AuditLog, LockedError, StorageError, SyncError, WriteError, storage, verify
from jsonl_audit.writer import tip

pytestmark = [
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
FSYNC = ["always", "interval", "never"]


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each commit looks at the names, so that no test has to wait for one that does."""
    monkeypatch.setattr(tip, "WATCH", 0)


@pytest.fixture
def two(disk: Disk) -> Iterator[tuple[AuditLog, AuditLog]]:
    """A log, opened twice: between two processes it is no different, for the lock belongs to the open file."""
    with sharing(disk, lock_timeout=5) as one, sharing(disk, lock_timeout=5) as other:
        yield one, other


def give(log: AuditLog, who: str, *numbers: int) -> None:
    """Appends an event for each number."""
    for n in numbers:
        log.append("t", who=who, n=n)


# -- syncs and writes that fail


def _failing(call: str, work: Callable[[], object]) -> None:
    """In a child: the calls of `call` that the work makes fail."""

    def fail(*args: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    real = getattr(storage, call)
    setattr(storage, call, fail)
    try:
        with pytest.raises(SyncError if call == "sync" else WriteError):
            work()
    finally:
        setattr(storage, call, real)


@pytest.mark.parametrize("fsync", FSYNC)
def test_what_one_process_could_not_sync_is_built_upon_by_nobody(disk: Disk, fsync: str) -> None:
    """What others were told is recorded stays so if a sync had said it; else the log says that it is lost."""
    with sharing(disk, fsync=fsync, sync_interval=60) as log:
        give(log, "parent", 0, 1)

        def child() -> None:
            mine = sharing(disk, fsync="always")
            give(log, "child", 0)  # in the parent's mode
            _failing("sync", lambda: mine.append("t", who="child", n=1))

        assert ended(start(child)) == 0
        give(log, "parent", 2)
        with sharing(disk, fsync="always") as other:
            give(other, "other", 0)
    there = found(disk)
    own = [(record["who"], record["n"]) for record in there.events]
    lost = [(entry["first_seq"], entry["last_seq"]) for entry in there.lost]
    if fsync == "always":
        assert own == [("parent", 0), ("parent", 1), ("child", 0), ("parent", 2), ("other", 0)]
        assert lost == []
    else:
        assert own[-2:] == [("parent", 2), ("other", 0)]
        kept = own[:-2]
        assert kept == [("parent", 0), ("parent", 1), ("child", 0)][: len(kept)]
        count = sum(entry["count"] for entry in there.lost)
        assert len(kept) + count == 3, "each that was acknowledged is there, or is said to be lost"
    assert [torn for torn in there.torn if torn and torn.get("unsynced")], "the file of the failed sync was left"


def test_a_background_sync_that_fails_in_one_process(disk: Disk) -> None:
    with sharing(disk, fsync="never") as log:
        give(log, "parent", 0)

        def child(told: Child) -> None:
            def fail(fd: int) -> None:
                storage.sync = real
                told.say()
                raise OSError(errno.EIO, os.strerror(errno.EIO))

            with sharing(disk, fsync="interval", sync_interval=0.02) as mine:
                real, storage.sync = storage.sync, fail
                give(mine, "child", 0)
                told.wait_for()
                try:
                    mine.flush()
                except SyncError:
                    pass
                give(mine, "child", 1)

        other = Child(child)
        other.hear()
        give(log, "parent", 1, 2)
        other.go()
        assert other.end() == 0
        give(log, "parent", 3)
    there = found(disk)
    own = [(record["who"], record["n"]) for record in there.events]
    lost = sum(entry["count"] for entry in there.lost)
    told = sum(record["type"] == "audit.settings" for record in there.records)
    assert len(own) + told + lost == 6 + 1  # the child's settings are others
    assert own[-1] == ("parent", 3)


@pytest.mark.parametrize("part", [0, 1, 50, -1], ids=["nothing", "a byte", "a piece", "all of it"])
def test_a_write_that_fails_in_one_process_is_dealt_with_by_the_next_to_come(disk: Disk, part: int) -> None:
    with sharing(disk) as log:
        give(log, "parent", 0)

        def child() -> None:
            with sharing(disk) as mine:
                real = os.write

                def write(fd: int, data: bytes) -> int:
                    real(fd, bytes(data)[: part if part >= 0 else len(data)])
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

                os.write = write  # type: ignore[assignment]
                with pytest.raises(WriteError) as caught:
                    give(mine, "child", 0)
                os.write = real
                assert [receipt.seq for receipt in caught.value.attempted] == [3]
                os._exit(0)

        assert ended(start(child)) == 0
        give(log, "parent", 1)
    there = found(disk)
    whole = [("child", 0)] if part == -1 else []
    assert [(r["who"], r["n"]) for r in there.events] == [("parent", 0), *whole, ("parent", 1)]
    assert [end["bytes"] for end in there.torn if end] == ([part] if part > 0 else [])


def test_one_who_may_not_write_is_refused_and_the_others_go_on(
    two: tuple[AuditLog, AuditLog], disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    give(one, "one", 0)

    def refused(fd: int, data: bytes) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write", refused)
        with pytest.raises(WriteError, match="not permitted"):
            give(one, "one", 1)
    give(other, "other", 0)
    give(one, "one", 1)
    assert len(found(disk).events) == 3


# -- locks


def test_a_lock_that_is_not_given_for_a_last_mark_fails_no_close(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    log = sharing(disk)
    log.append("t", who="x", n=1)

    def refuse(_: int) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patch:
        patch.setattr(storage, "lock_again", refuse)
        log.close()
    assert len(found(disk).events) == 1


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL])
@pytest.mark.parametrize("alone", [False, True], ids=["shared", "alone"])
def test_a_file_system_without_locks_is_refused_with_a_clear_word(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, alone: bool, number: int
) -> None:
    def refused(*_: object) -> bool:
        raise OSError(number, os.strerror(number))

    for name in ("lock", "lock_again", "wait_for_lock", "unlock"):
        monkeypatch.setattr(storage, name, refused)
    with pytest.raises(StorageError, match="no locks") as caught:
        disk.open(shared=not alone)
    assert caught.value.errno == number
    assert "local disk" in str(caught.value)
    assert not disk.path.exists()


@pytest.mark.usefixtures("_impatient")
def test_a_lock_file_that_is_removed_is_made_again_and_keeps_them_apart(
    two: tuple[AuditLog, AuditLog], disk: Disk
) -> None:
    one, other = two
    give(one, "one", 0)
    give(other, "other", 0)
    disk.lock.unlink()
    give(one, "one", 1)
    give(other, "other", 1)
    with disk.open() as alone, pytest.raises(LockedError), sharing(disk, lock_timeout=0):
        alone.append("t", who="alone", n=0)
    disk.lock.unlink()
    give(other, "other", 2)
    give(one, "one", 2)
    assert len(found(disk).events) == 6


@pytest.mark.usefixtures("_impatient")
def test_a_lock_file_that_is_removed_between_the_commits_of_processes(disk: Disk) -> None:
    """Whoever still has the old one open and whoever made the new one must not write at once."""
    with sharing(disk) as log:
        give(log, "parent", 0)

        def work(child: Child) -> None:
            real = storage.write

            def write(fd: int, data: bytes) -> None:
                storage.write = real
                child.say()
                child.wait_for()
                real(fd, data)

            with sharing(disk) as mine:
                storage.write = write
                give(mine, "child", 0)
                give(mine, "child", 1)

        child = Child(work)
        child.hear()  # it stands in its commit, with the lock
        with pytest.raises(LockedError):
            sharing(disk, lock_timeout=0)
        child.go()
        give(log, "parent", 1)
        disk.lock.unlink()
        give(log, "parent", 2)
        assert child.end() == 0
        give(log, "parent", 3)
    assert len(found(disk).events) == 6


# -- files that are removed, replaced, cut


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("fsync", FSYNC)
def test_an_active_file_that_is_removed(disk: Disk, fsync: str) -> None:
    with sharing(disk, fsync=fsync) as one, sharing(disk, fsync=fsync) as other:
        give(one, "one", 0)
        give(other, "other", 0)
        one.rotate()
        give(other, "other", 1)
        kept = len(disk.sealed())
        disk.path.unlink()
        give(other, "other", 2)
        give(one, "one", 1)
        give(other, "other", 3)
    assert len(disk.sealed()) == kept
    report = verify(disk.path, full=True)
    assert report.verdict == "incomplete"
    assert {finding.kind for finding in report.findings} == {"segment-missing"}
    own = [(record["who"], record["n"]) for record in _events(disk)]
    assert own == [("one", 0), ("other", 0), ("other", 2), ("one", 1), ("other", 3)]


def _events(disk: Disk) -> list[dict[str, Any]]:
    records = [json.loads(line) for path in (*disk.sealed(), disk.path) for line in disk.lines(path)]
    return [record for record in records if not record.get("type", "audit.").startswith("audit.")]


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("who", [0, 1], ids=["by the last writer", "by the other"])
@pytest.mark.parametrize("by", [1, 100, 400])
def test_an_active_file_that_is_cut(disk: Disk, two: tuple[AuditLog, AuditLog], by: int, who: int) -> None:
    give(two[0], "one", 0, 1)
    give(two[1], "other", 0, 1)
    disk.cut(-by)
    give(two[1 - who], "found it", 0)
    give(two[who], "next", 0)
    give(two[1 - who], "found it", 1)
    for log in two:
        log.close()
    report = verify(disk.path, full=True)
    own = [(record["who"], record["n"]) for record in _whole(disk)]
    assert own[-3:] == [("found it", 0), ("next", 0), ("found it", 1)]
    assert report.verdict in ("intact", "tampered"), "a cut is told, or documented by whoever found it"
    assert not any(finding.kind in ("fork", "chain-broken") for finding in report.findings), str(report)


def _whole(disk: Disk) -> list[dict[str, Any]]:
    records = []
    for path in (*disk.sealed(), disk.path):
        for line in disk.lines(path):
            try:
                records.append(json.loads(line))
            except ValueError:
                continue
    return [record for record in records if not record.get("type", "audit.").startswith("audit.")]


@pytest.mark.usefixtures("_impatient")
def test_an_active_file_that_is_replaced_by_an_older_copy(disk: Disk, two: tuple[AuditLog, AuditLog]) -> None:
    one, other = two
    give(one, "one", 0)
    copy = disk.folder.parent / "copy"
    shutil.copy(disk.path, copy)
    give(other, "other", 0, 1)
    os.replace(copy, disk.path)
    outcomes = []
    for log, who in ((one, "one"), (other, "other"), (one, "one")):
        try:
            log.append("t", who=who, n=9)
            outcomes.append("went on")
        except AuditError as error:
            outcomes.append(str(error))
    report = verify(disk.path, full=True)
    assert not any(finding.kind in ("chain-broken", "record-modified") for finding in report.findings), (
        f"{outcomes}\n{report}"
    )
    assert len(set(outcomes)) == 1, "all of them say the same"


@pytest.mark.usefixtures("_impatient")
def test_a_folder_that_is_removed_and_made_again(disk: Disk, two: tuple[AuditLog, AuditLog]) -> None:
    one, other = two
    give(one, "one", 0)
    give(other, "other", 0)
    shutil.rmtree(disk.folder)
    give(other, "other", 1)
    give(one, "one", 1)
    shutil.rmtree(disk.folder)
    disk.folder.mkdir()
    give(one, "one", 2)
    give(other, "other", 2)
    one.close()
    other.close()
    report = verify(disk.path, full=True)
    assert report.verdict == "incomplete"
    assert [(record["who"], record["n"]) for record in _events(disk)] == [("one", 2), ("other", 2)]
    with sharing(disk) as again:
        give(again, "again", 0)


def test_a_log_that_another_one_sealed_and_packed(disk: Disk, two: tuple[AuditLog, AuditLog]) -> None:
    import gzip

    one, other = two
    give(one, "one", 0)
    for n in range(3):
        give(other, "other", n)
        sealed = other.rotate()
        assert sealed is not None
        with open(sealed, "rb") as plain, gzip.open(f"{sealed}.gz", "wb") as packed:
            packed.write(plain.read())
        os.unlink(sealed)
    give(one, "one", 1)
    assert verify(disk.path, full=True).verdict == "intact"
    assert one.last_seq == other.last_seq


@pytest.mark.parametrize("end", [b'{"seq":', b'{"seq":1}\n'], ids=["torn", "damaged"])
@pytest.mark.parametrize(
    "rotations",
    [1, 2],
)
def test_one_that_slept_through_a_rotation_and_meets_a_bad_end_behind_it(
    disk: Disk, two: tuple[AuditLog, AuditLog], rotations: int, end: bytes
) -> None:
    """No descriptor is closed twice, or used after it was closed: its number may be another file's by then."""
    one, other = two
    give(one, "one", 0)
    give(other, "other", 0)
    for n in range(rotations):
        one.rotate()
        give(one, "one", n + 1)
    disk.grow(end)
    strangers = [os.open(os.devnull, os.O_RDONLY) for _ in range(5)]
    give(other, "other", 1)
    give(one, "one", 9)
    give(other, "other", 2)
    for fd in strangers:
        os.close(fd)
    one.close()
    other.close()
    assert [(record["who"], record["n"]) for record in _whole(disk) if "who" in record][-3:] == [
        ("other", 1), ("one", 9), ("other", 2),
    ]  # fmt: skip
    report = verify(disk.path, full=True)
    assert report.verdict == ("intact" if end[-1:] != b"\n" else "tampered"), str(report)
