"""Whatever an event holds lies on disk in a form that can be read: nothing dropped, nothing raised, nothing silent."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import math
import pathlib
import subprocess
import sys
import types
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from unittest import mock
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsonl_audit import record, rules
from jsonl_audit.errors import EventError, EventTooLargeError

INSTANT = "2026-11-21T10:11:12.123456Z"


def kept(event: Mapping[Any, Any], limit: int = record.HARD_LIMIT) -> dict[str, Any]:
    """The members of the record that an event becomes; its line is checked against every rule of the format."""
    line, _, _ = record.line(7, INSTANT, record.encode(event, limit), "ab" * 32)
    assert rules.lawful(line[:-1]), rules.why(line[:-1])
    assert record.own_hash_right(line)
    members = record.decode(line)
    for name in ("seq", "ts", "id", "prev", "hash"):
        del members[name]
    return members


def form(value: Any) -> Any:
    """The form in which one value of an event lies on disk."""
    return kept({"type": "t", "v": value})["v"]


class Colour(enum.Enum):
    RED = "red"
    NOTHING = None
    NAN = math.nan
    MANY = (1, math.inf)
    HASH = "hash"
    TYPE = "type"
    TIME = "time"


class Named(NamedTuple):
    x: Any
    y: Any = 2


@dataclasses.dataclass
class Point:
    x: Any
    _hidden: Any = 2


@dataclasses.dataclass(frozen=True)
class Slotted:
    __slots__ = ("x",)
    x: Any


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not what it holds"


class Whole(int):
    def __int__(self) -> int:
        raise RuntimeError("no")


class Real(float):
    pass


class Table(dict[Any, Any]):
    pass


class ReprRaises:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class StrRaises(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no str")

    def encode(self, *_: Any) -> bytes:
        raise RuntimeError("no bytes")


class ItemsRaise(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")


class OddMapping(Mapping[str, Any]):
    """A mapping that fails at a place of its own."""

    def __init__(self, where: str = "") -> None:
        self.where = where

    def _at(self, where: str) -> None:
        if where == self.where:
            raise RuntimeError(f"no {where}")

    def __getitem__(self, key: str) -> Any:
        self._at("getitem")
        if key != "k":
            raise KeyError(key)
        return 5

    def __iter__(self) -> Iterator[str]:
        self._at("iter")
        return iter(["k"])

    def __len__(self) -> int:
        self._at("len")
        return 1


class Endless(Mapping[str, Any]):
    """Each of its values is one more of it."""

    def __getitem__(self, key: str) -> Any:
        return Endless()

    def __iter__(self) -> Iterator[str]:
        return iter(["deeper"])

    def __len__(self) -> int:
        return 1


class IterRaises(Sequence[Any]):
    def __getitem__(self, index: Any) -> Any:
        raise RuntimeError("no item")

    def __len__(self) -> int:
        return 3


class ClassRaises:
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("no class")


class OddMeta(type):
    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no module")

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("no equality")

    def __hash__(cls) -> int:
        return 1


class OddlyMade(metaclass=OddMeta):
    pass


class NeverEqual(list[Any]):
    def __eq__(self, other: object) -> bool:
        raise ValueError("no equality")

    __hash__ = None


class AlwaysEqual(list[Any]):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None


@pytest.mark.parametrize(
    ("value", "on_disk"),
    [
        (math.nan, {"$float": "NaN"}),
        (math.inf, {"$float": "Infinity"}),
        (-math.inf, {"$float": "-Infinity"}),
        (Real("nan"), {"$float": "NaN"}),
        (Real(1.5), 1.5),
        (2**64 - 1, 2**64 - 1),
        (2**64, {"$int": "18446744073709551616"}),
        (-(2**63), -(2**63)),
        (-(2**63) - 1, {"$int": "-9223372036854775809"}),
        (Whole(7), 7),
        (Whole(2**70), {"$int": str(2**70)}),
        ("lone \ud83d half", {"$text": "lone \\ud83d half"}),
        ("both \\ and \udfff", {"$text": "both \\\\ and \\udfff"}),
        (Text("hello"), "hello"),
        (b"\x00\xff", {"$bytes": "AP8="}),
        (bytearray(b"abc"), {"$bytes": "YWJj"}),
        (memoryview(b"abcdef")[::2], {"$bytes": "YWNl"}),
        (datetime.datetime.fromisoformat("2026-11-21T10:11:12"), "2026-11-21T10:11:12"),
        (datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc), "2026-11-21T00:00:00+00:00"),
        (datetime.date(2026, 11, 21), "2026-11-21"),
        (datetime.time(10, 11, 12, 5), "10:11:12.000005"),
        (datetime.time(10, 11, tzinfo=datetime.timezone.utc), "10:11:00+00:00"),
        (decimal.Decimal("1.10"), "1.10"),
        (decimal.Decimal("NaN"), "NaN"),
        (fractions.Fraction(1, 3), "1/3"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/etc/passwd"), "/etc/passwd"),
        (pathlib.PurePosixPath("/log/\udcff"), {"$text": "/log/\\udcff"}),
        (Colour.RED, "red"),
        (Colour.NOTHING, None),
        (Colour.NAN, {"$float": "NaN"}),
        (Colour.MANY, [1, {"$float": "Infinity"}]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset(["b", "a"]), ["a", "b"]),
        (Point(math.nan), {"x": {"$float": "NaN"}, "_hidden": 2}),
        (Slotted(1), {"x": 1}),
        (Named(b"x"), {"x": {"$bytes": "eA=="}, "y": 2}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (collections.defaultdict(list, {"a": [1]}), {"a": [1]}),
        (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (collections.ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
        (collections.deque([1, math.nan]), [1, {"$float": "NaN"}]),
        (Table(a=1), {"a": 1}),
        (range(3), [0, 1, 2]),
        ((1, (2,)), [1, [2]]),
        (1 + 2j, {"$repr": "(1+2j)", "class": "builtins.complex"}),
        (OddMapping(), {"k": 5}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_of_value_has_its_form(value: Any, on_disk: Any) -> None:
    assert form(value) == on_disk
    assert form([value]) == [on_disk]
    assert form({"inner": value}) == {"inner": on_disk}


def _released() -> memoryview:
    view = memoryview(b"x")
    view.release()
    return view


ODD: dict[str, Any] = {
    "repr raises": ReprRaises,
    "items raise": lambda: ItemsRaise(a=1),
    "getitem raises": lambda: OddMapping("getitem"),
    "iter raises": lambda: OddMapping("iter"),
    "item raises": IterRaises,
    "class raises": ClassRaises,
    "odd metaclass": OddlyMade,
    "odd class": lambda: OddlyMade,
    "never equal": lambda: NeverEqual([1]),
    "always equal": lambda: AlwaysEqual([1]),
    "object": object,
    "function": lambda: print,
    "class": lambda: int,
    "module": lambda: sys,
    "generator": lambda: (n for n in [1]),
    "iterator": lambda: iter([1]),
    "mock": mock.MagicMock,
    "mock of dict": lambda: mock.MagicMock(spec=dict),
    "mock of list": lambda: mock.MagicMock(spec=list),
    "exception": lambda: Exception("x"),
    "ellipsis": lambda: ...,
    "released memory": _released,
}


@pytest.mark.parametrize("kind", ODD)
def test_an_object_with_ideas_of_its_own_raises_nothing_into_the_caller(kind: str) -> None:
    value = ODD[kind]()
    for event in ({"v": value}, {"v": [value]}, {"v": {"w": value}}, {"v": {value}} if _hashable(value) else {"v": 1}):
        assert "v" in kept(event)
    deep: Any = value
    for _ in range(200):
        deep = [deep]
    assert "$json" in str(kept({"v": deep})["v"])
    if _hashable(value):
        assert len(kept({value: 1})) == 2


def _hashable(value: Any) -> bool:
    try:
        return bool({value})
    except (TypeError, RuntimeError, ValueError):
        return False


def test_what_a_failing_repr_leaves_names_class_and_failure() -> None:
    found = form(ReprRaises())
    assert found["class"].endswith(".ReprRaises")
    assert "RuntimeError" in found["$repr"]


def test_a_text_with_ideas_of_its_own_is_the_text_that_it_holds() -> None:
    assert form(StrRaises("hello")) == "hello"
    assert kept({StrRaises("hello"): 1})["hello"] == 1
    assert kept({"type": StrRaises("exec.done"), "id": StrRaises("x")}) == {"type": "exec.done", "details": {"id": "x"}}


def test_an_object_that_is_equal_to_none_hides_no_nan() -> None:
    assert kept({"a": AlwaysEqual(), "b": math.nan})["b"] == {"$float": "NaN"}


def test_a_nan_is_found_among_nulls_and_in_every_corner() -> None:
    event = {"none": None, "word": "null", "list": [None, [math.nan]], "enum": [Colour.NAN], "dict": Table(a=math.inf)}
    found = kept(event)
    assert found["none"] is None
    assert found["word"] == "null"
    assert found["list"] == [None, [{"$float": "NaN"}]]
    assert found["enum"] == [{"$float": "NaN"}]
    assert found["dict"] == {"a": {"$float": "Infinity"}}


def test_a_time_zone_of_odd_seconds_is_not_rounded() -> None:
    moment = datetime.datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    assert form(moment) == moment.isoformat() == "1890-01-01T00:00:00+00:53:28"


def test_integers_past_the_digits_that_python_shows_are_kept() -> None:
    huge = 10**5000
    assert int(form(huge)["$int"], 0) == huge
    assert int(form(-huge)["$int"], 0) == -huge
    above, below = form(fractions.Fraction(huge, 3)).split("/")
    assert (int(above, 0), int(below)) == (huge, 3)
    assert list(kept({huge: 1}))[-1] == hex(huge)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (1, "1"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (1.5, "1.5"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        ((1, 2), "(1, 2)"),
        (b"k", "b'k'"),
        (Colour.RED, "red"),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (datetime.date(2026, 11, 21), "2026-11-21"),
        (decimal.Decimal("1.0"), "1.0"),
        (Text("hello"), "hello"),
        ("lone \ud800", "lone \\ud800"),
        (2**70, str(2**70)),
        ("", ""),
        ("\x00\n", "\x00\n"),
    ],
)
def test_each_kind_of_key_becomes_a_name(key: Any, name: str) -> None:
    assert kept({key: "v"})[name] == "v"
    assert form({key: "v"}) == {name: "v"}


def test_keys_that_come_to_one_name_all_stay() -> None:
    event = {1: "a", "1": "b", "1~2": "c", Colour.RED: "d", "red": "e"}
    assert form(event) == {"1": "a", "1~2": "b", "1~2~2": "c", "red": "d", "red~2": "e"}
    assert form({"\ud800": 1, "\\ud800": 2}) == {"\\ud800": 1, "\\ud800~2": 2}
    nans = {float("nan"): 1, float("nan"): 2}
    assert form(nans) == {"NaN": 1, "NaN~2": 2}


@pytest.mark.parametrize("name", sorted(record.RESERVED - {"type", "id", "ts"}))
def test_a_key_that_turns_into_a_reserved_name_moves_under_details(name: str) -> None:
    class Key(enum.Enum):
        KEY = name

    class Odd:
        def __repr__(self) -> str:
            return name

    class Hidden(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 1

    for key in (Key.KEY, Odd(), Hidden(name)):
        assert kept({"type": "t", key: "v"}) == {"type": "t", "details": {name: "v"}}


def test_keys_that_turn_into_type_id_and_time_mean_what_they_say_or_stay_visible() -> None:
    own = "0b5a2b4e-7a3f-4c57-9d2e-2f6f0a1b2c3d"

    class Key(enum.Enum):
        ID = "id"
        TS = "ts"
        TYPE = "type"

    line, used, _ = record.line(1, INSTANT, record.encode({Key.ID: own, Key.TS: 1.5}), record.ZERO)
    assert used == own
    assert record.decode(line)["time"] == "1970-01-01T00:00:01.500000Z"
    assert kept({"type": "t", Key.TYPE: "v"}) == {"type": "t", "type~2": "v"}
    found = kept({Key.TYPE: "v", "type~2": "w"})
    assert sorted(value for value in found.values() if value in ("v", "w")) == ["v", "w"]
    found = kept({Colour.TIME: "lunch"})
    assert found["details"] == {"time": "lunch"}


def test_an_object_that_holds_itself_says_where() -> None:
    ring: dict[str, Any] = {"n": 1}
    ring["self"] = ring
    ring["list"] = [ring]
    assert form(ring) == {"n": 1, "self": {"$cycle": "$.v"}, "list": [{"$cycle": "$.v"}]}
    event: dict[str, Any] = {"type": "t"}
    event["event"] = event
    assert kept(event)["event"] == {"$cycle": "$"}
    point = Point(1)
    point.x = [point]
    assert form(point) == {"x": [{"$cycle": "$.v"}], "_hidden": 2}


def test_one_object_in_two_places_is_no_cycle() -> None:
    shared = {1: [math.nan]}
    assert form([shared, shared]) == [{"1": [{"$float": "NaN"}]}] * 2


def test_a_cycle_is_found_below_the_depth_of_a_line() -> None:
    top: list[Any] = []
    inner = top
    for _ in range(300):
        inner.append([])
        inner = inner[0]
    inner.append(top)
    assert '{\\"$cycle\\":\\"$.v\\"}' in orjson.dumps(form(top)).decode()


@pytest.mark.parametrize("depth", [126, 127, 128, 129, 255, 256, 1000, 5000])
def test_deep_nesting_is_kept_whole(depth: int) -> None:
    value: Any = "bottom"
    for number in range(depth):
        value = [value] if number % 2 else {"k": value}
    found = form(value)
    levels = 0
    while found != "bottom":
        if isinstance(found, dict) and "$json" in found:
            found = _loads_deep(found["$json"])
            continue
        found = found[0] if isinstance(found, list) else found["k"]
        levels += 1
    assert levels == depth


def test_nesting_of_any_depth_is_no_end_of_the_process(tmp_path: pathlib.Path) -> None:
    program = """
