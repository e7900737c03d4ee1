"""What is not committed is not shown, and what is damaged is skipped and told; no bytes make a reader fail."""

from __future__ import annotations

import errno
import shutil
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logs import Log, build
from reads import seqs, told

from jsonl_audit import AuditError, AuditLog, ReadWarning, StorageError, get, query, record, storage, tail
from jsonl_audit.reader import info
from jsonl_audit.scan import Walk


def _begin_batch(log: Log, done: int, count: int) -> None:
    for number in range(1, done + 1):
        log._put(record.encode({"type": "batched"}), batch=(number, count))


_TORN_ENDS: dict[str, Callable[[Log], Any]] = {
    "a piece": lambda log: log.raw(log.lines(1)[-1][:100]),
    "a whole line but its LF": lambda log: log.raw(log.lines(1)[-1][:-1]),
    "NUL bytes to the end": lambda log: log.raw(bytes(700)),
    "a batch without its last record": lambda log: _begin_batch(log, 2, 3),
    "a batch and a piece": lambda log: [_begin_batch(log, 1, 2), log.raw(b'{"seq":')],
}


@pytest.mark.parametrize("end", _TORN_ENDS)
@pytest.mark.parametrize("block", [1, 50, 1 << 20])
def test_a_torn_end_is_not_shown(log_dir: Path, end: str, block: int) -> None:
    log = build(log_dir, segments=1, events=4)
    _TORN_ENDS[end](log)
    found, notices = told(log.active, block=block)
    assert found == [1, 2, 3, 4, 5]
    assert seqs(log.active, block=block, reverse=True) == found[::-1]
    assert notices == []


def test_a_batch_is_shown_once_its_last_record_is_there(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=1)
    _begin_batch(log, 2, 3)
    assert seqs(log.active) == [1, 2]
    log._put(record.encode({"type": "batched"}), batch=(3, 3))
    assert seqs(log.active) == [1, 2, 3, 4, 5]


def test_a_hole_voids_all_behind_it(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=2)
    hole = 512 - log.active.stat().st_size % 512 + 512
    log.raw(bytes(hole))
    log.raw(b"\n")
    log.fill(3)
    assert seqs(log.active) == [1, 2, 3]
    assert seqs(log.active, reverse=True) == [3, 2, 1]
    assert tail(log.active, 1)[0]["seq"] == 3


def test_a_hole_may_be_longer_than_any_window(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=2)
    end = log.active.stat().st_size
    log.raw(b"x" * (512 - end % 512) + bytes(3 << 20) + b"\n")
    log.fill(3)
    assert seqs(log.active) == [1, 2, 3]
    assert seqs(log.active, reverse=True) == [3, 2, 1]


def test_nul_bytes_that_no_lost_block_leaves_are_damage(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=2)
    log.raw(b"x" * (2 << 20) + bytes(7) + b"y" * (2 << 20) + b"\n")
    log.fill(2)
    found, notices = told(log.active)
    assert found == [1, 2, 3, 4, 5]
    assert [notice.line for notice in notices] == [4]


@pytest.mark.parametrize("before", [0, 1, 2])
def test_damage_in_an_unfinished_batch_does_not_make_it_whole(log_dir: Path, before: int) -> None:
    log = build(log_dir, segments=1, events=2)
    _begin_batch(log, before, 4)
    log.raw(b"rubbish\n")
    log._put(record.encode({"type": "batched"}), batch=(before + 2, 4)) if before < 2 else log.raw(b"more\n")
    assert seqs(log.active, on_damage=lambda _: None) == [1, 2, 3]


