"""`jsonl-audit demo`: what a newcomer sees first is true, fits, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from commandline import CommandLine, cli, run

from jsonl_audit import verify
from jsonl_audit.cli import demo
from jsonl_audit.cli.demo_damage import DAMAGES
from jsonl_audit.cli.demo_events import afternoon
from jsonl_audit.cli.visible import width

__all__ = ["cli"]


def test_the_demo_tells_the_whole_story_and_leaves_nothing_behind(tmp_path: Path) -> None:
    ended = run("demo", cwd=tmp_path, TMPDIR=str(tmp_path))
    assert (ended.status, ended.err) == (0, "")
    verdicts = re.findall(r"^   (?:ok|!!) (\w+)", ended.text, re.MULTILINE)
    assert verdicts == ["not", "intact", "tampered", "tampered", "torn", "intact", "incomplete", "tampered"]
    for kind in ("record-modified", "records-missing", "torn-tail", "segment-missing", "segment-altered"):
        assert kind in ended.text
    assert not [*tmp_path.iterdir()]


@pytest.mark.exhaustive
def test_the_demo_fits_eighty_columns_and_is_plain_in_a_pipe(tmp_path: Path) -> None:
    text = run("demo", cwd=tmp_path, TMPDIR=str(tmp_path)).text
    assert max(map(width, text.splitlines())) <= 80
    assert "\x1b" not in text
    coloured = run("demo", "--color", "always", cwd=tmp_path, TMPDIR=str(tmp_path)).text
    assert "\x1b[32m" in coloured
    assert max(width(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in coloured.splitlines()) <= 80


def test_what_the_demo_shows_can_be_kept_and_looked_at(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(cli.folder))
    assert cli("demo", "--keep").status == 0
    [folder] = cli.folder.iterdir()
    assert verify(folder / "audit.jsonl", full=True).verdict == "intact"
    verdicts = [verify(folder / f"copy-{letter}" / "audit.jsonl").verdict for letter in "abde"]
    assert verdicts == ["tampered", "tampered", "incomplete", "tampered"]


def test_a_demo_that_is_not_as_expected_says_so_and_fails(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = DAMAGES[0]._replace(do=lambda _: None)
    monkeypatch.setattr(demo, "DAMAGES", (harmless, *DAMAGES[1:]))
    ended = cli("demo")
    assert ended.status == 1
    assert "!! not as expected   expected tampered, record-modified; got nothing" in ended.text


def test_a_slow_disk_makes_the_demo_append_in_groups(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PATIENCE", 0.0)
    ended = cli("demo")
    assert ended.status == 0
    assert "so the other 419 went in groups of 50" in ended.text


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_demo_that_has_no_room_is_a_sentence(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.folder.chmod(0o500)
    monkeypatch.setattr("tempfile.tempdir", str(cli.folder))
    ended = cli("demo")
    assert ended.status == 4
    assert "Traceback" not in ended.err


def test_the_events_of_the_demo_are_the_same_each_time_and_many_kinds() -> None:
    events = list(afternoon(420))
    assert events == list(afternoon(420))
    assert len(events) == 420
    assert len({event["type"] for event in events}) >= 12
    assert all(event["actor"]["id"] and len(json.dumps(event)) < 1000 for event in events)
