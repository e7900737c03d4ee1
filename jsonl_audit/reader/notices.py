"""What a reader met and passed over: it goes on, but it never stays silent about it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from jsonl_audit.content import Content
from jsonl_audit.reader.windows import WINDOW

__all__ = ["LineNumbers", "Notice", "ReadWarning", "Tell", "warn"]


class ReadWarning(UserWarning):
    """Something in a log was passed over; the message is the notice's sentence."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that was passed over. As a text it is a whole sentence.

    `kind` is ``damage`` (lines that are no records), ``segment-missing``, ``segment-altered`` (a sealed one was cut),
    ``foreign-segment``, ``older-copy``, ``not-a-segment`` (a directory with the name of one), ``active-missing``,
    ``purged`` (segments that were let go while they were read, or before a follower came to them), ``voided``
    (records that `follow` had given and that a failed sync, or a crash, took back) or ``newer-schema`` (a record of a
    version of its type that is not known here: it is given as it is).
    """

    kind: str
    message: str
    path: str
    line: int | None = None
    """The first of the lines, 1 for the first of the file."""
    lines: int = 0
    """How many lines stand there."""
    offset: int | None = None
    bytes: int = 0

    def __str__(self) -> str:
        return self.message


Tell = Callable[[Notice], None]
"""What is called with each notice."""


def warn(notice: Notice) -> None:
    """Tells a notice where the caller did not say whom to tell: as a warning."""
    warnings.warn(str(notice), ReadWarning, stacklevel=4)


def damage(path: str, line: int, lines: int, offset: int, size: int) -> Notice:
    """The notice of neighbouring lines that are no records.

    >>> str(damage("/log/audit.jsonl", 7, 1, 900, 20))
    'line 7 of audit.jsonl is no record, skipped; run jsonl-audit verify'
    """
    where = f"line {line} of" if lines == 1 else f"lines {line} to {line + lines - 1} of"
    said = "is no record" if lines == 1 else "are no records"
    message = f"{where} {os.path.basename(path)} {said}, skipped; run jsonl-audit verify"
    return Notice("damage", message, path, line, lines, offset, size)


class LineNumbers:
    """Counts lines up to an offset, and remembers how far it got: asked in order, it reads a file once at most."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._offset = 0
        self._lines = 0

    def at(self, offset: int) -> int:
        """The number of the line that begins at `offset`."""
        low, high = sorted((self._offset, offset))
        count = sum(block.count(b"\n") for block in self._content.blocks(low, high, WINDOW))
        self._lines += count if offset >= self._offset else -count
        self._offset = offset
        return self._lines + 1
