"""Which appenders are open in this process: they are closed when it ends, and let go of in a forked child."""

from __future__ import annotations

import atexit
import contextlib
import os
import weakref
from typing import Protocol

from jsonl_audit.errors import AuditError

__all__ = ["add", "discard"]


class _Open(Protocol):
    def close(self) -> None: ...

    def after_fork(self) -> bool: ...


_open: weakref.WeakSet[_Open] = weakref.WeakSet()
add = _open.add
discard = _open.discard


@atexit.register
def _at_exit() -> None:
    for appender in list(_open):
        with contextlib.suppress(AuditError, OSError):  # there is nobody left to tell
            appender.close()


def _after_fork() -> None:
    for appender in list(_open):
        if not appender.after_fork():
            _open.discard(appender)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
