"""How an AuditEvent is made of what callers give, in any spelling, and written again: nothing is lost."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jsonl_audit import instants, record
from jsonl_audit.errors import InvalidEventError
from jsonl_audit.events.details import kind_of, text_like
from jsonl_audit.events.parties import FLAT, Actor, Target, identifier, taken
from jsonl_audit.forms import shown
from jsonl_audit.spelling import FIELDS

if TYPE_CHECKING:
    from jsonl_audit.events.model import AuditEvent

__all__ = ["ANY_LEVEL", "LEVELS", "OUTCOMES", "fields_of", "is_level", "members_of", "settle"]

LEVELS = ("debug", "info", "warn", "warning", "error", "critical")
"""What a level may be; lower case, upper case and capitalised are one."""
OUTCOMES = ("success", "failure", "denied", "error", "unknown")
"""What an outcome should be."""
ANY_LEVEL = frozenset(spelled for level in LEVELS for spelled in (level, level.upper(), level.capitalize()))

_DETAILED = ("outcome", "level", "task", "session", "correlation", "component", "tool")
"""Fields that may stand in `details` just as well: there the filters look for them too."""
_WORDS = ("task", "session", "correlation", "parent", "component", "tool", "reason")
_ORDER = (
    "level", "component", "tool", "actor", "target", "outcome", "reason", "task", "session", "correlation", "parent",
    "category", "action",
)  # fmt: skip
_FIELDS = frozenset((*_ORDER, "id", "time", "details", "artifacts", "schema"))
_MEMBERS = {name: frozenset(FIELDS[name].members) for name in (*_DETAILED, "parent", "reason")}
_BESIDE = {name: frozenset(each for names in FLAT[name].values() for each in names) for name in FLAT}
_set = object.__setattr__


def is_level(value: Any) -> bool:
    """Whether `value` is a level; lower case, upper case and capitalised are one.

    >>> is_level("WARN"), is_level("notice")
    (True, False)
    """
    return isinstance(value, str) and value in ANY_LEVEL


def settle(event: AuditEvent) -> None:
    """Makes the fields of a new event what they should be, or raises InvalidEventError."""
    kind: Any = event.type
    if isinstance(kind, (str, enum.Enum)) and type(kind) is not str:
        kind = identifier(kind)
        _set(event, "type", kind)
    if not isinstance(kind, str) or record.TYPE.fullmatch(kind) is None:
        raise _wrong(event, "type", "up to 128 letters, digits, '_', '.', ':' and '-'", kind)
    if not isinstance(event.details, Mapping):
        raise _wrong(event, "details", "an object", event.details)
    if not isinstance(event.extra, Mapping):
        raise _wrong(event, "extra", "a mapping of members", event.extra)
    details = dict(event.details)
    _set(event, "details", details)
    _set(event, "extra", dict(event.extra))
    value: Any
    for name, cls in (("actor", Actor), ("target", Target)):
        value = getattr(event, name)
        if value is not None and not isinstance(value, cls):
            try:
                _set(event, name, cls.of(value))
            except InvalidEventError as error:
                raise _wrong(event, error.field or name, error.expected, error.actual) from None
    for name in _WORDS:
        value = getattr(event, name)
        if value is not None and type(value) is not str:
            plain = identifier(value)
            if plain is None:
                raise _wrong(event, name, "a text or a whole number", value)
            _set(event, name, plain)
    if isinstance(event.outcome, bool):
        _set(event, "outcome", "success" if event.outcome else "failure")
    elif event.outcome is not None and not text_like(event.outcome):
        raise _wrong(event, "outcome", "a word such as 'success', or a boolean", event.outcome)
    elif event.outcome is not None:
        _set(event, "outcome", str(identifier(event.outcome)))
    if event.level is not None:
        if not is_level(event.level):
            raise _wrong(event, "level", f"one of {', '.join(LEVELS)}", event.level)
        _set(event, "level", event.level.lower())
    follows = []
    for name in _DETAILED:
        if getattr(event, name) is None:
            found = _detailed(name, details)
            if found is not None:
                _set(event, name, found)
                follows.append(name)
    for name in ("category", "action"):
        value = getattr(event, name)
        if value is None:
            _set(event, name, _part(event.type, name))
        elif not isinstance(value, str):
            raise _wrong(event, name, "a text", value)
        if getattr(event, name) == _part(event.type, name):
            follows.append(name)
    if event.outcome is not None and "outcome" in follows and not has_outcome(details):
        follows.remove("outcome")  # it follows from `success`: said in its own name, it can be searched for
    _set(event, "_follows", tuple(follows))
    if event.time is not None:
        when = instants.from_event(event.time)
        if when is None:
            raise _wrong(event, "time", "RFC 3339 with a zone, a datetime, or an epoch number", event.time)
        exact: Any = when[1] or not isinstance(event.time, str)
        if exact:  # else it has more digits than are kept: the record says both
            _set(event, "time", when[0])
    if event.id is not None:
        if not text_like(event.id):
            raise _wrong(event, "id", "a UUID", event.id)
        _set(event, "id", str(event.id))
    if event.schema is not None and (type(event.schema) is not int or event.schema < 1):
        raise _wrong(event, "schema", "a whole number from 1 on", event.schema)
    artifacts: Any = event.artifacts
    if isinstance(artifacts, (str, Mapping)) or not hasattr(artifacts, "__iter__"):
        raise _wrong(event, "artifacts", "a list of references", artifacts)
    _set(event, "artifacts", tuple(artifacts))
    if not all(isinstance(each, (Mapping, str)) for each in event.artifacts):
        raise _wrong(event, "artifacts", "a list of references", artifacts)


def _wrong(event: AuditEvent, name: str, expected: str, actual: Any) -> InvalidEventError:
    given: Any = event.type
    kind = given if isinstance(given, str) else None
    where = f"{kind[:128]}: " if kind and name != "type" else ""
    seen = shown(actual) if name == "type" else kind_of(actual)
    return InvalidEventError(
        f"{where}{name} is {seen}, not {expected}", type=kind, field=name, expected=expected, actual=actual
    )


def _part(kind: str, name: str) -> str:
    return kind.partition(".")[0] if name == "category" else kind.rpartition(".")[2]


def _detailed(name: str, details: Mapping[str, Any]) -> str | int | None:
    """What the details say of a field."""
    for spelled in FIELDS[name].members if details else ():
        value = details.get(spelled)
        if value is None:
            continue
        found = _plain(name, value)
        if found is not None:
            return found
    if name == "outcome" and isinstance(details.get("success"), bool):
        return "success" if details["success"] else "failure"
    return None


def _plain(name: str, value: Any) -> str | int | None:
    """The value of a field, if it is one: a word, or what is known of an object."""
    if name == "outcome" and isinstance(value, bool):
        return "success" if value else "failure"
    if isinstance(value, Mapping):
        inner = (identifier(value[key]) for key in FIELDS[name].inner if value.get(key) is not None)
        found = next((each for each in inner if each is not None), None)
    else:
        found = identifier(value)
    if name == "level":
        return str(found).lower() if is_level(found) else None
    return found if name in _WORDS or isinstance(found, str) else None


def has_outcome(details: Mapping[str, Any]) -> bool:
    """Whether the details name an outcome."""
    return any(details.get(spelled) is not None for spelled in FIELDS["outcome"].members)


def members_of(event: AuditEvent) -> dict[str, Any]:
    """What is written of an event."""
    artifacts: tuple[Any, ...] = event.artifacts
    members: dict[str, Any] = {"type": event.type}
    if event.id is not None:
        members["id"] = event.id
    if event.time is not None:
        members["time"] = event.time
    details = event.details
    for name in _ORDER:
        value = getattr(event, name)
        if value is not None and name not in event._follows:
            members[name] = value.to_dict() if name in ("actor", "target") else value
    if details:
        members["details"] = dict(details)
    if event.artifacts:
        members["artifacts"] = [each if isinstance(each, str) else dict(each) for each in artifacts]
    if event.schema is not None:
        members["schema"] = event.schema
    return {**members, **event.extra}


def fields_of(event: Any) -> dict[str, Any]:
    """The fields of the AuditEvent that a mapping is, in any spelling."""
    if not isinstance(event, Mapping):
        raise InvalidEventError(f"an event is a mapping, not {kind_of(event)}", expected="a mapping", actual=event)
    from jsonl_audit.events.versions import upgraded

    own = event if type(event) is dict else record.members_of(event)
    if isinstance(given := own.get("type"), (str, enum.Enum)) and type(given) is not str:
        own = {**own, "type": identifier(given) or given}
    members = dict(upgraded(own))
    fields: dict[str, Any] = {"type": members.pop("type", None) or "custom"}
    for name in ("id", "category", "action"):
        if isinstance(members.get(name), str):
            fields[name] = members.pop(name)
    _time(members, fields)
    for name in (*_DETAILED, "parent", "reason"):
        if not _MEMBERS[name].isdisjoint(members):
            _field(name, members, fields)
    _outcome(members, fields)
    for name, cls in (("actor", Actor), ("target", Target)):
        _person(name, cls, members, fields)
    _first("details", ("details", "metadata"), lambda value: isinstance(value, Mapping), members, fields)
    _first("schema", FIELDS["schema"].members, lambda value: type(value) is int and value > 0, members, fields)
    artifacts = members.get("artifacts")
    if isinstance(artifacts, (list, tuple)) and all(isinstance(each, (Mapping, str)) for each in artifacts):
        fields["artifacts"] = members.pop("artifacts")
    extra = {name: value for name, value in members.items() if value is not None or name not in _FIELDS}
    return {**fields, "extra": extra}


def _first(
    field: str, names: tuple[str, ...], fits: Callable[[Any], bool], members: dict[str, Any], fields: dict[str, Any]
) -> None:
    """The first of the names that holds something, if it is of the field's kind."""
    name = next((name for name in names if members.get(name) is not None), None)
    if name is not None and fits(members[name]):
        fields[field] = members.pop(name)


