"""How records follow each other: each names the hash of the one before, and counts on from it."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["CLOCK_BACKWARDS", "Broken", "Link", "broken_link"]

CLOCK_BACKWARDS = "its ts lies before that of the record before it"


class Link(NamedTuple):
    """Where a chain has got to: the last record's seq, hash and ts."""

    seq: int
    hash: str
    ts: str


class Broken(NamedTuple):
    """How a record does not go on from the one before it."""

    kind: str
    expected: Any
    actual: Any
    message: str


def broken_link(before: Link, link: Link, prev: str, gap: int = 0, names: tuple[str, ...] = ()) -> Broken | None:
    """What is wrong with a record, whose own hash is right, behind another one; None if nothing is.

    `gap` damaged lines between them stand where as many records stood; `names` is what the last of those may be called.
    """
    due = before.seq + 1
    kind = None
    if gap and prev != before.hash:
        due += gap
        if link.seq > due:
            kind = "records-missing"
        elif link.seq < due and prev not in names:
            kind = "chain-broken"
    elif prev != before.hash:
        kind = "records-missing" if link.seq > due else "chain-broken"
    elif link.seq != due:
        return Broken("chain-broken", due, link.seq, "a wrong seq under a right prev")
    if kind is None:
        return None
    if kind == "records-missing":
        missing = link.seq - due
        message = f"{missing} record{'s' * (missing != 1)} before seq {link.seq} missing"
        return Broken(kind, due, link.seq, message)
    return Broken(kind, before.hash, prev, "its prev is not the hash of the record before it")
