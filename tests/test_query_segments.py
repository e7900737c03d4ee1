"""Segments are read in the order of their headers: packed, missing, copied, or going away meanwhile."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from logs import build, rehashed
from reads import seqs, told

from jsonl_audit import AuditError, NewerFormatError, StorageError, query, record, storage


def test_packed_segments_are_read_as_what_they_hold(log_dir: Path) -> None:
    log = build(log_dir, segments=4)
    zstandard = pytest.importorskip("zstandard")
    _pack(log.paths[0], ".gz", gzip.compress)
    _pack(log.paths[1], ".zst", zstandard.ZstdCompressor().compress)
    assert seqs(log.active) == list(range(1, 25))
    assert seqs(log.active, reverse=True, after=3) == list(range(24, 3, -1))
    assert seqs(log.active, after=8, limit=1) == [9]
    log.paths[0].with_name(log.paths[0].name + ".gz").write_bytes(b"\x1f\x8b\x08nonsense")
    with pytest.raises(AuditError, match="broken"):
        seqs(log.active)


def _pack(path: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    path.with_name(path.name + suffix).write_bytes(pack(path.read_bytes()))
    path.unlink()


def test_a_segment_packed_while_it_is_waited_for_is_found_under_its_new_name(log_dir: Path) -> None:
    log = build(log_dir, segments=3)
    found = query(log.active, control=True)
    assert next(found)["seq"] == 1
    _pack(log.paths[1], ".gz", gzip.compress)
    assert [each["seq"] for each in found] == list(range(2, 19))


def test_segments_purged_while_they_are_waited_for_are_passed_over(log_dir: Path) -> None:
    log = build(log_dir, segments=4)
    backwards = query(log.active, control=True, reverse=True)
    assert next(backwards)["seq"] == 24
    log.drop(1)
    log.drop(2)
    assert [each["seq"] for each in backwards] == list(range(23, 12, -1))


def test_a_missing_segment_is_told(log_dir: Path) -> None:
    log = build(log_dir, segments=4)
    log.drop(2)
    log.drop(3)
    for reverse in (False, True):
        found, notices = told(log.active, reverse=reverse)
        assert sorted(found) == [*range(1, 7), *range(19, 25)]
        assert [str(each) for each in notices] == [
            "segments 2 to 3 are not here: records are missing; run jsonl-audit verify"
        ]


def test_a_sealed_segment_that_was_cut_is_told(log_dir: Path) -> None:
    log = build(log_dir, segments=2)
    log.cut(1, len(b"".join(log.lines(1)[:4])) + 10)
    found, notices = told(log.active)
    assert found == [1, 2, 3, 4, *range(7, 13)]
    assert [notice.kind for notice in notices] == ["segment-altered"]


def test_order_is_decided_by_headers_where_names_say_otherwise(log_dir: Path) -> None:
    log = build(log_dir, segments=4)
    first, second = log.paths[0], log.paths[1]
    late = first.with_name("audit.20990101T000000000000Z.jsonl")
    first.rename(late)
    assert seqs(log.active) == list(range(1, 25))
    assert seqs(log.active, reverse=True) == list(range(24, 0, -1))
    assert seqs(log.active, after=3, limit=2) == [4, 5]
    second.rename(first)
    assert seqs(log.active) == list(range(1, 25))


def test_of_two_files_with_one_number_the_one_that_the_next_goes_on_from_is_read(log_dir: Path) -> None:
    log = build(log_dir, segments=3)
    older = log.paths[1].with_name("audit.20200101T000000000000Z.jsonl")
    older.write_bytes(b"".join(log.lines(2)[:3]))
    found, notices = told(log.active)
    assert found == list(range(1, 19))
    assert [notice.kind for notice in notices] == ["older-copy"]


def test_records_of_one_instant_in_two_segments_are_all_found(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=2)
    log.us -= 1_000_000  # the clock had stepped back: ts stands still
    log.seal(timed=0)
    log.us -= 1_000_000
    log.add()
    log.seal(timed=0).fill(1)
    instant = record.ts_of(log.lines(1)[-1])
    assert {record.ts_of(line) for line in (log.lines(1)[-1], *log.lines(2))} == {instant}
    assert seqs(log.active, since=instant) == [3, 4, 5, 6, 7]


def test_a_segment_of_another_log_is_left_out_and_told(log_dir: Path) -> None:
    log = build(log_dir, segments=2)
    other = build(log_dir / "other", segments=2, log="0190c0de-0000-7000-8000-00000000ffff")
    other.paths[0].rename(log_dir / "audit.20200101T000000000000Z.jsonl")
    found, notices = told(log.active)
    assert found == list(range(1, 13))
    assert [notice.kind for notice in notices] == ["foreign-segment"]


def test_leftovers_of_a_purge_are_ignored(log_dir: Path) -> None:
    log = build(log_dir, segments=3).purge(1, unlink=False)
    log.seal().fill(1)
    assert seqs(log.active)[0] == 7


def test_a_log_whose_header_is_damaged_is_read_as_far_as_it_goes(log_dir: Path) -> None:
    log = build(log_dir, segments=3)
    log.change(3, 0, b"audit.segment", b"audit.segmenT")
    assert seqs(log.active) == list(range(1, 19))
    log.change(2, 0, b"audit.segment", b"audit.segmenT")
    assert seqs(log.active) == list(range(1, 19))
    assert seqs(log.active, after=13, limit=1) == [14]


def test_a_segment_that_may_not_be_read_is_an_error_that_names_it(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = build(log_dir, segments=3)
    real = storage.open_read

    def refused(path: str) -> int:
        if path == str(log.paths[0]):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    monkeypatch.setattr(storage, "open_read", refused)
    with pytest.raises(StorageError, match="cannot be read: Permission denied") as caught:
        seqs(log.active)
    assert (caught.value.path, caught.value.errno) == (str(log.paths[0]), errno.EACCES)


def test_a_segment_of_a_later_format_is_an_error_that_names_it(log_dir: Path) -> None:
    log = build(log_dir, segments=3)
    lines = log.lines(1)
    lines[0] = rehashed(lines[0].replace(b'"format":1', b'"format":2'))
    log.write(1, lines)
    with pytest.raises(NewerFormatError) as caught:
        seqs(log.active)
    assert caught.value.path == str(log.paths[0])


def test_a_sealed_name_over_something_else_is_passed_over_and_told(log_dir: Path) -> None:
    log = build(log_dir, segments=2)
    (log_dir / "audit.20200101T000000000000Z.jsonl").write_bytes(b"hello\nworld\n")
    (log_dir / "audit.20990101T000000000000Z.jsonl").touch()
    for reverse in (False, True):
        found, notices = told(log.active, reverse=reverse)
        assert sorted(found) == list(range(1, 13))
        assert [str(notice)[:54] for notice in notices] == ["lines 1 to 2 of audit.20200101T000000000000Z.jsonl are"]


@pytest.mark.parametrize("always", [False, True])
def test_a_directory_listed_while_segments_are_sealed_leaves_no_gap(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch, always: bool
) -> None:
    log = build(log_dir, segments=2, events=2)
    real, asked = storage.list_directory, []

    def late(directory: str) -> list[str]:
        if asked and not always:
            return real(directory)
        asked.append(directory)
        log.fill(1).seal().fill(2).seal().fill(2)
        return [name for name in real(directory) if name != log.paths[-3].name]  # the first of the two is overlooked

    monkeypatch.setattr(storage, "list_directory", late)
    found, notices = told(log.active)
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= 6
    assert notices == []
