"""What stands in a record where a named filter looks (:mod:`jsonl_audit.spelling` says where), or at a dotted path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonl_audit.spelling import FIELDS, FILTERED, OF_ACTOR

__all__ = ["NAMES", "at_path", "values_of"]

_OF_ACTOR = frozenset(OF_ACTOR)
NAMES = FILTERED
"""The filters that look for a value in a field of their own."""


def values_of(field: str, record: dict[str, Any]) -> Iterator[Any]:
    """What stands in a record where the filter `field` looks.

    >>> [*values_of("tool", {"tool": {"id": 7}, "details": {"toolName": "bash"}})]
    [7, 'bash']
    >>> [*values_of("actor", {"actor": {"deviceId": "d1", "role": "admin"}})]
    ['d1']
    >>> [*values_of("actor", {"deviceId": "d1", "role": "admin"})]
    ['d1']
    """
    members, objects, inner = FIELDS[field]
    for name in objects:
        holder = record.get(name) if name else record
        if type(holder) is dict:
            for member in members:
                if member in holder:
                    yield from _plain(holder[member], inner)
    if field == "actor" and not _OF_ACTOR.isdisjoint(record):
        for member in OF_ACTOR:
            if member in record:
                yield from _plain(record[member], inner)


def _plain(value: Any, inner: tuple[str, ...]) -> Iterator[Any]:
    if type(value) is dict:
        for name in inner:
            if name in value:
                yield from _items(value[name])
    elif type(value) is list:
        for item in value:
            if type(item) is dict:
                yield from (item[name] for name in inner if name in item)
            else:
                yield item
    else:
        yield value


def _items(value: Any) -> Iterator[Any]:
    if type(value) is list:
        yield from value
    else:
        yield value


def at_path(record: Any, path: str) -> Iterator[Any]:
    """What stands at a dotted path: one value, several where a list lies on the way, or none.

    A number counts into a list (from the end, if negative); any other name looks into each of its items. Where a
    member has dots in its own name, the longest name that is there goes first. Where a list stands at the end, the
    list itself and each of its items are given.

    >>> [*at_path({"a.b": {"c": 1}, "a": {"b.c": 2}}, "a.b.c")]
    [1, 2]
    >>> [*at_path({"resources": [{"arn": "x"}, {"arn": "y"}]}, "resources.arn")]
    ['x', 'y']
    >>> [*at_path({"tags": ["red", "blue"]}, "tags.1"), *at_path({"tags": ["red"]}, "tags")]
    ['blue', ['red'], 'red']
    """
    return _at(record, path.split("."))


def _at(value: Any, names: list[str]) -> Iterator[Any]:
    if not names:
        yield value
        if type(value) is list:
            yield from value
    elif type(value) is dict:
        for length in range(len(names), 0, -1):
            name = ".".join(names[:length]) if length > 1 else names[0]
            if name in value:
                yield from _at(value[name], names[length:])
    elif type(value) is list:
        index = names[0]
        if index.isascii() and index.removeprefix("-").isdigit() and len(index) < 12:
            if -len(value) <= int(index) < len(value):
                yield from _at(value[int(index)], names[1:])
        else:
            for item in value:
                if type(item) is dict:
                    yield from _at(item, names)
