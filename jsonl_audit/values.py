"""What JSON or its serialiser cannot hold, in a form that it can: nothing dropped, nothing raised, nothing silent.

| value | form |
|---|---|
| NaN, infinities | ``{"$float": "NaN"}``, ``"Infinity"``, ``"-Infinity"`` |
| integers outside -2^63 … 2^64-1 | ``{"$int": "<digits>"}``, from 4,300 digits on in hexadecimal, ``0x…`` |
| text with lone surrogates | ``{"$text": …}``: each surrogate as ``\\udXXX``, each backslash doubled |
| bytes, bytearray, memoryview | ``{"$bytes": "<base64>"}`` |
| datetime, date, time | ISO 8601 text |
| Decimal, UUID, paths, Fraction | their text |
| enumeration members | their value |
| sets, frozensets | a list, sorted where the items can be |
| dataclasses, named tuples | an object of all their fields |
| other mappings, sequences, deques | an object, a list |
| keys that are not strings | JSON's text of them (``1``, ``true``, ``null``), else their repr |
| two keys with one text | the later ones get ``~2``, ``~3`` … behind |
| an object that holds itself | ``{"$cycle": "<path of the one it is>"}`` |
| what is nested deeper than a line may be | ``{"$json": "<JSON text of it>"}`` |
| orjson.Fragment | what its text says; ``{"$json": "<its text>"}`` where a line cannot say the same |
| any other object | ``{"$repr": "<its repr>", "class": "<module.name>"}`` |
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import fractions
import math
import os
import uuid
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import orjson

from jsonl_audit import forms

__all__ = ["MAX_DEPTH", "TooMuch", "faithful", "iso", "plain"]

MAX_DEPTH = 128
"""How deep a record may be nested, itself counted as 1 (docs/format.md)."""

_INTEGERS = range(-(2**63), 2**64)
_Path = Any  # (path of the owner, name or number in it); None is the event itself


class TooMuch(Exception):  # noqa: N818 - no error of the caller's: whoever asked for a limit catches it
    """What was asked for cannot fit, whatever form it takes."""


def plain(event: Mapping[Any, Any], room: int | None = None, *, owner: Any = None) -> dict[str, Any]:
    """The event as nothing but dicts with text keys, lists, texts, numbers, booleans and None.

    `owner` is the object whose members they are, if not `event` itself: what is in it may hold it. Raises TooMuch as
    soon as its JSON is known to be longer than `room` bytes: an object that never ends would otherwise take all
    memory before it is refused.

    >>> plain({"n": float("nan"), "raw": b"\\x00\\xff", 7: {1, 2}})
    {'n': {'$float': 'NaN'}, 'raw': {'$bytes': 'AP8='}, '7': [1, 2]}
    """
    walk = _Walk(room)
    result: dict[str, Any] = walk.event(event, event if owner is None else owner)
    # What was too deep is made from the outside in, and turned into text from the inside out, without recursion.
    # What lies deeper still stands in that text as it is, not as a text within a text.
    made = walk.finish()
    mark = os.urandom(16).hex() if made else ""
    for later in reversed(made):
        later.text = _text_with(later.value, mark)
        if later.holder is not None:
            later.holder["$json"] = later.text.decode()
    return result


def _text_with(value: Any, mark: str) -> bytes:
    """The JSON text of a value, with that of each `_Later` in it, which is made already, in its place.

    `mark` stands there meanwhile, a text that nobody can have written: orjson.Fragment would do the same, but orjson
    (3.13 too) writes past its memory where more than 64 levels end behind one.
    """
    inside: list[bytes] = []

    def marked(later: _Later) -> str:
        inside.append(later.text)
        return mark

    text = orjson.dumps(value, default=marked)
    if not inside:
        return text
    first, *others = text.split(b'"%b"' % mark.encode())
    return b"".join([first, *(part for pair in zip(inside, others, strict=True) for part in pair)])


def faithful(event: dict[Any, Any]) -> bool:
    """Whether the serialiser can be given `event`, and its text, if it makes one, says what stands there.

    It would write NaN and infinities as null, an orjson.Fragment as whatever it holds, and nest deeper than a line
    may be; and what holds itself by way of a tuple, or tuples nested without end, would be the end of the process.
    Types that are not known to be safe are not: then `plain` looks at each value.

    >>> faithful({"a": [1.0, {"b": None}]}), faithful({"a": [float("inf")]})
    (True, False)
    """
    inside: list[Iterable[Any]] = [event.values()]
    for items in inside:
        for item in items:
            kind = type(item)
            if kind in _SAFE:
                continue
            if kind is dict:
                inside.append(item.values())
            elif kind is list:
                inside.append(item)
            elif kind is not float or item - item != 0.0:
                return False
        if len(inside) > _MANY:  # or it holds itself
            return False
    return len(inside) < MAX_DEPTH or _depth(event) <= MAX_DEPTH


_MANY = 10_000
_SAFE = frozenset((str, int, bool, type(None), datetime.datetime, datetime.date, uuid.UUID))


def _depth(event: dict[Any, Any]) -> int:
    """How deep dicts and lists are nested."""
    level: list[Any] = [event]
    depth = 0
    while level:
        depth += 1
        inner = (item for held in level for item in (held.values() if type(held) is dict else held))
        level = [item for item in inner if type(item) is dict or type(item) is list]
    return depth


def iso(value: Any) -> str:
    """The form of a datetime, date or time; TypeError for anything else. For the serialiser, which rounds zones.

    >>> iso(datetime.date(2026, 11, 21))
    '2026-11-21'
    """
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    raise TypeError


class _Later:
    """A container nested too deep, to be turned into text when the walk over the rest is done."""

    __slots__ = ("above", "holder", "path", "text", "value", "whole")

    def __init__(self, value: Any, path: _Path, above: list[tuple[Any, _Path]], *, whole: bool) -> None:
        self.value = value
        """What is in it, or (`whole`) the container itself; in the end what it became."""
        self.whole = whole
        self.path = path
        self.above = above
        """Its owner and what is above that, up to the last container that was put off. They are held on to: the id
        of an object that is gone may be another's."""
        self.holder: dict[str, Any] | None = None
        self.text = b""


