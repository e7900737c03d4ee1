"""Every line taken out, doubled, moved or put in is found, with what happened and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from logs import Log, build, rehashed

from jsonl_audit import record
from jsonl_audit.verifier import Report, verify

EVENTS = 4
LAST = EVENTS  # number of the last line of a segment, counted from 0


@pytest.fixture(params=[False, True], ids=["quick", "full"])
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return build(tmp_path, segments=3, events=EVENTS)


def kinds_at(report: Report, log: Log, number: int) -> list[tuple[str, int | None, int | None]]:
    """Kind, line and seq of each finding in a segment, but that the file as a whole differs."""
    name = log.paths[number - 1].name
    return [
        (finding.kind, finding.line, finding.seq)
        for finding in report.findings
        if finding.segment == name and finding.kind != "segment-altered"
    ]


def first_seq(number: int) -> int:
    return (number - 1) * (EVENTS + 1) + 1


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("line", range(1, LAST))
def test_a_line_taken_out_is_missed(log: Log, number: int, line: int, full: bool) -> None:
    log.delete_line(number, line)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert kinds_at(report, log, number) == [("records-missing", line + 1, first_seq(number) + line + 1)]
    assert report.chain_breaks == (first_seq(number) + line + 1,)


@pytest.mark.parametrize("number", [1, 2])
def test_the_last_line_of_a_sealed_segment_taken_out_is_missed(log: Log, number: int, full: bool) -> None:
    log.delete_line(number, LAST)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert kinds_at(report, log, number + 1) == [("records-missing", 1, first_seq(number + 1))]
    altered = [finding for finding in report.findings if finding.kind == "segment-altered"]
    assert [(finding.segment, finding.actual) for finding in altered] == [
        (log.paths[number - 1].name, len(log.read(number)))
    ]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_header_taken_out_is_missed(log: Log, number: int, full: bool) -> None:
    log.delete_line(number, 0)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert "header-missing" in {kind for kind, _, _ in kinds_at(report, log, number)}
    assert not {finding.kind for finding in report.findings} & {"segment-missing", "foreign-segment", "fork"}


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("line", range(1, LAST + 1))
def test_a_doubled_line_is_found(log: Log, number: int, line: int, full: bool) -> None:
    log.double_line(number, line)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert kinds_at(report, log, number) == [("chain-broken", line + 2, first_seq(number) + line)]


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("line", range(1, LAST))
def test_two_lines_exchanged_are_found(log: Log, number: int, line: int, full: bool) -> None:
    log.swap_lines(number, line)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    found = kinds_at(report, log, number)
    assert ("records-missing", line + 1, first_seq(number) + line + 1) in found
    assert ("chain-broken", line + 2, first_seq(number) + line) in found


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("line", range(1, LAST + 2))
@pytest.mark.parametrize("new", [b"\n", b"junk\n", b'{"seq":3,"what":"is this"}\n', b"\xff\xfe\x00\n"])
def test_a_foreign_line_put_in_is_found(log: Log, number: int, line: int, new: bytes, full: bool) -> None:
    log.insert_line(number, line, new)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert kinds_at(report, log, number) == [("malformed-line", line + 1, None)]
    assert report.corrupted == (f"{log.paths[number - 1].name}, line {line + 1}",)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("line", range(1, LAST + 1))
def test_a_record_made_by_hand_and_put_in_is_found(log: Log, number: int, line: int, full: bool) -> None:
    before = log.lines(number)[line - 1]
    seq = record.seq_of(before) + 1
    forged, _, _ = record.line(seq, record.ts_of(before), record.encode({"type": "forged"}), before[-67:-3].decode())
    log.insert_line(number, line, forged)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert ("chain-broken", line + 2, seq) in kinds_at(report, log, number)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("line", range(1, LAST))
def test_a_record_changed_with_a_hash_that_fits_breaks_the_chain_behind_it(
    log: Log, number: int, line: int, full: bool
) -> None:
    lines = log.lines(number)
    lines[line] = rehashed(lines[line].replace(b"test.event", b"tost.event"))
    log.write(number, lines)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert kinds_at(report, log, number) == [("chain-broken", line + 2, first_seq(number) + line + 1)]


def test_the_last_record_of_a_sealed_segment_changed_with_a_hash_that_fits(log: Log, full: bool) -> None:
    lines = log.lines(1)
    lines[LAST] = rehashed(lines[LAST].replace(b"test.event", b"tost.event"))
    log.write(1, lines)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert {finding.kind for finding in report.findings} == {"segment-altered", "chain-broken"}
    assert kinds_at(report, log, 2) == [("chain-broken", 1, first_seq(2))]


def test_a_whole_sealed_segment_rewritten_and_chained_anew_is_found(log: Log, full: bool) -> None:
    lines, prev = [], log.lines(1)[-1][-67:-3]
    for line in log.lines(2):
        changed = line.replace(b"test.event", b"tost.event")
        lines.append(rehashed(changed[:-141] + prev + changed[-77:]))
        prev = lines[-1][-67:-3]
    log.write(2, lines)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert {finding.kind for finding in report.findings} == {"segment-altered", "chain-broken"}


@pytest.mark.parametrize(("source", "target"), [(1, 2), (2, 3), (3, 1), (2, 1)])
def test_a_line_moved_to_another_segment_is_found_at_both_ends(
    log: Log, source: int, target: int, full: bool
) -> None:
    moved = log.lines(source)[2]
    log.delete_line(source, 2)
    log.insert_line(target, 2, moved)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert ("records-missing", 3, first_seq(source) + 3) in kinds_at(report, log, source)
    assert {kind for kind, line, _ in kinds_at(report, log, target) if line == 3} & {"chain-broken", "records-missing"}


def test_line_ends_rewritten_by_a_careless_copy_are_found(log: Log, full: bool) -> None:
    for number in (1, 2, 3):
        log.write(number, log.read(number).replace(b"\n", b"\r\n"))
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert report.verified == 0


def test_bytes_behind_a_sealed_segment_are_found(log: Log, full: bool) -> None:
    for harm in (b"no end", b"\0" * 600, b"line\n"):
        before = log.read(2)
        log.write(2, before + harm)
        report = verify(log.active, full=full)
        assert report.verdict == "tampered"
        assert ("malformed-line", LAST + 2, None) in kinds_at(report, log, 2)
        log.write(2, before)


def test_records_written_on_to_a_sealed_segment_are_another_history(log: Log, full: bool) -> None:
    before = log.lines(2)[-1]
    seq = record.seq_of(before) + 1
    more, _, _ = record.line(seq, record.ts_of(before), record.encode({"type": "more"}), before[-67:-3].decode())
    log.write(2, log.read(2) + more)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert {finding.kind for finding in report.findings} == {"segment-altered", "fork"}
    assert seq in report.chain_breaks


HARMS: list[Callable[[bytes], bytes]] = [
    lambda data: data[:-1],
    lambda data: data[:700],
    lambda data: data[: len(data) // 2] + bytes(512) + data[len(data) // 2 + 512 :],
    lambda data: data + b" ",
    lambda data: b"\xef\xbb\xbf" + data,
    lambda data: data[100:],
    lambda data: data[:0],
    lambda data: bytes(len(data)),
    lambda data: data[::-1],
    lambda data: data + data,
]


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("number", [1, 2])
def test_nothing_done_to_a_sealed_segment_passes_for_a_crash(
    log: Log, number: int, harm: Callable[[bytes], bytes], full: bool
) -> None:
    log.write(number, harm(log.read(number)))
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert log.paths[number - 1].name in {finding.segment for finding in report.findings}
    assert "segment-missing" not in {finding.kind for finding in report.findings}


def test_a_hole_in_a_sealed_segment_is_damage(log: Log, full: bool) -> None:
    data = bytearray(log.read(1))
    data[1024:1536] = bytes(512)
    log.write(1, bytes(data))
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert {"segment-altered", "malformed-line"} <= {finding.kind for finding in report.findings}


def test_a_digest_that_lies_is_found(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(2)
    log.seal(blake3=blake3(b"something else").hexdigest()).fill(2)
    report = verify(log.active, full=full)
    assert (report.verdict, [finding.kind for finding in report.findings]) == ("tampered", ["segment-altered"])


@pytest.mark.parametrize("lie", [{"first_seq": 2}, {"last_seq": 2}])
def test_seqs_that_lie_are_found(tmp_path: Path, full: bool, lie: dict[str, int]) -> None:
    log = Log(tmp_path).fill(2)
    log.seal(**lie).fill(2)
    report = verify(log.active, full=full)
    assert (report.verdict, [finding.kind for finding in report.findings]) == ("tampered", ["segment-altered"])


def test_a_range_of_times_that_lies_is_found_by_a_full_verification(tmp_path: Path) -> None:
    log = Log(tmp_path).fill(2)
    log.seal(time=("2027-01-15T08:00:01.000000Z", "2027-01-15T08:00:01.500000Z")).fill(2)
    assert verify(log.active).verdict == "intact"
    report = verify(log.active, full=True)
    assert (report.verdict, [finding.kind for finding in report.findings]) == ("tampered", ["segment-altered"])


def test_a_count_of_times_that_lies_is_found_by_a_full_verification(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add(time="2027-01-15T08:00:01Z")
    log.seal(timed=0).fill(2)
    assert verify(log.active).verdict == "intact"
    report = verify(log.active, full=True)
    assert (report.verdict, [finding.kind for finding in report.findings]) == ("tampered", ["segment-altered"])


def test_a_length_that_lies_is_found(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(3)
    size = len(log.read(1)) - 20
    log.seal(bytes=size, blake3=blake3(log.read(1)[:size]).hexdigest(), torn_bytes=20,
             torn_blake3=blake3(log.read(1)[size:]).hexdigest()).fill(2)  # fmt: skip
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert "segment-altered" in {finding.kind for finding in report.findings}
