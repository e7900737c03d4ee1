"""One record, by its seq or by its id."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from jsonl_audit import instants, record
from jsonl_audit.errors import QueryError
from jsonl_audit.forms import shown
from jsonl_audit.reader import cursor, notices, places
from jsonl_audit.reader.filters import NotARecordError, Selection
from jsonl_audit.reader.matches import Match, in_part, matches
from jsonl_audit.reader.newest import Newest
from jsonl_audit.reader.notices import Tell
from jsonl_audit.reader.segments import Segments
from jsonl_audit.snapshot import Snapshot, resolve

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["get", "get_line"]

_SLACK = 10 * 10**6
"""An id that the writer made, and the record's ts, are less than this apart, in microseconds, unless a clock jumped."""


def get(
    path: str | os.PathLike[str], which: int | str | UUID, *, on_damage: Tell | None = None
) -> dict[str, Any] | None:
    """The record with this seq (a number) or this id (a UUID); None if there is none.

    A seq is found by bisection. So is an id that the writer made, since it begins with the time; any other id is
    searched for. Control records are found too. Raises QueryError for what is neither, and what :func:`query` raises.

    >>> from jsonl_audit import AuditLog
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     receipt = log.append("exec.completed", outcome="success")
    >>> get("audit.jsonl", receipt.seq) == get("audit.jsonl", receipt.id)
    True
    """
    text = get_line(path, which, on_damage=on_damage)
    return None if text is None else Newest(path, on_damage or notices.warn)(record.decode(text))


def get_line(
    path: str | os.PathLike[str], which: int | str | UUID, *, on_damage: Tell | None = None
) -> bytes | None:
    """As :func:`get`, but the line as it stands on disk, LF included."""
    seq, own_id = _which(which)
    tell = on_damage or notices.warn
    with Snapshot(resolve(path)) as snapshot:
        segments = Segments(snapshot, tell)
        segments.tell_of_active()
        found = _by_seq(segments, seq) if own_id is None else _by_id(segments, own_id, tell)
    return None if found is None else found.piece + b"\n"


def _which(which: int | str | UUID) -> tuple[int, str | None]:
    """A seq, or an id."""
    try:
        word = str(which).strip().lower()
    except Exception:  # noqa: BLE001 - a stranger's own code, or more digits than Python writes
        word = ""
    if record.UUID.fullmatch(word):
        return 0, word
    if re.fullmatch("[0-9]{1,19}", word):
        return int(word), None
    raise QueryError(f"{shown(which):.60} is no seq (a whole number) and no id (a UUID)", actual=which)


def _by_seq(segments: Segments, seq: int) -> Match | None:
    text = cursor.line_of(segments, seq)
    if text is None or record.seq_of(text) != seq:
        return None
    try:
        found = Selection({"control": True}).match(text[:-1])
    except NotARecordError:
        return None
    return None if found is None else Match(text[:-1], found)


def _by_id(segments: Segments, own_id: str, tell: Tell) -> Match | None:
    selection = Selection({"control": True})
    selection.needles.append((b'"id":"%b","type":"' % own_id.encode(),))
    around = _around(segments, selection, own_id) if own_id[14] == "7" else iter(())
    everywhere = matches(segments, selection, tell, reverse=True)
    for match in chain(around, everywhere):
        if match is not None and match.record["id"] == own_id:
            return match
    return None


def _around(segments: Segments, selection: Selection, own_id: str) -> Iterator[Match | None]:
    """What was committed around the time that an id begins with."""
    us = int(own_id[:8] + own_id[9:13], 16) * 1000
    since, until = instants.text(us - _SLACK), instants.text(us + _SLACK)
    for opened in segments.walk(segments.index_at(since)):
        header = opened.segment.header
        if header is not None and header.ts > until:
            return
        start = places.first_at_ts(opened.content, 0, opened.end, since.encode())
        stop = places.first_at_ts(opened.content, start, opened.end, until.encode())
        yield from in_part(
            opened.content, start, stop, selection, lambda _: None, needles=selection.needles
        )
