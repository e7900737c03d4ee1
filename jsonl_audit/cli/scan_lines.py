"""Where in a stream of bytes the redactor would find something: line, member and kind, in flat memory.

A line that is JSON is looked at as the value it is, so that names tell, too; all else as text, over the ends of lines,
since a private key has many of them. What is too long to be held at once goes by windows, each with some of the last.
"""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from jsonl_audit import record
from jsonl_audit.artifacts.source import encoding_of, mark_of
from jsonl_audit.cli.scan_paths import Change, changes, masked
from jsonl_audit.redact import Hit, Redactor

__all__ = ["BinaryFileError", "Finding", "findings"]

_WHOLE = 4 << 20
"""A JSON text of up to so many bytes is looked at as a value."""
_WINDOW = 256 << 10
_HOLD = 16 << 10
"""So much of a window's end is looked at again with what follows."""
_SIGHT = 256
"""So much of what was looked at stays before a window: the words before a value may be what tells."""
_LARGEST = 4 * _WINDOW
_HEAD = 8192


class BinaryFileError(Exception):
    """There is no text to look at."""


class Finding(NamedTuple):
    """Something that the redactor would not let through; never the thing itself."""

    line: int
    seq: int | None
    """Of the record, where the line is one."""
    path: str
    """The member; empty in what is no JSON."""
    kind: str
    masked: str


def findings(blocks: Iterable[bytes], redactor: Redactor) -> Iterator[Finding]:
    """Everything that the redactor finds in a file given block by block.

    Raises BinaryFileError at its beginning, where there is a NUL in it and it is no UTF-16 or UTF-32.

    >>> from jsonl_audit.redact import redactor_of
    >>> [*findings([b'{"n":1}\\n{"password":"open', b' sesame"}\\n'], redactor_of("default"))]
    [Finding(line=2, seq=None, path='password', kind='password', masked='***** (11 characters)')]
    """
    scan = _Scan(redactor)
    blocks = _text(iter(blocks))
    head, document = _document(blocks)
    if document is not None:
        yield from scan.document(document, head)
        return
    yield from scan.lines(head)
    for block in blocks:
        yield from scan.lines(block)
    yield from scan.end()


