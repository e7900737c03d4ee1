"""Syncing beside the commits: the thread of ``fsync="interval"``, and syncs that do not overlap."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from types import MethodType

from jsonl_audit import storage

__all__ = ["Background", "Syncs"]


class Syncs:
    """Syncs of one appender, one at a time.

    The system tells of a failed sync once, to whoever syncs first: of two that overlap, the other would hear that all
    is well. So what one was told holds for every later one of the same segment.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: tuple[object, OSError] | None = None

    def sync(self, segment: object, fd: int) -> OSError | None:
        """Syncs the segment's file. Returns what went wrong, with this sync or with an earlier one of the segment."""
        with self._lock:
            if self._failed is not None and self._failed[0] is segment:
                return self._failed[1]
            try:
                storage.sync(fd)
            except OSError as error:
                self._failed = (segment, error)
                return error
            return None


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

    def wake(self) -> None:
        """There is something to sync."""
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="jsonl_audit sync", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """No more calls; one that is under way is waited for."""
        self._ended.set()
        self._wanted.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._ended.wait(self._pause):
                return
            work = self._work()
            if work is None:
                return
            work()
            del work
