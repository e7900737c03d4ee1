"""What is too long for a line is made to fit: as much of it as can be, its length, its hash."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from jsonl_audit import record
from jsonl_audit.shorten import settled, shortened

pytestmark = pytest.mark.exhaustive

_texts = st.text(max_size=9) | st.builds(  # and some long ones
    str.__mul__, st.sampled_from(("ab", "é", "\0", "\ud83d")), st.integers(0, 2000)
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | _texts | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(_texts, inner, max_size=9),
    max_leaves=15,
)


def _recorded(event: Any, limit: int = record.HARD_LIMIT) -> dict[str, Any]:
    members = record.encode(event, limit).members
    return json.loads(b"{" + members[1:] + b"}")


def _agrees(cut: Any, whole: Any) -> None:
    """Each part that was cut says of the whole what is true of it, and holds its beginning."""
    if isinstance(cut, dict) and "$short" in cut and {"bytes", "blake3"} <= cut.keys():
        text = whole.encode() if isinstance(whole, str) else orjson.dumps(whole)
        assert cut["bytes"] == len(text)
        assert cut["blake3"] == blake3(text).hexdigest()
        kept = cut["$short"]
        assert cut.get("items", cut.get("members")) == (None if isinstance(whole, str) else len(whole))
        if isinstance(whole, dict):
            assert list(kept) == [_kept_name(name) for name in whole][: len(kept)]
            for mine, its in zip(kept.values(), whole.values(), strict=False):
                _agrees(mine, its)
        elif isinstance(whole, list):
            for mine, its in zip(kept, whole, strict=False):
                _agrees(mine, its)
        else:
            assert whole.startswith(kept)
    elif isinstance(cut, dict):
        assert list(cut) == list(whole)
        for name, value in cut.items():
            _agrees(value, whole[name])
    elif isinstance(cut, list):
        assert len(cut) == len(whole)
        for mine, its in zip(cut, whole, strict=True):
            _agrees(mine, its)
    else:
        assert cut == whole


def _kept_name(name: str) -> str:
    size = len(orjson.dumps(name)) - 2
    if size <= 128:
        return name
    characters = 64 * len(name) // size  # all of them are of one size where a name is so long
    return f"{name[:characters]}…{blake3(name.encode()).hexdigest()}"


@given(st.dictionaries(st.text(max_size=20), _values, max_size=9), st.integers(1024, 4096))
def test_whatever_is_shortened_fits(event: dict[str, Any], limit: int) -> None:
    event.pop("type", None)
    made = shortened({"type": "t", **event}, limit)
    assert record.encode(made, limit).type == b"t"


@given(st.dictionaries(st.text("abc", min_size=1, max_size=5), _values, max_size=4), st.integers(1500, 4096))
def test_what_was_cut_is_known_by_its_length_and_hash(members: dict[str, Any], limit: int) -> None:
    event = {"type": "t", "details": settled({"x": members})["x"]}
    whole = _recorded(event)
    cut = _recorded(shortened(event, limit), limit)
    if "$short" in cut:
        assert "details" not in cut
    else:
        _agrees(cut["details"], whole["details"])


@given(st.dictionaries(st.text("abc", max_size=5), _values, max_size=4))
def test_what_fits_stays_as_it_is(members: dict[str, Any]) -> None:
    event = {"type": "t", "details": members}
    assert _recorded(shortened(event, record.HARD_LIMIT)) == _recorded(event)


def test_the_longest_text_goes_first_and_no_more_of_it_than_must() -> None:
    event = {"type": "t", "who": "u1" * 50, "why": "x" * 100_000}
    made = shortened(event)
    assert made["who"] == event["who"]
    assert 31_000 < len(made["why"]["$short"]) < 32_768
    assert made["why"]["bytes"] == 100_000


def test_ten_megabytes_fit() -> None:
    made = shortened({"type": "t", "message": "\u0000" * 10_000_000, "level": "info"})
    assert made["level"] == "info"
    assert made["message"]["bytes"] == 10_000_000
    assert set(made["message"]["$short"]) == {"\u0000"}


@pytest.mark.parametrize("count", [20_000, 1_000_000])
def test_many_small_things_are_cut_by_number(count: int) -> None:
    made = shortened({"type": "t", "message": "short", "numbers": list(range(count))})
    assert made["message"] == "short"
    numbers = made["numbers"]
    assert numbers["$short"] == list(range(len(numbers["$short"])))
    assert numbers["items"] == count


def test_more_members_than_a_line_can_hold() -> None:
    made = shortened({"type": "t", "message": "m", **{f"member{n}": n for n in range(20_000)}}, 1024)
    assert made["message"] == "m"
    assert made["$short"]["members"] == 20_001


def test_long_names_are_cut_too() -> None:
    made = shortened({"type": "t", "details": {"k" * 100_000: 1}})
    (name,) = made["details"]["$short"]
    assert name.endswith(blake3(b"k" * 100_000).hexdigest())


def test_what_never_ends_is_named() -> None:
    made = settled({"type": "t", "all": range(10**15), "n": 1j})
    assert made["all"] == {"$short": None, "class": "builtins.range", "items": 10**15}
    assert made["n"] == {"$repr": "1j", "class": "builtins.complex"}


def test_nobodys_code_runs_a_second_time() -> None:
    asked = []

    class Asked:
        def __repr__(self) -> str:
            asked.append(1)
            return "x" * 50_000

    made = shortened({"type": "t", "it": Asked(), "others": [Asked()]})
    assert len(asked) == 2
    assert made["it"]["$repr"]["bytes"] == 50_000


def test_what_holds_itself_can_be_shortened() -> None:
    held: dict[str, Any] = {"text": "x" * 50_000}
    held["self"] = held
    made = shortened({"type": "t", "details": held})
    assert made["details"]["self"] == {"$cycle": "$.details"}


def test_names_that_are_no_unicode_keep_their_values_apart() -> None:
    event = {"type": "t", "\\ud83d": 1, "\ud83d": 2j, "\ud83d~": range(10**12)}
    made = settled(event)
    assert list(made.values())[1] == 1
    assert len(made) == 4
    assert record.encode(shortened(event)).type == b"t"