def _text(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks in UTF-8, without a byte order mark; the first is long enough to tell a text by."""
    head = b""
    for block in blocks:
        head += block
        if len(head) >= _HEAD:
            break
    encoding = encoding_of(head, whole=False)
    if encoding in (None, "utf-8", "latin-1"):
        if b"\0" in head[:_HEAD]:
            raise BinaryFileError
        yield head.removeprefix(codecs.BOM_UTF8)
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for block in itertools.chain((head[len(mark_of(head)[0]) :],), blocks):
        yield decoder.decode(block).encode("utf-8", "replace")


def _document(blocks: Iterator[bytes]) -> tuple[bytes, Any]:
    """What was read of the file, and the value that it is, where it is one JSON text laid out over several lines."""
    head = next(blocks, b"")
    if head.lstrip()[:1] not in (b"{", b"[") or _parsed(head.lstrip().partition(b"\n")[0]) is not None:
        return head, None
    whole = bytearray(head)
    for block in blocks:
        whole += block
        if len(whole) > _WHOLE:
            return bytes(whole), None
    return bytes(whole), _parsed(bytes(whole))


def _parsed(text: bytes | bytearray) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


class _Scan:
    """What is between two blocks: the beginning of a line, the text before it."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._line = 1
        self._begun = bytearray()
        self._in_long_line = False
        self._text: _Text | None = None

    def lines(self, block: bytes) -> Iterator[Finding]:
        """What the lines hold that end in this block."""
        *ended, rest = block.split(b"\n")
        for piece in ended:
            if self._begun:
                self._begun += piece
                piece = bytes(self._begun)
                self._begun.clear()
            yield from self._one(piece, ends=True)
        self._begun += rest
        if len(self._begun) > _WHOLE:
            piece = bytes(self._begun)
            self._begun.clear()
            yield from self._one(piece, ends=False)

    def end(self) -> Iterator[Finding]:
        """What the end of the file holds."""
        if self._begun:
            yield from self._one(bytes(self._begun), ends=False)
        yield from self._end_of_text()

    def document(self, value: Any, text: bytes) -> Iterator[Finding]:
        """What a JSON text of several lines holds; the line is that where the value, or its name, stands first."""
        told = False
        for change in self._changes(value):
            told = True
            yield Finding(_line_of(change, text), None, change.path, change.kind, change.masked)
        if not told:
            yield from self._as_text(text)

    def _as_text(self, data: bytes) -> Iterator[Finding]:
        text = _Text(self._redactor, self._line)
        yield from text.add(data)
        yield from text.end()

    def _one(self, line: bytes, *, ends: bool) -> Iterator[Finding]:
        value = None
        if not self._in_long_line and line[:1] in (b"{", b"[") and len(line) <= _WHOLE:
            value = _parsed(line)
        if value is None:
            if self._text is None:
                self._text = _Text(self._redactor, self._line)
            yield from self._text.add(line + b"\n" if ends else line)
        else:
            yield from self._end_of_text()
            yield from self._value(value, line)
        self._in_long_line = not ends
        self._line += ends

    def _value(self, value: Any, line: bytes) -> Iterator[Finding]:
        told = False
        seq = value.get("seq") if isinstance(value, dict) and record.HEAD.match(line) else None
        for change in self._changes(value):
            told = True
            yield Finding(self._line, seq, change.path, change.kind, change.masked)
        # A name that stands twice in an object hides the first from whoever parses it, spaces hide nothing else.
        if not told and line.rstrip(b"\r") != orjson.dumps(value):
            yield from self._as_text(line)

    def _changes(self, value: Any) -> Iterator[Change]:
        found: dict[str, int] = {}
        made = self._redactor.event(value, found) if isinstance(value, dict) else self._redactor.value(value, found)
        if found:
            yield from changes(value, made)

    def _end_of_text(self) -> Iterator[Finding]:
        if self._text is not None:
            yield from self._text.end()
            self._text = None


def _line_of(change: Change, text: bytes) -> int:
    at = -1
    if isinstance(change.before, str):
        at = text.find(orjson.dumps(change.before))
    if at < 0:
        at = text.find(orjson.dumps(change.name))
    return text.count(b"\n", 0, max(at, 0)) + 1


class _Text:
    """Text that is no JSON, by windows."""

    def __init__(self, redactor: Redactor, line: int) -> None:
        self._redactor = redactor
        self._line = line
        """Number of the line where the window begins."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._new: list[str] = []
        self._size = 0
        self._window = ""
        self._seen = 0
        """So much of the window was told about."""

    def add(self, data: bytes) -> Iterator[Finding]:
        """What is certain now that this has come."""
        for at in range(0, len(data), _WINDOW):
            text = self._decoder.decode(data[at : at + _WINDOW])
            self._new.append(text)
            self._size += len(text)
            if self._size >= _WINDOW:
                yield from self._look(last=False)

    def end(self) -> Iterator[Finding]:
        """What is left."""
        self._new.append(self._decoder.decode(b"", True))
        yield from self._look(last=True)

    def _look(self, *, last: bool) -> Iterator[Finding]:
        window = self._window + "".join(self._new)
        self._new.clear()
        self._size = 0
        hits = self._redactor.find(window)
        until = len(window) if last or len(window) > _LARGEST else self._settled(window, hits)
        for kind, start, end in hits:
            if self._seen < end and start < until:
                line = self._line + window.count("\n", 0, start)
                yield Finding(line, None, "", kind, masked(window[start:end]))
        begin = max(0, until - _SIGHT)
        self._line += window.count("\n", 0, begin)
        self._window = window[begin:]
        self._seen = until - begin

    def _settled(self, window: str, hits: Sequence[Hit]) -> int:
        """How much of the window cannot look different once more has come."""
        until = max(len(window) - _HOLD, self._seen)
        until = window.rfind("\n", max(self._seen, until - _HOLD), until) + 1 or until
        for _, start, end in reversed(hits):
            if start < until < end:
                until = start
        return max(until, self._seen)
