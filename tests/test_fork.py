"""A forked child of an appender writes nothing, and takes nothing from its parent: neither the lock nor a record."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable

import pytest
from disk import Disk, chain, holders
from sharers import living_on

from jsonl_audit import ClosedError, LockedError

pytestmark = [
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def in_child(work: Callable[[], object], *, exit_by: Callable[[int], None] = os._exit) -> int:
    """Does the work in a forked child; 0 if it did not fail."""
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - it must not go on as a second pytest
            traceback.print_exc()
        finally:
            exit_by(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_a_child_is_refused_and_the_parent_goes_on(disk: Disk, fsync: str) -> None:
    with disk.open(fsync=fsync, sync_interval=0.05) as log:
        log.append("parent", n=1)

        def child() -> None:
            for use in (lambda: log.append("child"), lambda: log.append_many([{}, {}]), log.flush, log.rotate):
                with pytest.raises(ClosedError, match="parent"):
                    use()
            log.close()
            log.close()

        assert in_child(child) == 0
        log.append("parent", n=2)
        log.append_many([{"n": 3}, {"n": 4}])
        assert holders(disk.path)
    assert [r["n"] for r in chain(disk).events] == [1, 2, 3, 4]


def test_the_childs_end_does_not_free_the_parents_lock(disk: Disk) -> None:
    with disk.open() as log:
        assert in_child(lambda: None) == 0
        with pytest.raises(LockedError):
            disk.open()
        assert in_child(log.close) == 0
        with pytest.raises(LockedError):
            disk.open()
        log.append("t")


def test_a_child_that_lives_on_does_not_keep_the_parents_lock(disk: Disk) -> None:
    log = disk.open()
    child = living_on()
    log.append("t")
    log.close()
    with disk.open() as again:
        again.append("t")
    child.go()
    assert child.end() == 0
    assert len(chain(disk).events) == 2


def test_a_child_may_open_another_log_and_the_same_one_when_it_is_free(disk: Disk) -> None:
    log = disk.open()
    log.append("parent")

    def other() -> None:
        with Disk(disk.folder, "other.jsonl").open() as mine:
            mine.append("child")
        with pytest.raises(LockedError):
            disk.open()

    assert in_child(other) == 0
    log.close()

    def same() -> None:
        with disk.open() as mine:
            mine.append("child")

    assert in_child(same) == 0
    assert [r["type"] for r in chain(disk).events] == ["parent", "child"]


def test_a_child_that_leaves_as_programs_do_writes_nothing(disk: Disk) -> None:
    script = """
import os, sys
from jsonl_audit import AuditLog
log = AuditLog(sys.argv[1], fsync="interval", sync_interval=60)
log.append("parent", n=1)
child = os.fork()
if child:
    os.waitpid(child, 0)
    log.append("parent", n=2)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script, str(disk.path)], stdin=subprocess.DEVNULL)
    assert done.returncode == 0
    assert [r["n"] for r in chain(disk).events] == [1, 2]
    with disk.open() as log:
        assert not log.notes


def test_forking_in_the_middle_of_other_threads_commits(disk: Disk) -> None:
    stop = threading.Event()
    with disk.open(max_bytes=20_000) as log:

        def work() -> None:
            while not stop.is_set():
                log.append("t", text="x" * 100)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()

        def child() -> None:
            with pytest.raises(ClosedError):
                log.append("child")

        try:
            assert [in_child(child) for _ in range(15)] == [0] * 15
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert all(r["type"] == "t" for r in chain(disk).events)


_POOLS = """
import multiprocessing, sys
from jsonl_audit import AuditLog

def work(path):
    with AuditLog(path, fsync="never") as log:
        log.append("worker")
    return path

if __name__ == "__main__":
    folder = sys.argv[1]
    with AuditLog(f"{folder}/audit.jsonl") as log:
        log.append("parent")
        for method in ("fork", "spawn"):
            with multiprocessing.get_context(method).Pool(1) as pool:
                assert pool.apply_async(work, (f"{folder}/{method}.jsonl",)).get(30)
        log.append("parent")
"""


def test_worker_processes_of_either_kind(disk: Disk) -> None:
    script = disk.folder.parent / "pools.py"  # a file of its own: that is what a spawned worker imports
    script.write_text(_POOLS)
    subprocess.run([sys.executable, script, disk.folder], check=True, timeout=90, stdin=subprocess.DEVNULL)
    assert len(chain(disk).events) == 2
    for method in ("fork", "spawn"):
        assert len(Disk(disk.folder, f"{method}.jsonl").path.read_bytes().splitlines()) == 2
