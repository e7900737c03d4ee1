"""The forms of output: short, json, jsonl, csv, table; colours; and that nobody's record steers a terminal."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsonl_audit import record
from jsonl_audit.cli.colours import Paint, wanted
from jsonl_audit.cli.options import filters_of
from jsonl_audit.cli.output import make_form
from jsonl_audit.cli.parse import BadLineError, parse_value
from jsonl_audit.cli.stdin import lines_of
from jsonl_audit.cli.streams import Output
from jsonl_audit.cli.summary import rest
from jsonl_audit.cli.visible import cut, json_on_terminal, visible, width

TS = "2026-11-21T10:11:12.123456Z"


class Kept(Output):
    """Output that is kept, and may say that it is a terminal."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self.terminal = terminal
        self.data = b""

    def flush(self) -> None:
        self.data += b"".join(self._parts)
        self._parts.clear()


def line_of(seq: int = 7, **members: Any) -> bytes:
    """The line of an event."""
    line, _, _ = record.line(seq, TS, record.encode({"type": "exec.denied", **members}), record.ZERO)
    return line


def shown(name: str, *lines: bytes, terminal: bool = False, fields: tuple[str, ...] = (), **options: bool) -> str:
    """What a form makes of lines."""
    out = Kept(terminal=terminal)
    form = make_form(name, out, Paint(options.pop("colours", False)), fields, **options)
    for line in lines:
        form.put(line)
    form.end()
    return out.data.decode()


# -- the forms ------------------------------------------------------------------------------------


def test_short_is_one_line_with_what_matters_first() -> None:
    line = line_of(actor={"role": "dev", "deviceId": "d-1"}, outcome="denied", task="t 1", details={"tool": "bash"})
    [text] = shown("short", line).splitlines()
    assert text.split() == [
        "2026-11-21T10:11:12.123Z", "7", "exec.denied", "d-1", "(dev)", "denied", "tool=bash", 'task="t', '1"',
    ]  # fmt: skip


def test_short_says_who_did_what_to_what_in_words() -> None:
    line = line_of(
        actor={"name": "ann", "id": "u1", "role": "admin", "ip": "192.0.2.1"}, outcome="denied", level="warn",
        target={"type": "device", "id": "d-1", "name": "pixel"}, reason="not hers", task="unknown", schema=1,
        details={"tries": 2, "log": {"artifact": "9f" * 32, "bytes": 70_000, "name": "log.txt"}},
        artifacts=[{"artifact": "0" * 64, "bytes": 10}], redacted={"password": 1, "jwt": 1},
    )  # fmt: skip
    [text] = shown("short", line).splitlines()
    assert text.partition(" 7 ")[2] == (
        "exec.denied            ann (admin)      denied  warn target=device:d-1/pixel "
        'reason="not hers" tries=2 log="log.txt (68.4 KiB)" actor.id=u1 actor.ip=192.0.2.1 '
        'artifacts="000000000000 (10 B)" redacted=2'
    )


def test_what_nobody_knows_is_a_dash_or_nothing() -> None:
    line = line_of(actor={"id": "unknown"}, outcome="unknown", level=None, target="unknown", task="unknown")
    [text] = shown("short", line).splitlines()
    assert text.split()[2:] == ["exec.denied", "-", "-"]


def test_only_what_looks_like_an_artifact_is_shown_as_one() -> None:
    assert rest({"details": {"a": {"artifact": "9f", "bytes": 1}, "b": {"artifact": "9f" * 32}}}) == (
        'a={"artifact":"9f","bytes":1} b={"artifact":"' + "9f" * 32 + '"}'
    )
    assert rest({"redacted": "twice"}) == "redacted=twice"


def test_short_shows_when_it_happened_rather_than_when_it_was_recorded() -> None:
    assert shown("short", line_of(time="2025-01-01T00:00:00Z")).startswith("2025-01-01T00:00:00.000Z ")


def test_short_is_cut_to_a_terminal_and_whole_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    line = line_of(details={"text": "日本" * 100})
    [on_terminal] = shown("short", line, terminal=True).splitlines()
    assert width(on_terminal) <= 70
    assert on_terminal.endswith("…")
    assert "日本" * 100 in shown("short", line)


def test_short_on_a_narrow_terminal_leaves_room_for_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    line = line_of(actor={"name": "ann", "role": "admin"}, outcome="denied", details={"tool": "bash"})
    [text] = shown("short", line, terminal=True).splitlines()
    assert text == "2026-11-21T10:11:12Z     7 exec.denied      ann      denied  tool=bash"


def test_jsonl_is_the_line_as_it_stands_on_disk() -> None:
    lines = [line_of(n, text="é\n\x7f\u202e") for n in (1, 2)]
    assert shown("jsonl", *lines).encode() == b"".join(lines)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_is_an_array(count: int) -> None:
    lines = [line_of(n) for n in range(1, count + 1)]
    assert json.loads(shown("json", *lines)) == [json.loads(line) for line in lines]


