"""Actor and Target: who acted, and on what; and what counts as an identifier of either."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from jsonl_audit.errors import InvalidEventError
from jsonl_audit.events.details import kind_of
from jsonl_audit.spelling import FIELDS

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FLAT", "Actor", "Members", "Target", "identifier", "taken"]



class Members(Mapping[str, Any]):
    """What can be read as the mapping that is written of it: of the fields that are set."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """What is written: the members that are set."""
        raise NotImplementedError

    def __getitem__(self, name: str) -> Any:
        return self.to_dict()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())

    def __repr__(self) -> str:
        shown = ((each.name, getattr(self, each.name)) for each in dataclasses.fields(self))  # type: ignore[arg-type]
        members = ", ".join(f"{name}={value!r}" for name, value in shown if value not in (None, (), {}))
        return f"{type(self).__name__}({members})"

    def replace(self, **changes: Any) -> Self:
        """A copy with these fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]


@dataclass(frozen=True, slots=True, repr=False)
class Actor(Members):
    """Who acted. Every field is optional, a text or a whole number.

    `extra` holds members that have no field here. As a mapping it is what is written: the fields that are set.

    Raises :class:`~jsonl_audit.InvalidEventError` for values of another kind.

    >>> Actor(id="u1", role="admin", ip="10.0.0.7").to_dict()
    {'id': 'u1', 'role': 'admin', 'ip': '10.0.0.7'}
    >>> Actor.of({"userId": "u1", "deviceId": "d-1", "shift": 2})
    Actor(device='d-1', user='u1', extra={'shift': 2})
    """

    type: str | None = None
    id: str | int | None = None
    name: str | None = None
    role: str | None = None
    device: str | int | None = None
    connection: str | int | None = None
    agent: str | int | None = None
    user: str | int | None = None
    profile: str | int | None = None
    ip: str | None = None
    user_agent: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _check(self, "actor", _ACTOR)

    @classmethod
    def of(cls, value: Any) -> Actor:
        """The actor that a text (its id), a whole number or a mapping in any spelling means; or InvalidEventError."""
        return _of(cls, value, "actor", _ACTOR)

    def to_dict(self) -> dict[str, Any]:
        """The members that are set."""
        return _set(self, _ACTOR)


@dataclass(frozen=True, slots=True, repr=False)
class Target(Members):
    """What was acted on: a file, a host, a session, an account.

    >>> Target("file", name="/etc/passwd").to_dict()
    {'type': 'file', 'name': '/etc/passwd'}
    """

    type: str | None = None
    id: str | int | None = None
    name: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _check(self, "target", _TARGET)

    @classmethod
    def of(cls, value: Any) -> Target:
        """The target that a text (its id), a whole number or a mapping means. Raises InvalidEventError."""
        return _of(cls, value, "target", _TARGET)

    def to_dict(self) -> dict[str, Any]:
        """The members that are set."""
        return _set(self, _TARGET)


_TARGET = {
    word: (word, f"target{word.capitalize()}", f"target_{word}") for word in ("type", "id", "name")
}  # fmt: skip
_ACTOR = {
    **{word: (word, f"actor{word.capitalize()}", f"actor_{word}") for word in ("type", "id", "name")},
    **{word: FIELDS[word].members for word in ("role", "device", "connection", "agent", "user", "profile", "ip")},
    "user_agent": FIELDS["user_agent"].members,
}
FLAT: dict[str, dict[str, tuple[str, ...]]] = {
    "actor": {
        name: tuple(spelled for spelled in spellings if spelled not in ("type", "id", "name", "role"))
        for name, spellings in _ACTOR.items()
    },
    "target": {name: spellings[1:] for name, spellings in _TARGET.items()},
}
"""The same, where they stand in the event itself."""


def _check(thing: Any, owner: str, names: Mapping[str, Any]) -> None:
    for name in names:
        value = getattr(thing, name)
        if value is not None and type(value) is not str:
            plain = identifier(value)
            if plain is None:
                raise InvalidEventError(
                    f"{owner}.{name} is {kind_of(value)}, not a text or a whole number",
                    field=f"{owner}.{name}", expected="a text or a whole number", actual=value,
                )  # fmt: skip
            object.__setattr__(thing, name, plain)
    if not isinstance(thing.extra, Mapping):
        raise InvalidEventError(f"{owner}: extra is a mapping of members, not {kind_of(thing.extra)}", field=owner)
    object.__setattr__(thing, "extra", dict(thing.extra))


def identifier(value: Any) -> str | int | None:
    """A text or a whole number, as which a UUID, an address and a path count too; None for anything else.

    >>> identifier(uuid.UUID(int=7)), identifier(7), identifier(True), identifier(b"x")
    ('00000000-0000-0000-0000-000000000007', 7, None, None)
    """
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and value.is_integer():  # JSON does not tell 7.0 from 7
        return int(value)
    if isinstance(value, (uuid.UUID, ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return str(value)
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        return path if isinstance(path, str) else None
    return None


_Party = TypeVar("_Party", "Actor", "Target")


def _of(cls: type[_Party], value: Any, owner: str, names: Mapping[str, tuple[str, ...]]) -> _Party:
    if isinstance(value, cls):
        return value
    if isinstance(value, Mapping):
        members = dict(value)
        fields: dict[str, Any] = {name: taken(members, spellings) for name, spellings in names.items()}
        return cls(**fields, extra=members)
    plain = identifier(value)
    if plain is None:
        raise InvalidEventError(
            f"{owner} is {kind_of(value)}, not a text or an object",
            field=owner, expected="a text or an object", actual=value,
        )  # fmt: skip
    return cls(id=plain)


def taken(members: dict[Any, Any], spellings: tuple[str, ...]) -> str | int | None:
    """The first of the spellings that holds an identifier, taken out of the members with those that say the same."""
    found = None
    for name in spellings:
        value = members.get(name)
        if value is None:
            continue
        plain = identifier(value)
        if plain is not None and (found is None or found == plain):
            found = plain
            del members[name]
        elif found is None and isinstance(value, Mapping):  # the whole stays beside it: nothing is lost
            found = next((each for inner in ("id", "name") if (each := identifier(value.get(inner))) is not None), None)
    return found


def _set(thing: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    members = {name: value for name in names if (value := getattr(thing, name)) is not None}
    return {**members, **thing.extra}
