"""The log that a handler appends to: opened when it is needed, opened again after it was closed, never within itself.

A record may come at any moment: after everything was closed (`dictConfig` closes all handlers and goes on), in a
forked child, from a signal handler or a destructor in the middle of another append of the same thread. None of these
may lose it, bring it in twice, or wait for ever.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import Context
from threading import get_ident
from typing import Any, TypeVar

from jsonl_audit.context import bound, joined
from jsonl_audit.errors import (
    AuditError,
    ClosedError,
    LockedError,
    LogError,
    StorageError,
    WriteError,
)
from jsonl_audit.handlers.options import check, checked, path_of
from jsonl_audit.handlers.unopened import HandedOverError, Unopened
from jsonl_audit.log import AuditLog
from jsonl_audit.writer.chain import DroppedReceipt, Receipt

__all__ = ["KEPT", "OWN_LOGGER", "Outlet", "outlet_of"]

OWN_LOGGER = "jsonl_audit"
"""What an audit log has to say of itself is said here, and is never appended by a handler: that would have no end."""

KEPT = 10_000
"""Events that came in the middle of another append are kept in memory until it is over: so many at most."""
_TRIES = 1000  # of opening again, for one event: as often as others close
_ROUNDS = 10  # of appending what came meanwhile, where what is appended may come again

TRY_EVERY = 0.5
"""Seconds between two tries to open a log that cannot be opened; more where a try takes long."""

CLOSING = 1.0
"""Seconds that closing may take where a lock of `logging` is held meanwhile; then it goes on in the background."""

_Result = TypeVar("_Result")
_Failed = Callable[[Exception], None]

_within: set[int] = set()
"""The threads that are in the middle of an append."""
_later: deque[tuple[Outlet, Mapping[str, Any], _Failed]] = deque()
_outlets: weakref.WeakSet[Outlet] = weakref.WeakSet()


def outlet_of(path: str | os.PathLike[str], kind: str, options: Mapping[str, Any]) -> Outlet:
    """The outlet of a factory or a sink: shared, synced once a second, spilling, unless `options` say otherwise.

    Raises as :func:`jsonl_audit.handlers.options.check` does.
    """
    chosen = checked({"fsync": "interval", "shared": True, "on_error": "spill", **options})
    check(path, kind, chosen)
    return Outlet(path, chosen)


class Outlet:
    """Where a handler's events go. Threads may share it.

    :param path: of the log; it is made absolute now, whatever directory the process is in later.
    :param options: of AuditLog.
    """

    def __init__(self, path: str | os.PathLike[str], options: Mapping[str, Any]) -> None:
        self.path = path_of(path)
        self.options = dict(options)
        self.mode = self.options.get("on_error", "raise")
        """What happens to an event that cannot be written."""
        self.lost = 0
        """How many events could not be kept in any way."""
        self._log: AuditLog | None = None
        self._error: AuditError | None = None  # why the log cannot be opened
        self._not_before = 0.0
        self._unopened: Unopened | None = None
        self._gate = threading.Lock()  # one opens at a time
        _outlets.add(self)

    @property
    def log(self) -> AuditLog | None:
        """The log, as far as it is open."""
        return self._log

    @property
    def raises(self) -> bool:
        """Whether an event that cannot be kept is its caller's."""
        return bool(self.mode == "raise")

    # -- opening

    def open(self) -> None:
        """Opens the log, if it is not.

        Raises what AuditLog raises: for files that are no log or not this one, always; for what the system refuses and
        for a log that somebody else has only with ``on_error="raise"``, for that may pass.
        """
        found = self._do(self._opened)
        if isinstance(found, AuditError) and (
            self.raises or (isinstance(found, LogError) and not isinstance(found, LockedError))
        ):
            raise found

    def _opened(self) -> AuditLog | AuditError:
        """The log, opened if it is not; the error, if it cannot be: then it is not tried again for a moment."""
        log = self._log
        if log is not None:
            return log
        known = self._error
        waits = known is None or self.mode in ("raise", "block")
        if known is not None and not waits and time.monotonic() < self._not_before:
            return known
        if not self._gate.acquire(blocking=waits):
            return known or StorageError("the log is being opened", path=self.path)
        try:
            if self._log is not None:
                return self._log
            import portalocker  # noqa: F401 - here: see below

            # What opening waits for in another thread must be imported before: who configures handlers holds a lock of
            # `logging`, and modules ask `logging` for their loggers when they are imported.
            began = time.monotonic()
            try:
                log = AuditLog(self.path, **self.options)
            except (StorageError, LogError) as error:
                now = time.monotonic()
                self._error, self._not_before = error.with_traceback(None), now + max(TRY_EVERY, 2 * (now - began))
                if self._unopened is None:
                    self._unopened = Unopened(self.path, self.options)
                failed: AuditError = error
            else:
                log._intake.shortens = True
                if self._unopened is not None:
                    self._unopened.hand_over(log)
                self._log, self._error, self._unopened = log, None, None
                return log
        finally:
            self._gate.release()
        if known is None or known.message != failed.message:
            _say("%s cannot be opened; until it can, events are taken as on_error=%r says: %s", self, failed)
        return failed

    def _forget(self, log: AuditLog) -> None:
        with self._gate:
            if self._log is log:
                self._log = None

    # -- appending

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
        """Appends one event; one that is too long is cut where artifacts cannot take its large values.

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
        tries = 0
        while True:
            log = self._log or self._opened()
            try:
                if isinstance(log, AuditError):
                    if self.raises:
                        raise log
                    if self.mode == "block":
                        log = self._wait(log)
                        continue
                    unopened = self._unopened
                    if unopened is None:
                        self._error = None  # it is open meanwhile, or this is a child that knows nothing yet
                        continue
                    receipt = unopened.take(event, log)
                else:
                    receipt = log.append(event)
                if type(receipt) is DroppedReceipt:
                    self.lost += 1
                return receipt
            except ClosedError:  # at the interpreter's exit, by another thread, or in the parent of this process
                tries += 1
                if tries > _TRIES or isinstance(log, AuditError):
                    raise
                self._forget(log)
            except HandedOverError:
                with self._gate:  # until it is handed over
                    continue

    def _wait(self, error: AuditError) -> AuditLog:
        """Opens the log when it can be. Raises the error after `error_timeout` seconds."""
        timeout = self.options.get("error_timeout", 60.0)
        until = None if timeout is None else time.monotonic() + timeout
        pause = 0.01
        while True:
            left = pause if until is None else until - time.monotonic()
            if left <= 0:
                raise error
            time.sleep(min(pause, left))
            pause = min(2 * pause, 1.0)
            found = self._opened()
            if isinstance(found, AuditLog):
                return found
            error = found

    # -- the rest

    def flush(self) -> None:
        """Returns when all that was appended, or is held, is on disk. Raises what AuditLog.flush raises."""
        self._do(self._flush)

    def rotate(self) -> str | None:
        """Seals the active segment now. Returns and raises what AuditLog.rotate does."""
        return self._do(self._rotate)

    def close(self) -> None:
        """Closes the log; the next event opens it again. May be called twice. Raises what AuditLog.close raises."""
        self._do(self._close)

    def _flush(self) -> None:
        log = self._last_try()
        try:
            if log is not None:
                log.flush()
            elif self._unopened is not None:
                self._unopened.flush()
        except ClosedError:
            pass  # what is closed has been synced

    def _rotate(self) -> str | None:
        log = self._opened()
        if isinstance(log, AuditError):
            raise log
        return log.rotate()

    def _close(self) -> None:
        if self._last_try() is None:  # or another thread is opening it, for an event that came after this
            # Waiting for that could be waiting for ever: who closes may hold locks of `logging` that it wants.
            if self._unopened is not None:
                self._unopened.close()
            return
        with self._gate:
            log, self._log = self._log, None
            if log is None:
                return
            if not _logging_is_held():
                log.close()
                return
            # Who configures handlers anew closes the old ones under a lock of `logging`. A thread of the log's that is
            # about to say something needs it, and closing waits for such threads: so another thread waits for them.
            closing = threading.Thread(target=_closed, args=(log,), name="jsonl_audit close")
            try:
                closing.start()
            except RuntimeError:  # too many threads, or the interpreter is ending
                log.close()
            else:
                closing.join(CLOSING)

    def _last_try(self) -> AuditLog | None:
        """The log, where it is open or events wait for it and it can be opened now."""
        if self._log is None and self._unopened is not None and self._error is not None:
            self._not_before = 0.0
            self._opened()
        return self._log

    def _do(self, what: Callable[[], _Result]) -> _Result | None:
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
        """In a child: a lock that a thread of the parent held is free; what is held for the parent is its own."""
        self._gate = threading.Lock()
        self._unopened = self._error = None

    def __reduce__(self) -> tuple[Any, ...]:
        return (Outlet, (self.path, self.options))


def _logging_is_held() -> bool:
    """Whether this thread holds the lock of the module `logging`."""
    owned: Callable[[], bool] | None = getattr(logging._lock, "_is_owned", None)  # type: ignore[attr-defined]
    return owned is None or owned()


def _closed(log: AuditLog) -> None:
    try:
        log.close()
    except AuditError as error:
        logging.getLogger(OWN_LOGGER).error("%s: %s", log.path, error)


def _say(what: str, outlet: Outlet, error: AuditError) -> None:
    logging.getLogger(OWN_LOGGER).warning(what, outlet.path, outlet.mode, error)


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

