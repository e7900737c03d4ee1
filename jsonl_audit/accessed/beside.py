"""Where the records of reading go: into a small log beside the one that is read, or into that log itself."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from jsonl_audit import record, storage
from jsonl_audit.accessed.setting import Place
from jsonl_audit.errors import AuditError, StorageError
from jsonl_audit.segment import Names

if TYPE_CHECKING:
    from jsonl_audit.writer.appender import Appender

__all__ = ["Beside", "into_log", "path_beside"]

TYPE = "audit.accessed"
_SEGMENT = 4 << 20
_SEGMENTS = 15
"""So many sealed ones are kept: with the active one, 64 MiB at most, and the chain says what went."""
_WAIT = 0.5
"""Seconds that a read waits for others that are being recorded."""


def path_beside(names: Names) -> str:
    """The log of the reads of a log.

    >>> path_beside(Names.of("/tmp/audit.jsonl")).endswith("/audit.jsonl.d/accessed.jsonl")
    True
    """
    return os.path.join(names.path + ".d", "accessed.jsonl")


class Beside:
    """The log of the reads of one log, kept open while the process reads. A commit locks it only for an instant."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._names = Names.of(path_beside(place.names))
        self._appender: Appender | None = None
        self._lock = threading.RLock()

    def append(self, details: dict[str, Any]) -> None:
        """Appends one record. Raises AuditError, OSError where that is impossible."""
        body = _body(details)
        try:
            self._opened().append(body)
        except (AuditError, OSError):  # its folder was taken away, say, or it is closed: once more from the start
            self.close()
            self._opened().append(body)
        self._give()

    def _opened(self) -> Appender:
        with self._lock:
            if self._appender is None:
                self._appender = self._open()
            return self._appender

    def _open(self) -> Appender:
        from jsonl_audit.writer.appender import Appender
        from jsonl_audit.writer.settings import Settings

        mode = self._place.mode | 0o600
        self._prepare()
        settings = Settings(
            max_bytes=_SEGMENT, fsync="never", lock_timeout=_WAIT, mode=mode, shared=True, backup_count=_SEGMENTS
        )
        return Appender(self._names, settings)

    def _prepare(self) -> None:
        """Makes the folder, which is the log's own: whoever else owned it would keep the log's writer out of it."""
        folder = self._names.directory
        if storage.is_directory(folder):
            return
        if not (self._mine() or _root()):
            what = "only the log's owner makes its folder, and has not yet; let the owner read the log once"
            raise StorageError(what, path=folder)
        storage.make_directory(folder)
        self._give_one(folder)

    def _mine(self) -> bool:
        return not hasattr(os, "geteuid") or os.geteuid() == self._place.owner[0]

    def _give(self) -> None:
        """Where root reads somebody's log, the record of it is theirs too: their next read goes into the same file."""
        if _root() and not self._mine():
            for path in (self._names.path, self._names.lock, *self._names.list_sealed()[-1:]):
                self._give_one(path)

    def _give_one(self, path: str) -> None:
        if _root() and not self._mine():
            with suppress(OSError):  # a network's disk may refuse it: then the owner's reads say that they cannot
                if storage.give_to is not None and storage.lstat(path).st_uid != self._place.owner[0]:
                    storage.give_to(path, *self._place.owner)

    def close(self) -> None:
        """Syncs and closes it."""
        appender, self._appender = self._appender, None
        if appender is not None:
            with suppress(AuditError, OSError):  # what was appended is written; there is nobody to tell
                appender.close()


def _body(details: dict[str, Any]) -> record.Body:
    """The record, whose actor is whoever read, for the filters that look for actors."""
    body = record.control(TYPE, details)
    actor = orjson.dumps({"type": "user", "id": details["who"]["user"]})
    return body._replace(members=b',"actor":%b%b' % (actor, body.members))


def _root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def into_log(place: Place, details: dict[str, Any]) -> bool:
    """Appends a record to the log itself: through this process's own appender, or where nobody holds the lock.

    False where that is not possible now.
    """
    from jsonl_audit.writer import registry
    from jsonl_audit.writer.appender import Appender
    from jsonl_audit.writer.settings import Settings

    body = _body(details)
    try:
        for appender in registry.appenders():
            if isinstance(appender, Appender) and appender.names.path == place.names.path and not appender.closed:
                appender.append(body)
                return True
        appender = Appender(place.names, Settings(lock_timeout=0.0, mode=place.mode | 0o600, shared=True))
        try:
            appender.append(body)
        finally:
            appender.close()
    except (AuditError, OSError):  # somebody holds it, or it is read-only here: it goes beside
        return False
    return True
