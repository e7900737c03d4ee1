"""A sink for loguru: what is logged becomes an event of the audit log. Needs no loguru."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from jsonl_audit import instants
from jsonl_audit.handlers.exceptions import text_of
from jsonl_audit.handlers.outlet import OWN_LOGGER, outlet_of
from jsonl_audit.handlers.records import TYPE_MEMBER, current_task, exception_members, level_word, members_of, typed
from jsonl_audit.shorten import settled

__all__ = ["AuditSink"]


class AuditSink:
    """Where loguru's messages go: ``logger.add(AuditSink("audit.jsonl"))``.

    Recorded are the members of the message's record, not its formatted text: level, message, exception, `extra`,
    process, thread, source. ``logger.bind(audit_type="auth.login")`` names the type. It works with ``enqueue=True``,
    where loguru hands on an exception without its frames: then its text is kept.

    **What a power cut may take**: by default what was logged in the last second; see ``fsync`` of
    :class:`jsonl_audit.AuditLog`.

    :param path: of the log; it is opened by the first message.
    :param type: of events that name none.
    :param options: of AuditLog; unless given, `fsync` is ``"interval"``, `shared` is true and `on_error` is
        ``"spill"``.

    A message that cannot be kept in any way is counted in `lost`, and raises into loguru, which says so on standard
    error and goes on (``logger.add(…, catch=False)``: raises into the program).

    Raises TypeError and ValueError for options that make no sense, NotALogError where something else stands at `path`.

    >>> sink = AuditSink("audit.jsonl")
    >>> sink.stop()
    """

    def __init__(self, path: str | os.PathLike[str], *, type: str = "log.record", **options: Any) -> None:  # noqa: A002
        self.type = type
        self.outlet = outlet_of(path, type, options)

    @property
    def lost(self) -> int:
        """How many messages could not be kept in any way."""
        return self.outlet.lost

    def write(self, message: Any) -> None:
        """Appends one message of loguru's. Raises what AuditLog.append raises."""
        given = message.record
        name = given.get("name") or ""
        if name == OWN_LOGGER or name.startswith(f"{OWN_LOGGER}."):
            return
        try:
            self.outlet.append(event_of(given, self.type, message), self._lost)
        except Exception:
            self.outlet.lost += 1
            raise

    def _lost(self, _: Exception) -> None:
        self.outlet.lost += 1

    def flush(self) -> None:
        """Does nothing: no message waits in this process. loguru calls it after each one; see `sync`."""

    def sync(self) -> None:
        """Returns when all that was logged is on disk. Raises what AuditLog.flush raises."""
        self.outlet.flush()

    def stop(self) -> None:
        """Syncs and closes the log. Raises what AuditLog.close raises."""
        self.outlet.close()

    def __repr__(self) -> str:
        return f"<AuditSink {self.outlet.path!r}>"


def event_of(given: Mapping[str, Any], kind: str = "log.record", text: str | None = None) -> Mapping[str, Any]:
    """The event that a record of loguru's is; `text` is what loguru made of it.

    >>> made = event_of({"message": "logged in", "extra": {"actor": "u1"}})
    >>> made["message"], made["actor"]
    ('logged in', 'u1')
    """
    members = dict(given.get("extra") or {})
    problems: list[str] = []
    named = members.pop(TYPE_MEMBER, None)
    event: dict[str, Any] = {"type": kind if named is None else typed(named, kind, problems)}
    found = instants.from_event(given.get("time"))
    if found is not None:
        event["time"] = found[0]
    level = given.get("level")
    if level is not None:
        event["level"] = level_word(level.name)
    event["logger"] = given.get("name")
    event["message"] = given.get("message", "")
    file = given.get("file")
    if file is not None:
        event["source"] = {"file": file.path, "line": given.get("line"), "function": given.get("function")}
    for part in ("process", "thread"):
        if given.get(part) is not None:
            event[part] = {"id": given[part].id, "name": given[part].name}
    task = current_task()
    if task is not None:
        event.setdefault("thread", {})["task"] = task
    error = given.get("exception")
    if error is not None:
        event["exception"] = exception_members(tuple(error)) or {}
        if error.traceback is None and text is not None:
            event["exception"]["text"] = text_of(text)[0]
    if problems:
        event["problems"] = problems
    members_of(members, event)
    return settled(event)
