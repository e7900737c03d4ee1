"""A record of the standard library's logging, as an event of the audit log. Pure, and never raising."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from jsonl_audit import forms, instants, record
from jsonl_audit.handlers import exceptions
from jsonl_audit.handlers.message import message_of
from jsonl_audit.shorten import runs_no_code, settled

__all__ = ["OURS", "TYPE_MEMBER", "current_task", "event_of", "exception_members", "level_word", "members_of", "typed"]

OURS = frozenset(
    ("type", "time", "timestamp", "level", "logger", "message", "args", "source", "process", "thread", "exception",
     "stack", "problems", "extra", "$short")
)  # fmt: skip
"""Names at the top level that have a meaning here: what else comes under such a name stands under `extra`."""
TYPE_MEMBER = "audit_type"
"""What a call names the type of its event by: ``extra={"audit_type": "auth.login"}``."""

DEEPEST = 3
"""A ``__repr__`` that logs is logged while a record is made; so many times one within the other, then no more."""

_STANDARD = frozenset(
    {*vars(logging.LogRecord("", 0, "", 0, "", (), None)), "message", "asctime", "taskName", TYPE_MEMBER}
)
_levels: dict[Any, str] = {}
_rendering = threading.local()


def event_of(
    given: logging.LogRecord, kind: str = "log.record", exception_text: Callable[[Any], str] | None = None
) -> Mapping[str, Any]:
    """The event that a record of `logging` is.

    :param kind: its type, if it names none.
    :param exception_text: makes the text of an ``exc_info``, which is kept beside its members.

    What a stranger's code does in it (``__str__``, ``__repr__``) runs once, and what goes wrong there is said under
    `problems`.

    >>> made = event_of(logging.makeLogRecord({"msg": "%s in", "args": ("u1",), "levelname": "INFO", "actor": "u1"}))
    >>> made["level"], made["message"], made["args"], made["actor"]
    ('info', 'u1 in', ['u1'], 'u1')
    """
    depth = getattr(_rendering, "depth", 0)
    if depth >= DEEPEST and not runs_no_code({**given.__dict__, "exc_info": given.__dict__.get("exc_info") or None}):
        return _bare(given, kind)
    _rendering.depth = depth + 1
    try:
        return _event_of(given, kind, exception_text)
    finally:
        _rendering.depth = depth


def _event_of(
    given: logging.LogRecord, kind: str, exception_text: Callable[[Any], str] | None
) -> Mapping[str, Any]:
    facts = given.__dict__
    get = facts.get  # filters may have taken something out
    problems: list[str] = []
    message, args = message_of(given, problems)
    event: dict[str, Any] = {
        "type": typed(facts[TYPE_MEMBER], kind, problems) if TYPE_MEMBER in facts else kind,
        "time": _time(get("created"), problems),
        "level": level_word(get("levelname", "")),
        "logger": get("name"),
        "message": message,
    }
    if args:
        event["args"] = args
    if (file := get("pathname")) is not None:
        event["source"] = {"file": file, "line": get("lineno"), "function": get("funcName")}
    if (process := get("process")) is not None:
        event["process"] = {"id": process, "name": get("processName")}
    if (thread := get("thread")) is not None:
        event["thread"] = {"id": thread, "name": get("threadName")}
    task = facts["taskName"] if "taskName" in facts else current_task()
    if task is not None:
        event.setdefault("thread", {})["task"] = task
    if (info := get("exc_info")) is not None and info:
        told = exception_members(info)
        if told is not None:
            event["exception"] = told
            if exception_text is not None:
                try:
                    told["text"] = str.__str__(exception_text(info))
                except Exception as error:  # noqa: BLE001 - a stranger's formatter
                    problems.append(f"exception: {forms.shown(error)}")
    elif (text := get("exc_text")) is not None:
        event["exception"] = {"text": text}
    if (frames := get("stack_info")) is not None:
        event["stack"] = exceptions.stack(frames) if type(frames) is str else frames
    if problems:
        event["problems"] = problems
    names = facts.keys() - _STANDARD
    if names:
        members_of({name: value for name, value in facts.items() if name in names}, event)
    return settled(event)


def _bare(given: logging.LogRecord, kind: str) -> Mapping[str, Any]:
    """What can be said of a record without running anybody's code, which has come here by logging in turn."""
    get = given.__dict__.get
    msg = get("msg")
    return {
        "type": kind,
        "time": _time(get("created"), []),
        "level": level_word(get("levelname", "")),
        "logger": get("name"),
        "message": msg if type(msg) is str else f"<{exceptions.name_of(msg)}>",
        "source": {"file": get("pathname"), "line": get("lineno"), "function": get("funcName")},
        "problems": ["logged while a record was made of a record of a record: arguments and extra are left out"],
    }


def members_of(extra: Mapping[Any, Any], event: dict[str, Any]) -> None:
    """Puts the caller's own members into the event; those whose names have a meaning already stand under `extra`.

    >>> event = {"message": "m"}
    >>> members_of({"actor": "u1", "message": "another", "seq": 7}, event)
    >>> event
    {'message': 'm', 'actor': 'u1', 'extra': {'message': 'another', 'seq': 7}}
    """
    clashing: dict[Any, Any] = {}
    for name, value in extra.items():
        if type(name) is not str or name in OURS or name in record.RESERVED:
            clashing[name] = value
        else:
            event[name] = value
    if clashing:
        event["extra"] = clashing


def typed(given: Any, otherwise: str, problems: list[str]) -> str:
    """The type that a call gave its event, or `otherwise`, where that can be none.

    >>> typed("auth.login", "log.record", []), typed("not a type", "log.record", [])
    ('auth.login', 'log.record')
    """
    if isinstance(given, str):
        name: str = str.__str__(given)
        if record.TYPE.fullmatch(name) is not None and not name.startswith("audit."):
            return name
    problems.append(f"type: {forms.shown(given)} cannot be one")
    return otherwise


def current_task() -> str | None:
    """The name of the asyncio task that runs in this thread, if one does."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        task = asyncio.current_task()
        return None if task is None else str(task.get_name())
    except Exception:  # noqa: BLE001 - no loop runs here, or a task with ideas of its own
        return None


def _time(created: Any, problems: list[str]) -> Any:
    if type(created) is float and 0.0 <= created < instants.MILLISECONDS_FROM:
        return created
    found = instants.from_event(created)
    if found is not None:
        return found[0]
    problems.append(f"time: {forms.shown(created)} is none")
    return time.time()


def level_word(name: Any) -> str:
    """The name of a level, as a word: in lower case.

    >>> level_word("WARNING")
    'warning'
    """
    if type(name) is not str:
        name = exceptions.text_of(name)[0]
    word = _levels.get(name)
    if word is None:
        word = str(name).lower()
        if len(_levels) < 1000:
            _levels[name] = word
    return word


def exception_members(info: Any) -> dict[str, Any] | None:
    """What is recorded of an ``exc_info``: an exception, the three of sys.exc_info, or whatever stands there.

    >>> exception_members(ValueError("no"))
    {'type': 'ValueError', 'module': 'builtins', 'message': 'no'}
    """
    error = exceptions.exception_of(info)
    if error is not None:
        return exceptions.described(error, info[2] if isinstance(info, tuple) else None)
    return None if isinstance(info, tuple) else {"text": forms.shown(info)}
