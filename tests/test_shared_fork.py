"""Forked, spawned and forkserver children of a program that shares its log: all append at once, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import portalocker
import pytest
from disk import Calls, Disk
from sharers import Child, Promises, ended, forked, found, living_on, sharing, start

from jsonl_audit import AuditLog, LockedError, storage

pytestmark = [
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

FSYNC = ["always", "interval", "never"]


def give(log: AuditLog, who: str, count: int, first: int = 0) -> None:
    """Appends so many events, counted on from `first`."""
    for n in range(first, first + count):
        log.append("t", who=who, n=n)


@pytest.mark.parametrize("fsync", FSYNC)
def test_children_go_on_with_their_parents_log_while_it_does(disk: Disk, fsync: str) -> None:
    with sharing(disk, fsync=fsync, sync_interval=0.05, max_bytes=12_000) as log:
        give(log, "parent", 3)
        works = [lambda who=who: give(log, f"child {who}", 40) for who in range(3)]  # type: ignore[misc]
        with forked(works):
            give(log, "parent", 40, 3)
        give(log, "parent", 1, 43)
    there = found(disk)
    assert Counter(record["who"] for record in there.events) == {
        "parent": 44, "child 0": 40, "child 1": 40, "child 2": 40,
    }  # fmt: skip
    assert len(disk.sealed()) >= 3


def test_a_grandchild_goes_on_too_and_each_may_close_what_it_has(disk: Disk) -> None:
    log = sharing(disk)
    give(log, "parent", 1)

    def grandchild() -> None:
        give(log, "grandchild", 5)
        log.close()

    def child() -> None:
        give(log, "child", 5)
        assert ended(start(grandchild)) == 0
        give(log, "child", 5, 5)
        log.close()
        log.close()

    assert ended(start(child)) == 0
    give(log, "parent", 1, 1)
    log.close()
    assert Counter(record["who"] for record in found(disk).events) == {"parent": 2, "child": 10, "grandchild": 5}


def test_a_child_can_do_all_that_its_parent_can(disk: Disk) -> None:
    with sharing(disk, fsync="always") as log:
        give(log, "parent", 3)

        def child() -> None:
            assert log.last_seq == 4
            log.append_many([{"who": "child", "n": 0}, {"who": "child", "n": 1}])
            assert log.rotate()
            log.append_group([{"who": "child", "n": 2}, {"who": "child", "n": 3}])
            log.flush()
            assert [record["n"] for record in log.tail(2)] == [2, 3]
            assert log.verify(full=True).verdict == "intact"

        assert ended(start(child)) == 0
        assert log.last_seq == 9
        assert log.head == log.tail(1)[0]["hash"]
    assert len(found(disk).events) == 7


def test_forking_in_the_middle_of_the_commits_of_other_threads(disk: Disk) -> None:
    stop = threading.Event()
    counts = [0] * 4
    with sharing(disk, fsync="always", max_bytes=30_000) as log:

        def work(number: int) -> None:
            while not stop.is_set():
                log.append("t", who=f"thread {number}", n=counts[number])
                counts[number] += 1

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        try:
            children = [start(lambda who=who: give(log, f"child {who}", 5)) for who in range(12)]  # type: ignore[misc]
            assert [ended(child) for child in children] == [0] * 12
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    expected = Counter({f"thread {number}": count for number, count in enumerate(counts)})
    expected.update({f"child {who}": 5 for who in range(12)})
    assert Counter(record["who"] for record in found(disk).events) == +expected


@pytest.mark.parametrize("call", ["write", "sync", "overwrite", "open_append", "rename", "replace", "sync_directory"])
def test_forking_while_another_thread_stands_in_any_part_of_a_commit(disk: Disk, calls: Calls, call: str) -> None:
    inside, on = threading.Event(), threading.Event()
    main = os.getpid()

    def stand(name: str, args: object) -> None:
        if name == call and os.getpid() == main and threading.current_thread() is thread and not inside.is_set():
            inside.set()
            assert on.wait(60)

    with sharing(disk, fsync="always") as log:
        give(log, "parent", 2)
        thread = threading.Thread(target=lambda: [log.append("t", who="thread", n=0), log.rotate(),
                                                  log.append("t", who="thread", n=1)])  # fmt: skip
        calls.before = stand
        thread.start()
        assert inside.wait(60)
        child = start(lambda: give(log, "child", 3))
        on.set()
        thread.join()
        give(log, "parent", 2, 2)
        assert ended(child) == 0
    assert Counter(record["who"] for record in found(disk).events) == {"parent": 4, "thread": 2, "child": 3}


def test_a_fork_while_its_parent_waits_for_the_lock(disk: Disk) -> None:
    with sharing(disk) as log:

        def hold(child: Child) -> None:
            with disk.open():  # not shared: it keeps the lock
                child.say()
                child.wait_for()

        give(log, "parent", 1)
        holder = Child(hold)
        holder.hear()
        thread = threading.Thread(target=lambda: give(log, "thread", 1))
        thread.start()
        child = start(lambda: give(log, "child", 1))
        holder.go()
        assert holder.end() == 0
        thread.join()
        assert ended(child) == 0
    assert Counter(record["who"] for record in found(disk).events) == {"parent": 1, "thread": 1, "child": 1}


def test_a_child_that_lives_on_keeps_nobody_waiting(disk: Disk) -> None:
    log = sharing(disk)
    give(log, "parent", 1)
    child = living_on()
    give(log, "parent", 1, 1)
    log.close()
    with disk.open() as alone:
        alone.append("t", who="alone", n=0)
    child.go()
    assert child.end() == 0
    assert len(found(disk).events) == 3


def test_a_child_that_leaves_as_programs_do_syncs_what_it_gave(disk: Disk) -> None:
    script = """
