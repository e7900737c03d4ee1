"""A record in the words of one line: when, who, and what else it says, for a person who reads many."""

from __future__ import annotations

import re
from typing import Any

from jsonl_audit.cli.visible import compact, human_size
from jsonl_audit.reader import fields
from jsonl_audit.spelling import OF_ACTOR

__all__ = ["ENGINE", "at_path", "level", "outcome", "rest", "target", "when", "who"]

ENGINE = frozenset(("seq", "ts", "id", "type", "time", "clock", "batch", "salt", "erased", "prev", "hash"))
"""Members that the engine writes: of a caller's own, only `time` has such a name."""
_SHOWN = ENGINE | {"actor", "outcome", "level", "severity", "target", "reason", "details"}
_NOTHING = (None, "", "unknown")
_DIGEST = re.compile("[0-9a-f]{64}")


def when(record: dict[str, Any], *, brief: bool = False) -> str:
    """When it happened, to the millisecond (if `brief`, to the second): `time` where the record has one, else `ts`.

    >>> when({"ts": "2026-11-21T10:11:12.123456Z"}), when({"ts": "2026-11-21T10:11:12.123456Z"}, brief=True)
    ('2026-11-21T10:11:12.123Z', '2026-11-21T10:11:12Z')
    """
    instant = record.get("time", record.get("ts"))
    if not isinstance(instant, str) or len(instant) != 27:
        return compact(instant)
    return f"{instant[: 19 if brief else 23]}Z"


def who(record: dict[str, Any], *, brief: bool = False) -> str:
    """Who acted: name, first identifier or type of the actor, and role unless `brief`; empty where nobody knows.

    >>> who({"actor": {"role": "admin", "deviceId": "d-1"}}), who({"actor": {"type": "agent", "name": "x"}}), who({})
    ('d-1 (admin)', 'x', '')
    >>> who({"deviceId": "d-1"})
    'd-1'
    """
    name = _identifier(record) or _member(record.get("actor"), "type")
    role = "" if brief and name else _member(record.get("actor"), "role")
    return " ".join(word for word in (name, f"({role})" if role else "") if word)


def _identifier(record: dict[str, Any]) -> str:
    name = _member(record.get("actor"), "name")
    if name:
        return name
    return next((compact(value) for value in fields.values_of("actor", record) if value not in _NOTHING), "")


def _member(value: Any, name: str) -> str:
    """A member of what may be no object, as text; empty where there is none, or nothing known."""
    found = value.get(name) if isinstance(value, dict) else None
    return "" if found in _NOTHING else compact(found)


def outcome(record: dict[str, Any]) -> str:
    """How it ended; empty where nobody knows.

    >>> outcome({"outcome": {"result": "denied", "reason": "no role"}}), outcome({"outcome": "unknown"})
    ('denied', '')
    """
    value = record.get("outcome")
    if isinstance(value, dict):
        value = _member(value, "result") or _member(value, "status") or value
    return "" if value in _NOTHING else compact(value)


def level(record: dict[str, Any]) -> str:
    """How much it matters, where the record says so.

    >>> level({"level": "warn"}), level({"severity": "error"}), level({})
    ('warn', 'error', '')
    """
    value = record.get("level", record.get("severity"))
    return "" if value in _NOTHING else compact(value)


def target(record: dict[str, Any]) -> str:
    """What was acted on, as type:id/name of what is known of these.

    >>> target({"target": {"type": "device", "id": "d-1", "name": "phone"}}), target({"target": {"id": 7}})
    ('device:d-1/phone', '7')
    """
    value = record.get("target")
    if not isinstance(value, dict):
        return "" if value in _NOTHING else compact(value)
    kind, names = _member(value, "type"), [_member(value, "id"), _member(value, "name")]
    return ":".join(part for part in (kind, "/".join(name for name in names if name)) if part)


def rest(record: dict[str, Any]) -> str:
    """Everything else that the record says, as `name=value` words; what stands in `details` without that name.

    What says nothing to a reader is left out: members that are `unknown`, and the version of the schema.

    >>> rest({"seq": 7, "type": "exec.denied", "task": "t1", "details": {"command": "rm -rf /", "tries": 2}})
    'command="rm -rf /" tries=2 task=t1'
    >>> rest({"target": {"type": "file", "id": "x"}, "reason": "private", "task": "unknown", "schema": 1})
    'target=file:x reason=private'
    >>> rest({"redacted": {"password": 1, "jwt": 2}, "details": {"out": {"artifact": "9f" * 32, "bytes": 2048}}})
    'out="9f9f9f9f9f9f (2.0 KiB)" redacted=3'
    """
    words = [("target", target(record)), ("reason", _reason(record))]
    words = [(name, value) for name, value in words if value]
    details = record.get("details")
    if isinstance(details, dict):
        words += details.items()
    elif details is not None:
        words.append(("details", details))
    for name in ("actor", "target", "outcome"):
        words += [(f"{name}.{member}", value) for member, value in _beside(name, record)]
    actor = _identifier(record)
    words += [
        (name, _sum(value) if name == "redacted" else value)
        for name, value in record.items()
        if name not in _SHOWN and name != "schema" and value is not None and value != "unknown"
        if name not in OF_ACTOR or compact(value) != actor
    ]
    return " ".join(_word(name, _shortly(value)) for name, value in words)


def _reason(record: dict[str, Any]) -> Any:
    return record.get("reason") or _member(record.get("outcome"), "reason")


_CELLS = {
    "actor": ("type", "name", "role"),
    "target": ("type", "id", "name"),
    "outcome": ("result", "status", "reason"),
}


def _beside(name: str, record: dict[str, Any]) -> list[tuple[str, Any]]:
    """The members of an object that its cell does not show."""
    value = record.get(name)
    if not isinstance(value, dict):
        return []
    shown = _identifier(record) if name == "actor" else None
    return [
        (member, inner)
        for member, inner in value.items()
        if member not in _CELLS[name] and inner not in _NOTHING and compact(inner) != shown
    ]


def _sum(counts: Any) -> Any:
    """How much was redacted, of whatever kind."""
    if isinstance(counts, dict) and all(type(count) is int for count in counts.values()):
        return sum(counts.values())
    return counts


def _shortly(value: Any) -> Any:
    """References to artifacts by name and size."""
    if isinstance(value, list) and value and all(map(_is_artifact, value)):
        return ", ".join(map(_artifact, value))
    return _artifact(value) if _is_artifact(value) else value


def _is_artifact(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("artifact"), str)
        and _DIGEST.fullmatch(value["artifact"]) is not None
        and type(value.get("bytes")) is int
    )


def _artifact(reference: dict[str, Any]) -> str:
    return f"{_member(reference, 'name') or reference['artifact'][:12]} ({human_size(reference['bytes'])})"


def _word(name: str, value: Any) -> str:
    if isinstance(value, str) and value and not any(character in value for character in " \"'=\\"):
        return f"{name}={value}"
    if isinstance(value, str):
        value = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}="{value}"'
    return f"{name}={compact(value)}"


def at_path(record: dict[str, Any], path: str) -> Any:
    """What stands at a dotted path, as one value: a list where it leads to several, None where to nothing.

    >>> at_path({"actor": {"id": "u1"}}, "actor.id"), at_path({"r": [{"n": 1}, {"n": 2}]}, "r.n"), at_path({}, "x")
    ('u1', [1, 2], None)
    """
    found = [*fields.at_path(record, path)]
    return None if not found else found[0] if len(found) == 1 or isinstance(found[0], list) else found
