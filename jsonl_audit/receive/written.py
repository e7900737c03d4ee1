"""What is written already, found by its seq: whether a record that comes again is the same one."""

from __future__ import annotations

import contextlib
import io
from collections import OrderedDict
from collections.abc import Iterator

from jsonl_audit import record, storage
from jsonl_audit.content import Content

__all__ = ["Written"]

_WINDOW = 1 << 16
_KEPT = 128
"""Windows whose hashes are in memory, at most."""


class _Window:
    """The records of a part of a file."""

    __slots__ = ("hashes", "stop")

    def __init__(self, hashes: dict[int, list[bytes]], stop: int) -> None:
        self.hashes = hashes
        self.stop = stop


class Written:
    """Looks for records in files whose seqs only grow, but for what a crash left at the end of one."""

    def __init__(self) -> None:
        self._windows: OrderedDict[tuple[str, int, int], _Window] = OrderedDict()
        self._last: tuple[str, int, int] | None = None

    def hashes(self, log: str, number: int, path: str, size: int, seq: int) -> list[bytes]:
        """The own hashes, 64 hex digits each, of the lines with a seq in a segment's file of `size` bytes.

        Raises OSError, NotALogError for compressed data that are broken.
        """
        last = self._last
        if last is not None and last[:2] == (log, number):
            for key in (last, (log, number, self._windows[last].stop)):
                window = self._windows.get(key)
                if window is not None and seq in window.hashes:
                    self._last = key
                    return window.hashes[seq]
        with _open(path, size) as (fd, size):
            start = self._start(fd, size, seq)
            found: list[bytes] = []
            key = (log, number, start)
            while start < size:
                key = (log, number, start)
                window = self._windows.get(key)
                if window is None or (window.stop < start + _WINDOW and window.stop < size):
                    window = self._windows[key] = _read(fd, start, size)
                self._windows.move_to_end(key)
                found = window.hashes.get(seq, [])
                if found or not window.hashes or max(window.hashes) >= seq or window.stop >= size:
                    break
                start = window.stop
            if start < size:
                self._last = key
        while len(self._windows) > _KEPT:
            gone, _ = self._windows.popitem(last=False)
            if gone == self._last:
                self._last = None
        return found

    def forget(self, log: str, number: int) -> None:
        """Of a segment whose file was changed."""
        for key in [key for key in self._windows if key[:2] == (log, number)]:
            del self._windows[key]
        self._last = None

    def _start(self, fd: int, size: int, seq: int) -> int:
        """Where a line begins with this seq, or one not far before it."""
        low, high = 0, size
        while high - low > _WINDOW:
            middle = (low + high) // 2
            at, found = _line_from(fd, middle, size)
            if at >= high or found >= seq:
                high = middle
            else:
                low = at
        return low


@contextlib.contextmanager
def _open(path: str, size: int) -> Iterator[tuple[int, int]]:
    """A descriptor of what a segment's file holds, and how much that is: a user may have compressed it."""
    if path.endswith((".gz", ".zst")):
        with Content(path) as content:
            yield content.fd, content.size
    else:
        with storage.reading(path) as fd:
            yield fd, size


def _line_from(fd: int, offset: int, size: int) -> tuple[int, int]:
    """The first line that begins behind `offset`: where, and its seq. At the end of the file: its size, and 0."""
    at = offset
    while at < size:
        text = storage.read(fd, at, 4096)
        end = text.find(b"\n")
        if end >= 0:
            start = at + end + 1
            return (start, record.seq_of(storage.read(fd, start, 32))) if start < size else (size, 0)
        if not text:
            break
        at += len(text)
    return size, 0


def _read(fd: int, start: int, size: int) -> _Window:
    text = storage.read(fd, start, min(_WINDOW, size - start))
    if not text.endswith(b"\n"):
        more, _ = _line_from(fd, start + len(text), size)
        text += storage.read(fd, start + len(text), more - start - len(text))
    hashes: dict[int, list[bytes]] = {}
    for line in io.BytesIO(text if text.endswith(b"\n") else text + b"\n"):
        hashes.setdefault(record.seq_of(line), []).append(line[-67:-3])
    return _Window(hashes, start + len(text))
