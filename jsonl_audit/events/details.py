"""What one detail of a type of events is: its kinds in JSON, what it means, and a check of a value that is quick."""

from __future__ import annotations

import enum
import math
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jsonl_audit import instants

__all__ = ["KINDS", "QUICK", "Detail", "detail_of", "fits", "kind_of", "text_like"]

_TEXTS = (str, uuid.UUID, os.PathLike)
"""What a line holds as a text (:mod:`jsonl_audit.values`); enumeration members and dates too."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One member of an event's `details`.

    :param kind: ``"string"``, ``"integer"``, ``"number"``, ``"boolean"``, ``"object"``, ``"array"`` as in JSON Schema;
        ``"strings"`` (an array of them), ``"time"`` (RFC 3339, a datetime, or an epoch number), ``"any"``; several with
        ``|`` between them.
    :param meaning: what it says, in a few words, with its unit.
    :param example: a value that fits.
    :param words: if given, the only texts that fit.

    Raises ValueError for a kind that does not exist.

    >>> Detail("integer", "how often it was tried", 3).fits(3), Detail("string|integer").fits(None)
    (True, False)
    """

    kind: str
    meaning: str = ""
    example: Any = None
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kind.split("|") if kind not in KINDS]
        if unknown:
            raise ValueError(f"there is no kind {unknown[0]!r} of details; there are {', '.join(KINDS)}")

    def fits(self, value: Any) -> bool:
        """Whether `value` is of this kind, as a line will hold it."""
        return fits(self)(value)

    @property
    def expected(self) -> str:
        """What fits, in words.

        >>> Detail("string|integer").expected, Detail("string", words=("allow", "deny")).expected
        ('a string or an integer', "'allow' or 'deny'")
        """
        if self.words:
            return _or([repr(word) for word in self.words])
        return _or([_WORDS[kind] for kind in self.kind.split("|")])


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


_WORDS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
    "strings": "an array of strings",
    "time": "a time",
    "any": "anything but null",
}


def text_like(value: Any) -> bool:
    """Whether a line holds `value` as a string.

    >>> text_like("a"), text_like(uuid.UUID(int=7)), text_like(b"a"), text_like(7)
    (True, True, False, False)
    """
    if isinstance(value, enum.Enum):
        value = value.value
    return isinstance(value, _TEXTS)


def _integer(value: Any) -> bool:
    if type(value) is int:
        return -0x8000000000000000 <= value <= 0xFFFFFFFFFFFFFFFF
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, float):  # JSON does not tell 5.0 from 5
        return value.is_integer() and -(2.0**63) <= value < 2.0**64
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64


def _number(value: Any) -> bool:
    if type(value) is float:
        return value - value == 0.0
    return (isinstance(value, float) and math.isfinite(value)) or _integer(value)


def _array(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset)) and not hasattr(value, "_fields")


def _time(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, datetime) or instants.from_event(value) is not None


KINDS: dict[str, Callable[[Any], bool]] = {
    "string": text_like,
    "integer": _integer,
    "number": _number,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, Mapping),
    "array": _array,
    "strings": lambda value: _array(value) and all(map(text_like, value)),
    "time": _time,
    "any": lambda value: value is not None,
}
"""Each kind of details, and whether a value is one."""
QUICK: dict[str, type] = {"string": str, "boolean": bool, "object": dict, "array": list}
"""A value of exactly this type is of that kind: no need to ask further."""


def fits(detail: Detail) -> Callable[[Any], bool]:
    """The check of a detail, for use many times over.

    >>> fits(Detail("strings"))(["a", "b"]), fits(Detail("number"))(float("nan"))
    (True, False)
    """
    if detail.words:
        words = frozenset(detail.words)

        def is_word(value: Any) -> bool:
            if isinstance(value, enum.Enum):
                value = value.value
            return isinstance(value, str) and value in words

        return is_word
    kinds = detail.kind.split("|")
    if len(kinds) > 1:
        several = [KINDS[kind] for kind in kinds]
        return lambda value: any(check(value) for check in several)
    check = KINDS[detail.kind]
    quick = QUICK.get(detail.kind)
    if quick is None:
        return check
    return lambda value: type(value) is quick or check(value)


_PYTHON: dict[Any, str] = {
    str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", list: "array", datetime: "time",
    Any: "any",
}  # fmt: skip


def detail_of(given: Any) -> Detail:
    """A detail as users write it: a Detail, the name of a kind, a Python type, or the words that fit.

    Raises ValueError for anything else.

    >>> detail_of(float).kind, detail_of(("allow", "deny")).words, detail_of("strings").kind
    ('number', ('allow', 'deny'), 'strings')
    """
    if isinstance(given, Detail):
        return given
    if isinstance(given, str):
        return Detail(given)
    if isinstance(given, (tuple, list)) and given and all(isinstance(word, str) for word in given):
        return Detail("string", words=tuple(given))
    try:
        return Detail(_PYTHON[given])
    except (KeyError, TypeError):
        raise ValueError(
            f"a detail is a kind such as 'string', a type such as int, a tuple of words, or a Detail, not {given!r:.60}"
        ) from None


def kind_of(value: Any) -> str:
    """What a value is, in the words of JSON, without showing it: it may be a secret.

    >>> kind_of("hunter2"), kind_of([1]), kind_of(float("nan")), kind_of(None)
    ('a string', 'an array', 'no finite number', 'null')
    """
    if value is None:
        return "null"
    for kind in ("boolean", "string", "integer", "number", "object", "array"):
        if KINDS[kind](value):
            return "a boolean" if kind == "boolean" else _WORDS[kind]
    if isinstance(value, float):
        return "no finite number"
    return "an integer past 64 bits" if isinstance(value, int) else f"a {type(value).__name__}"