class _Walk:
    """One walk over one event: who holds whom (for cycles), what lies too deep, how much room is left."""

    def __init__(self, room: int | None) -> None:
        self.room = math.inf if room is None else room
        self.above: dict[int, Any] = {}
        self.stack: list[tuple[Any, _Path]] = []
        self.deep: list[_Later] = []
        self.inside_text = False

    def event(self, event: Mapping[Any, Any], owner: Any) -> dict[str, Any]:
        self.above[id(owner)] = None
        return self.mapping(event, None, 1)

    def finish(self) -> list[_Later]:
        """Makes all that was put off, each with what is above it known; returns it, the outer before the inner."""
        made: list[_Later] = []
        self.inside_text = True
        to_do: list[Any] = self.deep[::-1]
        while to_do:
            later = to_do.pop()
            if isinstance(later, list):  # all that is inside has been made
                for owner, _ in later:
                    del self.above[id(owner)]
                continue
            for owner, path in later.above:
                self.above[id(owner)] = path
            to_do.append(later.above)
            self.deep, self.stack = [], []
            try:
                make = self.value if later.whole else self.content
                later.value = make(later.value, later.path, 1)
            except TooMuch:
                raise
            except Exception:
                later.value = forms.shape(later.value)
            to_do += self.deep[::-1]
            made.append(later)
        return made

    def value(self, value: Any, path: _Path, level: int) -> Any:
        self.room -= 2  # with its comma or colon
        if self.room < 0:
            raise TooMuch
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            self.room -= len(value)
            return forms.text(value)
        if kind is int:
            return value if value in _INTEGERS else {"$int": forms.digits(value)}
        if kind is float:
            return value if math.isfinite(value) else {"$float": forms.float_name(value)}
        room, put_off = self.room, len(self.deep)
        try:
            return self._odd(value, path, level)
        except TooMuch:
            raise
        except RecursionError:  # the caller stands deep in its own calls: the rest is made from further up
            self.room = room
            del self.deep[put_off:]
            return self._put_off(value, path, whole=True)
        except Exception:  # a value's own code failed: its repr is what is left of it
            self.room = room
            del self.deep[put_off:]
            return forms.shape(value)

    def _odd(self, value: Any, path: _Path, level: int) -> Any:
        if isinstance(value, enum.Enum):
            return self.value(value.value, path, level)
        if isinstance(value, str):
            return self.value(str.__str__(value), path, level)
        if isinstance(value, int):
            return self.value(int.__int__(value), path, level)
        if isinstance(value, float):
            return self.value(float.__float__(value), path, level)
        if isinstance(value, (bytes, bytearray, memoryview)):
            self.room -= len(value)
            if self.room < 0:
                raise TooMuch
            return {"$bytes": base64.b64encode(bytes(value)).decode()}
        if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, (decimal.Decimal, uuid.UUID)):
            return str(value)
        if isinstance(value, fractions.Fraction):
            below = "" if value.denominator == 1 else f"/{forms.digits(value.denominator)}"
            return forms.digits(value.numerator) + below
        if isinstance(value, os.PathLike):
            return self.value(os.fspath(value), path, level)
        if isinstance(value, orjson.Fragment):
            return self.value(forms.fragment(value), path, level)
        if id(value) in self.above:
            return {"$cycle": forms.text(_where(self.above[id(value)]))}
        if dataclasses.is_dataclass(value) and not isinstance(value, (type, Mapping)):
            fields = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
            return self._inside(value, fields, path, level)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self._inside(value, dict(zip(value._fields, value, strict=False)), path, level)
        if isinstance(value, Mapping):
            return self._inside(value, value, path, level)
        if isinstance(value, (AbstractSet, Sequence, deque)):
            if 2 * len(value) > self.room:  # a range costs nothing until it is a list
                raise TooMuch
            return self._inside(value, _sorted(value) if isinstance(value, AbstractSet) else list(value), path, level)
        return forms.shape(value)

    def _inside(self, owner: Any, content: Any, path: _Path, level: int) -> Any:
        """What is in a container, with `owner` known to be above it."""
        self.above[id(owner)] = path
        self.stack.append((owner, path))
        try:
            if level >= MAX_DEPTH - 1 and not _is_flat(content):  # one level is left, for the holder itself
                return self._put_off(content, path)
            return self.content(content, path, level + 1)
        finally:
            self.stack.pop()
            del self.above[id(owner)]

    def _put_off(self, value: Any, path: _Path, *, whole: bool = False) -> Any:
        later = _Later(value, path, self.stack.copy(), whole=whole)
        self.deep.append(later)
        if self.inside_text:
            return later
        later.holder = {"$json": None}
        return later.holder

    def content(self, content: Any, path: _Path, level: int) -> Any:
        if isinstance(content, Mapping):
            return self.mapping(content, path, level)
        return [self.value(item, (path, number), level) for number, item in enumerate(content)]

    def mapping(self, content: Mapping[Any, Any], path: _Path, level: int) -> dict[str, Any]:
        members = forms.named(content)
        for name, item in members.items():
            self.room -= len(name)
            members[name] = self.value(item, (path, name), level)
        return members


def _is_flat(content: Any) -> bool:
    """Whether these are members or items that stand in a line as they are, and hold nothing themselves."""
    if type(content) is not dict and type(content) is not list:
        return False
    items = content.values() if type(content) is dict else content
    return all(
        item is None
        or type(item) is bool
        or (type(item) is str and forms.text(item) is item)
        or (type(item) is int and item in _INTEGERS)
        or (type(item) is float and math.isfinite(item))
        for item in items
    )


def _where(path: _Path) -> str:
    steps = []
    while path is not None:
        path, step = path
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "$" + "".join(reversed(steps))


def _sorted(values: Iterable[Any]) -> list[Any]:
    try:
        return sorted(values)
    except Exception:  # most often: of several types
        return list(values)
