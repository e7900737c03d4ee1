"""Lines from standard input as they come, in bounded memory, whatever arrives."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from jsonl_audit.errors import StorageError

__all__ = ["Line", "lines_of", "reader_of_stdin"]

LONGEST = 16 * 2**20
"""The format's own limit of a line; nothing longer than that can become a record."""
_READ = 256 * 1024
_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line of the input, without its line end."""

    number: int
    """1 for the first."""
    text: bytes | None
    """None if it was longer than any record may be."""
    size: int
    """In bytes."""


def reader_of_stdin() -> Callable[[], bytes]:
    """A function that waits for more of standard input and gives what there is; nothing at its end.

    Raises StorageError where it cannot be read.
    """

    def read() -> bytes:
        if sys.stdin is None:
            return b""
        try:
            return os.read(sys.stdin.fileno(), _READ)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StorageError(f"standard input cannot be read: {reason}", errno=error.errno) from error

    return read


def lines_of(read: Callable[[], bytes], *, longest: int = LONGEST) -> Iterator[list[Line]]:
    """What each call of `read` completes: a list of lines, empty ones left out.

    A byte order mark in front is passed over, and so are carriage returns before line feeds.

    >>> data = iter([b'{"a":1}\\n{"b"', b':2}\\r\\n\\n{"c":3}', b""])
    >>> [[line.text for line in group] for group in lines_of(lambda: next(data))]
    [[b'{"a":1}'], [b'{"b":2}'], [b'{"c":3}']]
    """
    number = skipped = 0
    pending = bytearray()
    while True:
        data = read()
        pieces = data.split(b"\n")
        found = []
        for at, piece in enumerate(pieces):
            last = at == len(pieces) - 1
            if skipped:
                skipped += len(piece)
            else:
                pending += piece
                if len(pending) > longest + 2:
                    skipped = len(pending)
                    pending = bytearray()
            if last and data:
                break
            number += 1
            if skipped:
                found.append(Line(number, None, skipped))
            else:
                text = bytes(pending)
                if number == 1 and text.startswith(_BOM):
                    text = text[3:]
                text = text.strip(b" \t\r")
                if text:
                    found.append(Line(number, text, len(text)))
            skipped = 0
            pending = bytearray()
        if found:
            yield found
        if not data:
            return
