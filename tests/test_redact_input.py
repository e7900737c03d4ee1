"""Redaction of what nobody would send on purpose: deep, endless, huge, disguised, and rules that fail."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from jsonl_audit.redact import Place, Redactor, redactor_of
from jsonl_audit.redact.names import TELLING
from jsonl_audit.redact.personal import PERSONAL
from jsonl_audit.redact.tokens import TOKENS

pytestmark = pytest.mark.exhaustive  # alike on every Python

OURS = Redactor()
AWS = "AK" + "IA" + "QWERTYUIOPASDFGH"


def _redacted(value: Any, ours: Redactor = OURS) -> Any:
    return ours.value(value, {})


# -- names in disguise ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "Password",
        "dbPassword",
        "db_password",
        "db-password",
        "db.password",
        "db password",
        "DB_PASSWORD_2",
        "p\u0430ssw\u043erd",
        "pass\u200bword",
        "pass\u00adword",
        "\u202epassword",
        "ｐａｓｓｗｏｒｄ",
        "𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝",
        "pässwörd",
        "pa\u0301ssword",
        "ΡΑSSWORD",
        "pass\x00word",
        "раssword",
        "PASSWОRD",
        "\ufeffpassword",
        "pass\u2060word",
    ],
    ids=ascii,
)
def test_a_name_tells_a_password_however_it_is_written(name: str) -> None:
    assert _redacted({"details": {name: "open sesame"}}) == {"details": {name: "<redacted:password>"}}


@pytest.mark.parametrize(
    "name",
    [
        "tokens_in",
        "tokens_out",
        "session",
        "sessionId",
        "session_id",
        "sessionContext",
        "sessionIssuer",
        "token_type",
        "prompt_hash",
        "prompt_length",
        "secretId",
        "SecretARN",
        "secretName",
        "secret_version",
        "nextToken",
        "pageToken",
        "clientRequestToken",
        "passwordResetRequired",
        "author",
        "authority",
        "compass",
        "bypass",
        "secretary",
        "tokenizer",
        "keyboard",
        "monkey",
        "broken",
        "publicKeyId",
        "expired_at",
        "nonce",
        "passport",
        "keynote",
    ],
)
def test_a_name_that_only_speaks_of_secrets_tells_none(name: str) -> None:
    event = {"details": {name: "a plain value"}}
    assert OURS.event(event, {}) is event


@pytest.mark.parametrize(
    "value", ["x", "true enough", ["a", 1], {"a": {"b": 1}}, ("a",), "0", "****", "${VAR}", "x" * 40000]
)
def test_whatever_stands_under_a_telling_name_goes(value: Any) -> None:
    assert _redacted({"apiKey": value}) == {"apiKey": "<redacted:api-key>"}


@pytest.mark.parametrize(
    "value", [0, 1, -5, 1.5, True, False, None, "", "true", [], {}, {"$int": "9" * 30}, "<redacted:jwt>"]
)
def test_numbers_booleans_and_nothing_are_no_secret(value: Any) -> None:
    event = {"apiKey": value}
    assert OURS.event(event, {}) is event


def test_the_members_of_the_model_are_never_meant_by_a_name_of_the_users() -> None:
    ours = Redactor(names=["session", "actor"])
    event = {"session": "s-1", "actor": {"id": "u1"}, "details": {"session": "s-2", "actor": "u2"}}
    assert _redacted(event, ours) == {
        "session": "s-1",
        "actor": {"id": "u1"},
        "details": {"session": "<redacted:named>", "actor": "<redacted:named>"},
    }


def test_pairs_of_name_and_value_flags_and_headers_are_names_too() -> None:
    event = {
        "headers": [["Authorization", "x y"], {"name": "X-Api-Key", "value": "k"}, {"key": "color", "value": "red"}],
        "argv": ["mysql", "--password", "pw-1", "--user", "ann"],
    }
    assert _redacted(event) == {
        "headers": [
            ["Authorization", "<redacted:authorization>"],
            {"name": "X-Api-Key", "value": "<redacted:api-key>"},
            {"key": "color", "value": "red"},
        ],
        "argv": ["mysql", "--password", "<redacted:password>", "--user", "ann"],
    }


# -- secrets in names, in bytes, in texts within texts --------------------------------------------


def test_a_secret_in_a_name_goes_and_the_names_stay_apart() -> None:
    other = AWS[:-1] + "X"
    found: dict[str, int] = {}
    made = OURS.value({AWS: 1, other: 2, "a": 3}, found)
    assert made == {"<redacted:aws-access-key-id>": 1, "<redacted:aws-access-key-id>~2": 2, "a": 3}
    assert found == {"aws-access-key-id": 2}
    assert list(made) == ["<redacted:aws-access-key-id>", "<redacted:aws-access-key-id>~2", "a"]


def test_json_in_a_string_is_read_as_what_it_says_at_any_level() -> None:
    inner = orjson.dumps({"user": "ann", "credentials": {"apiKey": "k-1", "n": 2}}).decode()
    outer = orjson.dumps({"body": inner, "n": 1.5}).decode()
    made = _redacted({"message": outer})["message"]
    assert orjson.loads(orjson.loads(made)["body"]) == {
        "user": "ann",
        "credentials": {"apiKey": "<redacted:api-key>", "n": 2},
    }


def test_json_in_a_string_that_holds_no_secret_stays_to_the_letter() -> None:
    text = '{ "a" : 1.10, "b":[ 1,2 ], "a2": 12345678901234567890123 }'
    assert _redacted(text) is text


def test_json_that_names_a_member_twice_hides_nothing() -> None:
    made = _redacted('{"password": "first-1", "password": ""}')
    assert "first-1" not in made


def test_bytes_that_hold_a_secret_go_whole() -> None:
    import base64

    form = {"$bytes": base64.b64encode(b"password=hunter2").decode()}
    assert _redacted({"body": form}) == {"body": {"$bytes": "<redacted:password>"}}
    innocent = {"body": {"$bytes": "AP8="}}
    assert _redacted(innocent) is innocent


def test_a_secret_that_is_split_over_members_is_not_put_together() -> None:
    # What nothing tells cannot be told: documented, and every piece that tells itself is still caught.
    event = {"a": AWS[:10], "b": AWS[10:], "c": AWS}
    assert _redacted(event) == {"a": AWS[:10], "b": AWS[10:], "c": "<redacted:aws-access-key-id>"}


# -- deep, endless, huge --------------------------------------------------------------------------


def _nested(depth: int, inside: Any) -> Any:
    for _ in range(depth):
        inside = {"a": [inside]}
    return inside


def test_a_record_as_deep_as_it_may_be_is_looked_through() -> None:
    made = _redacted(_nested(63, {"password": "deep-1"}))
    assert b"deep-1" not in orjson.dumps(made)
    assert b"<redacted:password>" in orjson.dumps(made)


@pytest.mark.parametrize("depth", [500, 1000, 20000])
def test_what_is_nested_without_end_is_redacted_whole_and_nothing_is_raised(depth: int) -> None:
    found: dict[str, int] = {}
    made = OURS.value(_nested(depth, {"password": "deep-1"}), found)
    assert b"deep-1" not in orjson.dumps(made)
    assert found == {"too-deep": 1}


def test_whoever_stands_deep_in_calls_still_gets_no_secret_on_disk() -> None:
    event = {"type": "t", "details": _nested(60, {"password": "deep-1"}), "apiKey": "k-1"}
    made: list[Any] = []

    def deeper(turns: int) -> None:
        if turns:
            deeper(turns - 1)
        else:
            made.append(OURS.event(event, {}))

    for turns in range(100, sys.getrecursionlimit(), 50):
        try:
            deeper(turns)
        except RecursionError:
            break
    assert len(made) > 3
    assert all(b"deep-1" not in orjson.dumps(each) and each["apiKey"] == "<redacted:api-key>" for each in made)
    assert made[-1]["details"] == "<redacted:too-deep>"


def test_a_value_that_holds_itself_ends() -> None:
    ring: dict[str, Any] = {"password": "x-1"}
    ring["ring"] = [ring]
    assert b"x-1" not in orjson.dumps(_redacted(ring))


def test_json_a_thousand_deep_in_a_string_is_read_as_it_is_written() -> None:
    text = '{"a":' * 1000 + '{"password":"deep-1"}' + "}" * 1000
    assert _redacted(text) == text.replace("deep-1", "<redacted:password>")


def test_ten_megabytes_of_text_pass_and_a_secret_in_them_is_found() -> None:
    plain = "all is well in this long report, line after line\n" * 200_000
    assert OURS.text(plain, {}) is plain
    text = plain[:7_000_000] + "password=hunter2 " + plain[7_000_000:]
    assert OURS.text(text, {}) == text.replace("hunter2", "<redacted:password>")


def test_lone_surrogates_hide_nothing() -> None:
    assert OURS.text("\ud83d password=hunter2", {}) == "\ud83d password=<redacted:password>"


# -- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_a_stream_finds_what_lies_across_its_chunks_and_chunks_change_nothing(size: int) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + ("MIIEow" + "A" * 58 + "\n") * 30 + "-----END RSA PRIVATE KEY-----\n"
    count = 4 if size < 4096 else 8000
    text = "".join(
        f"line {number} é token=abc{number}x9 {AWS}\n{key if number % 7 == 0 else ''}" for number in range(count)
    )
    data = text.encode() + b"\xff\xfe end"
    found: dict[str, int] = {}
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    made = b"".join(OURS.stream(iter(chunks), found))
    assert AWS.encode() not in made
    assert b"MIIEow" not in made
    assert re.search(rb"token=abc", made) is None
    assert made.endswith(b"\xff\xfe end")
    assert found == {"token": count, "aws-access-key-id": count, "private-key": -(-count // 7)}


def test_a_secret_longer_than_a_window_does_not_come_out_at_its_end() -> None:
    data = b"token=" + b"x1" * 1_000_000 + b" and more"
    made = b"".join(OURS.stream([data[at : at + 65536] for at in range(0, len(data), 65536)], {}))
    assert b"x1" not in made
    assert made.endswith(b" and more")


# -- rules of the user's --------------------------------------------------------------------------


def test_paths_name_places_with_wildcards_and_numbers_go_too() -> None:
    ours = Redactor(paths=["details.headers[*].x", "details.*.secretish", "**.badge", "list[1]", 'details["a.b"]'])
    event = {
        "details": {
            "headers": [{"x": 1, "y": 2}, {"x": "z"}],
            "in": {"secretish": [1]},
            "deep": {"er": {"badge": 7}},
            "a.b": "q",
        },
        "badge": "B-1",
        "list": ["a", "b", "c"],
    }
    mark = "<redacted:by-path>"
    assert _redacted(event, ours) == {
        "details": {
            "headers": [{"x": mark, "y": 2}, {"x": mark}],
            "in": {"secretish": mark},
            "deep": {"er": {"badge": mark}},
            "a.b": mark,
        },
        "badge": mark,
        "list": ["a", mark, "c"],
    }
    assert [place.path for place in ours.hits(event)][:2] == ["details.headers[0].x", "details.headers[1].x"]


@pytest.mark.parametrize("path", ["", "a..b", ".a", "a[", "a[x]", "a.**", "type", "id", "a b[", "*x", "a]"])
def test_a_path_that_makes_no_sense_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|empty"):
        Redactor(paths=[path])


def test_no_path_takes_what_an_event_cannot_be_without() -> None:
    event = {"type": "t", "id": "x", "details": {"id": "y"}}
    assert _redacted(event, Redactor(paths=["*", "**.id"]))["type"] == "t"
    assert _redacted(event, Redactor(paths=["**.id"])) == {
        "type": "t",
        "id": "x",
        "details": {"id": "<redacted:by-path>"},
    }


def _raises(path: str, value: Any) -> Any:
    raise RuntimeError(f"{path} {value}")


@pytest.mark.parametrize(
    ("function", "becomes"),
    [
        (lambda _, value: value, "plain"),
        (lambda _, value: value.upper() if isinstance(value, str) else value, "PLAIN"),
        (lambda _path, _value: None, "<redacted:by-rule>"),
        (lambda path, value: "gone" if path == "details.a" else value, "gone"),
        (lambda _path, _value: object(), "<redacted:rule-failed>"),
        (lambda _path, _value: ["a"], "<redacted:rule-failed>"),
        (lambda: None, "<redacted:rule-failed>"),
        (_raises, "<redacted:rule-failed>"),
    ],
)
def test_a_function_decides_and_one_that_fails_redacts(function: Callable[..., Any], becomes: str) -> None:
    made = _redacted({"type": "t", "details": {"a": "plain"}}, Redactor(functions=[function]))
    assert made == {"type": "t", "details": {"a": becomes}}


def test_a_function_never_sees_what_a_name_has_redacted_and_what_it_returns_is_looked_at() -> None:
    seen: list[Any] = []

    def rule(path: str, value: Any) -> Any:
        seen.append((path, value))
        return "password=late-1" if path.endswith("b") else value

    assert _redacted({"details": {"password": "p-1", "b": "x"}}, Redactor(functions=[rule])) == {
        "details": {"password": "<redacted:password>", "b": "password=<redacted:password>"}
    }
    assert seen == [("details.b", "x")]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"profile": "secret"}, "profile is 'secret'"),
        ({"names": "password"}, "names is a str"),
        ({"names": [1]}, "one of names is a int"),
        ({"names": None}, "names is a NoneType"),
        ({"paths": 7}, "paths is a int"),
        ({"names": [" "]}, "one of names is empty"),
        ({"people": "Ann"}, "people is a str"),
        ({"patterns": {"Bad Kind": "x"}}, "kind 'Bad Kind'"),
        ({"patterns": ["x"]}, "patterns is a list"),
        ({"patterns": {"k": 5}}, "pattern 'k' is a int"),
        ({"key": "zz"}, "key is no hexadecimal"),
        ({"key": "00"}, "key has 1 bytes"),
        ({"ip": 1}, "ip is a int"),
        ({"long": 5}, "long is 5"),
        ({"long": 2**64}, "long is 18446744073709551616"),
        ({"long": True}, "long is a bool"),
        ({"nmaes": []}, "no setting 'nmaes'"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused_in_words(settings: dict[str, Any], says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(says)):
        Redactor.from_config(settings)


def test_a_configuration_is_the_same_as_the_parameters() -> None:
    given: dict[str, Any] = {
        "profile": "privacy",
        "names": ["badge"],
        "paths": ["a.b"],
        "patterns": {"emp": "E-[0-9]{3}"},
    }
    ours = Redactor.from_config({**given, "key": "ab" * 16})
    assert ours.name == Redactor(**given, key=b"\xab" * 16).name
    assert ours.name.startswith("privacy+")
    assert ours.name != Redactor(**given, key=b"\xac" * 16).name


def test_a_redactor_does_not_change_and_is_not_sent_elsewhere() -> None:
    import pickle

    with pytest.raises(AttributeError):
        OURS.name = "x"
    with pytest.raises(AttributeError):
        del OURS.name
    with pytest.raises(TypeError):
        pickle.dumps(OURS)


def test_what_a_setting_means() -> None:
    assert redactor_of(None) is redactor_of("off") is None
    assert redactor_of("default") is redactor_of("default")
    assert redactor_of(OURS) is OURS
    with pytest.raises(ValueError, match="expected 'default', 'privacy', 'off', None or a Redactor"):
        redactor_of("on")


# -- markers --------------------------------------------------------------------------------------


def test_with_a_key_equal_secrets_have_equal_markers_and_others_have_not() -> None:
    ours = Redactor(key=b"0123456789abcdef")
    made = _redacted({"password": "a-1", "old": {"password": "a-1"}, "new": {"password": "b-1"}}, ours)
    assert made["password"] == made["old"]["password"] != made["new"]["password"]
    assert re.fullmatch("<redacted:password:[0-9a-f]{16}>", made["password"])
    other = _redacted({"password": "a-1"}, Redactor(key=b"another key of 16+"))
    assert other["password"] != made["password"]
    assert ours.text("password=a-1", {}) == f"password={made['password']}"


def test_objects_match_whatever_the_order_of_their_members() -> None:
    ours = Redactor(key=b"0123456789abcdef")
    assert _redacted({"secret": {"a": 1, "b": [2]}}, ours) == _redacted({"secret": {"b": [2], "a": 1}}, ours)


def test_what_was_redacted_is_told_by_place_and_never_by_value() -> None:
    event = {"details": {"headers": [{"cookie": "a=b"}], AWS: "Bearer abcdefgh12345678"}}
    places = OURS.hits(event)
    assert places == [
        Place("cookie", "details.headers[0].cookie"),
        Place("aws-access-key-id", "details.<redacted:aws-access-key-id>"),
        Place("bearer", "details.<redacted:aws-access-key-id>"),
    ]
    assert AWS not in str(places)


def test_threads_share_one() -> None:
    ours, wrong = Redactor(), []

    def work(number: int) -> None:
        for turn in range(200):
            name = f"name{number}x{turn}"
            if ours.value({name: 1, f"password_{turn}": "p-1"}, {}) != {
                name: 1,
                f"password_{turn}": "<redacted:password>",
            }:
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_every_kind_stands_in_the_reference() -> None:
    page = (Path(__file__).resolve().parent.parent / "docs" / "reference" / "redaction.md").read_text("utf-8")
    kinds = {*TELLING, *PERSONAL, *(token.kind for token in TOKENS), "private-key", "high-entropy", "too-deep", "ip"}
    assert {kind for kind in kinds if f"`{kind}`" not in page} == set()
