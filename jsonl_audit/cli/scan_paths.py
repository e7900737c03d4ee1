"""What redaction changed in a value: the path of each member, the kind, and a masked form of what stood there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from jsonl_audit.redact.markers import MARKER

__all__ = ["Change", "changes", "masked"]

_PLAIN = re.compile(r"[^\s.\[\]\"]+")
_ENOUGH = 20


class Change(NamedTuple):
    """One thing that was redacted."""

    path: str
    kind: str
    masked: str
    before: Any
    """What stood there."""
    name: str
    """The last name on the way to it."""


def changes(before: Any, after: Any, path: str = "", name: str = "") -> Iterator[Change]:
    """Everything by which a value differs from what redaction made of it.

    >>> given = {"user": {"password": "open sesame"}, "n": [1]}
    >>> [change[:3] for change in changes(given, {"user": {"password": "<redacted:password>"}, "n": [1]})]
    [('user.password', 'password', '***** (11 characters)')]
    """
    if isinstance(before, dict) and isinstance(after, dict) and len(before) == len(after):
        for (key, value), (shown, left) in zip(before.items(), after.items(), strict=True):
            below = _below(path, shown)
            if key != shown:
                yield from _in_text(key, shown, below, key)
            yield from changes(value, left, below, key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (value, left) in enumerate(zip(before, after, strict=True)):
            yield from changes(value, left, f"{path}[{index}]", name)
    elif isinstance(before, str) and isinstance(after, str):
        if before != after:
            yield from _in_text(before, after, path, name)
    elif isinstance(after, str):
        for kind in _kinds(after):
            yield Change(path, kind, _described(before), before, name)
    elif before != after:  # keys that are the same once they are redacted: all that is known is what is there now
        for kind in _kinds(orjson.dumps(after).decode()):
            yield Change(path, kind, "*****", before, name)


def _in_text(before: str, after: str, path: str, name: str) -> Iterator[Change]:
    inner, left = _json(before), _json(after)
    if inner is not None and left is not None:
        for change in changes(inner, left, "", name):
            yield change._replace(path=f"{path} → {change.path}")
        return
    kinds = [*(Counter(_kinds(after)) - Counter(_kinds(before))).elements()]
    if len(kinds) == 1:
        start = _common(before, after)
        end = _common(before[start:][::-1], after[start:][::-1])
        yield Change(path, kinds[0], masked(before[start : len(before) - end]), before, name)
    else:
        for kind in kinds:
            yield Change(path, kind, "*****", before, name)


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common in front."""
    for at, (character, twin) in enumerate(zip(one, other, strict=False)):
        if character != twin:
            return at
    return min(len(one), len(other))


def _json(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _kinds(text: str) -> Iterator[str]:
    for marker in MARKER.findall(text):
        yield marker.strip("<>").partition(":")[2].partition(":")[0] or "path"


def _below(path: str, name: str) -> str:
    if _PLAIN.fullmatch(name):
        return f"{path}.{name}" if path else name
    return f"{path}[{orjson.dumps(name).decode()}]"


def _described(value: Any) -> str:
    if isinstance(value, dict):
        return f"***** (an object of {len(value):,})"
    return f"***** (a list of {len(value):,})" if isinstance(value, list) else "*****"


def masked(secret: str) -> str:
    """How long a secret is, and how it begins if it is long and of one piece, as keys are; never more.

    >>> masked("A" * 20), masked("hunter2"), masked("a long sentence of somebody's")
    ('AAAA***** (20 characters)', '***** (7 characters)', '***** (29 characters)')
    """
    shown = secret[:4] if len(secret) >= _ENOUGH and secret[:_ENOUGH].isalnum() else ""
    return f"{shown}***** ({len(secret):,} character{'s' * (len(secret) != 1)})"
