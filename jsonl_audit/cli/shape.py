"""What `append` makes of somebody's object: where type and time come from, and whether it stays whole.

Nothing is taken out of the object or changed in it: what is named for type or time is copied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from jsonl_audit import instants
from jsonl_audit.cli.parse import BadLineError
from jsonl_audit.cli.summary import at_path

__all__ = ["UNPARSED", "Shape", "type_name", "unparsed"]

UNPARSED = "unparsed"
"""The type of the event in which a line that is no event is kept."""
_NOT_IN_A_TYPE = re.compile(r"[^A-Za-z0-9_.:-]+")
_LONGEST_TYPE = 128


class Shape(NamedTuple):
    """How objects become events."""

    type: str | None = None
    """The type of an object that names none."""
    type_from: str | None = None
    """The dotted path of the member that names it."""
    time_from: str | None = None
    wrap: bool = False
    """Whether the object is kept whole under `details`."""

    def event(self, given: dict[str, Any]) -> dict[str, Any]:
        """The event that is made of the object `given`.

        Raises BadLineError where a member that was named for type or time is there and cannot be one.

        >>> Shape(type_from="eventName", wrap=True).event({"eventName": "Get Object", "id": 7})
        {'type': 'Get_Object', 'details': {'eventName': 'Get Object', 'id': 7}}
        """
        if self == Shape():
            return given
        members: dict[str, Any] = {}
        kind = None if self.type_from is None else self._type(given, self.type_from)
        time = None if self.time_from is None else self._time(given, self.time_from)
        if kind is None and (self.wrap or given.get("type") is None):
            kind = self.type
        if kind is not None:
            members["type"] = kind
        if time is not None:
            members["time"] = time
        if self.wrap:
            members["details"] = given
            return members
        return _joined(members, given)

    @staticmethod
    def _type(given: dict[str, Any], path: str) -> str | None:
        value = at_path(given, path)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise BadLineError(f"{path} is to be the type, and is no text")
        return type_name(str(value))

    @staticmethod
    def _time(given: dict[str, Any], path: str) -> str | None:
        value = at_path(given, path)
        if value is None:
            return None
        found = instants.from_event(value)
        if found is None:
            raise BadLineError(
                f"{path} is to be the time, and {value!r:.60} is none: RFC 3339 with a zone, or epoch seconds"
            )
        return found[0]


def _joined(members: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The object with `members` in front; its own of those names move under `details`, as reserved names do."""
    event = {**members, **{name: value for name, value in given.items() if name not in members}}
    moved = {name: given[name] for name in members if name in given and given[name] != members[name]}
    if moved:
        details = given.get("details", {})
        details = dict(details) if isinstance(details, Mapping) else {"details": details}
        for name, value in moved.items():
            free, twin = name, 2
            while free in details:
                free, twin = f"{name}~{twin}", twin + 1
            details[free] = value
        event["details"] = details
    return event


def type_name(text: str) -> str:
    """A type name as near to `text` as can be: what may not stand in one becomes an underscore.

    >>> type_name("user signed in"), type_name("audit.segment"), type_name("x" * 200) == "x" * 128
    ('user_signed_in', 'audit_segment', True)
    """
    name = _NOT_IN_A_TYPE.sub("_", text)[:_LONGEST_TYPE]
    return f"audit_{name[6:]}" if name.startswith("audit.") else name


def unparsed(text: bytes, number: int, why: str) -> dict[str, Any]:
    """The event in which a line that is no event is kept, whole, as text (as bytes, where it is no UTF-8)."""
    try:
        kept: str | bytes = text.decode()
    except UnicodeDecodeError:
        kept = text
    return {"type": UNPARSED, "details": {"line": number, "why": why, "text": kept}}