def _time(members: dict[str, Any], fields: dict[str, Any]) -> None:
    """`time`, else `ts` or `timestamp`: one of them, where it is an instant; the others stay."""
    if members.get("time") is not None and instants.from_event(members["time"]) is None:
        return
    for name in ("time", "ts", "timestamp"):
        found = instants.from_event(members.get(name)) if members.get(name) is not None else None
        if found is not None and "time" not in fields and found[1]:
            fields["time"] = found[0]
            del members[name]


def _field(name: str, members: dict[str, Any], fields: dict[str, Any]) -> None:
    if members.get(name) is not None and _plain(name, members[name]) is None:
        return  # its name is taken, by something else
    for spelled in FIELDS[name].members:
        value = members.get(spelled)
        if value is None:
            continue
        found = _plain(name, value)
        if found is None or (name in fields and fields[name] != found):
            continue
        fields[name] = found
        if not isinstance(value, Mapping):  # an object stays beside it: it says more
            del members[spelled]


def _outcome(members: dict[str, Any], fields: dict[str, Any]) -> None:
    given = members.get("outcome")
    if isinstance(given, Mapping) and "reason" not in fields and isinstance(given.get("reason"), str):
        fields["reason"] = given["reason"]
    if isinstance(members.get("success"), bool) and (given is None or "outcome" in fields):
        found = "success" if members["success"] else "failure"
        if fields.setdefault("outcome", found) == found:
            del members["success"]


def _person(name: str, cls: Any, members: dict[str, Any], fields: dict[str, Any]) -> None:
    """The actor, or the target: an object, a text, or members of the event's own such as `userId`."""
    said: dict[str, Any] = {}
    own = members.get(name)
    if own is not None and not isinstance(own, Mapping) and identifier(own) is None:
        return  # its name is taken, by something else
    for spelled in ("actor", "initiator") if name == "actor" else ("target",):
        value = members.get(spelled)
        if value is None or said:
            continue
        try:
            said = cls.of(value).to_dict()
        except InvalidEventError:
            continue
        del members[spelled]
    if not _BESIDE[name].isdisjoint(members):
        _beside(FLAT[name], members, said)
    if said:
        fields[name] = cls.of(said)


def _beside(names: dict[str, tuple[str, ...]], members: dict[str, Any], said: dict[str, Any]) -> None:
    """What the event's own members say of a party; what disagrees with the party itself stays."""
    for member, spellings in names.items():
        if not any(spelled in members for spelled in spellings):
            continue
        before = dict(members)
        found = taken(members, spellings)
        if found is not None and said.setdefault(member, found) != found:
            members.clear()
            members.update(before)
