"""Figures about a log: its segments, their sizes and ranges, its head, how many records there are of each type."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.reader import notices
from jsonl_audit.reader.ends import looks_like_a_record
from jsonl_audit.reader.notices import Notice, Tell
from jsonl_audit.reader.recorded import newest_settings
from jsonl_audit.reader.segments import Opened, Segments
from jsonl_audit.reader.windows import windows
from jsonl_audit.snapshot import Snapshot, resolve

__all__ = ["Info", "SegmentInfo", "info"]


@dataclass(slots=True)
class SegmentInfo:
    """Figures about one segment. What is not known is None."""

    name: str
    number: int | None = None
    active: bool = False
    size: int = 0
    """Of its file in bytes; unpacked, if it was packed."""
    committed: int = 0
    """Up to the end of its last committed record, in bytes."""
    first_seq: int | None = None
    last_seq: int | None = None
    first_ts: str | None = None
    last_ts: str | None = None
    """When its last record was committed."""


@dataclass(slots=True)
class Info:
    """Figures about a log, as it stood at one moment."""

    path: str
    log: str | None = None
    """The log's UUID."""
    segments: list[SegmentInfo] = field(default_factory=list)
    size: int = 0
    """Of all its files, in bytes."""
    first_seq: int | None = None
    last_seq: int | None = None
    first_ts: str | None = None
    last_ts: str | None = None
    head: str | None = None
    """hash of the newest record."""
    purged_through: int | None = None
    """The seq up to which records were purged."""
    settings: dict[str, Any] | None = None
    """Those that it was last written with, as far as it tells them."""
    records: int | None = None
    """How many records are here, the engine's own included; None if types were not counted."""
    types: dict[str, int] | None = None
    """How many there are of each type, most frequent first."""

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain dicts and lists."""
        return asdict(self)


def info(path: str | os.PathLike[str], *, types: bool = True, on_damage: Tell | None = None) -> Info:
    """Figures about a log.

    :param types: also count the records of each type, which reads the whole log.
    :param on_damage: called with a :class:`~jsonl_audit.Notice` for lines that are no records (where types are
        counted) and for what is missing; by default that is a warning.

    Raises StorageError if there is no such log or it cannot be read, NotALogError, NewerFormatError.

    >>> from jsonl_audit import AuditLog
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     receipt = log.append("exec.completed")
    >>> found = info("audit.jsonl")
    >>> found.last_seq, found.head == receipt.hash, found.types
    (2, True, {'audit.segment': 1, 'exec.completed': 1})
    """
    tell = on_damage or notices.warn
    counted: Counter[bytes] = Counter()
    with Snapshot(resolve(path)) as snapshot:
        segments = Segments(snapshot, tell)
        segments.tell_of_active()
        found = Info(snapshot.names.path, settings=newest_settings(segments))
        for opened in segments.walk():
            header = opened.segment.header
            if header is not None:
                found.log = header.log
                found.purged_through = header.purged.last_seq if header.purged else found.purged_through
            active = opened.content is snapshot.active
            found.segments.append(_segment(opened, active, found))
            if types:
                kinds = _count(opened.content, opened.end)
                counted += kinds
                others = sum(count for kind, count in kinds.items() if not _is_type(kind))
                if others:
                    tell(_no_records(opened.segment.path, others))
    found.size = sum(each.size for each in found.segments)
    with_records = [each for each in found.segments if each.last_seq is not None]
    if with_records:
        found.first_seq, found.first_ts = with_records[0].first_seq, with_records[0].first_ts
        found.last_seq, found.last_ts = with_records[-1].last_seq, with_records[-1].last_ts
    if types:
        found.types = {kind.decode(): count for kind, count in counted.most_common() if _is_type(kind)}
        found.records = sum(found.types.values())
    return found


def _segment(opened: Opened, active: bool, found: Info) -> SegmentInfo:
    header = opened.segment.header
    shown = SegmentInfo(
        os.path.basename(opened.segment.path),
        None if header is None else header.segment,
        active,
        opened.content.size,
        opened.end,
    )
    first = _outermost(opened.content, opened.end, reverse=False)
    last = _outermost(opened.content, opened.end, reverse=True)
    if first is not None and last is not None:
        shown.first_seq, shown.first_ts = record.seq_of(first), record.ts_of(first)
        shown.last_seq, shown.last_ts = record.seq_of(last), record.ts_of(last)
        found.head = last[-66:-2].decode("ascii", "replace")
    return shown


def _outermost(content: Content, end: int, *, reverse: bool) -> bytes | None:
    """The first line that is a record, or the last."""
    for window in windows(content, 0, end, first=1 << 12, reverse=reverse):
        pieces = window.data[window.begin : window.cut].split(b"\n")
        for piece in reversed(pieces) if reverse else pieces:
            if looks_like_a_record(piece):
                return piece
    return None


def _count(content: Content, end: int) -> Counter[bytes]:
    """Counts types by where they stand in a line: nothing is parsed, and what is no type is sorted out at the end."""
    counted: Counter[bytes] = Counter()
    for window in windows(content, 0, end):
        pieces = window.data[window.begin : window.cut].split(b"\n")
        pieces.pop()
        counted.update(map(_kind, pieces))
    return counted


def _is_type(kind: bytes) -> bool:
    return record.TYPE.fullmatch(kind.decode("ascii", "replace")) is not None


def _no_records(path: str, lines: int) -> Notice:
    which = "a line that is no record" if lines == 1 else f"{lines:,} lines that are no records"
    message = f"{os.path.basename(path)} holds {which}, not counted; run jsonl-audit verify"
    return Notice("damage", message, path, lines=lines)


def _kind(piece: bytes) -> bytes:
    begin = piece.find(b",", 7, 30) + 88
    if not piece.startswith(b',"type":"', begin - 9):
        return b""
    return piece[begin : piece.find(b'"', begin, begin + 130)]
