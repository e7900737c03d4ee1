"""Where the records of reading go: into a small log beside the one that is read, or into that log itself."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from jsonl_audit import record, storage
from jsonl_audit.accessed.setting import Place
from jsonl_audit.acting import as_owner, is_root
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
    """The log of the reads of one log, kept open while the process reads. A commit locks it only for an instant.

    Where root reads somebody's log, it is written as that user: it is theirs, and they control where it lies.
    """

    def __init__(self, place: Place) -> None:
        self.log = place.log
        """The UUID of the log that is read: another one may come to stand at its path."""
        self._place = place
        self._path = path_beside(place.names)
        self._appender: Appender | None = None
        self._lock = threading.RLock()

    def append(self, details: dict[str, Any]) -> None:
        """Appends one record. Raises AuditError, OSError where that is impossible."""
        body = _body(details)
        with as_owner(self._place.owner, self._path):
            try:
                self._opened().append(body)
            except (AuditError, OSError):  # its folder was taken away, say, or it is closed: once more from the start
                self._close()
                self._opened().append(body)

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
        return Appender(Names.of(self._path), settings)

    def _prepare(self) -> None:
        """Makes the folder, which is to be the log's owner's, and looks that no name here leads elsewhere.

        A folder of anybody else's would keep the log's own writer out, or lead whoever reads where they want.
        """
        folder = os.path.dirname(self._path)
        owner, mine = self._place.owner[0], os.geteuid() if hasattr(os, "geteuid") else self._place.owner[0]
        if not storage.exists(folder):
            if mine not in (owner, 0):
                what = "only the log's owner makes its folder, and has not yet; let the owner read the log once"
                raise StorageError(what, path=folder)
            storage.make_directory(folder)
        found = storage.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, mine) or self._leads_away():
            what = "what stands here is no folder or file of the log's owner, or leads elsewhere; move it away"
            raise StorageError(what, path=folder)

    def _leads_away(self) -> bool:
        """Whether a symlink stands on the way; the log's own path has none any more."""
        return any(os.path.realpath(path) != path for path in (self._path, self._path + ".lock", self._path + ".next"))

    def close(self) -> None:
        """Syncs and closes it."""
        with suppress(AuditError, OSError), as_owner(self._place.owner, self._path):
            self._close()  # what was appended is written; there is nobody to tell what its last sync says

    def abandon(self) -> None:
        """Lets go of it, without another look: what it lay beside is gone."""
        appender, self._appender = self._appender, None
        if appender is not None:
            with suppress(AuditError, OSError):  # nothing of it is left that anybody could lose
                appender.abandon()

    def _close(self) -> None:
        appender, self._appender = self._appender, None
        if appender is not None:
            with suppress(AuditError, OSError):  # the same as above
                appender.close()


def _body(details: dict[str, Any]) -> record.Body:
    """The record, whose actor is whoever read, for the filters that look for actors."""
    body = record.control(TYPE, details)
    actor = orjson.dumps({"type": "user", "id": details["who"]["user"]})
    return body._replace(members=b',"actor":%b%b' % (actor, body.members))


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
        if is_root() and place.owner[0] != 0:  # the log's files would be root's from then on
            return False
        appender = Appender(place.names, Settings(lock_timeout=0.0, mode=place.mode | 0o600, shared=True))
        try:
            appender.append(body)
        finally:
            appender.close()
    except (AuditError, OSError):  # somebody holds it, or it is read-only here: it goes beside
        return False
    return True
