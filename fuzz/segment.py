"""Any bytes as a segment: the walk raises nothing, sees the same at every block size, and digests what it says."""

from __future__ import annotations

import random

import folders
from blake3 import blake3
from driver import main

from jsonl_audit.scan import Walk


def seeds() -> list[bytes]:
    """Segments in every state."""
    found = [content for seed in folders.seeds() for _, content in folders.parts_of(seed)[1]]
    return [*dict.fromkeys(found), b"", b"{}\n"]


def changed(data: bytes, chance: random.Random) -> bytes:
    """Another segment, most often with the hashes that fit it."""
    _, parts = folders.parts_of(folders.changed(folders.pack(0, [(folders.ACTIVE, data)]), chance))
    return parts[0][1] if parts else b""


def walked(data: bytes, size: int, *, strict: bool) -> tuple[object, ...]:
    walk = Walk(strict=strict, digest=True, times=True)
    for start in range(0, len(data), size):
        walk.feed(data[start : start + size])
    walk.finish()
    assert 0 <= walk.end <= len(data) == walk.pos
    assert walk.blake3() == blake3(data[: walk.end]).hexdigest()
    assert walk.torn_blake3() == blake3(data[walk.end :]).hexdigest()
    places = [(place.kind, place.offset, place.bytes, place.line, place.seq, place.message) for place in walk.damage]
    return walk.end, walk.last, walk.records, walk.torn, walk.torn_at, walk.void_lines, walk.time, places, walk.damaged


def target(data: bytes) -> None:
    for strict in (True, False):
        whole = walked(data, 1 << 20, strict=strict)
        for size in (1, 3, 511, 4096):
            if size == 1 and len(data) > 6000:
                continue
            assert walked(data, size, strict=strict) == whole, (size, strict)


if __name__ == "__main__":
    main(target, seeds(), changed)
