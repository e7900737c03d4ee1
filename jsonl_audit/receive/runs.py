"""What is known of a stream's records without keeping them: runs, in which each record goes on from the one before.

Two runs become one when the record between them arrives. Of a run only its ends are kept, and some hashes on the way,
so that a history that is told a second time, differently, is found however late it comes.
"""

from __future__ import annotations

__all__ = ["Run", "Runs", "parting"]

_POINTS = 1024
"""Hashes on the way that are kept of one run, at most; when there are more, every second is let go."""


class Run:
    """Records that go on from each other, first to last. Hashes are 64 hex digits each."""

    __slots__ = (
        "batch", "batch_prev", "begins", "count", "first_batch", "first_prev", "first_seq", "first_ts", "floor",
        "forked", "last", "last_seq", "log", "points", "segment", "stride", "ts",
    )  # fmt: skip

    def __init__(self, seq: int, prev: str, own: str, ts: bytes) -> None:
        self.first_seq = self.last_seq = seq
        self.first_prev = prev
        self.last = own
        self.first_ts = self.ts = ts
        self.count = 1
        self.log: str | None = None
        """The log's UUID, once a header has said it."""
        self.segment: int | None = None
        """That the last header told."""
        self.forked = False
        """Whether it was told that its first record is a second one in its place."""
        self.floor = 0
        """The last seq that was purged before it begins."""
        self.begins = False
        """Whether its first record is a header."""
        self.first_batch: tuple[int, int] | None = None
        """Of its first record."""
        self.batch: tuple[int, int] | None = None
        """Of the last record, where its batch is not whole yet."""
        self.batch_prev: tuple[str, int, bytes] = ("", 0, b"")
        """Hash, seq and ts of the record before that batch."""
        self.points: dict[int, str] = {}
        self.stride = 1024

    @property
    def unfinished(self) -> bool:
        """Whether it is no more than a part of one batch, without its end."""
        if self.batch is None or self.first_batch is None:
            return False
        return self.batch[1] == self.first_batch[1] and self.batch[0] - self.first_batch[0] + 1 == self.count

    def point(self, seq: int, own: str) -> None:
        """Keeps the hash of a record, if it is one of those to keep."""
        if seq % self.stride == 0:
            self.points[seq] = own
            if len(self.points) > _POINTS:
                self.stride *= 2
                self.points = {seq: own for seq, own in self.points.items() if seq % self.stride == 0}

    def join(self, after: Run) -> None:
        """Takes in the run that goes on from this one's last record."""
        self.last_seq, self.last, self.ts = after.last_seq, after.last, after.ts
        self.count += after.count
        self.log = self.log or after.log
        self.segment = after.segment or self.segment
        self.floor = max(self.floor, after.floor)
        self.batch = after.batch
        if after.batch_prev[0] or after.batch is None:  # else the batch that it ends with begins in this run
            self.batch_prev = after.batch_prev
        stride = self.stride = max(self.stride, after.stride)
        both = {**self.points, **after.points}
        self.points = {seq: own for seq, own in both.items() if seq % stride == 0}


class Runs:
    """All runs of a stream, found by the hash that they end with and by the one that they begin behind."""

    def __init__(self) -> None:
        self.ends: dict[str, Run] = {}
        self.begins: dict[str, Run] = {}
        self._more: dict[str, list[Run]] = {}

    def __len__(self) -> int:
        return len(self.ends)

    def add(self, run: Run) -> None:
        """A new run."""
        self.ends[run.last] = run
        self.begin(run)

    def begin(self, run: Run) -> None:
        """A run that begins where it says."""
        if run.first_prev in self.begins:
            self._more.setdefault(run.first_prev, []).append(run)
        else:
            self.begins[run.first_prev] = run

    def remove(self, run: Run) -> None:
        """A run that is no more."""
        if self.ends.get(run.last) is run:
            del self.ends[run.last]
        self.unbegin(run)

    def unbegin(self, run: Run) -> None:
        """A run that does not begin there any more."""
        more = self._more.get(run.first_prev, [])
        if self.begins.get(run.first_prev) is run:
            if more:
                self.begins[run.first_prev] = more.pop()
            else:
                del self.begins[run.first_prev]
        elif run in more:
            more.remove(run)
        if not more:
            self._more.pop(run.first_prev, None)

    def behind(self, own: str) -> list[Run]:
        """The runs that go on from the record with this hash: more than one where histories part."""
        first = self.begins.get(own)
        return [] if first is None else [first, *self._more.get(own, [])]

    def all(self) -> list[Run]:
        """By log and seq; those of which no log is known come last."""
        return sorted(self.ends.values(), key=lambda run: (run.log is None, run.log or "", run.first_seq, run.last_seq))


def parting(one: Run, other: Run) -> tuple[int | None, int | None]:
    """The highest seq at which two runs are alike, and the lowest at which they are not; None for unknown."""
    same = other_than = None
    ours = {**one.points, one.last_seq: one.last}
    theirs = {**other.points, other.last_seq: other.last}
    for seq in sorted(ours.keys() & theirs.keys()):
        if ours[seq] == theirs[seq]:
            same = seq
        else:
            other_than = seq
            break
    return same, other_than
