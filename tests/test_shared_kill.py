"""One of several processes that share a log is killed, stopped, or leaves in the middle: the others go on, and whole.

Writers that are killed wherever they happen to be are the soak's (``python tests/soak.py --help``).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disk import CALLS, Disk
from sharers import Child, Promises, ended, found, sharing, start

from jsonl_audit import LockedError, storage

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
FSYNC = ["always", "interval", "never"]


def patch_storage(name: str, instead: Callable[..., Any]) -> None:
    """In a child, for the rest of its life: `instead` is called with the real function and its arguments."""
    real = getattr(storage, name)
    setattr(storage, name, lambda *args, **kwargs: instead(real, *args, **kwargs))


def stop_here() -> None:
    """In a child: stops it, as Ctrl-Z or a debugger does."""
    os.kill(os.getpid(), signal.SIGSTOP)


def _write_and_stop(part: float) -> Callable[..., None]:
    stopped = []

    def write(real: Callable[..., None], fd: int, data: bytes) -> None:
        if not stopped and b'"stopped"' in data:
            stopped.append(True)
            cut = round(len(data) * part)
            os.write(fd, data[:cut])
            stop_here()
            data = data[cut:]
        if data:
            real(fd, data)

    return write


@pytest.mark.parametrize("then", ["continued", "killed"])
@pytest.mark.parametrize("part", [0, 0.5, 1], ids=["before", "in", "after"])
@pytest.mark.parametrize("fsync", FSYNC)
def test_a_process_that_is_stopped_with_the_lock_in_its_hand(
    disk: Disk, fsync: str, part: float, then: str
) -> None:
    with sharing(disk, fsync=fsync, sync_interval=60) as log:
        log.append("t", who="parent", n=0)

        def work(child: Child) -> None:
            patch_storage("write", _write_and_stop(part))
            log.append("t", who="stopped", n=0)
            log.append("t", who="stopped", n=1)
            child.wait_for()

        child = Child(work)
        child.wait_until_stopped()
        with pytest.raises(LockedError) as caught:
            sharing(disk, lock_timeout=0.05)
        assert "writing to this log" in str(caught.value)
        assert log.verify(full=True).ok
        assert len(log.tail(5)) == 1 + (part == 1)
        if then == "continued":
            child.go_on()
            log.append("t", who="parent", n=1)
            child.go()
            assert child.end() == 0
        else:
            child.kill()
            log.append("t", who="parent", n=1)
    there = found(disk)
    whole = 2 if then == "continued" else int(part == 1)
    assert sorted((r["who"], r["n"]) for r in there.events) == [
        ("parent", 0), ("parent", 1), *[("stopped", n) for n in range(whole)],
    ]  # fmt: skip
    torn = [end for end in there.torn if end is not None]
    assert len(torn) == (then == "killed" and part == 0.5), "a line that was cut off is accounted for, and nothing else"


def test_a_wait_that_was_given_up_does_not_take_the_lock_later(disk: Disk) -> None:
    with sharing(disk, lock_timeout=0.05) as log, sharing(disk) as patient:
        log.append("t", who="parent", n=0)

        def work(child: Child) -> None:
            patch_storage("write", _write_and_stop(0))
            log.append("t", who="stopped", n=0)

        child = Child(work)
        child.wait_until_stopped()
        for _ in range(3):
            with pytest.raises(LockedError):
                log.append("t", who="parent", n=-1)
        child.go_on()
        assert child.end() == 0
        patient.append("t", who="patient", n=0)
        patient.append("t", who="patient", n=1)
        with disk.open(lock_timeout=60) as alone:
            alone.append("t", who="alone", n=0)
    assert [(r["who"], r["n"]) for r in found(disk).events] == [
        ("parent", 0), ("stopped", 0), ("patient", 0), ("patient", 1), ("alone", 0),
    ]  # fmt: skip


# -- leaving between any two calls


def _count_calls(stop_at: int, leave: Callable[[], None]) -> list[int]:
    """In a child: calls `leave` before the call number `stop_at`; the number of calls so far."""
    made = [0]

    def count(real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        made[0] += 1
        if made[0] == stop_at:
            leave()
        return real(*args, **kwargs)

    for name in (*CALLS, "lock_again", "unlock"):
        patch_storage(name, count)
    return made


@pytest.mark.parametrize(("fsync", "whose"), [("always", "inherited"), ("never", "own")])
def test_a_process_that_leaves_between_any_two_calls_of_appending_and_sealing(
    tmp_path: Path, fsync: str, whose: str
) -> None:
    """Each time the other one, which knew the log before, goes on at once, and so does whoever opens it anew."""
    number = 1
    while _leaves_at(number, tmp_path / f"{number}", fsync, whose):
        number += 1
    assert number > 20


def _leaves_at(number: int, folder: Path, fsync: str, whose: str) -> bool:
    """Whether there was a call of that number, at which a child left."""
    folder.mkdir()
    disk = Disk(folder)
    promises = Promises(folder.with_suffix(".promises"))
    log = sharing(disk, fsync=fsync)
    log.append("t", who="parent", n=0)

    def work() -> None:
        mine = log if whose == "inherited" else sharing(disk, fsync=fsync)
        _count_calls(number, lambda: os._exit(77))
        promises.keep(mine.append("t", who="child", n=0))
        promises.keep(*mine.append_many([{"who": "child", "n": 1}, {"who": "child", "n": 2}]))
        mine.rotate()
        promises.keep(mine.append("t", who="child", n=3))

    status = ended(start(work))
    assert status in (0, 77)
    log.append("t", who="parent", n=1)
    with sharing(disk, fsync=fsync, lock_timeout=0) as other:
        other.append("t", who="other", n=0)
    log.append("t", who="parent", n=2)
    log.close()
    own = [(r["who"], r["n"]) for r in found(disk, promises.kept()).events if r["who"] != "child"]
    assert own == [("parent", 0), ("parent", 1), ("other", 0), ("parent", 2)]
    promises.close()
    return status == 77
