"""Parts of files put together to the segment that they are: one content, of which each place can be found again."""

from __future__ import annotations

import bisect
import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from jsonl_audit.content import Content
from jsonl_audit.segment import HEADER_LIMIT
from jsonl_audit.verifier.files import File, Vanished, opened

__all__ = ["JoinedFile", "Part", "Source"]

_numbers = itertools.count(1)
_OPEN = 4  # sources that are kept open: what is read in order needs one


@dataclass(slots=True, eq=False)
class Source:
    """One file as it lies there."""

    path: str
    key: tuple[int, int]
    size: int
    """Of its content, unpacked."""
    held: Content | None = None
    """Where it is held open, since unpacking it again for each piece of it takes long."""
    _counted: dict[int, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name without its directory."""
        return os.path.basename(self.path)

    def open(self) -> Content:
        """Its content. Raises Vanished, StorageError, NotALogError."""
        if self.held is not None:
            return self.held
        content = opened(self.path, unfinished=True)
        if content.key != self.key or content.size < self.size:
            content.close()
            raise Vanished(self.path)
        return content

    def let_go(self, content: Content) -> None:
        """Gives back what `open` gave."""
        if content is not self.held:
            content.close()

    def lines_before(self, offset: int) -> int:
        """How many lines end before a byte."""
        if offset not in self._counted:
            content = self.open()
            try:
                self._counted[offset] = sum(data.count(b"\n") for data in content.blocks(0, offset))
            finally:
                self.let_go(content)
        return self._counted[offset]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file."""

    source: Source
    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.stop - self.start


class _Joined(Content):
    """The parts, one behind the other. Threads may share it."""

    def __init__(self, path: str, parts: list[Part], key: tuple[int, int]) -> None:
        self.path = path
        self.parts = parts
        self.key = key
        self.fd = -1
        self.cut = False
        self.compressed = True  # it cannot be opened elsewhere by its path
        self.starts = [0, *itertools.accumulate(part.size for part in parts)]
        self.size = self.starts[-1]
        self._lock = threading.Lock()
        self._opened: dict[int, tuple[Source, Content]] = {}

    def read(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`."""
        found: list[bytes] = []
        number = bisect.bisect_right(self.starts, offset) - 1
        with self._lock:
            while count > 0 and 0 <= number < len(self.parts):
                part, inside = self.parts[number], offset - self.starts[number]
                data = self._content(part.source).read(part.start + inside, min(count, part.size - inside))
                found.append(data)
                if len(data) < min(count, part.size - inside):
                    break
                offset, count, number = offset + len(data), count - len(data), number + 1
        return b"".join(found)

    def _content(self, source: Source) -> Content:
        found = self._opened.get(id(source))
        if found is None:
            if len(self._opened) >= _OPEN:
                oldest, content = self._opened.pop(next(iter(self._opened)))
                oldest.let_go(content)
            found = self._opened[id(source)] = source, source.open()
        return found[1]

    def grown(self) -> int:
        """Its length: nothing is appended to copies."""
        return self.size

    def first_line(self) -> bytes:
        """The first line, LF included if it has one."""
        text = self.read(0, 1 << 16)
        end = text.find(b"\n") + 1
        return text[:end] if end else self.read(0, min(self.size, HEADER_LIMIT))

    def close(self) -> None:
        """Gives the files back. May be called twice."""
        for source, content in self._opened.values():
            source.let_go(content)
        self._opened = {}


@dataclass(slots=True, eq=False)
class JoinedFile(File):
    """A segment, or the rest of one, that lies in parts of files."""

    parts: list[Part] = field(default_factory=list)

    @classmethod
    def of(cls, parts: list[Part]) -> JoinedFile:
        """The file that these parts are, one behind the other."""
        size = sum(part.size for part in parts)
        return cls(parts[0].source.path, (-1, next(_numbers)), size, copied=True, parts=parts)

    @property
    def merged(self) -> bool:
        """Whether there are other pieces in the same file: each may have been cut off before it was merged."""
        part = self.parts[-1]
        return part.start > 0 or part.stop < part.source.size

    @contextmanager
    def open(self) -> Iterator[Content]:
        """Its bytes."""
        with _Joined(self.path, self.parts, self.key) as content:
            yield content

    def place(self, line: int | None, offset: int | None) -> tuple[str, int | None, int | None]:
        """Where a line and a byte of its content really lie: in which file, in which line of it, at which byte."""
        if line is None and offset is None:
            return self.name, None, None
        starts = [0, *itertools.accumulate(part.size for part in self.parts)]
        if offset is not None:
            number = min(bisect.bisect_right(starts, offset), len(self.parts)) - 1
        else:
            number = self._part_of(line or 1)
        part = self.parts[number]
        if line is not None:
            before = sum(self._lines_in(each) for each in self.parts[:number])
            line += part.source.lines_before(part.start) - before
        return part.source.name, line, None if offset is None else part.start + offset - starts[number]

    def _part_of(self, line: int) -> int:
        """The part in which a line begins."""
        before, begins = 0, True
        found = 0
        for number, part in enumerate(self.parts):
            if before < line - 1 or (before == line - 1 and begins):
                found = number
            before += self._lines_in(part)
            begins = self._ends_a_line(part)
        return found

    @staticmethod
    def _lines_in(part: Part) -> int:
        return part.source.lines_before(part.stop) - part.source.lines_before(part.start)

    @staticmethod
    def _ends_a_line(part: Part) -> bool:
        content = part.source.open()
        try:
            return content.read(part.stop - 1, 1) == b"\n"
        finally:
            part.source.let_go(content)
