"""Where there is damage, its place is named, and nothing that is whole is called wrong besides."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from blake3 import blake3
from logs import Log, build, rehashed

from jsonl_audit import record
from jsonl_audit.verifier import Report, verify


@pytest.fixture(params=[False, True], ids=["quick", "full"])
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Three segments; the first ends with a batch of three."""
    made = build(tmp_path, segments=1, events=2)
    made.batch([{"n": 1}, {"n": 2}, {"n": 3}])
    return made.seal().fill(8).seal().fill(3)


def said(report: Report) -> list[tuple[str, str | None, int | None]]:
    """Kind, segment and line of each finding, but that a file as a whole differs."""
    return [
        (finding.kind, finding.segment, finding.line)
        for finding in report.findings
        if finding.kind != "segment-altered"
    ]


@pytest.mark.parametrize("line", [4, 5, 6])
def test_a_damaged_record_of_a_batch_at_the_end_of_a_segment_is_all_that_is_wrong(
    log: Log, line: int, full: bool
) -> None:
    log.change(1, line - 1, b'"type":"custom"', b'"type":"costum"')
    assert said(verify(log.active, full=full)) == [("record-modified", log.paths[0].name, line)]


def test_a_batch_cut_short_and_a_piece_behind_it_are_named_each_in_its_line(log: Log, full: bool) -> None:
    log.cut(1, len(log.read(1)) - 5)
    name, after = log.paths[0].name, log.paths[1].name
    assert said(verify(log.active, full=full)) == [
        ("malformed-line", name, 4),
        ("malformed-line", name, 6),
    ]
    log.cut(1, len(b"".join(log.lines(1)[:5])))
    assert said(verify(log.active, full=full)) == [("malformed-line", name, 4), ("records-missing", after, 1)]


@pytest.mark.parametrize("at", [30, 160, -100])
def test_a_line_broken_in_two_is_two_damaged_lines_and_the_record_behind_them_is_right(
    log: Log, at: int, full: bool
) -> None:
    line = log.lines(3)[1]
    lines = log.lines(3)
    lines[1] = line[:at] + b"\n" + line[at:][1:]
    log.write(3, lines)
    assert {(segment, number) for _, segment, number in said(verify(log.active, full=full))} == {
        (log.active.name, 2),
        (log.active.name, 3),
    }


def test_junk_beside_a_changed_record_does_not_cast_doubt_on_the_next(log: Log, full: bool) -> None:
    log.change(3, 1, b"test.event", b"tost.event")
    log.insert_line(3, 2, b"junk\n")
    assert said(verify(log.active, full=full)) == [
        ("record-modified", log.active.name, 2),
        ("malformed-line", log.active.name, 3),
    ]


def test_behind_a_hole_in_a_sealed_segment_every_line_is_looked_at(log: Log, full: bool) -> None:
    data = bytearray(log.read(2))
    data[1024:1536] = bytes(512)
    log.write(2, bytes(data))
    log.change(2, -1, b"test.event", b"tost.event")
    found = said(verify(log.active, full=full))
    assert ("record-modified", log.paths[1].name, len(log.lines(2))) in found
    assert "malformed-line" in {kind for kind, _, _ in found}
    assert "torn-tail" not in {kind for kind, _, _ in found}


def test_a_lost_block_in_the_place_of_a_header_is_no_torn_end(log: Log, full: bool) -> None:
    log.write(3, bytes(512) + log.read(3)[512:])
    report = verify(log.active, full=full)
    assert said(report) == [("header-missing", log.active.name, 1), ("malformed-line", log.active.name, 1)]
    assert report.last_seq == log.seq


def test_a_right_hash_over_a_line_without_prev_is_a_malformed_line(log: Log, full: bool) -> None:
    lines = log.lines(3)
    lines[1] = rehashed(lines[1].replace(b'"prev":"', b'"pref":"'))
    log.write(3, lines)
    report = verify(log.active, full=full)
    assert said(report) == [("malformed-line", log.active.name, 2)]
    assert "prev" in report.findings[0].message


def test_damage_in_a_copy_is_told_also_where_its_records_are_a_beginning_of_the_segments(log: Log, full: bool) -> None:
    copy = log.directory / "audit.20250101T000000000000Z.jsonl"
    lines = log.lines(1)
    copy.write_bytes(b"".join([*lines[:2], lines[2].replace(b"test.event", b"tost.event")]))
    report = verify(log.active, full=full)
    assert (report.verdict, said(report)) == ("tampered", [("record-modified", copy.name, 3)])
    assert [note.kind for note in report.notes] == ["older-copy"]


def test_a_malformed_line_in_a_fork_is_told(log: Log, full: bool) -> None:
    fork = log.directory / "audit.20250101T000000000000Z.jsonl"
    lines = log.lines(2)
    fork.write_bytes(b"".join([*lines[:1], rehashed(lines[1].replace(b'"type":', b'"typo":'))]))
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert set(said(report)) == {("fork", fork.name, 2), ("malformed-line", fork.name, 2)}


def test_a_copy_made_before_a_sync_failed_is_an_older_copy(tmp_path: Path, full: bool) -> None:
    log = build(tmp_path, segments=1, events=2)
    size, seq, head = len(log.read(1)), log.seq, log.head
    log.fill(2)  # records that never counted
    copy = shutil.copyfile(log.active, tmp_path / "audit.20250101T000000000000Z.jsonl")
    log.seq, log.head, log._size = seq, head, size
    log.seal(torn_bytes=-1, blake3=blake3(log.read(1)[:size]).hexdigest()).fill(1)
    report = verify([*log.paths, copy], full=full)
    assert (report.verdict, said(report)) == ("intact", [])


def test_a_record_whose_seq_cannot_be_read_does_not_make_others_missing(log: Log, full: bool) -> None:
    lines = log.lines(3)
    lines[0] = lines[0].replace(b'"format":1', b'"format":7')
    lines[1] = rehashed(lines[1].replace(b'{"seq":', b'{"sec":'))
    log.write(3, lines)
    assert set(said(verify(log.active, full=full))) == {
        ("header-missing", log.active.name, 1),
        ("record-modified", log.active.name, 1),
        ("malformed-line", log.active.name, 2),
        ("chain-broken", log.active.name, 3),
    }
    assert record.seq_of(lines[1]) == 0
