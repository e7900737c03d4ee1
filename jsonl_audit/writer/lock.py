"""Holding the log: the lock of one writer at a time, and the mark that stands in the same file."""

from __future__ import annotations

import errno
import os
import time
import weakref
from typing import Any

from jsonl_audit import mark, storage
from jsonl_audit.errors import LockedError, NotALogError, StorageError
from jsonl_audit.mark import Mark
from jsonl_audit.segment import Names
from jsonl_audit.writer.active import Active
from jsonl_audit.writer.waiter import Waiter

__all__ = ["Lock"]

GRACE = 0.02
"""Seconds: a verifier asks for an instant whether the lock is held, and that must not look like a second writer."""
TRIES = 100
"""So often a lock file may be gone when it is locked."""
SPINS = 20
"""How often a writer lets others run before it waits in the system's queue: most commits are done in microseconds."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_STRENGTH = ("never", "interval", "always")


class Lock:
    """The lock of a log; it goes with its process, whatever that dies of.

    Held from `take` to `release`, or, where several processes share the log, for a commit from `enter` to `leave`.
    """

    def __init__(self, names: Names, *, shared: bool = False) -> None:
        self.names = names
        self.shared = shared
        self.held = False
        self.waits = 0
        self.waited = 0.0
        """Seconds spent waiting for it."""
        """How often somebody else had the lock."""
        self.mark: Mark | None = None
        """The mark as it was last read or written."""
        self._text = b""  # of that mark
        self._fd = -1
        self._waiter = _given_up.pop(names.lock, Waiter())

    def take(self, timeout: float, mode: int) -> None:
        """Waits up to `timeout` seconds. Raises LockedError, which says who holds it; OSError."""
        for _ in range(TRIES):
            if self._fd < 0:
                self._open(mode)
            try:
                self.held = True  # before it is so: an interrupt must not leave it held for ever
                waited = not (storage.lock_again(self._fd) if self.shared else storage.lock(self._fd))
                if waited:
                    self._wait(timeout)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                raise StorageError(
                    f"this file system has no locks ({error.strerror}), without which writers cannot be kept apart; "
                    "put the log on one that has: a local disk",
                    path=self.names.lock,
                    errno=error.errno,
                ) from error
            if self.is_the_file():
                return
            self.release()  # somebody removed it while we waited: what we hold keeps nobody out
            storage.make_directory(self.names.directory)
        raise StorageError(
            "the lock file is removed again and again, or is said not to be there: writers cannot be kept apart",
            path=self.names.lock,
            errno=errno.ESTALE,
        )

    def _open(self, mode: int) -> None:
        _locks.add(self)
        self._fd = storage.open_lock(self.names.lock, mode)
        if storage.size(self._fd) > 2 * mark.LENGTH:
            self.release()
            raise NotALogError(
                "this is no lock file: it is longer than one, and not written over; move it away", path=self.names.lock
            )

    def _wait(self, timeout: float) -> None:
        if self.shared:
            for _ in range(SPINS if timeout > 0 else 0):
                storage.let_others_run()
                if storage.lock_again(self._fd):
                    return
        self.waits += 1
        began = time.monotonic()
        try:
            if timeout <= GRACE:
                time.sleep(GRACE)
                if storage.lock_again(self._fd):
                    return
            else:
                fd, self._fd = self._fd, -1
                self._waiter.wait(fd, timeout)
                self._fd = self._waiter.got
                if self._fd >= 0:
                    return
        finally:
            self.waited += time.monotonic() - began
        holder = mark.read_holder(self.names.lock)
        who = "another process"
        if holder:
            who = "process {pid} on {host} ({program}, since {since})".format_map({**_UNKNOWN, **holder})
        if holder.get("shared"):
            who = f"another process (the last to open it: {who[8:]})"
        raise LockedError(
            f"{who} is writing to this log; wait for it with lock_timeout, end it, or append to another path",
            path=self.names.path,
            holder=holder,
        )

    def sign(self) -> None:
        """Says in the file who holds the lock. Raises OSError."""
        mark.write_holder(self._fd, shared=self.shared)

    def enter(self, timeout: float, mode: int, *, look: bool) -> None:
        """Takes the lock for one commit of a shared log; `look` asks whether the file is still the log's lock file.

        Raises LockedError, OSError.
        """
        if self.held:
            return
        if self._fd < 0:
            storage.make_directory(self.names.directory)
        elif not look:
            self.held = True
            if storage.lock_again(self._fd):
                return
        self.take(timeout, mode)

    def try_enter(self) -> bool:
        """`enter` where nobody has it; False, at once, where somebody has, or where the system does not give it."""
        if not self.held and self._fd >= 0:
            self.held = True
            try:
                self.held = storage.lock_again(self._fd)
            except OSError:
                self.held = False
        return self.held

    def leave(self) -> None:
        """Lets the next process commit. May be called twice: an interrupt may have come before it was done."""
        if not self.held:
            return
        self._claim()
        try:
            if self._fd >= 0:
                storage.unlock(self._fd)
        except OSError:  # closing frees it as well
            self._close()
        self.held = False

    def _claim(self) -> None:
        """Closes what a wait got for somebody who was interrupted before he had it."""
        got, self._waiter.got = self._waiter.got, -1
        if got >= 0 and got != self._fd:
            storage.let_go(got)

    def keep(self, mode: int) -> None:
        """Takes the lock anew where its file was removed: the one that is held keeps nobody out any more.

        Raises LockedError if somebody was quicker; OSError.
        """
        if self.is_the_file():
            return
        storage.make_directory(self.names.directory)
        fresh = Lock(self.names)
        try:
            fresh.take(0.0, mode)
            fresh.sign()
        except BaseException:
            fresh.release()  # else this process would keep itself out from now on
            raise
        self.release()
        self._fd, self.held = fresh._fd, True

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

    def new_mark(self) -> Mark | None:
        """The mark, if somebody wrote one since it was last read or written here. Raises OSError."""
        text = storage.read(self._fd, 0, mark.LENGTH)
        if text == self._text:
            return None
        self._text, self.mark = text, Mark.decode(text)
        return self.mark

    def write_mark(self, active: Active, fsync: str, *, failed: bool = False) -> None:
        """Says how far `active` is known to be on disk. Raises OSError, also where the lock is not held."""
        if not self.held:
            raise OSError(errno.ENOLCK, "the lock is not held", self.names.lock)
        synced, head, last = active.synced, active.synced_head, self.mark
        if self.shared and last is not None:
            if last.fsync in _STRENGTH:  # the weakest promise that any of those who share it made
                fsync = min(fsync, last.fsync, key=_STRENGTH.index)
            if last.inode == active.key and last.segment == active.segment and last.synced > synced:
                synced, head = last.synced, last.hash  # it never goes back
        found = Mark(
            boot=storage.boot_id(),
            log=active.log,
            segment=active.segment,
            inode=active.key,
            synced=synced,
            hash=head,
            purged=active.floor,
            failed=failed,
            acknowledged=active.seq if failed else 0,
            fsync=fsync,
            settings=active.changed,
        )
        text = found.encode()
        storage.overwrite(self._fd, 0, text)
        self._text, self.mark = text, found

    def sync(self) -> None:
        """Returns when the mark is on the disk. Raises OSError."""
        storage.sync(self._fd)

    def release(self) -> None:
        """Gives the lock back by closing the file, never by unlocking: a forked child may have a copy of it."""
        self._claim()
        self._close()
        self.held = False
        if self._waiter.pending:  # it is left to the next who wants this lock
            _given_up[self.names.lock] = self._waiter
        else:
            self._waiter.end()
        self._waiter = Waiter()

    def forked(self) -> None:
        """`release` in a child, which has none of its parent's threads."""
        self._claim()
        self.held = False
        self._waiter.forked()
        self._waiter = Waiter()
        self._close()

    def _close(self) -> None:
        try:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                storage.close(fd)
        except OSError:  # it is gone all the same
            pass


_given_up: dict[str, Waiter] = {}
"""Waits that nobody is interested in any more, and that the system has no way to end: one for each lock file."""


_locks: weakref.WeakSet[Lock] = weakref.WeakSet()
"""All locks of this process, those of logs that are just being opened too: a child must keep none of them."""


def _after_fork() -> None:
    for lock in list(_locks):
        lock.forked()
    for waiter in _given_up.values():
        waiter.forked()
    _given_up.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

_UNKNOWN: dict[str, Any] = {"pid": "?", "host": "?", "program": "?", "since": "?"}
