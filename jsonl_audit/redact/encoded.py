"""Secrets in an encoded event: one cheap look at its bytes, and only where that says so, at the strings in it."""

from __future__ import annotations

import re
from collections.abc import Callable

import orjson

__all__ = ["in_strings"]

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


class KeyFoundError(Exception):
    """A secret stands in a name: what it becomes depends on the names beside it."""


def in_strings(members: bytes, change: Callable[[str], str]) -> bytes:
    """JSON text with every string in it changed; the same object if none was. Raises KeyFoundError for a name."""
    pieces: list[bytes] = []
    at = 0
    for found in _STRING.finditer(members):
        start, end = found.span()
        told = orjson.loads(found[0])
        made = change(told)
        if made != told:
            if members[end : end + 1] == b":":
                raise KeyFoundError
            pieces += (members[at:start], orjson.dumps(made))
            at = end
    if not pieces:
        return members
    pieces.append(members[at:])
    return b"".join(pieces)
