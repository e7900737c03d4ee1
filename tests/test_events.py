"""Events: the model in every spelling, and the way into the log: completed, checked, refused."""

from __future__ import annotations

import ast
import copy
import dataclasses
import enum
import inspect
import ipaddress
import os
import pickle
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsonl_audit import (
    Actor,
    AuditEvent,
    AuditLog,
    InvalidEventError,
    ReservedTypeError,
    Target,
    context,
    events,
    process,
)
from jsonl_audit.events import prepared
from jsonl_audit.events.parties import FLAT
from jsonl_audit.process import this_process
from jsonl_audit.spelling import FIELDS


def loud(words: str) -> None:
    """For what should not be said."""
    pytest.fail(words)


# -- the model ------------------------------------------------------------------------------------


def test_an_event_has_every_field_and_is_frozen() -> None:
    event = AuditEvent(
        "exec.denied", id=UUID(int=7), time=datetime(2026, 11, 21, tzinfo=timezone.utc), level="warn", component="c",
        tool="bash", actor={"type": "user", "id": 7, "userAgent": "x"}, target="host-1", outcome=False, reason="no",
        task="t", session="s", correlation="c", parent="p", details={"a": 1}, artifacts=[{"artifact": "f" * 64}],
        schema=2, extra={"x": 1},
    )  # fmt: skip
    assert event.to_dict() == {
        "type": "exec.denied", "id": str(UUID(int=7)), "time": "2026-11-21T00:00:00.000000Z", "level": "warn",
        "component": "c", "tool": "bash", "actor": {"type": "user", "id": 7, "user_agent": "x"},
        "target": {"id": "host-1"}, "outcome": "failure", "reason": "no", "task": "t", "session": "s",
        "correlation": "c", "parent": "p", "details": {"a": 1}, "artifacts": [{"artifact": "f" * 64}], "schema": 2,
        "x": 1,
    }  # fmt: skip
    assert (event.category, event.action, event.severity, event.initiator) == ("exec", "denied", "warn", event.actor)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.task = "other"  # type: ignore[misc]
    assert copy.deepcopy(event) == pickle.loads(pickle.dumps(event)) == event  # noqa: S301 - our own
    assert hash(event) == hash(copy.copy(event))


def test_category_and_action_are_those_of_the_type_and_written_where_they_are_not() -> None:
    assert AuditEvent("auth.connect.success").to_dict() == {"type": "auth.connect.success"}
    own = AuditEvent("auth.connect.success", category="iam", action="success")
    assert own.to_dict() == {"type": "auth.connect.success", "category": "iam"}
    assert (AuditEvent("plain").category, AuditEvent("plain").action) == ("plain", "plain")


def test_what_follows_from_the_details_follows_from_new_ones() -> None:
    event = AuditEvent("tool.call", details={"tool": "bash", "taskId": "t-1"})
    assert (event.tool, event.task) == ("bash", "t-1")
    other = event.replace(details={"tool": "grep"}, type="x.y", session="s")
    assert (other.tool, other.task, other.category, other.session) == ("grep", None, "x", "s")
    assert "tool" not in other.to_dict()
    assert AuditEvent("x", details={"success": True}).to_dict()["outcome"] == "success"


def test_what_the_caller_changes_later_is_not_the_events() -> None:
    details: dict[str, Any] = {"a": 1}
    event = AuditEvent("x", details=details)
    details["a"] = 2
    assert event.details == {"a": 1}


