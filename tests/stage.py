"""A stage on which one thread plays at a time, and the director says which: at every call of storage, at every lock.

What threads do to each other hangs on which of them goes on when. Here that is no accident: each task is a thread, all
of them wait but one, and wherever that one is about to ask something of the operating system, or for a lock, it asks
the director who goes on. The same director has them play the same piece again. Threads of one process with an AuditLog
of their own on one path are to each other what processes are: a lock belongs to the open file, and each opens its own.

A wait that is not for storage is made one that the stage knows: the locks of `writer` are replaced, and so is the
waiting for the log's lock. Time goes on only when nobody else can: then the wait that ends first is over.
"""

from __future__ import annotations

import functools
import random
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from sharers import PATIENCE

from jsonl_audit import storage
from jsonl_audit.writer import background, durable, group, lock, tip, turn, waiter

__all__ = ["Director", "Drawn", "InTurn", "Stage"]

CALLS = tuple(
    name
    for name in storage.__all__
    if name not in ("boot_id", "exists", "free_space", "let_others_run", "reading", "wait_for_lock")
)
FREEING = ("unlock", "close")
"""What may give a log's lock back."""
LOCK = "the log's lock"


class Director:
    """Says who goes on: `choose` is given the numbers of those who can, and of who was on."""

    def choose(self, able: list[int], on: int) -> int:
        raise NotImplementedError


class InTurn(Director):
    """Whoever is on goes on as long as they can, and then the next in turn; but at some steps they are delayed.

    So all that is unusual about a piece is the steps where somebody is delayed: of few delays, all can be tried.
    """

    def __init__(self, delays: Iterable[int] = ()) -> None:
        self.delays = frozenset(delays)
        self._step = 0

    def choose(self, able: list[int], on: int) -> int:
        step, self._step = self._step, self._step + 1
        if on in able and step not in self.delays:
            return on
        later = [number for number in able if number > on]
        return later[0] if later else able[0]


