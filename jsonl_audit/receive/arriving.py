"""What a line is that arrives: a record as it was committed, one that was changed on the way, or something else.

Shippers put words before a line, wrap it in JSON, cut it or split it. What is a record is decided by its own hash
alone, so everything that can be taken off is taken off, and whatever comes out with a right hash is what was committed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from jsonl_audit import record
from jsonl_audit.lines import BOM, Long

__all__ = ["Arrived", "Opener"]

_START = b'{"seq":'
_END = re.compile(rb'"hash":"[0-9a-f]{64}"\}\Z')
_WHITE = b" \t\r\n\0"
_TRIES = 8
_DEEP = 4
_KEPT = 4096
_SPLIT = 64
"""Of so many pieces a line may consist that a shipper split."""


class Arrived(NamedTuple):
    """One line, looked at."""

    line: bytes
    """A record with its LF; else what came, as it came."""
    kind: str
    """`record`, or what it is instead: `record-modified`, `cut-line`, `foreign-line` or `long-line`."""
    message: str = ""
    before: bytes = b""
    """What stood before a record and was taken off, where that itself began as a record does."""


class Opener:
    """Looks at lines one by one. It remembers the pieces of one that a shipper may have split.

    `field` is where wrappers hold the line: the name of a member, with dots between the names of nested ones. Without
    it every text in a JSON object is tried.
    """

    def __init__(self, field: str | None = None) -> None:
        self._field = None if field is None else field.split(".")
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def keeps(self) -> bool:
        """Whether pieces of a line are kept."""
        return bool(self._pieces)

    def look(self, line: bytes, *, ended: bool = True) -> Iterator[Arrived]:
        """What `line` (LF included) is; `ended` says that it had a LF of its own.

        More than one thing comes out where a split line turns out to be none after all.
        """
        if len(line) > record.HARD_LIMIT and type(line) is not Long:
            size, line = len(line), Long(line[:_KEPT])
            line.size = size
        if record.own_hash_right(line) and record.HEAD.match(line):
            yield from self.leave()
            yield Arrived(line, "record")
            return
        found = self._inside(line)
        if found is not None:
            yield from self.leave()
            yield found
            return
        yield from self._piece(line, ended=ended)

    def leave(self) -> Iterator[Arrived]:
        """Gives up what was kept as pieces of a split line."""
        if self._pieces:
            pieces, self._pieces, self._size = self._pieces, [], 0
            for piece in pieces:
                yield _named(piece, ended=True)

    def _piece(self, line: bytes, *, ended: bool) -> Iterator[Arrived]:
        """Keeps the beginning of a line that a shipper may have split, and puts it together with what follows."""
        text = line.strip(_WHITE)
        if type(line) is Long or not text:
            yield from self.leave()
        elif self._pieces:
            parts = [piece.rstrip(b"\r\n") for piece in self._pieces] + [text]
            if _END.search(text, max(0, len(text) - 80)):
                whole = b"".join(parts) + b"\n"
                if record.own_hash_right(whole) and record.HEAD.match(whole):
                    self._pieces, self._size = [], 0
                    yield Arrived(whole, "record")
                    return
                yield from self.leave()
            elif (
                len(self._pieces) < _SPLIT
                and self._size + len(line) < record.HARD_LIMIT
                and not _begins(text)
                and ended
            ):
                self._pieces.append(line)
                self._size += len(line)
                return
            else:
                yield from self.leave()
        if ended and type(line) is not Long and _begins(text) and not _END.search(text, max(0, len(text) - 80)):
            self._pieces, self._size = [line], len(line)
            return
        if text:
            yield _named(line, ended=ended)

    def _inside(self, line: bytes) -> Arrived | None:
        """The record that stands in a line behind other words, in a JSON wrapper, or with an end that was converted."""
        if type(line) is Long:
            return None
        found = _behind(line)
        if found is not None or b'{\\"seq\\":' not in line:
            return found
        start = line.find(b"{")
        try:
            value = orjson.loads(line[start:].rstrip(_WHITE))
        except ValueError:
            return None
        # In a wrapper too: a shipper that follows a name puts the torn end of one file and the first line of the next
        # into one.
        held = (_behind(words.encode("utf-8", "surrogatepass")) for words in self._texts(value))
        return next(filter(None, held), None)

    def _texts(self, value: Any) -> Iterator[str]:
        if self._field is None:
            yield from _all_texts(value, _DEEP)
            return
        for name in self._field:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str):
            yield value


def _behind(line: bytes) -> Arrived | None:
    """The record that ends a line, behind other words or the beginning of another record."""
    at, tries = line.find(_START), 0
    while at >= 0 and tries < _TRIES:
        text = line[at:].rstrip(_WHITE) + b"\n"
        if record.HEAD.match(text) and record.own_hash_right(text):
            before = line[:at].removeprefix(BOM)
            return Arrived(text, "record", "", before if _begins(before) else b"")
        at, tries = line.find(_START, at + 1), tries + 1
    return None


def _all_texts(value: Any, deep: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif deep and isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _all_texts(inner, deep - 1)


def _begins(text: bytes) -> bool:
    """Whether it begins as a record does, as far as it goes."""
    return text.startswith(_START)


def _named(line: bytes, *, ended: bool) -> Arrived:
    """What a line is that holds no record with a right hash."""
    if type(line) is Long:
        return Arrived(line, "long-line", f"a line of {line.size:,} bytes, longer than any record may be")
    text = line.strip(_WHITE)
    whole = _END.search(text, max(0, len(text) - 80)) is not None
    if record.HEAD.match(text) and whole:
        return Arrived(line, "record-modified", f"seq {record.seq_of(text)} disagrees with its own hash")
    if _begins(text) and not whole:
        where, seq = "the line" if ended else "the stream", record.seq_of(text)
        return Arrived(line, "cut-line", f"{where} ends within seq {seq}" if seq else f"{where} ends within a record")
    if whole and text.startswith(b"{"):
        try:
            members = orjson.loads(text)
        except ValueError:
            members = None
        if isinstance(members, dict) and {"seq", "prev", "hash"} <= members.keys():
            what = f"seq {members['seq']!r:.20} was written anew on the way; let the shipper send lines as they are"
            return Arrived(line, "record-modified", what)
        return Arrived(line, "cut-line", "the end of a record, without its beginning")
    rewritten = _rewritten(text)
    if rewritten:
        return Arrived(line, "record-modified", rewritten)
    return Arrived(line, "foreign-line", f"{len(line):,} bytes that are no record")


def _rewritten(text: bytes) -> str:
    """In words that a record was parsed and written anew, if it was."""
    if b'"seq"' not in text or b'"prev"' not in text or b'"hash"' not in text:
        return ""
    try:
        value = orjson.loads(text[text.find(b"{") :])
    except ValueError:
        return ""
    for inner in _objects(value, _DEEP):
        if {"seq", "ts", "prev", "hash"} <= inner.keys():
            seq = inner["seq"]
            return f"seq {seq!r:.20} was parsed and written anew on the way; let the shipper send lines as they are"
    return ""


def _objects(value: Any, deep: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    if deep and isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _objects(inner, deep - 1)
