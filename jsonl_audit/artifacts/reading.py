"""An artifact as a file for reading, hashed on the way: its end comes only where it is what was stored."""

from __future__ import annotations

import io
import stat
import zlib
from collections.abc import Generator, Iterator

from blake3 import blake3

from jsonl_audit import storage
from jsonl_audit.content import unpacked
from jsonl_audit.errors import ArtifactError, StorageError

__all__ = ["Artifact", "state_of"]

_BLOCK = 1 << 20


class Artifact(io.RawIOBase):
    """The content of one artifact, for reading from its start to its end. A context manager, like any file.

    Reading raises ArtifactError at the end, or before, where the content is not what was stored: until the end has
    come (an empty read), what was read is not verified.
    """

    def __init__(self, path: str, own: str) -> None:
        super().__init__()
        self.hash = own
        """BLAKE3 of the content, in hex: its name."""
        self._path = path
        self._hasher = blake3()
        self._held = b""
        self._ended = False
        self._fd = -1
        self._fd = _opened(path, own)
        self._parts: Generator[bytes, None, None] = unpacked(self._fd, path) if path.endswith(".zst") else self._plain()

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fills the buffer, in part; 0 at the end. Raises ArtifactError, StorageError."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if not self._held:
            self._held = self._next()
        count = min(len(view), len(self._held))
        view[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def blocks(self) -> Iterator[bytes]:
        """The rest of the content, piece by piece. Raises as reading does."""
        if self._held:
            held, self._held = self._held, b""
            yield held
        while part := self._next():
            yield part

    def readall(self) -> bytes:
        """The rest of the content. Raises as reading does."""
        return b"".join(self.blocks())

    def close(self) -> None:
        """Gives the file back. May be called twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._parts.close()
            storage.let_go(fd)
        super().close()

    def _next(self) -> bytes:
        if self.closed:
            raise ValueError("this artifact is closed")
        if self._ended:
            return b""
        try:
            for part in self._parts:
                if part:
                    self._hasher.update(part)
                    return part
        except (zlib.error, EOFError) as error:
            raise ArtifactError.altered(self.hash, self._path) from error
        except OSError as error:
            raise StorageError.of(error, "the artifact cannot be read", self._path) from error
        if self._hasher.hexdigest() != self.hash:
            raise ArtifactError.altered(self.hash, self._path, self._hasher.hexdigest())
        self._ended = True
        return b""

    def _plain(self) -> Generator[bytes, None, None]:
        at = 0
        while part := storage.read(self._fd, at, _BLOCK):
            at += len(part)
            yield part


def _opened(path: str, own: str) -> int:
    """A descriptor of a regular file that really stands there: a link could lead to any file of whoever reads."""
    try:
        there = storage.lstat(path)
        if not stat.S_ISREG(there.st_mode):
            raise ArtifactError.altered(own, path)
        fd = storage.open_read(path)
    except FileNotFoundError as error:
        raise ArtifactError.missing(own, path) from error
    except OSError as error:
        raise StorageError.of(error, "the artifact cannot be read", path) from error
    found = storage.stat(fd)
    if (found.st_dev, found.st_ino) != (there.st_dev, there.st_ino):
        storage.let_go(fd)
        raise ArtifactError.altered(own, path)
    return fd


def state_of(path: str, own: str) -> str:
    """``"whole"`` where the file at `path` holds what the hash says, else ``"altered"`` or ``"missing"``."""
    try:
        with Artifact(path, own) as file:
            for _ in file.blocks():
                pass
    except ArtifactError as error:
        return error.state
    return "whole"
