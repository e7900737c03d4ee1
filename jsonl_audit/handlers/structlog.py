"""A logger factory for structlog: what is bound and logged becomes an event of the audit log. Needs no structlog."""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import Any

from jsonl_audit import instants
from jsonl_audit.handlers.exceptions import stack
from jsonl_audit.handlers.outlet import OWN_LOGGER, outlet_of
from jsonl_audit.handlers.records import (
    TYPE_MEMBER,
    current_task,
    exception_members,
    level_word,
    members_of,
    typed,
)
from jsonl_audit.shorten import settled
from jsonl_audit.writer.chain import Receipt

__all__ = ["AuditLogger", "AuditLoggerFactory"]


class AuditLoggerFactory:
    """Makes the loggers that structlog wraps.

    ``structlog.configure(processors=[…], logger_factory=AuditLoggerFactory("audit.jsonl"))``; the processors end
    without a renderer: the event dict itself is what is recorded. `event` becomes `message`; `level`,
    `timestamp`, ``exc_info=`` and ``stack_info=`` are understood; everything else stands as it is, so that ``actor=``,
    ``outcome=`` and ``task=`` are found by the filters. ``audit_type="auth.login"`` names the type.

    **What a power cut may take**: by default what was logged in the last second; see ``fsync`` of
    :class:`jsonl_audit.AuditLog`.

    :param path: of the log, shared by all loggers of this factory; it is opened by the first event.
    :param type: of events that name none.
    :param options: of AuditLog; unless given, `fsync` is ``"interval"``, `shared` is true and `on_error` is
        ``"spill"``.

    Raises TypeError and ValueError for options that make no sense, NotALogError where something else stands at `path`.

    >>> factory = AuditLoggerFactory("audit.jsonl")
    >>> factory("app").info(event="logged in", actor={"id": "u1"}).seq
    2
    >>> factory.close()
    """

    def __init__(self, path: str | os.PathLike[str], *, type: str = "log.record", **options: Any) -> None:  # noqa: A002
        self.type = type
        self.outlet = outlet_of(path, type, options)

    @property
    def lost(self) -> int:
        """How many events could not be kept in any way."""
        return self.outlet.lost

    def __call__(self, *args: Any) -> AuditLogger:
        """A logger; its name is the first argument of ``structlog.get_logger()``, if there is one."""
        return AuditLogger(self, args[0] if args and isinstance(args[0], str) else None)

    def flush(self) -> None:
        """Returns when all that was logged is on disk. Raises what AuditLog.flush raises."""
        self.outlet.flush()

    def close(self) -> None:
        """Syncs and closes the log; an event that comes later opens it again. Raises what AuditLog.close raises."""
        self.outlet.close()

    def __repr__(self) -> str:
        return f"<AuditLoggerFactory {self.outlet.path!r}>"


_LEVELS = {"warn": "warning", "err": "error", "failure": "critical", "fatal": "critical", "exception": "error"}


class AuditLogger:
    """What structlog wraps: a method for each level, which takes the event dict and returns the receipt.

    The receipt is None for an event that came in the middle of another append, and for one that was lost.
    """

    def __init__(self, factory: AuditLoggerFactory, name: str | None = None) -> None:
        self.factory = factory
        self.name = name

    def msg(self, /, *args: Any, **event: Any) -> Receipt | None:
        """Appends an event at level info."""
        return self._append("info", args, event)

    log = info = msg

    def debug(self, /, *args: Any, **event: Any) -> Receipt | None:
        """Appends an event at level debug."""
        return self._append("debug", args, event)

    def warning(self, /, *args: Any, **event: Any) -> Receipt | None:
        """Appends an event at level warning."""
        return self._append("warning", args, event)

    warn = warning

    def error(self, /, *args: Any, **event: Any) -> Receipt | None:
        """Appends an event at level error."""
        return self._append("error", args, event)

    err = error

    def exception(self, /, *args: Any, **event: Any) -> Receipt | None:
        """Appends an event at level error, with the exception that is being handled."""
        return self._append("error", args, {"exc_info": True, **event})

    def critical(self, /, *args: Any, **event: Any) -> Receipt | None:
        """Appends an event at level critical."""
        return self._append("critical", args, event)

    fatal = failure = critical

    def _append(self, level: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> Receipt | None:
        if args:  # a renderer stood last, and has made a text of the event
            given = {"event": args[0] if len(args) == 1 else args, **given}
        return self.factory.outlet.take(event_of(given, level, self.name, self.factory.type), _say)


def event_of(
    given: Mapping[str, Any], level: str = "info", logger: str | None = None, kind: str = "log.record"
) -> Mapping[str, Any]:
    """The event that an event dict of structlog is.

    >>> made = event_of({"event": "logged in", "user": "u1", "level": "warning", "seq": 7})
    >>> made["level"], made["message"], made["user"], made["extra"]
    ('warning', 'logged in', 'u1', {'seq': 7})
    """
    members = dict(given)
    problems: list[str] = []
    named = members.pop(TYPE_MEMBER, None)
    event: dict[str, Any] = {"type": kind if named is None else typed(named, kind, problems)}
    for name in ("timestamp", "time"):
        if name in members:
            found = instants.from_event(members[name])
            if found is not None:
                event["time"] = found[0]
                del members[name]
                break
    event["level"] = level_word(members.pop("level", level))
    name = members.pop("logger", logger)
    if name is not None:
        event["logger"] = name
    event["message"] = members.pop("event", "")
    event["process"] = {"id": os.getpid(), "name": _process_name()}
    event["thread"] = {"id": threading.get_ident(), "name": threading.current_thread().name}
    task = current_task()
    if task is not None:
        event["thread"]["task"] = task
    told = _exception(members.pop("exc_info", None))
    if told is None and "exception" in members:
        text = members.pop("exception")
        told = {"text": text} if isinstance(text, str) else text
    if told is not None:
        event["exception"] = told
    if members.pop("stack_info", False) and "stack" not in members:
        members["stack"] = "".join(traceback.format_stack(sys._getframe(2)))
    if "stack" in members:
        text = members.pop("stack")
        event["stack"] = stack(text) if type(text) is str else text
    if problems:
        event["problems"] = problems
    members_of(members, event)
    return settled(event)


def _exception(info: Any) -> dict[str, Any] | None:
    if not info:
        return None
    return exception_members(sys.exc_info() if info is True else info)


def _process_name() -> str:
    loaded = sys.modules.get("multiprocessing")
    return "MainProcess" if loaded is None else str(loaded.current_process().name)


def _say(error: Exception) -> None:
    logging.getLogger(OWN_LOGGER).error("an event could not be recorded: %s", error)
