"""The end of a log is found from its end, and a place in it without reading what lies before."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reads import STEPS, seqs, written

from jsonl_audit import AuditLog, query, storage, tail


@given(steps=STEPS, n=st.integers(0, 30), block=st.sampled_from([1, 64, 1000, 1 << 20]), torn=st.booleans())
def test_tail_is_the_end_of_a_full_scan(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any], n: int, block: int, torn: bool
) -> None:
    directory = tmp_path_factory.mktemp("tail")
    log = written(directory, steps)
    if torn:
        log.raw(b'{"seq":99,"ts":"20')
    everything = list(query(log.active, control=True))
    assert [each["seq"] for each in everything] == list(range(1, log.seq + 1))
    assert tail(log.active, n, control=True, block=block) == (everything[-n:] if n else [])
    filtered = [each for each in everything if each["type"] == "kind.1"]
    assert tail(log.active, n, type="kind.1", block=block) == (filtered[-n:] if n else [])
    shutil.rmtree(directory)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all reads from files, as they happen."""
    sizes: list[int] = []
    real = storage.read

    def counted(fd: int, offset: int, count: int) -> bytes:
        data = real(fd, offset, count)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(storage, "read", counted)
    return sizes


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 12 MB in segments of 1 MiB, cleanly closed."""
    path = tmp_path_factory.mktemp("large") / "audit.jsonl"
    with AuditLog(path, max_bytes=2**20, fsync="never") as log:
        for part in range(12):
            details = [{"n": number, "text": "y" * 700} for number in range(part * 1000, part * 1000 + 1000)]
            log.append_group([{"type": "x", "details": each} for each in details])
    return path


def test_tail_reads_only_the_end(large: Path, reads: list[int]) -> None:
    assert len(tail(large, 10)) == 10
    assert sum(reads) < 200_000


def test_a_seq_is_found_without_reading_what_lies_before(large: Path, reads: list[int]) -> None:
    assert seqs(large, after=7000, limit=1) == [7001]
    assert sum(reads) < 400_000


def test_segments_are_passed_over_by_the_ranges_in_their_headers(large: Path, reads: list[int]) -> None:
    last = tail(large, 1)[0]
    reads.clear()
    assert [found["seq"] for found in query(large, since=last["ts"])][-1] == last["seq"]
    assert sum(reads) < 2_500_000
    reads.clear()
    assert seqs(large, until="2001-01-01") == []
    assert sum(reads) < 2_000_000


def test_memory_stays_flat_over_a_whole_log(large: Path) -> None:
    def peak(found: Iterator[Any]) -> int:
        tracemalloc.start()
        for _ in found:
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(query(large)) < 8_000_000
    assert peak(query(large, reverse=True)) < 8_000_000
    assert peak(query(large, where={"details.text": "nowhere"})) < 8_000_000
