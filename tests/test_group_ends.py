"""Threads that commit together, when one of them is interrupted, or the interpreter ends under all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disk import Disk, chain
from sharers import Promises, found

from jsonl_audit import AuditError, AuditLog, Receipt, WriteError, storage

pytestmark = pytest.mark.usefixtures("quick_disk")

PATIENCE = 120
"""Seconds: nothing here needs as long, however busy the machine is."""


@pytest.fixture(params=[False, True], ids=["alone", "shared"])
def shared(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def at_once(works: list[Callable[[], object]]) -> list[threading.Thread]:
    """A thread for each, all begun."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    return threads


def until_over(threads: list[threading.Thread]) -> None:
    """Waits for all of them."""
    for thread in threads:
        thread.join(PATIENCE)
    assert not [thread for thread in threads if thread.is_alive()]


class Gate:
    """Stands in every write: the first waits, so that all who come meanwhile go together into the second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str = "write") -> None:
        self.inside, self.on = threading.Event(), threading.Event()
        self.calls = 0
        self.then: Callable[[int], object] = int
        real = getattr(storage, call)

        def stand(*args: Any) -> Any:
            self.calls += 1
            number = self.calls
            if number == 1:
                self.inside.set()
                assert self.on.wait(PATIENCE)
            self.then(number)
            return real(*args)

        monkeypatch.setattr(storage, call, stand)


def waiting(log: AuditLog) -> int:
    """How many threads wait to be committed."""
    return len(log._appender._committers._waiting)


def _wait_until(there: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(PATIENCE * 100):
        if there():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come to that")


def test_an_interrupt_in_one_who_waits_does_not_hold_up_the_others(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C reaches the main thread, which waits here; what it gave is withdrawn."""
    outcomes: list[Receipt] = []
    with disk.open(fsync="always") as log:
        gate = Gate(monkeypatch)
        leader = at_once([lambda: outcomes.append(log.append("t", who="leader", n=0))])
        assert gate.inside.wait(PATIENCE)
        before = at_once([lambda: outcomes.append(log.append("t", who="before", n=0))])
        _wait_until(lambda: waiting(log) == 1)

        def interrupt() -> None:
            _wait_until(lambda: waiting(log) == 2)
            os.kill(os.getpid(), signal.SIGINT)

        interrupting = at_once([interrupt])
        with pytest.raises(KeyboardInterrupt):
            log.append("t", who="main", n=0)
        until_over(interrupting)
        assert waiting(log) == 1
        after = at_once([lambda: outcomes.append(log.append("t", who="after", n=0))])
        _wait_until(lambda: waiting(log) == 2)
        gate.on.set()
        until_over(leader + before + after)
        log.append("t", who="main", n=1)
    assert len(outcomes) == 3
    assert {(r["who"], r["n"]) for r in found(disk).events} == {
        ("leader", 0), ("before", 0), ("after", 0), ("main", 1),
    }  # fmt: skip


def test_an_interrupt_in_the_leader_is_told_to_those_who_go_with_it(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: dict[int, Receipt | BaseException] = {}

    def work(who: int) -> None:
        try:
            outcomes[who] = log.append("t", who=who, n=0)
        except AuditError as error:
            outcomes[who] = error

    def interrupt(number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    with disk.open(fsync="always") as log:
        gate = Gate(monkeypatch)
        gate.then = interrupt
        leader = at_once([lambda: work(0)])
        assert gate.inside.wait(PATIENCE)
        with monkeypatch.context() as patch:
            patch.setattr(threading, "excepthook", lambda _: None)  # of the one that is interrupted
            others = at_once([lambda who=who: work(who) for who in range(1, 6)])  # type: ignore[misc]
            _wait_until(lambda: waiting(log) == 5)
            gate.on.set()
            until_over(leader + others)
        assert isinstance(outcomes[0], Receipt)
        told = [outcome for who, outcome in outcomes.items() if who]
        assert len(told) == 4, "one of the five led, and was interrupted itself"
        assert all(isinstance(error, WriteError) for error in told)
        log.append("t", who="later", n=0)
    assert {record["who"] for record in chain(disk).events} == {0, "later"}


_EXIT = """
import os, sys, threading
from jsonl_audit import AuditLog, ClosedError

threading.stack_size(256 * 1024)
promises = os.open(sys.argv[4], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
log = AuditLog(sys.argv[1], shared=sys.argv[2] == "shared", fsync=sys.argv[3], max_bytes=50_000)
begun = threading.Event()

def work(who):
    n = 0
    while True:
        try:
            receipt = log.append("t", who=who, n=n)
        except ClosedError:
            return
        os.write(promises, b"%d %b %b\\n" % (receipt.seq, receipt.id.encode(), receipt.hash.encode()))
        n += 1
        if n == 3:
            begun.set()

for who in range(200):
    threading.Thread(target=work, args=(who,), daemon=True).start()
begun.wait()
sys.exit(3)
"""


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_an_interpreter_that_ends_while_many_threads_append(
    disk: Disk, tmp_path: Path, shared: bool, fsync: str
) -> None:
    """It ends, and the log is whole. The threads are daemons: they stop where they are, or find the log closed."""
    promises = Promises(tmp_path / "promises")
    ended = subprocess.run(
        [sys.executable, "-c", _EXIT, disk.path, "shared" if shared else "alone", fsync, promises.path],
        capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    promises.close()
    assert (ended.returncode, ended.stderr) == (3, "")
    with disk.open(lock_timeout=0):
        pass
    assert promises.kept()
    found(disk, promises.kept())
