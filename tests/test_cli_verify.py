"""`jsonl-audit verify` on the command line; and real events in, real events out."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from commandline import COMMAND, CommandLine, cli, run

from jsonl_audit import AuditLog

__all__ = ["cli"]


@pytest.fixture
def log(cli: CommandLine) -> Path:
    """A log of three segments with 30 events."""
    path = cli.folder / "audit.jsonl"
    with AuditLog(path, fsync="never") as written:
        for n in range(30):
            if n in (10, 20):
                written.rotate()
            written.append("exec.completed", details={"n": n})
    return path


def sealed(log: Path) -> list[Path]:
    """The sealed segments, oldest first."""
    return sorted(log.parent.glob("audit.2*.jsonl"))


def change_a_byte(path: Path, at: int = 400) -> None:
    """Another byte in place of the one there."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_whole_log_is_intact(cli: CommandLine, log: Path) -> None:
    ended = cli("verify")
    assert (ended.status, ended.err) == (0, "")
    assert ended.text.startswith("intact: ")
    assert "Not anchored" in ended.lines[0]
    assert cli("verify", "-q").out == b""


def test_the_report_for_a_program_is_one_object(cli: CommandLine, log: Path) -> None:
    for full in ([], ["--full"], ["--full", "--workers", "1"]):
        report = json.loads(cli("verify", "--json", *full, log).out)
        assert list(report) == [
            "verdict", "anchored", "records", "verified", "corrupted", "chain_breaks", "segments", "first_seq",
            "last_seq", "head", "findings", "notes",
        ]  # fmt: skip
        assert (report["verdict"], report["anchored"]) == ("intact", False)
        assert report["records"] == report["last_seq"] == 33


def test_a_changed_byte_is_named_and_fails(cli: CommandLine, log: Path) -> None:
    change_a_byte(sealed(log)[1])
    ended = cli("verify")
    assert ended.status == 1
    assert ended.text.startswith("tampered: ")
    assert sealed(log)[1].name in ended.text
    assert cli("verify", "-q").status == 1
    [finding, *_] = json.loads(cli("verify", "--json").out)["findings"]
    assert set(finding) == {"kind", "segment", "line", "seq", "offset", "expected", "actual", "message"}


def test_a_missing_segment_makes_it_incomplete(cli: CommandLine, log: Path) -> None:
    sealed(log)[1].unlink()
    ended = cli("verify")
    assert ended.status == 3
    assert ended.text.startswith("incomplete: ")


def test_several_paths_are_the_files_of_one_log(cli: CommandLine, log: Path) -> None:
    assert json.loads(cli("verify", "--json", *sealed(log)).out)["last_seq"] == 22
    assert json.loads(cli("verify", "--json", sealed(log)[0]).out)["last_seq"] == 11
    missing = cli("verify", sealed(log)[0], "nowhere.jsonl")
    assert missing.status == 4
    assert "nowhere.jsonl" in missing.err


def test_each_path_can_be_a_log_of_its_own(cli: CommandLine, log: Path) -> None:
    with AuditLog(cli.folder / "other.jsonl", fsync="never") as other:
        other.append("a")
    assert cli("verify", "--each", "audit.jsonl", "other.jsonl").text.count("intact: ") == 2
    change_a_byte(cli.folder / "other.jsonl")
    ended = cli("verify", "--each", "--json", "audit.jsonl", "nowhere.jsonl", "other.jsonl")
    assert ended.status == 1
    assert [entry.get("verdict", entry.get("exit")) for entry in ended.records] == ["intact", 4, "tampered"]
    assert [entry["path"] for entry in ended.records] == ["audit.jsonl", "nowhere.jsonl", "other.jsonl"]
    assert "nowhere.jsonl: no such log" in ended.err


@pytest.mark.parametrize(
    ("content", "status"), [(b"hello\n", 2), (b'{"a":1}\n', 2), (b"", 3), (b"\x1f\x8b\x08\0", 2), (bytes(600), 2)]
)
def test_what_is_no_log_has_its_own_status(cli: CommandLine, content: bytes, status: int) -> None:
    (cli.folder / "audit.jsonl").write_bytes(content)
    ended = cli("verify")
    assert ended.status == status, ended
    assert "Traceback" not in ended.err
    assert status == 3 or "audit.jsonl" in ended.err


@pytest.mark.parametrize("path", ["nowhere.jsonl", "nowhere/audit.jsonl"])
def test_what_cannot_be_read_has_its_own_status(cli: CommandLine, path: str) -> None:
    ended = cli("verify", path)
    assert (ended.status, ended.out) == (4, b"")
    assert path in ended.err


