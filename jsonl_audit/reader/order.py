"""Which file is which segment: names give the order in all but rare cases, headers decide it in every case."""

from __future__ import annotations

import os

from jsonl_audit.content import Content, first_line_of
from jsonl_audit.errors import NewerFormatError, NotALogError, StorageError
from jsonl_audit.reader.notices import Notice, Tell
from jsonl_audit.segment import Header, parse_header

__all__ = ["Segment", "in_order", "unreadable"]


class Segment:
    """One file of the log, not opened yet. Its header is read when it is first asked for."""

    __slots__ = ("_header", "_looked", "gone", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.gone = False
        """The file is not there any more."""
        self._header: Header | None = None
        self._looked = False

    def look(self, first_line: bytes) -> None:
        """Takes the header from the file's first line. Raises NewerFormatError."""
        self._looked = True
        try:
            self._header = parse_header(first_line)
        except NewerFormatError as error:
            error.path, error.line = self.path, 1
            raise

    @property
    def header(self) -> Header | None:
        """None where the first line is no whole header, cannot be read, or is gone. Raises NewerFormatError."""
        if not self._looked:
            try:
                self.look(first_line_of(self.path))
            except FileNotFoundError:
                self._looked = self.gone = True
            except (NotALogError, OSError):  # whoever needs its records opens it, and is told why that cannot be
                self._looked = True
        return self._header


def unreadable(path: str, error: OSError) -> StorageError:
    """The error for a file that the system does not let us read."""
    if isinstance(error, StorageError):
        return error
    return StorageError(f"cannot be read: {error.strerror or error}", path=path, errno=error.errno)


def in_order(files: list[Segment], tell: Tell) -> list[Segment]:
    """The files as their headers order them, one for each number; `tell` is told of those that are left out.

    The log is the one that the newest header belongs to. A file without a header keeps the place that its name gives.
    """
    log = next((each.header.log for each in reversed(files) if each.header is not None), None)
    numbered: dict[float, list[Segment]] = {}
    number = 0.0
    for each in files:
        header = each.header
        if each.gone:
            continue
        if header is not None and header.log != log:
            message = f"{os.path.basename(each.path)} belongs to another log, left out; run jsonl-audit verify"
            tell(Notice("foreign-segment", message, each.path))
            continue
        number = int(number) + 0.5 if header is None else header.segment
        numbered.setdefault(number, []).append(each)
    newest_first: list[Segment] = []
    behind: Header | None = None
    for number in sorted(numbered, reverse=True):
        several = numbered[number]
        if number != int(number):
            newest_first += reversed(several)
            continue
        best = several[0] if len(several) == 1 else _best(several, behind)
        for each in several:
            if each is not best:
                copy, chosen = os.path.basename(each.path), os.path.basename(best.path)
                message = f"{copy} is another copy of segment {int(number)}: {chosen} is read; run jsonl-audit verify"
                tell(Notice("older-copy", message, each.path))
        newest_first.append(best)
        behind = best.header
    return newest_first[::-1]


def _best(several: list[Segment], behind: Header | None) -> Segment:
    """Of several files with one number, the one whose end the next header goes on from, else the longest."""
    sizes = {}
    for each in several:
        try:
            with Content(each.path) as content:
                sizes[each] = content.size
                if behind is None or behind.previous is None or behind.previous.bytes > content.size:
                    continue
                if content.read(max(behind.previous.bytes - 67, 0), 64) == behind.prev.encode():
                    return each
        except (OSError, NotALogError):
            sizes[each] = -1
    return max(several, key=lambda each: sizes[each])
