"""What a caller gives as a stream: an open file, or lines one by one, with or without their LF."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

__all__ = ["parts_of"]

_READ = 1 << 18


def parts_of(lines: Any) -> Iterator[bytes | list[bytes]]:
    """Blocks of bytes of a file as they come, or lists of lines with their LF.

    >>> list(parts_of(["one", b"two", "three and\\nfour"]))
    [[b'one\\n', b'two\\n', b'three and\\n', b'four\\n']]
    """
    read = getattr(lines, "read1", None) or getattr(lines, "read", None)
    if read is not None:
        while data := read(_READ):
            yield _bytes(data)
        return
    many = 512 if isinstance(lines, list | tuple) else 1  # what comes from elsewhere may be slow to come
    source = iter(lines)
    while some := list(itertools.islice(source, many)):
        yield [
            one if one.endswith(b"\n") else one + b"\n" for given in some for one in _bytes(given).split(b"\n") if one
        ]


def _bytes(given: str | bytes | bytearray | memoryview) -> bytes:
    return given.encode("utf-8", "surrogateescape") if isinstance(given, str) else bytes(given)
