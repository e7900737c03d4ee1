"""The log that a handler appends to: opened when it is needed, opened again after it was closed, never within itself.

A record may come at any moment: after everything was closed (`dictConfig` closes all handlers and goes on), in a
forked child, from a signal handler or a destructor in the middle of another append of the same thread. None of these
may lose it, bring it in twice, or wait for ever.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import Context
from threading import get_ident
from typing import Any

from jsonl_audit.context import bound, joined
from jsonl_audit.errors import ClosedError, EventTooLargeError, WriteError
from jsonl_audit.handlers.options import path_of
from jsonl_audit.log import AuditLog
from jsonl_audit.record import LINE_LIMIT
from jsonl_audit.shorten import shortened
from jsonl_audit.writer.chain import Receipt

__all__ = ["KEPT", "OWN_LOGGER", "Outlet"]

OWN_LOGGER = "jsonl_audit"
"""What an audit log has to say of itself is said here, and is never appended by a handler: that would have no end."""

KEPT = 10_000
"""Events that came in the middle of another append are kept in memory until it is over: so many at most."""
_TRIES = 3  # of opening again, for one event
_ROUNDS = 100  # of appending what came meanwhile, where what is appended may come again

_Failed = Callable[[Exception], None]

_within: set[int] = set()
"""The threads that are in the middle of an append."""
_later: deque[tuple[Outlet, Mapping[str, Any], _Failed]] = deque()
_outlets: weakref.WeakSet[Outlet] = weakref.WeakSet()


class Outlet:
    """Where a handler's events go. Threads may share it.

    :param path: of the log; it is made absolute now, whatever directory the process is in later.
    :param options: of AuditLog.
    """

    def __init__(self, path: str | os.PathLike[str], options: Mapping[str, Any]) -> None:
        self.path = path_of(path)
        self.options = dict(options)
        self.raises = self.options.get("on_error") == "raise"
        self.lost = 0
        """How many events could not be kept in any way."""
        self._log: AuditLog | None = None
        self._gate = threading.Lock()  # one opens at a time
        _outlets.add(self)

    @property
    def log(self) -> AuditLog | None:
        """The log, as far as it is open."""
        return self._log

    def open(self) -> AuditLog:
        """The log, opened if it is not. Raises what AuditLog raises."""
        log = self._log
        if log is None:
            with self._gate:
                log = self._log
                if log is None:
                    log = self._log = AuditLog(self.path, **self.options)
        return log

    def take(self, event: Mapping[str, Any], failed: _Failed) -> Receipt | None:
        """Appends one event; what is lost is counted, and `failed` is called. Raises only with ``on_error="raise"``."""

        def lost(error: Exception) -> None:
            self.lost += 1
            failed(error)

        try:
            return self.append(event, lost)
        except Exception as error:
            if self.raises:
                raise
            lost(error)
            return None

    def append(self, event: Mapping[str, Any], failed: _Failed) -> Receipt | None:
        """Appends one event, shortened if its line would be too long.

        Returns None if it came in the middle of another append of this thread: it is appended as soon as that is over,
        and `failed` is called with the error if it cannot be. Raises what AuditLog.append raises.
        """
        me = get_ident()
        if me in _within and _is_below():
            if len(_later) >= KEPT:
                raise WriteError(f"more than {KEPT} events came in the middle of one append", path=self.path)
            found = bound()
            _later.append((self, event if found is None else joined(event, found), failed))
            return None
        try:
            _within.add(me)
            return self._append(event)
        finally:
            _within.discard(me)
            if _later:
                _append_later()

    def _append(self, event: Mapping[str, Any]) -> Receipt:
        tries, cut = 0, False
        while True:
            log = self.open()
            try:
                return Context().run(log.append, event) if cut else log.append(event)
            except ClosedError:  # at the interpreter's exit, by another thread, or in the parent of this process
                tries += 1
                if tries > _TRIES:
                    raise
                self._forget(log)
            except EventTooLargeError:
                if cut:
                    raise
                found = bound()  # what every event gets counts too, and may be what is too long
                whole = event if found is None else joined(event, found)
                event, cut = shortened(whole, self.options.get("line_limit", LINE_LIMIT)), True

    def _forget(self, log: AuditLog) -> None:
        with self._gate:
            if self._log is log:
                self._log = None

    def flush(self) -> None:
        """Returns when all that was appended is on disk. Raises what AuditLog.flush raises."""
        self._do(self._flush)

    def rotate(self) -> str | None:
        """Seals the active segment now. Returns and raises what AuditLog.rotate does."""
        sealed: str | None = self._do(lambda: self.open().rotate())
        return sealed

    def close(self) -> None:
        """Closes the log; the next event opens it again. May be called twice. Raises what AuditLog.close raises."""
        self._do(self._close)

    def _flush(self) -> None:
        log = self._log
        if log is not None:
            try:
                log.flush()
            except ClosedError:
                pass  # what is closed has been synced

    def _close(self) -> None:
        if self._log is None:  # or another thread is opening it, for an event that came after this
            # Waiting for that could be waiting for ever: who closes may hold locks of `logging` that it wants.
            return
        with self._gate:
            log, self._log = self._log, None
            if log is not None:
                log.close()

    def _do(self, what: Callable[[], Any]) -> Any:
        """Does it, unless this thread is in the middle of an append: that comes first, and its end brings the rest."""
        me = get_ident()
        if me in _within and _is_below():
            return None
        try:
            _within.add(me)
            return what()
        finally:
            _within.discard(me)
            if _later:
                _append_later()

    def after_fork(self) -> None:
        """In a child: a lock that a thread of the parent held is free, what the parent appends later is its own."""
        self._gate = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return (Outlet, (self.path, self.options))


def _is_below() -> bool:
    """Whether an append of this thread goes on further down the stack; Ctrl-C may have ended it between two steps."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code in _CODES:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    _within.discard(get_ident())
    return False


def _append_later() -> None:
    """Appends what came meanwhile."""
    me = get_ident()
    for _ in range(_ROUNDS):
        for _ in range(len(_later)):
            try:
                outlet, event, failed = _later.popleft()
            except IndexError:  # another thread was quicker
                return
            try:
                _within.add(me)
                Context().run(outlet._append, event)  # another thread may have asked for it, in another context
            except Exception as error:  # noqa: BLE001 - an error of the event's own policy
                failed(error)
            finally:
                _within.discard(me)
        if not _later:
            return


_CODES = frozenset((Outlet.append.__code__, Outlet._do.__code__, _append_later.__code__))


def _after_fork() -> None:
    me = get_ident()
    within = me in _within
    _within.clear()
    if within:
        _within.add(me)
    _later.clear()
    for outlet in list(_outlets):
        outlet.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

