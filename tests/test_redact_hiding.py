"""Secrets that hide: behind escapes, in names without end, in JSON within JSON, as bytes, in the form of a marker."""

from __future__ import annotations

import json
import logging
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from jsonl_audit import record
from jsonl_audit.artifacts import Store
from jsonl_audit.handlers import AuditHandler
from jsonl_audit.redact import Redactor
from jsonl_audit.segment import Names

OURS = Redactor()
AWS = "AK" + "IA" + "Q7XWERTYUIOPLKJH"
GITLAB = "gl" + "pat-" + "abcdefghij0123456789"
OPEN = "open-sesame"


def _written(details: Any, ours: Redactor = OURS) -> bytes:
    """The members of the line that an event becomes, and the same by the slow way."""
    body = record.encode({"type": "t", "details": details}, 2**24, ours)
    plain = record.encode({"type": "t", "details": details}, 2**24)
    again = json.dumps(ours.value(json.loads(b"{%b}" % plain.members[1:]), {}))
    assert json.loads(b"{%b}" % body.members[1:])["details"] == json.loads(again)["details"]
    return body.members


@pytest.mark.parametrize(
    "details",
    [{"m": f"\ud800{AWS}"}, {f"\ud800{AWS}": 1}, {"m": f"said \\u5bc6{AWS}"}, {"m": f"\\u5bc6\\u7801password={OPEN}"}],
    ids=["a lone surrogate", "one in a name", "JSON in part", "a name in such"],
)
def test_an_escape_of_any_character_is_a_border(details: Any) -> None:
    text = _written(details)
    assert AWS.encode() not in text
    assert OPEN.encode() not in text


@pytest.mark.parametrize("name", ["x" * 300 + "_password", "password_" + "x " * 300, "x " * 5000 + "password"], ids=len)
def test_a_long_name_tells_by_its_beginning_and_its_end(name: str) -> None:
    assert OPEN.encode() not in _written({name: OPEN})


def test_names_without_number_and_length_take_no_memory() -> None:
    ours = Redactor()
    tracemalloc.start()
    for number in range(300):
        ours.event({"type": "t", f"{number:05}" + "x" * 50_000: 1}, {})
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 2_000_000


def test_json_in_json_without_end_is_redacted_whole() -> None:
    text = json.dumps({"password": OPEN})
    for _ in range(13):
        text = json.dumps({"a": text})
    assert OPEN.encode() not in _written({"m": text})
    assert "too-deep" in OURS.value(text, {})


@pytest.mark.parametrize(
    "details",
    [
        {"headers": [[b"x-api-key", OPEN.encode()]]},
        {"headers": [(b"cookie", b"sid=" + OPEN.encode())]},
        {"argv": [b"login", b"--password", OPEN.encode(), b"-v"]},
        {"headers": [["x-api-key", OPEN.encode()]]},
        {"headers": [[b"x-api-key", OPEN]]},
    ],
    ids=["a header", "a cookie", "an option", "a text and bytes", "bytes and a text"],
)
def test_names_in_bytes_tell_as_texts_do(details: Any) -> None:
    assert b"redacted:" in _written(details)
    assert OPEN.encode() not in _written(details)


def test_bytes_that_tell_nothing_stay() -> None:
    assert b"redacted" not in _written({"headers": [[b"host", b"example.net"]], "argv": [b"-v", b"x"], "b": b"--token"})


@pytest.mark.parametrize("name", ["old", "new", "previous", "old_value", "newValue", "val", "value"])
@pytest.mark.parametrize("with_", ["setting", "key", "field", "parameter"])
def test_the_values_of_a_setting_that_holds_a_secret_go(name: str, with_: str) -> None:
    assert OPEN.encode() not in _written({with_: "gateway.password", name: OPEN})
    assert b"redacted" not in _written({with_: "gateway.theme", name: OPEN})


@pytest.mark.parametrize("text", [f"<redacted:{GITLAB}>", f"it is <redacted:{GITLAB}>, he said"])
def test_the_form_of_a_marker_hides_no_token(text: str) -> None:
    assert GITLAB.encode() not in _written({"m": text, "password": text})
    made = OURS.text(text, {})
    assert OURS.text(made, {}) == made


