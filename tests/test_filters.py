"""Filters say of each record whether it fits, and never pass one over because of how it was searched for."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logs import Log

from jsonl_audit import QueryError, query, record
from jsonl_audit.reader import fields, search
from jsonl_audit.reader.filters import NotARecordError, Selection
from jsonl_audit.reader.search import Search


def line_of(event: dict[str, Any], seq: int = 2) -> bytes:
    """The line of an event, without its LF."""
    return record.line(seq, "2026-11-21T10:11:12.000000Z", record.encode(event, 10**6), record.ZERO)[0][:-1]


def fits(event: dict[str, Any], **filters: Any) -> bool:
    """Whether an event's record fits. A line that does not hold what it is searched by must not fit either."""
    selection = Selection(filters)
    piece = line_of(event)
    found = selection.match(piece) is not None
    for needles in selection.needles:
        assert not found or any(needle in piece for needle in needles)
    return found


# -- types


@pytest.mark.parametrize(
    ("pattern", "fit"),
    [
        ("auth.login", True), ("auth.*", True), ("*.login", True), ("*", True), ("auth.?ogin", True), ("a*h.l*n", True),
        ("auth.[kl]ogin", True), ("auth.[!l]ogin", False), ("auth", False), ("auth.", False), ("AUTH.*", False),
        ("auth.login ", False), ("*.logout", False), ("ogin", False), ("[", False), ("*.[l]ogin", True), ("*g*", True),
    ],
)  # fmt: skip
def test_a_type_is_a_name_or_a_glob_in_which_case_counts(pattern: str, fit: bool) -> None:
    assert fits({"type": "auth.login"}, type=pattern) is fit


def test_several_types_are_alternatives() -> None:
    for kind, fit in (("auth.login", True), ("exec.denied", True), ("exec.allowed", False)):
        assert fits({"type": kind}, type=["auth.*", "exec.denied"]) is fit


def test_a_type_within_the_event_is_not_the_type_of_the_record() -> None:
    assert not fits({"type": "api.call", "details": {"type": "auth.login"}}, type="auth.login")


def test_control_records_are_shown_where_asked_for(log_dir: Path) -> None:
    log = Log(log_dir).fill(1)
    log.control("audit.lost", {"count": 1})

    def seqs(**filters: Any) -> list[int]:
        return [found["seq"] for found in query(log.active, **filters)]

    assert seqs() == [2]
    assert seqs(type="*") == [2]
    assert seqs(control=True) == [1, 2, 3]
    assert seqs(type="audit.*") == [1, 3]
    assert seqs(type=["audit.lost", "t*"]) == [2, 3]


# -- named fields


@pytest.mark.parametrize(
    "actor",
    [
        "u1", ["u0", "u1"], {"id": "u1"}, {"name": "u1"}, {"user": "u1"}, {"userId": "u1"}, {"user_id": "u1"},
        {"device": "u1"}, {"deviceId": "u1"}, {"device_id": "u1"}, {"connection": "u1"}, {"connectionId": "u1"},
        {"agent": "u1"}, {"agentId": "u1"}, {"agent_id": "u1"}, {"role": "admin", "id": "u1"}, [{"id": "u1"}],
    ],
)  # fmt: skip
def test_an_actor_is_found_by_any_of_its_identifiers(actor: Any) -> None:
    assert fits({"type": "x", "actor": actor}, actor="u1")
    assert not fits({"type": "x", "actor": actor}, actor="u2")


@pytest.mark.parametrize("member", ["user", "userId", "user_id", "userName", "deviceId", "agent_id", "connection"])
def test_an_actor_is_found_by_identifiers_that_the_record_itself_names(member: str) -> None:
    assert fits({"type": "x", member: "u1"}, actor="u1")
    assert fits({"type": "x", "actor": "u2", member: {"id": "u1"}}, actor="u1")
    assert not fits({"type": "x", "details": {member: "u1"}}, actor="u1")


