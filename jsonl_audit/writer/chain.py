"""Lines that go on from a record: seq, ts, prev and hash of what is committed next."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from jsonl_audit import instants, record
from jsonl_audit.errors import EventTooLargeError
from jsonl_audit.record import Body
from jsonl_audit.scan import Link

__all__ = ["Receipt", "group_lines", "next_line"]

_tuple = tuple.__new__
CLAMP_NOTED = 1_000_000  # us: a clock that stepped back by more is written down


class Receipt(NamedTuple):
    """What a committed record can be found and proved by; kept elsewhere, it is an anchor."""

    seq: int
    ts: str
    """When it was committed: RFC 3339, UTC, 27 characters."""
    id: str
    hash: str
    """BLAKE3-256 of its line, in hex."""


def next_line(
    seq: int, head: str, ts: str, us: int, body: Body, now: int, batch: tuple[int, int] | None = None
) -> tuple[bytes, Receipt, int]:
    """The line of record `seq` behind the one with hash `head` and time `ts` (`us` in microseconds).

    `now` is what the clock says, in microseconds. Returns the line, its receipt, and its own time: never before the
    last one's.
    """
    clock = None
    if now >= us:
        ts, us = instants.text(now), now
    elif us - now > CLAMP_NOTED:
        clock = instants.text(now)
    line, own_id, own = record.line(seq, ts, body, head, batch, clock)
    return line, _tuple(Receipt, (seq, ts, own_id, own)), us


def group_lines(link: Link, us: int, group: Sequence[Body]) -> tuple[list[bytes], list[Receipt], Link, int]:
    """The lines of a group, which is a batch if it has two or more records.

    Raises EventTooLargeError for a batch past the format's limit.
    """
    seq, head, ts = link
    made: list[bytes] = []
    receipts: list[Receipt] = []
    count = len(group)
    now = time.time_ns() // 1000  # a batch is committed at one moment
    for number, body in enumerate(group, 1):
        line, receipt, us = next_line(seq + 1, head, ts, us, body, now, (number, count) if count > 1 else None)
        seq, ts, _, head = receipt
        made.append(line)
        receipts.append(receipt)
    length = sum(map(len, made))
    if count > 1 and length > record.BATCH_LIMIT:
        raise EventTooLargeError(
            f"the batch would be {length} bytes, the limit is {record.BATCH_LIMIT}; append it in parts",
            expected=record.BATCH_LIMIT,
            actual=length,
        )
    return made, receipts, Link(seq, head, ts), us