from jsonl_audit import AuditLog

def deep(levels):
    value = 1
    for _ in range(levels):
        value = {"d": value}
    return value

with AuditLog("audit.jsonl", fsync="never") as log:
    for levels in (2300, 2500, 2700, 3100, 5000, 30_000):
        log.append({"type": "deep.one", "details": deep(levels)})
    print(len(log.tail()), log.verify().ok)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "6 True\n"), ended.stderr[-2000:]


def _loads_deep(text: str) -> Any:
    """JSON of any depth: parsed by hand, since parsers give up at some level."""
    top: list[Any] = []
    stack: list[Any] = [top]
    at = 0
    while at < len(text):
        if text[at] in "[{":
            inner: Any = [] if text[at] == "[" else {}
            outer = stack[-1]
            outer.append(inner) if isinstance(outer, list) else outer.__setitem__("k", inner)
            stack.append(inner)
            at += 5 if text[at] == "{" else 1
        elif text[at] in "]}":
            stack.pop()
            at += 1
        else:
            assert text.startswith('"bottom"', at)
            outer = stack[-1]
            outer.append("bottom") if isinstance(outer, list) else outer.__setitem__("k", "bottom")
            at += 8
    return top[0]


def test_what_holds_itself_by_way_of_a_tuple_or_is_tuples_without_end_does_not_end_the_process() -> None:
    event: dict[str, Any] = {}
    event["batch"] = (event,)
    assert kept(event)["details"] == {"batch": [{"$cycle": "$"}]}
    nested: Any = ()
    for _ in range(100_000):
        nested = (nested,)
    assert "$json" in str(kept({"v": nested}))


