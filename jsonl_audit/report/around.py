"""The lines around a place in a file: what stands there, before it and behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jsonl_audit import record
from jsonl_audit.content import Content

__all__ = ["Line", "around", "line_at"]

_BACK = 1 << 17
_SHOWN = 1 << 20
"""Bytes of a line that are read; what is longer is shown cut off."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it stands in a file."""

    offset: int
    data: bytes
    """LF included, where it has one."""
    number: int | None = None
    cut: bool = False
    """It is longer than what was read of it."""

    @property
    def whole(self) -> bool:
        """Whether it ends as a record does, with the hash of what stands before it."""
        return not self.cut and record.own_hash_right(self.data)

    @property
    def shaped(self) -> bool:
        """Whether `prev` and `hash` stand at its end."""
        return not self.cut and len(self.data) > 227 and self.data[-150:-141] == b',"prev":"' and self.hash != ""

    @property
    def seq(self) -> int | None:
        """As it says; None where it says none."""
        return record.seq_of(self.data) or None

    @property
    def hash(self) -> str:
        """As it says; empty where none stands there."""
        return _hex(self.data[-67:-3]) if self.data[-76:-67] == b',"hash":"' else ""

    @property
    def prev(self) -> str:
        """As it says; empty where none stands there."""
        return _hex(self.data[-141:-77])

    def to_dict(self) -> dict[str, Any]:
        """The members that the report shows; what is no UTF-8 stands as escapes."""
        shown = self.data[:4096].decode("utf-8", "backslashreplace")
        told = {"line": self.number, "offset": self.offset, "bytes": len(self.data), "seq": self.seq}
        return {**told, "text": shown, "cut": self.cut or len(self.data) > 4096, "whole": self.whole}


def _hex(text: bytes) -> str:
    return text.decode() if len(text) == 64 and all(byte in b"0123456789abcdef" for byte in text) else ""


def line_at(content: Content, offset: int, number: int | None = None) -> Line:
    """The line that begins at `offset`."""
    size = min(1 << 15, max(0, content.size - offset))
    while True:
        data = content.read(offset, size)
        end = data.find(b"\n") + 1
        if end or size >= min(_SHOWN, content.size - offset):
            cut = not end and offset + len(data) < content.size
            return Line(offset, data[:end] if end else data, number, cut)
        size = min(size * 8, _SHOWN, content.size - offset)


def around(content: Content, offset: int, number: int | None, count: int = 2) -> tuple[list[Line], Line, list[Line]]:
    """So many lines before the one at `offset`, that one, and so many behind it."""
    start = max(0, offset - _BACK)
    text = content.read(start, offset - start)
    before: list[Line] = []
    end = len(text)
    while end and len(before) < count:
        begin = text.rfind(b"\n", 0, end - 1) + 1
        if not begin and start:
            break  # it begins before what was read
        place = None if number is None else number - len(before) - 1
        before.insert(0, Line(start + begin, text[begin:end], place))
        end = begin
    here = line_at(content, offset, number)
    after: list[Line] = []
    at = here
    while len(after) < count and at.data.endswith(b"\n") and at.offset + len(at.data) < content.size:
        at = line_at(content, at.offset + len(at.data), None if at.number is None else at.number + 1)
        after.append(at)
    return before, here, after
