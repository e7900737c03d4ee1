"""The directory that is collected into: one collector at a time has it; what lies there is gone on from."""

from __future__ import annotations

import os

from jsonl_audit import mark, record, storage
from jsonl_audit.errors import LockedError, StorageError

__all__ = ["STATE", "Place"]

STATE = ".collect"
"""The directory, in the one that is collected into, of what is not part of a log."""


class Place:
    """A directory that is collected into, made if it is not there, and its lock.

    Raises LockedError where another collector has it, StorageError where the system refuses.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = os.path.realpath(os.path.expanduser(os.fsdecode(directory)))
        self.state = os.path.join(self.directory, STATE)
        self._lock = -1
        try:
            storage.make_directory(self.state)
            self._take()
        except OSError as error:
            self.leave()
            raise StorageError.of(error, "cannot be collected into", self.directory) from error
        except BaseException:
            self.leave()
            raise

    def _take(self) -> None:
        path = os.path.join(self.state, "lock")
        self._lock = storage.open_lock(path)
        if not storage.lock(self._lock):
            holder = mark.read_holder(path)
            who = f"process {holder.get('pid')} on {holder.get('host')}" if holder else "another process"
            raise LockedError(
                f"{who} collects into this directory; end it, or collect into another one",
                path=self.directory, holder=holder,
            )  # fmt: skip
        mark.write_holder(self._lock)

    def logs(self) -> list[str]:
        """The UUIDs of the logs that were collected before. Raises OSError."""
        return sorted(name for name in storage.list_directory(self.directory) if record.UUID.fullmatch(name))

    @property
    def mine(self) -> bool:
        """Whether the lock is held."""
        return self._lock >= 0

    def leave(self) -> None:
        """Gives the lock back. May be called twice."""
        if self._lock >= 0:
            fd, self._lock = self._lock, -1
            storage.let_go(fd)
