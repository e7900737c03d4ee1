"""Ctrl-C in the middle of an append: whatever it cuts off, the log stays one that verifies."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
from types import FrameType
from typing import Any

import pytest
from disk import Disk, chain

from jsonl_audit import Receipt, WriteError, storage, verify
from jsonl_audit.record import encode
from jsonl_audit.writer import active, group, lock, tip

pytestmark = [
    pytest.mark.usefixtures("quick_disk"),
    # In a destructor or a generator's end Python itself swallows the interrupt, and says so.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Interrupt:
    """Raises KeyboardInterrupt where the interpreter looks for signals: at the n-th call, or behind it."""

    def __init__(self, nth: int) -> None:
        self.left = nth
        self.came = False
        """Python itself may have swallowed it: in a destructor, say."""

    def __call__(self, _frame: FrameType, event: str, _arg: Any) -> None:
        self.left -= event in ("call", "c_return")
        if self.left == 0:
            sys.setprofile(None)
            self.came = True
            raise KeyboardInterrupt

    def __enter__(self) -> Interrupt:
        sys.setprofile(self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


@pytest.mark.parametrize("fsync", ["always", "never"])
@pytest.mark.parametrize("many", [0, 1, 3], ids=["rotate", "one", "a batch"])
def test_an_append_that_is_interrupted_anywhere_leaves_a_whole_log(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, fsync: str, many: int
) -> None:
    monkeypatch.setattr(active, "DIGEST_BLOCK", 600)
    monkeypatch.setattr("jsonl_audit.writer.appender.DIGEST_BLOCK", 600)
    events = [{"type": "t", "time": "2026-01-02T03:04:05Z"} if fsync == "always" else {"type": "t"}] * many
    nth, interrupted = 0, True
    with disk.open(fsync=fsync) as log:
        while interrupted:
            nth += 1
            try:
                with Interrupt(nth) as interrupt:
                    {0: log.rotate, 1: lambda: log.append(events[0]), 3: lambda: log.append_many(events)}[many]()
                interrupted = interrupt.came
            except KeyboardInterrupt:
                pass
            log.append("t")
            if nth % 5 == 0:
                log.rotate()
        log.rotate()
    assert nth > 10
    report = verify(disk.path, full=True)
    assert report.verdict == "intact", report.text()
    chain(disk)


@pytest.mark.parametrize("fsync", ["always", "never"])
def test_one_of_two_that_share_may_be_interrupted_anywhere(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, fsync: str
) -> None:
    monkeypatch.setattr("jsonl_audit.writer.shared.DIGEST_BLOCK", 600)
    nth, interrupted = 0, True
    with disk.open(shared=True, fsync=fsync) as log, disk.open(shared=True, fsync=fsync, lock_timeout=30) as other:
        while interrupted:
            nth += 1
            other.append("other", n=nth)
            try:
                with Interrupt(nth) as interrupt:
                    log.append_many([{}, {}]) if nth % 3 == 0 else log.append("t")
                interrupted = interrupt.came
            except KeyboardInterrupt:
                pass
            other.append("other", n=-nth)
            log.append("own", n=nth)
            if nth % 7 == 0:
                other.rotate()
    assert nth > 50
    assert verify(disk.path, full=True).verdict == "intact"
    events = chain(disk).events
    wanted = [sign * n for n in range(1, nth + 1) for sign in (1, -1)]
    assert [event["n"] for event in events if event["type"] == "other"] == wanted
    assert [event["n"] for event in events if event["type"] == "own"] == list(range(1, nth + 1))


@pytest.mark.exhaustive
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_leader_that_is_interrupted_anywhere_tells_its_followers_the_truth(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """Each follower has its receipts, or an error that names all of its events that may be recorded."""
    monkeypatch.setattr(storage, "sync", lambda _fd: None)
    monkeypatch.setattr(group, "PATIENCE", 0.02)
    monkeypatch.setattr(group, "IDLE", 0.002)
    heard: dict[tuple[int, int], tuple[Receipt, ...]] = {}
    nth, interrupted = 0, True
    with disk.open(fsync="always", shared=shared) as log:
        committers = log._appender._committers

        def follow(who: int) -> None:
            bodies = [[encode({"nth": nth, "who": who, "n": n})] for n in range(2)]
            try:
                receipts = tuple(log._appender.commit(bodies))
                assert len(receipts) == 2
            except WriteError as error:
                receipts = (*error.done, *error.attempted)
            heard[nth, who] = receipts

        while interrupted:
            nth += 1
            committers._leading.acquire()  # so that both wait, and are led by this thread
            followers = [threading.Thread(target=follow, args=(who,)) for who in range(2)]
            committers.at_work = True
            for follower in followers:
                follower.start()
            while len(committers._waiting) < 2:
                time.sleep(0.0001)
            committers.at_work = False
            committers._leading.release()
            try:
                with Interrupt(nth) as interrupt:
                    log._appender.commit([[encode({"nth": nth, "who": 2, "n": 0})]])
                interrupted = interrupt.came
            except KeyboardInterrupt:
                pass
            for follower in followers:
                follower.join(60)
                assert not follower.is_alive()
            if shared:
                with disk.open(shared=True, lock_timeout=0.5) as other:
                    other.append("other")
            log.append("own")
    assert nth > 50
    found: dict[tuple[int, int], set[str]] = {}
    for event in chain(disk).events:
        if "who" in event and event["who"] < 2:
            found.setdefault((event["nth"], event["who"]), set()).add(event["hash"])
    for key, hashes in found.items():
        assert hashes <= {receipt.hash for receipt in heard[key]}


def test_one_that_waits_for_the_lock_may_be_interrupted_anywhere(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever it comes, the lock is free afterwards. It may cost a descriptor, at a few places."""
    monkeypatch.setattr("jsonl_audit.writer.lock.SPINS", 0)
    nth, interrupted = 0, True
    with disk.open(shared=True, lock_timeout=30) as log:
        other = storage.open_lock(str(disk.lock))
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        while interrupted:
            nth += 1
            storage.wait_for_lock(other)
            letting_go = threading.Timer(0.005, storage.unlock, (other,))
            letting_go.start()
            try:
                with Interrupt(nth) as interrupt:
                    log.append("t")
                interrupted = interrupt.came
            except KeyboardInterrupt:
                pass
            letting_go.join()
            log.append("t")
            assert storage.lock_again(other)
            storage.unlock(other)
            assert not before or len(os.listdir("/proc/self/fd")) <= before + 20
        storage.close(other)
    assert nth > 50
    assert verify(disk.path, full=True).verdict == "intact"


