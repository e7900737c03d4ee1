"""The form of one thing that JSON cannot hold: a text, a number, a key, raw JSON, a stranger's object.

Nothing here raises, whatever the object's own code does; :mod:`jsonl_audit.values` says which form is whose.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import json
import math
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

__all__ = ["digits", "float_name", "fragment", "key_name", "named", "shape", "shown", "text"]


def named(members: Mapping[Any, Any]) -> dict[str, Any]:
    """The members with each key as the text that it has on disk, and their values untouched.

    >>> named({"1": "a", 1: "b", None: [2]})
    {'1': 'a', '1~2': 'b', 'null': [2]}
    """
    result: dict[str, Any] = {}
    for key, value in list(members.items()):
        name = key_name(key)
        if name in result:
            twin = 2
            while f"{name}~{twin}" in result:
                twin += 1
            name = f"{name}~{twin}"
        result[name] = value
    return result


def shown(value: Any) -> str:
    """Its repr, cut to 200 characters, or what there is in place of one.

    >>> shown([1, 2])
    '[1, 2]'
    """
    return shape(value)["$repr"][:200]


def text(value: str) -> Any:
    """A text, or the object that stands for one with lone surrogates.

    >>> text("half a pair: \\ud83d")
    {'$text': 'half a pair: \\\\ud83d'}
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        return {"$text": _escaped(value)}
    return value


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").encode("utf-8", "backslashreplace").decode()


def digits(value: int) -> str:
    """All digits of an integer, however many.

    >>> digits(2**64)
    '18446744073709551616'
    """
    try:
        return int.__str__(value)
    except ValueError:  # Python refuses decimal digits of very long integers
        return hex(value)


def float_name(value: float) -> str:
    """What a number is called that JSON has no digits for.

    >>> float_name(float("-inf"))
    '-Infinity'
    """
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def fragment(value: orjson.Fragment) -> Any:
    """What the JSON text of a fragment says; the text itself where it is none, or a record could not say the same."""
    raw = orjson.dumps(value)
    try:
        told = raw.decode()
    except UnicodeDecodeError:
        return raw
    try:
        return json.loads(
            told, object_pairs_hook=_once, parse_float=_exact_float, parse_int=_exact_int, parse_constant=_exact_float
        )
    except (ValueError, ArithmeticError, RecursionError):
        return {"$json": told}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _exact_float(told: str) -> float:
    value = float(told)
    if decimal.Decimal(repr(value)) != decimal.Decimal(told):
        raise ValueError
    return value


def _exact_int(told: str) -> int:
    if told == "-0":
        raise ValueError
    return int(told)


def key_name(key: Any) -> str:
    """The name that a key has on disk.

    >>> key_name(None), key_name((1, 2))
    ('null', '(1, 2)')
    """
    name = ""
    try:
        if isinstance(key, enum.Enum) and not isinstance(key, str):
            key = key.value
        if isinstance(key, str):
            name = str.__str__(key)
        elif key is None or isinstance(key, bool):
            name = {None: "null", True: "true", False: "false"}[key]
        elif isinstance(key, int):
            name = digits(int.__int__(key))
        elif isinstance(key, float):
            name = float.__repr__(key) if math.isfinite(key) else float_name(key)
        elif isinstance(key, (datetime.datetime, datetime.date, datetime.time)):
            name = key.isoformat()
        elif isinstance(key, (decimal.Decimal, uuid.UUID, fractions.Fraction)):
            name = str(key)
        else:
            name = shape(key)["$repr"]
        name.encode()
    except UnicodeEncodeError:
        return _escaped(name)
    except Exception:
        return f"<{_name(type(key))}>"
    return name


def _name(kind: type) -> str:
    try:
        name = f"{kind.__module__}.{kind.__qualname__}"
        name.encode()
    except Exception:  # a metaclass with ideas of its own
        return "unknown"
    return name


def shape(value: Any) -> dict[str, str]:
    """What is known of a stranger's object: its repr, its class.

    >>> shape(1 + 2j)
    {'$repr': '(1+2j)', 'class': 'builtins.complex'}
    """
    try:
        told = str.__str__(repr(value))
        told = told if isinstance(text(told), str) else _escaped(told)
    except RecursionError:
        told = f"<{_name(type(value))} nested too deep to show>"
    except Exception as error:
        told = f"<{_name(type(value))} whose repr raises {type(error).__name__}>"
    return {"$repr": told, "class": _name(type(value))}
