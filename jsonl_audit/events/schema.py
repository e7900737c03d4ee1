"""The JSON Schema of a type, which any validator understands; and an example of an event that fits it."""

from __future__ import annotations

from typing import Any

from jsonl_audit.events import registry
from jsonl_audit.events.details import Detail
from jsonl_audit.events.kinds import EventType
from jsonl_audit.events.prepare import IDENTIFIERS, elsewhere, spellings
from jsonl_audit.events.reading import ANY_LEVEL, OUTCOMES

__all__ = ["example_of", "json_schema"]

_PARTY = {"$ref": "#/$defs/party"}
_RFC3339 = r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d([.,]\d+)?([Zz]|[+-]\d\d:\d\d)$"
_KINDS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "minimum": -(2**63), "maximum": 2**64 - 1},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "array": {"type": "array"},
    "strings": {"type": "array", "items": {"type": "string"}},
    "time": {
        "anyOf": [
            {"type": "string", "format": "date-time", "pattern": _RFC3339},
            {"type": "number", "minimum": -62135596800000, "maximum": 253402300799999},  # epoch, in ms at the most
        ]
    },
    "any": {"not": {"type": "null"}},
}


def json_schema(kind: EventType | str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a type, for an event as JSON and for a record as its line is.

    It says what a log that is opened with ``validate="strict"`` demands, but for who acted, for which task and with
    which outcome: what an event leaves out of these is added, or comes from a context. Details are known to it by that
    name alone, not as `metadata`.

    Raises LookupError for a name that no type has.

    >>> schema = json_schema("tool.execute")
    >>> schema["$id"], schema["properties"]["details"]["properties"]["success"]
    ('urn:jsonl-audit:event:tool.execute:2', {'type': ['boolean', 'null'], 'description': 'whether it went well'})
    """
    found = registry.get(kind) if isinstance(kind, str) else kind
    if found is None:
        raise LookupError(f"there is no type {kind!r}")
    details = {
        spelled: _member(detail)
        for name, detail in found.details.items()
        for spelled in spellings(name)
        if spelled == name or spelled not in found.details
    }
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:jsonl-audit:event:{found.name}:{found.version}",
        "title": found.name,
        "description": found.description,
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"const": found.name},
            "level": {"$ref": "#/$defs/level"},
            "severity": {"$ref": "#/$defs/level"},
            "actor": _PARTY,
            "initiator": _PARTY,
            "target": _PARTY,
            "outcome": {"enum": [*OUTCOMES, None]},
            "details": {"type": ["object", "null"], "properties": details},
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": found.version},
        },
    }
    needed = [_needed(found, name) for name in found.required]
    if needed:
        schema["allOf"] = needed
    schema["$defs"] = {
        "id": {"type": ["string", "integer", "null"]},
        "level": {"enum": [*sorted(ANY_LEVEL), None]},
        "party": {
            "type": ["string", "integer", "object", "null"],
            "properties": {name: {"$ref": "#/$defs/id"} for name in sorted(IDENTIFIERS)},
        },
    }
    return schema


def _value(detail: Detail) -> dict[str, Any]:
    """What a value of a detail is that is there."""
    if detail.words:
        return {"enum": list(detail.words)}
    kinds = [_KINDS[kind] for kind in detail.kind.split("|")]
    return dict(kinds[0]) if len(kinds) == 1 else {"anyOf": kinds}


def _member(detail: Detail) -> dict[str, Any]:
    """What may stand under its name: a value, or null, which says nothing."""
    value = _value(detail)
    if detail.words:
        found: dict[str, Any] = {"enum": [*detail.words, None]}
    elif detail.kind == "any":
        found = {}
    elif "type" in value:
        found = {**value, "type": [value["type"], "null"]}
    else:
        found = {"anyOf": [*value["anyOf"], {"type": "null"}]}
    return {**found, "description": detail.meaning} if detail.meaning else found


def _needed(kind: EventType, name: str) -> dict[str, Any]:
    """That a detail is there, in one of its spellings, in `details` or at the top level."""
    there = [{"required": [each], "properties": {each: {"not": {"type": "null"}}}} for each in spellings(name)]
    inside = {"required": ["details"], "properties": {"details": {"type": "object", "anyOf": there}}}
    value = _value(kind.required[name])
    above = [{"required": [each], "properties": {each: value}} for each in elsewhere(name)]
    return {"anyOf": [inside, *above]}


def example_of(kind: EventType) -> dict[str, Any]:
    """An event of a type with everything that is known of it, to be copied and changed.

    >>> example_of(registry.get("config.changed"))["details"]
    {'setting': 'model.temperature', 'old': 0.2, 'new': 0.7, 'source': 'config.toml'}
    """
    event: dict[str, Any] = {"type": kind.name, "actor": {"id": "u1"}, "task": "t-1"}
    event |= {name: "s-1" for name in kind.needs if name == "session"}
    event["outcome"] = kind.outcome if isinstance(kind.outcome, str) else "success"
    details = {name: detail.example for name, detail in kind.details.items() if detail.example is not None}
    return {**event, "details": details} if details else event
