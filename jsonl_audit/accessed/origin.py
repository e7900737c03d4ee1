"""Who reads, and from where: as far as the system says so itself, and then what the environment claims."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

from jsonl_audit.process import program_name, user_name

__all__ = ["this_reader"]

_NOBODY = 2**32 - 1  # in /proc/self/loginuid: nobody logged in, it is a service
_found: tuple[tuple[int, int], dict[str, Any]] | None = None


def this_reader() -> dict[str, Any]:
    """``{"who", "from"}`` of this process. The same object until it forks or becomes another user.

    `login` is the user who logged in, where that is known and another one, as behind ``sudo``; the system keeps it.
    `ssh` is the address that a session says it came from, which whoever reads can set to anything.

    >>> found = this_reader()
    >>> found["from"]["pid"] == os.getpid(), "user" in found["who"]
    (True, True)
    """
    global _found
    key = os.getpid(), _uid()
    if _found is None or _found[0] != key:
        _found = key, {"who": _who(), "from": _from()}
    return _found[1]


def _uid() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _who() -> dict[str, Any]:
    who: dict[str, Any] = {"user": user_name()}
    if hasattr(os, "geteuid"):
        who["uid"] = os.geteuid()
        login = _login()
        if login is not None and login != who["uid"]:
            who["login"] = _name_of(login)
    return who


def _login() -> int | None:
    """The number of the user who logged in; None where the system does not say, or nobody did."""
    try:
        with open("/proc/self/loginuid", encoding="ascii") as file:
            number = int(file.read(16))
    except (OSError, ValueError):
        return None
    return None if number == _NOBODY else number


def _name_of(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):
        return str(uid)


def _from() -> dict[str, Any]:
    place: dict[str, Any] = {"host": platform.node(), "pid": os.getpid(), "program": program_name()}
    if terminal := _terminal():
        place["tty"] = terminal
    client = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    if client:
        place["ssh"] = client.encode("utf-8", "backslashreplace").decode()[:100]
    return place


def _terminal() -> str:
    for stream in (sys.__stdin__, sys.__stderr__, sys.__stdout__):
        try:
            if stream is not None and stream.isatty():
                return os.ttyname(stream.fileno())
        except (OSError, ValueError, AttributeError):
            continue
    return ""
