"""Writing as root beside another user's log, who may put a link wherever root is about to go: no link is followed.

Each folder is opened from the one above it, never by its path, and what is made is given to the log's owner by its
descriptor. So whoever owns the folder gets nothing that was not made here, and nothing is written outside of it.
"""

from __future__ import annotations

import errno
import os
import stat

__all__ = ["for_another", "put_beside"]

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def for_another(*owners: int) -> bool:
    """Whether this process is root, and one of the owners of what it writes beside is not."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and any(owners)


def put_beside(directory: str, files: tuple[str, ...], folders: tuple[str, ...], name: str, data: bytes) -> None:
    """Puts a file into `folders` below `directory`, in place of what stood there; what is missing of them is made.

    It is the first of `files` in the directory, a regular one, whose owner they are given to. Raises OSError.
    """
    at = os.open(directory, _FOLDER)
    try:
        owner = _owner(at, files, directory)
        for folder in folders:
            below = _entered(at, folder, owner)
            os.close(at)
            at = below
        new = f"{name}.{os.getpid()}.new"
        fd = os.open(new, _NEW, 0o600, dir_fd=at)
        try:
            os.fchown(fd, *owner)
            while data:
                data = data[os.write(fd, data) :]
        finally:
            os.close(fd)
        os.replace(new, name, src_dir_fd=at, dst_dir_fd=at)
    finally:
        os.close(at)


def _owner(at: int, files: tuple[str, ...], directory: str) -> tuple[int, int]:
    for file in files:
        try:
            found = os.stat(file, dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(found.st_mode):
            return found.st_uid, found.st_gid
    raise FileNotFoundError(errno.ENOENT, "the log is not here any more", directory)


def _entered(at: int, folder: str, owner: tuple[int, int]) -> int:
    """The folder, open; made, and given to the owner, where it is not there."""
    try:
        return os.open(folder, _FOLDER, dir_fd=at)
    except FileNotFoundError:
        os.mkdir(folder, 0o700, dir_fd=at)
    below = os.open(folder, _FOLDER, dir_fd=at)
    try:
        if os.fstat(below).st_uid == 0:  # else it is another than the one just made
            os.fchown(below, *owner)
    except BaseException:
        os.close(below)
        raise
    return below
