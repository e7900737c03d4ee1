"""What a line may have been: the one changed byte, or bit, by which its hash is right again. Pure."""

from __future__ import annotations

from typing import NamedTuple

from blake3 import blake3

__all__ = ["Change", "one_byte"]

LONGEST = 2048
"""Bytes of a line; for longer ones it is not tried."""


class Change(NamedTuple):
    """One byte that explains why a line disagrees with its hash."""

    at: int
    """Within the line."""
    was: int
    now: int

    @property
    def bits(self) -> int:
        """How many bits differ: one is typical of memory or a disk, several of a hand."""
        return (self.was ^ self.now).bit_count()


def one_byte(hashed: bytes, stored: str, *, bits_only: bool = False) -> Change | None:
    """The one byte of the hashed part of a line that, changed back, gives the hash that is stored; None if none does.

    >>> right = b'{"seq":1,"n":7}'
    >>> one_byte(right.replace(b"7", b"9"), blake3(right).hexdigest())
    Change(at=13, was=55, now=57)
    """
    if len(hashed) > LONGEST:
        return None
    try:
        wanted = bytes.fromhex(stored)
    except ValueError:
        return None
    text = bytearray(hashed)
    singles = tuple(1 << bit for bit in range(8))
    several = () if bits_only else tuple(set(range(1, 256)) - set(singles))
    for masks in (singles, several):
        for at, now in enumerate(hashed):
            for mask in masks:
                text[at] = now ^ mask
                if blake3(text).digest() == wanted:
                    return Change(at, now ^ mask, now)
            text[at] = now
    return None
