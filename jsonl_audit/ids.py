"""Ids of records: UUIDv7 (RFC 9562), strictly growing within a process, unlike those of every other."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Iterator

__all__ = ["new_id"]

_id_lock = threading.Lock()
_id_ms = -1
_id_count = 0xFFF  # so that the first id takes a prefix, whatever the clock says
_id_prefix = b""
_random: Iterator[int] = iter(())


def new_id() -> bytes:
    """A UUIDv7 (RFC 9562), larger than every one this process made before.

    48 bits of milliseconds, 12 bits that count up within one (and run on into the next), 62 random bits.

    >>> new_id() < new_id()
    True
    """
    global _id_ms, _id_count, _id_prefix, _random
    ms = time.time_ns() // 1_000_000
    with _id_lock:
        chance = next(_random, None)
        if chance is None:
            _random = iter(struct.unpack("256Q", os.urandom(2048)))
            chance = next(_random)
        _id_count += 1
        if ms > _id_ms or _id_count > 0xFFF:
            _id_ms = max(ms, _id_ms + 1)
            _id_count = os.urandom(1)[0]  # what is left of 4,096 is room for the ids of one millisecond
            _id_prefix = b"%08x-%04x-7" % (_id_ms >> 16, _id_ms & 0xFFFF)
        return b"%b%03x-%04x-%012x" % (_id_prefix, _id_count, 0x8000 | chance >> 50, chance & 0xFFFFFFFFFFFF)


def _after_fork() -> None:
    """A child must not draw the same random bits as its parent, nor wait for a lock that no thread of it holds."""
    global _id_lock, _random
    _id_lock = threading.Lock()
    _random = iter(())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
