"""What is too long for a line, made to fit: the beginning of it, its length and its hash. Pure, no I/O.

| too long | form |
|---|---|
| a text | ``{"$short": "<its beginning>", "bytes": n, "blake3": "<hex>"}``: of its UTF-8 |
| a list | ``{"$short": [<its first items>], "items": n, "bytes": n, "blake3": "<hex>"}``: of its JSON, compact |
| an object | ``{"$short": {<its first members>}, "members": n, "bytes": n, "blake3": "<hex>"}``: the same |
| the event itself | its first members, and ``"$short": {"members": n, "bytes": n, "blake3": "<hex>"}`` among them |
| what never ends, or nearly | ``{"$short": null, "class": "<module.name>", "items": n}`` |

The longest texts go first, and as little of them as need be; only when no text is left to cut do lists and objects.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from blake3 import blake3

from jsonl_audit import record, values
from jsonl_audit.errors import EventTooLargeError

__all__ = ["runs_no_code", "settled", "shortened"]

_ROOM = record.HARD_LIMIT
_TEXT = frozenset((str,))
_SAFE = frozenset((str, int, float, bool, type(None), datetime.datetime, datetime.date, uuid.UUID))
_MARK = 110  # bytes that the form of a shortened text adds, about
_KEY = 128  # bytes of a name that are kept
_TIMES = ("time", "ts", "timestamp", "id")
_LONG = "x" * 129  # longer than what any of these may be
_FRAME = 340  # bytes of a line that are not its members, at most
# How many members of the event, how many items of anything in it, and the shortest cut of a text: from hardly at all
# to hardly anything. The first that can be made to fit is taken.
_ALL = 1 << 62
_STEPS = (
    (_ALL, _ALL, 256), (1024, 1024, 256), (256, 256, 128), (64, 64, 64), (32, 16, 64), (32, 4, 32), (16, 1, 16),
    (8, 0, 16), (4, 0, 0), (1, 0, 0),
)  # fmt: skip


def settled(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event with each odd value in its form on disk: nobody's code runs when it is encoded, however often.

    >>> settled({"n": 1, "text": "as it is"})
    {'n': 1, 'text': 'as it is'}
    >>> settled({"odd": 1j, "endless": range(10**12)})["endless"]
    {'$short': None, 'class': 'builtins.range', 'items': 1000000000000}
    """
    if runs_no_code(event):
        return event
    made: dict[str, Any] = {}
    for name, value in event.items():
        if runs_no_code({name: value}):
            made[name] = value
            continue
        try:
            ((own, form),) = values.plain({name: value}, _ROOM).items()
        except values.TooMuch:
            ((own, form),) = values.plain({name: _endless(value)}).items()
        twin = 2
        free = own
        while free in made or (free != name and free in event):  # a name that is no Unicode is another on disk
            free, twin = f"{own}~{twin}", twin + 1
        made[free] = form
    return made


def shortened(event: Mapping[str, Any], limit: int = record.LINE_LIMIT) -> Mapping[str, Any]:
    """The event, cut so that its line has at most `limit` bytes; the event itself where it has.

    Raises what :func:`jsonl_audit.record.encode` raises, but for EventTooLargeError.

    >>> made = shortened({"type": "t", "text": "x" * 2000}, 1024)
    >>> len(made["text"]["$short"]) > 400, made["text"]["bytes"]
    (True, 2000)
    """
    event = settled(event)
    if _fits(event, limit):
        return event
    whole = values.plain(event)  # what is left that is no plain JSON ends, and is nobody's code
    own = {name: whole.pop(name) for name in ("type", *_TIMES) if len(str(whole.get(name, _LONG))) < len(_LONG)}
    room = limit - _FRAME - len(orjson.dumps(own))
    for members, items, least in _STEPS:
        try:
            level = _level(whole, members, items, least, room)
        except values.TooMuch:
            continue
        made: dict[str, Any] = {**own, **_cut_members(whole, members, items, level)}
        if len(made) < len(own) + len(whole):
            made["$short"] = {"members": len(whole), **_known(orjson.dumps(whole))}
        if _fits(made, limit):
            return made
    return {"type": own.get("type"), "$short": {"members": len(whole)}}


