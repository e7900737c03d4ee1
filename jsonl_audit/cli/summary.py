"""A record in the words of one line: when, who, and what else it says, for a person who reads many."""

from __future__ import annotations

from typing import Any

from jsonl_audit.cli.visible import compact
from jsonl_audit.reader import fields

__all__ = ["ENGINE", "at_path", "rest", "when", "who"]

ENGINE = frozenset(("seq", "ts", "id", "type", "time", "clock", "batch", "salt", "erased", "prev", "hash"))
"""Members that the engine writes: of a caller's own, only `time` has such a name."""
_SHOWN = ENGINE | {"actor", "outcome"}


def when(record: dict[str, Any], *, brief: bool = False) -> str:
    """When it happened, to the millisecond (if `brief`, to the second): `time` where the record has one, else `ts`.

    >>> when({"ts": "2026-11-21T10:11:12.123456Z"}), when({"ts": "2026-11-21T10:11:12.123456Z"}, brief=True)
    ('2026-11-21T10:11:12.123Z', '2026-11-21T10:11:12Z')
    """
    instant = record.get("time", record.get("ts"))
    if not isinstance(instant, str) or len(instant) != 27:
        return compact(instant)
    return f"{instant[: 19 if brief else 23]}Z"


def who(record: dict[str, Any]) -> str:
    """Who acted: the first identifier of the actor; empty where there is none.

    >>> who({"actor": {"role": "admin", "deviceId": "d-1"}}), who({"actor": "ann"})
    ('d-1', 'ann')
    """
    for value in fields.values_of("actor", record):
        if value not in (None, ""):
            return compact(value)
    return ""


def rest(record: dict[str, Any]) -> str:
    """Everything else that the record says, as `name=value` words; what stands in `details` without that name.

    >>> rest({"seq": 7, "type": "exec.denied", "task": "t1", "details": {"command": "rm -rf /", "tries": 2}})
    'command="rm -rf /" tries=2 task=t1'
    """
    words = []
    details = record.get("details")
    if isinstance(details, dict):
        words += [_word(name, value) for name, value in details.items()]
    elif details is not None:
        words.append(_word("details", details))
    actor = record.get("actor")
    if isinstance(actor, dict):
        shown = who(record)
        words += [_word(f"actor.{name}", value) for name, value in actor.items() if compact(value) != shown]
    words += [
        _word(name, value)
        for name, value in record.items()
        if name not in _SHOWN and name != "details" and value is not None
    ]
    return " ".join(words)


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
