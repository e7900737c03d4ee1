"""`jsonl-audit append`: from options, from standard input; what is refused, kept, wrapped."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commandline import CommandLine, cli, run, start

from jsonl_audit import AuditLog, storage
from jsonl_audit.record import own_hash_right

__all__ = ["cli"]

ENGINE = {"seq", "ts", "id", "type", "prev", "hash"}


def stored(folder: Path) -> list[dict[str, Any]]:
    """What lies in the log's active file, without its header."""
    lines = (folder / "audit.jsonl").read_bytes().splitlines(keepends=True)
    assert all(own_hash_right(line) for line in lines)
    return [json.loads(line) for line in lines[1:]]


def members(record: dict[str, Any]) -> dict[str, Any]:
    """What the caller gave."""
    return {name: value for name, value in record.items() if name not in ENGINE}


# -- one event from options -----------------------------------------------------------------------


def test_options_make_one_event(cli: CommandLine) -> None:
    ended = cli(
        "append", "--type", "exec.denied", "--outcome", "denied", "--level", "warn", "--actor", "u1",
        "--actor", "role=admin", "--target", "type=device", "--target", "d-1",
        "--detail", "tool=bash", "--detail", "exit.code:=7", "--set", "task=t1",
    )  # fmt: skip
    assert (ended.status, ended.out, ended.err) == (0, b"", "")
    [record] = stored(cli.folder)
    assert record["type"] == "exec.denied"
    assert members(record) == {
        "outcome": "denied",
        "level": "warn",
        "actor": {"id": "u1", "role": "admin"},
        "target": {"type": "device", "id": "d-1"},
        "details": {"tool": "bash", "exit": {"code": 7}},
        "task": "t1",
        "schema": 2,
    }


def test_a_value_is_text_unless_it_is_said_to_be_json(cli: CommandLine) -> None:
    cli("append", "--detail", "a=7", "--detail", "b:=7", "--detail", "c:=null", "--detail", 'd:={"x":[true]}')
    assert stored(cli.folder)[0]["details"] == {"a": "7", "b": 7, "c": None, "d": {"x": [True]}}


def test_a_value_may_hold_an_equals_sign_and_be_empty(cli: CommandLine) -> None:
    cli("append", "--detail", "query=a=b", "--detail", "none=")
    assert stored(cli.folder)[0]["details"] == {"query": "a=b", "none": ""}


@pytest.mark.parametrize(("given", "meant"), [("2026-11-21T11:00:00+01:00", "10:00"), ("1795255200", "10:00")])
def test_the_time_of_an_event_may_be_given(cli: CommandLine, given: str, meant: str) -> None:
    assert cli("append", "--type", "late", "--time", given).status == 0
    assert stored(cli.folder)[0]["time"] == f"2026-11-21T{meant}:00.000000Z"


@pytest.mark.parametrize(
    "wrong",
    [
        ["--detail", "novalue"],
        ["--detail", "=x"],
        ["--detail", "a:={"],
        ["--detail", "a=1", "--detail", "a=2"],
        ["--detail", "a=1", "--detail", "a.b=2"],
        ["--time", "yesterday"],
        ["--id", "7"],
        ["--actor", "u1", "--wrap"],
        ["--max-bytes", "lots"],
        ["--line-limit", "7"],
        ["--fsync", "sometimes"],
        ["--nothing"],
        ["", "--type", "a.b"],
    ],
)
def test_wrong_options_are_explained_and_nothing_is_written(cli: CommandLine, wrong: list[str]) -> None:
    ended = cli("append", *wrong)
    assert ended.status == 2
    assert "jsonl-audit append --help" in ended.err
    assert not [*cli.folder.iterdir()]


def test_a_path_that_ends_as_a_directorys_does_is_explained(cli: CommandLine) -> None:
    ended = cli("append", "new.jsonl/", "--type", "a")
    assert ended.status == 2
    assert "leave the last separator out" in ended.err
    assert not [*cli.folder.iterdir()]


