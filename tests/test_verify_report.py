"""A report for a program and one for a person: what is wrong, where, what it means, and what to do next."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from logs import Log, build

from jsonl_audit import record
from jsonl_audit.verifier import Anchored, Finding, Note, Report, explain, verify
from jsonl_audit.verifier.report import EXIT, VERDICT_OF, VERDICTS

FORMAT = Path(__file__).resolve().parent.parent / "docs" / "format.md"
MEMBERS = [
    "verdict", "anchored", "records", "verified", "corrupted", "chain_breaks", "segments", "first_seq", "last_seq",
    "head", "findings", "notes",
]  # fmt: skip
OF_A_FINDING = ["kind", "segment", "line", "seq", "offset", "expected", "actual", "message"]


@pytest.fixture
def damaged(tmp_path: Path) -> Log:
    log = build(tmp_path, segments=3, events=3)
    log.change(2, 2, b"u1", b"u9")
    log.delete_line(1, 2)
    log.raw(b"{")
    return log


def test_a_program_is_told_exactly_these_members(damaged: Log) -> None:
    told = verify(damaged.active).to_dict()
    assert list(told) == MEMBERS
    assert all(list(finding) == OF_A_FINDING for finding in told["findings"])
    assert json.loads(json.dumps(told)) == told


def test_damaged_records_are_told_by_their_ids_and_breaks_by_their_seqs(damaged: Log) -> None:
    ids = [record.decode(line)["id"] for line in damaged.lines(2)]
    report = verify(damaged.active)
    assert report.corrupted == (ids[2],)
    assert report.chain_breaks == (4,)
    assert (report.total, report.records, report.verified, report.valid) == (11, 11, 10, False)


def test_where_no_id_can_be_read_the_place_is_told(damaged: Log) -> None:
    damaged.insert_line(3, 1, b"junk\n")
    assert verify(damaged.active).corrupted[-1] == "audit.jsonl, line 2"


def test_a_record_damaged_in_two_ways_is_told_once(tmp_path: Path) -> None:
    log = build(tmp_path, segments=1, events=1)
    log.us -= 10_000_000
    log._put(record.Body(b"a", b',"x":1,"x":2'))
    report = verify(log.active)
    assert {finding.kind for finding in report.findings} == {"malformed-line", "clock-backwards"}
    assert len(report.corrupted) == 1
    assert (report.records, report.verified) == (3, 2)


def test_the_first_line_says_the_verdict_and_that_nothing_vouches_for_it(damaged: Log) -> None:
    first = verify(damaged.active).text().splitlines()[0]
    assert first.startswith("tampered: ")
    assert "Not anchored" in first
    assert "cannot be ruled out" in first
    anchored = dataclasses.replace(verify(damaged.active), anchored=Anchored(3, "expect", None))
    assert "Not anchored" not in anchored.text()


def test_each_finding_is_told_with_its_place_its_meaning_and_what_to_do(damaged: Log) -> None:
    text = str(verify(damaged.active))
    assert f"{damaged.paths[1].name}, line 3, seq 7: the line disagrees with its own hash" in text
    assert "record-modified, 1 place: a record was changed after it was committed." in text
    assert text.count("  Next: ") == len({finding.kind for finding in verify(damaged.active).findings})
    assert "(expected" in text
    assert str(damaged.active) in text


def test_long_lists_are_cut_in_words_and_never_for_a_program(tmp_path: Path) -> None:
    log = build(tmp_path, segments=1, events=1)
    log.raw(b"junk\n" * 500)
    report = verify(log.active)
    assert len(report.findings) == len(report.to_dict()["findings"]) == 500
    assert report.text().count("this line is no record") == 10
    assert "… and 490 more" in report.text()
    assert report.text(3).count("this line is no record") == 3
    assert report.text(0).count("this line is no record") == 500


def test_what_a_quick_verification_cannot_see_is_said(tmp_path: Path) -> None:
    log = build(tmp_path, segments=2, events=1)
    assert "--full" in verify(log.active).text()
    assert "--full" not in verify(log.active, full=True).text()
    assert "--full" not in verify(build(tmp_path / "one", segments=1).active).text()


def test_what_a_stranger_wrote_is_shown_without_its_control_characters(tmp_path: Path) -> None:
    log = build(tmp_path, segments=1, events=2)
    lines = log.lines(1)
    line = record.line(3, record.ts_of(lines[2]), record.Body(b"a", b""), "\x1b[2J" + "0" * 60)[0]
    log.write(1, [*lines[:2], line])
    assert "\x1b" not in verify(log.active).text()


def test_notes_are_told_without_changing_the_verdict(tmp_path: Path) -> None:
    log = build(tmp_path, segments=3, events=1).purge(1)
    report = verify(log.active)
    assert report.verdict == "intact"
    assert "note, purged-prefix: " in report.text()
    assert report.notes[0].to_dict()["kind"] == "purged-prefix"


def test_every_kind_has_its_verdict_its_meaning_and_its_place_in_the_docs() -> None:
    assert set(explain._FINDINGS) == set(VERDICT_OF)
    assert set(VERDICT_OF.values()) <= set(VERDICTS) == set(EXIT) == set(explain._VERDICT)
    documented = FORMAT.read_text("utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \| [a-z`]", documented, re.MULTILINE)) >= set(VERDICT_OF)


def test_a_file_that_was_converted_is_told_as_that(tmp_path: Path) -> None:
    log = build(tmp_path, segments=1, events=2)
    whole = log.read(1)
    log.write(1, whole.replace(b"\n", b"\r\n"))
    report = verify(log.active)
    assert report.verdict == "tampered"
    shown = [finding for finding in report.findings if finding.kind == "record-modified"]
    assert [finding.seq for finding in shown] == [1, 2, 3]
    assert {(finding.expected, finding.actual) for finding in shown} == {(None, None)}
    assert all("ends in CR LF" in finding.message and finding.id for finding in shown)
    assert "None" not in report.text()
    log.write(1, b"\xef\xbb\xbf" + whole)
    header, modified = verify(log.active).findings
    assert "no header whose hash is right" in header.message
    assert (modified.seq, modified.line) == (1, 1)
    assert "byte order mark" in modified.message


def test_a_range_of_one_is_one(tmp_path: Path) -> None:
    assert "1 record in 1 file, seq 1, head" in verify(build(tmp_path, segments=1, events=0).active).text()


def test_a_report_cannot_be_changed() -> None:
    values = (Report("intact", "audit.jsonl", full=True), Finding("fork", "x"), Note("unfinished", "x"))
    for value in values:
        for member in dataclasses.fields(value):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(value, member.name, "changed")


@pytest.mark.parametrize(("verdict", "status"), [*EXIT.items()])
def test_ok_is_exit_status_0(verdict: str, status: int) -> None:
    report: Any = Report(verdict, "audit.jsonl", full=False)
    assert (report.exit_code, report.ok, report.valid) == (status, status == 0, status == 0)