def test_csv_has_a_header_and_reads_back() -> None:
    line = line_of(actor={"id": "u1"}, outcome='de"nied,\nreally', details={"n": [1, None]}, task="t", x=None)
    header, row = csv.reader(io.StringIO(shown("csv", line)))
    assert dict(zip(header, row, strict=True)) == {
        "seq": "7", "ts": TS, "time": "", "id": json.loads(line)["id"], "type": "exec.denied",
        "outcome": 'de"nied,\nreally', "actor": '{"id":"u1"}', "details": '{"n":[1,null]}',
        "other": '{"task":"t","x":null}',
    }  # fmt: skip


def test_csv_columns_are_dotted_paths() -> None:
    line = line_of(actor={"id": "u1"}, details={"a.b": True, "list": [{"n": 1}, {"n": 2}]})
    shown_as = shown("csv", line, fields=("seq", "actor.id", "details.a.b", "details.list.n", "nothing"))
    assert shown_as == 'seq,actor.id,details.a.b,details.list.n,nothing\n7,u1,true,"[1,2]",\n'


@pytest.mark.parametrize("formula", ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_keeps_a_spreadsheet_from_running_a_strangers_text(formula: str) -> None:
    for exact, expected in ((False, f"'{formula}"), (True, formula)):
        text = shown("csv", line_of(text=formula), fields=("text",), exact=exact)
        assert [*csv.reader(io.StringIO(text, newline=""))] == [["text"], [expected]]


@pytest.mark.parametrize("number", [-7, -1.5, 1e30])
def test_csv_leaves_numbers_numbers(number: float) -> None:
    name, text = shown("csv", line_of(n=number), fields=("n",)).splitlines()
    assert (name, float(text)) == ("n", number)  # 1e30 or 1e+30: both are the number


def test_a_table_is_aligned_and_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line_of(n, actor="日本" if n % 2 else "u1", details={"text": "x" * n}) for n in range(1, 300)]
    rows = shown("table", *lines).splitlines()
    assert len(rows) == 2 + 299
    assert rows[0].split() == ["time", "seq", "type", "actor", "outcome", "details"]
    assert all(width(row) <= 80 for row in rows)
    assert {width(row[: row.index("text=")]) for row in rows[2:]} == {rows[0].index("details")}


def test_a_table_has_a_level_column_where_a_record_has_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    bare = line_of(actor="u1", details={"command": "make test deploy"})
    warned = line_of(actor="u2", level="warn", details={"n": 1})
    assert shown("table", bare).split()[:6] == ["time", "seq", "type", "actor", "outcome", "details"]
    head, _, first, second = shown("table", bare, warned).splitlines()
    at = head.index("level")
    assert (first[at : at + 5].strip(), second[at:].split()) == ("", ["warn", "n=1"])
    late = shown("table", *[bare] * 200, warned).splitlines()[-1]
    assert late.endswith("level=warn n=1")


def test_a_table_of_nothing_is_nothing() -> None:
    assert shown("table") == ""


def test_what_else_a_record_says_is_told_apart_from_its_words() -> None:
    assert rest({"details": {"a": "x y", "b": 'say "no"', "c": "", "d": [1], "e": None}, "hash": "f"}) == (
        'a="x y" b="say \\"no\\"" c="" d=[1] e=null'
    )
    assert rest({"details": "all of it", "task": "t"}) == 'details="all of it" task=t'


# -- terminals ------------------------------------------------------------------------------------

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\ufeff]")
any_text = st.text(st.characters(exclude_categories=["Cs"]))
nasty = st.text(st.sampled_from("a\x1b\x9b\x7f\n\r\t\x00\u202e\u2028\u200e\ufeff é日\U000e0041"))


@given(any_text | nasty)
def test_no_form_lets_a_record_steer_a_terminal(text: str) -> None:
    line = line_of(actor=text, outcome=text, details={"a": text, "k\n" + text: [text]})
    for name in ("short", "json", "jsonl", "csv", "table"):
        assert not UNSAFE.search(shown(name, line, terminal=True))
    for name in ("short", "table"):
        assert not UNSAFE.search(shown(name, line))
        assert len(shown(name, line, line).splitlines()) == {"short": 2, "table": 4}[name]


@given(any_text | nasty)
def test_json_that_is_shown_on_a_terminal_says_the_same(text: str) -> None:
    line = line_of(details={text: text})
    assert json.loads(json_on_terminal(line)) == json.loads(line)


