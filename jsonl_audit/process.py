"""Who acts where nobody says so: this process, by its number, its program and the user that it runs as."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["program_name", "this_process", "user_name"]

_found: tuple[int, int, dict[str, Any]] = (0, 0, {})


def this_process() -> dict[str, Any]:
    """This process as an actor. The same object, until it forks or becomes another user: it is not to be changed.

    >>> found = this_process()
    >>> found["type"], found["id"] == str(os.getpid()), sorted(found)
    ('process', True, ['id', 'name', 'type', 'user'])
    """
    global _found
    pid, uid = os.getpid(), _uid()
    known, as_whom, actor = _found
    if known != pid or as_whom != uid:
        actor = {"type": "process", "id": str(pid), "name": program_name(), "user": user_name()}
        _found = (pid, uid, actor)
    return actor


def _no_uid() -> int:
    return 0


_uid = getattr(os, "geteuid", _no_uid)  # Windows has none


def program_name() -> str:
    """The name of the program that this process runs.

    Its name alone: an argument may be a secret, and would come to stand in other people's error messages.
    """
    program = os.path.basename(sys.argv[0] if sys.argv else "") or "python"
    return program.encode("utf-8", "backslashreplace").decode()[:200]  # a name may be any bytes


def user_name() -> str:
    """The name of the user as whom this process acts; a number where it has none, as in many containers.

    Not from the environment (LOGNAME, USER), which anybody may set to anything.
    """
    if hasattr(os, "geteuid"):
        import pwd

        uid = os.geteuid()
        try:
            return pwd.getpwuid(uid).pw_name
        except (KeyError, OSError):
            return str(uid)
    import getpass  # Windows: there is nothing better in the standard library

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return "unknown"
