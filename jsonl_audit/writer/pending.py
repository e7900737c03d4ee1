"""What of one call is not recorded yet: events that are tried again, and never come to stand in the log twice."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from jsonl_audit import record
from jsonl_audit.errors import AuditError, StorageError
from jsonl_audit.record import Body
from jsonl_audit.writer.appender import Appender
from jsonl_audit.writer.chain import DroppedReceipt, Receipt
from jsonl_audit.writer.tally import now_text

__all__ = ["Pending", "Reads"]


class Reads(Protocol):
    """Gives the lines of the log at a path that come behind a seq, and hold a text if one is given."""

    def __call__(self, path: str, after: int, text: str | None = None, /) -> Iterator[bytes]: ...


class Pending:
    """The events of one call, of which some are recorded, and some may be or not.

    Every event has an id from its first failure on: it is the same event whenever and wherever it is written.
    """

    __slots__ = ("_maybe", "_recorded", "_sizes", "_sure", "_tried", "attempted", "began", "bodies", "since")

    def __init__(self, groups: Sequence[Sequence[Body]]) -> None:
        self.bodies = [body for group in groups for body in group]
        self.attempted: tuple[Receipt, ...] = ()
        """Of the first events of those that are left: they were handed to the system, which did not say what came of
        it."""
        self.began = time.monotonic()
        self.since = now_text()
        self._sizes = [len(group) for group in groups]
        self._recorded: dict[int, Receipt] = {}
        self._maybe: list[int] = []  # what was attempted
        self._sure: set[int] = set()  # of those: what was acknowledged, and is only to be seen
        self._tried = list(range(len(self.bodies)))

    @property
    def receipts(self) -> list[Receipt]:
        """Of the events that are recorded, in the order of the call."""
        return [receipt for _, receipt in sorted(self._recorded.items())]

    @property
    def left(self) -> int:
        """How many events are not known to be recorded."""
        return len(self.bodies) - len(self._recorded)

    def of_all(self, others: Iterable[Receipt]) -> list[Receipt]:
        """The receipts of all events, given those of the ones that are not recorded."""
        rest = iter(others)
        return [self._recorded.get(number) or next(rest) for number in range(len(self.bodies))]

    def told(self, error: AuditError) -> AuditError:
        """The error for the caller, which says what is recorded all the same."""
        if isinstance(error, AuditError):
            error.done, error.attempted = tuple(self.receipts), self.attempted
        return error

    def dropped(self) -> list[Receipt]:
        """The receipts of all events, where those that are not recorded never will be."""
        ts = now_text()
        gone = (body.id or record.new_id() for group in self.rest() for body in group)
        return self.of_all(DroppedReceipt(0, ts, own.decode(), "") for own in gone)

    def failed(self, error: AuditError) -> None:
        """Takes over what an error says of the events that were to be recorded."""
        done, attempted = getattr(error, "done", ()), getattr(error, "attempted", ())
        tried = self._tried
        self._recorded.update(zip(tried, done, strict=False))
        self._are_attempted(tried[len(done) : len(done) + len(attempted)], attempted)
        own = {number: receipt.id.encode() for number, receipt in zip(self._maybe, attempted, strict=True)}
        for number in tried[len(done) :]:
            body = self.bodies[number]
            if body.id is None:
                self.bodies[number] = body._replace(id=own.get(number) or record.new_id())

    def _are_attempted(self, numbers: list[int], receipts: tuple[Receipt, ...]) -> None:
        self._maybe, self.attempted = numbers, receipts

    def settle(self, appender: Appender) -> None:
        """Finds out what became of what was attempted. Raises StorageError, LogError as long as that is not known."""
        if not self.attempted:
            return
        found = appender.recorded(self.attempted)
        if found and appender.settings.fsync == "always":  # what is counted in is not on disk by that
            appender.flush()
            found = appender.recorded(self.attempted)
        self._settled(found, appender)

    def _settled(self, hashes: Iterable[str], appender: Appender) -> None:
        """What was acknowledged and is not seen is there all the same, or was, if its segment has been purged since."""
        there = set(hashes)
        left = {
            number: receipt
            for number, receipt in zip(self._maybe, self.attempted, strict=True)
            if receipt.hash not in there
        }
        purged = appender.purged_through() if left.keys() & self._sure else 0
        for number, receipt in zip(self._maybe, self.attempted, strict=True):
            if number not in left or (number in self._sure and receipt.seq <= purged):
                self._recorded[number] = receipt
        self._are_attempted([], ())

    def rest(self) -> list[list[Body]]:
        """The groups that are not recorded."""
        groups, at = [], 0
        for size in self._sizes:
            if at not in self._recorded:
                groups.append(self.bodies[at : at + size])
            at += size
        return groups

    def split(self) -> None:
        """Makes single records of batches."""
        self._sizes = [1] * len(self.bodies)

    def commit(self, appender: Appender) -> list[Receipt]:
        """Has recorded what is not. Raises as Appender.commit does, and knows then what to try the next time."""
        self.settle(appender)
        groups = self.rest()
        if groups:
            self._tried = [number for number in range(len(self.bodies)) if number not in self._recorded]
            self._sure.difference_update(self._tried)
            try:
                receipts = appender.commit(groups)
            except AuditError as error:
                self.failed(error)
                raise
            self._recorded.update(zip(self._tried, receipts, strict=True))
        return self.receipts

    def commit_for_sure(self, appender: Appender, reads: Reads) -> list[Receipt]:
        """`commit`, and returns when the records are on disk, in every mode, and were seen there.

        A sync that fails in the background takes back what was committed: that is tried again with the next call.
        """
        if appender.settings.fsync == "always":
            return self.commit(appender)
        try:
            receipts = self.commit(appender)
        finally:  # nothing counts as recorded that was not synced
            numbers = [*self._recorded, *self._maybe]
            self._sure.update(self._recorded)
            self._are_attempted(numbers, (*self._recorded.values(), *self.attempted))
            self._recorded = {}
        appender.flush()
        self._settled(_hashes(reads(appender.names.path, min(receipts).seq - 1), max(receipts).seq), appender)
        if self.left:
            raise StorageError("a sync failed, and took back what was committed", path=appender.names.path)
        return self.receipts


def _hashes(lines: Iterator[bytes], last: int) -> Iterator[str]:
    for line in lines:
        if record.seq_of(line) > last:
            break
        yield line[-67:-3].decode()
