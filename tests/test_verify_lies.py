"""What a header says of the segment before it, where that is not so; and harm that no single byte or line is.

That whatever is done to a byte, a line or a file is found, tests/test_tampering.py holds.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from blake3 import blake3
from logs import Log, build, rehashed

from jsonl_audit import record
from jsonl_audit.verifier import Report, verify

EVENTS = 4


@pytest.fixture(params=[False, True], ids=["quick", "full"])
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return build(tmp_path, segments=3, events=EVENTS)


def kinds(report: Report) -> list[str]:
    return [finding.kind for finding in report.findings]


def test_a_whole_sealed_segment_rewritten_and_chained_anew_is_found(log: Log, full: bool) -> None:
    lines, prev = [], log.lines(1)[-1][-67:-3]
    for line in log.lines(2):
        changed = line.replace(b"test.event", b"tost.event")
        lines.append(rehashed(changed[:-141] + prev + changed[-77:]))
        prev = lines[-1][-67:-3]
    log.write(2, lines)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert set(kinds(report)) == {"segment-altered", "chain-broken"}


def test_line_ends_rewritten_by_a_careless_copy_are_found(log: Log, full: bool) -> None:
    for number in (1, 2, 3):
        log.write(number, log.read(number).replace(b"\n", b"\r\n"))
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert report.verified == 0


def test_records_written_on_to_a_sealed_segment_are_another_history(log: Log, full: bool) -> None:
    before = log.lines(2)[-1]
    seq = record.seq_of(before) + 1
    more, _, _ = record.line(seq, record.ts_of(before), record.encode({"type": "more"}), before[-67:-3].decode())
    log.write(2, log.read(2) + more)
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert set(kinds(report)) == {"segment-altered", "fork"}
    assert seq in report.chain_breaks


def test_a_digest_that_lies_is_found(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(2)
    log.seal(blake3=blake3(b"something else").hexdigest()).fill(2)
    report = verify(log.active, full=full)
    assert (report.verdict, kinds(report)) == ("tampered", ["segment-altered"])


@pytest.mark.parametrize("lie", [{"first_seq": 2}, {"last_seq": 2}])
def test_seqs_that_lie_are_found(tmp_path: Path, full: bool, lie: dict[str, int]) -> None:
    log = Log(tmp_path).fill(2)
    log.seal(**lie).fill(2)
    report = verify(log.active, full=full)
    assert (report.verdict, kinds(report)) == ("tampered", ["segment-altered"])


def test_a_range_of_times_that_lies_is_found_by_a_full_verification(tmp_path: Path) -> None:
    log = Log(tmp_path).fill(2)
    log.seal(time=("2027-01-15T08:00:01.000000Z", "2027-01-15T08:00:01.500000Z")).fill(2)
    assert verify(log.active).verdict == "intact"
    report = verify(log.active, full=True)
    assert (report.verdict, kinds(report)) == ("tampered", ["segment-altered"])


def test_a_count_of_times_that_lies_is_found_by_a_full_verification(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add(time="2027-01-15T08:00:01Z")
    log.seal(timed=0).fill(2)
    assert verify(log.active).verdict == "intact"
    report = verify(log.active, full=True)
    assert (report.verdict, kinds(report)) == ("tampered", ["segment-altered"])


def test_a_length_that_lies_is_found(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path).fill(3)
    size = len(log.read(1)) - 20
    log.seal(bytes=size, blake3=blake3(log.read(1)[:size]).hexdigest(), torn_bytes=20,
             torn_blake3=blake3(log.read(1)[size:]).hexdigest()).fill(2)  # fmt: skip
    report = verify(log.active, full=full)
    assert report.verdict == "tampered"
    assert "segment-altered" in set(kinds(report))
