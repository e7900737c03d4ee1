"""Lines out of a segment's bytes as they arrive, and the holes that a power cut leaves in them.

A hole is a run of NUL bytes from a line's start or a multiple of 512 to a multiple of 512: the disk kept later blocks
of the file and lost earlier ones. NUL bytes that stand otherwise are no crash's.
"""

from __future__ import annotations

import io
import re

from jsonl_audit.record import HARD_LIMIT

__all__ = ["BOM", "Lines", "Long", "Nuls", "hole_in", "unconverted"]

BOM = b"\xef\xbb\xbf"
"""The byte order mark that some editors put before a text."""

_NULS = re.compile(rb"\x00+")
_KEPT = 4096  # bytes from the start of a line that is too long to be a record


class Long(bytes):
    """The beginning of a line that is longer than any record may be."""

    size: int
    """Of the whole line in bytes, LF included."""
    hole: bool
    """Whether a hole stands in it."""


class Lines:
    """Puts blocks of bytes together to lines; of what is longer than any record only the beginning is kept.

    `offset` is where the line begins of which the end has not come yet.
    """

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self._parts: list[bytes] = []
        self._kept = 0
        self._nuls: Nuls | None = None  # in the middle of a long line
        self._head = b""

    @property
    def unfinished(self) -> bytes:
        """How the line begins whose end has not come; empty if there is none."""
        return self._head if self._nuls is not None else b"".join(self._parts)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines, LF included, that these bytes bring to their end."""
        cut = data.rfind(b"\n") + 1
        if not cut:
            self._keep(data)
            return []
        lines = io.BytesIO(data[:cut]).readlines()
        if self._nuls is not None or self._parts:
            self._keep(lines[0][:-1])
            if self._nuls is not None:
                lines[0] = self._long(self._head, self._nuls)
            else:
                lines[0] = b"".join([*self._parts, b"\n"])
            self._parts, self._kept, self._nuls = [], 0, None
        if len(data) > HARD_LIMIT:
            self._shorten(lines)
        self.offset += sum([line.size if type(line) is Long else len(line) for line in lines])
        self._keep(data[cut:])
        return lines

    def _keep(self, data: bytes) -> None:
        if self._nuls is not None:
            self._nuls.feed(data)
        elif data:
            self._parts.append(data)
            self._kept += len(data)
            if self._kept >= HARD_LIMIT:
                self._nuls, self._head = Nuls(self.offset), b""
                for part in self._parts:  # one by one: all of them joined would be as much memory again
                    self._nuls.feed(part)
                    self._head += part[: _KEPT - len(self._head)]
                self._parts, self._kept = [], 0

    def _shorten(self, lines: list[bytes]) -> None:
        offset = self.offset
        for number, line in enumerate(lines):
            if type(line) is not Long and len(line) > HARD_LIMIT:
                nuls = Nuls(offset)
                nuls.feed(line[:-1])
                lines[number] = self._long(line[:_KEPT], nuls)
            offset += len(line) if type(line) is not Long else line.size

    def _long(self, head: bytes, nuls: Nuls) -> Long:
        line = Long(head)  # without LF: so it is never taken for a whole line
        line.size = nuls.at + 1 - nuls.start
        line.hole = nuls.hole()
        return line


class Nuls:
    """Looks for a hole in a line that arrives in pieces. `start` is the line's offset in its file."""

    def __init__(self, start: int) -> None:
        self.start = self.at = start
        self._run = (-1, -1)
        self._found = False

    def feed(self, data: bytes) -> None:
        """The next bytes of the line."""
        for found in _NULS.finditer(data):
            begin, stop = self.at + found.start(), self.at + found.end()
            if begin == self._run[1]:  # the same run goes on
                begin = self._run[0]
            else:
                self.hole()
            self._run = (begin, stop)
        self.at += len(data)

    def hole(self) -> bool:
        """Whether a hole stands in what was fed, if the line ends here."""
        begin, stop = self._run
        self._found |= stop > 0 and (begin == self.start or begin % 512 == 0) and stop % 512 == 0
        return self._found


def unconverted(line: bytes) -> tuple[bytes, str]:
    """A line (LF included) without what a transfer in text mode or an editor added, and in words what that was, if any.

    >>> unconverted(b'{"seq":1}\\r\\n')
    (b'{"seq":1}\\n', 'the record is right, but its line ends in CR LF: the file was converted')
    """
    added, plain = [], line
    if line.startswith(BOM):
        added.append("a byte order mark stands before it")
        plain = line[len(BOM) :]
    if line.endswith(b"\r\n"):
        added.append("its line ends in CR LF")
        plain = plain[:-2] + b"\n"
    return plain, f"the record is right, but {' and '.join(added)}: the file was converted" if added else ""


def hole_in(piece: bytes, start: int) -> bool:
    """Whether a line (without its LF) that begins at offset `start` has a hole.

    >>> hole_in(b"{" + bytes(511) + b"x", 512), hole_in(bytes(512) + b"x", 512)
    (False, True)
    """
    nuls = Nuls(start)
    nuls.feed(piece)
    return nuls.hole()
