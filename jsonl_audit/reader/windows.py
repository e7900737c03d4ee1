"""A part of a file in windows of whole lines, forwards or backwards, in bounded memory whatever stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jsonl_audit import record
from jsonl_audit.content import Content

__all__ = ["WINDOW", "Window", "line_at", "windows"]

WINDOW = 1 << 20
"""How much is read at once, in bytes, once a read has become a long one. The processor's cache holds it."""
_FIRST = 1 << 16
"""How much is read first: the first record should not wait for a window that nobody may want."""


class Window(NamedTuple):
    """``data[begin:cut]`` is whole lines; ``data[0]`` stands at `offset` of the file.

    Where `skipped` is above 0, so many bytes from `offset` on are one line longer than any record may be, and `data`
    is empty.
    """

    offset: int
    data: bytes
    begin: int
    cut: int
    skipped: int = 0


def windows(
    content: Content, start: int, stop: int, *, size: int = WINDOW, first: int = _FIRST, reverse: bool = False
) -> Iterator[Window]:
    """The lines between the offsets `start` and `stop`, window by window; `start` is where a line begins.

    What stands behind the last LF before `stop` is left out. `size` is the most that is read at once, except where a
    single line is longer, `first` what is read to begin with. A file that was cut meanwhile ends where it ends.
    """
    size = max(size, 1)
    read = _backward if reverse else _forward
    return read(content, start, stop, size, min(max(first, 1), size))


def line_at(content: Content, start: int, at: int, stop: int) -> int:
    """Offset of the first line begin at or behind `at`, `stop` if there is none; at `start` one begins."""
    return at if at <= start else _next_lf(content, at - 1, stop, 1 << 12) + 1 or stop


def _forward(content: Content, start: int, stop: int, size: int, usual: int) -> Iterator[Window]:
    want = usual
    while start < stop:
        data = content.read(start, min(want, stop - start))
        cut = data.rfind(b"\n") + 1
        if cut:
            yield Window(start, data, 0, cut)
            start += cut
            want = usual = min(usual * 4, size)
        elif len(data) < want:
            return
        elif len(data) <= record.HARD_LIMIT:
            want = min(want * 4, record.HARD_LIMIT + 1)
        else:
            end = _next_lf(content, start + len(data), stop)
            if end < 0:
                return
            yield Window(start, b"", 0, 0, end + 1 - start)
            start, want = end + 1, usual


def _backward(content: Content, start: int, stop: int, size: int, usual: int) -> Iterator[Window]:
    want = usual
    stop = _last_lf(content, start, stop) + 1
    while start < stop:
        low = max(start, stop - want)
        data = content.read(low, stop - low)
        if len(data) < stop - low:  # cut under us
            stop = _last_lf(content, start, low + len(data)) + 1
            continue
        begin = 0 if low == start else data.find(b"\n", 0, len(data) - 1) + 1
        if begin or low == start:
            yield Window(low, data, begin, len(data))
            stop = low + begin
            want = usual = min(usual * 4, size)
        elif len(data) <= record.HARD_LIMIT:
            want = min(want * 4, record.HARD_LIMIT + 1)
        else:
            end = _last_lf(content, start, low)
            yield Window(end + 1, b"", 0, 0, stop - end - 1)
            stop, want = end + 1, usual


def _next_lf(content: Content, start: int, stop: int, size: int = WINDOW) -> int:
    """Offset of the first LF in the part, -1 if there is none."""
    while start < stop and (data := content.read(start, min(size, stop - start))):
        found = data.find(b"\n")
        if found >= 0:
            return start + found
        start, size = start + len(data), WINDOW
    return -1


def _last_lf(content: Content, start: int, stop: int) -> int:
    """Offset of the last LF in the part, `start` - 1 if there is none."""
    size = 1 << 12
    while start < stop:
        low = max(start, stop - size)
        found = content.read(low, stop - low).rfind(b"\n")
        if found >= 0:
            return low + found
        stop, size = low, WINDOW
    return start - 1
