"""What may be attached: bytes, a text, a file by its path, an open file, pieces one by one; read as it comes, once."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, TypeAlias

from jsonl_audit import storage
from jsonl_audit.errors import StorageError

__all__ = ["BLOCK", "Attachable", "blocks", "encoding_of", "is_readable", "mark_of", "opened"]

Attachable: TypeAlias = "bytes | bytearray | memoryview | str | os.PathLike[str] | Iterable[bytes | str] | Any"
"""Bytes, a text, a path, an object with `read`, or an iterable of bytes and texts."""
BLOCK = 1 << 20
"""Bytes that are read and written at once, about; what is not longer than that is never written to be thrown away."""

_CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""In this order: one of them begins as another does."""
_WIDE = {"utf-32-le": (4, 0), "utf-32-be": (4, 3), "utf-16-le": (2, 0), "utf-16-be": (2, 1)}
"""Bytes of a character, and which of them tells one from another in most languages that are written to logs."""


@contextlib.contextmanager
def opened(data: Attachable) -> Iterator[tuple[Iterator[bytes], str | None]]:
    """The content, piece by piece, and the name that it has by itself.

    A file at a path is what it was when it was opened: what is appended meanwhile is not read. Raises TypeError for
    what cannot be attached, StorageError for a file that cannot be read or is cut while it is read. What an open file
    or an iterable raises of its own accord is raised as it is.
    """
    if isinstance(data, str):
        yield iter((data.encode("utf-8", "backslashreplace"),)), None
    elif isinstance(data, bytes | bytearray | memoryview):
        yield _parts(bytes(data)), None
    elif isinstance(data, os.PathLike):
        path = os.path.expanduser(os.fsdecode(data))
        try:
            fd = storage.open_read(path)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        try:
            yield _of_file(fd, path), os.path.basename(path)
        finally:
            storage.let_go(fd)
    elif callable(getattr(data, "read", None)):
        yield _of_reader(data), None
    elif isinstance(data, Iterable) and not isinstance(data, dict | set | frozenset):
        yield (_bytes(part) for part in data), None
    else:
        raise TypeError(f"data is bytes, a text, a path, an open file or an iterable of bytes, not {type(data)}")


def _parts(data: bytes) -> Iterator[bytes]:
    if len(data) <= BLOCK:
        yield data
        return
    for at in range(0, len(data), BLOCK):
        yield data[at : at + BLOCK]


def _of_file(fd: int, path: str) -> Iterator[bytes]:
    try:
        size, at = storage.size(fd), 0
        # What the system makes up as it is read (/proc) has no size.
        while (at < size or not size) and (part := storage.read(fd, at, min(BLOCK, size - at) if size else BLOCK)):
            at += len(part)
            yield part
    except OSError as error:
        raise _unreadable(path, error) from error
    if at < size:
        raise StorageError(
            f"the file was cut while it was read: {at} of {size} bytes came; nothing was stored, attach it again",
            path=path,
            expected=size,
            actual=at,
        )


def _of_reader(data: Any) -> Iterator[bytes]:
    while True:
        part = data.read(BLOCK)
        if part is None:
            raise TypeError("the open file has nothing to read yet (it does not block); give one that waits")
        if not part:
            return
        yield _bytes(part)


def _bytes(part: Any) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, str):
        return part.encode("utf-8", "backslashreplace")
    if isinstance(part, bytearray | memoryview):
        return bytes(part)
    raise TypeError(f"content comes as bytes or texts, not as {type(part)}")


def _unreadable(path: str, error: OSError | ValueError) -> StorageError:
    what = error.strerror if isinstance(error, OSError) else str(error)
    number = error.errno if isinstance(error, OSError) else None
    return StorageError(f"cannot be read, and was not attached: {what}", path=path, errno=number)


def blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of a block at least, but for the last: small ones would each cost a write."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= BLOCK:
            yield b"".join(held) if len(held) > 1 else chunk
            held, size = [], 0
    if size:
        yield b"".join(held)


def mark_of(head: bytes) -> tuple[bytes, str | None]:
    """The byte order mark that `head` begins with, and the encoding that it tells, other than UTF-8."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return mark, encoding
    return b"", None


def encoding_of(head: bytes, *, whole: bool) -> str | None:
    """How the text that begins with `head` is encoded; None where it is no text.

    UTF-16 and UTF-32 with a mark, or with as many NUL bytes as Latin letters have in them; UTF-8, with whatever control
    characters in it; and, as ``latin-1``, what is neither and yet has no control characters. `whole` says that nothing
    follows.

    >>> [encoding_of("Grüße".encode(each), whole=True) for each in ("utf-8", "latin-1", "utf-16", "utf-16-be")]
    ['utf-8', 'latin-1', 'utf-16-le', 'utf-16-be']
    >>> encoding_of(b"\\x89PNG\\x00", whole=True) is None
    True
    """
    marked = mark_of(head)[1]
    if marked is not None:
        return marked
    if b"\0" in head:
        for encoding in _WIDE:
            if _is_wide(head, encoding):
                return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, whole)
    except UnicodeDecodeError:
        return "latin-1" if is_readable(head) else None
    return "utf-8"


def _is_wide(head: bytes, encoding: str) -> bool:
    width, telling = _WIDE[encoding]
    head = head[: min(len(head), 65536) // width * width]
    others = [head[at::width] for at in range(width) if at != telling]
    if not head or head[telling::width].count(0) or any(2 * each.count(0) < len(each) for each in others):
        return False
    try:
        return _CONTROL.search(head.decode(encoding).encode()) is None
    except UnicodeError:
        return False


def is_readable(head: bytes) -> bool:
    """Whether there are no control characters in it that a text for people does not have."""
    return mark_of(head)[1] is not None or any(map(partial(_is_wide, head), _WIDE)) or _CONTROL.search(head) is None
