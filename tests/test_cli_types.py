"""`jsonl-audit types`: the catalogue in a terminal."""

from __future__ import annotations

import json
import re

import pytest
from commandline import CommandLine, cli

from jsonl_audit import events
from jsonl_audit.events.catalogue import CATALOGUE

__all__ = ["cli"]

NAMES = [kind.name for kind in CATALOGUE]  # other tests of the same process may have registered more


def test_all_types_are_listed_with_level_retention_and_a_sentence(cli: CommandLine) -> None:
    ended = cli("types")
    assert ended.status == 0
    shown = [words for line in ended.lines if (words := line.split(maxsplit=3))[0] in NAMES]
    assert [words[0] for words in shown] == NAMES
    for name, level, retention, sentence in shown:
        kind = events.get(name)
        assert kind is not None
        assert (level, retention, sentence) == (kind.level, kind.retention, kind.description)


def test_a_pattern_lists_what_fits(cli: CommandLine) -> None:
    assert [line.split()[0] for line in cli("types", "auth.connect.*").lines] == [
        "auth.connect.success", "auth.connect.failure",
    ]  # fmt: skip


def test_a_name_explains_the_type_with_an_example_to_paste(cli: CommandLine) -> None:
    ended = cli("types", "tool.execute")
    assert ended.status == 0
    assert ended.lines[:2] == ["tool.execute", "A tool was run."]
    assert "events.tool_execute(tool=…, input=…, duration=…, success=…, …)" in ended.text
    assert re.search(r"^duration +required +number +in milliseconds$", ended.text, re.MULTILINE)
    assert re.search(r"^error +string or object +what went wrong$", ended.text, re.MULTILINE)
    assert cli("append", stdin=ended.out.splitlines()[-1]).status == 0
    [record] = cli("tail", "-o", "jsonl").records
    assert (record["type"], record["schema"]) == ("tool.execute", 2)


def test_each_type_is_explained(cli: CommandLine) -> None:
    for name in NAMES:
        ended = cli("types", name)
        assert ended.status == 0
        assert json.loads(ended.lines[-1])["type"] == name


def test_as_json_it_is_an_array_and_for_a_name_an_object(cli: CommandLine) -> None:
    assert [kind["name"] for kind in json.loads(cli("types", "device.*", "--json").text)] == [
        "device.approved", "device.rejected", "device.revoked",
    ]  # fmt: skip
    one = json.loads(cli("types", "permission.decision", "--json").text)
    assert (one["level"], one["outcome_by"], one["version"]) == ("info", "decision", 2)
    assert one["details"]["decision"] == {
        "required": True, "kind": "allow or deny or allow_once", "meaning": "what was decided",
    }  # fmt: skip


def test_the_json_schema_is_that_of_the_library(cli: CommandLine) -> None:
    assert json.loads(cli("types", "tool.execute", "--json-schema").text) == events.json_schema("tool.execute")


@pytest.mark.parametrize(
    "args", [("tool.excute",), ("nothing.*",), ("tool.excute", "--json"), ("auth.*", "--json-schema")]
)
def test_where_there_is_no_such_type_the_status_is_1(args: tuple[str, ...], cli: CommandLine) -> None:
    ended = cli("types", *args)
    assert (ended.status, ended.out) == (1, b"")
    assert "there is no type" in ended.err
    if args[0] == "tool.excute":
        assert "did you mean tool.execute?" in ended.err


@pytest.mark.parametrize("args", [("--json-schema",), ("tool.execute", "--json", "--json-schema")])
def test_a_schema_is_of_one_type(args: tuple[str, ...], cli: CommandLine) -> None:
    assert cli("types", *args).status == 2


def test_colours_add_nothing_but_colour(cli: CommandLine) -> None:
    for args in (("types",), ("types", "tool.execute")):
        coloured = cli(*args, "--color", "always").text
        assert "\x1b[" in coloured
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == cli(*args).text
