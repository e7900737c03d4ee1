"""Where the committed part of a segment ends, when no successor's header says so: all behind it never happened.

The same rules as those of :class:`jsonl_audit.scan.Walk`, found from the end instead of by a walk over everything: a
piece without LF, an unfinished batch, and a hole with all that stands behind it do not count.
"""

from __future__ import annotations

from jsonl_audit import record, scan
from jsonl_audit.content import Content
from jsonl_audit.reader.windows import WINDOW, windows

__all__ = ["committed_end", "looks_like_a_record"]


def committed_end(content: Content, start: int, stop: int, *, on_disk: int = 0) -> int:
    """Offset of the end of the last committed record between `start`, where a line begins, and `stop`.

    Before `on_disk` no hole is looked for: there it would be damage, not the end.
    """
    stop = _before_hole(content, max(start, on_disk), stop)
    return _before_open_batch(content, start, stop)


def looks_like_a_record(piece: bytes) -> bool:
    """Whether a line (without its LF) has the form of a record at both its ends. Its hash is not recomputed."""
    return (
        record.HEAD.match(piece) is not None
        and piece[-149:-140] == b',"prev":"'
        and piece[-76:-66] == b'","hash":"'
    )


def _before_hole(content: Content, start: int, stop: int) -> int:
    """`stop`, or where the line begins that the first hole stands in."""
    at = start
    while at < stop and (data := content.read(at, min(WINDOW, stop - at))):
        found = data.find(b"\0")
        if found < 0:
            at += len(data)
            continue
        line = data.rfind(b"\n", 0, found) + 1
        begins = at + line if line else _line_start(content, start, at)
        hole, ends = _hole(content, begins, stop)
        if hole:
            return begins
        at = ends
    return stop


def _line_start(content: Content, start: int, at: int) -> int:
    while at > start:
        low = max(start, at - WINDOW)
        found = content.read(low, at - low).rfind(b"\n")
        if found >= 0:
            return low + found + 1
        at = low
    return start


def _hole(content: Content, begins: int, stop: int) -> tuple[bool, int]:
    """Whether the line at `begins` has a hole, and where the line ends. A piece without LF at the end has none."""
    nuls = scan.Nuls(begins)
    at = begins
    while at < stop and (data := content.read(at, min(WINDOW, stop - at))):
        end = data.find(b"\n")
        nuls.feed(data if end < 0 else data[:end])
        if end >= 0:
            return nuls.hole(), at + end + 1
        at += len(data)
    return False, stop


def _before_open_batch(content: Content, start: int, stop: int) -> int:
    """The end of the last line, or where a batch begins whose last record is not there yet."""
    end = begins = -1
    due = count = 0
    for window in windows(content, start, stop, first=1 << 12, reverse=True):
        offset = window.offset + (window.skipped or window.cut)
        end = offset if end < 0 else end
        pieces = window.data[window.begin : window.cut - 1].split(b"\n") if window.data else [b""]
        for piece in reversed(pieces):
            offset -= window.skipped or len(piece) + 1
            whole = looks_like_a_record(piece)
            batch = record.batch_of(piece + b"\n") if whole else None
            if begins < 0:
                if whole and (batch is None or batch[0] >= batch[1]):
                    return end
                if batch is not None:
                    begins, (due, count) = offset, batch
            elif not whole:
                due -= 1  # damage in the place of one of its lines
                continue
            elif batch == (due - 1, count):
                begins, due = offset, due - 1
            else:
                return begins
            if begins >= 0 and due <= 1:
                return begins
    return begins if begins >= 0 else max(end, start)
