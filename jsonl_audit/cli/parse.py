"""A line of somebody's JSON → a value that loses nothing, or the reason why there is none.

Most JSON libraries, orjson among them, keep the last of two members with one name, and turn an integer past 64 bits
into a float. An audit log may do neither silently: the first is refused, the second keeps its digits.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import orjson

__all__ = ["BadLineError", "parse_object", "parse_value"]

_BOMS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_LONGEST_INTEGER = 4000
"""Python refuses to convert more decimal digits than about this."""


class BadLineError(ValueError):
    """Why a line is no event, in words."""


def parse_object(text: bytes) -> dict[str, Any]:
    """The object that a line is.

    NaN and infinities, which Python's json writes, are let in; the log writes them as {"$float": "NaN"}.

    Raises BadLineError.

    >>> parse_object(b'{"a": 1}')
    {'a': 1}
    >>> parse_object(b'[1, 2]')
    Traceback (most recent call last):
    ...
    jsonl_audit.cli.parse.BadLineError: an array, not an object; `jq -c '.[]'` makes one line of each item
    """
    value = parse_value(text)
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        raise BadLineError("an array, not an object; `jq -c '.[]'` makes one line of each item")
    kind = {str: "a text", bool: "a boolean", type(None): "null"}.get(type(value), "a number")
    raise BadLineError(f"{kind}, not an object; an event is an object: {{…}}")


def parse_value(text: bytes | str) -> Any:
    """The value that `text` is, nothing of it lost: integers of any length, NaN, one value for each name.

    Raises BadLineError.
    """
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    try:
        value = orjson.loads(data)
        if orjson.dumps(value) == data:  # what comes out as it went in had no name twice and no long number
            return value
    except (ValueError, TypeError, RecursionError):
        pass
    return _slowly(data)


def _slowly(data: bytes) -> Any:
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_members,
            parse_int=_integer,
            parse_float=_float,
        )
    except UnicodeDecodeError as error:
        for mark, name in _BOMS:
            if data.startswith(mark):
                raise BadLineError(f"{name}, not UTF-8; `iconv -f {name} -t UTF-8` converts it") from error
        raise BadLineError(f"no UTF-8 at byte {error.start + 1} of the line") from error
    except json.JSONDecodeError as error:
        if b"\0" in data:
            raise BadLineError("it holds NUL bytes, as a file has that was cut by a crash") from error
        more = ""
        if data.rstrip() in (b"{", b"["):
            more = "; an event must stand in one line, `jq -c .` puts it so"
        what = error.msg[:1].lower() + error.msg[1:]
        raise BadLineError(f"no JSON: {what} at column {error.colno}{more}") from error
    except RecursionError as error:
        raise BadLineError("nested too deep") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise BadLineError(f"two members of one object are named {name!r:.100}: which one is meant?")
            seen.add(name)
    return members


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else {"$int": digits}


def _float(digits: str) -> float | Decimal:
    value = float(digits)
    return value if math.isfinite(value) else Decimal(digits)
