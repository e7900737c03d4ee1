"""An event too long for a line: its largest values become artifacts, as few as need be, and it stays readable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsonl_audit import record, references, values
from jsonl_audit.artifacts import Store
from jsonl_audit.errors import EventTooLargeError
from jsonl_audit.segment import Names

pytestmark = pytest.mark.usefixtures("quick_disk")


def size(event: dict[str, Any]) -> int:
    """The length of the line that an event makes."""
    try:
        record.encode(event, 1)
    except EventTooLargeError as error:
        return int(error.actual)
    raise AssertionError("no event is that short")


@pytest.fixture
def store(log_dir: Path) -> Store:
    return Store(Names.of(log_dir / "audit.jsonl"))


def referred(value: Any, path: str = "") -> dict[str, dict[str, Any]]:
    """The references in an event, by where they stand."""
    if isinstance(value, dict):
        if references.is_one(value):
            return {path: value}
        return {k: v for name, inner in value.items() for k, v in referred(inner, f"{path}.{name}".strip(".")).items()}
    if isinstance(value, list):
        return {k: v for at, inner in enumerate(value) for k, v in referred(inner, f"{path}[{at}]").items()}
    return {}


def restored(store: Store, value: Any) -> Any:
    """The event as it was."""
    if references.is_one(value):
        content = store.read(value)
        return content.decode() if value["media_type"] == "text/plain" else restored(store, json.loads(content))
    if isinstance(value, dict):
        return {name: restored(store, inner) for name, inner in value.items()}
    return [restored(store, inner) for inner in value] if isinstance(value, list) else value


def test_an_event_that_fits_is_left_alone(store: Store) -> None:
    event = {"type": "t", "text": "x" * 500}
    assert store.fit(event, 1024, size) == event
    assert store.hashes() == []


@pytest.mark.parametrize("levels", [120, 124, 125, 126])
def test_a_reference_is_nested_no_deeper_than_a_line_may_be(store: Store, levels: int) -> None:
    value: Any = "x" * 5000
    for _ in range(levels):
        value = [value]
    event = {"type": "t", "list": value, "object": {"text": value}}
    made = store.fit(event, 4096, size)
    assert values.faithful(made)
    assert restored(store, made) == event


def test_the_longest_texts_go_first_and_no_more_than_need_be(store: Store) -> None:
    event = {"type": "t", "details": {"a": "a" * 5000, "b": "b" * 9000, "c": ["c" * 7000, "short"]}, "note": "x" * 600}
    made = store.fit(event, 8192, size)
    assert list(referred(made)) == ["details.b", "details.c[0]"]
    assert made["details"]["b"]["preview"] == "b" * 256
    assert made["details"]["b"]["name"] == "details.b"
    assert restored(store, made) == event
    assert size(made) <= 8192
    assert store.fit(event, 8192, size) == made


def test_many_short_texts_go_together_as_json(store: Store) -> None:
    event = {"type": "t", "actor": {"id": "u"}, "details": {"code": 1, "lines": [f"line {n}" for n in range(5000)]}}
    made = store.fit(event, 4096, size)
    assert list(referred(made)) == ["details.lines"]
    assert made["details"]["lines"]["media_type"] == "application/json"
    assert made["actor"] == {"id": "u"}
    assert made["details"]["code"] == 1
    assert restored(store, made) == event


def test_an_event_of_nothing_but_members_goes_as_a_whole(store: Store) -> None:
    event = {"type": "t", "time": "2026-11-21T10:11:12Z", **{f"member {n}": n for n in range(5000)}}
    made = store.fit(event, 1024, size)
    assert list(made) == ["type", "time", "details"]
    assert restored(store, made["details"]) == {name: value for name, value in event.items() if name not in made}
    wide = {"type": "t", "k" * 9000: 1}
    assert list(referred(store.fit(wide, 1024, size))) == ["details"]


def test_odd_values_take_their_forms_first(store: Store) -> None:
    event = {"type": "t", 7: {"raw": bytes(9000), "nan": float("nan"), "set": {1}}, "half": "\ud83d" + "x" * 9000}
    made = store.fit(event, 2048, size)
    assert size(made) <= 2048
    assert set(referred(made)) == {"7.raw.$bytes", "half.$text"}
    assert made["7"]["set"] == [1]


def test_a_reference_that_is_there_stays_as_it_is(store: Store) -> None:
    reference = store.put("x" * 9000, name="n" * 200)
    made = store.fit({"type": "t", "input": reference, "output": "y" * 9000}, 1024, size)
    assert made["input"] == reference
    assert list(referred(made)) == ["input", "output"]


def test_the_event_is_redacted_before_anything_of_it_is_stored(log_dir: Path) -> None:
    class ByName:
        profile = "default"

        def stream(self, chunks: Any, found: dict[str, int]) -> Any:
            raise AssertionError(f"it is clean already: {chunks}, {found}")

        def value(self, value: Any, found: dict[str, int]) -> Any:
            found["name"] = 1
            return {**value, "password": "<redacted:name>"}

    store = Store(Names.of(log_dir / "audit.jsonl"), redactor=ByName())
    found: dict[str, int] = {}
    made = store.fit({"type": "t", "password": "secret" * 900, "text": "x" * 9000}, 1024, size, found)
    assert made["password"] == "<redacted:name>"
    assert found == {"name": 1}
    assert not any(b"secret" in store.read(own) for own in store.hashes())


_TEXTS = st.text(max_size=40).flatmap(lambda text: st.integers(0, 200).map(lambda times: text * times))
_JSON = st.recursive(
    _TEXTS | st.integers(-(2**63), 2**64 - 1) | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=30), inner, max_size=5),
    max_leaves=30,
)


@pytest.mark.exhaustive
@settings(max_examples=60)
@given(event=st.dictionaries(st.text(max_size=30), _JSON, max_size=8), limit=st.integers(1024, 4096))
def test_any_event_fits_and_nothing_of_it_is_lost(
    tmp_path_factory: pytest.TempPathFactory, event: dict[str, Any], limit: int
) -> None:
    store = Store(Names.of(tmp_path_factory.getbasetemp() / "fit" / "audit.jsonl"))
    event = {name: value for name, value in event.items() if name not in record.RESERVED | {"time", "timestamp"}}
    made = store.fit({"type": "t", **event}, limit, size)
    assert size(made) <= limit
    if references.is_one(made.get("details")) and made["details"].get("name") == "event":
        rest = restored(store, made.pop("details"))
        made = {**made, **rest}
    assert restored(store, made) == {"type": "t", **event}


# -- references in lines


def test_a_search_over_raw_bytes_finds_all_references_and_no_others(store: Store) -> None:
    one, two = store.put("one"), store.put("two", name='"{')
    line = orjson.dumps({"a": [{"deep": one}], "b": two, "c": orjson.dumps(one).decode(), "d": {"artifact": "0" * 64}})
    assert [own for own, _ in references.found_in(line)] == [one["artifact"], two["artifact"]]
    assert [line[at : at + 13] for _, at in references.found_in(line)] == [references.BEGINS] * 2
    assert list(references.found_in(orjson.dumps({"artifact": "0" * 64, "size": 1, "bytes": 7}))) == []


@given(text=st.text("{}\":,\\artifctbyes0123"), at=st.integers(0, 80))
def test_no_text_looks_like_a_reference_and_windows_make_no_difference(text: str, at: int) -> None:
    line = orjson.dumps({"text": text + '{"artifact":"' + "0" * 64 + '","bytes":1}'})
    assert list(references.found_in(line)) == []
    line = orjson.dumps([text, references.make("0" * 64, 1, "text/plain")])
    seeker = references.Seeker()
    for start in range(0, len(line), at + 1):
        seeker.feed(line[start : start + at + 1])
    assert seeker.found


def test_what_only_looks_like_a_reference_is_none_on_disk(store: Store) -> None:
    """Else whoever can put an object into an event could have a verifier miss what never was."""
    own = store.put("here")
    strange = {"artifact": "0" * 64, "bytes": 1, "unknown_artifact": 2}
    members = b"," + orjson.dumps({"details": [own, strange, [{"deep": strange}]], "text": "{\"artifact\":"})[1:-1]
    made = store.vouched(members)
    assert [hash_ for hash_, _ in references.found_in(made)] == [own["artifact"]]
    deep = orjson.loads(b"{" + made[1:] + b"}")["details"][2][0]["deep"]
    assert deep == {"unknown_artifact~2": "0" * 64, "bytes": 1, "unknown_artifact": 2}
    for known in (b"", b',"n":1', b"," + orjson.dumps({"details": own})[1:-1]):
        assert store.vouched(known) is known


def test_what_people_look_for_first_stays_beside_an_event_that_goes_as_a_whole(store: Store) -> None:
    event = {"type": "t", "actor": {"id": "u"}, "outcome": "denied", **{f"member {n}": n for n in range(5000)}}
    made = store.fit(event, 2048, size)
    assert list(made) == ["type", "actor", "outcome", "details"]
    assert list(store.fit({**event, "actor": ["u"] * 400}, 1024, size)) == ["type", "outcome", "details"]
