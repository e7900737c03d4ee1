"""The files of one log as they stand at one moment, also while it is written and rotated.

The active file is opened first, then the sealed ones are listed: what is sealed meanwhile is found under the inode
that is open already. Between the two renames of a sealing, the next segment is the active one.
"""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType

from jsonl_audit import storage
from jsonl_audit.content import Content, first_line_of
from jsonl_audit.errors import LogError, NotALogError, StorageError
from jsonl_audit.segment import Names, is_sealed_name, log_name_of, parse_header
from jsonl_audit.succession import is_successor

__all__ = ["Snapshot", "resolve"]

_TRIES = 20
"""How often files that are renamed while they are looked for are looked for again."""


def resolve(path: str | os.PathLike[str]) -> str:
    """The path of a log: a directory that holds exactly one log stands for it.

    Raises LogError for a directory with none or with several, NotALogError for a device or a pipe.
    """
    given = os.path.expanduser(os.fspath(path))
    try:
        mode = storage.stat(given).st_mode  # asked once: while a segment is sealed, the name is not there for a moment
    except (OSError, ValueError):
        return given
    if not stat.S_ISDIR(mode):
        if not stat.S_ISREG(mode):
            raise NotALogError("this is a device, a pipe or a socket, not a log; name the log's own path", path=given)
        return given
    names = sorted(storage.list_directory(given))
    locks = [name[:-5] for name in names if name.endswith(".lock")]
    found = [name for name in names if name in locks] or locks
    if not found:
        found = [name for name in names if name.endswith(".jsonl") and not is_sealed_name(name)]
    if not found:  # sealed segments alone, as in a slice
        found = sorted({log for name in names if (log := log_name_of(name)) is not None})
    if len(found) == 1:
        return os.path.join(given, found[0])
    what = f"several logs: {', '.join(found)}; name one of them" if found else "no log; name one by its path"
    raise LogError(f"this directory holds {what}", path=given)


class Snapshot:
    """The active file, open, and the paths of the sealed ones, oldest first by name.

    `active` is None where it is missing; between the two renames of a sealing it is the next segment. Raises
    StorageError where nothing of the log is here or it cannot be read, LogError for a path that is no log's.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.names = Names.of(path)
        try:
            for _ in range(_TRIES):
                self.active = _open(self.names.path)
                try:
                    settled = self._list()
                except BaseException:
                    self.close()
                    raise
                if settled:
                    return
                self.close()
            self.active = _open(self.names.path)
            if not self._list(last=True):
                self._leave_out_later()
        except NotADirectoryError as error:
            raise StorageError(
                "no such log: a part of its path is no directory", path=os.fspath(path), errno=error.errno
            ) from error
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(
                f"cannot be read: {error.strerror}", path=error.filename or os.fspath(path), errno=error.errno
            ) from error

    def _list(self, *, last: bool = False) -> bool:
        """Lists the sealed segments that belong to the active file. False where files were renamed meanwhile.

        A directory is not listed in one moment: of two segments sealed while it is read, the later may be in the list
        and the earlier not. So the active file must stand in the list, or still at its path once the list is there.
        """
        names = self.names
        try:
            self.sealed = names.list_sealed()
        except FileNotFoundError:
            self.sealed = []
        if self.active is not None and self.active.size == 0:
            again = _open(names.path)  # an empty file counts as missing, unless it was just being replaced
            if again is not None and again.size > 0:
                self.active.close()
                self.active = again
                return self._list(last=last)
            if again is not None:
                again.close()
        if self.active is None or self.active.size == 0:
            settled = self._look_for_next(last=last)
            if self.active is None and not self.sealed:
                if not last and storage.exists(names.lock):
                    return False  # the sealed ones may have been purged, and others sealed, while they were listed
                what = "no such log; look at the path, or begin it with jsonl-audit append"
                raise StorageError(what, path=names.path, errno=errno.ENOENT)
            return settled
        if _key(names.path) != self.active.key:  # it was sealed meanwhile: what was sealed later is left out
            for index in range(len(self.sealed) - 1, -1, -1):
                if _key(self.sealed[index]) == self.active.key:
                    del self.sealed[index:]
                    return True
            return False
        return True

    def _leave_out_later(self) -> None:
        """Leaves out what was sealed behind the active file, where that itself was not found in the list."""
        try:
            number = self.active.header().segment if self.active is not None else 0
            while number and self.sealed:
                header = parse_header(first_line_of(self.sealed[-1]))
                if header is None or header.segment < number:
                    return
                del self.sealed[-1]
        except (LogError, OSError):
            return  # no files that a writer made just now

    def _look_for_next(self, *, last: bool) -> bool:
        """Takes the next segment where the active one is not there. False where it may be there by now."""
        following = _open(self.names.next)
        now = _open(self.names.path)
        if now is not None and now.size > 0:  # the sealing went on while we looked
            for content in (following, self.active):
                if content is not None:
                    content.close()
            self.active = now
            return self._list(last=last)
        if now is not None:
            now.close()
        if following is None:
            return False
        if self._follows(following):
            if self.active is not None:
                self.active.close()
            self.active = following
            return True
        following.close()
        return False

    def _follows(self, following: Content) -> bool:
        """Whether opening would put this `.next` in place."""
        try:
            return is_successor(following.header(), self.sealed)
        except (LogError, OSError):
            return False

    def close(self) -> None:
        """Closes the active file. May be called twice."""
        if self.active is not None:
            self.active.close()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(path: str) -> Content | None:
    try:
        return Content(path)
    except FileNotFoundError:
        return None


def _key(path: str) -> tuple[int, int] | None:
    try:
        found = storage.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
