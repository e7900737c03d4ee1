"""Whose turn it is among the threads of a process: one commits at a time, and none begins a second within its first."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from jsonl_audit.errors import WriteError
from jsonl_audit.writer.notes import Notes

if TYPE_CHECKING:
    from jsonl_audit.writer.appender import Appender

__all__ = ["Turn", "WithinItselfError", "in_turn", "within_itself"]


class WithinItselfError(WriteError):
    """What is raised into whoever comes again within its own turn: waiting would be waiting for ever."""


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

    def within_itself(self) -> WithinItselfError:
        """What is raised into whoever comes again within its own turn."""
        return within_itself(self.path)


def within_itself(path: str) -> WithinItselfError:
    """The error of a call in the middle of another one of the same thread."""
    return WithinItselfError(
        "called from a signal handler or a destructor in the middle of another call of the same thread; nothing "
        "was written. Set a flag there, and append when the other call is over",
        path=path,
    )


_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


def in_turn(
    method: Callable[Concatenate[Appender, _Args], _Result],
) -> Callable[Concatenate[Appender, _Args], _Result]:
    """A method that waits for its turn.

    The lock itself stands in the ``with``: were that an object with code of its own, Ctrl-C could come between its
    taking the lock and the ``with`` knowing of it, and the lock would be held for ever.
    """

    @functools.wraps(method)
    def taken(self: Appender, /, *args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        turn = self._turn
        if turn.mine():
            raise turn.within_itself()
        try:
            with turn.lock:
                try:
                    return method(self, *args, **kwargs)
                finally:
                    try:
                        self._tip.leave()
                    except BaseException:
                        self._tip.leave()  # interrupted: others must not wait for ever
                        raise
        finally:
            if turn.notes.untold:
                turn.notes.tell()

    return taken