def test_what_the_system_refuses_is_told_with_what_to_do(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("append", "--type", "a")

    def full(fd: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(storage, "write", full)
    ended = cli("append", "--type", "a")
    assert ended.status == 4
    assert "No space left on device; make room" in ended.err


def test_a_type_of_the_engine_is_refused(cli: CommandLine) -> None:
    ended = cli("append", "--type", "audit.segment")
    assert ended.status == 1
    assert "belong to the engine" in ended.err
    assert not stored(cli.folder)


@pytest.mark.parametrize("others", [[], ["--actor", "u1"]])
def test_an_empty_type_is_refused_and_does_not_mean_standard_input(cli: CommandLine, others: list[str]) -> None:
    ended = cli("append", "--type", "", *others, stdin=b'{"type":"of.the.input"}\n')
    assert ended.status == 1
    assert "is no type name" in ended.err
    assert not stored(cli.folder)


def test_a_receipt_says_where_the_record_is(cli: CommandLine) -> None:
    [receipt] = cli("append", "--type", "a.b", "--receipts").records
    [record] = stored(cli.folder)
    assert receipt == {name: record[name] for name in ("seq", "ts", "id", "hash")}


def test_the_path_comes_from_the_environment_or_is_a_folder_with_one_log(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JSONL_AUDIT_PATH", str(cli.folder / "logs" / "named.jsonl"))
    assert cli("append", "--type", "first").status == 0
    assert cli("append", "logs", "--type", "second").status == 0
    assert len((cli.folder / "logs" / "named.jsonl").read_bytes().splitlines()) == 3


# -- lines ----------------------------------------------------------------------------------------


def test_each_line_of_standard_input_is_an_event(cli: CommandLine) -> None:
    ended = cli("append", stdin=b'{"type":"a.b","n":1}\n{"n":2.5}\n{"type":"c","n":[3]}')
    assert (ended.status, ended.err) == (0, "")
    assert [(record["type"], record["n"]) for record in stored(cli.folder)] == [("a.b", 1), ("custom", 2.5), ("c", [3])]
    assert all("batch" not in record for record in stored(cli.folder))


def test_line_ends_a_byte_order_mark_and_empty_lines_do_no_harm(cli: CommandLine) -> None:
    ended = cli("append", "--receipts", stdin=b'\xef\xbb\xbf{"n":1}\r\n\r\n\n   \n{"n":2}\r\n')
    assert ended.status == 0
    assert [receipt["line"] for receipt in ended.records] == [1, 5]
    assert [members(record) for record in stored(cli.folder)] == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"hello", "no JSON: expecting value at column 1"),
        (b'{"a":1,}', "no JSON"),
        (b"[1]", "an array, not an object"),
        (b"7", "a number, not an object"),
        (b"null", "null, not an object"),
        (b'"x"', "a text, not an object"),
        (b'{"a":1,"a":2}', "two members of one object are named 'a'"),
        (b'{"x":[{"a":1,"b":0,"a":1}]}', "two members of one object are named 'a'"),
        (b'{"a":"\xff"}', "no UTF-8 at byte 7"),
        (b"\xff\xfe{\0}\0", "UTF-16"),
        (b'{"a":\0\0\0', "NUL bytes"),
        (b'{"a":"\x01"}', "control character"),
        (b"{", "must stand in one line"),
        (b'{"type":"a b"}', "no type name"),
        (b'{"type":7}', "no type name"),
        (b'{"type":"audit.segment"}', "belong to the engine"),
        (b'{"a":' + b"[" * 100_000, "nested too deep"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_line_that_is_no_event_names_its_number_and_why(cli: CommandLine, line: bytes, why: str) -> None:
    ended = cli("append", stdin=b'{"n":1}\n' + line + b'\n{"n":3}\n')
    assert ended.status == 1
    first, last = ended.err.splitlines()
    assert first.startswith("jsonl-audit: line 2: ")
    assert why in first
    assert last.endswith("2 records appended (seq 2 to 3), 1 line refused")
    assert [record["n"] for record in stored(cli.folder)] == [1, 3]


def test_the_rest_is_left_alone_where_that_was_asked_for(cli: CommandLine) -> None:
    ended = cli("append", "--on-bad", "stop", stdin=b'{"n":1}\nbad\n{"n":3}\n')
    assert ended.status == 1
    assert "line 2: no JSON: expecting value at column 1; stopped here" in ended.err
    assert [record["n"] for record in stored(cli.folder)] == [1]


def test_a_line_that_is_no_event_can_be_kept_in_its_place(cli: CommandLine) -> None:
    ended = cli("append", "--on-bad", "keep", stdin=b'{"n":1}\nsegfault at 0 \xe2\x82\xac\n\xff\xfe\n{"n":4}\n')
    assert ended.status == 0
    _, text, raw, _ = stored(cli.folder)
    assert text["type"] == raw["type"] == "unparsed"
    assert text["details"]["line"] == 2
    assert text["details"]["text"] == "segfault at 0 €"
    assert raw["details"]["text"] == {"$bytes": "//4="}


def test_a_long_line_that_is_no_event_is_kept_in_an_artifact(cli: CommandLine) -> None:
    ended = cli("append", "--on-bad", "keep", stdin=b"x" * 40_000 + b'\n{"n":2}\n')
    assert ended.status == 0
    first, second = stored(cli.folder)
    assert (first["type"], first["details"]["text"]["bytes"], members(second)) == ("unparsed", 40_000, {"n": 2})


def test_what_cannot_be_kept_in_any_form_is_refused_all_the_same(cli: CommandLine) -> None:
    with AuditLog(cli.folder / "audit.jsonl", artifacts=False):
        pass
    ended = cli("append", "--on-bad", "keep", stdin=b"x" * 40_000 + b'\n{"n":2}\n')
    assert ended.status == 1
    assert [members(record) for record in stored(cli.folder)] == [{"n": 2}]


def test_what_json_cannot_hold_comes_in_and_nothing_of_it_is_lost(cli: CommandLine) -> None:
    line = b'{"nan":NaN,"inf":-Infinity,"big":123456789012345678901234567890,"far":1e400,"half":"\\ud800"}\n'
    assert cli("append", stdin=line).status == 0
    assert members(stored(cli.folder)[0]) == {
        "nan": {"$float": "NaN"},
        "inf": {"$float": "-Infinity"},
        "big": {"$int": "123456789012345678901234567890"},
        "far": "1E+400",
        "half": {"$text": "\\ud800"},
    }


def test_a_line_of_a_hundred_megabytes_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (400 * 2**20,) * 2); "
        "from jsonl_audit.cli import main; sys.exit(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", limited, "append"],
        cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b'{"n":1}\n')
        for _ in range(100):
            process.stdin.write(b"x" * 10**6)
        process.stdin.write(b'\n{"n":3}\n')
        process.stdin.close()
        said = process.stderr.read().decode()
    assert process.returncode == 1
    assert "line 2: 100,000,000 bytes; no line may be longer than 16,777,216" in said
    assert [record["n"] for record in stored(tmp_path)] == [1, 3]


