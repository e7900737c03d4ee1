"""Whose turn it is among the threads of a process: one commits at a time, and none begins a second within its first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from jsonl_audit.errors import WriteError
from jsonl_audit.writer.notes import Notes

__all__ = ["Turn"]


class Turn:
    """A lock that a thread cannot wait for itself on.

    A signal handler or a destructor runs in the middle of whatever its thread was doing. If that is a commit, waiting
    for its end would be waiting for ever, and going on would break the chain: an error says so.
    """

    __slots__ = ("lock", "mine", "notes", "path")

    def __init__(self, path: str, notes: Notes) -> None:
        lock: Any = threading.RLock()
        self.path = path
        self.notes = notes
        """Told to the logger when a turn is over."""
        self.lock = lock
        self.mine: Callable[[], bool] = lock._is_owned
        """Whether this thread has it."""

    def within_itself(self) -> WriteError:
        """What is raised into whoever comes again within its own turn."""
        return WriteError(
            "called from a signal handler or a destructor in the middle of another call of the same thread; nothing "
            "was written. Set a flag there, and append when the other call is over",
            path=self.path,
        )

    def __enter__(self) -> None:
        if self.mine():
            raise self.within_itself()
        self.lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lock.release()
        if self.notes.untold:
            self.notes.tell()
