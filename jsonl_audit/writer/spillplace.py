"""Where the events of a log are held that cannot be written to it: a private folder, one spill log for each process.

By default ``<temporary place>/jsonl_audit-<uid>/<name of the log>-<16 hex of the BLAKE3 of its path>/``. Folders in a
place where others may write too are used only if they are this user's own, and nobody else's to enter.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import tempfile
import time

from blake3 import blake3

from jsonl_audit import storage
from jsonl_audit.errors import StorageError
from jsonl_audit.segment import Names

__all__ = ["SpillPlace", "put_aside", "remove", "remove_if_empty"]

_NAME = re.compile(r"[0-9]+-[0-9a-f]{20}\.jsonl")


class SpillPlace:
    """The folder that holds the spill logs of one log."""

    def __init__(self, names: Names, given: str | os.PathLike[str] | None) -> None:
        name = os.path.basename(names.path)
        own = f"{name}-{blake3(os.fsencode(names.path)).hexdigest(16)[:16]}"
        if given is None:
            above = os.path.join(tempfile.gettempdir(), f"jsonl_audit-{_user()}")
            self._private = [above, os.path.join(above, own)]
        else:
            above = os.path.abspath(os.path.expanduser(os.fspath(given)))
            self._private = [os.path.join(above, own)]
        self.above = above
        self.path = os.path.join(above, own)

    def new(self) -> str:
        """A free path for a spill log of this process, in a folder that is made if it is not there.

        Raises StorageError, OSError where the folder is not to be trusted or cannot be made.
        """
        if len(self._private) == 1:
            storage.make_directory(self.above)
        for folder in self._private:
            if not storage.exists(folder):
                storage.make_directory(folder)
            self._must_be_private(folder)
        name = f"{os.getpid()}-{time.time_ns() // 1000:014x}{secrets.token_hex(3)}.jsonl"
        return os.path.join(self.path, name)

    def left(self) -> list[str]:
        """Paths of the spill logs that are here, whoever left them, the oldest first. Raises as `new` does."""
        if not storage.exists(self.path):
            return []
        for folder in self._private:
            self._must_be_private(folder)
        names = {name.removesuffix(".lock") for name in storage.list_directory(self.path)}
        logs = [name for name in names if _NAME.fullmatch(name)]
        return [os.path.join(self.path, name) for name in sorted(logs, key=lambda name: name.partition("-")[2])]

    def _must_be_private(self, folder: str) -> None:
        found = storage.lstat(folder)
        if stat.S_ISLNK(found.st_mode) or not stat.S_ISDIR(found.st_mode):
            why = "is a symlink, or no directory"
        elif hasattr(os, "getuid") and (found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077):
            why = "is not this user's own alone (owner, mode 0700)"
        else:
            return
        raise StorageError(
            f"events are not held here: the folder {why}; remove it, or give another place with spill_path",
            path=folder,
            errno=errno.EPERM,
        )


def remove(names: Names) -> None:
    """Removes a spill log of which every event stands in the log; the lock file, which keeps others out, last.

    Raises OSError; what is left is removed by whoever finds it.
    """
    for path in [*names.list_sealed(), names.path, names.next, names.lock]:
        if storage.exists(path):
            storage.unlink(path)
    storage.sync_directory(names.directory)


def remove_if_empty(path: str) -> bool:
    """Removes what is left of a spill log that never came to be; whether that is all that there was.

    Raises OSError; what is left is removed by whoever finds it.
    """
    names = Names.of(path)
    if storage.exists(names.path) or names.list_sealed():
        return False
    try:
        fd = storage.open_lock(names.lock)
        try:
            mine = storage.lock_again(fd)  # else its process lives, or another looks after it
            if mine:
                for left in (names.next, names.lock):
                    if storage.exists(left):
                        storage.unlink(left)
        finally:
            storage.let_go(fd)
    except FileNotFoundError:  # another was quicker
        pass
    return True


def put_aside(names: Names) -> None:
    """Gives a spill log another name, under which nobody looks for one: it is damaged, and kept."""
    for path in [*names.list_sealed(), names.path]:
        if storage.exists(path):
            storage.rename(path, path + ".damaged")
    if storage.exists(names.lock):
        storage.unlink(names.lock)
    storage.sync_directory(names.directory)  # else a crash brings it back, when what it held may have been purged


def _user() -> str:
    if hasattr(os, "getuid"):
        return str(os.getuid())
    import getpass

    return getpass.getuser()
