"""Redaction of encoded events: the one cheap look misses nothing that the rules on plain texts would find."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import orjson
import pytest
from corpus import positives
from hypothesis import given, settings
from hypothesis import strategies as st
from written import written

from jsonl_audit.redact import Redactor
from jsonl_audit.redact.assigned import assigned
from jsonl_audit.redact.encoded import suspicious
from jsonl_audit.redact.names import Names
from jsonl_audit.redact.tokens import TOKENS, Token, discord_tokens, known_tokens, private_keys
from jsonl_audit.redact.walk import MANY, SHORT

pytestmark = pytest.mark.exhaustive  # alike on every Python

OURS = Redactor()
NAMES = Names()


def _all_rules(text: str) -> list[tuple[Any, ...]]:
    """What the rules find in a text without being asked whether it is suspicious."""
    found: list[tuple[Any, ...]] = []
    private_keys(text, lambda *hit: found.append(hit))
    known_tokens(text, 0, len(text), lambda *hit: found.append(hit))
    discord_tokens(text, 0, len(text), lambda *hit: found.append(hit))
    assigned(text, NAMES, lambda *hit: found.append(hit), 0, len(text))
    return found


def _suspicious(text: str) -> bool:
    encoded = orjson.dumps({"text": text})
    return suspicious(encoded)


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)] + list(value)
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return [value] if isinstance(value, str) else []


def test_every_text_of_the_corpus_in_which_a_rule_finds_something_is_suspicious() -> None:
    texts = {text for case in positives() for text in _strings(case.value)}
    assert len(texts) > 1000
    assert [text for text in texts if _all_rules(text) and not _suspicious(text)] == []


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: f"{token.kind}-{token.hints[0]}")
def test_a_form_of_secret_is_suspicious_wherever_it_stands(token: Token) -> None:
    lot = Random(token.pattern)
    caught = 0
    for _ in range(100):
        if caught == 6:
            break
        before = lot.choice(["", "x ", '"', "\x1b[1;31m", "\n", "\\n", "\t", "a=", "%3D", "é"])
        whole = before + written(token.pattern, lot) + lot.choice(["", "y", "1 y", '"', "\n", "\\"])
        if re.search(token.pattern, whole) and _all_rules(whole):
            caught += 1
            assert _suspicious(whole), whole
            assert OURS.text(whole, {}) != whole
    assert caught


PIECES = st.sampled_from(
    ["password", "token", "Api-Key", "secret", "cookie", "otp", "x", "user", "=", ": ", ":", " ", '"', "'", "\\", "{",
     "}", "[", "]", ",", "\n", "hunter2", "Bearer ", "abc.def.0123456789abcdef", "AK" + "IA" + "Q" * 16,
     "ghp_" + "a" * 36,
     "%3D", "&", "<redacted:token>", "<redacted:jwt:0123456789abcdef>", "<path>", "://", "u:p", "@", "host",
     "-----BEGIN PRIVATE KEY-----", "MIIE", "A" * 64, "--", "é", "\u200b", "\U0001f511", "null", "5", "/home/ann/x",
     "ann@example.com", "+1 212 555 0100"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)
NAMED = ["password", "apiKey", "tokens_in", "key", "name", "value", "$bytes", "credentials", "a"]
KEYS = st.one_of(TEXTS, st.sampled_from(NAMED))
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(-5, 5), st.booleans(), st.none()),
    lambda inside: st.one_of(st.lists(inside, max_size=3), st.dictionaries(KEYS, inside, max_size=3)),
    max_leaves=8,
)
EVENTS = st.dictionaries(KEYS, VALUES, max_size=4)


@given(TEXTS)
def test_a_text_that_no_look_suspects_holds_nothing_for_any_rule(text: str) -> None:
    if not _suspicious(text):
        assert _all_rules(text) == []


@pytest.mark.parametrize("ours", [OURS, Redactor("privacy"), Redactor(key=b"k" * 16)], ids=lambda ours: ours.name)
@settings(max_examples=40)
@given(event=EVENTS)
def test_an_event_becomes_what_it_does_as_a_value(ours: Redactor, event: dict[str, Any]) -> None:
    before = orjson.dumps(event)
    one: dict[str, int] = {}
    other: dict[str, int] = {}
    made = ours.event(event, one)
    kind = {"type": event["type"]} if "type" in event else {}
    assert {**made, **kind} == {**ours.value(event, other), **kind}
    assert one == other or kind
    again: dict[str, int] = {}
    assert ours.event(event, again) == made
    assert again == one
    assert orjson.dumps(event) == before


@pytest.mark.parametrize("ours", [OURS, Redactor("privacy"), Redactor(key=b"k" * 16)], ids=lambda ours: ours.name)
@settings(max_examples=40)
@given(event=EVENTS)
def test_what_is_redacted_once_is_not_redacted_again(ours: Redactor, event: dict[str, Any]) -> None:
    once = ours.value(event, {})
    found: dict[str, int] = {}
    assert ours.value(once, found) == once
    assert found == {}


@settings(max_examples=40)
@given(EVENTS)
def test_what_is_counted_is_what_stands_there(event: dict[str, Any]) -> None:
    found: dict[str, int] = {}
    OURS.value(event, found)
    # One place may hold several: they are all named.
    kinds = {place.kind for place in OURS.hits(event)}
    assert kinds == set(found)


def test_nothing_found_gives_the_same_objects_back() -> None:
    event = {"type": "tool.execute", "details": {"tokens_in": 5, "items": [{"name": "a"}]}}
    assert OURS.event(event, {}) is event
    assert OURS.value(event, {}) is event


def test_a_copy_is_made_along_the_way_to_what_changes_and_nowhere_else() -> None:
    event: dict[str, Any] = {"details": {"inner": {"password": "x9"}, "other": {"a": 1}}, "actor": {"id": "u1"}}
    made = OURS.event(event, {})
    assert event["details"]["inner"] == {"password": "x9"}
    assert made["details"]["inner"] == {"password": "<redacted:password>"}
    assert made["details"]["other"] is event["details"]["other"]
    assert made["actor"] is event["actor"]


def test_a_type_stays_as_it_is() -> None:
    event = {"type": "token=abc", "text": "token=abc"}
    assert OURS.event(event, {}) == {"type": "token=abc", "text": "token=<redacted:token>"}


def test_what_was_innocent_once_is_known_and_what_was_not_is_found_each_time() -> None:
    ours = Redactor()
    for _ in range(3):
        found: dict[str, int] = {}
        made = ours.event({"a": "plain", "b": ["token=abc", "plain", "é"], "c": {"d": "half \ud800 token=x1"}}, found)
        assert found == {"token": 2}
        assert made["b"] == ["token=<redacted:token>", "plain", "é"]


def test_what_is_known_to_be_innocent_is_bounded_in_number_and_length() -> None:
    ours = Redactor()
    for number in range(3 * MANY):
        ours.event({"text": f"text {number}", "long": f"{number}" + "x" * SHORT}, {})
    known = ours._walk._innocent
    assert len(known) <= MANY + 1
    assert max(map(len, known)) <= SHORT