def test_what_is_no_identifier_of_the_actor_does_not_make_it_fit() -> None:
    assert not fits({"type": "x", "actor": {"id": "u2", "role": "u1", "ip": "u1"}, "details": {"id": "u1"}}, actor="u1")


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("user", [{"user": "v"}, {"userId": "v"}, {"user": {"id": "v"}}, {"details": {"user_id": "v"}},
                  {"actor": {"userId": "v"}}]),
        ("profile", [{"profile": "v"}, {"profileId": "v"}, {"details": {"profileId": "v"}}]),
        ("outcome", [{"outcome": "v"}, {"outcome": {"result": "v"}}, {"details": {"outcome": "v"}}]),
        ("level", [{"level": "v"}, {"severity": "v"}, {"details": {"level": "v"}}]),
        ("task", [{"task": "v"}, {"taskId": "v"}, {"task_id": "v"}, {"task": {"id": "v"}},
                  {"details": {"taskId": "v"}}]),
        ("session", [{"session": "v"}, {"sessionId": "v"}, {"session": {"id": "v"}}, {"details": {"session_id": "v"}}]),
        ("correlation", [{"correlation": "v"}, {"correlationId": "v"}, {"correlation_id": "v"}]),
        ("component", [{"component": "v"}, {"component": {"name": "v"}}, {"details": {"component": "v"}}]),
        ("tool", [{"tool": "v"}, {"toolName": "v"}, {"tool": {"name": "v"}}, {"details": {"tool": "v"}},
                  {"details": {"toolName": "v"}}, {"tool_id": "v"}]),
    ],
)  # fmt: skip
def test_a_named_field_is_found_where_designs_put_it(name: str, events: list[dict[str, Any]]) -> None:
    for event in events:
        assert fits({"type": "x", **event}, **{name: "v"}), event
        assert fits({"type": "x", **event}, **{name: ["u", "v"]}), event
        assert not fits({"type": "x", **event}, **{name: "w"}), event
    assert not fits({"type": "x", "other": "v", "details": {"other": "v"}}, **{name: "v"})


def test_every_named_field_is_a_filter() -> None:
    for name in fields.NAMES:
        assert fits({"type": "x", name: "v"}, **{name: "v"})


@pytest.mark.parametrize(
    ("asked", "written", "fit"),
    [
        ("error", "ERROR", True), ("ERROR", "error", True), ("warn", "warning", True), ("WARNING", "Warn", True),
        ("info", "error", False), (3, 3, True), (3, "3", False),
    ],
)  # fmt: skip
def test_a_level_is_the_same_in_each_usual_spelling(asked: Any, written: Any, fit: bool) -> None:
    assert fits({"type": "x", "level": written}, level=asked) is fit


def test_fields_are_joined_by_and_values_of_one_by_or() -> None:
    event = {"type": "exec.denied", "actor": {"id": "u1"}, "outcome": "denied", "details": {"tool": "bash"}}
    assert fits(event, type="exec.*", actor=["u0", "u1"], outcome=("denied", "error"), tool={"bash"})
    assert not fits(event, type="exec.*", actor="u1", outcome="success")


# -- dotted paths


@pytest.mark.parametrize(
    ("where", "fit"),
    [
        ({"details.tool": "bash"}, True),
        ({"details.tool": "sh"}, False),
        ({"details.tool": ["sh", "bash"]}, True),
        ({"details.tool": "bash", "details.code": 2}, True),
        ({"details.tool": "bash", "details.code": 3}, False),
        ({"details.code": 2.0}, True),
        ({"details.code": "2"}, False),
        ({"details.flag": True}, True),
        ({"details.flag": 1}, False),
        ({"details.one": True}, False),
        ({"details.nothing": None}, True),
        ({"details.missing": None}, False),
        ({"details.nothing": [None]}, True),
        ({"details.code": lambda code: code > 1}, True),
        ({"details.missing": lambda _: True}, False),
        ({"details.list.0": "a"}, True),
        ({"details.list.1": "a"}, False),
        ({"details.list.-1": "b"}, True),
        ({"details.list.7": "a"}, False),
        ({"details.list": "b"}, True),
        ({"details.list": [["a", "b"]]}, True),
        ({"details.items.name": "two"}, True),
        ({"details.items.1.name": "two"}, True),
        ({"details.items.0.name": "two"}, False),
        ({"details.dotted.key": "x"}, True),
        ({"a.b.c": 1}, True),
        ({"details.object": {"k": "v"}}, True),
        ({"type": "exec.done"}, True),
        ({"seq": 2}, True),
        ({"details": "bash"}, False),
        ({"details.tool.x": "bash"}, False),
        ({"details.text": 'say "yes"\n\\ Zoë\x07'}, True),
    ],
)
def test_a_dotted_path_leads_to_a_value(where: dict[str, Any], fit: bool) -> None:
    event = {
        "type": "exec.done",
        "a.b": {"c": 1},
        "details": {
            "tool": "bash", "code": 2, "flag": True, "one": 1, "nothing": None, "list": ["a", "b"], "dotted.key": "x",
            "items": [{"name": "one"}, {"name": "two"}], "object": {"k": "v"}, "text": 'say "yes"\n\\ Zoë\x07',
        },
    }  # fmt: skip
    assert fits(event, where=where) is fit


def test_values_are_compared_as_a_line_holds_them() -> None:
    own = uuid.UUID(int=7)
    moment = datetime(2026, 11, 21, tzinfo=timezone.utc)
    event = {"type": "x", "details": {"own": own, "at": moment, "raw": b"\x00", "big": 2**70, "nan": float("nan")}}
    for name, value in event["details"].items():
        assert fits(event, where={f"details.{name}": value}), name
    assert fits({"type": "x", "user": own}, user=own)


