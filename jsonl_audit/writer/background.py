"""A thread that calls a function soon after there is something to sync, or to say of what was synced."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from types import MethodType

__all__ = ["Background"]

PATIENCE = 5.0
"""Seconds that closing waits for a call that is under way."""


class Background:
    """Calls `work` (a bound method, held weakly) half an interval after each `wake`.

    Half of it: so the sync has the other half to be done before the whole interval is over.
    """

    def __init__(self, work: Callable[[], None], interval: float) -> None:
        assert isinstance(work, MethodType)
        self._work = weakref.WeakMethod(work)
        self._pause = interval / 2
        self._signal = threading.Lock()  # open for an instant, when there is something to do; no call of it is Python's
        self._signal.acquire()
        self._wanted = self._ended = False
        self._thread: threading.Thread | None = None

    def wake(self) -> bool:
        """There is something to sync. False where the system gives no thread for it: then nobody will."""
        if self._wanted and self._thread is not None:
            return True
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="jsonl_audit sync", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # too many threads, or the interpreter is ending
                self._thread = None
                return False
        self._wanted = True
        try:
            self._signal.release()
        except RuntimeError:  # it is open
            pass
        return True

    def stop(self) -> None:
        """No more calls."""
        self._ended = True
        try:
            self._signal.release()
        except RuntimeError:  # it is open
            pass

    def end(self) -> None:
        """No more calls; one that is under way is waited for.

        Not for ever: it may be waiting, with its work done, for a lock of `logging` that the caller holds, and where
        the interpreter ends it never goes on.
        """
        self.stop()
        if self._thread is not None and self._thread is not threading.current_thread() and not sys.is_finalizing():
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        again = False
        while again or self._signal.acquire():
            if not self._ended:
                self._signal.acquire(timeout=self._pause)  # only `stop` cuts it short
            if self._ended:
                return
            self._wanted = again = False
            work = self._work()
            if work is None:
                return
            try:
                work()
            except Exception:  # noqa: BLE001 - no descriptor free, say: until it works, the loss window is longer
                again = True
            del work
