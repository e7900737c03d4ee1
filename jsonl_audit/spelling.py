"""One table of how programs spell the fields of an event: the filters and the model both go by it.

| field | members | in |
|---|---|---|
| actor | `actor` `initiator` `actorId` `actor_id` `actorName` `actor_name` | the record |
| user | `user` `userId` `user_id` `userName` `user_name` | the record, `actor`, `details` |
| profile | `profile` `profileId` `profile_id` | the record, `actor`, `details` |
| outcome | `outcome` | the record, `details` |
| level | `level` `severity` | the record, `details` |
| task | `task` `taskId` `task_id` | the record, `details` |
| session | `session` `sessionId` `session_id` | the record, `actor`, `details` |
| correlation | `correlation` `correlationId` `correlation_id` | the record, `details` |
| component | `component` | the record, `details` |
| tool | `tool` `toolName` `tool_name` `toolId` `tool_id` | the record, `details` |
| device, connection, agent | `device` `deviceId` `device_id`, and so on | the record, `actor` |
| parent | `parent` `parentId` `parent_id` | the record |
| schema | `schema` `schemaVersion` `schema_version` | the record |

Whoever acted is also found as the user, device, connection or agent that the record itself names. Where an object
stands there, its `id` and `name` count; of an actor also `user` `device` `connection` `agent`, each
spelled `userId` or `user_id` as well, of an outcome `result` and `status`. Where a list stands there, each of its
items counts.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

__all__ = ["ACTING", "FIELDS", "FILTERED", "OF_ACTOR", "Field", "twins"]


class Field(NamedTuple):
    """How one field is spelled."""

    members: tuple[str, ...]
    """Every name that it goes by, ours first."""
    places: tuple[str, ...]
    """The objects that they are looked for in: the record itself is the empty name."""
    inner: tuple[str, ...] = ("id", "name")
    """What counts of an object that stands there."""


def _spelled(*words: str) -> tuple[str, ...]:
    return tuple(name for word in words for name in (word, f"{word}Id", f"{word}_id"))


_OUTER = ("", "details")
_WITH_ACTOR = ("", "actor", "details")
_IN_ACTOR = ("", "actor")
_IDENTIFIERS = ("id", "name", *_spelled("user", "device", "connection", "agent"), "userName", "user_name")

FIELDS: dict[str, Field] = {
    "actor": Field(("actor", "initiator", "actorId", "actor_id", "actorName", "actor_name"), ("",), _IDENTIFIERS),
    "user": Field((*_spelled("user"), "userName", "user_name"), _WITH_ACTOR),
    "profile": Field(_spelled("profile"), _WITH_ACTOR),
    "outcome": Field(("outcome",), _OUTER, ("id", "name", "result", "status")),
    "level": Field(("level", "severity"), _OUTER),
    "task": Field(_spelled("task"), _OUTER),
    "session": Field(_spelled("session"), _WITH_ACTOR),
    "correlation": Field(_spelled("correlation"), _OUTER),
    "component": Field(("component",), _OUTER),
    "tool": Field(("tool", "toolId", "tool_id", "toolName", "tool_name"), _OUTER),
    "device": Field(_spelled("device"), _IN_ACTOR),
    "connection": Field(_spelled("connection"), _IN_ACTOR),
    "agent": Field(_spelled("agent"), _IN_ACTOR),
    "ip": Field(("ip", "ipAddress", "ip_address"), _IN_ACTOR),
    "user_agent": Field(("user_agent", "userAgent"), _IN_ACTOR),
    "role": Field(("role",), ("actor",)),
    "parent": Field(_spelled("parent"), ("",)),
    "reason": Field(("reason",), ("",)),
    "schema": Field(("schema", "schemaVersion", "schema_version"), ("",)),
}
"""Every field that has more than one place or more than one name."""
FILTERED = ("actor", "user", "profile", "outcome", "level", "task", "session", "correlation", "component", "tool")
"""Those that are filters of the readers."""
OF_ACTOR = tuple(name for word in ("user", "device", "connection", "agent") for name in FIELDS[word].members)
"""Members of a record itself that are identifiers of its actor."""
ACTING = frozenset((*FIELDS["actor"].members, *OF_ACTOR))
"""Members of a record of which each says who acted."""


@functools.cache
def twins(name: str) -> tuple[str, ...]:
    """The other spellings of a name: with a hump for each underscore, or an underscore for each hump.

    >>> twins("taskId"), twins("tokens_in"), twins("path")
    (('task_id',), ('tokensIn',), ())
    """
    if "_" in name:
        first, *others = name.split("_")
        other = first + "".join(word.capitalize() for word in others)
    else:
        other = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return () if other == name else (other,)