# -- text


def test_text_is_found_as_typed_and_as_json_escapes_it() -> None:
    event = {"type": "x", "details": {"said": 'he said "yes"\n', "path": "C:\\temp", "city": "Zürich"}}
    for text in ('he said "yes"', "C:\\temp", "Zürich", '"city":"Z', "yes\\", "x"):
        assert fits(event, text=text), text
    assert not fits(event, text="zürich")
    assert fits(event, text=["nothing", "Zürich"])


def test_text_is_not_looked_for_in_the_hashes() -> None:
    piece = line_of({"type": "x"})
    found = json.loads(piece)
    assert Selection({"text": found["hash"][:6]}).match(piece) is None
    assert Selection({"text": "000000000000000"}).match(piece) is None
    assert Selection({"text": found["id"]}).match(piece) is not None


def test_text_with_lone_surrogates_is_nowhere() -> None:
    assert not fits({"type": "x", "details": {"a": "\ud800"}}, text="\ud800")


# -- what makes no sense


def test_a_filter_that_does_not_exist_names_the_near_one() -> None:
    with pytest.raises(TypeError, match="no filter 'acter'; did you mean 'actor'"):
        query("audit.jsonl", acter="u1")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no filter 'zzz'; there are actor, "):
        query("audit.jsonl", zzz=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "filters",
    [
        {"type": 7}, {"type": ""}, {"type": []}, {"actor": []}, {"where": "details.tool=bash"}, {"where": {"": 1}},
        {"where": {7: 1}}, {"where": {"a": []}}, {"text": 7}, {"since": "soon"}, {"until": object()},
        {"since": "2026-11-22", "until": "2026-11-20"},
    ],
)  # fmt: skip
def test_nonsense_is_refused_at_once(filters: dict[str, Any]) -> None:
    with pytest.raises(QueryError):
        query("there-is-no-such-log.jsonl", **filters)


def test_none_is_no_filter() -> None:
    none = dict.fromkeys(("type", "actor", "since", "until", "where", "text", *fields.NAMES))
    assert fits({"type": "x"}, **none)


# -- the search never passes over what fits

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_VALUES = st.one_of(_TEXTS, st.integers(-(2**63), 2**64 - 1), st.booleans(), st.none(), st.lists(_TEXTS, max_size=3))


@given(st.lists(_VALUES, min_size=1, max_size=8), _VALUES)
def test_raw_search_finds_what_a_look_at_every_record_finds(values: list[Any], wanted: Any) -> None:
    wanted = values[0] if isinstance(wanted, bool) else wanted
    alternatives = wanted if isinstance(wanted, list) and wanted else [wanted]
    pieces = [line_of({"type": "x", "details": {"v": value}}, seq) for seq, value in enumerate(values, 2)]
    data = b"".join(piece + b"\n" for piece in pieces)
    selection = Selection({"where": {"details.v": alternatives}})
    expected = [piece for piece in pieces if selection.match(piece)]
    if selection.needles:
        spans = list(Search(selection.needles).spans(data, 0, len(data)))
        with pytest.MonkeyPatch.context() as without:
            without.setattr(search, "_c_search", lambda: None)
            assert list(Search(selection.needles).spans(data, 0, len(data))) == spans
        assert [begin for begin, _ in spans] == sorted({begin for begin, _ in spans})
        assert all(data[begin : end - 1] in pieces for begin, end in spans)
        assert [data[b : e - 1] for b, e in spans if selection.match(data[b : e - 1])] == expected
    for value, piece in zip(values, pieces, strict=True):
        if any(value == each and type(value) is type(each) for each in alternatives):
            assert piece in expected


def test_a_long_search_uses_the_library_of_the_system_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(search, "_WORTH_IT", 0)
    monkeypatch.setattr(search, "_c_search", lambda: lambda *given: asked.append(given[2]))
    assert list(Search([(b"rare",)]).spans(b"a line\n", 0, 7)) == []
    assert asked == [b"rare"]


def test_the_search_of_the_system_finds_what_ours_finds() -> None:
    find = search._c_search()
    if find is None:
        pytest.skip("this system has no memmem")
    data = b"some bytes\0and more"
    for needle in (b"bytes", b"and", b"more", b"\0", b"nothing", b"mores", data):
        assert bool(find(data, len(data), needle, len(needle))) is (needle in data)


@given(_TEXTS)
def test_a_text_has_one_spelling_in_a_line(text: str) -> None:
    assert orjson.dumps(text) in line_of({"type": "x", "details": {"text": text}})


@given(st.binary(max_size=400))
def test_any_bytes_are_a_record_or_damage(piece: bytes) -> None:
    with pytest.raises(NotARecordError):
        Selection({}).match(piece)
