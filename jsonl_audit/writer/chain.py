"""Lines that go on from a record: seq, ts, prev and hash of what is committed next."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from blake3 import blake3

from jsonl_audit import instants, record
from jsonl_audit.errors import EventTooLargeError
from jsonl_audit.record import Body
from jsonl_audit.scan import Link

__all__ = ["DroppedReceipt", "Receipt", "SpilledReceipt", "group_lines", "next_line"]

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

    @property
    def recorded(self) -> bool:
        """Whether the event stands in the log; False for the receipts of events that were held back or dropped."""
        return True


class SpilledReceipt(Receipt):
    """The receipt of an event that is held in a spill log: ``seq``, ``ts`` and ``hash`` are those it has there.

    The record that it becomes once the log can be written again has the same ``id``.
    """

    __slots__ = ()

    @property
    def recorded(self) -> bool:
        """False: it is held in the spill log."""
        return False


class DroppedReceipt(Receipt):
    """The receipt of an event that was dropped and counted: ``seq`` is 0, ``hash`` is empty."""

    __slots__ = ()

    @property
    def recorded(self) -> bool:
        """False, for ever."""
        return False


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
    return line, Receipt(seq, ts, own_id, own), us


def group_lines(link: Link, us: int, group: Sequence[Body]) -> tuple[list[bytes], list[Receipt], Link, int]:
    """The lines of a group that goes on from `link`; a group of two or more records is a batch.

    A batch is committed at one moment: all of it has one ts. Returns the lines, their receipts, the last one's link
    and its time in microseconds. Raises EventTooLargeError for a batch past the format's limit.
    """
    seq, head, ts = link
    now = time.time_ns() // 1000
    count = len(group)
    if count == 1 or now < us:
        made, receipts = [], []
        for number, body in enumerate(group, 1):
            line, receipt, us = next_line(seq + 1, head, ts, us, body, now, (number, count) if count > 1 else None)
            seq, ts, _, head = receipt
            made.append(line)
            receipts.append(receipt)
    else:
        ts, us = instants.text(now), now
        made, receipts = _batch(seq, head, ts, group)
        seq, _, _, head = receipts[-1]
    length = sum(map(len, made))
    if count > 1 and length > record.BATCH_LIMIT:
        raise EventTooLargeError(
            f"the batch would be {length} bytes, the limit is {record.BATCH_LIMIT}; append it in parts",
            expected=record.BATCH_LIMIT,
            actual=length,
        )
    return made, receipts, Link(seq, head, ts), us


def _batch(seq: int, head: str, ts: str, group: Sequence[Body]) -> tuple[list[bytes], list[Receipt]]:
    """What `next_line` makes of each record of a batch, written out: here a call costs more than what it does."""
    made: list[bytes] = []
    receipts: list[Receipt] = []
    hasher = blake3()
    stamp, prev = ts.encode(), head.encode()
    count = len(group)
    for number, (kind, members, own_id, _) in enumerate(group, 1):
        seq += 1
        if own_id is None:
            own_id = record.new_id()
        members = b'%b,"batch":[%d,%d]' % (members, number, count)
        hashed = record.LINE % (seq, stamp, own_id, kind, members, prev)
        hasher.reset()
        hasher.update(hashed)
        head = hasher.hexdigest()
        prev = head.encode()
        made.append(hashed + record.END % prev)
        receipts.append(_tuple(Receipt, (seq, ts, own_id.decode(), head)))
    return made, receipts
