"""Rules of a user's own about places and values: paths such as `details.headers[*].authorization`, and functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from jsonl_audit.redact.markers import Marking, is_marker

__all__ = ["Places", "parsed"]

Function = Callable[[str, Any], Any]
_STEP = re.compile(r"\.?(?:(\*\*)|(\*)|\[(\*|[0-9]{1,9})\]|\[\"([^\"]*)\"\]|([^.\[\]*\"]+))")
_NEVER = frozenset(("seq", "ts", "id", "type", "time", "timestamp", "schema", "clock", "batch", "prev", "hash"))
"""Members of an event without which it is none."""
_PLAIN = (str, int, float, bool)
ANY, DEEP, EACH = "*", "**", "[*]"
_Step = tuple[str, Any]
_States = frozenset[tuple[tuple[_Step, ...], int]]
"""How far each path has come."""


def parsed(path: str) -> tuple[_Step, ...]:
    """The steps of a path. Raises ValueError for what is none.

    >>> parsed('details.headers[*].authorization')
    (('name', 'details'), ('name', 'headers'), ('[*]', None), ('name', 'authorization'))
    """
    steps: list[_Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        # A dot before each name but the first, and before nothing else.
        if found is None or ((path[at] == ".") == (at == 0) and path[at] != "[") or path[at : at + 2] == ".[":
            raise ValueError(f"path {path!r}: {path[at:]!r} is no step; it looks like a.headers[*].name, a.*.b or **.b")
        deep, any_name, index, quoted, name = found.groups()
        if deep:
            steps.append((DEEP, None))
        elif any_name:
            steps.append((ANY, None))
        elif index is not None:
            steps.append((EACH, None) if index == "*" else ("index", int(index)))
        else:
            steps.append(("name", (quoted if quoted is not None else name).casefold()))
        at = found.end()
    if not steps or steps[-1][0] == DEEP:
        raise ValueError(f"path {path!r}: it ends nowhere; name what is to be redacted last")
    if len(steps) == 1 and steps[0][0] == "name" and steps[0][1] in _NEVER:
        raise ValueError(f"path {path!r}: without it an event is none")
    return tuple(steps)


class Places:
    """The user's paths and functions, over one value."""

    __slots__ = ("_functions", "_marking", "_paths")

    def __init__(self, paths: Iterable[str], functions: Iterable[Function], marking: Marking) -> None:
        self._paths = tuple(parsed(path) for path in paths)
        self._functions = tuple(functions)
        self._marking = marking

    def __bool__(self) -> bool:
        return bool(self._paths or self._functions)

    def applied(self, value: Any, found: dict[str, int]) -> Any:
        """The value with what the rules say; itself if they say nothing."""
        return self._applied(value, "", frozenset((path, 0) for path in self._paths), found, 0)

    def _applied(self, value: Any, place: str, states: _States, found: dict[str, int], depth: int) -> Any:
        kind = type(value)
        if depth > 200:
            return self._marked("too-deep", value, found)
        if kind is dict:
            result = value
            for name, inside in value.items():
                if depth == 0 and name in _NEVER:
                    continue
                after, hit = _after(states, name, number=False)
                where = f"{place}.{name}" if place else str(name)
                made = self._there(inside, where, after, hit, found, depth)
                if made is not inside:
                    result = value.copy() if result is value else result
                    result[name] = made
            return result
        if kind is list or kind is tuple:
            result = value
            for number, inside in enumerate(value):
                after, hit = _after(states, number, number=True)
                made = self._there(inside, f"{place}[{number}]", after, hit, found, depth)
                if made is not inside:
                    result = list(value) if result is value else result
                    result[number] = made
            return result
        return self._by_functions(place, value, found) if self._functions else value

    def _there(self, inside: Any, where: str, after: Any, hit: bool, found: dict[str, int], depth: int) -> Any:
        if hit and inside is not None and not (type(inside) is str and (not inside or is_marker(inside))):
            return self._marked("by-path", inside, found)
        if not after and not self._functions:
            return inside
        return self._applied(inside, where, after, found, depth + 1)

    def _by_functions(self, place: str, value: Any, found: dict[str, int]) -> Any:
        """What the functions make of a value: it itself or another; None for a marker; whatever fails, for one too."""
        if value is None or (type(value) is str and is_marker(value)):
            return value
        for function in self._functions:
            try:
                made = function(place, value)
            except Exception:  # noqa: BLE001 - a rule that fails redacts more, never less
                return self._marked("rule-failed", value, found)
            if made is value:
                continue
            if made is None:
                return self._marked("by-rule", value, found)
            if type(made) not in _PLAIN or not _can_be_written(made):
                return self._marked("rule-failed", value, found)
            if made != value:
                found["by-rule"] = found.get("by-rule", 0) + 1
                value = made
        return value

    def _marked(self, kind: str, secret: Any, found: dict[str, int]) -> str:
        found[kind] = found.get(kind, 0) + 1
        return self._marking.of(kind, secret)


def _can_be_written(value: Any) -> bool:
    """Whether a line can say it: no half characters, no number that JSON has not."""
    try:
        return orjson.dumps(value) != b"null"  # as it writes what is no number, or beyond all
    except TypeError:
        return False


def _after(states: Any, name: Any, *, number: bool) -> tuple[_States, bool]:
    """Where paths stand after one step, and whether one of them ends there."""
    result: set[tuple[tuple[_Step, ...], int]] = set()
    hit = False
    folded = name if number else str(name).casefold()
    to_do = list(states)
    while to_do:
        path, at = to_do.pop()
        kind, wanted = path[at]
        if kind == DEEP:
            result.add((path, at))
            to_do.append((path, at + 1))
            continue
        if number:
            fits = kind == EACH or (kind == "index" and wanted == name)
        else:
            fits = kind == ANY or (kind == "name" and wanted == folded)
        if fits:
            if at + 1 == len(path):
                hit = True
            else:
                result.add((path, at + 1))
    return frozenset(result), hit
