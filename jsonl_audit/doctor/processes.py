"""Which processes have the files of the log open, as far as this user may see them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from jsonl_audit import storage

__all__ = ["User", "comes_with", "largest_file", "users_of"]

_PROC = "/proc"


@dataclass(frozen=True, slots=True)
class User:
    """A process that has one file open."""

    pid: int
    name: str
    writes: bool
    """Whether it may write through it."""


def users_of(paths: dict[str, os.stat_result]) -> dict[str, list[User]]:
    """Who has each of these files open; this process is left out, and so is what it may not look at."""
    keys = {(found.st_dev, found.st_ino): path for path, found in paths.items()}
    names = {os.path.basename(path) for path in paths}
    users: dict[str, list[User]] = {path: [] for path in paths}
    if sys.platform != "linux":
        return users
    for pid in _numbers(_PROC):
        if pid == os.getpid():
            continue
        for number in _numbers(f"{_PROC}/{pid}/fd"):
            link = f"{_PROC}/{pid}/fd/{number}"
            try:  # a look at a file of a share that is gone might not return: only at those of these names
                if os.path.basename(os.readlink(link)).removesuffix(" (deleted)") not in names:
                    continue
                found = storage.stat(link)
            except OSError:
                continue
            path = keys.get((found.st_dev, found.st_ino))
            if path is not None:
                users[path].append(User(pid, _name(pid), _writes(pid, number)))
    return users


def comes_with(pid: int, library: str) -> bool:
    """Whether a process was started with a library before all others (LD_PRELOAD)."""
    return any(
        part.startswith(b"LD_PRELOAD=") and library.encode() in part for part in _text(pid, "environ").split(b"\0")
    )


def largest_file(pid: int) -> int | None:
    """How large a file a process may write, in bytes; None where it has no limit."""
    for line in _text(pid, "limits").split(b"\n"):
        if line.startswith(b"Max file size"):
            soft = line.split()[3]
            return int(soft) if soft.isdigit() else None
    return None


def _numbers(folder: str) -> list[int]:
    try:
        return sorted(int(name) for name in storage.list_directory(folder) if name.isdigit())
    except OSError:  # no such system, or another user's process
        return []


def _writes(pid: int, number: int) -> bool:
    for line in _text(pid, f"fdinfo/{number}").split(b"\n"):
        if line.startswith(b"flags:"):
            return int(line.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
    return False


def _name(pid: int) -> str:
    return _text(pid, "comm").decode("utf-8", "replace").strip() or "?"


def _text(pid: int, what: str) -> bytes:
    try:
        with storage.reading(f"{_PROC}/{pid}/{what}") as fd:
            return storage.read(fd, 0, 1 << 16)
    except OSError:  # it ended, or is another user's
        return b""
