"""AsyncAuditLog: the log for asyncio. One thread of its own writes, and the event loop is never kept waiting."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any

from jsonl_audit.aio import reading
from jsonl_audit.aio.tickets import Groups, Ticket, Tickets
from jsonl_audit.errors import ClosedError
from jsonl_audit.log import AuditLog
from jsonl_audit.writer.chain import Receipt

if TYPE_CHECKING:
    from jsonl_audit.artifacts import Store
    from jsonl_audit.events.model import AuditEvent
    from jsonl_audit.record import Body
    from jsonl_audit.verifier import Report
    from jsonl_audit.writer.stats import Stats

__all__ = ["AsyncAuditLog"]


class AsyncAuditLog:
    """:class:`~jsonl_audit.AuditLog` for asyncio: the same names and the same arguments, to be awaited.

    Opened by ``async with``, or by ``await AsyncAuditLog.open(…)`` and closed by ``await log.close()``. It belongs to
    the event loop that it was opened in; tasks may share it. All events that wait are committed together, in one write
    and one sync; what comes of one task's events is none of another's.

    An event is encoded when `append` is called: what is changed in it later does not matter, and an EventError is
    raised at once. Events are committed in the order in which their awaiting began, so those of one task are in its
    order. A task that is cancelled while it waits withdraws its event, which is then never written, unless its commit
    has begun: then it is recorded whole, or fails, as if nobody had been cancelled, and a failure is told to the
    logger ``jsonl_audit``. If the loop is closed while events wait, those that have entered are recorded.

    :param path: the active file, or an AuditLog that is open already: that one is used then, from this loop too, and
        closing its twin leaves it open.
    :param max_waiting: so many events wait to be committed at once, at most; who comes then waits in line for room.
    :param options: those of AuditLog, where `path` is a path.

    Raises ValueError where `max_waiting` makes no sense; opening raises what opening an AuditLog does.

    >>> async def main():
    ...     async with AsyncAuditLog("audit.jsonl", fsync="never") as log:
    ...         receipts = await asyncio.gather(*(log.append("exec.completed", n=n) for n in range(3)))
    ...         return [receipt.seq for receipt in receipts], [record["n"] for record in await log.tail()]
    >>> asyncio.run(main())
    ([2, 3, 4], [0, 1, 2])
    """

    def __init__(self, path: str | os.PathLike[str] | AuditLog, *, max_waiting: int = 1000, **options: Any) -> None:
        if type(max_waiting) is not int or max_waiting < 1:
            raise ValueError(f"max_waiting is a number of events from 1 on, not {max_waiting!r}")
        given = path if isinstance(path, AuditLog) else None
        if given is not None and options:
            raise TypeError(f"this log is open already: {', '.join(sorted(options))} cannot be changed")
        self._given = given
        self._path = path.path if isinstance(path, AuditLog) else path
        self._options = options
        self._max_waiting = max_waiting
        self._log: AuditLog | None = None
        self._last = (0, "")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._tickets: Tickets | None = None
        self._closing: asyncio.Future[None] | None = None
        self._guard = threading.Lock()  # of the two below, while opening
        self._abandoned = False

    @classmethod
    async def open(
        cls, path: str | os.PathLike[str] | AuditLog, *, max_waiting: int = 1000, **options: Any
    ) -> AsyncAuditLog:
        """Opens a log without ``async with``. Raises what opening an AuditLog does."""
        log = cls(path, max_waiting=max_waiting, **options)
        await log._open()
        return log

    async def __aenter__(self) -> AsyncAuditLog:
        if self._tickets is None:
            await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- opening

    async def _open(self) -> None:
        if self._loop is not None:
            raise ClosedError("a log is opened once; make another AsyncAuditLog", path=self.path)
        self._loop = asyncio.get_running_loop()
        self._pool = pool = ThreadPoolExecutor(1, "jsonl_audit")
        try:
            await self._loop.run_in_executor(pool, self._make)
        except asyncio.CancelledError:
            with self._guard:
                self._abandoned, made = True, self._log
            if made is not None and self._given is None:  # cancelled in the moment that it was open
                pool.submit(made.close)
            pool.shutdown(wait=False)
            raise
        except BaseException:
            self._loop = None  # it may be tried again
            pool.shutdown(wait=False)
            raise
        self._tickets = Tickets(self._loop, pool, self._commit, self._max_waiting)

    def _make(self) -> None:
        log = self._given or AuditLog(self._path, **self._options)
        self._last = log.last_seq, log.head
        with self._guard:
            self._log = log
            abandoned = self._abandoned
        if abandoned and self._given is None:  # whoever wanted it was cancelled; nobody else will close it
            log.close()

    def _ready(self) -> tuple[AuditLog, Tickets]:
        if self._tickets is None or self._log is None:
            raise ClosedError("the log is not open; open it by `async with` or AsyncAuditLog.open", path=self.path)
        self._must_be_here()
        if self._closing is not None:
            raise ClosedError("the log is closed; open it anew", path=self.path)
        return self._log, self._tickets

    def _must_be_here(self) -> None:
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(f"{self!r} is used outside of its event loop; AuditLog is the one for threads") from None
        if here is not self._loop:
            raise RuntimeError(
                f"{self!r} belongs to another event loop; open one for each loop, on an AuditLog that they share"
            )

    # -- what it is

    @property
    def path(self) -> str:
        """The active file: absolute and with symlinks resolved once the log is open."""
        return os.fspath(self._path) if self._log is None else self._log.path

    @property
    def notes(self) -> tuple[str, ...]:
        """As :attr:`AuditLog.notes`."""
        return () if self._log is None else self._log.notes

    @property
    def last_seq(self) -> int:
        """seq of the newest record that this object knows of: it does not look at the disk."""
        return self._last[0]

    @property
    def head(self) -> str:
        """hash of the newest record that this object knows of."""
        return self._last[1]

    def stats(self) -> Stats:
        """As :meth:`AuditLog.stats`, at once: it waits for nothing. Raises ClosedError before the log is open."""
        if self._log is None:
            raise ClosedError("the log is not open; open it by `async with` or AsyncAuditLog.open", path=self.path)
        return self._log.stats()

    # -- writing

    def append(self, event: Mapping[str, Any] | AuditEvent | str, /, **members: Any) -> Coroutine[Any, Any, Receipt]:
        """As :meth:`AuditLog.append`: to be awaited, or made a task of. What is not awaited is not recorded.

        Raises EventError at once, and what AuditLog.append raises when awaited; of a StorageError `done` and
        `attempted` speak of this event alone.
        """
        log, tickets = self._ready()
        body = log._intake.body(event, members)
        if not log._intake.fits(body):  # its artifacts are written in its turn, in the thread
            return self._alone(tickets, body)
        return self._one(tickets, body)

    log = write = append
    """Aliases of :meth:`append`."""

    def append_many(self, events: Iterable[Mapping[str, Any] | AuditEvent]) -> Coroutine[Any, Any, list[Receipt]]:
        """As :meth:`AuditLog.append_many`: all of the events or none of them."""
        log, tickets = self._ready()
        bodies = log._intake.bodies(events)
        return self._all(tickets, [bodies] if bodies else [])

    def append_group(self, events: Iterable[Mapping[str, Any] | AuditEvent]) -> Coroutine[Any, Any, list[Receipt]]:
        """As :meth:`AuditLog.append_group`: each of the events for itself."""
        log, tickets = self._ready()
        return self._all(tickets, [[body] for body in log._intake.bodies(events)])

    async def _one(self, tickets: Tickets, body: Any) -> Receipt:
        receipts: list[Receipt] = await self._through(tickets, [[body]])
        return receipts[0]

    async def _alone(self, tickets: Tickets, body: Body) -> Receipt:
        receipts: list[Receipt] = await self._through(tickets, work=lambda: self._fitted_and_committed([[body]]))
        return receipts[0]

    async def _all(self, tickets: Tickets, groups: Groups) -> list[Receipt]:
        if not groups:
            return []
        assert self._log is not None
        fits = self._log._intake.fits
        if all(fits(body) for bodies in groups for body in bodies):
            return list(await self._through(tickets, groups))
        return list(await self._through(tickets, work=lambda: self._fitted_and_committed(groups)))

    def _fitted_and_committed(self, groups: Groups) -> list[Receipt]:
        """In the thread: where an event has large values, a failure to store these is its own, and no other's."""
        assert self._log is not None
        fitted = self._log._fitted
        return self._commit([[fitted(body) for body in bodies] for bodies in groups])

    async def _through(self, tickets: Tickets, groups: Groups = (), work: Callable[[], Any] | None = None) -> Any:
        self._must_be_here()
        assert self._loop is not None
        ticket = Ticket(self._loop.create_future(), groups, work)
        tickets.enter(ticket)
        try:
            return await ticket.future
        except asyncio.CancelledError:
            tickets.withdraw(ticket)
            raise

    def _commit(self, groups: Groups) -> list[Receipt]:
        """In the thread."""
        assert self._log is not None
        receipts: Iterable[Receipt] = ()
        try:
            receipts = found = self._log._commit(groups)
            return found
        except BaseException as error:
            receipts = getattr(error, "done", ())
            raise
        finally:
            for receipt in receipts:
                if receipt.seq > self._last[0]:
                    self._last = receipt.seq, receipt.hash

    @property
    def artifacts(self) -> Store:
        """As :attr:`AuditLog.artifacts`. Raises ClosedError before the log is open."""
        if self._log is None:
            raise ClosedError("the log is not open; open it by `async with` or AsyncAuditLog.open", path=self.path)
        return self._log.artifacts

    async def attach(self, data: Any, **how: Any) -> dict[str, Any]:
        """As :meth:`AuditLog.attach`, in a thread."""
        log, _ = self._ready()
        return await asyncio.to_thread(log.attach, data, **how)

    async def flush(self) -> None:
        """As :meth:`AuditLog.flush`: also what other tasks had begun to append before."""
        log, tickets = self._ready()
        await self._through(tickets, work=log.flush)

    async def rotate(self) -> str | None:
        """As :meth:`AuditLog.rotate`."""
        log, tickets = self._ready()

        found: str | None = await self._through(tickets, work=lambda: self._looked(log, log.rotate()))
        return found

    async def purge(self, *, keep: int, reason: str, force: bool = False) -> list[str]:
        """As :meth:`AuditLog.purge`."""
        log, tickets = self._ready()
        gone: list[str] = await self._through(
            tickets, work=lambda: self._looked(log, log.purge(keep=keep, reason=reason, force=force))
        )
        return gone

    def _looked(self, log: AuditLog, result: Any) -> Any:
        """In the thread, after what may have appended records of the engine's."""
        self._last = log.last_seq, log.head
        return result

    async def close(self) -> None:
        """As :meth:`AuditLog.close`, once all that was appended before is recorded. May be called twice.

        A task that is cancelled while it waits for this leaves it going on.
        """
        if self._tickets is None or self._loop is None or self._pool is None:
            return
        if self._loop.is_closed() and (self._closing is None or not self._closing.done()):
            here = asyncio.get_running_loop()
            try:  # behind what that loop left
                self._closing = here.run_in_executor(self._pool, self._finish)
            except RuntimeError:  # it was being closed when the loop was
                self._closing = here.run_in_executor(None, self._finish)
        elif self._closing is None:
            self._must_be_here()
            self._closing = self._loop.create_future()
            self._tickets.enter_last(Ticket(self._closing, work=self._finish))
        elif self._closing.done():
            return
        await asyncio.shield(self._closing)

    def _finish(self) -> None:
        assert self._log is not None
        assert self._pool is not None
        try:
            if self._given is None:
                self._log.close()
        finally:
            self._pool.shutdown(wait=False)

    # -- reading

    async def tail(self, n: int = 10, **filters: Any) -> list[dict[str, Any]]:
        """The last `n` records, oldest of them first; see :func:`jsonl_audit.tail`."""
        return await reading.tail(self.path, n, **filters)

    def query(self, **filters: Any) -> AsyncIterator[dict[str, Any]]:
        """The records that match, for ``async for``; see :func:`jsonl_audit.aio.query`."""
        return reading.query(self.path, **filters)

    async def verify(self, *, full: bool = False, expect: object = ()) -> Report:
        """What a verifier says of this log now, in a thread; see :func:`jsonl_audit.verify`."""
        from jsonl_audit.accessed.verification import verify

        return await asyncio.to_thread(verify, self.path, full=full, expect=expect)

    # -- as jsonl_audit.Persistence, to be awaited

    async def persist(self, event: Mapping[str, Any]) -> Receipt:
        """:meth:`append`."""
        return await self.append(event)

    async def persist_batch(self, events: Iterable[Mapping[str, Any] | AuditEvent]) -> list[Receipt]:
        """:meth:`append_many`."""
        return await self.append_many(events)

    async def last_sequence(self) -> int:
        """:attr:`last_seq`."""
        return self.last_seq

    async def verify_integrity(self) -> Report:
        """:meth:`verify` with ``full=True``."""
        return await self.verify(full=True)

    def __repr__(self) -> str:
        state = " closed" if self._closing is not None else "" if self._tickets is not None else " not open"
        return f"<AsyncAuditLog {self.path!r}{state}>"
