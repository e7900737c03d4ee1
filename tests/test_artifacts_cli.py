"""`jsonl-audit artifact`: one read back by hash or by the record that refers to it, all of them listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commandline import CommandLine, cli

from jsonl_audit import AuditLog
from jsonl_audit.artifacts import Store
from jsonl_audit.cli import artifact
from jsonl_audit.segment import Names

__all__ = ["cli"]
pytestmark = pytest.mark.usefixtures("quick_disk")
LONG = "one line \x1b[31m\n" * 500


@pytest.fixture
def store(cli: CommandLine) -> Store:
    """Record 2 refers to one, 3 to two, 5 to none; one is referred to by nobody."""
    store = Store(Names.of("audit.jsonl"))
    with AuditLog("audit.jsonl", fsync="never") as log:
        one, two = store.put(LONG, name="build.log"), store.put(bytes(9), name="zeros")
        store.put("nobody's")
        log.append("t", details={"output": one})
        log.append("t", artifacts=[one, two])
        log.rotate()
        log.append("t")
    return store


def hashes(cli: CommandLine) -> dict[str, dict[str, Any]]:
    return {row.get("name", "nobody"): row for row in map(json.loads, cli("artifact", "--json").lines)}


def test_all_are_listed_with_the_first_record_that_refers_to_them(cli: CommandLine, store: Store) -> None:
    rows = hashes(cli)
    assert [(name, row["seq"], row["state"]) for name, row in rows.items()] == [
        ("build.log", 2, "whole"), ("zeros", 3, "whole"), ("nobody", None, "whole"),
    ]  # fmt: skip
    (Path(store.path) / rows["zeros"]["artifact"]).unlink()
    (Path(store.path) / rows["build.log"]["artifact"]).write_bytes(b"")
    lines = cli("artifact", "audit.jsonl").lines
    assert lines[0].endswith("7.3 KiB  text/plain build.log ALTERED")
    assert lines[1].endswith("application/octet-stream zeros MISSING")
    assert lines[2].endswith("no record refers to it")


def test_a_log_without_any_says_so(cli: CommandLine) -> None:
    AuditLog("audit.jsonl").close()
    ended = cli("artifact")
    assert (ended.status, ended.out, ended.err) == (0, b"", f"jsonl-audit: {Path('audit.jsonl')}: no artifacts\n")
    assert cli("artifact", "nowhere.jsonl").status == 4


def test_one_is_shown_by_its_hash_by_the_beginning_of_it_and_by_its_record(cli: CommandLine, store: Store) -> None:
    own = hashes(cli)["build.log"]["artifact"]
    for words in ([own], [own[:12]], ["2"], ["audit.jsonl", own], ["audit.jsonl", "2"]):
        ended = cli("artifact", *words)
        assert (ended.status, ended.out, ended.err) == (0, LONG.encode(), "")


def test_what_is_no_artifact_or_not_one_alone_is_told(cli: CommandLine, store: Store) -> None:
    ended = cli("artifact", "3")
    assert ended.status == 1
    assert "refers to 2 artifacts; name one of them" in ended.err
    assert "zeros" in ended.err
    assert "refers to no artifact" in cli("artifact", "5").err
    assert "there is no artifact 0000000000" in cli("artifact", "0000000000").err
    assert cli("artifact", "0" * 64).status == 4
    assert "not here" in cli("artifact", "0" * 64).err
    for words in (["audit.jsonl", "xyz"], ["a", "b", "c"], ["-o", "file"], ["audit.jsonl", "2", "--json"]):
        assert cli("artifact", *words).status == 2


def test_one_is_written_to_a_file_that_was_not_there_and_only_whole(cli: CommandLine, store: Store) -> None:
    assert cli("artifact", "2", "-o", "out").status == 0
    assert Path("out").read_bytes() == LONG.encode()
    ended = cli("artifact", "2", "-o", "out")
    assert (ended.status, "such a file already" in ended.err) == (4, True)
    (Path(store.path) / hashes(cli)["build.log"]["artifact"]).write_bytes(b"other")
    ended = cli("artifact", "2", "-o", "another")
    assert (ended.status, "not what was stored" in ended.err, Path("another").exists()) == (4, True, False)
    assert cli("artifact", "2", "-o", "no/such/folder").status == 4


def test_a_terminal_is_not_steered_by_what_stands_in_one() -> None:
    shown = b"".join(artifact._for_terminal(iter([b"red \x1b[31m Gr\xc3", b"\xbc\xc3\x9fe\n\ttab \xff"])))
    assert shown.decode() == "red \\x1b[31m Grüße\n\ttab \\xff"
    with pytest.raises(Exception, match="no text"):
        list(artifact._for_terminal(iter([b"PNG\x00"])))
