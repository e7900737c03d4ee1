"""A rule of logrotate that names a log: the writer and the verifier notice it, name it, and say what to do instead."""

from __future__ import annotations

import gzip
import logging
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jsonl_audit import AuditLog, verify
from jsonl_audit.cli.shippers import SHIPPERS, configuration

WAYS = ("copytruncate", "create", "nocreate")


def by_hand(way: str, path: Path) -> None:
    """What logrotate does, in its order, where it is not here."""
    moved = path.with_name(f"{path.name}.1")
    if way == "copytruncate":
        shutil.copy2(path, moved)
        os.truncate(path, 0)
    else:
        path.rename(moved)
        if way == "create":
            path.touch(0o600)


def by_logrotate(way: str, path: Path) -> None:
    """logrotate itself, with a rule for the log."""
    if shutil.which("logrotate") is None:
        pytest.skip("logrotate is not here")
    rule, state = path.parent.parent / "rule", path.parent.parent / "state"
    rule.write_text(f"{path} {{\n  rotate 5\n  {way}\n}}\n")
    rule.chmod(0o644)
    path.parent.chmod(0o755)
    run = subprocess.run(
        ["logrotate", "-f", "-s", str(state), str(rule)], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert run.returncode == 0, run.stderr


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    folder.mkdir(mode=0o755)
    return folder / "audit.jsonl"


def events(count: int) -> list[dict[str, object]]:
    return [{"type": "a.b", "details": {"n": number}} for number in range(count)]


@pytest.mark.parametrize("rotate", [by_hand, by_logrotate])
@pytest.mark.parametrize("way", WAYS)
def test_under_a_writer_it_is_noticed_and_named_and_nothing_is_lost(
    way: str, rotate: Callable[[str, Path], None], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with AuditLog(path) as log:
        log.append_many(events(20))
        rotate(way, path)
        # The first is acknowledged when the log has gone on: fsync="always" looks at the file with every commit.
        receipts = [log.append("a.b", n=number) for number in range(3)]
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "audit.jsonl.1 beside it holds records of the log" in said
    assert ("copytruncate" if way == "copytruncate" else "create or nocreate") in said
    assert "ship-config logrotate" in said
    report = verify(path)
    assert not report.ok
    notes = [note for note in report.notes if note.kind == "taken-by-logrotate"]
    assert [note.segment for note in notes] == ["audit.jsonl.1"]
    assert "ship-config logrotate" in notes[0].message
    assert "taken-by-logrotate: audit.jsonl.1" in str(report)
    # Between the old file and the new one stands every record that was acknowledged.
    lines = b"".join(each.read_bytes() for each in path.parent.glob("audit*.jsonl*") if each.suffix != ".lock")
    assert all(f'"hash":"{receipt.hash}"'.encode() in lines for receipt in receipts)


@pytest.mark.parametrize("way", ["create", "nocreate"])
def test_what_the_note_says_mends_it(way: str, path: Path) -> None:
    with AuditLog(path) as log:
        log.append_many(events(20))
        by_hand(way, path)
        last = [log.append("a.b", n=number) for number in range(3)][-1]
    note = next(note for note in verify(path).notes if note.kind == "taken-by-logrotate")
    command = note.message.partition("Give it its name: ")[2].partition(". And take")[0]
    subprocess.run(shlex.split(command), check=True, stdin=subprocess.DEVNULL)
    report = verify(path)
    assert (report.verdict, report.first_seq, report.notes) == ("intact", 1, ())
    assert report.last_seq is not None
    assert report.last_seq >= last.seq


@pytest.mark.parametrize("rotate", [by_hand, by_logrotate])
@pytest.mark.parametrize("way", WAYS)
def test_while_nobody_writes_the_next_writer_names_it(
    way: str, rotate: Callable[[str, Path], None], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with AuditLog(path) as log:
        log.append_many(events(5))
        log.rotate()
        log.append("a.b")
    rotate(way, path)
    with AuditLog(path) as log:
        log.append("a.b")
    assert any("audit.jsonl.1 beside it" in record.getMessage() for record in caplog.records)
    assert "taken-by-logrotate" in {note.kind for note in verify(path).notes}


@pytest.mark.parametrize(
    "name",
    ["audit.jsonl-20261121", "audit.1.jsonl", "audit-20261121.jsonl", "audit.jsonl-2026112110", "audit.jsonl.12"],
)
def test_the_names_that_logrotate_gives_are_known(name: str, path: Path) -> None:
    with AuditLog(path) as log:
        log.append_many(events(2))
        path.rename(path.with_name(name))
        log.append("a.b")
    assert [note.segment for note in verify(path).notes if note.kind == "taken-by-logrotate"] == [name]


def test_a_file_that_logrotate_compressed_is_known_and_goes_back_compressed(path: Path) -> None:
    with AuditLog(path) as log:
        log.append_many(events(2))
        packed = path.with_name("audit.jsonl.1.gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        log.append("a.b")
    message = next(note.message for note in verify(path).notes if note.kind == "taken-by-logrotate")
    assert "Z.jsonl.gz" in message


def test_others_with_such_names_are_not_taken_for_pieces_of_the_log(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with AuditLog(path) as log:
        log.append_many(events(2))
        path.with_name("audit.jsonl.1").write_text("something else\n")
        path.with_name("audit.jsonl.2").mkdir()
        path.with_name("audit.jsonl.3.gz").write_bytes(b"\x1f\x8bno")
        path.unlink()
        log.append("a.b")
    assert not any("logrotate" in record.getMessage() for record in caplog.records)
    assert "taken-by-logrotate" not in {note.kind for note in verify(path).notes}


def test_a_log_that_lacks_nothing_says_nothing(path: Path) -> None:
    with AuditLog(path) as log:
        log.append_many(events(2))
    shutil.copy(path, path.with_name("audit.jsonl.1"))
    report = verify(path)
    assert (report.verdict, report.notes) == ("intact", ())


def test_the_rule_that_is_printed_seals_by_the_log_itself(path: Path, tmp_path: Path) -> None:
    if shutil.which("logrotate") is None:
        pytest.skip("logrotate is not here")
    with AuditLog(path) as log:
        log.append_many(events(5))
    stamp, rule = tmp_path / "audit.jsonl.daily", tmp_path / "rule"
    stamp.touch()
    text = configuration(SHIPPERS["logrotate"], path=str(path), to="", into="")
    rule.write_text(text.replace("/var/lib/logrotate/audit.jsonl.daily", str(stamp)))
    rule.chmod(0o644)
    tmp_path.chmod(0o755)
    here = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for _ in range(2):
        run = subprocess.run(
            ["logrotate", "-f", "-s", str(tmp_path / "state"), str(rule)],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, env=here,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
    report = verify(path)
    assert (report.verdict, report.segments, report.notes) == ("intact", 2, ())
    assert stamp.exists()


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
