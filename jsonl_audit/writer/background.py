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
        self._wanted = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> bool:
        """There is something to sync. False where the system gives no thread for it: then nobody will."""
        if self._wanted.is_set():
            return True
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="jsonl_audit sync", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # too many threads, or the interpreter is ending
                return False
            self._thread = thread
        self._wanted.set()
        return True

    def stop(self) -> None:
        """No more calls."""
        self._ended.set()
        self._wanted.set()

    def end(self) -> None:
        """No more calls; one that is under way is waited for.

        Not for ever: it may be waiting, with its work done, for a lock of `logging` that the caller holds, and where
        the interpreter ends it never goes on.
        """
        self.stop()
        if self._thread is not None and self._thread is not threading.current_thread() and not sys.is_finalizing():
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._ended.wait(self._pause):
                return
            work = self._work()
            if work is None:
                return
            try:
                work()
            except OSError:  # no descriptor free, say: it is tried again, the loss window is as long as that takes
                self._wanted.set()
            del work