@pytest.mark.parametrize(
    "text",
    [
        "密码password：{}",
        "password ＝ {}",
        "password=ab<{}",
        "password=<{}",
        "password=ab>{}",
        "password=ab'{}",
        'password=ab"{}',
        "password=ab`{} is it",
        "password=<redacted:password>{}",
        "password: |\n  {}\nuser: ann",
        "password: >-\n  {}",
        "password = '''{}'''",
        'password = """\n{}"""',
        "<password><![CDATA[{}]]></password>",
        'x {{"token":{{"a":"}}","b":"{}"}}',
        "x " + "\\" * 31 + '"password' + "\\" * 31 + '":' + "\\" * 31 + '"{}' + "\\" * 31 + '"',
    ],
)
def test_a_value_goes_to_its_end(text: str) -> None:
    text = text.format(OPEN)
    assert OPEN.encode() not in _written({"m": text, "n": [text]})
    made = OURS.text(text, {})
    assert OURS.text(made, {}) == made


@pytest.mark.parametrize(
    "text",
    [
        '<p><a href="a.html" accesskey="n">next</a>',
        "pw = getpass('Password: ', stream=None) or 'x'",
        'print("token: " + repr(raw)) or "x"',
        'ask("Password: ")\nprint("x")',
        "<b>password</b> and <i>more</i>",
    ],
)
def test_what_ends_before_it_is_no_value(text: str) -> None:
    assert OURS.text(text, {}) == text


def test_the_directories_of_a_shell_are_no_passwords() -> None:
    env = {"PWD": "/srv/app", "OLDPWD": "~/x", "pwd": "/" + OPEN}
    assert OURS.value(env, {}) == {**env, "pwd": "<redacted:password>"}


@pytest.mark.parametrize("colour", ["\x1b[31m", "\x1b[1;31m", "\x1b[m", "\\x1b[0;33m", "\x1b[38;5;196m"], ids=ascii)
def test_a_colour_is_a_border(colour: str) -> None:
    text = _written({"m": f"{colour}{AWS}\x1b[0m {colour}token={OPEN}\x1b[0m"})
    assert AWS.encode() not in text
    assert OPEN.encode() not in text


@pytest.mark.parametrize("mark", [True, False])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_text_in_wide_characters_is_one_with_and_without_its_mark(tmp_path: Path, encoding: str, mark: bool) -> None:
    text = f"Größe: 5\npassword={OPEN}\n".encode(encoding)
    given = "\ufeff".encode(encoding) * mark + text + b"x"
    store = Store(Names.of(tmp_path / "audit.jsonl"), redactor=OURS)
    reference = store.put(iter([given[:31], given[31:]]))
    kept = store.read(reference)
    assert OPEN.encode(encoding) not in kept
    assert (kept.startswith(given[:20]), kept[-1:]) == (True, b"x")
    assert (reference["media_type"], reference["redacted"]) == ("text/plain", {"password": 1})


def test_numbers_of_two_bytes_are_no_text(tmp_path: Path) -> None:
    store = Store(Names.of(tmp_path / "audit.jsonl"), redactor=OURS)
    given = b"".join(number.to_bytes(2, "little") for number in range(256)) * 9
    reference = store.put(given)
    assert (reference["media_type"], store.read(reference)) == ("application/octet-stream", given)


def test_half_characters_in_json_in_a_string_are_no_error() -> None:
    text = '{"password":"' + OPEN + '","half":"\\ud800","\\udfff":["\\ud83d\\ude00"]}'
    made = json.loads(_written({"m": text})[1:].join((b"{", b"}")))["details"]["m"]
    assert json.loads(made) == {**json.loads(text), "password": "<redacted:password>"}


@pytest.mark.parametrize(
    ("template", "args"),
    [
        ("ann has password=%s for %d", (OPEN, 7)),
        ("%s logs in with password='%s'", ("ann", OPEN)),
        ("token: %(what)s of %(who)s", {"what": OPEN + "-7", "who": "ann"}),
    ],
)
def test_an_argument_is_as_secret_as_the_message_says(tmp_path: Path, template: str, args: Any) -> None:
    given = logging.makeLogRecord({"msg": template, "args": args})
    handler = AuditHandler(tmp_path / "audit.jsonl")
    handler.handle(given)
    handler.close()
    text = (tmp_path / "audit.jsonl").read_text()
    assert OPEN not in text
    assert '"args":' in text
    assert "ann" in text
    counts: dict[str, int] = {}
    made = OURS.value({"message": template % args, "args": args}, counts)
    assert sum(counts.values()) == 2
    assert OURS.value(made, {}) == made


@pytest.mark.parametrize("made", ["\ud800", 10**40, float("nan"), float("inf")], ids=ascii)
def test_a_function_that_returns_what_no_line_holds_has_failed(made: Any) -> None:
    ours = Redactor(functions=[lambda *_: made])
    body = record.encode({"type": "t", "details": {"a": "x"}}, cleaner=ours)
    assert b'"a":"<redacted:rule-failed>"' in body.members
