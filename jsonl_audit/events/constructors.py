"""A function for each type that makes an event of it: ``tool.execute`` is made by ``events.tool_execute(tool=…)``.

Each takes the details of its type by name (in either spelling: `task_id`, `taskId`), and what every event may have:

actor, or user, profile, device, connection, agent, role, ip, user_agent of the actor · target · outcome, reason ·
task, session, correlation, parent · component, tool · level · time · details (a mapping of more) · artifacts.

A name that the type has for a detail of its own means that detail.
"""

from __future__ import annotations

import inspect
import keyword
import sys
from collections.abc import Callable
from typing import Any

from jsonl_audit.errors import InvalidEventError
from jsonl_audit.events import prepare, registry
from jsonl_audit.events.hashed import without_texts
from jsonl_audit.events.kinds import EventType
from jsonl_audit.events.model import Actor, AuditEvent
from jsonl_audit.spelling import FIELDS, twins

__all__ = ["COMMON", "constructor", "function_name", "made", "parameters_of", "signature_of"]

_PARTIES = ("user", "profile", "device", "connection", "agent", "role", "ip", "user_agent")
_FIELDS = (
    "actor", "target", "outcome", "reason", "task", "session", "correlation", "parent", "component", "tool", "level",
    "time", "id", "category", "action", "artifacts",
)  # fmt: skip
COMMON = (
    "actor", "user", "profile", "target", "outcome", "reason", "task", "session", "correlation", "parent", "component",
    "tool", "level", "time", "details", "artifacts",
)  # fmt: skip
"""What every constructor takes besides the details of its type, in the order of its signature."""
_ALIASES = {spelled: name for name, field in FIELDS.items() for spelled in field.members} | {
    "severity": "level", "initiator": "actor", "timestamp": "time", "ts": "time", "metadata": "details",
}  # fmt: skip


def made(kind: EventType, members: dict[str, Any]) -> AuditEvent:
    """The event of this type that the members say; see the module.

    Raises InvalidEventError where one is of the wrong kind or missing, TypeError for a name that does not exist.
    """
    own = _own_names(kind)
    hashed = {name for each in kind.hashed for name in each.of}
    details: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    parties: dict[str, Any] = {}
    key = members.pop("key", None) if hashed and "key" in members else None
    for name, value in members.items():
        if value is None:
            continue
        if name in own:
            details[own[name]] = value
        elif name in hashed:
            details[name] = value
        elif name == "details" or name == "metadata":
            if not isinstance(value, dict):
                value = _mapping(kind, value)
            details = {**value, **details}
        else:
            field = _ALIASES.get(name, name)
            if field in _PARTIES:
                parties[field] = value
            elif field in _FIELDS:
                fields[field] = value
            else:
                raise TypeError(f"{function_name(kind)}() has no argument {name!r}{_near(name, kind)}")
    if parties:
        actor = Actor.of(fields.get("actor") or {})
        fields["actor"] = actor.replace(**parties)
    details = without_texts(kind, details, key)
    fields.setdefault("level", kind.level)
    event = AuditEvent(kind.name, details=details, schema=kind.version, **fields)
    if event.outcome is None and isinstance(kind.outcome, str):
        event = event.replace(outcome=kind.outcome)
    prepare.check(kind, event.to_dict())
    return event


def _mapping(kind: EventType, value: Any) -> dict[str, Any]:
    try:
        return dict(value)
    except (TypeError, ValueError):
        raise InvalidEventError(
            f"{kind.name}: details is no mapping", type=kind.name, field="details", expected="an object", actual=value
        ) from None


def _own_names(kind: EventType) -> dict[str, str]:
    """By each name that may be given, the detail that it means."""
    names = {spelled: name for name in kind.details for spelled in twins(name)}
    return {**names, **{name: name for name in kind.details}}


def _near(name: str, kind: EventType) -> str:
    import difflib

    near = difflib.get_close_matches(name, [*_own_names(kind), *COMMON, *_PARTIES], 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def function_name(kind: EventType) -> str:
    """The name of a type's constructor.

    >>> function_name(registry.get("auth.connect.success"))
    'auth_connect_success'
    """
    name = "".join(letter if letter.isalnum() else "_" for letter in kind.name)
    package: Any = sys.modules["jsonl_audit.events"]
    taken = keyword.iskeyword(name) or name in package._HOMES or name in package._MODULES
    return f"{name}_" if taken else name


def parameters_of(kind: EventType) -> dict[str, bool]:
    """The names that a type's constructor takes, and whether each is required."""
    hashed = {each.name: each for each in kind.hashed}
    found: dict[str, bool] = {}
    for name in kind.details:
        by_hash = any(name in (f"{stem}_hash", f"{stem}_length") for stem in hashed)
        found[_snake(name)] = name in kind.required and not by_hash
    for each in kind.hashed:
        found[each.of[0]] = False
        if "text" in each.of:
            found["text"] = False
    if kind.hashed:
        found["key"] = False
    for name in kind.needs:
        found[name] = False  # a context may say it
    for name in COMMON:
        found.setdefault(name, False)
    return dict(sorted(found.items(), key=lambda item: not item[1]))


def _snake(name: str) -> str:
    return name if "_" in name else next(iter(twins(name)), name)


def signature_of(kind: EventType) -> inspect.Signature:
    """What a type's constructor takes.

    >>> str(signature_of(registry.get("device.revoked")))[:64]
    '(*, platform=None, fingerprint=None, by=None, actor=None, user=N'
    """
    return inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=inspect.Parameter.empty if needed else None)
            for name, needed in parameters_of(kind).items()
            if name.isidentifier() and not keyword.iskeyword(name)  # `from` goes by **{"from": …}
        ]
    )


def constructor(name: str) -> Callable[..., AuditEvent] | None:
    """The constructor of that name; None if there is no type that it could make."""
    for kind in registry.types():
        if function_name(kind) == name:
            return _function(kind)
    return None


def _function(kind: EventType) -> Callable[..., AuditEvent]:
    def make(**members: Any) -> AuditEvent:
        return made(kind, members)

    make.__name__ = make.__qualname__ = function_name(kind)
    make.__module__ = "jsonl_audit.events"
    make.__doc__ = f"{kind.name}: {kind.description}"
    make.__signature__ = signature_of(kind)  # type: ignore[attr-defined]
    return make
