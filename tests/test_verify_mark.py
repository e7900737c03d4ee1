"""What the lock file says was on the disk is neither torn nor gone: where it is not there any more, it is damage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest
from logs import Log, build, rehashed

from jsonl_audit import mark, query, storage
from jsonl_audit.mark import Mark
from jsonl_audit.segment import Floor
from jsonl_audit.verifier import Report, verify


@pytest.fixture
def log(tmp_path: Path) -> Log:
    made = build(tmp_path / "log", segments=2, events=6)
    leave(made)
    return made


def leave(log: Log, /, **changes: object) -> Mark:
    """Leaves the mark that a writer would: all that is here is on the disk."""
    found = os.stat(log.active)
    size = len(log.read(log.segment))
    left = Mark("boot", log.id, log.segment, (found.st_dev, found.st_ino), size, log.head)
    left = replace(left, **changes)  # type: ignore[arg-type]
    Path(log.names.lock).write_bytes(left.encode())
    assert mark.read(log.names.lock) == left
    return left


def in_place(log: Log, data: bytes) -> None:
    """Writes over the active file, which keeps its inode."""
    with log.active.open("r+b") as file:
        file.write(data)
        file.truncate(len(data))


def said(report: Report) -> tuple[str, list[str], list[str]]:
    return report.verdict, [finding.kind for finding in report.findings], [note.kind for note in report.notes]


def test_a_log_that_ends_where_the_mark_says_is_intact(log: Log) -> None:
    assert said(verify(log.active)) == ("intact", [], [])


def test_what_was_appended_since_is_judged_as_without_a_mark(log: Log) -> None:
    log.fill(2)
    assert said(verify(log.active)) == ("intact", [], [])
    log.raw(b"{")
    assert said(verify(log.active)) == ("torn", ["torn-tail"], [])


def test_an_end_before_the_mark_is_damage(log: Log) -> None:
    data = log.read(2)
    ends = list(accumulate(map(len, log.lines(2))))
    for size in (ends[3], ends[3] + 10, len(data) - 1):
        in_place(log, data[:size])
        report = verify(log.active)
        assert said(report)[:2] == ("tampered", ["records-missing"])
        assert report.findings[0].expected == len(data)


def test_a_hole_before_the_mark_is_damage(log: Log) -> None:
    data = bytearray(log.read(2))
    data[1024:1536] = bytes(512)
    in_place(log, bytes(data))
    for full, workers in ((False, 1), (True, 2)):
        report = verify(log.active, full=full, workers=workers)
        assert report.verdict == "tampered"
        assert {finding.kind for finding in report.findings} == {"malformed-line", "records-missing"}
        assert report.last_seq == log.seq  # what stands behind it was on the disk too, and counts


def test_a_hole_behind_the_mark_is_torn(log: Log) -> None:
    size = len(log.fill(8).read(2))
    data = bytearray(log.read(2))
    at = (size // 512 - 1) * 512
    data[at : at + 512] = bytes(512)
    in_place(log, bytes(data))
    assert said(verify(log.active)) == ("torn", ["torn-tail"], [])


def test_an_end_that_was_rewritten_contradicts_the_mark(log: Log) -> None:
    lines = log.lines(2)
    lines[-1] = rehashed(lines[-1].replace(b"test.event", b"tost.event"))
    in_place(log, b"".join(lines))
    assert said(verify(log.active))[:2] == ("tampered", ["chain-broken"])


def test_of_a_copy_the_mark_says_nothing(log: Log, tmp_path: Path) -> None:
    shutil.copytree(log.directory, tmp_path / "copy")
    there = tmp_path / "copy" / "audit.jsonl"
    there.write_bytes(there.read_bytes()[:-3])
    assert said(verify(there)) == ("torn", ["torn-tail"], [])


@pytest.mark.parametrize("change", [{"segment": 1}, {"segment": 3}, {"log": "0190c0de-0000-7000-8000-000000000000"}])
def test_a_mark_of_another_segment_or_log_says_nothing(log: Log, change: dict[str, object]) -> None:
    leave(log, **change)
    in_place(log, log.read(2)[:-3])
    assert said(verify(log.active)) == ("torn", ["torn-tail"], [])


def test_a_mark_that_cannot_be_read_promises_nothing(log: Log) -> None:
    lock = Path(log.names.lock)
    for content in (b"", b"{}", lock.read_bytes().replace(b"synced", b"sinced"), os.urandom(2048)):
        lock.write_bytes(content)
        assert said(verify(log.active)) == ("intact", [], [])


def test_behind_a_failed_sync_nothing_counts(log: Log) -> None:
    leave(log, failed=True)
    assert said(verify(log.active)) == ("intact", [], [])
    last, head = log.seq, log.head
    log.fill(2)
    report = verify(log.active)
    assert said(report) == ("torn", ["torn-tail"], [])
    assert (report.last_seq, report.head) == (last, head)
    log.raw(b"junk\n")
    assert said(verify(log.active)) == ("torn", ["torn-tail"], [])


def test_the_mark_is_believed_of_a_file_that_is_named_in_a_list_too(log: Log) -> None:
    in_place(log, log.read(2)[:-3])
    assert said(verify(log.paths))[:2] == ("tampered", ["records-missing"])


HOLD = "import sys; from jsonl_audit import storage; print(storage.lock(storage.open_lock(sys.argv[1]))); input()"


def test_the_end_of_a_log_that_somebody_writes_is_unfinished_not_torn(tmp_path: Path) -> None:
    log = build(tmp_path, segments=2, events=2)
    log.raw(b'{"seq":')
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, log.names.lock],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert storage.probe(log.names.lock)
        for paths in (log.active, log.paths):
            assert said(verify(paths)) == ("intact", [], ["unfinished"])
        holder.communicate("\n")
    assert said(verify(log.active)) == ("torn", ["torn-tail"], [])


def test_a_mark_with_a_number_that_no_file_has_promises_nothing(log: Log) -> None:
    found = os.stat(log.active)
    forged = Mark("boot", log.id, log.segment, (found.st_dev, found.st_ino), 2**64 - 1, log.head)
    Path(log.names.lock).write_bytes(forged.encode())
    assert mark.read(log.names.lock) is None
    assert said(verify(log.active)) == ("intact", [], [])
    assert len([*query(log.active, control=True)]) == 14


def test_a_mark_that_tells_of_a_purge_which_the_chain_does_not_fit_hides_nothing(log: Log) -> None:
    for floor in (Floor(1, 8, "0" * 64), Floor(1, 7, "0" * 64), Floor(2, 14, log.head), Floor(9, 99, "0" * 64)):
        leave(log, purged=floor)
        assert len([*query(log.active, control=True)]) == 14