@pytest.mark.parametrize("options", [{}, {"shared": True}, {"fsync": "interval"}], ids=["alone", "shared", "interval"])
def test_a_close_that_is_interrupted_anywhere_is_made_good_by_another(disk: Disk, options: dict[str, Any]) -> None:
    nth, interrupted = 0, True
    while interrupted:
        nth += 1
        log = disk.open(**options)
        log.append("t")
        try:
            with Interrupt(nth) as interrupt:
                log.close()
        except KeyboardInterrupt:
            pass
        interrupted = interrupt.came
        log.close()
        disk.open(lock_timeout=0).close()
    assert nth > 30
    assert verify(disk.path, full=True).verdict == "intact"


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_the_first_append_after_a_sync_in_the_background_may_be_interrupted_anywhere(
    disk: Disk, shared: bool
) -> None:
    nth, interrupted = 0, True
    with disk.open(fsync="interval", sync_interval=3600, shared=shared) as log:
        while interrupted:
            nth += 1
            log._appender._background._wanted = False  # as after each background sync
            try:
                with Interrupt(nth) as interrupt:
                    log.append("t")
            except KeyboardInterrupt:
                pass
            interrupted = interrupt.came
            log.append("t")
    assert nth > 20
    assert verify(disk.path, full=True).verdict == "intact"


@pytest.mark.parametrize("name", ["_drop", "release"])
def test_a_close_that_was_interrupted_keeps_nobody_out(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    owner: Any = lock.Lock if name == "release" else tip.Tip
    log = disk.open()
    log.append("t", n=0)

    def interrupted(_: Any) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        log.close()
    del log
    gc.collect()
    with disk.open(lock_timeout=0) as again:
        again.append("t", n=1)


def test_the_walk_of_a_reopened_segment_may_be_interrupted_anywhere(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tip, "SLICE", 700)
    nth, interrupted = 0, True
    while interrupted:
        nth += 1
        with disk.open() as log:
            for _ in range(8):
                log.append("t")
        with disk.open() as log:
            try:
                with Interrupt(nth) as interrupt:
                    log.append("t")
            except KeyboardInterrupt:
                pass
            interrupted = interrupt.came
            log.append("t")
            log.rotate()
    assert nth > 30
    report = verify(disk.path, full=True)
    assert report.verdict == "intact", report.text()
    assert not any(chain(disk).damage)


def test_opening_that_is_interrupted_when_the_lock_is_taken_keeps_nobody_out(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jsonl_audit.writer.policy.Policy.take_over", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        disk.open(on_error="spill")
    disk.open(lock_timeout=0).close()
    assert caught.tb is not None, "which knows the log that nobody has"


@pytest.mark.parametrize("call", ["append", "append_many"])
def test_who_was_interrupted_and_is_forgotten_keeps_nobody_out(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Without waiting for the collector: no error holds what its own traceback holds."""
    gc.disable()
    try:
        log = disk.open()
        real = os.write

        def write(fd: int, data: bytes) -> int:
            real(fd, bytes(data)[:50])
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            with contextlib.suppress(KeyboardInterrupt):
                log.append("t") if call == "append" else log.append_many([{}, {}])
        del log
        with disk.open(lock_timeout=0) as log:
            log.append("t", n=1)
    finally:
        gc.enable()