# -- foreign objects ------------------------------------------------------------------------------


def test_type_and_time_are_taken_from_named_members_which_stay(cli: CommandLine) -> None:
    line = b'{"event":{"name":"user signed in","at":"2023-07-10T11:42:18Z"},"n":1}'
    assert cli("append", "--type-from", "event.name", "--time-from", "event.at", stdin=line).status == 0
    [record] = stored(cli.folder)
    assert record["type"] == "user_signed_in"
    assert record["time"] == "2023-07-10T11:42:18.000000Z"
    assert record["event"] == {"name": "user signed in", "at": "2023-07-10T11:42:18Z"}


def test_an_object_can_be_kept_whole_whatever_its_members_are_called(cli: CommandLine) -> None:
    given = {"seq": "x", "id": 7, "type": "audit.x", "ts": 1, "prev": None, "details": {"a": 1}, "kind": "k"}
    assert cli("append", "--wrap", "--type-from", "kind", stdin=json.dumps(given).encode()).status == 0
    [record] = stored(cli.folder)
    assert record["type"] == "k"
    assert record["details"] == given


def test_without_the_named_member_the_type_is_the_one_given(cli: CommandLine) -> None:
    cli("append", "--type-from", "kind", "--type", "other", stdin=b'{"kind":"k"}\n{"n":1}\n{"kind":""}\n')
    assert [record["type"] for record in stored(cli.folder)] == ["k", "other", "other"]


def test_an_own_type_that_gives_way_moves_under_details(cli: CommandLine) -> None:
    cli("append", "--type-from", "name", stdin=b'{"type":"AwsApiCall","name":"GetUser","details":{"type":1}}')
    [record] = stored(cli.folder)
    assert record["type"] == "GetUser"
    assert record["details"] == {"type": 1, "type~2": "AwsApiCall"}


@pytest.mark.parametrize(
    ("option", "line"),
    [("--time-from", b'{"x":"soon"}'), ("--time-from", b'{"x":[1]}'), ("--type-from", b'{"x":{}}')],
)
def test_a_named_member_that_cannot_be_what_it_should_refuses_the_line(
    cli: CommandLine, option: str, line: bytes
) -> None:
    ended = cli("append", option, "x", stdin=line)
    assert ended.status == 1
    assert "line 1: x is to be the t" in ended.err
    assert not stored(cli.folder)