import os, sys
from jsonl_audit import AuditLog
log = AuditLog(sys.argv[1], shared=True, fsync="interval", sync_interval=60)
log.append("t", who="parent", n=0)
child = os.fork()
log.append("t", who="child" if not child else "parent", n=1)
if child:
    assert os.waitpid(child, 0)[1] == 0
    log.append("t", who="parent", n=2)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(disk.path)], stdin=subprocess.DEVNULL, timeout=120,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert [(r["who"], r["n"]) for r in found(disk).events if r["who"] == "parent"] == [("parent", n) for n in range(3)]
    with disk.open() as log:
        assert not log.notes


_POOLS = """
import multiprocessing, os, sys
from jsonl_audit import AuditLog

log = None

def begin(path):
    global log
    log = AuditLog(path, shared=True, fsync="never", max_bytes=10_000)

def work(given):
    method, n = given
    log.append("t", who=f"{method} {os.getpid()}", n=n)
    return n

if __name__ == "__main__":
    path = sys.argv[1]
    with AuditLog(path, shared=True) as mine:
        mine.append("t", who="parent", n=0)
        for method in multiprocessing.get_all_start_methods():
            with multiprocessing.get_context(method).Pool(3, begin, (path,)) as pool:
                given = [(method, n) for n in range(60)]
                assert list(pool.imap(work, given, chunksize=5)) == list(range(60))
                pool.close()
                pool.join()
        mine.append("t", who="parent", n=1)
"""


def test_worker_processes_of_every_kind(disk: Disk) -> None:
    script = disk.folder.parent / "pools.py"  # a file of its own: that is what a spawned worker imports
    script.write_text(_POOLS)
    subprocess.run([sys.executable, script, disk.path], check=True, timeout=240, stdin=subprocess.DEVNULL)
    there = Counter(str(record["who"]).split()[0] for record in found(disk).events)
    assert there.pop("parent") == 2
    assert len(there) >= 1
    assert set(there.values()) == {60}


def test_a_process_that_is_alone_and_those_that_share_keep_each_other_out(disk: Disk) -> None:
    with sharing(disk, lock_timeout=0.05) as shared:
        give(shared, "shared", 1)
        with disk.open() as alone:  # between two commits nobody has the lock
            alone.append("t", who="alone", n=0)
            with pytest.raises(LockedError) as caught:
                give(shared, "shared", 1, 1)
            assert caught.value.holder["pid"] == os.getpid()
            with pytest.raises(LockedError):
                sharing(disk, lock_timeout=0.05)
            alone.append("t", who="alone", n=1)
        give(shared, "shared", 1, 1)
    assert Counter(record["who"] for record in found(disk).events) == {"shared": 2, "alone": 2}


def test_programs_that_do_not_agree_on_the_size_of_a_segment(disk: Disk, tmp_path: Path) -> None:
    promises = [Promises(tmp_path / f"promises {who}") for who in range(3)]
    sizes = [3_000, 20_000, None]

    def work(who: int) -> None:
        with sharing(disk, max_bytes=sizes[who]) as log:
            for n in range(60):
                promises[who].keep(log.append("t", who=who, n=n, text="x" * 100))

    with forked([lambda who=who: work(who) for who in range(3)]):  # type: ignore[misc]
        pass
    there = found(disk, [kept for promise in promises for kept in promise.kept()])
    assert Counter(record["who"] for record in there.events) == {0: 60, 1: 60, 2: 60}
    assert disk.sealed(), "whoever finds a segment too long for its own taste seals it"


def _stood_in(module: object, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """The next call, by another thread, of a function stands when it is done, until it is let go."""
    inside, on = threading.Event(), threading.Event()
    real, main = getattr(module, name), threading.main_thread()

    def call(*args: object, **kwargs: object) -> object:
        result = real(*args, **kwargs)
        if threading.current_thread() is not main and not inside.is_set():
            inside.set()
            on.wait(5)  # not for ever: a fork may have to wait for this thread
        return result

    monkeypatch.setattr(module, name, call)
    return inside, on


def test_a_fork_while_another_thread_asks_whether_the_lock_is_held(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verifier asks by taking a shared lock for an instant: a child that lives on must not keep that."""
    with sharing(disk, lock_timeout=1) as log:
        give(log, "parent", 1)
        inside, on = _stood_in(portalocker, "lock", monkeypatch)
        thread = threading.Thread(target=lambda: storage.probe(str(disk.lock)))
        thread.start()
        assert inside.wait(60)
        threading.Timer(0.2, on.set).start()
        child = living_on()
        on.set()
        thread.join()
        try:
            give(log, "parent", 1, 1)
        finally:
            child.go()
            assert child.end() == 0


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "alone"])
def test_a_fork_while_another_thread_opens_the_log(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    inside, on = _stood_in(storage, "sync_directory", monkeypatch)
    opened: list[AuditLog] = []
    thread = threading.Thread(target=lambda: opened.append(disk.open(shared=shared)))
    thread.start()
    assert inside.wait(60)
    threading.Timer(0.2, on.set).start()
    child = living_on()
    on.set()
    thread.join()
    try:
        opened[0].append("t", who="parent", n=0)
        opened[0].close()
        with disk.open() as again:
            give(again, "again", 1)
    finally:
        child.go()
        assert child.end() == 0
