"""Texts on their way into the store, in whatever encoding, through a redactor that knows UTF-8."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterable, Iterator
from typing import Protocol

__all__ = ["cleaned"]


class _Streams(Protocol):
    def stream(self, chunks: Iterable[bytes], found: dict[str, int]) -> Iterator[bytes]: ...


def cleaned(redactor: _Streams, chunks: Iterable[bytes], encoding: str, found: dict[str, int]) -> Iterator[bytes]:
    """The text without what must not reach the disk, in the encoding that it came in. Raises nothing of its own."""
    if encoding == "utf-8":
        return redactor.stream(_whole(chunks), found)
    mark = b""
    if encoding != "latin-1":
        chunks = iter(chunks)
        first = next(chunks)
        mark, chunks = first[:2], itertools.chain((first[2:],), chunks)
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass" if mark else "strict")
    utf_8 = (decoder.decode(chunk).encode("utf-8", "surrogatepass") for chunk in chunks)
    return itertools.chain((mark,), _back(redactor.stream(utf_8, found), encoding))


def _back(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
    for chunk in chunks:
        yield decoder.decode(chunk).encode(encoding, "surrogatepass" if encoding != "latin-1" else "replace")
    yield decoder.decode(b"", True).encode(encoding, "replace")


def _whole(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from chunks
