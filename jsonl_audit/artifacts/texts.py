"""Texts on their way into the store, in whatever encoding, through a redactor that knows UTF-8."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterable, Iterator
from typing import Protocol

from jsonl_audit.artifacts.source import mark_of

__all__ = ["cleaned"]


class _Streams(Protocol):
    def stream(self, chunks: Iterable[bytes], found: dict[str, int]) -> Iterator[bytes]: ...


def cleaned(redactor: _Streams, chunks: Iterable[bytes], encoding: str, found: dict[str, int]) -> Iterator[bytes]:
    """The text without what must not reach the disk, in the encoding that it came in. Raises nothing of its own."""
    if encoding == "utf-8":
        return redactor.stream(_whole(chunks), found)
    chunks = iter(chunks)
    first = next(chunks, b"")
    mark = b"" if encoding == "latin-1" else mark_of(first)[0]
    chunks = itertools.chain((first[len(mark) :],), chunks)
    decoder = codecs.getincrementaldecoder(encoding)(_ERRORS[encoding[:6]])
    utf_8 = (decoder.decode(chunk).encode("utf-8", "surrogatepass") for chunk in chunks)
    return itertools.chain((mark,), _back(redactor.stream(utf_8, found), encoding), _rest(decoder))


def _back(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
    for chunk in chunks:
        yield decoder.decode(chunk).encode(encoding, "surrogatepass" if encoding != "latin-1" else "replace")
    yield decoder.decode(b"", True).encode(encoding, "replace")


def _rest(decoder: codecs.IncrementalDecoder) -> Iterator[bytes]:
    """What is left when all has come: less than a character, kept as it is."""
    yield decoder.getstate()[0]


_ERRORS = {"latin-": "strict", "utf-16": "surrogatepass", "utf-32": "replace"}
"""UTF-16 holds whatever has an even number of bytes; UTF-32 does not, and what is none goes."""


def _whole(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from chunks
