"""Any bytes as the files of a log: readers and verifier agree, raise what is documented, and change nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from driver import Folder, descriptors, forget_peak, main, resident
from folders import changed, content_of, lay_out, parts_of, seeds

from jsonl_audit import follow, get, query, tail, verify
from jsonl_audit.errors import LogError, NewerFormatError, NotALogError, StorageError
from jsonl_audit.reader import Notice, info, query_lines
from jsonl_audit.record import ZERO, decode, hash_of, type_of
from jsonl_audit.verifier.report import VERDICTS, Report

MOST = 64 << 20
"""DESIGN: the memory of any read, above what the process had."""
READING = (LogError, StorageError)
"""What reading may raise: docs/reference/errors.md."""
WHOLE = ("intact", "torn")

folder = Folder()
Told = tuple[Any, type[Exception] | None]


def told(call: Callable[[], Any]) -> Told:
    """What a call returns, or the documented error that it raises."""
    try:
        return call(), None
    except READING as error:
        assert str(error)
        return None, type(error)


def read(path: Path, **how: Any) -> tuple[list[dict[str, Any]] | None, type[Exception] | None, list[Notice]]:
    """All records of a log, control records included, and what was passed over."""
    notices: list[Notice] = []
    found, error = told(lambda: [*query(path, control=True, on_damage=notices.append, **how)])
    return found, error, notices


def ways_of_reading(path: Path, records: list[dict[str, Any]]) -> None:
    """What every other way of reading gives, when `query` gives these records."""
    for block in (1, 700):
        assert read(path, block=block)[0] == records, f"block={block}"
    assert read(path, reverse=True)[0] == records[::-1]
    count = len(records)
    for n in (0, 1, count // 2, count + 1):
        given = tail(path, n, control=True, on_damage=_silent)
        assert given == (records[-n:] if n else []), f"tail {n}"
    assert read(path, offset=2, limit=3)[0] == records[2:5]
    lines = [*query_lines(path, control=True, on_damage=_silent)]
    assert [decode(text) for text in lines] == records
    assert [*query_lines(path, on_damage=_silent)] == [text for text in lines if not type_of(text).startswith("audit.")]
    kind = type_of(lines[-1]) if lines else "fuzz.one"
    given = query_lines(path, type=kind[:3] + "*", control=True, on_damage=_silent)
    assert [*given] == [text for text in lines if type_of(text).startswith(kind[:3])]


def in_order(path: Path, records: list[dict[str, Any]]) -> None:
    """What holds only where seqs go up by one: places by seq, single records, a follower."""
    for found in (records[0], records[len(records) // 2], records[-1]):
        assert get(path, found["seq"], on_damage=_silent) == found, found["seq"]
        by_id = get(path, found["id"], on_damage=_silent)
        assert by_id is not None
        assert by_id["id"] == found["id"]
        behind = records[records.index(found) + 1 :]
        after = (found["seq"], found["hash"])
        assert read(path, after=after)[0] == behind
        given = follow(path, after=after, control=True, on_damage=_silent, stop=lambda: True)
        assert [*given] == behind
    for n in (1, 4):
        given = follow(path, n=n, control=True, on_damage=_silent, stop=lambda: True)
        assert [*given] == records[-n:]
    assert get(path, records[-1]["seq"] + 1, on_damage=_silent) is None


def _silent(_: Notice) -> None:
    pass


def against_report(path: Path, report: Report, records: list[dict[str, Any]], notices: list[Notice]) -> None:
    """What a reader gives of a log of which a full verification found nothing wrong."""
    if records and any(note.kind == "purged-prefix" for note in report.notes) and records[0]["seq"] < report.first_seq:
        return  # of what a purge leaves behind until it is done, a reader knows only from a header or the mark
    if any(notice.kind == "older-copy" for notice in notices):
        return  # a reader takes the first copy that has the right end, and says so
    assert len(records) == report.records
    if records:
        assert (records[0]["seq"], records[-1]["seq"]) == (report.first_seq, report.last_seq)
        assert records[-1]["hash"] == report.head
    for text, found in zip(query_lines(path, control=True, on_damage=_silent), records, strict=True):
        assert hash_of(text) == found["hash"]
    if report.verdict in WHOLE:
        first = records[0]["seq"]
        assert [found["seq"] for found in records] == [*range(first, first + len(records))]
        prev = records[0]["prev"] if first > 1 else ZERO
        assert [found["prev"] for found in records] == [prev, *(found["hash"] for found in records[:-1])]
        assert {notice.kind for notice in notices} <= {"older-copy", "not-a-segment"}, notices
    figures = info(path, on_damage=_silent)
    assert figures.records == report.records
    assert (figures.last_seq, figures.head) == (report.last_seq, report.head)
    assert figures.log is not None
    if [found["seq"] for found in records] == sorted({found["seq"] for found in records}):
        in_order(path, records)


def target(data: bytes) -> None:
    path = lay_out(parts_of(data)[1], folder.fresh())
    before, opened = content_of(path.parent), descriptors()
    forget_peak()
    had = resident()

    full, full_error = told(lambda: verify(path, full=True, workers=1))
    quick, quick_error = told(lambda: verify(path, workers=1))
    assert full_error == quick_error
    records, error, notices = read(path)
    _, info_error = told(lambda: info(path, types=False, on_damage=_silent))
    assert (info_error is None) == (error is None), (info_error, error)
    if full is not None:
        assert VERDICTS.index(quick.verdict) <= VERDICTS.index(full.verdict), (quick.findings, full.findings)
        assert full.to_dict()
        assert str(full)
        assert str(quick)
        assert 0 <= full.verified <= full.records
        if full.verdict in (*WHOLE, "incomplete", "empty"):
            assert (quick.records, quick.last_seq, quick.head) == (full.records, full.last_seq, full.head)
    if error is not None:
        assert issubclass(error, NotALogError | NewerFormatError | StorageError), error
        assert full is None or full.verdict not in WHOLE, (full.verdict, error)
    if records is not None:
        ways_of_reading(path, records)
        if full is not None and full.verdict in (*WHOLE, "incomplete") and records:
            against_report(path, full, records, notices)

    grown = resident(peak=True) - had
    assert grown <= MOST, f"{grown >> 20} MiB of memory"
    assert descriptors() == opened, "a file is left open"
    assert content_of(path.parent) == before, "reading changed a file"


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(target, seeds(), changed)
