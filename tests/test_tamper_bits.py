"""Any flipped bit of a log is found, in its own line, and only the very last one can be taken for a crash."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest
from logs import Log, build

from jsonl_audit.verifier import Report, verify

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """Three segments, with a batch and a record with a time of its own among the others."""
    made = build(tmp_path_factory.mktemp("flips"), segments=2, events=1)
    made.batch([{"n": 1}, {"n": 2}])
    made.seal().add("last.segment", time="2026-11-21T10:11:12Z")
    return made.fill(1)


def flips(log: Log, number: int, bits: range | None = None) -> Iterator[tuple[int, int, Report]]:
    """A report for each offset of a segment with one bit flipped (`bits`: with each of those), and its line."""
    chance = random.Random(number)
    data = log.read(number)
    starts = [0, *accumulate(map(len, log.lines(number)))]
    try:
        for offset in range(len(data)):
            for bit in [chance.randrange(8)] if bits is None else bits:
                log.flip(number, offset, bit)
                yield offset, bisect_right(starts, offset), verify(log.active, full=offset % 2 == 0)
                log.write(number, data)
    finally:
        log.write(number, data)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_flipped_bit_at_any_offset_is_found_in_its_line(log: Log, number: int) -> None:
    name, last = log.paths[number - 1].name, len(log.read(number)) - 1
    for offset, line, report in flips(log, number):
        if (number, offset) == (3, last):  # the end of the last line: it can as well never have been written
            assert (report.verdict, [finding.kind for finding in report.findings]) == ("torn", ["torn-tail"])
            continue
        assert report.verdict == "tampered", offset
        kinds = {finding.kind for finding in report.findings if (finding.segment, finding.line) == (name, line)}
        assert kinds & {"record-modified", "malformed-line"}, (offset, report.findings)
        assert {finding.segment for finding in report.findings} <= {name} | {
            path.name for path in log.paths[number : number + 1]
        }
        assert report.verified < report.records or "malformed-line" in kinds
        assert report.corrupted


def test_each_bit_of_a_header_and_of_a_record_is_found(log: Log, tmp_path: Path) -> None:
    small = build(tmp_path, segments=1, events=1)
    found = [report.verdict for _, _, report in flips(small, 1, range(8))]
    assert len(found) == 8 * len(small.read(1))
    assert set(found[:-8]) == {"tampered"}
    assert set(found[-8:]) == {"torn"}


def test_the_log_is_whole_again_when_the_bit_is(log: Log) -> None:
    report = verify(log.active, full=True)
    assert (report.verdict, report.findings, report.corrupted) == ("intact", (), ())
    assert report.records == report.verified == log.seq


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_cut_at_any_byte_is_never_called_whole_but_between_two_records_at_the_end(log: Log, number: int) -> None:
    data = log.read(number)
    ends = list(accumulate(map(len, log.lines(number))))
    batch = [end for end, line in zip(ends, log.lines(number), strict=True) if b'"batch":[1,2]' in line]
    try:
        for size in range(1, len(data), 3):
            log.write(number, data[:size])
            report = verify(log.active, full=size % 2 == 0)
            if number < 3 or size < ends[0]:
                assert report.verdict == "tampered", size
            elif size in ends and size not in batch:
                assert report.verdict == "intact", size  # nothing in the log itself can tell
            else:
                assert report.verdict == "torn", size
        for size in ends[:-1]:
            log.write(number, data[:size])
            assert verify(log.active).verdict == ("intact" if number == 3 else "tampered")
    finally:
        log.write(number, data)
