"""What arrives and is no whole record: kept aside in a file of JSON lines, never written as if it were one."""

from __future__ import annotations

import base64
import os
from collections import deque
from datetime import datetime, timezone
from typing import Any

import orjson
from blake3 import blake3

from jsonl_audit import storage

__all__ = ["Aside"]

_LIMIT = 32 << 20
"""Bytes after which a new file is begun; the one before it is kept, older ones are not."""
_LONGEST = 1 << 20
"""Bytes of one line that are kept."""
_PIECES = 256
_PIECES_BYTES = 4 << 20
_PIECE = 1 << 16


class Aside:
    """Lines that were kept aside, in a directory. `pieces` are the newest of them, which a crash's end may be.

    With `for_good` none of them is ever let go.
    """

    def __init__(self, directory: str, name: str = "aside", *, for_good: bool = False) -> None:
        self.path = os.path.join(directory, f"{name}.jsonl")
        self._before = os.path.join(directory, f"{name}.before.jsonl")
        self._for_good = for_good
        self.pieces: deque[bytes] = deque()
        self._pieces_bytes = 0
        self._seen: deque[bytes] = deque(maxlen=4096)
        self._seen_set: set[bytes] = set()
        self._pending: list[bytes] = []
        self._size = storage.size(self.path) if storage.exists(self.path) else 0
        self._whole = self._size == 0
        self._unsynced = False
        self._load()

    def _load(self) -> None:
        """What was kept last in an earlier run: it may still be the end of a segment, and may come again."""
        if not self._size:
            return
        with storage.reading(self.path) as fd:
            text = storage.read(fd, max(0, self._size - _PIECES_BYTES), _PIECES_BYTES)
        for line in text.splitlines()[-_PIECES:]:
            try:
                shown = orjson.loads(line)
                digest = bytes.fromhex(shown["blake3"])
                kept = base64.b64decode(shown["base64"]) if "base64" in shown else shown["line"].encode()
            except (ValueError, KeyError, TypeError, AttributeError):  # the first is cut, a crash may have cut another
                continue
            self._see(digest)
            self._piece(kept)

    def keep(self, line: bytes, kind: str, message: str, number: int | None) -> bool:
        """Keeps a line. False for one that is kept already: a sender that repeats it must not fill the disk."""
        digest = blake3(line).digest()
        if digest in self._seen_set:
            return False
        self._see(digest)
        shown: dict[str, Any] = {
            "at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "kind": kind, "message": message,
            "input_line": number, "bytes": len(line), "blake3": digest.hex(),
        }  # fmt: skip
        part = line[:_LONGEST]
        try:
            shown["line"] = part.decode()
        except UnicodeDecodeError:
            shown["base64"] = base64.b64encode(part).decode()
        text = orjson.dumps(shown) + b"\n"
        self._pending.append(text)
        self._size += len(text)
        self._piece(line)
        return True

    def _see(self, digest: bytes) -> None:
        if len(self._seen) == self._seen.maxlen:
            self._seen_set.discard(self._seen[0])
        self._seen.append(digest)
        self._seen_set.add(digest)

    def _piece(self, line: bytes) -> None:
        piece = line.rstrip(b"\r\n")
        if len(piece) <= _PIECE:
            if len(self.pieces) == _PIECES:
                self._pieces_bytes -= len(self.pieces.popleft())
            self.pieces.append(piece)
            self._pieces_bytes += len(piece)
            while self._pieces_bytes > _PIECES_BYTES:
                self._pieces_bytes -= len(self.pieces.popleft())

    def __bool__(self) -> bool:
        """Whether anything was ever kept."""
        return self._size > 0

    def flush(self) -> None:
        """Writes what is not written. Raises OSError."""
        if not self._pending:
            return
        data = b"".join(self._pending)
        if self._size > _LIMIT and not self._for_good and storage.exists(self.path):
            storage.replace(self.path, self._before)
            self._size, self._whole = len(data), True
        fd = storage.open_append(self.path, create=True)
        try:
            if not self._whole:  # a disk that was full, or a crash, may have cut the last line
                size = storage.size(fd)
                if size and storage.read(fd, size - 1, 1) != b"\n":
                    data = b"\n" + data
                self._whole = True
            storage.write(fd, data)
        finally:
            storage.let_go(fd)
        self._pending.clear()
        self._unsynced = True

    def sync(self) -> None:
        """Returns when it is on the disk."""
        self.flush()
        if self._unsynced:
            fd = storage.open_append(self.path)
            try:
                storage.sync(fd)
            finally:
                storage.let_go(fd)
            storage.sync_directory(os.path.dirname(self.path))
            self._unsynced = False
