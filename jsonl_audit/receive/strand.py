"""A segment that is being put together: a file to which only what goes on from its last line is appended."""

from __future__ import annotations

import os

from blake3 import blake3

from jsonl_audit import record, storage
from jsonl_audit.errors import StorageError, WrongLogError
from jsonl_audit.lines import Lines, Long
from jsonl_audit.segment import Header, Previous

__all__ = ["Strand", "digest_of", "lines_between"]

_BLOCK = 1 << 20
_TOGETHER = 1 << 20
"""Bytes that are written at the latest when there are so many."""


class Strand:
    """One segment of one log, from its header on. `path` is its file, of which `end` bytes are written.

    A crash, or a full disk, may leave the beginning of a line behind that: it is gone on from.
    """

    __slots__ = (
        "_together", "altered", "end", "first_prev", "first_seq", "forks", "head_hash", "last_seq", "log", "number",
        "path", "pending", "piece", "said", "sealed", "tip", "ts", "unsynced", "zeros_tried",
    )  # fmt: skip

    def __init__(self, path: str, header: Header) -> None:
        self.path = path
        self.log = header.log
        self.number = header.segment
        self.first_seq = header.seq
        self.first_prev = header.prev
        self.head_hash = header.hash.encode()
        self.tip = b""
        """Hash of the last line, 64 hex digits; nothing before the header is written."""
        self.last_seq = header.seq - 1
        self.ts = header.ts
        self.end = 0
        """Length in bytes, with what is not written yet."""
        self.piece = b""
        self.pending: list[bytes] = []
        self._together = 0
        self.said: Previous | None = None
        """What the header of the next segment says of this one."""
        self.sealed = False
        """All its records are here and only its torn end is not, or not wholly."""
        self.forks: list[tuple[int, bytes]] = []
        """Seq and prev of records that wait, in whose place another one is written."""
        self.zeros_tried = False
        """Whether it was tried if zeros are what a crash left behind its last record."""
        self.altered = False
        """Whether it was told that its bytes are not what the next header says."""
        self.unsynced = False

    def append(self, data: bytes, tip: bytes, last_seq: int, ts: str) -> None:
        """Lines that go on from its last one; `tip` is the hash of the last of them, and so on."""
        self.pending.append(data)
        self.end += len(data)
        self.tip, self.last_seq, self.ts = tip, last_seq, ts
        self._together += len(data)
        if self._together > _TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Writes what is not written.

        Raises OSError where the system refuses, WrongLogError where the file is not what was written to it.
        """
        if not self.pending:
            return
        data = b"".join(self.pending)
        written = self.end - len(data)
        fd = storage.open_append(self.path, create=True)
        try:
            actual = storage.size(fd)
            if actual != written + len(self.piece):
                raise WrongLogError(
                    "the file is not as long as what was written to it: another program changed it. Put it aside, "
                    "then collect goes on without it",
                    path=self.path, expected=written + len(self.piece), actual=actual,
                )  # fmt: skip
            if self.piece and not data.startswith(self.piece):
                storage.let_go(fd)
                fd = -1
                self.cut(written)
                fd = storage.open_append(self.path, create=True)
                self.piece = b""
            storage.write(fd, data[len(self.piece) :])
        finally:
            if fd >= 0:
                storage.let_go(fd)
        self.pending.clear()
        self._together, self.piece, self.unsynced = 0, b"", True

    def cut(self, stop: int, more: bytes = b"") -> None:
        """Makes the file end at byte `stop`, with `more` behind it, by a copy that takes its place. Raises OSError."""
        _copy_part(self.path, stop, os.path.join(os.path.dirname(self.path), f".{self.number}.copy"), more)

    def sync(self) -> None:
        """Returns when all of it is on the disk."""
        self.flush()
        if self.unsynced:
            fd = storage.open_append(self.path)
            try:
                storage.sync(fd)
            finally:
                storage.let_go(fd)
            self.unsynced = False

    def resume(self) -> None:
        """Finds out how far the file goes.

        Raises WrongLogError where its lines are not what was written, OSError.
        """
        lines, end, tip, seq, ts = Lines(), 0, b"", self.first_seq - 1, self.ts
        with storage.reading(self.path) as fd:
            size, at = storage.size(fd), 0
            while data := storage.read(fd, at, _BLOCK):
                at += len(data)
                for line in lines.feed(data):
                    right = type(line) is not Long and record.own_hash_right(line)
                    if not right or (tip and line[-141:-77] != tip):
                        if b"\0" in line:  # what was not synced before the machine went down
                            break
                        raise WrongLogError(
                            "this line does not go on from the one before it: the file was changed since it was "
                            "collected. Put it aside, then collect goes on without it",
                            path=self.path, seq=seq + 1, offset=end,
                        )  # fmt: skip
                    tip, seq, ts = line[-67:-3], record.seq_of(line) or seq + 1, record.ts_of(line)
                    end += len(line)
                else:
                    continue
                break
            self.piece = storage.read(fd, end, size - end)
        self.end, self.tip, self.last_seq, self.ts = end, tip, seq, ts


def digest_of(path: str, start: int, stop: int, more: bytes = b"") -> str:
    """BLAKE3 of a part of a file, and of what is thought behind it."""
    hasher = blake3()
    with storage.reading(path) as fd:
        while start < stop and (data := storage.read(fd, start, min(_BLOCK, stop - start))):
            hasher.update(data)
            start += len(data)
    hasher.update(more)
    return str(hasher.hexdigest())


def lines_between(path: str, start: int, stop: int) -> list[bytes]:
    """The lines in a part of a file."""
    with storage.reading(path) as fd:
        return storage.read(fd, start, stop - start).splitlines(keepends=True)


def _copy_part(path: str, stop: int, through: str, more: bytes = b"") -> None:
    """Makes a file end at byte `stop`, with `more` behind it: a copy of that part takes its place."""
    fd = storage.open_append(through, create=True, empty=True)
    try:
        at = 0
        with storage.reading(path) as source:
            while at < stop:
                data = storage.read(source, at, min(_BLOCK, stop - at))
                if not data:
                    raise StorageError("the file is shorter than it was", path=path, expected=stop, actual=at)
                storage.write(fd, data)
                at += len(data)
        storage.write(fd, more)
        storage.sync(fd)
    finally:
        storage.let_go(fd)
    storage.replace(through, path)
