"""Group commit: threads that wait share one write and one sync.

Whoever finds nobody committing leads: it takes along all that waits, in the order of arrival, and tells each what
became of its own. Whoever comes meanwhile waits, and the first of them leads the next commit. There is no thread for
it, and a lone writer leads every time.
"""

from __future__ import annotations

import contextlib
import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from jsonl_audit.errors import AuditError, WriteError
from jsonl_audit.record import Body
from jsonl_audit.writer.chain import Receipt
from jsonl_audit.writer.turn import Turn

__all__ = ["Committers", "Ticket"]

PATIENCE, IDLE = 1.0, 0.05
"""Seconds after which a thread that waits looks for itself, while somebody is at work and while nobody is: whoever was
to wake it may have been interrupted."""
GATHER = 0.005
"""Seconds that a leader waits at most for those who are on their way."""
TOGETHER = 1024
"""Tickets of one commit: so that the last of them need not wait for ever for the first."""


TOGETHER_BYTES = 16 << 20
"""And bytes: all lines of a commit are in memory at once."""


class Ticket:
    """What one call brings to a commit, and what became of it."""

    __slots__ = ("error", "gate", "groups", "receipts", "settled")

    def __init__(self, groups: Sequence[Sequence[Body]]) -> None:
        self.groups = groups
        """Each of two or more records is a batch."""
        self.receipts: list[Receipt] = []
        """Of what is recorded."""
        self.error: BaseException | None = None
        self.settled = False
        self.gate = threading.Lock()
        self.gate.acquire()

    def unsettled(self) -> bool:
        """Whether it is not known yet what became of it."""
        return not self.settled

    def size(self) -> int:
        """Of what it brought, about, in bytes."""
        return sum([len(body.members) for group in self.groups for body in group])

    def whole(self) -> bool:
        """Whether all that it brought is recorded, or refused."""
        return self.error is not None or len(self.receipts) == sum(map(len, self.groups))

    def wake(self) -> None:
        """Lets the thread that waits with this ticket go on; no harm if it does already."""
        with contextlib.suppress(RuntimeError):
            self.gate.release()

    def fail(
        self, error: BaseException, path: str, attempted: tuple[Receipt, ...] = (), *, copied: bool = False
    ) -> None:
        """Says that the commit failed with `error`; `copied` where another thread raises that one itself."""
        own = error
        if not isinstance(error, AuditError):
            why = "the log cannot go on" if isinstance(error, OSError) else "the commit was interrupted"
            own = WriteError(f"{why}; the event is not known to be recorded", path=path)
            # An interrupt's traceback holds all that was under way, this ticket too: it would live on, and the lock.
            own.__cause__ = error if isinstance(error, Exception) else type(error)(*error.args)
        elif copied:
            own = copy.copy(error)
            own.__cause__, own.__suppress_context__ = error.__cause__, True
        if isinstance(own, AuditError):
            own.done, own.attempted = tuple(self.receipts), attempted
        self.error = own


class Committers:
    """The threads that commit to one log.

    Whoever has `leading` leads; nobody ever waits for that lock. An interrupt may leave it taken: a thread that has
    waited long, while nobody is at work, puts a new one in its place. Two leaders do no harm, they take turns.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._waiting: deque[Ticket] = deque()
        self._leading = threading.Lock()
        self.at_work = False
        """Whether a leader is in its turn."""
        self._crowd = 1  # how many threads were seen to commit at once
        self._took = 0.0  # seconds, by the commit before
        self._wanted = 0  # so many are waited for
        self._full = threading.Lock()
        self._full.acquire()

    def commit(self, groups: Sequence[Sequence[Body]], commit: Callable[[list[Ticket]], None]) -> list[Receipt]:
        """Returns when the groups are committed. Raises what became of them instead.

        `commit` commits tickets in their order; each that is not committed gets its error.
        """
        turn = self._turn
        if turn.mine():
            raise turn.within_itself()
        ticket = Ticket(groups)
        waiting = self._waiting
        leading, leads = self._leading, False
        try:
            waiting.append(ticket)
            leads = leading.acquire(blocking=False)
            if not leads and len(waiting) == self._wanted:
                with contextlib.suppress(RuntimeError):
                    self._full.release()
            while ticket.unsettled():
                if leads:
                    self._lead(ticket, commit)
                    continue
                if not ticket.gate.acquire(timeout=PATIENCE if self.at_work else IDLE) and not self.at_work:
                    self._leading = threading.Lock()
                leading = self._leading
                leads = leading.acquire(blocking=False)
        except BaseException:
            with contextlib.suppress(ValueError):  # taken already: it is recorded, or not, without us
                waiting.remove(ticket)
            raise
        finally:
            if leads:
                _release(leading)
            self._wake_next()
            if turn.notes.untold:
                turn.notes.tell()
        if ticket.error is not None:
            error, ticket.error = ticket.error, None
            try:
                raise error
            finally:
                del error  # a traceback that holds its own error is there until the collector comes by
        return ticket.receipts

    def alone(self) -> bool:
        """Whether nobody else commits or waits; then the caller leads, until it calls `done`."""
        return self._crowd == 1 and not self._waiting and self._leading.acquire(blocking=False)

    def done(self) -> None:
        """Lets the next one lead."""
        _release(self._leading)
        if self._waiting:
            self._crowd = 1 + len(self._waiting)
            self._wake_next()

    def _wake_next(self) -> None:
        if self._waiting and not self._leading.locked():
            with contextlib.suppress(IndexError):
                self._waiting[0].wake()

    def _lead(self, ticket: Ticket, commit: Callable[[list[Ticket]], None]) -> None:
        """Commits what waits, until the leader's own ticket is settled."""
        with self._turn.lock:
            self.at_work = True
            try:
                while ticket.unsettled():
                    self._lead_once(commit)
                    if ticket.unsettled() and ticket not in self._waiting:  # an interrupted leader had it in its hand
                        self._settle([ticket])
            finally:
                self.at_work = False

    def _lead_once(self, commit: Callable[[list[Ticket]], None]) -> None:
        waiting = self._waiting
        if self._crowd > 1:
            self._gather()
        taken: list[Ticket] = []
        began = time.perf_counter()
        try:
            size = 0
            while waiting and len(taken) < TOGETHER and size < TOGETHER_BYTES:
                taken.append(waiting.popleft())
                size += taken[-1].size()
            commit(taken)
        finally:
            self._took = time.perf_counter() - began
            self._crowd = len(taken) + len(waiting)
            self._settle(taken)

    def _settle(self, tickets: list[Ticket]) -> None:
        for ticket in tickets:
            if not ticket.whole():
                ticket.fail(KeyboardInterrupt(), self._turn.path)
            ticket.settled = True
            ticket.wake()

    def _gather(self) -> None:
        """Waits for those who were there a moment ago, and are on their way with what they have next.

        No longer than the commit before took: that is what not going together would cost them.
        """
        if len(self._waiting) < self._crowd:
            self._wanted = self._crowd
            self._full.acquire(timeout=min(self._took, GATHER))
            self._wanted = 0


def _release(lock: threading.Lock) -> None:
    with contextlib.suppress(RuntimeError):
        lock.release()