def test_an_event_is_the_mapping_that_is_written() -> None:
    event = AuditEvent("x", actor=Actor(id="u1"))
    assert {**event} == dict(event.items()) == {"type": "x", "actor": {"id": "u1"}}
    assert (event["type"], len(event), event.get("task")) == ("x", 2, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("type", "no type"), ("type", 7), ("type", ""), ("level", "loud"), ("level", 30), ("time", "yesterday"),
     ("time", [1]), ("actor", 1.5), ("actor", ["u1"]), ("actor", {"id": [1]}), ("target", b"x"), ("outcome", 7),
     ("task", 1.5), ("session", {}), ("tool", ["a"]), ("reason", {"why": 1}), ("details", "text"), ("details", [1]),
     ("artifacts", "f" * 64), ("artifacts", [7]), ("artifacts", 7), ("schema", 0), ("schema", "2"), ("schema", True),
     ("category", 7), ("id", 7), ("extra", [1])],
)  # fmt: skip
def test_a_field_of_the_wrong_kind_is_refused(field: str, value: Any) -> None:
    members = {"type": "x.y", field: value}
    if (field, value) == ("actor", {"id": [1]}):  # understood as an object with something of its own
        assert AuditEvent(**members).actor == Actor(extra={"id": [1]})
        return
    with pytest.raises(InvalidEventError) as caught:
        AuditEvent(**members)
    assert caught.value.field == field
    assert str(value) not in str(caught.value).replace("x.y", "") or field == "type"


@pytest.mark.parametrize("name", ["id", "name", "role", "device", "user", "ip"])
@pytest.mark.parametrize("value", [1.5, b"x", ["a"], {"a": 1}, True], ids=["float", "bytes", "list", "dict", "bool"])
def test_an_identifier_is_a_text_or_a_whole_number(name: str, value: Any) -> None:
    with pytest.raises(InvalidEventError) as caught:
        Actor(**{name: value})
    assert caught.value.field == f"actor.{name}"


def test_identifiers_of_other_classes_become_texts(tmp_path: Path) -> None:
    class Role(enum.Enum):
        ADMIN = "admin"

    actor = Actor(id=UUID(int=7), ip=ipaddress.ip_address("::1"), role=Role.ADMIN, name=tmp_path)  # type: ignore[arg-type]
    assert actor.to_dict() == {"id": str(UUID(int=7)), "name": str(tmp_path), "role": "admin", "ip": "::1"}


# -- in every spelling ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "spelled"),
    [(field, spelled) for field in ("task", "session", "correlation", "parent", "tool", "component")
     for spelled in FIELDS[field].members],
)  # fmt: skip
def test_a_field_is_understood_in_each_of_its_spellings(field: str, spelled: str) -> None:
    event = AuditEvent.of({"type": "x", spelled: "v"})
    assert getattr(event, field) == "v"
    assert event.to_dict() == {"type": "x", field: "v"}


@pytest.mark.parametrize(
    ("field", "spelled"), [(field, name) for field, names in FLAT["actor"].items() for name in names]
)
def test_a_member_of_the_actor_is_understood_beside_him_and_in_him(field: str, spelled: str) -> None:
    inside = spelled if spelled in Actor.__dataclass_fields__ or "ctor" not in spelled else field
    for members in ({spelled: "v"}, {"actor": {inside: "v"}}, {"initiator": {inside: "v"}}):
        event = AuditEvent.of({"type": "x", **members})
        assert event.actor is not None
        assert getattr(event.actor, field) == "v"
        assert event.to_dict() == {"type": "x", "actor": {field: "v"}}


@pytest.mark.parametrize(
    ("given", "outcome", "reason"),
    [({"success": True}, "success", None), ({"success": False}, "failure", None), ({"outcome": True}, "success", None),
     ({"details": {"success": False}}, "failure", None), ({"details": {"outcome": "denied"}}, "denied", None),
     ({"outcome": {"result": "denied", "reason": "late"}}, "denied", "late"),
     ({"outcome": {"status": "error"}, "reason": "own"}, "error", "own"), ({"success": "yes"}, None, None)],
)  # fmt: skip
def test_an_outcome_is_understood_in_each_of_its_forms(given: dict[str, Any], outcome: Any, reason: Any) -> None:
    event = AuditEvent.of({"type": "x", **given})
    assert (event.outcome, event.reason) == (outcome, reason)


@pytest.mark.parametrize("name", ["time", "ts", "timestamp"])
@pytest.mark.parametrize("value", ["2026-11-21T10:11:12Z", 1795255872, 1795255872000, 1795255872.0])
def test_a_time_is_understood_in_each_of_its_forms(name: str, value: Any) -> None:
    assert AuditEvent.of({"type": "x", name: value}).time == "2026-11-21T10:11:12.000000Z"


