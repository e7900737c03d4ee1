"""`jsonl-audit tail`, `query`, `get`, `info`: what they print, and how they end."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from commandline import COMMAND, CommandLine, cli, run, start

from jsonl_audit import AuditLog
from jsonl_audit.cli import streams

__all__ = ["cli"]


@pytest.fixture
def log(cli: CommandLine) -> Path:
    """A log of three segments: exec.completed by u0, u1, u2 in turn, every fifth denied; seq 2 to 32 and headers."""
    path = cli.folder / "audit.jsonl"
    with AuditLog(path, fsync="never") as written:
        for n in range(30):
            if n in (10, 20):
                written.rotate()
            kind = "auth.connect.failure" if n % 7 == 0 else "exec.completed"
            outcome = "denied" if n % 5 == 0 else "success"
            written.append(kind, actor={"id": f"u{n % 3}"}, outcome=outcome, details={"n": n})
    return path


def numbers(records: list[dict[str, Any]]) -> list[int]:
    """Which events these are."""
    return [record["details"]["n"] for record in records]


# -- tail -----------------------------------------------------------------------------------------


def test_tail_shows_the_last_records_oldest_first(cli: CommandLine, log: Path) -> None:
    assert numbers(cli("tail", "-o", "jsonl").records) == list(range(20, 30))
    assert numbers(cli("tail", "-n", "3", "-o", "jsonl").records) == [27, 28, 29]
    assert cli("tail", "-n", "0").out == b""


def test_tail_prints_a_line_a_record(cli: CommandLine, log: Path) -> None:
    [line] = cli("tail", "-n", "1").lines
    assert line.split()[1:] == ["33", "exec.completed", "u2", "success", "info", "n=29"]


def test_tail_takes_filters(cli: CommandLine, log: Path) -> None:
    ended = cli("tail", "-n", "2", "--outcome", "denied", "--actor", "u1", "--actor", "u2", "-o", "jsonl")
    assert numbers(ended.records) == [20, 25]


def test_engine_records_are_shown_only_when_asked_for(cli: CommandLine, log: Path) -> None:
    assert len(cli("query", "-o", "jsonl").records) == 30
    assert len(cli("query", "--control", "-o", "jsonl").records) == 33
    assert len(cli("query", "--type", "audit.segment", "-o", "jsonl").records) == 3


def _numbers_from(stream: Any, count: int) -> list[int]:
    return [json.loads(stream.readline())["details"]["n"] for _ in range(count)]


def test_follow_goes_on_across_rotation_until_ctrl_c(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl", fsync="never") as written:
        for n in range(3):
            written.append("a", details={"n": n})
        with start("tail", "-f", "-n", "2", "-o", "jsonl", cwd=tmp_path, stdout=subprocess.PIPE,
                   stderr=subprocess.PIPE) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stderr is not None
            assert _numbers_from(process.stdout, 2) == [1, 2]
            for n in range(3, 9):
                written.append("a", details={"n": n})
                if n % 2:
                    written.rotate()
            assert _numbers_from(process.stdout, 6) == [3, 4, 5, 6, 7, 8]
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130
            assert process.stderr.read().strip() == b""


def test_follow_shows_each_record_at_once_in_every_form(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl", fsync="never") as written:
        written.append("first")
        for form in ("short", "table", "csv"):
            with start("tail", "-f", "-n", "1", "-o", form, cwd=tmp_path, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                while b"first" not in process.stdout.readline():
                    pass
                process.kill()


def test_follow_waits_for_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    with start("tail", "-f", "-o", "jsonl", cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"no such log yet" in process.stderr.readline()
        with AuditLog(tmp_path / "audit.jsonl", fsync="never") as written:
            written.append("a", details={"n": 1})
        assert _numbers_from(process.stdout, 1) == [1]
        process.terminate()


@pytest.mark.skipif(not hasattr(select, "poll"), reason="this system cannot tell that a pipe has no reader")
def test_follow_ends_when_nobody_reads_any_more(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl", fsync="never") as written:
        written.append("a")
    with start("tail", "-f", cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 0
        assert process.stderr.read() == b""


# -- query ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--type", "auth.*"], [0, 7, 14, 21, 28]),
        (["--type", "auth.*", "--outcome", "denied"], [0]),
        (["--actor", "u1", "--limit", "3"], [1, 4, 7]),
        (["--actor", "u1", "--limit", "3", "--offset", "2"], [7, 10, 13]),
        (["--reverse", "--limit", "2"], [29, 28]),
        (["--after", "30"], [27, 28, 29]),
        (["--where", "details.n=7"], [7]),
        (["--where", "details.n=7", "--where", "details.n=8"], [7, 8]),
        (["--where", "details.n:=7", "--where", "actor.id=u0"], []),
        (["--text", '"n":12'], [12]),
        (["--since", "2000-01-01", "--until", "2001-01-01"], []),
        (["--from", "-1h", "--to", "tomorrow", "--limit", "1"], [0]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_query_finds(cli: CommandLine, log: Path, options: list[str], expected: list[int]) -> None:
    ended = cli("query", *options, "-o", "jsonl")
    assert (ended.status, ended.err) == (0, "")
    assert numbers(ended.records) == expected
    assert cli("query", *options, "--count").text == f"{len(expected)}\n"


def test_query_prints_the_lines_of_the_disk(cli: CommandLine, log: Path) -> None:
    files = [*sorted(cli.folder.glob("audit.2*.jsonl")), log]
    on_disk = b"".join(file.read_bytes() for file in files)
    assert cli("query", "--control", "-o", "jsonl").out == on_disk


def test_query_checks_the_hash_of_a_position(cli: CommandLine, log: Path) -> None:
    [record] = cli("get", "30", "-o", "jsonl").records
    assert len(cli("query", "--after", f"30:{record['hash']}", "-o", "jsonl").records) == 3
    wrong = cli("query", "--after", f"30:{'0' * 64}", "-o", "jsonl")
    assert wrong.status == 2
    assert "30" in wrong.err


def test_json_of_a_query_is_one_array(cli: CommandLine, log: Path) -> None:
    assert numbers(json.loads(cli("query", "--limit", "3", "-o", "json").out)) == [0, 1, 2]
    assert json.loads(cli("query", "--actor", "nobody", "-o", "json").out) == []


def test_csv_of_a_query_has_the_columns_asked_for(cli: CommandLine, log: Path) -> None:
    ended = cli("query", "--limit", "2", "-o", "csv", "--fields", "seq, actor.id ,details.n")
    assert ended.text == "seq,actor.id,details.n\n2,u0,0\n3,u1,1\n"


def test_damage_is_passed_over_and_said(cli: CommandLine, log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    lines[3] = b"\x1b[2Jnot a record\n"
    log.write_bytes(b"".join(lines))
    ended = cli("query", "-o", "jsonl")
    assert ended.status == 0
    assert len(ended.records) == 29
    assert "line 4 of audit.jsonl is no record" in ended.err
    assert "\x1b" not in ended.err


@pytest.mark.parametrize(
    "wrong",
    [
        ["query", "--since", "soon"],
        ["query", "--since", "2d", "--from", "1d"],
        ["tail", "--until", "2d", "--to", "1d"],
        ["query", "--limit", "-1"],
        ["query", "--after", "x"],
        ["query", "--where", "novalue"],
        ["query", "--type", ""],
        ["query", "--fields", "seq"],
        ["query", "-o", "xml"],
        ["tail", "-n", "many"],
        ["get"],
        ["get", "x"],
        ["get", "a", "b", "c"],
        ["tail", "--since", "\x1b[31m"],
        ["nothing"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_a_sentence(cli: CommandLine, log: Path, wrong: list[str]) -> None:
    ended = cli(*wrong)
    assert ended.status == 2
    assert ended.err.strip()
    assert "Traceback" not in ended.err
    assert "\x1b" not in ended.err
    assert ended.out == b""


# -- get, info ------------------------------------------------------------------------------------


def test_get_finds_by_seq_and_by_id(cli: CommandLine, log: Path) -> None:
    by_seq = cli("get", "7")
    record = json.loads(by_seq.out)
    assert record["seq"] == 7
    assert by_seq.text.startswith('{\n  "seq": 7,')
    assert cli("get", log, record["id"].upper()).out == by_seq.out


def test_get_prints_the_line_of_the_disk_whose_hash_b3sum_can_check(cli: CommandLine, log: Path) -> None:
    from blake3 import blake3

    [record] = cli("get", "7", "-o", "jsonl").records
    line = cli("get", "7", "-o", "jsonl").out
    assert blake3(line[:-76]).hexdigest() == record["hash"]


@pytest.mark.parametrize("which", ["99", "0", "00000000-0000-7000-8000-000000000000"])
def test_get_says_where_there_is_no_such_record(cli: CommandLine, log: Path, which: str) -> None:
    ended = cli("get", which)
    assert (ended.status, ended.out) == (1, b"")
    assert f"there is no record {which}" in ended.err


def test_info_names_segments_ranges_head_and_types(cli: CommandLine, log: Path) -> None:
    text = cli("info").text
    head = json.loads(log.read_bytes().splitlines()[-1])["hash"]
    for word in (str(log), head, "33", "1 to 11", "12 to 22", "23 to 33", "exec.completed", "audit.segment", "active"):
        assert word in text
    found = json.loads(cli("info", "--json").out)
    assert (found["last_seq"], found["head"], len(found["segments"])) == (33, head, 3)
    assert found["types"]["exec.completed"] == 25
    assert json.loads(cli("info", "--json", "--no-types").out)["types"] is None


# -- bad input ------------------------------------------------------------------------------------

READERS = [["tail"], ["query", "--count"], ["get", "PATH", "2"], ["info"]]


def _on(path: Path, command: list[str]) -> list[str]:
    return [str(path) if word == "PATH" else word for word in command] if "PATH" in command else [*command, str(path)]


@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
@pytest.mark.parametrize("kind", ["missing", "no-folder", "empty-folder", "device", "text", "json", "gzip", "binary"])
def test_what_is_no_log_is_a_sentence_with_its_path(cli: CommandLine, command: list[str], kind: str) -> None:
    path, expected = cli.folder / "that", 2
    if kind == "missing":
        expected = 4
    elif kind == "device":
        path = Path("/dev/null")
    elif kind == "no-folder":
        (cli.folder / "file").write_bytes(b"x")
        path, expected = cli.folder / "file" / "that", 4
    elif kind == "empty-folder":
        path.mkdir()
    else:
        content = {"text": b"hello\n", "json": b'{"a":1}\n', "gzip": b"\x1f\x8b\x08\0rest", "binary": bytes(range(256))}
        path.write_bytes(content[kind])
    before = sorted(cli.folder.rglob("*"))
    ended = cli(*_on(path, command))
    assert ended.status == expected, ended.err
    assert str(path) in ended.err
    assert len(ended.err.splitlines()) == 1
    assert ended.out == b""
    assert sorted(cli.folder.rglob("*")) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_sentence(cli: CommandLine, log: Path) -> None:
    log.chmod(0)
    ended = cli("tail")
    assert ended.status == 4
    assert "ermission denied" in ended.err


def test_a_newer_format_is_named(cli: CommandLine, vectors: Path) -> None:
    for command in READERS:
        ended = cli(*_on(next((vectors / "newer-format").glob("*.jsonl")), command))
        assert ended.status == 2
        assert "newer" in ended.err


# -- pipes, full disks, closed streams ------------------------------------------------------------


def _shell(script: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", script.replace("jsonl-audit", " ".join(COMMAND))], cwd=cwd, capture_output=True
    )


@pytest.fixture
def long_log(tmp_path: Path) -> Path:
    """A log whose records are more than any pipe holds."""
    with AuditLog(tmp_path / "audit.jsonl", fsync="never") as written:
        written.append_group([{"type": "a", "text": "x" * 1000} for _ in range(500)])
    return tmp_path


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "command",
    [
        "query -o jsonl", "query -o json", "query -o csv", "query -o table", "query", "tail -n 500", "--help",
        "query --help", "completion bash", "info", "--version",
    ],
)  # fmt: skip
def test_a_pipe_closed_early_is_no_error_and_no_word(long_log: Path, command: str) -> None:
    ended = _shell(f"jsonl-audit {command} | head -c 1; exit ${{PIPESTATUS[0]}}", long_log)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert len(ended.stdout) == 1
    gone = _shell(f"jsonl-audit {command} | true; exit ${{PIPESTATUS[0]}}", long_log)
    assert (gone.returncode, gone.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["query -o jsonl", "--help", "tail --help", "--version", "info", "completion zsh"])
def test_a_full_disk_under_standard_output_is_one_sentence(long_log: Path, command: str) -> None:
    ended = _shell(f"jsonl-audit {command} >/dev/full", long_log)
    assert ended.returncode == 4
    assert ended.stderr == b"jsonl-audit: standard output cannot be written: No space left on device\n"


def test_closed_standard_streams_do_no_harm(long_log: Path) -> None:
    before = (long_log / "audit.jsonl").read_bytes()
    assert _shell("jsonl-audit query >&-", long_log).returncode == 4
    assert _shell("jsonl-audit query --since soon 2>&-", long_log).returncode == 2
    assert (long_log / "audit.jsonl").read_bytes() == before
    assert _shell("jsonl-audit append --type a <&- >&- 2>&-", long_log).returncode == 0
    added = (long_log / "audit.jsonl").read_bytes().removeprefix(before)
    assert json.loads(added)["type"] == "a"


# -- terminals ------------------------------------------------------------------------------------


def _on_terminal(args: list[str], cwd: Path, **env: str) -> str:
    """What a command shows on a terminal of 80 columns, standard error included."""
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    main, worker = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", **env}
    process = subprocess.Popen([*COMMAND, *args], cwd=cwd, stdin=worker, stdout=worker, stderr=worker, env=environment)
    os.close(worker)
    shown: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(main, 65536):
                shown.append(data)
        except OSError:  # how Linux says that the other end was closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    process.wait(20)
    reader.join(20)
    os.close(main)
    return b"".join(shown).decode()


def test_a_terminal_gets_colours_and_lines_that_fit(cli: CommandLine, log: Path) -> None:
    shown = _on_terminal(["tail", "--outcome", "denied"], cli.folder)
    assert "\x1b[31m" in shown
    assert "\x1b[" not in _on_terminal(["tail"], cli.folder, NO_COLOR="1")
    assert "\x1b[" not in _on_terminal(["tail", "--color", "never"], cli.folder)
    plain = _on_terminal(["query", "--control", "-o", "short"], cli.folder, NO_COLOR="1")
    assert len(plain.splitlines()) == 33
    assert max(map(len, plain.splitlines())) == 80


@pytest.mark.parametrize("form", ["short", "json", "jsonl", "csv", "table"])
def test_a_record_cannot_steer_the_terminal(cli: CommandLine, form: str) -> None:
    with AuditLog(cli.folder / "audit.jsonl", fsync="never") as written:
        written.append("a", actor="\x1b]0;owned\x07", details={"x": "\x9b2J\x7f\u202e\r\n\x1b[1A"})
    shown = _on_terminal(["query", "-o", form], cli.folder, NO_COLOR="1").replace("\r\n", "")
    assert not any(character < " " or "\x7f" <= character < "\xa0" or character == "\u202e" for character in shown)


def test_work_that_takes_long_shows_how_far_it_got_and_wipes_it_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(streams.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(streams, "on_terminal", lambda _: True)
    with streams.Progress("verifying") as progress:
        for done in range(10):
            progress(done * 10**8, 10**9)
            now[0] += 0.2
    shown = capsys.readouterr().err
    assert "\rverifying:  90% of 1,000 MB, 500 MB/s\x1b[K" in shown
    assert shown.endswith("\r\x1b[K")
    monkeypatch.setattr(streams, "on_terminal", lambda _: False)
    with streams.Progress("verifying") as progress:
        now[0] += 5
        progress(1, 2)
    assert capsys.readouterr().err == ""


def test_ctrl_c_in_the_middle_of_output_is_no_traceback(long_log: Path) -> None:
    with start("query", "-o", "jsonl", cwd=long_log, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)  # it runs, and the pipe is full
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=10)[1]
    assert process.returncode == 130
    assert b"Traceback" not in said


# -- the surface as a whole -----------------------------------------------------------------------


def test_every_command_has_help_with_examples() -> None:
    import click

    from jsonl_audit.cli.app import COMMANDS, jsonl_audit

    for name, words in COMMANDS.items():
        command = jsonl_audit.get_command(click.Context(jsonl_audit), name)
        assert command is not None
        assert command.help
        assert command.help.split(".")[0].split("\n")[0].strip()
        assert "Examples:" in (command.epilog or "")
        assert f"jsonl-audit {name}" in (command.epilog or "")
        assert words.endswith(".")


def test_asking_for_the_version_or_for_help_imports_no_command(tmp_path: Path) -> None:
    for args, heavy in ((["--version"], {"click", "orjson"}), (["--help"], {"orjson", "blake3", "portalocker"})):
        script = f"import sys; from jsonl_audit.cli import main; main({args!r}); print(*sys.modules, file=sys.stderr)"
        ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
        modules = set(ended.stderr.split())
        assert not modules & heavy
        assert not any(module.startswith("jsonl_audit.cli.append") for module in modules)


def test_the_module_is_the_command(tmp_path: Path) -> None:
    ended = run("--version", cwd=tmp_path)
    assert ended.status == 0
    assert ended.text.startswith("jsonl-audit ")
    assert run("--help", cwd=tmp_path).out == run(cwd=tmp_path).out == run("help", cwd=tmp_path).out


def test_an_unknown_command_is_answered_with_the_nearest(cli: CommandLine) -> None:
    assert "did you mean verify?" in cli("verfy").err
