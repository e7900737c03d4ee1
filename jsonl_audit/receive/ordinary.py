"""Lines that are what the record before them leads to, nearly all: told many at a time, at the speed of the hash."""

from __future__ import annotations

from blake3 import blake3

__all__ = ["TOGETHER", "going_on"]

TOGETHER = 32
"""Lines that are best taken at once."""
_SHORTEST = 228  # bytes: no line is shorter


def going_on(lines: list[bytes], last_seq: int, tip: str, ts: bytes) -> list[str] | None:
    """The hashes of these lines (LF included), if each goes on from the one before it and none is a header.

    `last_seq`, `tip` and `ts` are of the record before the first. None says that one of them has to be looked at alone.
    What is checked is seq, ts, prev and hash: the other rules of a line are the source's business, and `verify`'s.
    """
    first, last = last_seq + 1, last_seq + len(lines)
    at = 14 + len(str(last))
    if min(map(len, lines)) < _SHORTEST:
        return None
    if [line[:at] for line in lines] != [b'{"seq":%d,"ts":"' % seq for seq in range(first, last + 1)]:
        return None
    stamps = [line[at : at + 27] for line in lines]
    if stamps[0] < ts or stamps != sorted(stamps):
        return None
    if b"audit.segment" in [line[at + 81 : at + 94] for line in lines]:
        return None
    prev, ends, hashes, hasher = tip, [], [], blake3()
    for line in lines:
        hasher.reset()
        own = hasher.update(line[:-76]).hexdigest()
        ends.append(f',"prev":"{prev}","hash":"{own}"}}\n')
        hashes.append(own)
        prev = own
    # Every part on either side has one LF, its last byte: the wholes are equal only where all parts are.
    return hashes if b"".join([line[-150:] for line in lines]) == "".join(ends).encode() else None