def test_an_event_of_more_lists_than_are_looked_at_first_is_the_same_on_disk() -> None:
    value: Any = [[number] for number in range(20_000)]
    assert kept({"v": value})["v"] == value


def test_what_stands_at_the_last_level_stays_as_it_is_beside_an_odd_value() -> None:
    value: Any = ["bottom", 1, 1.5, None, True]
    for _ in range(126):
        value = [value]
    assert form([value[0], math.nan]) == [value[0], {"$float": "NaN"}]


def test_a_form_is_made_once_however_often_it_goes_through() -> None:
    value: Any = "bottom"
    for _ in range(200):
        value = [value]
    once = kept({"v": value, "n": math.nan})
    assert kept({"v": once["v"], "n": math.nan}) == once


def test_odd_values_stay_odd_far_down() -> None:
    value: Any = {"nan": math.nan, 1: b"x"}
    for _ in range(400):
        value = [value]
    inner = '{\\"nan\\":{\\"$float\\":\\"NaN\\"},\\"1\\":{\\"$bytes\\":\\"eA==\\"}}'
    assert inner in orjson.dumps(form(value)).decode()


def test_what_never_ends_is_refused_as_too_large_and_soon() -> None:
    for endless in (Endless(), range(10**12)):
        with pytest.raises(EventTooLargeError):
            kept({"v": endless}, record.LINE_LIMIT)


