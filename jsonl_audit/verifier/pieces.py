"""Pieces of segments: where in a file one begins, and where it ends, whatever the file is called or was merged from.

A piece runs from a header, or from the start of the file, to the next header or to the end of the file.
"""

from __future__ import annotations

from dataclasses import dataclass

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.errors import NewerFormatError
from jsonl_audit.links import Link
from jsonl_audit.segment import Header, parse_header
from jsonl_audit.verifier.digest import WINDOW
from jsonl_audit.verifier.joined import Part, Source

__all__ = ["Ends", "Piece", "cut_up", "ends_of", "holds_records", "is_room_only", "line_at", "stretches", "tail_of"]

_TYPE = b'","type":"audit.segment",'
_BEGIN = b'{"seq":'
_BEFORE = 128
"""No header's type begins further behind its start."""
_END = ',"hash":"' + "0" * 64 + '"}\n'
"""How each line ends: a digit stands for any of a hash."""
_PEEK = 1 << 20
_EDGE = 1 << 16


@dataclass(slots=True, eq=False)
class Piece:
    """One piece: its part of a file, and the header that it begins with, if it begins with one."""

    part: Part
    header: Header | None


@dataclass(slots=True)
class Ends:
    """How a piece, or several that were joined, begins and ends."""

    fragment: bytes
    """The rest of a line at its start of which the beginning is elsewhere, LF included."""
    first: Link | None
    """The first whole line behind it, as it says itself."""
    prev: str
    """What that one calls the hash of the record before."""
    line: bytes
    """That line."""
    last: Link | None
    """The last whole line, as it says itself."""
    tail: bytes
    """The beginning of a line at its end of which the rest is elsewhere."""


def holds_records(content: Content) -> bool:
    """Whether a record seems to begin near the start of a file, or to end there: else it is none of the log's."""
    text = content.read(0, _PEEK)
    if record.HEAD.search(text) is not None:
        return True
    begun = text.rstrip(b"\0")  # room may have been made for what did not arrive
    if begun and len(begun) < _BEFORE and b"\n" not in begun and begun.startswith(_BEGIN[: len(begun)]):
        return True
    line = text[: text.find(b"\n") + 1][-len(_END) :]
    pairs = zip(reversed(line.decode("latin-1")), reversed(_END), strict=False)
    return len(line) > 3 and all(is_ == due or (due == "0" and is_ in "123456789abcdef") for is_, due in pairs)


def is_room_only(content: Content) -> bool:
    """Whether nothing is in a file but zero bytes: room for what did not arrive."""
    return not any(data.strip(b"\0") for data in content.blocks(size=WINDOW))


def cut_up(source: Source, content: Content) -> list[Piece]:
    """The pieces of a file."""
    return [Piece(Part(source, start, stop), header) for start, stop, header in stretches(content)]


def stretches(content: Content) -> list[tuple[int, int, Header | None]]:
    """Where in a content pieces begin and end, and the header that each begins with.

    A header is believed where its own hash is right, also behind a line without end.
    """
    starts: list[tuple[int, Header | None]] = []
    rest, at = b"", 0
    for data in content.blocks(size=WINDOW):
        text = rest + data
        place = text.find(_TYPE)
        while place >= 0:
            begin = text.rfind(_BEGIN, max(0, place - _BEFORE), place)
            if begin >= 0:
                header = _header(content, at + begin)
                if header is not None:
                    starts.append((at + begin, header))
            place = text.find(_TYPE, place + 1)
        keep = min(len(text), _BEFORE + len(_TYPE))
        at, rest = at + len(text) - keep, text[len(text) - keep :]
    starts = list(dict(starts).items())  # in the bytes that two windows share one may be found twice
    if not starts or starts[0][0] > 0:
        starts.insert(0, (0, None))
    stops = [start for start, _ in starts[1:]] + [content.size]
    return [(start, stop, header) for (start, header), stop in zip(starts, stops, strict=True)]


def _header(content: Content, start: int) -> Header | None:
    try:
        return parse_header(line_at(content, start, content.size))
    except NewerFormatError:
        return None


def line_at(content: Content, start: int, stop: int) -> bytes:
    """The line that begins at a byte, LF included if it has one before `stop`."""
    size = _EDGE
    while True:
        text = content.read(start, min(size, stop - start))
        end = text.find(b"\n") + 1
        if end or size >= stop - start or size > record.HARD_LIMIT:
            return text[:end] if end else text
        size *= 16


def tail_of(content: Content) -> bytes:
    """The line at the end of a content that has no LF; empty if there is none."""
    text = _line_before(content, 0, content.size)
    return b"" if text.endswith(b"\n") else text


def _line_before(content: Content, start: int, end: int) -> bytes:
    """What stands before byte `end`, back to the LF before that, or to `start`; an LF right before `end` is its own."""
    size = _EDGE
    while True:
        begin = max(start, end - size)
        text = content.read(begin, end - begin)
        cut = text.rfind(b"\n", 0, -1) + 1
        if cut or begin == start or size > record.HARD_LIMIT:
            return text[cut:]
        size *= 16


def ends_of(content: Content, start: int, stop: int, *, headed: bool) -> Ends:
    """How the bytes of a piece begin and end; `headed` says that they begin with a header."""
    fragment = b""
    line = line_at(content, start, stop)
    if not headed and not begins_as_record(line):
        fragment = line if line.endswith(b"\n") else b""
        line = line_at(content, start + len(fragment), stop) if fragment else b""
    first = _link(line)
    tail = _line_before(content, start, stop)
    if tail.endswith(b"\n"):
        last, tail = _link(tail), b""
    else:
        last = _link(_line_before(content, start, stop - len(tail))) if len(tail) < stop - start else None
    if first is None:
        line = b""
    return Ends(fragment, first, record.prev_of(line) if first is not None else "", line, last, tail)


def begins_as_record(line: bytes) -> bool:
    """Whether a line begins as a record does, a changed byte or two aside: the rest of a line that was cut does not.

    >>> line = b'{"seq":12,"ts":"2026-11-22T01:47:46.490599Z","id":"01a200f0-'
    >>> begins_as_record(line), begins_as_record(b"x" + line[1:]), begins_as_record(b'last_seq":12,"n":"1"')
    (True, True, False)
    """
    begin = line[: len(_BEGIN)]
    differing = sum(one != other for one, other in zip(begin, _BEGIN, strict=False))
    goes_on = b',"ts":"' in line[8:34] or b'","id":"' in line[34:71]
    return len(begin) == len(_BEGIN) and differing <= 2 and goes_on


def _link(line: bytes) -> Link | None:
    """What a line with LF says of itself, if it has the form of a record; whether that is right is not looked at."""
    if len(line) < 228 or not line.endswith(b'"}\n') or record.HEAD.match(line) is None:
        return None
    return Link(record.seq_of(line), line[-67:-3].decode("ascii", "replace"), record.ts_of(line))