def test_the_verdict_is_the_status_even_where_nobody_reads_the_report(cli: CommandLine, log: Path) -> None:
    change_a_byte(sealed(log)[1])
    command = " ".join(COMMAND)
    ended = subprocess.run(
        ["bash", "-c", f"{command} verify | true; exit ${{PIPESTATUS[0]}}"], cwd=cli.folder, capture_output=True
    )
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_names_of_files_cannot_steer_the_terminal(cli: CommandLine, log: Path) -> None:
    evil = cli.folder / "\x1b[2J\nevil.jsonl"
    evil.write_bytes(sealed(log)[0].read_bytes())
    change_a_byte(evil)
    for ended in (cli("verify", evil, log), cli("verify", evil), cli("tail", evil), cli("verify", "--json", evil, log)):
        assert "\x1b" not in ended.text + ended.err


def test_names_that_are_no_utf8_can_be_printed(cli: CommandLine, log: Path) -> None:
    folder = cli.folder / os.fsdecode(b"\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system holds only names in UTF-8")
    for file in cli.folder.glob("audit.*"):
        file.rename(folder / file.name)
    for args in (["verify"], ["verify", "--json", "--each"], ["info"], ["info", "--json"], ["tail"]):
        ended = cli(*args, folder)
        assert (ended.status, ended.err) == (0, ""), ended
    assert "\\udcff" in cli("tail", folder / "nowhere").err
    assert os.fsencode(folder) in cli("rotate", folder).out


def test_every_vector_has_its_verdict(cli: CommandLine, vectors: Path) -> None:
    """The same that check_vectors.py asks of the installed command, without a process for each."""
    expected: dict[str, dict[str, Any]] = json.loads((vectors / "expected.json").read_text())
    wrong = []
    for name, want in expected.items():
        files = [vectors / name / arg for arg in want["args"]]
        for full in ([], ["--full"]):
            ended = cli("verify", "--json", *full, *files)
            if ended.status != want["exit"]:
                wrong.append(f"{name} {full}: exit {ended.status}, not {want['exit']}")
            if want["verdict"]:
                report = json.loads(ended.out)
                kinds = {entry["kind"] for what in ("findings", "notes") for entry in report[what]}
                if report["verdict"] != want["verdict"] or not {*want["kinds"], *want["notes"]} <= kinds:
                    wrong.append(f"{name} {full}: {report['verdict']} {kinds}")
            elif not ended.err.strip() or ended.out:
                wrong.append(f"{name} {full}: no word on stderr, or a report")
    assert not wrong


# -- real events ----------------------------------------------------------------------------------


@pytest.mark.parametrize("max_bytes", ["64KiB", "100MiB"])
def test_real_events_go_in_and_come_out_unchanged(
    tmp_path: Path, cloudtrail_file: Path, cloudtrail: list[dict[str, Any]], max_bytes: str
) -> None:
    given = gzip.decompress(cloudtrail_file.read_bytes())
    ended = run("append", "--redact", "off", "--max-bytes", max_bytes, "audit.jsonl", cwd=tmp_path, stdin=given)
    assert (ended.status, ended.err) == (0, "")
    assert (len(list(tmp_path.glob("audit.2*.jsonl"))) > 50) is (max_bytes == "64KiB")
    came = [json.loads(line) for line in run("query", "-o", "jsonl", cwd=tmp_path).out.splitlines()]
    engine = ("seq", "ts", "id", "type", "prev", "hash")
    assert [{name: value for name, value in record.items() if name not in engine} for record in came] == cloudtrail
    assert {record["type"] for record in came} == {"custom"}
    verified = run("verify", "--full", "--json", cwd=tmp_path)
    assert verified.status == 0
    assert json.loads(verified.out)["verdict"] == "intact"


def test_real_events_can_be_kept_whole_with_their_types_and_times(
    cli: CommandLine, cloudtrail_file: Path, cloudtrail: list[dict[str, Any]]
) -> None:
    given = gzip.decompress(cloudtrail_file.read_bytes())
    options = ["--wrap", "--type-from", "eventName", "--time-from", "eventTime", "--fsync", "never", "--redact", "off"]
    assert cli("append", *options, stdin=given).status == 0
    came = cli("query", "-o", "jsonl").records
    assert [record["details"] for record in came] == cloudtrail
    assert [record["type"] for record in came] == [event["eventName"] for event in cloudtrail]
    assert [record["time"][:19] + "Z" for record in came] == [event["eventTime"] for event in cloudtrail]
    found = cli("query", "--type", "Get*", "--where", "details.errorCode=AccessDenied", "--count").text
    expected = [e for e in cloudtrail if e["eventName"].startswith("Get") and e.get("errorCode") == "AccessDenied"]
    assert found == f"{len(expected)}\n"
    assert cli("verify", "-q").status == 0
