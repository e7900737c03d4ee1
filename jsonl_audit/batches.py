"""Batches: records committed together, of which all count or none.

A batch counts 1 … n in ``"batch":[i,n]`` without a gap. One that the end of a segment cuts short never happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jsonl_audit.links import Link
from jsonl_audit.record import BATCH_LIMIT

__all__ = ["Batches", "Complaint", "Open", "State"]


class State(NamedTuple):
    """What is committed: up to which offset, the last record, how many; the range of their effective times, and how
    many have one of their own."""

    end: int
    last: Link | None
    records: int
    time: tuple[str, str] | None
    timed: int


class Complaint(NamedTuple):
    """What is wrong with a batch, and in which line."""

    offset: int
    line: int
    seq: int
    expected: int | None
    actual: int | None
    message: str


class Open:
    """A batch that has begun and is not whole."""

    __slots__ = ("before", "count", "done", "line", "seq", "sound", "start")

    def __init__(self, start: int, line: int, seq: int, before: State, done: int, count: int, sound: bool) -> None:
        self.start = start
        self.line = line
        self.seq = seq
        self.before = before
        self.done = done
        self.count = count
        self.sound = sound
        """Nothing is wrong with its lines so far, and it begins with its first."""


class Batches:
    """Follows batches through the lines of a segment."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open: Open | None = None

    def damaged(self) -> None:
        """A line that is no record stands in the place of one of the batch's lines."""
        if self.open is not None:
            self.open.sound = False
            self.open.done += 1  # which keeps it from being whole until a right line follows

    def follow(
        self,
        found: tuple[int, int] | None,
        at: tuple[int, int, int],
        seq: int,
        before: State,
        *,
        sound: bool,
        gap: bool,
    ) -> Iterator[Complaint]:
        """A line whose own hash is right. `found` is its ``batch``, `at` its offset, length and number.

        `before` is the state without it, `sound` says that nothing else is wrong with it, `gap` that the lines right
        before it are damaged.
        """
        start, size, line = at
        batch, self.open = self.open, None
        if batch is not None:
            if found == (batch.done + 1, batch.count) and start + size - batch.start <= BATCH_LIMIT:
                batch.done += 1
                batch.sound = batch.sound and sound
                self.open = batch if batch.done < batch.count else None
                return
            if sound and batch.sound:
                broken = f"a batch of {batch.count} breaks off after {batch.done}"
                yield Complaint(batch.start, batch.line, batch.seq, batch.count, batch.done, broken)
            before = batch.before  # where the next is not whole either, neither of the two is committed
        if found is None:
            return
        i, n = found
        # Where the lines before it are damaged or missing, it is not its own fault that they are.
        if i < n and (i == 1 or not sound or gap):
            self.open = Open(start, line, seq, before, i, n, sound and i == 1)
        elif not 2 <= n >= i:
            yield Complaint(start, line, seq, None, None, f"a batch counts {i} of {n}")
        elif sound and not gap and (batch is None or batch.sound):
            yield Complaint(start, line, seq, None, None, f"record {i} of a batch of {n} without those before it")