def test_what_disagrees_or_is_not_understood_stays_under_its_own_name() -> None:
    given = {
        "type": "x", "task": "t1", "taskId": "t2", "level": 30, "session": {"id": "s", "since": 1}, "schema": "v7",
        "actor": "u1", "initiator": "u2", "artifacts": "none", "outcome": {"result": "denied", "code": 7}, "seq": 9,
    }  # fmt: skip
    event = AuditEvent.of(given)
    assert (event.task, event.session, event.outcome, event.level) == ("t1", "s", "denied", None)
    assert event.extra == {
        "taskId": "t2", "level": 30, "session": {"id": "s", "since": 1}, "schema": "v7", "initiator": "u2",
        "artifacts": "none", "outcome": {"result": "denied", "code": 7}, "seq": 9,
    }  # fmt: skip
    assert event.to_dict() == {**given, "actor": {"id": "u1"}}


words = st.sampled_from(
    sorted({name for field in FIELDS.values() for name in field.members} | {
        "success", "details", "metadata", "target", "targetId", "x", "seq", "id", "time", "ts", "artifacts", "category",
    })
)
texts = st.sampled_from(["a", "b", "info", "success", "2026-11-21T10:11:12Z"])
leaves = st.none() | st.booleans() | st.integers(0, 3) | texts
inner = st.sampled_from(["id", "name", "taskId", "k", "reason"])
things = leaves | st.lists(leaves, max_size=2) | st.dictionaries(inner, leaves, max_size=3)


def _leaves(value: Any) -> list[str]:
    """What is said, wherever it stands: the texts and numbers, sorted. A word and its meaning are one."""
    if isinstance(value, dict):
        return sorted(leaf for each in value.values() for leaf in _leaves(each))
    if isinstance(value, list):
        return sorted(leaf for each in value for leaf in _leaves(each))
    return [] if value is None else [repr(value)]


@given(st.dictionaries(words, things, max_size=6))
def test_reading_any_event_loses_nothing_and_reading_it_again_changes_nothing(members: dict[str, Any]) -> None:
    given = {"type": "free.type", **members}
    event = AuditEvent.of(given)
    written = event.to_dict()
    assert AuditEvent.of(written) == event
    there = set(_leaves(written))
    meaning = {"True": "'success'", "False": "'failure'"}
    meaning |= {f"{second}": f"'1970-01-01T00:00:0{second}.000000Z'" for second in range(4)}
    meaning["'2026-11-21T10:11:12Z'"] = "'2026-11-21T10:11:12.000000Z'"
    assert [leaf for leaf in _leaves(given) if not {leaf, meaning.get(leaf)} & there] == []