def test_before_what_the_mark_promises_a_hole_is_damage(log_dir: Path) -> None:
    path = log_dir / "audit.jsonl"
    with AuditLog(path, fsync="always") as log:
        log.append_group([{"type": "x", "details": "y" * 600}] * 9)
    data = bytearray(path.read_bytes())
    begin = 512 * (len(data) // 1024)
    data[begin : begin + 512] = bytes(512)
    with path.open("r+b") as file:  # the same file: the mark is of it
        file.write(data)
    found, notices = told(path)
    assert found[0] == 1
    assert found[-1] == 10
    assert len(found) < 10
    assert [notice.kind for notice in notices] == ["damage"]
    copy = log_dir / "copy.jsonl"
    copy.write_bytes(data)
    assert seqs(copy) == [seq for seq, following in pairwise([*found, 99]) if seq == found.index(seq) + 1]


def test_what_lies_behind_the_end_that_the_next_header_gives_does_not_count(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=3)
    _begin_batch(log, 1, 2)
    end = sum(map(len, log.lines(1)[:4]))
    log.seq, log.head = 4, log.lines(1)[3][-67:-3].decode()
    log._size = end
    log.seal().fill(2)
    assert seqs(log.active) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("block", [1, 300, 1 << 20])
def test_damaged_lines_are_skipped_and_told_once_with_their_place(log_dir: Path, block: int, reverse: bool) -> None:
    log = build(log_dir, segments=1, events=6)
    log.insert_line(1, 2, b"not a record\n")
    log.insert_line(1, 3, b"\n")
    log.change(1, 6, b'{"seq":5', b'{"seq":?')
    found, notices = told(log.active, block=block, reverse=reverse)
    assert found == ([7, 6, 4, 3, 2, 1] if reverse else [1, 2, 3, 4, 6, 7])
    assert sorted(map(str, notices)) == [
        "line 7 of audit.jsonl is no record, skipped; run jsonl-audit verify",
        "lines 3 to 4 of audit.jsonl are no records, skipped; run jsonl-audit verify",
    ]
    first = min(notices, key=lambda notice: notice.offset or 0)
    assert (first.line, first.lines, first.bytes) == (3, 2, 14)
    assert log.read(1)[first.offset :].startswith(b"not a record\n\n")


def test_damage_is_a_warning_unless_somebody_is_told(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=1)
    log.raw(b"x\n")
    with pytest.warns(ReadWarning, match=r"^line 3 of audit\.jsonl is no record"):
        list(query(log.active))


def test_a_line_longer_than_any_record_is_skipped_in_bounded_memory(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=2)
    with log.active.open("ab") as file:
        for _ in range(40):
            file.write(b"x" * 1_000_000)
        file.write(b"\n")
    log.fill(2)
    for reverse in (False, True):
        tracemalloc.start()
        found, notices = told(log.active, reverse=reverse)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found == ([5, 4, 3, 2, 1] if reverse else [1, 2, 3, 4, 5])
        assert [(notice.line, notice.bytes) for notice in notices] == [(4, 40_000_001)]
        assert peak < 40_000_000
    assert seqs(log.active, after=4) == [5]


def test_a_long_line_within_the_limit_is_read(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=1)
    log.control("audit.test", {"text": "x" * 3_000_000})
    log.fill(1)
    for block in (1, 1000, 1 << 20):
        assert seqs(log.active, block=block) == [1, 2, 3, 4]
        assert seqs(log.active, block=block, reverse=True) == [4, 3, 2, 1]
    assert seqs(log.active, after=2) == [3, 4]
    assert seqs(log.active, after=3) == [4]


@pytest.mark.exhaustive
@given(st.data())
def test_any_damage_leaves_records_or_a_documented_error(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    directory = tmp_path_factory.mktemp("damage")
    log = build(directory, segments=2, events=3)
    number = data.draw(st.integers(1, 2))
    content = bytearray(log.read(number))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        end = at + data.draw(st.sampled_from([0, 1, 7, 512, 5000]))
        content[at:end] = data.draw(st.binary(max_size=20) | st.just(bytes(512)) | st.just(b"\n"))
    log.write(number, bytes(content))
    _reads_or_says_why(log.active)
    shutil.rmtree(directory)


_PIECES = st.sampled_from([b"{", b"\n", b"\0" * 512, b'{"seq":1,"ts":"', b"\r\n", b"\xff"])


@given(content=st.binary(max_size=2000) | st.lists(_PIECES, max_size=9).map(b"".join))
def test_any_bytes_at_the_path_are_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    directory = tmp_path_factory.mktemp("bytes")
    (directory / "audit.jsonl").write_bytes(content)
    _reads_or_says_why(directory / "audit.jsonl")
    shutil.rmtree(directory)


def _reads_or_says_why(path: Path) -> None:
    try:
        forwards = told(path)[0]
    except AuditError:
        return
    for block in (1, 700):
        assert told(path, block=block)[0] == forwards
        assert told(path, block=block, reverse=True)[0] == forwards[::-1]


@given(cut=st.integers(0, 1500), hole=st.booleans(), batch=st.booleans())
def test_the_end_is_where_a_walk_finds_it(
    tmp_path_factory: pytest.TempPathFactory, cut: int, hole: bool, batch: bool
) -> None:
    directory = tmp_path_factory.mktemp("end")
    log = build(directory, segments=1, events=2)
    if batch:
        log.batch([{"type": "x"}, {"type": "y"}, {"type": "z"}])
    content = log.read(1)
    content = content[: max(len(content) - cut, len(log.lines(1)[0]))]
    if hole:
        content += bytes(1024 - len(content) % 512) + b"\n" + log.lines(1)[-1]
    log.write(1, content)
    walk = Walk(strict=False)
    walk.feed(content)
    walk.finish()
    assert len(told(log.active)[0]) == walk.records
    shutil.rmtree(directory)


# -- a file that cannot be read, or is none -------------------------------------------------------


def test_what_only_has_the_name_of_a_segment_is_passed_over_and_told(log_dir: Path) -> None:
    log = build(log_dir, segments=2, events=2)
    stray = log_dir / log.names.sealed("20200101T000000000000Z")
    stray.mkdir()
    found, notices = told(log.active)
    assert found == [1, 2, 3, 4, 5, 6]
    assert [(notice.kind, notice.path) for notice in notices] == [("not-a-segment", str(stray))]


def test_a_segment_that_cannot_be_read_stops_only_who_needs_it(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = build(log_dir, segments=3, events=3)
    unreadable = str(log.paths[1])

    def refused(path: str, real: Callable[[str], int] = storage.open_read) -> int:
        if path == unreadable:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(storage, "open_read", refused)
    assert [each["seq"] for each in tail(log.active, 3)] == [10, 11, 12]
    with pytest.raises(StorageError, match="Permission denied") as caught:
        seqs(log.active)
    assert caught.value.path == unreadable


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_a_missing_active_file_is_told(log_dir: Path, left: str) -> None:
    log = build(log_dir, segments=2, events=2)
    log.drop(2)
    if left != "nothing":
        log.active.touch()
    found, notices = told(log.active)
    assert found == [1, 2, 3]
    assert [notice.kind for notice in notices] == ["active-missing"]
    with pytest.warns(ReadWarning, match="not here, or is empty"):
        assert info(log.active).last_seq == 3
    with pytest.warns(ReadWarning, match="not here, or is empty"):
        assert get(log.active, 3) is not None


def test_records_before_a_segment_whose_header_is_damaged_are_found_by_their_seq(tmp_path: Path) -> None:
    """A search by the headers must not take a segment that says nothing for one that begins before what is sought."""
    log = build(tmp_path, segments=3, events=3)
    path = log.paths[1]
    path.write_bytes(path.read_bytes().replace(b'"writer"', b'"waiter"', 1))
    notices: list[object] = []
    whole = seqs(log.active, on_damage=notices.append)
    assert len(whole) == log.seq
    for seq in whole:
        found = get(log.active, seq, on_damage=notices.append)
        assert found is not None
        assert found["seq"] == seq
        assert seqs(log.active, after=seq, on_damage=notices.append) == whole[seq:]
