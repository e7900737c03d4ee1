"""Between the event loop and the thread that writes: who waits, who may still go, and what came of it.

All that wait when the thread is free are committed together, in the order in which they came. Whether an event can
still be withdrawn is decided under a lock that is never held while anything is written.
"""

from __future__ import annotations

import copy
import logging
import threading
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Any

from jsonl_audit.errors import AuditError, ClosedError
from jsonl_audit.record import Body
from jsonl_audit.writer.chain import Receipt

__all__ = ["Ticket", "Tickets"]

TOGETHER = 8 * 2**20
"""No more bytes than this are committed together; what is longer by itself is committed by itself."""

Groups = Sequence[Sequence[Body]]


class State(Enum):
    """Where a ticket stands."""

    OUTSIDE = 0
    """There is no room yet."""
    WAITING = 1
    BEGUN = 2
    """It is being written, or was: it cannot be withdrawn."""
    WITHDRAWN = 3


class Ticket:
    """What one caller waits for: events to be committed, or something to be done between two commits."""

    __slots__ = ("bytes", "count", "future", "groups", "state", "work")

    def __init__(self, future: Future[Any], groups: Groups = (), work: Callable[[], Any] | None = None) -> None:
        self.future = future
        """Of the loop: its result is a list of receipts, or what `work` returns."""
        self.groups = groups
        self.work = work
        self.count = sum(map(len, groups))
        self.bytes = sum(len(body.members) for group in groups for body in group)
        self.state = State.OUTSIDE


Outcome = tuple[Ticket, Any, BaseException | None]
"""A ticket, and what came of it: a result or an error."""


class Tickets:
    """The tickets of one log: they enter on the loop and are dealt with in one thread, `commit` being called there.

    At most `most` events have entered at once; who comes then waits outside, in order.
    """

    def __init__(
        self, loop: AbstractEventLoop, pool: ThreadPoolExecutor, commit: Callable[[Groups], list[Receipt]], most: int
    ) -> None:
        self._loop = loop
        self._pool = pool
        self._commit = commit
        self._most = most
        # Of the loop:
        self._outside: deque[Ticket] = deque()
        self._inside = 0  # events that have entered and are not settled
        self._closed = False
        # Of both, under the lock:
        self._lock = threading.Lock()
        self._waiting: deque[Ticket] = deque()
        self._running = False

    # -- on the loop

    def enter(self, ticket: Ticket) -> None:
        """Takes its place behind all that came before it. Raises ClosedError."""
        if self._closed:
            raise ClosedError("the log is closed; open it anew")
        if self._outside or not self._has_room(ticket):
            self._outside.append(ticket)
        else:
            self._let_in(ticket)

    def enter_last(self, ticket: Ticket) -> None:
        """Behind all that are here, those outside too; nobody enters after it."""
        self._closed = True
        while self._outside:
            self._let_in(self._outside.popleft())
        self._let_in(ticket)

    def withdraw(self, ticket: Ticket) -> None:
        """Its caller does not wait any more: if its turn has not begun, it never will."""
        with self._lock:
            was = ticket.state
            if was is not State.BEGUN:
                ticket.state = State.WITHDRAWN
        if was is State.WAITING:
            self._make_room(ticket)

    def _has_room(self, ticket: Ticket) -> bool:
        return not self._inside or self._inside + ticket.count <= self._most

    def _make_room(self, *tickets: Ticket) -> None:
        self._inside -= sum(ticket.count for ticket in tickets)
        while self._outside:
            first = self._outside[0]
            if first.state is State.OUTSIDE:
                if not self._has_room(first):
                    return
                self._let_in(first)
            self._outside.popleft()

    def _let_in(self, ticket: Ticket) -> None:
        if ticket.state is State.WITHDRAWN:
            return
        self._inside += ticket.count
        with self._lock:
            ticket.state = State.WAITING
            self._waiting.append(ticket)
            start, self._running = not self._running, True
        if start:
            try:
                self._pool.submit(self._run)
            except RuntimeError as error:  # the interpreter is ending
                with self._lock:
                    self._running = False
                    self._waiting.clear()
                self._inside -= ticket.count
                refused = ClosedError("the interpreter is ending: nothing can be appended any more")
                refused.__cause__ = error
                ticket.future.set_exception(refused)

    def _settle(self, outcomes: list[Outcome]) -> None:
        for ticket, result, error in outcomes:
            if ticket.future.done():  # cancelled meanwhile
                _tell(ticket, error)
            elif error is None:
                ticket.future.set_result(result)
            else:
                ticket.future.set_exception(error)
        self._make_room(*(ticket for ticket, _, _ in outcomes))

    # -- in the thread

    def _run(self) -> None:
        while tickets := self._take():
            outcomes = _worked(tickets[0]) if tickets[0].work else self._committed(tickets)
            try:
                self._loop.call_soon_threadsafe(self._settle, outcomes)
            except RuntimeError:  # the loop is closed, so nobody waits; what had entered is recorded all the same
                for ticket, _, error in outcomes:
                    _tell(ticket, error)

    def _take(self) -> list[Ticket]:
        """The tickets whose turn is next: some events that are committed together, or one that stands for itself."""
        taken: list[Ticket] = []
        size = 0
        with self._lock:
            while self._waiting:
                first = self._waiting[0]
                if first.state is State.WITHDRAWN or first.future.cancelled():  # its task will withdraw it
                    self._waiting.popleft()
                    continue
                size += first.bytes
                if taken and (first.work is not None or size > TOGETHER):
                    break
                first.state = State.BEGUN
                taken.append(self._waiting.popleft())
                if first.work is not None:
                    break
            self._running = bool(taken)
        return taken

    def _committed(self, tickets: list[Ticket]) -> list[Outcome]:
        try:
            receipts: Sequence[Receipt] = self._commit([group for ticket in tickets for group in ticket.groups])
            failure = None
        except BaseException as error:  # noqa: BLE001 - handed on to those who await it
            failure = error
            receipts = getattr(error, "done", ())
        outcomes: list[Outcome] = []
        begin = 0
        for ticket in tickets:
            end = begin + ticket.count
            if failure is None or end <= len(receipts):
                outcomes.append((ticket, list(receipts[begin:end]), None))
            else:
                outcomes.append((ticket, None, _own(failure, len(receipts), begin, end)))
            begin = end
        return outcomes


def _worked(ticket: Ticket) -> list[Outcome]:
    assert ticket.work is not None
    try:
        return [(ticket, ticket.work(), None)]
    except BaseException as error:  # noqa: BLE001 - handed on to whoever awaits it
        return [(ticket, None, error)]


def _own(failure: BaseException, done: int, begin: int, end: int) -> BaseException:
    """The failure of a commit as it is that of the caller whose events were the ones from `begin` to `end` in it."""
    if not isinstance(failure, AuditError):
        return failure
    own = copy.copy(failure)
    own.__cause__ = failure.__cause__
    own.__dict__["done"] = failure.done[begin:end]
    own.__dict__["attempted"] = failure.attempted[max(begin - done, 0) : max(end - done, 0)]
    return own


def _tell(ticket: Ticket, error: BaseException | None) -> None:
    """Says what nobody waits for any more: a caller that was cancelled cannot be told that its event is lost."""
    if error is not None and ticket.count:
        some = "an event" if ticket.count == 1 else f"{ticket.count} events"
        logging.getLogger("jsonl_audit").warning("%s of a task that was cancelled meanwhile: %s", some, error)
