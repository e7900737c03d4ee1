"""Every verdict, finding and note of the format, on logs made for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from logs import OTHER, Log, build

from jsonl_audit import instants, record
from jsonl_audit.segment import Floor
from jsonl_audit.verifier import Report, verify


@pytest.fixture(params=[False, True], ids=["quick", "full"])
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return build(tmp_path / "log", segments=3, events=4)


def said(report: Report) -> tuple[str, list[str], list[str]]:
    """Verdict, kinds of findings, kinds of notes."""
    return (
        report.verdict,
        [finding.kind for finding in report.findings],
        [note.kind for note in report.notes],
    )


def copy(path: Path, name: str) -> Path:
    target = path.parent / name
    shutil.copyfile(path, target)
    return target


# -- whole


def test_a_whole_log_is_intact(log: Log, full: bool) -> None:
    report = verify(log.active, full=full)
    assert said(report) == ("intact", [], [])
    assert (report.records, report.verified, report.total, report.segments) == (15, 15, 15, 3)
    assert (report.first_seq, report.last_seq, report.head) == (1, 15, log.head)
    assert (report.ok, report.valid, report.exit_code, report.anchored) == (True, True, 0, False)


def test_a_log_of_one_header_is_intact(tmp_path: Path, full: bool) -> None:
    assert said(verify(Log(tmp_path).active, full=full)) == ("intact", [], [])


def test_a_clock_that_was_clamped_is_a_note(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(1)
    log._put(record.encode({"type": "a"}), clock=instants.text(0))
    report = verify(log.active, full=full)
    assert said(report) == ("intact", [], ["clock-clamped"])
    log.seal()
    assert said(verify(log.active, full=True)) == ("intact", [], ["clock-clamped"])


def test_times_of_their_own_do_not_matter_to_the_chain(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(1)
    log.add(time="2030-01-01T00:00:00Z")
    log.add(time="1999-01-01T00:00:00Z")
    log.seal().fill(1)
    assert said(verify(log.active, full=full)) == ("intact", [], [])


# -- torn


@pytest.mark.parametrize("tail", [b"{", b'{"seq":99,"ts":"2027', b"\0" * 100, b"\0" * 5000, b"x" * 100_000])
def test_a_piece_at_the_end_is_torn(log: Log, tail: bytes, full: bool) -> None:
    size = len(log.read(3))
    log.raw(tail)
    report = verify(log.active, full=full)
    assert said(report) == ("torn", ["torn-tail"], [])
    assert (report.last_seq, report.head, report.exit_code) == (15, log.head, 0)
    assert report.findings[0].offset == size


def test_an_unfinished_batch_at_the_end_is_torn(log: Log, full: bool) -> None:
    log.batch([{"n": 1}, {"n": 2}, {"n": 3}])
    log.write(3, log.lines(3)[:-1])
    report = verify(log.active, full=full)
    assert said(report) == ("torn", ["torn-tail"], [])
    assert report.last_seq == 15


def test_a_hole_at_the_end_is_torn(log: Log, full: bool) -> None:
    log.fill(10)
    data = bytearray(log.read(3))
    data[2048:2560] = bytes(512)
    log.write(3, bytes(data))
    report = verify(log.active, full=full)
    assert said(report) == ("torn", ["torn-tail"], [])
    assert "whole lines among them" in report.findings[0].message


@pytest.mark.parametrize("tail", [b'{"seq":6,"ts":', b"\0" * 600])
def test_a_torn_end_that_the_next_header_accounts_for_is_a_note(tmp_path: Path, tail: bytes, full: bool) -> None:
    log = Log(tmp_path).fill(4)
    log.raw(tail)
    log.seal().fill(1)
    assert said(verify(log.active, full=full)) == ("intact", [], ["documented-torn"])
    log.write(1, log.read(1)[:-1] + b"?")
    verdict, kinds, _ = said(verify(log.active, full=full))
    assert (verdict, "segment-altered" in kinds) == ("tampered", True)
    log.write(1, log.read(1)[: -len(tail)])
    assert said(verify(log.active, full=full))[:2] == ("tampered", ["segment-altered"])


def test_a_torn_end_that_could_not_be_read_is_accounted_for_by_its_length(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(4)
    log.raw(b"unreadable")
    log.seal(torn_blake3=None).fill(1)
    assert said(verify(log.active, full=full)) == ("intact", [], ["documented-torn"])
    log.write(1, log.read(1)[:-3] + b"abc")
    assert said(verify(log.active, full=full)) == ("intact", [], ["documented-torn"])
    log.write(1, log.read(1) + b"d")
    assert said(verify(log.active, full=full))[0] == "tampered"


@pytest.mark.parametrize("behind", [b"", b"junk\n", b"\0" * 700, "records"])
def test_behind_a_failed_sync_may_stand_anything(tmp_path: Path, behind: bytes | str, full: bool) -> None:
    log = Log(tmp_path).fill(4)
    size, seq, head = len(log.read(1)), log.seq, log.head
    if isinstance(behind, str):
        log.fill(2)
        log.control("audit.purged", {"through": Floor(1, seq, head).to_dict()})
        log.seq, log.head, log._size = seq, head, size
        behind = b""
    log.raw(behind)
    log.seal(torn_bytes=-1).fill(1)
    assert said(verify(log.active, full=full)) == ("intact", [], ["documented-torn"])


def test_the_number_of_whole_lines_that_do_not_count_is_told(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(4)
    data = bytearray(log.fill(6).read(1))
    first = sum(map(len, log.lines(1)[:5]))
    hole = (first // 512 + 1) * 512
    data[hole : hole + 512] = bytes(512)
    log.write(1, bytes(data))
    log.seq, log.head, log._size = 4, log.lines(1)[3][-67:-3].decode(), sum(map(len, log.lines(1)[:4]))
    log.seal().fill(1)
    report = verify(log.active, full=full)
    assert report.notes[0].kind == "documented-torn"
    assert report.notes[0].message.endswith("whole lines stand in them")


# -- empty


def test_a_file_without_a_byte_is_empty(tmp_path: Path, full: bool) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch()
    for paths in (path, [path], [path, path]):
        report = verify(paths, full=full)
        assert said(report) == ("empty", [], [])
        assert (report.exit_code, report.records, report.last_seq, report.head) == (3, 0, None, None)


# -- incomplete


@pytest.mark.parametrize("gone", [1, 2])
def test_a_segment_that_is_not_here_is_missed(log: Log, gone: int, full: bool) -> None:
    log.drop(gone)
    report = verify(log.active, full=full)
    assert said(report) == ("incomplete", ["segment-missing"], [])
    assert log.paths[gone - 1].name in report.findings[0].message
    assert report.exit_code == 3


def test_several_segments_that_are_not_here_are_one_gap(tmp_path: Path, full: bool) -> None:
    log = build(tmp_path, segments=6, events=2)
    for number in (1, 3, 4):
        log.drop(number)
    report = verify(log.active, full=full)
    assert said(report) == ("incomplete", ["segment-missing"] * 2, [])
    assert [(finding.expected, finding.actual) for finding in report.findings] == [(1, 2), (3, 5)]


def test_the_active_file_that_is_not_here_is_missed(log: Log, full: bool) -> None:
    log.drop(3)
    report = verify(log.active, full=full)
    assert said(report) == ("incomplete", [], ["active-missing"])
    assert report.last_seq == 10
    log.active.touch()
    assert said(verify(log.active, full=full)) == ("incomplete", [], ["active-missing"])


def test_sealed_files_alone_are_whole_as_far_as_they_go(log: Log, full: bool) -> None:
    assert said(verify(log.paths[:2], full=full)) == ("intact", [], [])
    assert said(verify([log.paths[1]], full=full)) == ("incomplete", ["segment-missing"], [])


def test_an_active_file_that_was_put_back_is_an_older_copy(log: Log, full: bool) -> None:
    for size in (len(log.read(2)), sum(map(len, log.lines(2)[:3])), sum(map(len, log.lines(2)[:3])) + 40):
        log.active.write_bytes(log.read(2)[:size])
        report = verify(log.active, full=full)
        assert said(report) == ("incomplete", [], ["older-copy", "active-missing"])
        assert report.last_seq == 10


def test_a_removed_active_file_that_the_next_header_tells_of_is_missed(tmp_path: Path, full: bool) -> None:
    log = build(tmp_path, segments=3, events=2).seal_without_active().fill(2)
    report = verify(log.active, full=full)
    assert said(report) == ("incomplete", ["segment-missing"], [])


# -- purged


def test_what_was_purged_is_not_missed(log: Log, full: bool) -> None:
    log.purge(1)
    report = verify(log.active, full=full)
    assert said(report) == ("intact", [], ["purged-prefix"])
    assert report.first_seq == 6
    log.seal().fill(2)
    assert said(verify(log.active, full=full)) == ("intact", [], ["purged-prefix"])
    log.purge(3)
    assert said(verify(log.active, full=full)) == ("intact", [], ["purged-prefix"])


def test_leftovers_of_a_purge_are_ignored_whatever_is_in_them(log: Log, full: bool) -> None:
    log.purge(2, unlink=False)
    assert said(verify(log.active, full=full)) == ("intact", [], ["purged-prefix"])
    log.drop(1)
    assert said(verify(log.active, full=full)) == ("intact", [], ["purged-prefix"])
    log.flip(2, 700)
    copy(log.paths[1], "audit.20270101T000000000000Z.jsonl")
    assert said(verify(log.active, full=full)) == ("intact", [], ["purged-prefix"])
    log.flip(2, 10)
    assert said(verify(log.active, full=full)) == ("intact", [], ["purged-prefix"])


def test_a_purge_of_another_history_excuses_nothing(log: Log, full: bool) -> None:
    log.purge(1)
    log.floor = Floor(1, 5, "0" * 64)
    log.drop(3)
    other = build(log.directory / "x", segments=2, events=4)
    other.floor = Floor(1, 5, "0" * 64)
    other.control("audit.purged", {"through": other.floor.to_dict()})
    other.drop(1)
    assert said(verify(other.active, full=full)) == ("incomplete", ["segment-missing"], [])


def test_a_purge_in_an_unfinished_batch_excuses_nothing(log: Log, full: bool) -> None:
    last = log.lines(1)[-1]
    floor = Floor(1, record.seq_of(last), last[-67:-3].decode())
    log._put(record.control("audit.purged", {"through": floor.to_dict()}), batch=(1, 2))
    log.drop(1)
    verdict, kinds, notes = said(verify(log.active, full=full))
    assert (verdict, set(kinds), notes) == ("incomplete", {"segment-missing", "torn-tail"}, [])


def test_a_gap_behind_what_was_purged_is_missed(tmp_path: Path, full: bool) -> None:
    log = build(tmp_path, segments=4, events=2).purge(1)
    log.drop(2)
    verdict, kinds, _ = said(verify(log.active, full=full))
    assert (verdict, kinds) == ("incomplete", ["segment-missing"])


# -- forked


def forked(log: Log, number: int, keep: int, events: int) -> Path:
    """Another history of a segment, from its line `keep` on; its file."""
    lines = log.lines(number)[:keep]
    prev = lines[-1][-67:-3].decode()
    for count in range(events):
        seq, ts = record.seq_of(lines[-1]) + 1, record.ts_of(lines[-1])
        line, _, prev = record.line(seq, ts, record.encode({"type": "other", "n": count}), prev)
        lines.append(line)
    path = log.directory / "audit.20270101T000000000000Z.jsonl"
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("events", [1, 9])
def test_two_histories_of_one_segment_are_a_fork(log: Log, number: int, events: int, full: bool) -> None:
    path = forked(log, number, 3, events)
    report = verify(log.active, full=full)
    if (number, events) == (3, 9):  # the other one has more records: then it is the named one that forks off
        assert said(report) == ("forked", ["fork"], ["active-missing"])
        return
    assert said(report) == ("forked", ["fork"], [])
    fork = report.findings[0]
    assert (fork.segment, fork.line, fork.seq) == (path.name, 4, (number - 1) * 5 + 4)
    assert report.exit_code == 1
    assert report.head == log.head


def test_a_copy_that_goes_on_where_the_sealed_one_ends_is_a_fork(log: Log, full: bool) -> None:
    forked(log, 2, 5, 2)
    report = verify(log.active, full=full)
    assert said(report) == ("forked", ["fork"], [])
    assert (report.findings[0].line, report.findings[0].seq) == (6, 11)


def test_copies_are_read_once(log: Log, full: bool) -> None:
    copies = [copy(log.paths[0], "again.jsonl"), copy(log.paths[2], "yesterday.jsonl")]
    copies[1].write_bytes(b"".join(log.lines(3)[:3]))
    report = verify([*copies, *log.paths], full=full)
    assert said(report) == ("intact", [], ["older-copy", "older-copy"])
    assert (report.records, report.segments) == (15, 3)


def test_one_file_under_two_names_is_read_once(log: Log, full: bool) -> None:
    (log.directory / "again.jsonl").hardlink_to(log.paths[0])
    assert said(verify([log.directory / "again.jsonl", *log.paths], full=full)) == ("intact", [], [])


def test_the_copy_that_the_next_header_vouches_for_is_the_segment(log: Log, full: bool) -> None:
    good = copy(log.paths[0], "audit.20260101T000000000000Z.jsonl")
    log.flip(1, 1000)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert {finding.segment for finding in report.findings} == {log.paths[0].name}
    assert report.findings[0].kind == "record-modified"
    log.drop(1)
    assert said(verify(log.active, full=full)) == ("intact", [], [])
    assert good.exists()


# -- foreign


def test_a_segment_of_another_log_is_foreign(log: Log, full: bool) -> None:
    other = build(log.directory / "other", segments=2, events=2, log=OTHER)
    shutil.copyfile(other.paths[0], log.directory / "audit.20260101T000000000000Z.jsonl")
    report = verify(log.active, full=full)
    assert said(report) == ("tampered", ["foreign-segment"], [])
    assert (report.findings[0].expected, report.findings[0].actual) == (log.id, OTHER)
    assert report.records == 15


def test_the_log_is_that_of_the_named_path(log: Log, full: bool) -> None:
    other = build(log.directory / "other", segments=1, events=2, log=OTHER)
    shutil.copyfile(other.active, log.active)
    report = verify(log.active, full=full)
    assert said(report)[1] == ["foreign-segment", "foreign-segment"]
    assert report.records == 3


def test_a_log_beside_it_with_a_name_that_looks_alike_is_no_part_of_it(log: Log, full: bool) -> None:
    build(log.directory, segments=2, events=2, name="audit.prod.jsonl", log=OTHER)
    build(log.directory, segments=2, events=2, name="audit", log=OTHER)
    assert said(verify(log.active, full=full)) == ("intact", [], [])


# -- damage


def test_damage_that_a_header_lists_stays_reported(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(4)
    at = sum(map(len, log.lines(1)[:2]))
    log.flip(1, at + 200)
    place = {"offset": at, "bytes": len(log.lines(1)[2]), "kind": "record-modified"}
    log.seal(damage=(place,), damaged=1).fill(1)
    report = verify(log.active, full=full)
    assert said(report) == ("tampered", ["documented-damage"], [])
    assert report.findings[0].offset == at
    assert (report.records, report.verified) == (7, 6)


def test_damage_beyond_what_a_header_lists_is_counted(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(4)
    log.seal(damage=({"offset": 5, "bytes": 1, "kind": "malformed-line"},), damaged=20).fill(1)
    report = verify(log.active, full=full)
    assert said(report)[:2] == ("tampered", ["documented-damage", "documented-damage"])
    assert "19 places more" in report.findings[1].message


def test_damage_that_a_header_tells_in_another_form_is_reported_all_the_same(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(2)
    entry = {"offset": {"no": "number"}, "bytes": [], "kind": 7}
    log.seal(damage=(entry,), damaged=1, blake3="0" * 64).fill(1)
    assert said(verify(log.active, full=full))[:2] == ("tampered", ["segment-altered", "documented-damage"])


def test_a_clock_that_goes_back_between_two_segments_is_found(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(3)
    log.us -= 60_000_000
    log.seal().fill(2)
    report = verify(log.active, full=full)
    assert said(report) == ("tampered", ["clock-backwards"], [])
    assert (report.findings[0].segment, report.findings[0].line) == (log.active.name, 1)


def test_a_first_segment_that_does_not_begin_the_log_is_found(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path)
    body = record.encode({"type": "x"})
    head = log.lines(1)[0]
    for prev, seq in (("1" * 64, 1), (record.ZERO, 5)):
        details = record.decode(head)["details"]
        line, _, own = record.line(seq, record.ts_of(head), record.control("audit.segment", details), prev)
        log.active.write_bytes(line + record.line(seq + 1, record.ts_of(head), body, own)[0])
        assert verify(log.active, full=full).verdict == "tampered"


def malformed(log: Log, members: bytes) -> None:
    log._put(record.Body(b"hostile", members))


@pytest.mark.parametrize("members", [b',"x":1,"x":2', b',"x": 1', b',"x":NaN', b',"time":"then"', b',"x":"\\u0061"'])
def test_a_hostile_writers_line_in_the_active_segment_is_found(log: Log, members: bytes, full: bool) -> None:
    malformed(log, members)
    report = verify(log.active, full=full)
    assert said(report) == ("tampered", ["malformed-line"], [])
    assert (report.findings[0].seq, report.verified) == (16, 15)


def test_a_hostile_writers_line_in_a_sealed_segment_is_found_by_a_full_verification(log: Log) -> None:
    malformed(log, b',"x":1,"x":2')
    log.seal().fill(1)
    quick = verify(log.active)
    assert said(quick) == ("intact", [], [])
    assert "--full" in quick.text()
    assert said(verify(log.active, full=True)) == ("tampered", ["malformed-line"], [])


# -- the worst of several


def test_the_verdict_is_the_worst_that_applies(tmp_path: Path) -> None:
    log = build(tmp_path, segments=4, events=3)
    log.raw(b"{")
    assert verify(log.active).verdict == "torn"
    log.drop(1)
    assert verify(log.active).verdict == "incomplete"
    forked(log, 3, 2, 1)
    assert verify(log.active).verdict == "forked"
    log.flip(2, 900)
    report = verify(log.active)
    assert report.verdict == "tampered"
    kinds = {finding.kind for finding in report.findings}
    assert kinds >= {"torn-tail", "segment-missing", "fork", "segment-altered", "record-modified"}


def test_what_is_told_is_plain_data(log: Log) -> None:
    import json

    log.flip(1, 900)
    log.drop(2)
    told: dict[str, Any] = verify(log.active).to_dict()
    assert json.loads(json.dumps(told)) == told
    assert blake3(json.dumps(told).encode()).digest()