def test_a_record_is_an_event_too(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl", fsync="never") as log:
        log.append("exec.denied", userId="u1", details={"a": 1}, time="2025-01-01T00:00:00Z")
        [record] = log.tail(1)
    event = AuditEvent.of(record)
    assert (event.id, event.time) == (record["id"], "2025-01-01T00:00:00.000000Z")
    assert event.extra == {name: record[name] for name in ("seq", "ts", "prev", "hash")}
    assert AuditEvent.of(event) is event


@pytest.mark.parametrize("value", ["text", 7, None, ["x"]])
def test_what_is_no_mapping_is_no_event(value: Any) -> None:
    with pytest.raises(InvalidEventError, match="an event is a mapping"):
        AuditEvent.of(value)


# -- on the way into the log ----------------------------------------------------------------------


def test_a_free_event_comes_back_as_it_is() -> None:
    event = {"type": "nobody.knows", "details": 7}
    assert prepared(event, "warn", loud) is event


@pytest.mark.parametrize("kind", [None, ["a"], {"a": 1}, 7])
def test_what_is_no_type_is_left_to_whoever_writes_the_line(kind: Any) -> None:
    event = {"type": kind}
    assert prepared(event, "warn", loud) is event


def test_nothing_is_looked_at_in_the_mode_off() -> None:
    event: dict[str, Any] = {"type": "exec.denied", "details": 7}
    assert prepared(event, "off", loud) is event
    assert prepared(event, "off", loud, whole=True) is event


def test_what_the_caller_left_out_is_added_at_the_end() -> None:
    event = {"type": "exec.denied", "details": {"command": "rm"}}
    found = prepared(event, "warn", loud)
    assert list(found) == ["type", "details", "level", "actor", "task", "outcome", "schema"]
    assert found["actor"] == this_process()
    assert (found["level"], found["task"], found["outcome"], found["schema"]) == ("warn", "unknown", "denied", 2)
    assert event == {"type": "exec.denied", "details": {"command": "rm"}}


@pytest.mark.parametrize(
    ("said", "added"),
    [({"deviceId": "d"}, "level task outcome schema"), ({"initiator": "u"}, "level task outcome schema"),
     ({"details": {"userId": "u"}}, "level task outcome schema"), ({"taskId": "t"}, "level actor outcome schema"),
     ({"details": {"task_id": "t"}}, "level actor outcome schema"), ({"severity": "INFO"}, "actor task outcome schema"),
     ({"details": {"level": "info"}}, "actor task outcome schema"), ({"schemaVersion": 2}, "level actor task outcome"),
     ({"details": {"outcome": "error"}}, "level actor task schema"),
     ({"role": "admin"}, "level actor task outcome schema"),
     ({"actor": None, "task": None, "outcome": None}, "level schema")],
)  # fmt: skip
def test_nothing_is_added_that_is_said_in_another_spelling(said: dict[str, Any], added: str) -> None:
    event = {"type": "exec.completed", **said}
    found = prepared(event, "warn", loud)
    assert list(found) == [*event, *added.split()]
    assert None not in found.values()


@pytest.mark.parametrize(
    ("kind", "members", "outcome"),
    [("exec.completed", {"details": {"exit_code": 0}}, "success"), ("exec.completed", {"exitCode": 3}, "failure"),
     ("exec.completed", {"success": True}, "success"), ("exec.completed", {}, "unknown"),
     ("exec.denied", {"details": {"success": False}}, "failure"), ("command.run", {"command": "a"}, "unknown"),
     ("permission.decision", {"tool": "a", "decision": "deny"}, "denied"), ("auth.connect.failure", {}, "failure"),
     ("task.run", {"details": {"id": 1, "goal": "g", "status": "completed"}}, "success"),
     ("policy.decision", {"details": {"policy": "p", "decision": "ask"}}, "unknown"), ("custom", {}, "unknown")],
)  # fmt: skip
def test_an_outcome_that_is_not_said_follows_from_what_is(kind: str, members: dict[str, Any], outcome: str) -> None:
    assert prepared({"type": kind, **members}, "warn", loud)["outcome"] == outcome


def test_an_event_of_the_model_is_whole_whatever_its_type() -> None:
    found = prepared({"type": "nobody.knows"}, "warn", loud, whole=True)
    assert list(found) == ["type", "level", "actor", "task", "outcome", "schema"]
    assert (found["outcome"], found["schema"]) == ("unknown", 1)


def test_a_party_of_the_model_in_a_dict_becomes_what_is_written_of_it(tmp_path: Path) -> None:
    members: dict[str, Any] = {"actor": Actor(user="u1"), "target": Target("file", name="a")}
    with AuditLog(tmp_path / "audit.jsonl", fsync="never") as log:
        for kind in ("exec.denied", "nobody.knows"):
            log.append(kind, **members)
            [record] = log.tail(1)
            assert (record["actor"], record["target"]) == ({"user": "u1"}, {"type": "file", "name": "a"})


@pytest.mark.parametrize("missing", ["task", "actor", "outcome"])
def test_strict_refuses_what_nobody_gave(missing: str) -> None:
    event = {"type": "exec.completed", "task": "t1", "actor": "u1", "outcome": "success"}
    assert prepared(event, "strict", loud)["schema"] == 2
    del event[missing]
    with pytest.raises(InvalidEventError, match=r"give it with the event, or for many by `with context\(") as caught:
        prepared(event, "strict", loud)
    assert (caught.value.type, caught.value.field, caught.value.actual) == ("exec.completed", missing, None)


def test_strict_takes_what_a_context_says(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl", fsync="never", validate="strict") as log:
        with context(task="t-1", actor={"id": "u1"}):
            log.append("exec.denied")
            log.append(events.exec_denied(command="rm"))
        with pytest.raises(InvalidEventError):
            log.append("exec.denied")
        assert [record["task"] for record in log.tail()] == ["t-1", "t-1"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [("tool.excute", "'tool.excute' is not registered (did you mean 'tool.execute'?)"), (None, "has no type"),
     ("nobody.knows", "'nobody.knows' is not registered; register it"), (["x"], "'an array' is not registered")],
)  # fmt: skip
def test_strict_refuses_a_type_that_nobody_registered(kind: Any, words: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        prepared({"type": kind}, "strict", loud, whole=True)
    assert words in str(caught.value)
    assert caught.value.field == "type"


def test_a_type_may_be_a_member_of_an_enumeration() -> None:
    class Kind(str, enum.Enum):
        DENIED = "exec.denied"

    class Other(enum.Enum):
        DENIED = "exec.denied"

    assert prepared({"type": Kind.DENIED}, "warn", loud)["outcome"] == "denied"
    assert prepared({"type": Other.DENIED, "task": "t", "actor": "u"}, "strict", loud)["outcome"] == "denied"


def test_in_the_mode_warn_what_is_wrong_is_said_and_goes_on() -> None:
    said: list[str] = []
    event = {"type": "permission.decision", "level": "loud", "details": {"tool": 7, "decision": "maybe", "reason": "r"}}
    found = prepared(event, "warn", said.append)
    assert found["details"] is event["details"]
    assert [words.split(";")[0] for words in said] == [
        "permission.decision: details.tool is an integer, a string is expected",
        "permission.decision: details.decision is a string, 'allow', 'deny' or 'allow_once' is expected",
        "permission.decision: level is none of debug, info, warn, warning, error or critical",
    ]


@pytest.mark.parametrize("mode", ["warn", "strict"])
def test_no_value_is_shown_since_it_may_be_a_secret(mode: str) -> None:
    secret = "hun" + "ter2"
    said: list[str] = []
    event = {
        "type": "permission.decision", "actor": [secret], "level": secret, "outcome": secret,
        "target": {"id": [secret]},
        "details": {"tool": [secret], "decision": secret}, "schema": secret, "task": "t",
    }  # fmt: skip
    try:
        prepared(event, mode, said.append)
    except InvalidEventError as error:
        said.append(f"{error} {error!r}")
    assert said
    assert not [words for words in said if secret in words]


def test_details_may_be_any_mapping() -> None:
    event = {"type": "tool.call", "details": MappingProxyType({"tool": "bash"})}
    assert prepared(event, "warn", loud)["details"] == {"tool": "bash"}


@pytest.mark.parametrize("details", [None, {}, MappingProxyType({})], ids=["null", "empty", "another mapping"])
def test_a_required_detail_may_stand_at_the_top_level(details: Any) -> None:
    assert prepared({"type": "tool.call", "toolName": "bash", "details": details}, "warn", loud)["toolName"] == "bash"


def test_what_holds_itself_or_is_nested_without_end_is_no_matter_of_the_catalogue() -> None:
    deep: Any = "x"
    for _ in range(1000):
        deep = [deep]
    ring: dict[str, Any] = {}
    ring["itself"] = ring
    event = {"type": "tool.execute", "details": {"tool": "a", "input": deep, "duration": 1, "success": True, "x": ring}}
    assert prepared(event, "warn", loud)["details"] is event["details"]


# -- what is recorded by hash alone ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "stem", "more"),
    [("model.prompt", "prompt", "prompt", {"model_id": "m"}), ("model.prompt", "text", "prompt", {"model_id": "m"}),
     ("model.prompt", "messages", "prompt", {"model_id": "m"}),
     ("model.response", "text", "response", {"model_id": "m"}),
     ("model.response", "output", "response", {"model_id": "m"}),
     ("tool.event", "input", "input", {"tool_id": "t", "action": "a"})],
)  # fmt: skip
def test_a_text_that_is_not_to_be_kept_becomes_its_hash(
    kind: str, name: str, stem: str, more: dict[str, Any], tmp_path: Path
) -> None:
    text = "tell nobody of this"
    with AuditLog(tmp_path / "audit.jsonl", fsync="never", redact=None) as log:
        log.append({"type": kind, "details": {**more, name: text}})
        log.append(getattr(events, kind.replace(".", "_"))(**more, **{name: text}))
        found = log.tail()
    assert text not in (tmp_path / "audit.jsonl").read_text("utf-8")
    for record in found:
        assert record["details"][f"{stem}_hash"] == events.hash_of(text)
        assert record["details"][f"{stem}_length"] == len(text)
    assert "redacted" not in found[0]


def test_with_a_key_equal_texts_can_be_matched_by_who_has_it_and_guessed_by_nobody() -> None:
    first, second = (events.model_prompt(model_id="m", text="yes", key=b"k" * 16).details for _ in range(2))
    assert first["prompt_hash"] == second["prompt_hash"] != events.hash_of("yes")
    assert first["prompt_hash"].startswith("blake3-keyed:")
    with pytest.raises(ValueError, match="16 or more"):
        events.model_prompt(model_id="m", text="yes", key=b"short")


def test_anything_can_be_hashed() -> None:
    odd: list[Any] = [b"x", {"a": float("nan")}, ["\ud83d"], "\ud83d", {1, 2}, object]
    assert len({events.hash_of(each) for each in odd}) == len(odd)


# -- types of ones own ----------------------------------------------------------------------------


def test_a_type_of_ones_own_is_completed_checked_and_made(tmp_path: Path) -> None:
    paid = events.register(
        events.EventType("acme.paid", "Money went out.", level="warn", required={"amount": float}, outcome="success")
    )
    assert events.acme_paid(amount=2).details == {"amount": 2}
    with AuditLog(tmp_path / "audit.jsonl", fsync="never", validate="strict") as log, context(actor="u", task="t"):
        log.append(paid(amount=2.5))
        log.append("acme.paid", amount=3)
        with pytest.raises(InvalidEventError, match="a number is expected"):
            log.append("acme.paid", details={"amount": "3"})
        assert [(record["outcome"], record["level"], record["schema"]) for record in log.tail()] == [
            ("success", "warn", 1)
        ] * 2


def test_the_names_of_the_catalogue_and_of_the_engine_are_taken() -> None:
    with pytest.raises(InvalidEventError, match="one of the catalogue"):
        events.register(events.EventType("tool.execute"))
    with pytest.raises(ReservedTypeError):
        events.EventType("audit.mine")
    first = events.register(events.EventType("acme.taken", required={"a": str}))
    assert events.register(events.EventType("acme.taken", required={"a": "string"})) is first
    with pytest.raises(InvalidEventError, match="registered already"):
        events.register(events.EventType("acme.taken", required={"a": int}))
    with pytest.raises(TypeError, match="is an EventType, not a str"):
        events.register("acme.text")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "members",
    [{"name": "no type"}, {"name": ""}, {"level": "loud"}, {"retention": "ever"}, {"version": 0}, {"version": 2},
     {"version": 2, "upgrades": {2: dict}}, {"upgrades": {1: dict}}, {"required": {"a": "nothing"}},
     {"required": {"a": b"x"}}, {"required": {"a": str}, "optional": {"a": str}},
     {"optional": {"a": "string|nothing"}}, {"required": {1: str}}, {"outcome": "fine"}, {"outcome": 5},
     {"outcome": events.OutcomeOf("a", {1: "fine"})}, {"needs": ("nothing",)}, {"needs": "task"}, {"hashed": ("a",)},
     {"hashed": (events.Hashed("a", "ab"),)}, {"version": 2, "upgrades": {1: None}}],  # type: ignore[arg-type]
    ids=str,
)  # fmt: skip
def test_a_type_that_makes_no_sense_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        events.EventType(**{"name": "acme.wrong", **members})


def test_threads_may_register_at_once() -> None:
    kinds = [events.EventType(f"acme.thread-{number}") for number in range(40)]
    threads = [threading.Thread(target=events.register, args=(kind,)) for kind in kinds for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(kinds) <= set(events.types("acme.*"))
    assert all(prepared({"type": kind.name}, "warn", loud)["schema"] == 1 for kind in kinds)


# -- who acts where nobody says so ----------------------------------------------------------------


def test_this_process_is_known_by_its_number_its_program_and_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    actor = this_process()
    assert (actor["type"], actor["id"], actor["name"]) == ("process", str(os.getpid()), Path(sys.argv[0]).name)
    assert actor["user"] != "somebody-else"
    assert this_process() is actor


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_a_forked_child_is_a_process_of_its_own() -> None:
    this_process()
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        os.write(writable, this_process()["id"].encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writable)
    assert os.read(readable, 100) == str(child).encode()
    os.close(readable)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no numbers of users here")
def test_a_process_that_becomes_another_user_acts_as_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    before = this_process()
    monkeypatch.setattr(process, "_uid", lambda: 4_000_000)
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    assert this_process() == {**before, "user": "4000000"}


def _empty(record: dict[str, Any]) -> dict[str, Any]:
    return {}


def _another(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "seq": "x", "type": 5, "hash": None, "schema": 77}


def _half_done(record: dict[str, Any]) -> dict[str, Any]:
    record["details"].pop("amount")
    record["details"]["more"].append(2)
    raise RuntimeError("in the middle")


@pytest.mark.parametrize("step", [_empty, _another, _half_done])
def test_a_step_that_is_wrong_takes_nothing_from_what_the_engine_wrote(
    step: Callable[[dict[str, Any]], dict[str, Any]], tmp_path: Path
) -> None:
    name = f"acme.step.{step.__name__}"
    details = {"amount": 1, "more": [1]}
    with AuditLog(tmp_path / "audit.jsonl", fsync="never", validate="off") as log:
        log.append({"type": name, "schema": 1, "details": details})
        [line] = log.tail()
        events.register(events.EventType(name, version=2, upgrades={1: step}))
        [found] = log.query()
    for member in ("seq", "ts", "id", "type", "prev", "hash"):
        assert found[member] == line[member]
    if step is _half_done:
        assert found == {**line, "upgrade_failed": f"{name}, from version 1: RuntimeError('in the middle')"}


# -- what nobody expects --------------------------------------------------------------------------

RAW = "tell nobody of this"


@pytest.mark.parametrize(
    "members",
    [{"text": RAW}, {"metadata": {"prompt": RAW}}, {"details": {}, "metadata": {"messages": [RAW]}},
     {"details": MappingProxyType({"text": RAW}), "prompt": RAW}],
    ids=["above", "metadata", "beside details", "twice"],
)  # fmt: skip
def test_a_text_that_is_not_to_be_kept_is_hashed_wherever_it_stands(members: dict[str, Any], tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl", fsync="never", redact=None) as log:
        log.append({"type": "model.prompt", "model_id": "m", **members})
    written = (tmp_path / "audit.jsonl").read_text("utf-8")
    assert RAW not in written
    assert '"prompt_hash":"blake3:' in written


def test_details_may_be_called_metadata_or_be_a_dataclass() -> None:
    @dataclasses.dataclass
    class Call:
        tool: str
        taskId: str = "t"  # noqa: N815 - a design's own spelling

    said = {"actor": "u", "outcome": "success"}
    for event in ({"metadata": {"tool": "x", "taskId": "t"}}, {"details": Call("x")}, {"metadata": Call("x")}):
        found = prepared({"type": "tool.call", **said, **event}, "strict", loud)
        assert "task" not in found


class _Kind(enum.Enum):
    CALL = "tool.call"


def test_a_type_may_be_a_member_of_an_enumeration_that_is_no_text(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl", fsync="never") as log:
        log.append({"type": _Kind.CALL, "details": {"tool": "x"}})
        [found] = log.tail()
    assert (found["type"], found["schema"], found["task"]) == ("tool.call", 2, "unknown")
    made = AuditEvent.of({"type": _Kind.CALL, "tool": "x"})
    assert (type(made.type), made.category, made) == (str, "tool", AuditEvent.of({"type": "tool.call", "tool": "x"}))


class _Failing(dict[str, Any]):
    """A mapping whose own code fails."""

    def __iter__(self) -> Any:
        raise RuntimeError("no")

    items = keys = __len__ = __iter__


@pytest.mark.parametrize("member", ["details", "actor", "target", "metadata"])
def test_a_mapping_that_cannot_be_read_loses_no_event(member: str, tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl", fsync="never") as log:
        log.append({"type": "exec.denied", member: _Failing(a=1)})
        [found] = log.tail()
    assert (found["type"], found["outcome"]) == ("exec.denied", "denied")
    assert "$repr" in str(found[member])


class _Moody:
    """An object that does not say what it is."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("no")


def test_an_event_that_cannot_be_looked_at_is_recorded_or_refused() -> None:
    told: list[str] = []
    event = {"type": "exec.denied", "outcome": _Moody()}
    assert prepared(event, "warn", told.append) is event
    assert told == ["exec.denied: the event cannot be looked at: RuntimeError('no'); it is recorded as it is"]
    with pytest.raises(InvalidEventError, match="cannot be looked at"):
        prepared({**event, "actor": "u", "task": "t"}, "strict", loud)
    with pytest.raises(InvalidEventError, match="cannot be looked at"):  # a text may be in it
        prepared({"type": "model.prompt", "outcome": _Moody()}, "warn", told.append)


@pytest.mark.parametrize("kind", ["log.record", "unparsed"])
def test_what_handlers_are_given_is_not_refused_for_its_type(kind: str) -> None:
    event = {"type": kind}
    assert prepared(event, "strict", loud) is event


def test_what_type_checkers_are_told_has_every_field() -> None:
    tree = ast.parse(Path(sys.modules[AuditEvent.__module__].__file__ or "").read_text("utf-8"))
    [told] = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    named = [each.arg for each in (*told.args.args, *told.args.kwonlyargs)]
    assert named == ["self", *(each.name for each in dataclasses.fields(AuditEvent) if each.init)]


def test_a_detail_may_have_a_name_that_python_keeps_for_itself() -> None:
    sent = events.register(events.EventType("acme.sent", required={"from": str, "user-agent": str}))
    assert events.acme_sent is not None
    assert sent(**{"from": "a", "user-agent": "b"}).details == {"from": "a", "user-agent": "b"}
    assert not {"from", "user-agent"} & set(inspect.signature(sent).parameters)


@pytest.mark.parametrize(
    ("event", "outcome"),
    [({"type": "exec.denied"}, "denied"), ({"type": "permission.decision", "details": {"decision": "deny"}}, "denied"),
     ({"type": "command.run", "exitCode": 0}, "success"), ({"type": "exec.denied", "success": False}, "failure"),
     ({"type": "tool.call"}, "unknown")],
)  # fmt: skip
def test_an_event_that_does_not_say_how_it_ended_ended_as_its_type_says(event: dict[str, Any], outcome: str) -> None:
    assert AuditEvent.of(event).outcome == outcome
    assert prepared(event, "warn", lambda _: None)["outcome"] == outcome


@pytest.mark.parametrize("given", [{"level": "WARN"}, {"severity": "Warn"}, {"details": {"level": "WARN"}}])
def test_a_level_is_told_in_lower_case(given: dict[str, Any]) -> None:
    event = AuditEvent.of({"type": "acme.done", **given})
    assert event.level == "warn"
    assert AuditEvent.of(event.to_dict()) == event


@pytest.mark.parametrize("name", ["upgraded", "json_schema", "details", "from"])
def test_a_type_with_the_name_of_something_else_has_a_function_all_the_same(name: str) -> None:
    kind = events.register(events.EventType(name))
    assert getattr(events, f"{name}_")().type == name
    assert getattr(events, name, None) is not kind