class Drawn(Director):
    """By lot: whoever is on goes on, or anybody else."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._often = self._chance.choice((0.03, 0.1, 0.3, 1.0))

    def choose(self, able: list[int], on: int) -> int:
        if on in able and self._chance.random() > self._often:
            return on
        return self._chance.choice(able)


class Over(BaseException):
    """The piece is broken off: what is still on the stage leaves it."""


class _Task:
    def __init__(self, number: int, work: Callable[[], object]) -> None:
        self.number = number
        self.work = work
        self.cue = threading.Lock()  # open for an instant, when it is this one's turn
        self.cue.acquire()
        self.done = False
        self.waits_for: object = None
        self.until: float | None = None
        self.timed_out = False
        self.error: BaseException | None = None


class Stage:
    """Where tasks play, one at a time. From here on all calls of storage come by here, and all locks of the writer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._tasks: list[_Task] = []
        self._by_thread: dict[int, _Task] = {}
        self._director: Director = InTurn()
        self._end = threading.Lock()
        self._end.acquire()
        self._over: str | None = None
        self._now = 0.0
        self.steps = 0
        """How many steps the last piece had."""
        self.asks_at_locks = False
        """Whether others may go on before a lock is taken, too: where threads share one AuditLog."""
        for name in CALLS:
            monkeypatch.setattr(storage, name, self._wrapped(name, getattr(storage, name)))
        locks = SimpleNamespace(
            Lock=lambda: _Lock(self), RLock=lambda: _RLock(self), get_ident=threading.get_ident, Thread=threading.Thread
        )
        for module in (durable, group, turn):
            monkeypatch.setattr(module, "threading", locks)
        monkeypatch.setattr(waiter.Waiter, "wait", functools.partialmethod(_wait, stage=self))
        monkeypatch.setattr(background.Background, "wake", lambda _: True)  # what is done beside is a task of its own
        monkeypatch.setattr(lock, "SPINS", 0)
        monkeypatch.setattr(lock, "GRACE", 0)
        monkeypatch.setattr(tip, "WATCH", 0)
        monkeypatch.setattr(group, "GATHER", 0)

    def play(self, works: Iterable[Callable[[], object]], director: Director) -> None:
        """Has each work played as a task, in the order that the director says. Raises what one of them raised."""
        self._tasks = [_Task(number, work) for number, work in enumerate(works)]
        self._director, self._over, self.steps = director, None, 0
        self._by_thread.clear()
        threads = [threading.Thread(target=self._perform, args=(task,), daemon=True) for task in self._tasks]
        for thread in threads:
            thread.start()
        self._tasks[0].cue.release()
        if not self._end.acquire(timeout=PATIENCE):
            raise AssertionError(f"a task waits for what the stage does not know:\n{self._where(threads)}")
        for thread in threads:
            thread.join(PATIENCE)
        if self._over is not None:
            raise AssertionError(self._over)
        for task in self._tasks:
            if task.error is not None:
                raise task.error

    def _where(self, threads: list[threading.Thread]) -> str:
        frames = sys._current_frames()
        stacks = [frames[each.ident] for each in threads if each.ident in frames]
        return "\n".join("".join(traceback.format_stack(stack)) for stack in stacks)

    def _perform(self, task: _Task) -> None:
        self._by_thread[threading.get_ident()] = task
        task.cue.acquire()
        try:
            if self._over is None:
                task.work()
        except Over:
            pass
        except BaseException as error:  # noqa: BLE001 - raised by `play`
            task.error = error
        finally:
            task.done = True
            if all(each.done for each in self._tasks):
                self._end.release()
            else:
                self._next(task).cue.release()

    def _next(self, task: _Task, *, but: _Task | None = None) -> _Task:
        """Chooses who goes on; there is one."""
        able = [each.number for each in self._tasks if not each.done and each.waits_for is None and each is not but]
        if able and self._over is None:
            return self._tasks[self._director.choose(able, task.number)]
        left = [each for each in self._tasks if not each.done]
        timed = [each for each in left if each.until is not None and each.waits_for is not None]
        if but is not None and self._over is None and not timed:
            return but
        if timed and self._over is None:
            first = min(timed, key=lambda each: each.until or 0.0)
            self._now = max(self._now, first.until or 0.0)
            first.timed_out, first.waits_for = True, None
            return first
        self._over = self._over or "all wait for each other: " + ", ".join(
            f"task {each.number} for {each.waits_for}" for each in left
        )
        return left[0]

    def _hand_over(self, task: _Task, *, but: _Task | None = None) -> None:
        self.steps += 1
        chosen = self._next(task, but=but)
        if chosen is not task:
            chosen.cue.release()
            task.cue.acquire()
        if self._over is not None:
            raise Over

    def _here(self) -> _Task | None:
        task = self._by_thread.get(threading.get_ident())
        return None if task is None or task.done else task

    def point(self) -> None:
        """Here another may go on."""
        task = self._here()
        if task is not None and self._over is None:
            self._hand_over(task)

    def rest(self) -> bool:
        """Here others go on. False where all others are done."""
        task = self._here()
        assert task is not None
        if all(each.done or each is task for each in self._tasks):
            return False
        self._hand_over(task, but=task)
        return True

    def wait(self, what: object, timeout: float | None) -> bool:
        """Waits until `wake` is called for this; False where the time was over, since nobody else could go on."""
        task = self._here()
        assert task is not None, "only what is on the stage may wait"
        if self._over is not None:
            raise Over
        task.waits_for, task.timed_out = what, False
        task.until = None if timeout is None else self._now + timeout
        self._hand_over(task)
        return not task.timed_out

    def wake(self, what: object) -> None:
        """Whoever waits for this can go on."""
        for task in self._tasks:
            if task.waits_for is what:
                task.waits_for = None

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.point()
            try:
                return real(*args, **kwargs)
            finally:
                if name in FREEING:
                    self.wake(LOCK)

        return call


class _Lock:
    """A lock of `threading` for those on the stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._held = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._stage.asks_at_locks:
            self._stage.point()
        while self._held:
            if not blocking or not self._stage.wait(self, timeout if timeout >= 0 else None):
                return False
        self._held = True
        return True

    def release(self) -> None:
        if not self._held:
            raise RuntimeError("release unlocked lock")
        self._held = False
        self._stage.wake(self)

    def locked(self) -> bool:
        return self._held

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class _RLock(_Lock):
    """One that its owner may take again."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._owner = self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not self._is_owned() and not super().acquire(blocking, timeout):
            return False
        self._owner, self._count = threading.get_ident(), self._count + 1
        return True

    def release(self) -> None:
        self._count -= 1
        if not self._count:
            self._owner = 0
            super().release()

    def _is_owned(self) -> bool:
        return self._owner == threading.get_ident()


def _wait(self: waiter.Waiter, fd: int, timeout: float, *, stage: Stage) -> None:
    """`Waiter.wait`, without a thread."""
    self.got = -1
    while not storage.lock_again(fd):
        if not stage.wait(LOCK, timeout):
            storage.close(fd)
            return
    self.got = fd
