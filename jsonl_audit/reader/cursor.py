"""A cursor says how far somebody has read: a seq, and its hash, by which it is known again in a log that changed."""

from __future__ import annotations

import re
from typing import Any

from jsonl_audit import record
from jsonl_audit.errors import QueryError, WrongLogError
from jsonl_audit.forms import shown
from jsonl_audit.reader import places
from jsonl_audit.reader.segments import Segments
from jsonl_audit.reader.windows import windows

__all__ = ["check", "line_of", "parse"]


def parse(after: Any) -> tuple[int, str | None]:
    """A seq, or a seq with its hash. Raises QueryError for anything else.

    >>> parse(7), parse((7, "0" * 64)) == (7, "0" * 64)
    ((7, None), True)
    """
    seq, known = after if isinstance(after, (tuple, list)) and len(after) == 2 else (after, None)
    if not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
        raise QueryError(
            f"after is the seq of a record, 0 for all, or (seq, hash), not {shown(after):.100}", actual=after
        )
    if known is not None and not (isinstance(known, str) and re.fullmatch("[0-9a-f]{64}", known)):
        raise QueryError(f"after: {shown(known):.80} is no hash: 64 hexadecimal digits in lower case", actual=known)
    return seq, known


def line_of(segments: Segments, seq: int) -> bytes | None:
    """The first line, LF included, whose seq is `seq` or higher; None if there is none."""
    for opened in segments.walk(segments.index_of(seq)):
        start = places.first_at_seq(opened.content, 0, opened.end, seq)
        for window in windows(opened.content, start, opened.end, first=1 << 12):
            if window.cut:
                return window.data[: window.data.find(b"\n") + 1]
    return None


def check(segments: Segments, seq: int, known: str) -> None:
    """Raises WrongLogError where record `seq` is not in this log with the hash `known`, QueryError where it is gone."""
    path = segments.names.path
    text = line_of(segments, seq) if seq else None
    if seq == 0:
        text = line_of(segments, 1)
        if known != record.ZERO:
            raise QueryError("after: seq 0 stands before the first record; its hash is 64 zeros", actual=known)
    if text is None:
        raise WrongLogError(
            f"the log ends before the record with seq {seq} that was read from it: it was cut, rolled back or "
            "replaced; run jsonl-audit verify",
            path=path,
            seq=seq,
            expected=known,
        )
    here = record.seq_of(text)
    if here == seq:
        found = text[-67:-3].decode("ascii", "replace")
    elif here == seq + 1:
        found = record.prev_of(text)
    else:
        raise QueryError(
            f"the log begins at seq {here}: what stood behind seq {seq} is not here any more; "
            f"read on with after={here - 1}",
            path=path,
            seq=seq,
        )
    if found != known:
        raise WrongLogError(
            f"the record with seq {seq} is not the one that was read: the log was replaced or rewritten; "
            "run jsonl-audit verify",
            path=path,
            seq=seq,
            expected=known,
            actual=found,
        )
