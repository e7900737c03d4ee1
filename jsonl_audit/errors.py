"""Every error the package raises: one tree, and each error carries its data.

The message of an error says what happened, where, and what to do. The same facts stand in its attributes, so that a
program need not read prose::

    AuditError
    ├── EventError            the caller's event was refused; nothing was written
    │   ├── ReservedTypeError     its type belongs to the engine
    │   └── EventTooLargeError    its line would pass the limit
    ├── LogError              the files at a path cannot be used as a log
    │   ├── NotALogError          something else lies there
    │   ├── NewerFormatError      written by a later version of the format
    │   ├── WrongLogError         files that do not belong together: another log, or a rolled-back file
    │   ├── LockedError           another appender has the log
    │   └── NotShippedError       what was to be purged has not arrived everywhere
    ├── RefusedError          the destination holds something else; nothing was written there
    ├── StorageError          the operating system said no
    │   ├── WriteError            a write did not complete
    │   ├── SyncError             a sync failed: what it covered may be lost
    │   ├── SealError             a segment could not be sealed
    │   └── ArtifactError         an artifact is missing, or is not what was stored
    ├── ClosedError           the log was closed, or belongs to the parent process
    └── QueryError            a filter, a date or a position makes no sense
"""

from __future__ import annotations

import errno
import os
from typing import Any

__all__ = [
    "ArtifactError",
    "AuditError",
    "ClosedError",
    "EventError",
    "EventTooLargeError",
    "InvalidEventError",
    "LockedError",
    "LogError",
    "NewerFormatError",
    "NotALogError",
    "NotShippedError",
    "QueryError",
    "RefusedError",
    "ReservedTypeError",
    "SealError",
    "StorageError",
    "SyncError",
    "WriteError",
    "WrongLogError",
]


class AuditError(Exception):
    """The root of the tree: catch it to catch everything this package raises on purpose.

    ``path``, ``line`` (1 for the first), ``seq``, ``offset`` (bytes), ``expected`` and ``actual`` are None where they
    are not known; ``errno`` is the operating system's number where it was the one to refuse.

    Where a call was to append something, ``done`` holds the receipts of those of its events that are recorded all the
    same, and ``attempted`` of those that were handed to the system and may be recorded or not. All the others are not.

    >>> error = AuditError("cannot read the header", path="audit.jsonl", line=1)
    >>> str(error), error.line
    ('audit.jsonl, line 1: cannot read the header', 1)
    """

    exit_code = 2
    """The exit status that it has on the command line: 2 for what was asked for, 4 for what the system refused."""
    done: tuple[Any, ...] = ()
    attempted: tuple[Any, ...] = ()

    def __init__(
        self,
        message: str,
        *,
        path: str | os.PathLike[str] | None = None,
        line: int | None = None,
        seq: int | None = None,
        offset: int | None = None,
        expected: Any = None,
        actual: Any = None,
        errno: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = None if path is None else os.fspath(path)
        self.line = line
        self.seq = seq
        self.offset = offset
        self.expected = expected
        self.actual = actual
        self.errno = errno

    def __str__(self) -> str:
        where = [] if self.path is None else [self.path]
        where += [f"{name} {value}" for name, value in (("line", self.line), ("seq", self.seq)) if value is not None]
        return f"{', '.join(where)}: {self.message}" if where else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, {**self.__dict__, "errno": self.errno}))


def _rebuild(kind: type[AuditError], message: str, state: dict[str, Any]) -> AuditError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    for name, value in state.items():  # errno is no mere attribute of an OSError
        setattr(error, name, value)
    return error


class EventError(AuditError, ValueError):
    """The event was refused before anything was written."""


class ReservedTypeError(EventError):
    """Types under ``audit.`` belong to the engine's own control records."""


class EventTooLargeError(EventError):
    """The event's line, or a batch of them, would pass the limit."""


class InvalidEventError(EventError):
    """The event is not what its type says. ``type`` is the event's, ``field`` the dotted path of what is wrong in it.

    ``actual`` is the caller's own value; the message names only its kind, since it may be a secret.

    >>> error = InvalidEventError("tool.call: details.tool is missing", type="tool.call", field="details.tool")
    >>> error.type, error.field
    ('tool.call', 'details.tool')
    """

    def __init__(self, message: str, *, type: str | None = None, field: str | None = None, **where: Any) -> None:  # noqa: A002 - the event's word
        super().__init__(message, **where)
        self.type = type
        self.field = field


class LogError(AuditError):
    """The files at a path cannot be used as a log. Nothing was changed."""


class NotALogError(LogError):
    """No line begins as a record does, or the first one is no header."""


class NewerFormatError(LogError):
    """The log was written by a later version of the format."""


class WrongLogError(LogError):
    """The active file does not go on from the sealed segments beside it."""


class LockedError(LogError):
    """Another appender holds the log. ``holder`` is what it wrote of itself: pid, host, program, since."""

    def __init__(self, message: str, *, holder: dict[str, Any] | None = None, **where: Any) -> None:
        super().__init__(message, **where)
        self.holder = holder or {}


class NotShippedError(LogError):
    """What was to be purged has not arrived at every destination that the log is shipped to. Nothing was purged."""


class RefusedError(AuditError):
    """What lies at a destination is not what the source leads to. Nothing was written there."""

    exit_code = 1


class StorageError(AuditError, OSError):
    """The operating system refused. ``errno`` says why, in its own numbers."""

    exit_code = 4

    @classmethod
    def of(cls, error: OSError, what: str, path: str) -> AuditError:
        """The error of this class that `error` means, `what` having been tried; one of ours stays what it is."""
        if isinstance(error, AuditError):
            return error
        return cls(f"{what}: {error.strerror or error}", path=path_of(error, path), errno=error.errno)


def path_of(error: OSError, otherwise: str) -> str:
    """The file that an error of the system is about; it may name none, or a descriptor.

    >>> path_of(OSError(9, "bad", 3), "audit.jsonl"), path_of(OSError(2, "none", "other.jsonl"), "audit.jsonl")
    ('audit.jsonl', 'other.jsonl')
    """
    named = error.filename
    return os.fsdecode(named) if named and isinstance(named, str | bytes) else otherwise


class WriteError(StorageError):
    """A write did not complete. The event is not known to be recorded."""


class SyncError(StorageError):
    """A sync failed. What was written since the last good one may be lost, and is never counted on again."""


class SealError(StorageError):
    """A segment could not be sealed. The active file stays as it was."""


class ArtifactError(StorageError):
    """An artifact is not here, or is not what was stored. ``hash`` says which, ``state`` is "missing" or "altered"."""

    def __init__(self, message: str, *, hash: str = "", state: str = "", **where: Any) -> None:  # noqa: A002 - a hash
        super().__init__(message, **where)
        self.hash = hash
        self.state = state

    @classmethod
    def missing(cls, own: str, path: str) -> ArtifactError:
        """The error of one that is not at `path`, where it should be."""
        what = "this artifact is not here; look for it in another copy of the log's folder"
        return cls(what, hash=own, state="missing", path=path, errno=errno.ENOENT)

    @classmethod
    def altered(cls, own: str, path: str, actual: str | None = None) -> ArtifactError:
        """The error of one that is not what its name says."""
        what = "this is not what was stored: it was damaged or changed; put it back from a copy"
        return cls(what, hash=own, state="altered", path=path, expected=own, actual=actual)


class ClosedError(AuditError, ValueError):
    """The log was closed, or was opened by the process that forked this one."""


class QueryError(AuditError, ValueError):
    """A filter, a date, a position or an anchor makes no sense."""
