"""An event that is too long for a line, made to fit: its largest values become artifacts, and it refers to them.

As few values as need be, the longest texts first; where texts alone do not suffice, lists and objects as JSON. What is
moved depends on the event alone, so the same event moves the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from jsonl_audit import references, values

__all__ = ["fitted"]

PREVIEW = 256
"""So many characters of a text stay beside its reference, where there is room."""
_ROUNDS = 64
_STAY = frozenset(("type", "id", "time", "ts", "timestamp"))
_SHOWN = (
    "actor", "action", "target", "outcome", "reason", "level", "task", "session", "correlation", "parent", "category",
    "component", "tool", "schema", "redacted",
)  # fmt: skip
_Put = Callable[[bytes, str, str], dict[str, Any]]


class _Place(NamedTuple):
    """A value, and where it stands."""

    gain: int
    """So many bytes shorter the event is without it."""
    number: int
    """In the order of the event."""
    holder: Any
    key: Any
    name: str


def fitted(event: Mapping[Any, Any], limit: int, size: Callable[[dict[str, Any]], int], put: _Put) -> dict[str, Any]:
    """The event with references in the place of its largest values, so that `size` of it is at most `limit`.

    `put` stores content under a name and a media type, and returns the reference.
    """
    text = orjson.dumps(values.plain(event))
    for preview in (PREVIEW, 0):
        made: dict[str, Any] = orjson.loads(text)
        if (over := size(made) - limit) <= 0:
            return made
        if (chosen := _enough([*_texts(made, preview)], over)) is not None:
            for place in chosen:
                _move(place, put, preview)
            if size(made) <= limit:
                return made
    made = orjson.loads(text)
    for _ in range(_ROUNDS):
        if (over := size(made) - limit) <= 0:
            return made
        places = [*_values(made)]
        if not places:
            break
        alone = [place for place in places if place.gain >= over]
        # The smallest that suffices alone: of an object in an object the inner one.
        chosen_one = min(alone, key=lambda place: (place.gain, place.number)) if alone else max(places)
        _move(chosen_one, put, 0)
    made = orjson.loads(text)
    return _whole(made, limit, size, put)


def _whole(event: dict[str, Any], limit: int, size: Callable[[dict[str, Any]], int], put: _Put) -> dict[str, Any]:
    """The event as one artifact, with what people look for first beside the reference as far as there is room."""
    own = {name: value for name, value in event.items() if name in _STAY and len(str(value)) < PREVIEW}
    frame = references.make("0" * 64, 10**10, "application/json", name="event")
    for name in _SHOWN:
        if name in event and size({**own, name: event[name], "details": frame}) <= limit:
            own[name] = event[name]
    rest = {name: value for name, value in event.items() if name not in own}
    return {**own, "details": put(orjson.dumps(rest), "event", "application/json")}


def _enough(places: list[_Place], over: int) -> list[_Place] | None:
    """The largest of the places, as many as it takes; None where all of them do not suffice."""
    chosen = []
    for place in sorted(places, key=lambda place: (-place.gain, place.number)):
        if over <= 0:
            break
        chosen.append(place)
        over -= place.gain
    return chosen if over <= 0 else None


def _move(place: _Place, put: _Put, preview: int) -> None:
    value = place.holder[place.key]
    if isinstance(value, str):
        made = put(value.encode(), place.name, "text/plain")
        if preview:
            made["preview"] = value[:preview]
    else:
        made = put(orjson.dumps(value), place.name, "application/json")
    place.holder[place.key] = made


def _texts(event: dict[str, Any], preview: int) -> Iterator[_Place]:
    for place, value in _walk(event):
        if isinstance(value, str):
            gain = place.gain - len(orjson.dumps(value[:preview])) - len(',"preview":') if preview else place.gain
            if gain > 0:
                yield place._replace(gain=gain)


def _values(event: dict[str, Any]) -> Iterator[_Place]:
    return (place for place, _ in _walk(event) if place.gain > 0)


def _walk(event: dict[str, Any]) -> Iterator[tuple[_Place, Any]]:
    """Every text, list and object in the event that may be moved, and what would be gained."""
    to_do: list[tuple[Any, Any, str, int]] = [(event, key, key, 1) for key in reversed(event) if key not in _STAY]
    number = 0
    while to_do:
        holder, key, name, depth = to_do.pop()
        value = holder[key]
        if not isinstance(value, str | list | dict) or depth >= values.MAX_DEPTH:  # a reference is a level of its own
            continue
        if references.is_one(value):
            continue
        number += 1
        length = len(orjson.dumps(value))
        frame = references.make("0" * 64, length, "application/json", name=name)
        yield _Place(length - len(orjson.dumps(frame)), number, holder, key, name), value
        if isinstance(value, list):
            to_do += [(value, at, f"{name}[{at}]", depth + 1) for at in range(len(value) - 1, -1, -1)]
        elif isinstance(value, dict):
            to_do += [(value, inner, f"{name}.{inner}", depth + 1) for inner in reversed(value)]
