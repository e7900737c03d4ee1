"""Events: the model in every spelling, and the way into the log: completed, checked, refused."""

from __future__ import annotations

from typing import Any

import pytest

from jsonl_audit import Actor, AuditEvent, InvalidEventError, Target, events
from jsonl_audit.events import prepared


def quiet(_: str) -> None:
    """For what nobody listens to."""


def loud(words: str) -> None:
    pytest.fail(words)


def test_a_free_event_comes_back_as_it_is() -> None:
    event = {"type": "nobody.knows", "details": 7}
    assert prepared(event, "warn", loud) is event


def test_nothing_is_looked_at_in_the_mode_off() -> None:
    event: dict[str, Any] = {"type": "exec.denied", "details": 7}
    assert prepared(event, "off", loud) is event


def test_what_the_caller_left_out_is_added_at_the_end() -> None:
    event = {"type": "exec.denied", "details": {"command": "rm"}}
    found = prepared(event, "warn", loud)
    assert list(found) == ["type", "details", "level", "actor", "task", "outcome", "schema"]
    assert found["actor"]["type"] == "process"
    assert (found["task"], found["outcome"], found["schema"]) == ("unknown", "denied", 2)
    assert event == {"type": "exec.denied", "details": {"command": "rm"}}


@pytest.mark.parametrize("missing", ["task", "actor"])
def test_strict_refuses_what_nobody_gave(missing: str) -> None:
    event = {"type": "exec.denied", "task": "t1", "actor": "u1"}
    del event[missing]
    with pytest.raises(InvalidEventError) as caught:
        prepared(event, "strict", loud)
    assert (caught.value.type, caught.value.field, caught.value.actual) == ("exec.denied", missing, None)


def test_an_event_in_every_spelling_loses_nothing() -> None:
    given = {
        "type": "exec.denied", "deviceId": "d1", "taskId": "t1", "sessionId": "s1", "correlation_id": "c1",
        "severity": "WARN", "target": {"type": "host", "id": 7, "zone": "b"}, "metadata": {"a": 1}, "x": [1], "seq": 7,
    }  # fmt: skip
    event = AuditEvent.of(given)
    assert event.actor == Actor(device="d1")
    assert event.target == Target("host", 7, extra={"zone": "b"})
    assert (event.task, event.session, event.correlation, event.level) == ("t1", "s1", "c1", "WARN")
    assert event.details == {"a": 1}
    assert AuditEvent.of(event.to_dict()) == event
    assert event.to_dict()["seq"] == 7


@pytest.mark.parametrize("kind", events.types(), ids=lambda kind: kind.name)
def test_each_type_of_the_catalogue_has_a_function(kind: events.EventType) -> None:
    assert callable(getattr(events, kind.name.replace(".", "_")))
