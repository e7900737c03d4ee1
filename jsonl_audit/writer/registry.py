"""Which appenders are open in this process: they are closed when it ends, and let go of in a forked child."""

from __future__ import annotations

import atexit
import contextlib
import os
import weakref
from typing import Protocol

from jsonl_audit.errors import AuditError

__all__ = ["add", "add_first", "appenders", "discard"]


class _Open(Protocol):
    def close(self) -> None: ...

    def after_fork(self) -> bool: ...


_first: weakref.WeakSet[_Open] = weakref.WeakSet()
_open: weakref.WeakSet[_Open] = weakref.WeakSet()
add = _open.add
add_first = _first.add
"""For what has something to do before the appenders close."""


def appenders() -> list[_Open]:
    """Those that are open in this process."""
    return list(_open)


def discard(one: _Open) -> None:
    """Nothing is to be done for it any more."""
    _first.discard(one)
    _open.discard(one)


@atexit.register
def _at_exit() -> None:
    for appender in [*_first, *_open]:
        with contextlib.suppress(AuditError, OSError):  # there is nobody left to tell
            appender.close()


def _after_fork() -> None:
    for appender in [*_open, *_first]:
        if not appender.after_fork():
            discard(appender)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