def _fits(event: Mapping[str, Any], limit: int) -> bool:
    try:
        record.encode(event, limit)
    except EventTooLargeError:
        return False
    return True


def runs_no_code(event: Mapping[str, Any]) -> bool:
    """Whether all of it is of types whose own code is Python's.

    >>> runs_no_code({"n": [1, {"text": "t"}]}), runs_no_code({"n": [1j]})
    (True, False)
    """
    inside: list[Any] = [event]
    for held in inside:
        if len(inside) > 1000:  # or it holds itself
            return False
        if type(held) is dict:
            if not _TEXT.issuperset(map(type, held)):
                return False
            held = held.values()
        if _SAFE.issuperset(map(type, held)):
            continue
        for item in held:
            kind = type(item)
            if kind in _SAFE:
                continue
            if kind is not dict and kind is not list and kind is not tuple:
                return False
            inside.append(item)
    return True


def _endless(value: Any) -> dict[str, Any]:
    form: dict[str, Any] = {"$short": None, "class": f"{type(value).__module__}.{type(value).__qualname__}"}
    try:
        form["items"] = len(value)
    except Exception:  # noqa: BLE001 - a stranger's code, and a length past what Python counts
        return form
    return form


def _known(text: bytes) -> dict[str, Any]:
    return {"bytes": len(text), "blake3": blake3(text).hexdigest()}


def _size(text: str) -> int:
    return len(orjson.dumps(text)) - 2


# -- how far to cut


def _level(event: dict[str, Any], members: int, items: int, least: int, room: int) -> int:
    """The longest that texts may be, in bytes as they stand in a line. Raises TooMuch if `least` is too long."""
    texts: list[int] = []
    spent = 0
    to_do: list[tuple[Any, int]] = [(event, members)]
    while to_do:
        value, most = to_do.pop()
        kind = type(value)
        if kind is str:
            texts.append(_size(value))
            spent += 3 + min(texts[-1], least)
        elif kind is dict or kind is list:
            spent += 3
            if len(value) > most:
                spent += _MARK + 30
            for number, item in enumerate(value):
                if number >= most or spent > room:
                    break
                if kind is dict:
                    spent += 4 + min(_size(item), _KEY + 70)
                    item = value[item]
                to_do.append((item, items))
        else:
            spent += 1 + len(orjson.dumps(value))
        if spent > room:
            raise values.TooMuch
    spare = room - (spent - sum(min(size, least) for size in texts))
    low, high = least - 1, max([least, *texts])
    while low < high:  # the highest level at which all of it fits
        middle = (low + high + 1) // 2
        cost = sum(min(size, middle + _MARK) for size in texts)
        low, high = (middle, high) if cost <= spare else (low, middle - 1)
    if low < least:
        raise values.TooMuch
    return low


# -- cutting


def _cut_members(members: dict[str, Any], most: int, items: int, level: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in members.items():
        if len(made) >= most:
            break
        if _size(name) > _KEY:
            name = f"{_beginning(name, _KEY // 2)}…{blake3(name.encode()).hexdigest()}"
        made[name] = _cut(value, items, level)
    return made


def _cut(value: Any, items: int, level: int) -> Any:
    kind = type(value)
    if kind is str:
        if len(value) <= level // 6 or _size(value) <= level + _MARK:
            return value
        return {"$short": _beginning(value, level), **_known(value.encode())}
    if kind is list:
        made = [_cut(item, items, level) for item in value[:items]]
        return made if len(made) == len(value) else {"$short": made, "items": len(value), **_known(orjson.dumps(value))}
    if kind is dict:
        inside = _cut_members(value, items, items, level)
        if list(inside) == list(value):
            return inside
        return {"$short": inside, "members": len(value), **_known(orjson.dumps(value))}
    return value


def _beginning(text: str, level: int) -> str:
    """As many characters as take at most `level` bytes of a line."""
    low, high = 0, min(len(text), level)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _size(text[:middle]) <= level else (low, middle - 1)
    return text[:low]
