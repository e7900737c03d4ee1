"""What JSON or its serialiser cannot hold, in a form that it can: nothing dropped, nothing raised, nothing silent.

| value | form |
|---|---|
| NaN, infinities | ``{"$float": "NaN"}``, ``"Infinity"``, ``"-Infinity"`` |
| integers outside -2^63 … 2^64-1 | ``{"$int": "<digits>"}`` |
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
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import orjson

__all__ = ["MAX_DEPTH", "has_nonfinite", "plain"]

MAX_DEPTH = 128
"""How deep a record may be nested, itself counted as 1 (docs/reference/format.md)."""

_INTEGERS = range(-(2**63), 2**64)
_AS_TEXT = (decimal.Decimal, uuid.UUID, fractions.Fraction)


def plain(event: Mapping[Any, Any]) -> dict[str, Any]:
    """The event as nothing but dicts with text keys, lists, texts, numbers, booleans and None.

    >>> plain({"n": float("nan"), "raw": b"\\x00\\xff", 7: {1, 2}})
    {'n': {'$float': 'NaN'}, 'raw': {'$bytes': 'AP8='}, '7': [1, 2]}
    """
    walk = _Walk()
    walk.above[id(event)] = "$"
    result: dict[str, Any] = walk.mapping(event, "$", 1)
    # What was too deep becomes text from the inside out, without recursion; what lies deeper still stands in that
    # text as it is, not as a text within a text.
    walk.event_done = True
    done = 0
    while done < len(walk.deep):
        later = walk.deep[done]
        walk.above = later.above
        later.value = walk.content(later.value, later.path, 1)
        done += 1
    for later in reversed(walk.deep):
        later.text = orjson.dumps(later.value, default=lambda inner: orjson.Fragment(inner.text))
        if later.holder is not None:
            later.holder["$json"] = later.text.decode()
    return result


class _Later:
    """A container nested too deep, to be turned into text when the walk over the rest is done."""

    __slots__ = ("above", "holder", "path", "text", "value")

    def __init__(self, value: Any, path: str, above: dict[int, str]) -> None:
        self.value = value
        self.path = path
        self.above = above
        self.holder: dict[str, Any] | None = None
        self.text = b""


def has_nonfinite(value: Any, _level: int = 0) -> bool:
    """Whether a NaN or an infinity is in `value`, which the serialiser would silently write as null.

    >>> has_nonfinite({"a": [1.0, {"b": float("inf")}]})
    True
    """
    if _level > 300:  # deeper than the serialiser itself goes
        return True
    for item in value.values() if isinstance(value, dict) else value:
        kind = type(item)
        if kind is str or item is None or kind is int or kind is bool:
            continue
        if kind is float:
            if not math.isfinite(item):
                return True
        elif isinstance(item, (dict, list, tuple)):
            if has_nonfinite(item, _level + 1):
                return True
        elif isinstance(item, enum.Enum) and has_nonfinite((item.value,), _level + 1):
            return True
    return False


class _Walk:
    """One walk over one event: who holds whom (for cycles), and what lies too deep."""

    def __init__(self) -> None:
        self.above: dict[int, str] = {}
        self.deep: list[_Later] = []
        self.event_done = False

    def value(self, value: Any, path: str, level: int) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return _text(value)
        if kind is int:
            return value if value in _INTEGERS else {"$int": _digits(value)}
        if kind is float:
            return value if math.isfinite(value) else {"$float": _float(value)}
        try:
            return self._odd(value, path, level)
        except RecursionError:
            return {"$repr": f"<{_name(kind)} nested too deep to show>", "class": _name(kind)}
        except Exception:  # a value's own code failed: its repr is what is left of it
            return _repr(value)

    def _odd(self, value: Any, path: str, level: int) -> Any:
        if isinstance(value, enum.Enum):
            return self.value(value.value, path, level)
        if isinstance(value, str):
            return _text(str.__str__(value))
        if isinstance(value, int):
            return self.value(int(value), path, level)
        if isinstance(value, float):
            return self.value(float(value), path, level)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return {"$bytes": base64.b64encode(bytes(value)).decode()}
        if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, _AS_TEXT):
            return str(value)
        if isinstance(value, os.PathLike):
            return self.value(os.fspath(value), path, level)
        if id(value) in self.above:
            return {"$cycle": _text(self.above[id(value)])}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
            return self._inside(value, fields, path, level)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self._inside(value, dict(zip(value._fields, value, strict=False)), path, level)
        if isinstance(value, Mapping):
            return self._inside(value, value, path, level)
        if isinstance(value, AbstractSet):
            try:
                items = sorted(value)
            except TypeError:
                items = list(value)
            return self._inside(value, items, path, level)
        if isinstance(value, Sequence | deque):
            return self._inside(value, list(value), path, level)
        return _repr(value)

    def _inside(self, owner: Any, content: Any, path: str, level: int) -> Any:
        """What is in a container, with `owner` known to be above it."""
        self.above[id(owner)] = path
        try:
            if level >= MAX_DEPTH - 1:  # one level is left, for the holder itself
                later = _Later(content, path, dict(self.above))
                self.deep.append(later)
                if self.event_done:
                    return later
                later.holder = {"$json": None}
                return later.holder
            return self.content(content, path, level + 1)
        finally:
            del self.above[id(owner)]

    def content(self, content: Any, path: str, level: int) -> Any:
        if isinstance(content, Mapping):
            return self.mapping(content, path, level)
        return [self.value(item, f"{path}[{n}]", level) for n, item in enumerate(content)]

    def mapping(self, value: Mapping[Any, Any], path: str, level: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in list(value.items()):
            name = _key(key)
            if name in result:
                twin = 2
                while f"{name}~{twin}" in result:
                    twin += 1
                name = f"{name}~{twin}"
            result[name] = self.value(item, f"{path}.{name}", level)
        return result


def _text(value: str) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:
        return {"$text": _escaped(value)}
    return value


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").encode("utf-8", "backslashreplace").decode()


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses decimal digits of very long integers
        return hex(value)


def _float(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum) and not isinstance(key, str):
        key = key.value
    name = ""
    try:
        if isinstance(key, str):
            name = str.__str__(key)
        elif key is None or isinstance(key, bool):
            name = {None: "null", True: "true", False: "false"}[key]
        elif isinstance(key, int):
            name = _digits(int(key))
        elif isinstance(key, float):
            name = repr(float(key)) if math.isfinite(key) else _float(key)
        elif isinstance(key, (datetime.datetime, datetime.date, datetime.time)):
            name = key.isoformat()
        elif isinstance(key, _AS_TEXT):
            name = str(key)
        else:
            name = _repr(key)["$repr"]
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


def _repr(value: Any) -> dict[str, str]:
    try:
        shown = repr(value)
        shown = shown if isinstance(_text(shown), str) else _escaped(shown)
    except RecursionError:
        shown = f"<{_name(type(value))} nested too deep to show>"
    except Exception as error:
        shown = f"<{_name(type(value))} whose repr raises {type(error).__name__}>"
    return {"$repr": shown, "class": _name(type(value))}
