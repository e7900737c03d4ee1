"""For the system, another user: root writes into a folder that somebody else controls only as that user.

Whoever controls a folder can put a symlink, or another folder, in the place of any name in it, at any moment. Root that
writes there by its own right could be led to make, or to give away, any file of the system.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from jsonl_audit.errors import StorageError

__all__ = ["as_owner", "is_root"]


def is_root() -> bool:
    """Whether this process may do everything to every file."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


@contextlib.contextmanager
def as_owner(owner: tuple[int, int], path: str) -> Iterator[None]:
    """Within it, files are made and opened by this thread as the user and group `owner`; other threads go on as root.

    Nothing is done for whoever is not root, or owns it anyway. Raises StorageError, with `path` in it, where the system
    has no such thing: it is Linux's own.
    """
    if not is_root() or owner[0] == 0:
        yield
        return
    import ctypes

    try:
        libc = ctypes.CDLL(None)
        set_user, set_group = libc.setfsuid, libc.setfsgid
    except (OSError, AttributeError, TypeError) as error:
        what = "root does not write into another user's folder on this system; read the log as its owner"
        raise StorageError(what, path=path) from error
    user, group = set_user(ctypes.c_uint(owner[0])), set_group(ctypes.c_uint(owner[1]))
    try:
        now = set_user(ctypes.c_uint(-1)), set_group(ctypes.c_uint(-1))  # which change nothing, and say what is
        if now != owner:
            raise StorageError("root could not act as the owner of the log; read it as its owner", path=path)
        yield
    finally:
        set_user(ctypes.c_uint(user))
        set_group(ctypes.c_uint(group))
