"""`jsonl-audit doctor` on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commandline import CommandLine, cli, run
from disk import Disk

pytestmark = pytest.mark.exhaustive

__all__ = ["cli"]


@pytest.fixture
def rules(cli: CommandLine) -> list[str]:
    """A log that is well in the folder; rules of logrotate that say nothing."""
    cli.folder.chmod(0o700)
    Disk(cli.folder).make(2, 2, fsync="always")
    nothing = cli.folder.with_name("rules")
    nothing.mkdir()
    return ["--logrotate", str(nothing)]


def test_what_is_well_is_named_in_a_line(cli: CommandLine, rules: list[str]) -> None:
    ended = cli("doctor", *rules)
    assert ended.err == ""
    assert ended.lines[1] == str(cli.folder / "audit.jsonl")
    assert re.search(r"^Well: files, permissions, owner, .*leftovers\.$", ended.lines[-1])


def test_a_problem_is_shown_with_its_reason_and_its_command(cli: CommandLine, rules: list[str]) -> None:
    Path("audit.jsonl").chmod(0o666)
    ended = cli("doctor", *rules)
    assert ended.status == 1
    at = next(n for n, line in enumerate(ended.lines) if line.endswith("[writable-by-others]"))
    assert ended.lines[at].startswith("problem: audit.jsonl may be read and written by others")
    assert ended.lines[at + 2] == f"  $ chmod g-rw,o-rw -- {cli.folder}/audit.jsonl"
    assert cli("doctor", "-q", *rules).out == b""
    assert cli("doctor", "-q", *rules).status == 1


def test_everything_can_be_shown_and_as_json(cli: CommandLine, rules: list[str]) -> None:
    shown = cli("doctor", "--all", "--probe", *rules)
    assert re.search(r"^ok: a second process was kept out \[locks\]$", shown.text, re.MULTILINE)
    assert re.search(r": a sync takes [\d.]+ [mµ]?s, one in a hundred", shown.text)
    found = json.loads(cli("doctor", "--json", *rules).text)
    assert list(found) == ["path", "log", "level", "remarks"]
    assert set(found["remarks"][0]) == {
        "check", "kind", "level", "message", "reason", "command", "setting", "path", "facts",
    }  # fmt: skip
    assert "sync" not in {remark["check"] for remark in found["remarks"]}, "nothing is tried unless asked for"


def test_colours_are_for_what_is_not_well(cli: CommandLine, rules: list[str]) -> None:
    Path("audit.jsonl").chmod(0o666)
    assert "\x1b[31m\x1b[1mproblem\x1b[0m: " in cli("doctor", "--color", "always", *rules).text


def test_what_is_no_log_is_an_error(cli: CommandLine) -> None:
    Path("notes.jsonl").write_text("a note\n")
    assert cli("doctor", "notes.jsonl").status == 2
    assert cli("doctor", "nothing.jsonl").status == 4
    assert "no such log" in cli("doctor", "nothing.jsonl").err


def test_nobody_who_reads_is_no_error(cli: CommandLine, rules: list[str]) -> None:
    ended = run("doctor", *rules, cwd=cli.folder)
    assert ended.status in (0, 1)
    assert not ended.err
