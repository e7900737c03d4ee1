"""The end of a log as this process knows it, and what is put behind it.

A commit is: the place in the chain is taken, the lines are made and hashed, written at once, synced as the mode says;
only then is anything of it counted. Whatever goes wrong between, the next commit reads the disk before it goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from jsonl_audit import record, storage
from jsonl_audit.errors import AuditError, EventTooLargeError, SealError, StorageError, SyncError, WriteError, path_of
from jsonl_audit.record import Body
from jsonl_audit.segment import Names
from jsonl_audit.writer import live, purge, rotate, told
from jsonl_audit.writer.active import Active
from jsonl_audit.writer.chain import Receipt, group_lines, next_line
from jsonl_audit.writer.durable import Durable
from jsonl_audit.writer.group import Ticket
from jsonl_audit.writer.lock import Lock
from jsonl_audit.writer.notes import Notes
from jsonl_audit.writer.recover import Opening, check_foreign, open_log
from jsonl_audit.writer.settings import Settings

__all__ = ["WATCH", "Tip"]

WATCH = 100_000_000  # ns: so soon a file deleted, replaced or cut under the writer is noticed
_Times: TypeAlias = "Sequence[str] | None"
_Then: TypeAlias = "Callable[[], None] | None"
SEAL_AGAIN = 1_000_000_000  # ns after a failed try
SLICE = 1 << 20  # bytes of a reopened segment walked with one commit: about 3 ms


class Tip:
    """The active segment and the lock. One thread at a time, which its callers see to."""

    def __init__(self, names: Names, settings: Settings, notes: Notes) -> None:
        self.names = names
        self.settings = settings
        self.limit = 0  # until the settings are told: then no commit goes the short way
        self.told = False
        """Whether the log says what it is written with from here on."""
        self.active: Active | None = None
        self.broken = False
        """A commit did not come to its end: the disk is read before the next."""
        self.watched = time.time_ns()
        """When the files were last looked at, in nanoseconds since 1970."""
        self.lock = Lock(names, shared=settings.shared)
        self.disk = Durable(self.lock, settings.fsync)
        self.commits = self.records = self.bytes = self.rotations = 0
        """What was appended through this object since it was opened; `records` counts those beyond one a commit."""
        self.wake: Callable[[], bool] = bool
        """Says that there is something to sync in the background; False where nobody will."""
        self.watch: Callable[[int], None] | None = None
        """Called with the time when the files are looked at, in the middle of a commit."""
        self._notes = notes
        self._seal_at = 0
        self._handed = False  # the system was given lines whose receipts nobody has yet

    # -- opening and closing

    def open(self) -> None:
        """Creates the log, or recovers and goes on. Raises as `open_log` does, and LockedError."""
        names, settings = self.names, self.settings
        if storage.exists(names.path):
            check_foreign(names)
        storage.make_directory(names.directory)
        self.lock.take(settings.lock_timeout, settings.mode)
        self.lock.sign()
        active = self._go_on(self._open_log())
        # Beforehand rather than in the middle: a segment due to be sealed with one of the next commits.
        if active.walk is not None and settings.max_bytes is not None and active.size >= settings.max_bytes:
            active.catch_up()

    def _open_log(self) -> Opening:
        now, settings, mark = time.time_ns() // 1000, self.settings, self.lock.read_mark()
        return open_log(self.names, mark, self.disk, mode=settings.mode, now=now, settings=settings.told)

    def _go_on(self, opening: Opening) -> Active:
        """Takes over what opening, or reading the disk again, came to; records what was lost."""
        active = self.active = opening.active
        self.broken = self.disk.failed = False
        for note in opening.notes:
            self._notes.add(note)
        self._tell_what_was_lost(active)
        self.disk.mark(active)
        return active

    def _tell_what_was_lost(self, active: Active) -> None:
        if active.lost is not None:
            first, last = active.lost
            self.control(active, "audit.lost", {"first_seq": first, "last_seq": last, "count": last - first + 1})
            active.lost = None

    def close(self) -> None:
        """Syncs what is not synced and leaves the mark. Raises SyncError."""
        active = self.active
        if active is None:
            return
        if not (self.broken or self.disk.failed or live.unchanged(self.names, active)):
            self.broken = True  # somebody touched it a moment ago: going on says so in the log
            try:
                active = self.ready()
            except AuditError as error:
                self._notes.add(error.message)
        self.disk.sync(active)
        if not (self.broken or self.disk.failed):
            self.mark(active)

    def let_go(self) -> None:
        """Gives the file and the lock back."""
        try:
            self._drop()
        finally:  # whatever interrupts it: others must not be kept out for ever
            self.lock.release()

    def forked(self) -> None:
        """`let_go` in a child, which leaves the lock to the parent; the next commit opens the log anew."""
        self._drop()
        self.lock.forked()
        self.disk = Durable(self.lock, self.settings.fsync)
        self.broken = False

    def _drop(self) -> None:
        active, self.active = self.active, None
        if active is not None:
            active.close()

    # -- committing

    def commit(self, tickets: Sequence[Ticket]) -> None:
        """Commits in one write and one sync, unless a segment ends between; each ticket gets receipts or its error.

        Raises only what interrupts it.
        """
        made: list[bytes] = []
        times: list[str] = []
        under_way: list[tuple[Ticket, list[Receipt]]] = []
        us = 0

        def put() -> None:
            if made:
                self.put(active, b"".join(made), under_way[-1][1][-1], us, times)
                for ticket, receipts in under_way:
                    ticket.receipts += receipts
                    self.records += len(receipts)
                self._handed = False
                self.records -= 1
                for done in (made, times, under_way):
                    done.clear()

        try:
            self._handed = False
            active = self.ready() if self.told else self.tell()
            link, us, size = active.link, active.us, active.size
            for ticket in tickets:
                for group in ticket.groups:
                    try:
                        lines, receipts, after, then = group_lines(link, us, group)
                        length = sum(map(len, lines))
                        if size + length > self.limit and (made or active.has_records):
                            put()
                            if self._seal_if_due():
                                active = self.ready()
                                lines, receipts, after, then = group_lines(active.link, active.us, group)
                                length = sum(map(len, lines))
                            size = active.size
                    except EventTooLargeError as error:
                        ticket.error = error
                        break
                    made += lines
                    times += [body.time for body in group if body.time is not None]
                    under_way.append((ticket, receipts))
                    link, us, size = after, then, size + length
            put()
        except BaseException as error:
            handed, self._handed = under_way if self._handed else [], False
            for number, ticket in enumerate(left for left in tickets if not left.whole()):
                attempted = tuple(receipt for other, some in handed if other is ticket for receipt in some)
                ticket.fail(error, self.names.path, attempted, copied=number > 0)
            if not isinstance(error, AuditError | OSError):
                raise

    def append(self, body: Body, now: int) -> Receipt:
        """Commits one record where nobody else commits. Raises WriteError, SyncError."""
        active = self.active if self.told else self.tell()
        assert active is not None
        line, receipt, us = next_line(active.seq + 1, active.head, active.ts, active.us, body, now)
        if active.size + len(line) > self.limit and active.has_records and self._seal_if_due():
            active = self.ready()
            line, receipt, us = next_line(active.seq + 1, active.head, active.ts, active.us, body, now)
        self._handed = False
        try:
            self.put(active, line, receipt, us, body.time and (body.time,))
        except StorageError as error:
            error.attempted = (receipt,) if self._handed else ()
            raise
        return receipt

    def control(
        self, active: Active, kind: str, details: Mapping[str, Any], *, fsync: str = "always", then: _Then = None
    ) -> None:
        """Appends one of the engine's own records; `then` notes what it says before a mark or a header repeats it."""
        alone, body = not active.has_records, record.control(kind, details)
        line, receipt, us = next_line(active.seq + 1, active.head, active.ts, active.us, body, time.time_ns() // 1000)
        self.put(active, line, receipt, us, None, fsync, then)
        self._handed = False
        if alone:
            active.own = active.seq - active.first_seq

    def tell(self) -> Active:
        """Before the first commit: the log says what it is written with, where that changed. Raises as `ready`."""
        active = told.tell(self, self.ready())
        self.told, self.limit = True, self.settings.max_bytes or sys.maxsize
        return active

    def put(
        self, active: Active, data: bytes, last: Receipt, us: int, times: _Times, fsync: str = "", then: _Then = None
    ) -> None:
        """Writes what was made, syncs it as the mode says, and only then counts it. Raises WriteError, SyncError."""
        fsync = fsync or self.settings.fsync
        self.broken = self._handed = True
        try:
            storage.write(active.fd, data)
        except OSError as error:
            raise self.write_failed(error) from error
        try:
            if fsync == "always":
                self.disk.must_sync(active)
            active.wrote(data, last, us, times)
            if then is not None:
                then()
            self.commits += 1
            self.bytes += len(data)
            if fsync == "always":
                self.disk.synced(active, active.size, active.head)
                self._mark_commit(active)
            elif fsync == "interval" and not self.wake():
                self.sync(active)
        except SyncError:
            self._handed = not self.disk.said  # if it is said, what is behind the last good sync does not count
            raise
        self.broken = False
        if active.walk is not None:
            self._walk_on(active, len(data))

    def _walk_on(self, active: Active, size: int) -> None:
        """Goes on with the walk of a reopened segment, of which `size` bytes more were just written."""
        if active.walk_on(max(SLICE, 2 * size), self._notes):
            try:
                self._seal_if_due()
            except StorageError as error:  # this commit is done; the next one meets what is wrong
                self._notes.add(error.message)

    def write_failed(self, error: OSError) -> StorageError:
        what = f"the event could not be written and is not known to be recorded: {error.strerror or error}"
        return WriteError(what, path=path_of(error, self.names.path), errno=error.errno)

    def look(self, active: Active) -> None:
        """Looks whether the file is still what was left."""
        self.broken = self.broken or not live.unchanged(self.names, active)

    # -- knowing where the log ends

    def ready(self) -> Active:
        """The active segment, known to be what was left. Where processes share the log, takes the lock for a commit.

        Raises WriteError and LogErrors with nothing written; LockedError.
        """
        try:
            return self._ready()
        except OSError as error:
            raise WriteError.of(error, "the log cannot go on; nothing was written", self.names.path) from error

    def _ready(self) -> Active:
        now = time.time_ns()
        active = self.active if self.active is not None and self.active.fd >= 0 else None
        if not 0 <= now - self.watched < WATCH and active is not None and not self.broken:
            self.watched = now
            if self.watch is not None:
                self.watch(now)
            self.broken = not (live.unchanged(self.names, active) and self.lock.is_the_file())
        if self.broken or self.disk.failed or active is None:
            self.lock.keep(self.settings.mode)
            active = self._open_anew() if active is None else self._go_on_from(active)
        return active

    def leave(self) -> None:
        """The end of a turn: lets other processes commit, where they share the log."""

    def _open_anew(self) -> Active:
        """Reads the disk as an opening does."""
        last, opening = self.active, self._open_log()
        if last is not None:
            if opening.active.segment > last.segment and opening.active.first_seq <= last.seq:
                known = f"records up to {last.seq} were known here"
                self._notes.add(f"the log went on at seq {opening.active.first_seq} in another segment; {known}")
            last.close()
        return self._go_on(opening)

    def _go_on_from(self, active: Active) -> Active:
        """Reads the disk again, knowing what was chained."""
        now = time.time_ns() // 1000
        return self._go_on(live.go_on(self.names, active, self.disk, mode=self.settings.mode, now=now))

    # -- syncing

    def sync(self, active: Active) -> None:
        """Returns when what is counted is on disk. Raises SyncError."""
        broken, self.broken = self.broken, True  # nothing more goes into a file whose sync failed
        self.disk.sync(active)
        self.broken = broken

    def mark(self, active: Active) -> None:
        """Leaves the mark of a sync."""
        self.disk.mark(active)

    def _mark_commit(self, active: Active) -> None:
        """Leaves the mark of a commit that was synced, within a second: nobody else goes on from it meanwhile."""
        if not self.disk.mark_now_and_then(active):
            self.wake()

    def sync_failed(self, active: Active, failure: OSError) -> None:
        """A sync that ran beside the commits failed."""
        self.disk.fail(active, failure)

    def synced_beside(self, active: Active, size: int, head: str, failure: OSError | None) -> None:
        """What a sync that ran beside the commits came to: all up to `size` is on disk, or `failure`."""
        if failure is not None:
            self.broken = self.disk.failed = True
            self.sync_failed(active, failure)
        elif active.synced < size:
            self.disk.synced(active, size, head)
            self.mark(active)

    # -- sealing

    def rotate(self) -> str | None:
        """Seals the active segment; the path it has now, None if it holds nothing but its header.

        Raises SealError; then the active file is as it was. SyncError.
        """
        active = self.ready()
        if not active.has_records:
            return None
        try:
            whole = active.catch_up()
        except OSError as error:
            raise SealError.of(error, "the segment cannot be read", self.names.path) from error
        if not whole:  # it was cut a moment ago: going on seals what is left of it
            self.broken = True
            self.ready()
            return None
        self._seal_at = 0
        return self._seal()

    def _seal_if_due(self) -> bool:
        """Seals for size. A failure fails no commit: the active file grows on, and it is tried again later."""
        active = self.active
        assert active is not None
        if active.walk is not None or time.monotonic_ns() < self._seal_at:
            return False
        try:
            self._seal()
        except SealError as error:
            self._seal_at = time.monotonic_ns() + SEAL_AGAIN
            self._notes.add(f"{error.message}; the file grows on, and sealing is tried again")
            self.watched = 0  # is there a file to seal? the next commit looks
            return False
        return True

    def _seal(self) -> str:
        active, names, mode = self.active, self.names, self.settings.mode
        assert active is not None
        self.sync(active)
        self.disk.mark(active)
        self.active = None  # unless it is still what it was, opening finds out where the names stand
        try:
            now, settings = time.time_ns() // 1000, told.repeated(self, active)
            sealed, successor = rotate.seal(names, active, mode=mode, now=now, settings=settings)
        except SealError:
            self.active = active
            raise
        except BaseException:
            active.close()
            raise
        active.close()
        try:
            self.active = rotate.begin(names, successor, mode)
        except OSError as error:
            what = "the next segment could not be put in place; the next append tries again"
            raise WriteError.of(error, what, names.path) from error
        self.rotations += 1
        self.disk.mark(self.active)
        if keep := self.settings.backup_count:
            purge.in_passing(self, self.active, keep, self._notes)
        return sealed