@given(any_text)
def test_visible_text_is_printed_as_it_is_if_nothing_in_it_is_hidden(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    assert visible("naïve 日本 👩‍👩‍👧 – ok") == "naïve 日本 👩‍👩‍👧 – ok"


@given(any_text, st.integers(1, 40))
def test_what_is_cut_fits(text: str, columns: int) -> None:
    short = cut(text, columns)
    assert width(short) <= columns
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


# -- colours --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "terminal", "environment", "expected"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {}, False),
    ],
)
def test_colours_are_there_where_they_are_wanted(
    choice: str, terminal: bool, environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert bool(wanted(choice, terminal=terminal)) is expected


@pytest.mark.parametrize("name", ["short", "table"])
def test_a_level_has_its_colour_and_trouble_too(name: str) -> None:
    def painted(**members: str) -> str:
        return shown(name, line_of(actor="u1", **members), colours=True)

    assert "\x1b[34minfo" in painted(level="info", outcome="success")
    assert "\x1b[31m" not in painted(level="info", outcome="success")
    assert "\x1b[33m\x1b[1mwarn" in painted(level="warn")
    assert "\x1b[31m\x1b[1merror" in painted(severity="error")
    assert "\x1b[31mexec.denied" in painted(outcome="denied", level="info")
    assert "\x1b[3" not in painted(level="of my own", outcome="success")


@given(st.sampled_from(["", "warn", "info", "of my own"]), any_text, st.integers(40, 140))
def test_a_short_line_on_a_terminal_is_never_longer_than_it(level: str, text: str, columns: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        line = line_of(actor=text, level=level, target=text, reason=text)
        for colours in (False, True):
            [on_terminal] = shown("short", line, terminal=True, colours=colours).splitlines()
            assert width(re.sub(r"\x1b\[[0-9;]*m", "", on_terminal)) <= max(columns, 52)


def test_colours_add_nothing_but_colour() -> None:
    line = line_of(actor="u1", outcome="denied", level="warn", details={"text": "\x1b[32m"})
    for name in ("short", "table"):
        plain, coloured = shown(name, line), shown(name, line, colours=True)
        assert coloured != plain
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


# -- what people type -----------------------------------------------------------------------------


def test_filters_are_alternatives_within_one_name() -> None:
    none: dict[str, Any] = {}
    assert filters_of(none) == {}
    options = {"type": ("a.*", "b"), "actor": (), "since": ("-2h",), "until": (), "control": True, "text": ("x",)}
    assert filters_of(options) == {"type": ["a.*", "b"], "since": "-2h", "control": True, "text": ["x"]}
    assert not options


def test_a_where_that_reads_as_a_value_means_that_value_too() -> None:
    words = ("a.b=7", "a.b=x", "ok=true", "none=null", 'text:="7"', "version=1.2.3")
    assert filters_of({"where": words})["where"] == {
        "a.b": ["7", 7, "x"],
        "ok": ["true", True],
        "none": ["null", None],
        "text": ["7"],
        "version": ["1.2.3"],
    }


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(values, st.booleans(), st.booleans())
def test_json_comes_in_as_any_json_library_reads_it(value: Any, spaced: bool, escaped: bool) -> None:
    text = json.dumps(value, indent=2 if spaced else None, ensure_ascii=escaped)
    try:
        data = text.encode()
    except UnicodeEncodeError:  # a lone surrogate can stand in JSON only as an escape
        data = json.dumps(value).encode()
    assert parse_value(data) == json.loads(data)


@given(st.dictionaries(st.text(), st.integers(), min_size=1, max_size=4), st.data())
def test_a_name_that_stands_twice_is_never_dropped_silently(members: dict[str, int], data: st.DataObject) -> None:
    twice = data.draw(st.sampled_from(sorted(members)))
    pairs = [*members.items(), (twice, data.draw(st.integers()))]
    text = ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs)
    with pytest.raises(BadLineError, match="two members of one object"):
        parse_value(f'[{{"deep":{{{text}}}}}]')


@given(st.lists(st.binary(max_size=12)), st.data())
def test_lines_are_the_same_however_the_input_is_cut(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"\n".join(pieces)
    parts, at = [], 0
    while at < len(whole):
        size = data.draw(st.integers(1, len(whole) - at))
        parts.append(whole[at : at + size])
        at += size
    feed = iter([*parts, b""])
    cut_up = [line for group in lines_of(lambda: next(feed), longest=8) for line in group]
    feed = iter([whole, b""] if whole else [b""])
    at_once = [line for group in lines_of(lambda: next(feed), longest=8) for line in group]
    assert cut_up == at_once
    assert all(line.text is None or len(line.text) <= 10 for line in cut_up)


# -- standard output that is no file --------------------------------------------------------------


def test_output_goes_behind_what_was_printed_before(capfd: pytest.CaptureFixture[str]) -> None:
    sys.stdout.write("first ")
    out = Output()
    out.line("second")
    out.flush()
    assert capfd.readouterr().out == "first second\n"


def test_output_can_be_taken_by_a_caller_in_the_same_process(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output()
    out.line("kept")
    out.flush()
    assert capsys.readouterr().out == "kept\n"
