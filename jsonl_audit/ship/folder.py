"""A folder, or a mounted share, as the place where a log arrives: everything is synced, and one shipper at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

from jsonl_audit import mark, storage
from jsonl_audit.errors import LockedError, LogError

__all__ = ["Folder"]

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_NOT_SYNCED = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM)
_UNKNOWN = {"pid": "?", "host": "?", "program": "?", "since": "?"}


class Folder:
    """The folder for one log. Its lock file is the one that a writer would take: nobody appends to a growing copy."""

    appends = times = True

    def __init__(self, directory: str, name: str) -> None:
        """Touches nothing yet. Raises LogError for a path that is a file's."""
        self.address = os.path.realpath(os.path.expanduser(directory))
        if storage.exists(self.address) and not storage.is_directory(self.address):
            raise LogError("this is a file; give the folder that the log is to arrive in", path=directory)
        self._lock = os.path.join(self.address, name + ".lock")
        self._held = -1
        self._open: tuple[str, int] | None = None  # the file that grows, and its descriptor

    def shown(self, name: str) -> str:
        return os.path.join(self.address, name)

    def names(self, prefix: str) -> list[str]:
        try:
            return [name for name in storage.list_directory(self.address) if name.startswith(prefix)]
        except FileNotFoundError:
            return []

    def size(self, name: str) -> int | None:
        try:
            return storage.size(self.shown(name))
        except FileNotFoundError:
            return None

    def read(self, name: str, offset: int, count: int) -> bytes:
        with self._reading(name) as fd:
            return storage.read(fd, offset, count)

    def append(self, name: str, at: int, data: bytes, mode: int) -> None:
        if self._open is None or self._open[0] != name:
            self._close()
            path = self.shown(name)
            if not at:
                storage.make_directory(os.path.dirname(path))
            self._open = name, storage.open_append(path, create=not at, mode=mode)
        fd = self._open[1]
        if (there := storage.size(fd)) != at:
            raise OSError(errno.ESTALE, f"somebody else writes here: {there} bytes, not {at}", self.shown(name))
        storage.write(fd, data)

    def put(self, name: str, blocks: Iterator[bytes]) -> None:
        raise NotImplementedError("files grow here")

    def copy(self, old: str, new: str) -> None:
        raise NotImplementedError("files grow here")

    def sync(self, name: str, *, made: bool) -> None:
        with self._reading(name) as fd:
            storage.sync(fd)
        if made:
            self._sync_directory(name)

    def forget_cached(self, name: str) -> None:
        if sys.platform == "linux":
            with self._reading(name) as fd:
                storage.sync(fd)  # what is not on the disk yet cannot be forgotten
                with contextlib.suppress(OSError):
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def rename(self, old: str, new: str) -> None:
        self._close()
        storage.rename(self.shown(old), self.shown(new))
        self._sync_directory(new)

    def replace(self, old: str, new: str) -> None:
        self._close()
        storage.replace(self.shown(old), self.shown(new))
        self._sync_directory(new)

    def remove(self, name: str) -> None:
        self._close()
        storage.unlink(self.shown(name))

    def keep(self, name: str, found: os.stat_result) -> None:
        with contextlib.suppress(OSError), self._reading(name) as fd:  # a share may have no modes, or another's files
            there, here = storage.lstat(self.shown(name)), storage.stat(fd)
            if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
                return  # a link in its place could lead to any file of whoever ships
            if hasattr(os, "fchmod"):
                with contextlib.suppress(OSError):
                    os.fchmod(fd, found.st_mode & 0o777)
            where = fd if os.utime in os.supports_fd else self.shown(name)
            os.utime(where, ns=(found.st_atime_ns, found.st_mtime_ns))

    def kept(self, name: str, found: os.stat_result) -> bool:
        there = storage.stat(self.shown(name))
        return (there.st_size, there.st_mtime_ns) == (found.st_size, found.st_mtime_ns)

    def take(self) -> None:
        if self._held >= 0:
            return
        storage.make_directory(self.address)
        fd = storage.open_lock(self._lock)
        try:
            if storage.size(fd) > 2 * mark.LENGTH:
                raise LogError("this is no lock file: it is longer than one; move it away", path=self._lock)
            if not self._locked(fd):
                holder = mark.read_holder(self._lock)
                who = "process {pid} on {host} ({program}, since {since})".format_map({**_UNKNOWN, **holder})
                raise LockedError(
                    f"{who if holder else 'another process'} ships or writes to this log; end it, or use another "
                    "folder: two cannot fill one",
                    path=self._lock.removesuffix(".lock"), holder=holder,
                )  # fmt: skip
        except BaseException:
            storage.let_go(fd)
            raise
        self._held = fd

    def _locked(self, fd: int) -> bool:
        try:
            taken = storage.lock(fd)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return True  # a share without locks: the length that is looked at before each write has to do
        if taken:
            mark.write_holder(fd)
        return taken

    def release(self) -> None:
        self._close()
        fd, self._held = self._held, -1
        if fd >= 0:
            storage.let_go(fd)

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[int]:
        if self._open is not None and self._open[0] == name:
            yield self._open[1]
            return
        with storage.reading(self.shown(name)) as fd:
            yield fd

    def _sync_directory(self, name: str) -> None:
        try:
            storage.sync_directory(os.path.dirname(self.shown(name)))
        except OSError as error:  # a share may have no such thing
            if error.errno not in _NOT_SYNCED:
                raise

    def _close(self) -> None:
        found, self._open = self._open, None
        if found is not None:
            storage.let_go(found[1])
