"""How records follow each other: each names the hash of the one before, and counts on from it."""

from __future__ import annotations

from typing import Any, NamedTuple

from jsonl_audit.record import ZERO

__all__ = ["CLOCK_BACKWARDS", "NO_GAP", "Broken", "Gap", "Link", "broken_link"]

CLOCK_BACKWARDS = "its ts lies before that of the record before it"


class Link(NamedTuple):
    """Where a chain has got to: the last record's seq, hash and ts."""

    seq: int
    """0 before the first, and where a line with a right hash has none that can be read."""
    hash: str
    ts: str


class Gap(NamedTuple):
    """Damaged lines between two records: each stands where a record stood, or was put in."""

    lines: int
    names: tuple[str, ...]
    """What a record behind them may call its `prev`: the hashes that the last of them carry, and should carry."""

    def wider(self, lines: int, names: tuple[str, ...]) -> Gap:
        """The gap with more damaged lines in it."""
        return Gap(self.lines + lines, (self.names + names)[-32:])


NO_GAP = Gap(0, ())


class Broken(NamedTuple):
    """How a record does not go on from the one before it."""

    kind: str
    expected: Any
    actual: Any
    message: str


def broken_link(before: Link, link: Link, prev: str, gap: Gap) -> Broken | None:
    """What is wrong with a record, whose own hash is right, behind another one and a gap; None if nothing is."""
    due = before.seq + 1
    kind = None
    if not link.seq or (not before.seq and before.hash != ZERO):
        kind = "chain-broken" if prev != before.hash and not gap.lines else None
    elif gap.lines and prev != before.hash:
        due += gap.lines
        if link.seq > due:
            kind = "records-missing"
        elif link.seq < due and prev not in gap.names:
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
