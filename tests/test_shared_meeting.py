"""Processes that meet: where a log begins, at a torn end, with other clocks, while one lets old segments go."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from disk import Disk
from logs import build
from sharers import PATIENCE, Promises, ended, forked, found, sharing, start

from jsonl_audit import AuditError, query, storage, verify

pytestmark = [
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def at_once(count: int, work: Callable[[int], object]) -> None:
    """So many children that do the work in one moment, each with its number."""
    readable, writable = os.pipe()

    def child(who: int) -> None:
        os.close(writable)
        os.read(readable, 1)  # its end: the parent has begun all of them
        work(who)

    with forked([lambda who=who: child(who) for who in range(count)]):  # type: ignore[misc]
        os.close(writable)
    os.close(readable)


@pytest.mark.parametrize("before", ["nothing", "an empty file", "a crash before the first name", "a torn end"])
def test_a_log_that_many_open_in_one_moment_is_begun_and_mended_once(disk: Disk, before: str) -> None:
    if before == "an empty file":
        disk.path.touch()
    elif before != "nothing":
        build(disk.folder, segments=1, events=2)
        if before == "a torn end":
            disk.grow(b'{"seq":4,"ts":')
        else:
            disk.path.rename(disk.next)

    def work(who: int) -> None:
        with sharing(disk) as log:
            for n in range(5):
                log.append("t", who=who, n=n)

    at_once(8, work)
    assert verify(disk.path, full=True).verdict == "intact"
    events = [record for record in query(disk.path) if "who" in record]
    assert Counter(record["who"] for record in events) == dict.fromkeys(range(8), 5)
    assert len(disk.sealed()) == (before == "a torn end")


def test_processes_whose_clocks_do_not_agree(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    with sharing(disk) as log:
        log.append("t", who="parent", n=0)
        real = time.time_ns

        def ahead() -> None:
            monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600 * 10**9)
            log.append("t", who="ahead", n=0)
            log.rotate()
            log.append("t", who="ahead", n=1)

        assert ended(start(ahead)) == 0
        log.append("t", who="parent", n=1)
        log.rotate()
        log.append("t", who="parent", n=2)
    there = found(disk)
    stamps = [record["ts"] for record in there.records]
    assert stamps == sorted(stamps)
    clamped = [record for record in there.events if "clock" in record]
    assert [(record["who"], record["n"]) for record in clamped] == [("parent", 1), ("parent", 2)]
    assert all(record["clock"] < record["ts"] for record in clamped)


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_a_fork_in_the_middle_of_ones_own_commit(disk: Disk, monkeypatch: pytest.MonkeyPatch, fsync: str) -> None:
    """As from a signal handler. The commit is the parent's; in the child it fails, and the next one goes on."""
    with sharing(disk, fsync=fsync, sync_interval=60) as log:
        log.append("t", who="parent", n=0)
        parent = os.getpid()
        children: list[int] = []
        real = storage.write

        def write(fd: int, data: bytes) -> None:
            if not children and b'"who":"both"' in data:
                children.append(os.fork())
            real(fd, data)

        monkeypatch.setattr(storage, "write", write)
        code = 1
        try:
            try:
                log.append("t", who="both", n=0)
            except AuditError:
                assert os.getpid() != parent
            if os.getpid() != parent:  # pragma: no cover - in the child
                log.append("t", who="child", n=0)
                code = 0
        finally:
            if os.getpid() != parent:  # pragma: no cover - in the child
                os._exit(code)
        log.append("t", who="parent", n=1)
        assert ended(children[0]) == 0
    events = Counter((record["who"], record["n"]) for record in found(disk).events)
    assert events == Counter([("parent", 0), ("both", 0), ("parent", 1), ("child", 0)])


