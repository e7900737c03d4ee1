"""Any Python value, drawn from the bytes of an input, and what docs/reference/values.md says that a log has of it.

`form` is written from that page and knows nothing of the code that it checks. What lies so deep that it stands in the
log as the text of its JSON is left as :class:`Deep`: `same` looks into that text.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from driver import Choices

__all__ = ["DEEPEST", "Deep", "form", "name_of", "named", "same", "strictly", "value"]

DEEPEST = 128
UTC = datetime.timezone.utc


class Unshowable:
    """Its repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Failing(Mapping[str, Any]):
    """A mapping whose own code fails."""

    def __getitem__(self, name: str) -> Any:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        raise ZeroDivisionError

    def __len__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "Failing()"


class Text(str):
    """A text that says something else of itself."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another"


class Number(int):
    """A number that says something else of itself."""

    def __repr__(self) -> str:
        return "another"


class Fraction(float):
    """A float that says something else of itself."""

    def __repr__(self) -> str:
        return "another"


class Members(dict[str, Any]):
    """A dict that is none by its type."""


class Color(enum.Enum):
    """An enumeration."""

    RED = "red"
    NOTHING = None
    BYTES = b"\xff"
    PAIR = (1, 2)


class Level(enum.IntEnum):
    """An enumeration of numbers."""

    HIGH = 3


class Kind(str, enum.Enum):
    """An enumeration of texts."""

    MADE = "kind.made"


class Pair(NamedTuple):
    """A named tuple."""

    x: Any
    y: Any


@dataclasses.dataclass
class Point:
    """A dataclass."""

    x: Any
    y: Any = None


_ZONES = [
    UTC,
    datetime.timezone(datetime.timedelta(hours=1)),
    datetime.timezone(-datetime.timedelta(seconds=3661)),
    None,
]
_NAMES = [
    "a", "b", "type", "id", "ts", "time", "timestamp", "seq", "hash", "prev", "batch", "clock", "salt", "erased",
    "details", "actor", "message", "$short", "", "1", "true", "null", "\ud800", "a\\", "é\n\x00\x7f\u2028", "$json",
]  # fmt: skip
_KEYS: list[Any] = [
    1, True, None, 2.5, float("nan"), b"k", (1,), Color.RED, Level.HIGH, Kind.MADE, 2**70, datetime.date(2026, 11, 21),
    decimal.Decimal("1.10"), uuid.UUID(int=5), frozenset([1]), Text("x"), pathlib.PurePosixPath("p"), Color.BYTES,
]  # fmt: skip


def name(choice: Choices) -> Any:
    """A key of a mapping."""
    kind = choice.below(64)
    if kind < len(_NAMES):
        return _NAMES[kind]
    if kind < len(_NAMES) + len(_KEYS):
        return _KEYS[kind - len(_NAMES)]
    return choice.text(12)


def value(choice: Choices, level: int = 0, above: tuple[Any, ...] = ()) -> Any:
    """Any value. `above` are the lists and dicts that it will stand in."""
    if not choice or level > 5 or choice.one_in(3):
        return _simple(choice)
    kind = choice.below(16)
    if kind < 5:
        made: Any = Members() if kind == 0 else {}
        for _ in range(choice.below(5)):
            made[name(choice)] = value(choice, level + 1, (*above, made))
        return made
    if kind < 8:
        made = [] if kind < 7 else collections.deque()
        for _ in range(choice.below(5)):
            made.append(value(choice, level + 1, (*above, made)))
        return made
    if kind == 8:
        return tuple(value(choice, level + 1, above) for _ in range(choice.below(4)))
    if kind == 9:
        return Pair(value(choice, level + 1, above), 1)
    if kind == 10:
        return Point(value(choice, level + 1, above))
    if kind == 11 and above:
        return choice.of(above)
    if kind == 12:
        return _nested(_simple(choice), 100 + choice.below(64), choice.below(3))
    if kind == 13:
        return {_hashable(choice) for _ in range(choice.below(4))}
    if kind == 14:
        return range(choice.below(300))
    return collections.OrderedDict([(name(choice), value(choice, level + 1))])


def _nested(inner: Any, depth: int, kind: int) -> Any:
    for number in range(depth):
        inner = [inner] if kind == 0 or (kind == 2 and number % 2) else {"n": inner}
    return inner


def _hashable(choice: Choices) -> Any:
    return choice.of([1, 2, 2.5, "a", "b", None, b"x", (1, 2), True, 2**70, "é"])


def _simple(choice: Choices) -> Any:
    kind = choice.below(40)
    if kind < 6:
        return choice.text()
    if kind < 12:
        return choice.of([0, 1, -1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**5000])
    if kind < 18:
        return choice.of(
            [0.0, -0.0, 1.5, 1e300, 5e-324, 0.1, math.nan, math.inf, -math.inf, 1e16, 123456789012345680.0]
        )
    if kind < 22:
        year, month, day = choice.of([1, 1969, 2026, 9999]), 1 + choice.below(12), 1 + choice.below(28)
        return datetime.datetime(year, month, day, 3, 2, 1, choice.below(1 << 16), choice.of(_ZONES))
    if kind < 24:
        return choice.of(["\ud800", "\\\udfff\\", "x" * 300, "é\u2028\x7f\x00", '{"seq":1,', "a" * 33_000])
    if kind < 26:
        raw = choice.take(choice.below(20))
        return choice.of([bytes, bytearray, memoryview])(raw)
    return choice.of(
        [
            None, True, False, decimal.Decimal("1.10"), decimal.Decimal("NaN"), uuid.UUID(int=choice.below(256)),
            pathlib.PurePosixPath("/é"), Unshowable(), Failing(), Text("t\ud800"), Number(2**65), Fraction("nan"),
            Color.RED, Color.NOTHING, Color.BYTES, Color.PAIR, Level.HIGH, Kind.MADE, fractions.Fraction(1, 3), 1 + 2j,
            object, len, datetime.date(2026, 11, 21), datetime.time(1, 2, 3), datetime.timedelta(1), ..., range(10**12),
        ]
    )  # fmt: skip


# -- the page, as code


@dataclasses.dataclass
class Deep:
    """A list or an object at the 128th level: there it may stand as it is, or as the text of its JSON."""

    value: Any


Above = tuple[tuple[Any, str], ...]


class Endless(Exception):  # noqa: N818 - no error of the target's
    """No line can hold it."""


def form(given: Any, path: str, above: Above) -> Any:
    """What stands in the log for the value at `path`; `above` are those that hold it, each with its own path."""
    if isinstance(given, enum.Enum):
        return form(given.value, path, above)
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, str):
        return text(str.__str__(given))
    if isinstance(given, int):
        plain = int.__int__(given)
        return plain if -(2**63) <= plain < 2**64 else {"$int": digits(plain)}
    if isinstance(given, float):
        plain_float = float.__float__(given)
        if math.isfinite(plain_float):
            return plain_float
        return {"$float": "NaN" if math.isnan(plain_float) else "Infinity" if plain_float > 0 else "-Infinity"}
    if isinstance(given, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(bytes(given)).decode()}
    if isinstance(given, datetime.datetime | datetime.date | datetime.time):
        return given.isoformat()
    if isinstance(given, decimal.Decimal | uuid.UUID | fractions.Fraction | pathlib.PurePath):
        return str(given)
    if isinstance(given, range) and len(given) > 1 << 20:
        raise Endless
    if not isinstance(given, Mapping | list | tuple | set | collections.deque | range | Point) or isinstance(
        given, Failing
    ):
        return stranger(given)
    for holder, its_path in above:
        if holder is given:
            return {"$cycle": its_path}
    made = _container(given, path, (*above, (given, path)))
    return Deep(made) if len(above) == DEEPEST - 1 else made


def _container(given: Any, path: str, above: Above) -> Any:
    def inside(item: Any, step: str) -> Any:
        return form(item, path + step, above)

    if isinstance(given, Pair | Point):
        return {field: inside(getattr(given, field), f".{field}") for field in ("x", "y")}
    if isinstance(given, Mapping):
        return {own: inside(item, f".{own}") for own, item in named(given).items()}
    items = given
    if isinstance(given, set):
        try:
            items = sorted(given)
        except TypeError:
            items = list(given)
    return [inside(item, f"[{number}]") for number, item in enumerate(items)]


def text(given: str) -> Any:
    """A text; one with lone surrogates in a form that says so."""
    escaped = escape(given)
    return given if escaped == given or not any("\ud800" <= char <= "\udfff" for char in given) else {"$text": escaped}


def escape(given: str) -> str:
    """Each backslash doubled, each lone surrogate spelled out."""
    return "".join(
        "\\\\" if char == "\\" else f"\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else char for char in given
    )


def digits(given: int) -> str:
    """A big integer; from 4,300 digits on in hexadecimal."""
    return str(given) if abs(given) < 10**4299 else hex(given)


def stranger(given: Any) -> dict[str, str]:
    """Any other object: its repr and its class."""
    kind = f"{type(given).__module__}.{type(given).__qualname__}"
    try:
        shown = repr(given)
    except RuntimeError:
        shown = f"<{kind} whose repr raises RuntimeError>"
    return {"$repr": shown, "class": kind}


def named(given: Mapping[Any, Any]) -> dict[str, Any]:
    """The members under the names that they have in a log."""
    made: dict[str, Any] = {}
    for key, item in given.items():
        own, twin = name_of(key), 1
        free = own
        while free in made:
            twin += 1
            free = f"{own}~{twin}"
        made[free] = item
    return made


def name_of(key: Any) -> str:
    """What a key becomes."""
    if isinstance(key, enum.Enum) and not isinstance(key, str):
        key = key.value
    if isinstance(key, str):
        plain = str.__str__(key)
        return escape(plain) if any("\ud800" <= char <= "\udfff" for char in plain) else plain
    if key is None or isinstance(key, bool):
        return json.dumps(key)
    if isinstance(key, int):
        return digits(int.__int__(key))
    if isinstance(key, float):
        return repr(key) if math.isfinite(key) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(key, "NaN")
    if isinstance(key, datetime.date):
        return key.isoformat()
    if isinstance(key, decimal.Decimal | uuid.UUID):
        return str(key)
    return repr(key)


def same(expected: Any, found: Any) -> bool:
    """Whether a value of a log is what it should be: types, order of members and signs of zero too."""
    if isinstance(expected, Deep):
        if type(found) is dict and list(found) == ["$json"]:
            return same(expected.value, strictly(found["$json"]))
        return same(expected.value, found)
    if type(expected) is not type(found):
        return False
    if type(expected) is dict:
        return list(expected) == list(found) and all(same(expected[key], found[key]) for key in expected)
    if type(expected) is list:
        return len(expected) == len(found) and all(map(same, expected, found))
    return repr(expected) == repr(found) if type(expected) is float else expected == found


def strictly(line: str | bytes) -> Any:
    """JSON read by its strictest rules."""

    def refused(what: str) -> Any:
        raise ValueError(what)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        assert len(made) == len(pairs), f"a name twice: {pairs}"
        return made

    def whole(digits: str) -> int:
        assert -(2**63) <= int(digits) < 2**64, digits
        return int(digits)

    return json.loads(line, object_pairs_hook=once, parse_constant=refused, parse_int=whole)


def depth_of(found: Any) -> int:
    """How deep a value is nested."""
    if type(found) is dict:
        return 1 + max(map(depth_of, found.values()), default=0)
    return 1 + max(map(depth_of, found), default=0) if type(found) is list else 0
