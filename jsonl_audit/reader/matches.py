"""The lines of a log that fit, segment by segment and window by window: what every way of reading is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from jsonl_audit.content import Content
from jsonl_audit.reader import notices, places
from jsonl_audit.reader.filters import NotARecordError, Selection
from jsonl_audit.reader.notices import LineNumbers, Tell
from jsonl_audit.reader.search import Search
from jsonl_audit.reader.segments import Opened, Segments
from jsonl_audit.reader.windows import WINDOW, Window, windows

__all__ = ["Match", "in_part", "matches"]

_OWN_TIME = (b',"time":"',)


class Match(NamedTuple):
    """A record that fits, and its line without its LF."""

    piece: bytes
    record: dict[str, Any]


def matches(
    segments: Segments, selection: Selection, tell: Tell, *, block: int = WINDOW, reverse: bool = False
) -> Iterator[Match | None]:
    """What fits, in the order of the chain, newest first if `reverse`.

    None comes after each window, so that whoever must not wait long for a rare record gets to say so. At most `block`
    bytes are read at once, except where a line is longer.
    """
    index = segments.index_of(selection.after + 1) if selection.after else 0
    for opened in segments.walk(index, reverse=reverse):
        parts = list(_parts(opened, selection))
        for start, stop, own_time in reversed(parts) if reverse else parts:
            needles = [*selection.needles, _OWN_TIME] if own_time else selection.needles
            yield from in_part(
                opened.content, start, stop, selection, tell, needles=needles, block=block, reverse=reverse
            )


def in_part(
    content: Content,
    start: int,
    stop: int,
    selection: Selection,
    tell: Tell,
    *,
    needles: list[tuple[bytes, ...]],
    block: int = WINDOW,
    reverse: bool = False,
) -> Iterator[Match | None]:
    """What fits between two offsets of one file; None after each window."""
    search = Search(needles) if needles else None
    damage = _Damage(content, tell)
    match = selection.match
    for window in windows(content, start, stop, size=block, reverse=reverse):
        if window.skipped:
            damage.add(window.offset, window.skipped)
            continue
        lines = _all_lines(window, reverse) if search is None else _found_lines(window, search, reverse)
        for offset, piece in lines:
            try:
                found = match(piece)
            except NotARecordError:
                damage.add(offset, len(piece) + 1)
                continue
            if damage.lines:
                damage.flush()
            if found is not None:
                yield Match(piece, found)
        yield None
    damage.flush()


def _parts(opened: Opened, selection: Selection) -> Iterator[tuple[int, int, bool]]:
    """The parts of a segment that may hold what is looked for; the third says: only in records with their own time.

    `ts` only grows, so bisection finds where `since` and `until` lie. Before and behind those, a record can fit only
    by a `time` of its own, and only where what the next header says of the segment leaves that open.
    """
    start, stop = 0, opened.end
    header, following = opened.segment.header, opened.following
    if selection.after and (header is None or header.seq <= selection.after):
        start = places.first_at_seq(opened.content, 0, stop, selection.after + 1)
    since, until = selection.since, selection.until
    if following is not None and following.previous is not None:
        earliest, latest = (instant.encode() for instant in following.previous.time)
        if (since is not None and latest < since) or (until is not None and earliest >= until):
            return
    low = start if since is None else places.first_at_ts(opened.content, start, stop, since)
    high = stop if until is None else places.first_at_ts(opened.content, low, stop, until)
    ordered = following is not None and following.previous is not None and following.previous.timed == 0
    for begin, end, own_time in ((start, low, True), (low, high, False), (high, stop, True)):
        if begin < end and not (own_time and ordered):
            yield begin, end, own_time


def _all_lines(window: Window, reverse: bool) -> Iterator[tuple[int, bytes]]:
    """Every line of a window, with its offset. What is not asked for is not cut out."""
    offset, data, begin, cut, _ = window
    if reverse:
        end = cut - 1
        while end >= begin:
            start = data.rfind(b"\n", begin, end) + 1 or begin
            yield offset + start, data[start:end]
            end = start - 1
    else:
        start = begin
        while start < cut:
            end = data.find(b"\n", start, cut)
            yield offset + start, data[start:end]
            start = end + 1


def _found_lines(window: Window, search: Search, reverse: bool) -> Iterator[tuple[int, bytes]]:
    """The lines of a window that may fit, with their offsets."""
    spans = search.spans(window.data, window.begin, window.cut)
    for begin, end in reversed(list(spans)) if reverse else spans:
        yield window.offset + begin, window.data[begin : end - 1]


class _Damage:
    """Gathers neighbouring lines that are no records, and tells of them once."""

    def __init__(self, content: Content, tell: Tell) -> None:
        self.lines = 0
        self._content = content
        self._tell = tell
        self._numbers: LineNumbers | None = None
        self._begin = self._end = 0

    def add(self, offset: int, size: int) -> None:
        """One line that is no record."""
        if self.lines and offset == self._end:
            self._end += size
        elif self.lines and offset + size == self._begin:
            self._begin = offset
        else:
            self.flush()
            self._begin, self._end = offset, offset + size
        self.lines += 1

    def flush(self) -> None:
        """Tells of what was gathered."""
        if self.lines:
            self._numbers = self._numbers or LineNumbers(self._content)
            line = self._numbers.at(self._begin)
            self._tell(
                notices.damage(self._content.path, line, self.lines, self._begin, self._end - self._begin)
            )
        self.lines = 0
