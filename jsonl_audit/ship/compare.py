"""Whether what lies at a destination is what lies at the source: by digest, read from both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from blake3 import blake3

from jsonl_audit.content import Content
from jsonl_audit.ship.pace import BLOCK
from jsonl_audit.ship.place import Place

__all__ = ["arrived_blocks", "digest_there", "first_difference", "hole_at", "same_beginning"]


def arrived_blocks(place: Place, name: str, start: int, stop: int) -> Iterator[bytes]:
    """What lies at the place, block by block; it ends early where the file does."""
    while start < stop and (data := place.read(name, start, min(BLOCK, stop - start))):
        yield data
        start += len(data)


def digest_there(place: Place, name: str, stop: int) -> str:
    """BLAKE3 of the first `stop` bytes of a file at the place."""
    hasher = blake3()
    for block in arrived_blocks(place, name, 0, stop):
        hasher.update(block)
    return str(hasher.hexdigest())


def same_beginning(content: Content, place: Place, name: str, stop: int) -> Any | None:
    """A hasher that has taken the first `stop` bytes, if they are the same on both sides; else None."""
    here, there = blake3(), blake3()
    for block in content.blocks(0, stop):
        here.update(block)
    for block in arrived_blocks(place, name, 0, stop):
        there.update(block)
    return here if here.digest() == there.digest() else None


def hole_at(content: Content, place: Place, name: str, stop: int) -> int | None:
    """Where a power cut at the destination has left zeros instead of what was not on its disk yet; None where the two
    differ in anything else.

    Wherever they differ within the first `stop` bytes, there are zeros at the place.
    """
    offset, first = 0, None
    for theirs in arrived_blocks(place, name, 0, stop):
        ours = content.read(offset, len(theirs))
        if ours != theirs:
            if len(ours) != len(theirs):
                return None
            differing = [at for at, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
            if any(theirs[at] for at in differing):
                return None
            first = offset + differing[0] if first is None else first
        offset += len(theirs)
    return first


def first_difference(content: Content, place: Place, name: str, stop: int) -> tuple[int, int]:
    """Offset of the first byte in which the two differ, and the number of its line, 1 for the first."""
    offset, line = 0, 1
    for theirs in arrived_blocks(place, name, 0, stop):
        ours = content.read(offset, len(theirs))
        if ours != theirs:
            at = next((at for at, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), len(ours))
            return offset + at, line + ours[:at].count(b"\n")
        offset += len(ours)
        line += ours.count(b"\n")
    return offset, line