# -- as it comes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lines_are_appended_as_they_come_and_a_signal_ends_without_loss(tmp_path: Path, number: int) -> None:
    with start("append", "--receipts", cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
               stderr=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for n in (1, 2):
            process.stdin.write(b'{"n":%d}\n' % n)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["seq"] == n + 1  # while the input stays open
        process.send_signal(number)
        assert process.wait(10) == 128 + number
        assert process.stderr.read() == b""
    assert [record["n"] for record in stored(tmp_path)] == [1, 2]


def test_nobody_reading_the_receipts_does_not_stop_the_records(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with start("append", "--receipts", cwd=tmp_path, stdin=subprocess.PIPE, stdout=write,
               stderr=subprocess.PIPE) as process:  # fmt: skip
        os.close(write)
        _, said = process.communicate(b'{"n":1}\n' * 1000)
    assert (process.returncode, said) == (0, b"")
    assert len(stored(tmp_path)) == 1000


def test_an_appender_that_keeps_the_log_for_itself_is_waited_for_and_then_named(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl"):
        began = time.monotonic()
        second = run("append", "--type", "x", "--lock-timeout", "0.2", cwd=tmp_path)
        assert time.monotonic() - began >= 0.2
    assert second.status == 4
    assert str(os.getpid()) in second.err
    assert len(stored(tmp_path)) == 0


def test_another_append_may_be_under_way(tmp_path: Path) -> None:
    with start("append", "--receipts", cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        for n in range(3):
            first.stdin.write(b'{"n":%d}\n' % n)
            first.stdin.flush()
            first.stdout.readline()
            assert run("append", "--type", "x", cwd=tmp_path).status == 0
        first.stdin.close()
    assert [record.get("n") for record in stored(tmp_path)] == [0, None, 1, None, 2, None]


def test_what_opening_found_is_said(cli: CommandLine) -> None:
    cli("append", "--type", "a")
    with (cli.folder / "audit.jsonl").open("ab") as file:
        file.write(b'{"seq":3,"ts":')
    ended = cli("append", "--type", "b")
    assert ended.status == 0
    assert ended.err.startswith("jsonl-audit: ")
    assert "a crash left" in ended.err


# -- rotate, completion ---------------------------------------------------------------------------


def test_rotate_prints_the_path_of_the_sealed_segment(cli: CommandLine) -> None:
    cli("append", "--type", "a")
    ended = cli("rotate")
    assert ended.status == 0
    sealed = Path(ended.text.strip())
    assert sealed.parent == cli.folder
    assert len(sealed.read_bytes().splitlines()) == 2
    again = cli("rotate")
    assert (again.status, again.out) == (0, b"")
    assert "nothing to seal" in again.err


def test_rotate_prints_the_path_of_what_opening_had_to_seal(cli: CommandLine) -> None:
    cli("append", "--type", "a")
    with (cli.folder / "audit.jsonl").open("ab") as file:
        file.write(b'{"seq":')
    ended = cli("rotate")
    assert ended.status == 0
    assert Path(ended.text.strip()).read_bytes().endswith(b'{"seq":')
    assert "sealed as it is" in ended.err
    assert "nothing to seal" not in ended.err


def test_rotate_makes_no_log_where_there_is_none(cli: CommandLine) -> None:
    ended = cli("rotate", "nothing.jsonl")
    assert ended.status == 4
    assert "nothing.jsonl: no such log" in ended.err
    assert not [*cli.folder.iterdir()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_asks_this_command(cli: CommandLine, shell: str) -> None:
    ended = cli("completion", shell)
    assert ended.status == 0
    assert f"_JSONL_AUDIT_COMPLETE={shell}_complete" in ended.text


def test_completion_without_a_shell_says_which_there_are(cli: CommandLine) -> None:
    ended = cli("completion")
    assert ended.status == 2
    assert "bash, zsh, fish" in ended.err
    assert "\\t" not in ended.err


def test_completion_knows_commands_and_options(tmp_path: Path) -> None:
    commands = run(cwd=tmp_path, _JSONL_AUDIT_COMPLETE="bash_complete", COMP_WORDS="jsonl-audit ve", COMP_CWORD="1")
    assert commands.lines == ["plain,verify"]
    options = run(
        cwd=tmp_path, _JSONL_AUDIT_COMPLETE="bash_complete", COMP_WORDS="jsonl-audit append --fsync a", COMP_CWORD="3"
    )
    assert options.lines == ["plain,always"]


@pytest.mark.parametrize("option", ["--time", "--max-bytes", "--line-limit"])
def test_a_number_of_thousands_of_digits_is_wrong_usage(cli: CommandLine, option: str) -> None:
    ended = cli("append", "--type", "t", option, "9" * 5000)
    assert ended.status == 2
    assert "Traceback" not in ended.err
