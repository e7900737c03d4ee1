"""Places in a segment, found by bisection: seq and ts only grow, and how a line begins tells both."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.reader.windows import line_at, windows

__all__ = ["first_at_seq", "first_at_ts"]

_Key = TypeVar("_Key", int, bytes)
_BLOCK = 1 << 12
_NEXT = re.compile(rb"\n" + record.HEAD.pattern)


def first_at_seq(content: Content, start: int, stop: int, seq: int) -> int:
    """Offset of the first record with this seq or a higher one; `stop` if there is none.

    Looked for between `start`, where a line begins, and `stop`.
    """
    return _first(content, start, stop, lambda head: int(head[1]), seq)


def first_at_ts(content: Content, start: int, stop: int, ts: bytes) -> int:
    """Offset of the first record committed at or after `ts`, an instant as it lies on disk; `stop` if there is none."""
    return _first(content, start, stop, lambda head: head[2], ts)


def _first(
    content: Content, start: int, stop: int, key: Callable[[re.Match[bytes]], _Key], wanted: _Key
) -> int:
    found = stop
    low, high = start, stop
    while low < high:  # the place is `found`, or a line that begins between the two
        middle = (low + high) // 2 if high - low > _BLOCK else low
        place = _next_record(content, start, middle, high, stop)
        if place is None:
            high = middle
        elif key(place[1]) < wanted:
            low = place[0] + 1
        else:
            found, high = place[0], middle
    return found


def _next_record(
    content: Content, start: int, at: int, below: int, stop: int
) -> tuple[int, re.Match[bytes]] | None:
    """The first record whose line begins at or behind `at` and before `below`: its offset and its begin."""
    begin = line_at(content, start, at, min(below, stop))
    for window in windows(content, begin, stop, first=_BLOCK):
        if window.offset >= below:
            return None
        if window.skipped:
            continue
        head = record.HEAD.match(window.data, 0, window.cut) or _NEXT.search(window.data, 0, window.cut)
        if head is not None:
            offset = window.offset + head.start() + (head.re is _NEXT)
            return (offset, head) if offset < below else None
    return None
