"""What a segment's file holds: its bytes by position, also where a user compressed it.

A file is never mapped: the active one may be cut under a reader, which would kill the process.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import IO, Any

from jsonl_audit import storage
from jsonl_audit.errors import NewerFormatError, NotALogError, StorageError
from jsonl_audit.segment import HEADER_LIMIT, Header, describe_foreign, first_line, parse_header

__all__ = ["Content", "blocks_of", "first_line_of", "unpacked"]

_BLOCK = 1 << 20
_PEEK = 1 << 14


class Content:
    """An open file of lines. `size` is its length when it was opened; what is appended later can still be read.

    A file whose name ends in ``.gz`` or ``.zst`` is unpacked once, to a temporary file without a name. Where it ends in
    the middle, and may, since it is the copy of a file that is `unfinished`, that is told by `cut`.

    Raises OSError where the file cannot be opened, NotALogError where compressed data are broken.
    """

    def __init__(self, path: str, *, unfinished: bool = False) -> None:
        self.path = path
        self.cut = False
        self._unfinished = unfinished
        self.fd = storage.open_read(path)
        self.compressed = path.endswith((".gz", ".zst"))
        try:
            found = storage.stat(self.fd)
            self.key = (found.st_dev, found.st_ino)
            self.size = found.st_size
            if self.compressed:
                self._unpack()
        except BaseException:
            self.close()
            raise

    def read(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`."""
        try:
            return storage.read(self.fd, offset, count)
        except OSError as error:
            raise StorageError(
                f"cannot be read at byte {offset}: {error.strerror}", path=self.path, offset=offset, errno=error.errno
            ) from error

    def blocks(self, start: int = 0, stop: int | None = None, size: int = _BLOCK) -> Iterator[bytes]:
        """The bytes from `start` to `stop` (the size at opening by default), block by block."""
        stop = self.size if stop is None else stop
        while start < stop and (data := self.read(start, min(size, stop - start))):
            yield data
            start += len(data)

    def grown(self) -> int:
        """The file's length now."""
        return self.size if self.compressed else storage.size(self.fd)

    def first_line(self) -> bytes:
        """The first line, LF included if it has one."""
        try:
            return first_line(self.fd)
        except OSError as error:
            raise StorageError.of(error, "cannot be read at byte 0", self.path) from error

    def header(self) -> Header:
        """The header in the first line.

        Raises NotALogError where there is none, NewerFormatError for a format that is not known here.
        """
        text = self.first_line()
        try:
            header = parse_header(text)
        except NewerFormatError as error:
            error.path, error.line = self.path, 1
            raise
        if header is None:
            raise NotALogError(describe_foreign(text), path=self.path, line=1)
        return header

    def close(self) -> None:
        """Gives the file back. May be called twice."""
        try:
            fd, self.fd = self.fd, -1
            if fd >= 0:
                storage.close(fd)
        except OSError:  # it is gone all the same, and was only read
            pass

    def __enter__(self) -> Content:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _unpack(self) -> None:
        packed = self.fd
        with tempfile.TemporaryFile() as plain:
            try:
                for part in unpacked(packed, self.path, _BLOCK):
                    plain.write(part)
            except (zlib.error, EOFError) as error:
                if not (self._unfinished and isinstance(error, EOFError)):
                    raise NotALogError(f"the compressed data are broken: {error}", path=self.path) from error
                self.cut = True
            plain.flush()
            self.fd = storage.duplicate(plain.fileno())
        storage.let_go(packed)
        self.size = storage.size(self.fd)


def first_line_of(path: str) -> bytes:
    """The first line of a file, LF included if it has one; of a compressed file no more than that is unpacked.

    Raises as :class:`Content` does.
    """
    if not path.endswith((".gz", ".zst")):
        with storage.reading(path) as fd:
            return first_line(fd)
    text = b""
    try:
        with storage.reading(path) as fd:
            for part in unpacked(fd, path):
                text += part
                if b"\n" in part or len(text) > HEADER_LIMIT:
                    break
    except (zlib.error, EOFError) as error:
        raise NotALogError(f"the compressed data are broken: {error}", path=path) from error
    end = text.find(b"\n")
    return text if end < 0 else text[: end + 1]


def blocks_of(path: str) -> Iterator[bytes]:
    """The bytes of any file, block by block, in flat memory: unpacked where its name ends in ``.gz`` or ``.zst``.

    Raises as :class:`Content` does.
    """
    with storage.reading(path) as fd:
        if path.endswith((".gz", ".zst")):
            try:
                yield from unpacked(fd, path, _BLOCK)
            except (zlib.error, EOFError) as error:
                raise NotALogError(f"the compressed data are broken: {error}", path=path) from error
            return
        offset = 0
        while data := storage.read(fd, offset, _BLOCK):
            offset += len(data)
            yield data


def unpacked(packed: int, path: str, size: int = _PEEK) -> Generator[bytes, None, None]:
    """The content of a compressed file, piece by piece, `size` bytes of it at a time; its descriptor stays open.

    Raises EOFError where it ends in the middle, zlib.error where it is broken otherwise, StorageError where there is
    nothing to unpack it with.
    """
    if path.endswith(".gz"):
        offset, unzip = 0, zlib.decompressobj(31)
        while data := storage.read(packed, offset, size):
            offset += len(data)
            while data:
                if unzip.eof:  # a file may hold several members
                    unzip = zlib.decompressobj(31)
                yield unzip.decompress(data, _BLOCK)
                data = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
        if not unzip.eof:
            raise EOFError("the file ends in the middle")
        return
    with os.fdopen(storage.duplicate(packed), "rb") as file:
        reader, broken = _zstd_reader(file, path)
        try:
            while data := reader.read(size):
                yield data
        except broken as error:
            raise zlib.error(str(error)) from error


def _zstd_reader(file: IO[bytes], path: str) -> tuple[Any, type[Exception]]:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]  # Python 3.14

        return zstd.ZstdFile(file), zstd.ZstdError
    except ImportError:
        pass
    try:
        import zstandard
    except ImportError as error:
        raise StorageError(
            "zstd data cannot be read here; install it: pip install 'jsonl-audit[zstd]', or unpack the file", path=path
        ) from error
    return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True), zstandard.ZstdError