def test_wide_and_deep_costs_no_more_than_its_size() -> None:
    deep: Any = [*([[]] for _ in range(3000)), math.nan]
    for _ in range(125):
        deep = [deep]
    assert str(form(deep)).count("$json") == 3000


def test_an_event_that_cannot_be_read_is_refused_with_an_error_of_ours() -> None:
    for where in ("getitem", "iter"):
        with pytest.raises(EventError, match="RuntimeError"):
            record.encode(OddMapping(where))


def test_json_handed_through_by_the_serialiser_keeps_the_rules_of_a_line() -> None:
    fragment = orjson.Fragment
    assert form(fragment(b'{"a":1}')) == {"a": 1}
    assert form([fragment(b'{"a": 1, "b": [true]}\n')]) == [{"a": 1, "b": [True]}]
    assert form(fragment('"text"')) == "text"
    for raw in ('{"a":1,"a":2}', "NaN", "1e999", '1,"hash":"x"', "", "[1", "-0", "0.10000000000000000001"):
        assert form({"k": fragment(raw)}) == {"k": {"$json": raw}}, raw
    assert form(fragment("18446744073709551616")) == {"$int": "18446744073709551616"}
    assert form(fragment(b"\xff")) == {"$bytes": "/w=="}
    assert kept({"a": [fragment("{}")], "b": {"c": fragment("1 ")}}) == {"type": "custom", "a": [{}], "b": {"c": 1}}