def test_a_child_has_a_background_sync_of_its_own(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    with sharing(disk, fsync="interval", sync_interval=0.02) as log:
        log.append("t", who="parent", n=0)

        def child() -> None:
            synced = threading.Event()
            real = storage.sync

            def sync(fd: int) -> None:
                real(fd)
                synced.set()

            monkeypatch.setattr(storage, "sync", sync)
            log.append("t", who="child", n=0)
            assert synced.wait(PATIENCE)

        assert ended(start(child)) == 0
    assert len(found(disk).events) == 2


@pytest.mark.parametrize("count", [1, 3])
def test_old_segments_are_let_go_by_whoever_seals_and_the_others_go_on(
    disk: Disk, tmp_path: Path, count: int
) -> None:
    promises = [Promises(tmp_path / f"promises {who}") for who in range(4)]

    def work(who: int) -> None:
        with sharing(disk, max_bytes=6_000, backup_count=count) as log:
            for n in range(60):
                promises[who].keep(log.append("t", who=who, n=n, text="x" * 50))

    done = tmp_path / "done"

    def look() -> None:
        while not done.exists():
            report = verify(disk.path, full=True)
            assert report.verdict == "intact", str(report)

    with sharing(disk, max_bytes=6_000) as log:
        log.append("t", who="parent", n=0)
        reader = start(look)
        try:
            at_once(4, work)
        finally:
            done.touch()
            status = ended(reader)
        assert status == 0
        log.append("t", who="parent", n=1)
    report = verify(disk.path, full=True)
    assert report.verdict == "intact", str(report)
    assert [note.kind for note in report.notes] == ["purged-prefix"]
    assert len(disk.sealed()) == count
    kept = {(record["seq"], record["id"], record["hash"]): record for record in query(disk.path)}
    promised = [receipt for promise in promises for receipt in promise.kept()]
    first = min(seq for seq, _, _ in kept)
    assert len(promised) == 240
    assert [receipt for receipt in promised if receipt[0] >= first and receipt not in kept] == []


def test_the_command_line_appends_and_rotates_beside_a_service(disk: Disk) -> None:
    from jsonl_audit.cli import main

    with sharing(disk) as log:
        for n in range(4):
            log.append("t", who="service", n=n)
            assert main(["append", str(disk.path), "--type", "t", "--set", "who=command", "--set", f"n:={n}"]) == 0
            if n % 2:
                assert main(["rotate", str(disk.path)]) == 0
        log.append("t", who="service", n=4)
    there = found(disk)
    assert [(r["who"], r["n"]) for r in there.events] == [
        *((who, n) for n in range(4) for who in ("service", "command")), ("service", 4),
    ]  # fmt: skip
    assert len(disk.sealed()) == 2


def test_one_that_closes_while_others_go_on_leaves_them_the_log(disk: Disk) -> None:
    logs = [sharing(disk) for _ in range(5)]
    for n in range(5):
        for who, log in enumerate(logs):
            log.append("t", who=who, n=n)
        logs.pop().close()
    assert len(found(disk).events) == 5 + 4 + 3 + 2 + 1


def test_each_may_have_its_own_thread_that_takes_its_commits_along(disk: Disk) -> None:
    """Threads of several processes: groups within each, turns between them."""

    def work(who: int) -> None:
        with sharing(disk, fsync="always", max_bytes=20_000) as log:

            def one(thread: int) -> None:
                for n in range(15):
                    log.append("t", who=f"{who} {thread}", n=n)

            threads = [threading.Thread(target=one, args=(thread,)) for thread in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    at_once(4, work)
    there = found(disk)
    assert set(Counter(record["who"] for record in there.events).values()) == {15}
    assert len(there.events) == 4 * 5 * 15


def test_a_folder_that_another_process_makes_in_the_same_moment(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.mkdir

    def mkdir(path: str, mode: int = 0o777) -> None:
        real(path, mode)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)

    monkeypatch.setattr(os, "mkdir", mkdir)
    within = Disk(disk.folder / "a" / "b")
    with sharing(within) as log:
        log.append("t", who="parent", n=0)
    assert len(found(within).events) == 1
