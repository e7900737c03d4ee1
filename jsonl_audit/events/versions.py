"""Records of older versions of their types, made records of the newest, step by step. The files stay as they are."""

from __future__ import annotations

from typing import Any

from jsonl_audit.events import registry
from jsonl_audit.forms import shown
from jsonl_audit.record import RESERVED
from jsonl_audit.spelling import FIELDS

__all__ = ["newer", "upgraded", "version_of"]

_NAMES = FIELDS["schema"].members


def upgraded(record: dict[str, Any]) -> dict[str, Any]:
    """The record as the newest version of its type says it; the record itself where there is nothing to do.

    A record of a known type without `schema` is of version 1. One of a version that is not known yet is passed
    through, and so is one whose `schema` is something else. A step that fails leaves the record as it was, with
    `upgrade_failed` saying why. Whatever a step returns, the members that the engine wrote stay as they are.

    >>> upgraded({"type": "exec.denied", "actor": {"id": "u1"}, "outcome": "denied"})
    {'type': 'exec.denied', 'actor': {'id': 'u1'}, 'outcome': 'denied', 'task': 'unknown', 'schema': 2}
    """
    name = record.get("type")
    kind = registry.catalogue().get(name) if type(name) is str else None
    if kind is None:
        return record
    version = version_of(record, 1)
    if version == kind.version or type(version) is not int or not 1 <= version < kind.version:
        return record
    found = record
    engines = {name: record[name] for name in RESERVED if name in record}
    for step in range(version, kind.version):
        try:
            made = {**kind.upgrades[step](_copied(found, {}))}
            rest = {name: value for name, value in made.items() if name not in _NAMES[1:]}
            found = {**rest, "schema": step + 1, **engines}
        except Exception as error:  # noqa: BLE001 - a step is the user's own code: its failure must not hide the record
            return {**record, "upgrade_failed": f"{kind.name}, from version {step}: {shown(error)}"}
    return found


def version_of(record: dict[str, Any], otherwise: Any = None) -> Any:
    """What a record says of its version, under any of its names; null says nothing."""
    return next((found for name in _NAMES if (found := record.get(name)) is not None), otherwise)


def _copied(value: Any, copies: dict[int, Any]) -> Any:
    """A copy of the objects and lists, which a step may change as it likes."""
    kind = type(value)
    if kind is not dict and kind is not list:
        return value
    if id(value) not in copies:
        made: Any = kind()
        copies[id(value)] = made
        if kind is dict:
            made.update((name, _copied(each, copies)) for name, each in value.items())
        else:
            made.extend(_copied(each, copies) for each in value)
    return copies[id(value)]


def newer(record: dict[str, Any]) -> int | None:
    """The newest version of its type that is known here, where the record is of a later one; else None.

    >>> newer({"type": "exec.denied", "schema": 3}), newer({"type": "exec.denied", "schema": 2})
    (2, None)
    """
    name = record.get("type")
    kind = registry.catalogue().get(name) if type(name) is str else None
    version = version_of(record)
    return kind.version if kind is not None and type(version) is int and version > kind.version else None
