"""AuditHandler: the standard library's logging, to an audit log."""

from __future__ import annotations

import codecs
import logging
import os
from typing import TYPE_CHECKING, Any

from jsonl_audit.errors import AuditError
from jsonl_audit.handlers.options import check, checked, utf_8_or_none
from jsonl_audit.handlers.outlet import OWN_LOGGER, Outlet
from jsonl_audit.handlers.records import event_of
from jsonl_audit.record import LINE_LIMIT

if TYPE_CHECKING:
    from jsonl_audit.log import AuditLog

__all__ = ["AuditHandler"]


class AuditHandler(logging.Handler):
    """Appends what is logged to an audit log. It takes the place of ``logging.handlers.RotatingFileHandler``.

    **What a power cut may take**: by default what was logged in the last second, for ``fsync="interval"`` syncs in the
    background each `sync_interval` seconds. ``fsync="always"`` loses nothing: each call returns when its record is on
    disk. A killed process loses nothing in either.

    The arguments up to `errors` are RotatingFileHandler's, in its order; numbers may be given as text.

    :param filename: the log; ``~`` is expanded. A file that is there already must be an audit log.
    :param mode: ``"a"``; anything else is refused.
    :param maxBytes: a segment is sealed before it becomes longer; 0 for never.
    :param backupCount: so many sealed segments are kept, older ones are purged on the record; 0 for all.
    :param encoding: None or UTF-8.
    :param delay: the log is opened by the first record.
    :param errors: accepted and not needed: every text can be recorded.
    :param fsync: ``"interval"``, ``"always"`` or ``"never"``, as in :class:`jsonl_audit.AuditLog`.
    :param sync_interval: seconds.
    :param shared: other processes may append to the same log.
    :param on_error: what happens to a record that cannot be written: as in AuditLog. With ``"raise"`` the error comes
        out of the logging call; with all others it never does: what cannot be kept in any way is counted in `lost`
        and goes to ``handleError``.
    :param spill_path: the folder for what is spilled.
    :param lock_timeout: seconds to wait for other writers.
    :param permissions: of new files; AuditLog calls it `mode`.
    :param line_limit: bytes; the large values of a longer record go into artifacts; without these it is shortened, its
        length and hash noted.
    :param type: of the records; a call may name another by ``extra={"audit_type": "auth.login"}``.
    :param options: what else AuditLog takes.

    Raises ValueError for arguments that make no sense, and, unless `delay` is set, what AuditLog raises.

    >>> import logging
    >>> logger = logging.getLogger("app")
    >>> logger.addHandler(AuditHandler("audit.jsonl"))
    >>> logger.warning("%s was denied", "u1", extra={"outcome": "denied"})
    >>> from jsonl_audit import tail
    >>> record = tail("audit.jsonl", 1)[0]
    >>> record["type"], record["level"], record["message"], record["outcome"]
    ('log.record', 'warning', 'u1 was denied', 'denied')
    >>> logger.handlers.pop().close()
    """

    def __init__(
        self,
        filename: str | os.PathLike[str],
        mode: str = "a",
        maxBytes: int | str | None = 100 * 2**20,  # noqa: N803 - RotatingFileHandler's
        backupCount: int | str = 0,  # noqa: N803 - RotatingFileHandler's
        encoding: str | None = None,
        delay: bool | str = False,
        errors: str | None = None,
        *,
        fsync: str = "interval",
        sync_interval: float | str = 1.0,
        shared: bool | str = True,
        on_error: str = "spill",
        spill_path: str | os.PathLike[str] | None = None,
        lock_timeout: float | str | None = None,
        permissions: int | str = 0o600,
        line_limit: int | str = LINE_LIMIT,
        type: str = "log.record",  # noqa: A002 - the name that it has in an event
        **options: Any,
    ) -> None:
        if mode != "a":
            raise ValueError(f"mode is 'a', not {mode!r}: an audit log is only ever appended to")
        utf_8_or_none(encoding)
        if errors is not None:
            codecs.lookup_error(errors)
        chosen = checked(
            {
                "max_bytes": maxBytes, "backup_count": backupCount, "fsync": fsync, "sync_interval": sync_interval,
                "shared": shared, "lock_timeout": lock_timeout, "mode": permissions, "line_limit": line_limit,
                **options,
            }
        )  # fmt: skip
        chosen["on_error"] = on_error
        if spill_path is not None:
            chosen["spill_path"] = spill_path
        for name in ("max_bytes", "backup_count"):  # below zero is none, as RotatingFileHandler has it
            if isinstance(chosen[name], int):
                chosen[name] = max(0, chosen[name])
        check(filename, type, chosen)
        logging.Handler.__init__(self)
        self.outlet = Outlet(filename, chosen)
        self.baseFilename = self.outlet.path
        """The log's path, absolute, under the name that it has in a FileHandler."""
        self.mode = mode
        self.maxBytes = chosen["max_bytes"]
        self.backupCount = chosen["backup_count"]
        self.encoding = encoding
        self.errors = errors
        self.delay = checked({"delay": delay})["delay"]
        self.type = type
        if not self.delay:
            self.outlet.open()

    @property
    def log(self) -> AuditLog | None:
        """The AuditLog, as far as it is open: for ``verify()``, ``notes`` and what else it says."""
        return self.outlet.log

    @property
    def lost(self) -> int:
        """How many records could not be kept in any way."""
        return self.outlet.lost

    def handle(self, record: logging.LogRecord) -> Any:
        """Appends a record that the filters let through.

        Not under this handler's own lock, as other handlers do it: threads that append at the same time share one
        write and one sync, and a record that is made in the middle of another waits for nothing.
        """
        passed: Any = self.filter(record)
        if isinstance(passed, logging.LogRecord):
            record = passed
        if passed:
            self.emit(record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Appends a record. Raises only with ``on_error="raise"``."""
        name = record.__dict__.get("name")
        if name == OWN_LOGGER or (type(name) is str and name.startswith(f"{OWN_LOGGER}.")):
            if logging.lastResort is not None and _nobody_else_hears(name):
                logging.lastResort.handle(record)
            return
        try:
            event = event_of(record, self.type, getattr(self.formatter, "formatException", None))
        except Exception as error:
            if self.outlet.raises:
                raise
            self.outlet.lost += 1
            self._report(error, record)
        else:
            self.outlet.take(event, lambda error: self._report(error, record))

    def _report(self, error: Exception, record: logging.LogRecord) -> None:
        """Says what was lost, as `logging` does."""
        try:
            raise error
        except Exception:  # noqa: BLE001 - handleError asks which error is being handled
            try:
                self.handleError(record)
            except RecursionError:  # the program stands at the end of its stack: it is counted
                pass

    def flush(self) -> None:
        """Returns when all that was logged is on disk. Raises only with ``on_error="raise"``."""
        self._quietly(self.outlet.flush)

    def doRollover(self) -> None:  # noqa: N802 - RotatingFileHandler's
        """Seals the active segment now. Raises only with ``on_error="raise"``."""
        self._quietly(self.outlet.rotate)

    def close(self) -> None:
        """Syncs and closes the log; a record that comes later opens it again."""
        logging.Handler.close(self)
        self._quietly(self.outlet.close)

    def _quietly(self, what: Any) -> None:
        try:
            what()
        except AuditError as error:
            if self.outlet.raises:
                raise
            told = f"what was logged to {self.baseFilename} is not known to be on disk"
            self._report(error, logging.makeLogRecord({"msg": told}))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("lock", "_closed")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        logging.Handler.__init__(self)
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.baseFilename} ({logging.getLevelName(self.level)})>"


def _nobody_else_hears(name: str) -> bool:
    """Whether what an audit log says of itself would go to audit handlers alone, which do not take it."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if not all(isinstance(handler, AuditHandler) for handler in logger.handlers):
            return False
        logger = logger.parent if logger.propagate else None
    return True
