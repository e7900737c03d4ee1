"""The JSON Schemas say what the log checks: an independent validator agrees about whatever is put before it."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsonl_audit import InvalidEventError, events
from jsonl_audit.events.catalogue import CATALOGUE
from jsonl_audit.events.prepare import check, spellings
from jsonl_audit.events.schema import example_of

pytestmark = pytest.mark.exhaustive  # alike on every Python

SCHEMAS = Path(__file__).resolve().parent.parent / "docs" / "schemas"
TYPES = CATALOGUE


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """The independent one, with the schema as it is published."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("kind", TYPES, ids=[kind.name for kind in TYPES])
def test_the_example_of_a_type_is_valid_and_so_is_what_is_written_of_it(kind: events.EventType) -> None:
    example = example_of(kind)
    validator(kind.name).validate(example)
    bare = {name: value for name, value in example.items() if name not in ("actor", "outcome")}
    written = events.prepared(bare, "warn", pytest.fail)
    validator(kind.name).validate(json.loads(json.dumps(written)))
    assert validator(kind.name).schema["$id"] == f"urn:jsonl-audit:event:{kind.name}:{kind.version}"


def accepted(kind: events.EventType, event: dict[str, Any]) -> bool:
    """Whether the log takes it in the mode strict, who acted and such being known from elsewhere."""
    try:
        check(kind, event)
    except InvalidEventError:
        return False
    return True


plain = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, 2.0, 2**64 - 1, -(2**63)])
    | st.sampled_from(["", "a", "allow", "deny", "running", "2026-11-21T10:11:12Z", "2026-11-21", "created"])
)  # fmt: skip
values = plain | st.lists(plain, max_size=2) | st.dictionaries(st.sampled_from("ab"), plain, max_size=1)


@st.composite
def variations(draw: st.DrawFn) -> tuple[events.EventType, dict[str, Any]]:
    """The example of a type with some of its members changed, removed or moved to the top."""
    kind = draw(st.sampled_from(TYPES))
    event = example_of(kind)
    details = event.get("details", {})
    stems = [hashed.name for hashed in kind.hashed]
    for name in draw(st.lists(st.sampled_from(sorted(kind.details)), max_size=3)) if kind.details else []:
        where = draw(st.sampled_from(["change", "remove", "respell", "lift"]))
        value = draw(values)
        details.pop(name, None)
        if where == "change":
            details[name] = value
        elif where == "respell":
            other = draw(st.sampled_from(spellings(name)))
            if other not in stems:
                details[other] = value
        elif where == "lift":
            event[draw(st.sampled_from(spellings(name)))] = value
    of_the_model = st.sampled_from(["level", "severity", "outcome", "actor", "target", "schema"])
    for name in draw(st.lists(of_the_model, max_size=2)):
        event[name] = draw(values | st.sampled_from(["info", "Warn", "loud", "success", {"id": 7}, {"id": 0.5}]))
    if draw(st.integers(0, 9)) == 0:
        event["details"] = draw(values)
    return kind, {**event, "type": kind.name}


@given(variations())
@settings(max_examples=150)
def test_the_published_schema_and_the_log_agree_about_an_event(drawn: tuple[events.EventType, dict[str, Any]]) -> None:
    kind, event = drawn
    errors = [*validator(kind.name).iter_errors(event)]
    assert accepted(kind, event) is not bool(errors), (event, [error.message for error in errors])


def test_a_type_of_ones_own_has_a_schema_too() -> None:
    kind = events.EventType("acme.paid", required={"amount": "number", "to": "string|integer"}, optional={"on": "time"})
    schema = jsonschema.Draft202012Validator(events.json_schema(kind))
    assert schema.is_valid({"type": "acme.paid", "details": {"amount": 2.5, "to": 7}})
    assert schema.is_valid({"type": "acme.paid", "amount": 2.5, "details": {"to": "a", "on": 1795255872}})
    assert not schema.is_valid({"type": "acme.paid", "details": {"amount": "2.5", "to": 7}})
    assert not schema.is_valid({"type": "acme.paid", "details": {"amount": 2.5}})


def test_there_is_no_schema_of_a_type_that_is_not_known() -> None:
    with pytest.raises(LookupError, match=r"no type 'acme\.nothing'"):
        events.json_schema("acme.nothing")
