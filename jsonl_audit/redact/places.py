"""What was redacted, and where: by comparing a value with what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from jsonl_audit.redact.markers import MARKER

__all__ = ["Place", "places"]


class Place(NamedTuple):
    """Where something was redacted, and what; not the secret itself.

    >>> Place("password", "details.db.password").path
    'details.db.password'
    """

    kind: str
    path: str
    """In the notation of the paths of a redactor."""


def places(before: Any, after: Any, path: str = "") -> Iterator[Place]:
    """The places at which two values differ, in order."""
    if before is after:
        return
    if type(before) is dict and type(after) is dict:
        for (name, one), (other, two) in zip(before.items(), after.items(), strict=True):
            where = f"{path}.{other}" if path else str(other)
            if name != other:
                yield from _kinds(name, other, where)
            yield from places(one, two, where)
    elif type(before) in (list, tuple) and type(after) in (list, tuple):
        for number, (one, two) in enumerate(zip(before, after, strict=True)):
            yield from places(one, two, f"{path}[{number}]")
    elif type(after) is str:
        if before != after:
            yield from _kinds(before, after, path)
    elif before != after:
        yield Place("by-rule", path)


def _kinds(before: Any, after: str, path: str) -> Iterator[Place]:
    """The kinds of the markers that stand in `after`, without as many as stood in `before`."""
    old = [found[0] for found in MARKER.finditer(before)] if type(before) is str else []
    new = False
    for found in MARKER.finditer(after):
        if found[0] in old:
            old.remove(found[0])
        else:
            new = True
            kind = "path" if found[0] == "<path>" else found[0].strip("<>").split(":")[1]
            yield Place("text" if kind.startswith("text-") else kind, path)
    if not new:  # a function's value; or a marker that took more than it stood for before
        last = MARKER.fullmatch(after)
        yield Place("by-rule" if last is None or after == "<path>" else after.strip("<>").split(":")[1], path)
