"""The bytes of a segment without a look at its lines: their digest, where two files part, what stands at an end."""

from __future__ import annotations

from collections.abc import Callable

from blake3 import blake3

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.lines import Lines

__all__ = ["WINDOW", "Progress", "alike", "blake3_of", "count_whole", "last_line", "parting", "same"]

WINDOW = 1 << 19
"""How much is hashed at once, in bytes: more does not fit the processor's own memory and is slower."""

Progress = Callable[[int], None]
"""Called with the number of bytes that have been read since the last call."""


def blake3_of(content: Content, start: int, stop: int, progress: Progress | None = None) -> str:
    """BLAKE3, in hex, of the bytes from `start` to `stop`, or to the end of the file."""
    hasher = blake3()
    for data in content.blocks(start, stop, WINDOW):
        hasher.update(data)
        if progress is not None:
            progress(len(data))
    return str(hasher.hexdigest())


def last_line(content: Content, end: int) -> bytes:
    """The line that ends at byte `end`, LF included; what stands there if none does."""
    size = 1 << 12
    while True:
        text = content.read(max(0, end - size), min(size, end))
        start = text.rfind(b"\n", 0, -1) + 1
        if start or size >= end or size > record.HARD_LIMIT:
            return text[start:]
        size = min(size * 16, record.HARD_LIMIT + 1)


def count_whole(content: Content, start: int, stop: int) -> int:
    """How many whole lines with a right hash stand from `start` to `stop`."""
    lines, count = Lines(start), 0
    for data in content.blocks(start, stop, WINDOW):
        count += sum(map(record.own_hash_right, lines.feed(data)))
    return count


def parting(one: Content, other: Content, stop: int) -> int | None:
    """The first byte before `stop` where two files differ, or where one of them ends; None if they do not."""
    at = 0
    while at < stop:
        count = min(WINDOW, stop - at)
        left, right = one.read(at, count), other.read(at, count)
        if left != right or not left:
            return at + alike(left, right)
        at += count
    return None


def alike(left: bytes, right: bytes) -> int:
    """How long the longest beginning is that both have.

    >>> alike(b"abcd", b"abd"), alike(b"", b"a")
    (2, 0)
    """
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if left[:middle] == right[:middle] else (low, middle - 1)
    return low


def same(one: Content, other: Content, stop: int) -> bool:
    """Whether two files hold the same bytes up to `stop`."""
    return parting(one, other, stop) is None
