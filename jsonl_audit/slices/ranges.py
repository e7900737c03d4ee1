"""Which records are meant: from a seq or a time to a seq or a time, in the log as it stands."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from jsonl_audit import record
from jsonl_audit.errors import QueryError
from jsonl_audit.forms import shown
from jsonl_audit.reader import cursor
from jsonl_audit.reader.filters import Selection
from jsonl_audit.reader.matches import matches
from jsonl_audit.reader.notices import Tell
from jsonl_audit.reader.segments import Segments

__all__ = ["Bound", "Range", "bound", "find"]

_SEQ = re.compile(r"seq:([0-9]{1,18})|([0-9]{1,9})", re.ASCII)


class Bound(NamedTuple):
    """One end of a range: a seq, a time in any form that the filters take, or neither."""

    seq: int | None
    time: Any


class Range(NamedTuple):
    """The records from `first` to `last`, both of them in it; `lowest` and `highest` are those of the whole log."""

    first: int
    last: int
    lowest: int
    highest: int


def bound(name: str, value: Any) -> Bound:
    """What a caller gave. A text of nine digits at most is a seq, as ``seq:`` and any number is; any other is a time.

    Raises QueryError for what is neither.

    >>> bound("since", "42"), bound("since", "seq:1763798400"), bound("until", None)
    (Bound(seq=42, time=None), Bound(seq=1763798400, time=None), Bound(seq=None, time=None))
    >>> bound("until", "2026-11-22")
    Bound(seq=None, time='2026-11-22')
    """
    if value is None:
        return Bound(None, None)
    found = _SEQ.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        value = int(found[1] or found[2])
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise QueryError(f"{name}: seqs are counted from 1, and {shown(value):.40} is below", actual=value)
        return Bound(value, None)
    Selection({name: value})  # says what is wrong with a time
    return Bound(None, value)


def find(segments: Segments, since: Bound, until: Bound, tell: Tell) -> Range | None:
    """The records that are meant, whole batches of them; None where there are none.

    A time means the records of any type from the first to the last whose effective time fits, and all between them.
    """
    lowest, highest = _end(segments, {}, tell), _end(segments, {}, tell, reverse=True)
    if lowest is None or highest is None:
        return None
    times = {name: each.time for name, each in (("since", since), ("until", until)) if each.time is not None}
    first = _end(segments, times, tell) if since.time is not None else max(since.seq or 0, lowest)
    last = _end(segments, times, tell, reverse=True) if until.time is not None else highest
    if until.seq is not None:
        last = min(until.seq, highest)
    if first is None or last is None or first > last:
        return None
    first -= _in_batch(segments, first)[0]
    last += _in_batch(segments, last)[1]
    return Range(max(first, lowest), min(last, highest), lowest, highest)


def _end(segments: Segments, times: dict[str, Any], tell: Tell, *, reverse: bool = False) -> int | None:
    """The seq of the first record that fits, or of the last."""
    for match in matches(segments, Selection({"control": True, **times}), tell, block=1 << 16, reverse=reverse):
        if match is not None:
            return record.seq_of(match.piece + b"\n")
    return None


def _in_batch(segments: Segments, seq: int) -> tuple[int, int]:
    """How many records of its batch stand before a record, and behind it."""
    line = cursor.line_of(segments, seq)
    batch = None if line is None or record.seq_of(line) != seq else record.batch_of(line)
    return (0, 0) if batch is None else (batch[0] - 1, batch[1] - batch[0])
