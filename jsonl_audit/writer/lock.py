"""Holding the log: the lock of one writer at a time, and the mark that stands in the same file."""

from __future__ import annotations

import contextlib

from jsonl_audit import mark, storage
from jsonl_audit.errors import LockedError, NotALogError
from jsonl_audit.mark import Mark
from jsonl_audit.segment import Names
from jsonl_audit.writer.active import Active

__all__ = ["Lock"]


class Lock:
    """The lock of a log, held from `take` to `release`; it goes with its process, whatever that dies of."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._fd = -1

    def take(self, timeout: float, mode: int) -> None:
        """Waits up to `timeout` seconds. Raises LockedError, which says who holds it; OSError."""
        self._fd = storage.open_lock(self.names.lock, mode)
        if storage.size(self._fd) > 2 * mark.LENGTH:
            raise NotALogError(
                "this is no lock file: it is longer than one, and not written over; move it away", path=self.names.lock
            )
        got = storage.lock(self._fd, timeout)
        if got and not self.is_the_file():  # somebody removed it while we waited: what we hold keeps nobody out
            self.release()
            self.take(timeout, mode)
            return
        if not got:
            self.release()
            holder = mark.read_holder(self.names.lock)
            who = "another process"
            if holder:
                who = "process {pid} on {host} ({program}, since {since})".format_map({**_UNKNOWN, **holder})
            raise LockedError(
                f"{who} is writing to this log; wait for it with lock_timeout, end it, or append to another path",
                path=self.names.path,
                holder=holder,
            )
        mark.write_holder(self._fd)

    def keep(self, mode: int) -> None:
        """Takes the lock anew where its file was removed: the one that is held keeps nobody out any more.

        Raises LockedError if somebody was quicker; OSError.
        """
        if self.is_the_file():
            return
        storage.make_directory(self.names.directory)
        fresh = Lock(self.names)
        fresh.take(0.0, mode)
        self.release()
        self._fd = fresh._fd

    def is_the_file(self) -> bool:
        """Whether what is held is still the log's lock file."""
        try:
            found = storage.stat(self.names.lock)
        except FileNotFoundError:
            return False
        held = storage.stat(self._fd)
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def read_mark(self) -> Mark | None:
        """What the last writer knew to be on disk."""
        return mark.read(self.names.lock)

    def write_mark(self, active: Active, fsync: str, *, failed: bool = False) -> None:
        """Says how far `active` is known to be on disk. Raises OSError."""
        found = Mark(
            boot=storage.boot_id(),
            log=active.log,
            segment=active.segment,
            inode=active.key,
            synced=active.synced,
            hash=active.synced_head,
            purged=active.floor,
            failed=failed,
            acknowledged=active.seq if failed else 0,
            fsync=fsync,
        )
        mark.write(self._fd, found)

    def release(self) -> None:
        """Gives the lock back by closing the file, never by unlocking: a forked child may have a copy of it."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                storage.close(self._fd)
            self._fd = -1


_UNKNOWN = {"pid": "?", "host": "?", "program": "?", "since": "?"}