def test_nothing_that_the_caller_gave_is_changed() -> None:
    inner = {1: math.nan, "list": [b"x"]}
    event = {"seq": 5, "details": inner, "ts": "never", "n": 2**70}
    before = repr(event)
    kept(event)
    assert repr(event) == before


# -- for any value

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(st.characters())
    | st.binary(max_size=20)
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.complex_numbers()
    | st.sampled_from(list(Colour))
    | st.builds(object)
    | st.builds(ReprRaises)
    | st.text().map(Text)
    | st.integers().map(Whole)
    | st.floats().map(Real)
)
keys = (
    st.text()
    | st.integers()
    | st.booleans()
    | st.none()
    | st.floats()
    | st.binary(max_size=4)
    | st.sampled_from([*record.RESERVED, "time", "timestamp", "details", "a~2", *Colour])
    | st.tuples(st.integers())
    | st.text(st.characters())
    | st.text().map(Text)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(keys, inner, max_size=5)
        | st.tuples(inner, inner)
        | st.tuples(inner, inner).map(lambda two: Point(*two))
        | inner.map(Named)
        | st.lists(inner, max_size=3).map(collections.deque)
        | st.dictionaries(keys, inner, max_size=3).map(types.MappingProxyType)
    ),
    max_leaves=20,
)
names = st.text(st.characters(exclude_categories=["Cs"]))
finite = st.floats(allow_nan=False, allow_infinity=False)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | finite | names,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=5),
    max_leaves=30,
)
not_ours = names.filter(lambda name: name not in record.RESERVED | {"time", "timestamp"})


@pytest.mark.exhaustive
@given(st.dictionaries(keys, anything, max_size=8))
def test_any_event_becomes_a_lawful_line_or_is_refused_by_name(event: dict[Any, Any]) -> None:
    try:
        kept(event)
    except EventError:
        assert "type" in event or Colour.TYPE in event


@pytest.mark.exhaustive
@given(st.dictionaries(not_ours, plain_json, max_size=8))
def test_plain_json_comes_back_as_it_was(event: dict[str, Any]) -> None:
    found = kept({"type": "t", **event})
    del found["type"]
    assert _same(found, event)
    assert [*found] == [*event]


@pytest.mark.exhaustive
@given(st.dictionaries(not_ours, plain_json, max_size=4))
def test_plain_json_is_changed_neither_by_odd_company(event: dict[str, Any]) -> None:
    found = kept({**event, "odd": b""})
    assert _same({**found, "odd": 0}, {"type": "custom", **event, "odd": 0})


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: 1, 1.0 and True are three things."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return [*one] == [*other] and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)
