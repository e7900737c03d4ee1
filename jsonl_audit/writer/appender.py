"""The appender: one writer, one lock, one write for each commit.

A commit is: the place in the chain is taken, the lines are made and hashed, written at once, synced as the mode says;
only then is anything of it counted. Whatever goes wrong between, the next commit reads the disk before it goes on.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Sequence

from blake3 import blake3

from jsonl_audit import instants, record, storage
from jsonl_audit.errors import AuditError, ClosedError, SealError, StorageError, WriteError
from jsonl_audit.record import Body
from jsonl_audit.scan import Link
from jsonl_audit.segment import Names
from jsonl_audit.writer import live, registry, rotate
from jsonl_audit.writer.active import DIGEST_BLOCK, Active
from jsonl_audit.writer.background import Background
from jsonl_audit.writer.chain import Receipt, group_lines, next_line
from jsonl_audit.writer.durable import Durable
from jsonl_audit.writer.lock import Lock
from jsonl_audit.writer.notes import Notes
from jsonl_audit.writer.recover import Opening, check_foreign, open_log
from jsonl_audit.writer.settings import Settings
from jsonl_audit.writer.turn import Turn, in_turn

__all__ = ["Appender"]

WATCH = 100_000_000  # ns: so soon a file deleted, replaced or cut under the writer is noticed
SEAL_AGAIN = 1_000_000_000  # ns after a failed try
_tuple = tuple.__new__
SLICE = 1 << 20  # bytes of a reopened segment walked with one commit: about 3 ms


class Appender:
    """Appends to one log, whose lock it holds as long as it is open. Threads may share it."""

    def __init__(self, names: Names, settings: Settings) -> None:
        self.names = names
        self.settings = settings
        self.notes = Notes(names.path)
        self.closed = False
        self.forked = False
        self._limit = settings.max_bytes or sys.maxsize
        self._fsync = settings.fsync
        self._hasher = blake3()
        self._turn = Turn(names.path, self.notes)
        self._lock = Lock(names)
        self._disk = Durable(self._lock, settings.fsync)
        self._active: Active | None = None
        self._broken = False  # a commit did not come to its end: the disk is read before the next
        self._last: Link | None = None
        self._background = Background(self.sync_in_background, settings.sync_interval)
        self._watched = time.time_ns()
        self._seal_at = 0
        try:
            self._open()
        except OSError as error:
            self._let_go()
            raise StorageError.of(error, "the log cannot be opened", names.path) from error
        except BaseException:
            self._let_go()
            raise
        finally:
            self.notes.tell()
        registry.add(self)

    # -- opening and closing

    def _open(self) -> None:
        names, settings = self.names, self.settings
        if storage.exists(names.path):
            check_foreign(names)
        storage.make_directory(names.directory)
        self._lock.take(settings.lock_timeout, settings.mode)
        now = time.time_ns() // 1000
        found = open_log(names, self._lock.read_mark(), self._disk, mode=settings.mode, now=now)
        self._go_on(found)
        active = found.active
        # Beforehand rather than in the middle: a segment that is due to be sealed with one of the next commits.
        if active.walk is not None and settings.max_bytes is not None and active.size >= settings.max_bytes:
            active.catch_up()

    def _go_on(self, opening: Opening) -> None:
        """Takes over what opening, or reading the disk again, came to; records what was lost."""
        active = self._active = opening.active
        self._broken = self._disk.failed = False
        for note in opening.notes:
            self.notes.add(note)
        if active.lost is not None:
            first, last = active.lost
            details = {"first_seq": first, "last_seq": last, "count": last - first + 1}
            self._commit([[record.control("audit.lost", details)]])
            self._sync(active)  # in every mode: what is lost must not be lost twice
            active.lost = None
        self._disk.mark(active)

    def close(self) -> None:
        """Syncs what is not synced, leaves the mark, gives the lock back. May be called twice.

        Raises SyncError if the last sync fails; the log is closed all the same.
        """
        self._close()
        self._background.end()

    @in_turn
    def _close(self) -> None:
        if self.closed:
            return
        self.closed = True
        registry.discard(self)
        try:
            if self._active is not None:
                self._last = self._active.link
                self._disk.sync(self._active)
                if not (self._broken or self._disk.failed):
                    self._disk.mark(self._active)
        finally:
            self._let_go()
            self._background.stop()

    def _let_go(self) -> None:
        if self._active is not None:
            with contextlib.suppress(OSError):
                storage.close(self._active.fd)
            self._active = None
        self._lock.release()

    def after_fork(self) -> None:
        """In a child: nothing is written, and the parent's lock is left to the parent."""
        self._turn = Turn(self.names.path, self.notes)
        self._disk = Durable(self._lock, self.settings.fsync)
        self._background = Background(self.sync_in_background, self.settings.sync_interval)
        self.forked = True
        self._let_go()

    # -- committing

    def append(self, body: Body) -> Receipt:
        """Commits one record. Raises WriteError, SyncError, ClosedError.

        This is the way of almost every record: what `next_line` and `Active.wrote` do is written out here, for
        calls cost more than what they do. The rest goes through `_put` as every other commit.
        """
        turn = self._turn
        if turn.mine():
            raise turn.within_itself()
        try:
            with turn.lock:
                now = time.time_ns()
                active = self._active
                if active is None or self._broken or not 0 <= now - self._watched < WATCH:
                    active = self._ready()
                kind, members, own_id, own_time = body
                us = now // 1000
                if us < active.us or own_time is not None or active.walk is not None or self._fsync != "never":
                    return self._append(active, body, us)
                ts = instants.text(us)
                if own_id is None:
                    own_id = record.new_id()
                seq = active.seq + 1
                hashed = record.LINE % (seq, ts.encode(), own_id, kind, members, active.head.encode())
                hasher = self._hasher
                hasher.reset()
                hasher.update(hashed)
                own: str = hasher.hexdigest()
                line = hashed + record.END % own.encode()
                size = active.size + len(line)
                if size > self._limit:
                    return self._append(active, body, us)
                self._broken = True
                try:
                    storage.write(active.fd, line)
                except OSError as error:
                    raise self._write_failed(error) from error
                active.seq, active.head, active.ts, active.us, active.size = seq, own, ts, us, size
                active.pending.append(line)
                active.pending_bytes += len(line)
                if active.pending_bytes >= DIGEST_BLOCK:
                    active.digest_pending()
                self._broken = False
                return _tuple(Receipt, (seq, ts, own_id.decode(), own))
        finally:
            if self.notes.untold:
                self.notes.tell()

    def _append(self, active: Active, body: Body, now: int) -> Receipt:
        line, receipt, us = next_line(active.seq + 1, active.head, active.ts, active.us, body, now)
        if active.size + len(line) > self._limit and active.has_records and self._seal_if_due():
            active = self._ready()
            line, receipt, us = next_line(active.seq + 1, active.head, active.ts, active.us, body, now)
        self._put(active, line, receipt, us, body.time and (body.time,))
        return receipt

    @in_turn
    def commit(self, groups: Sequence[Sequence[Body]]) -> list[Receipt]:
        """Commits several groups in one write and one sync: each of two or more records is a batch, all or none.

        Raises EventTooLargeError for a batch past the format's limit, WriteError, SyncError, ClosedError.
        """
        self._ready()
        return self._commit(groups)

    def _commit(self, groups: Sequence[Sequence[Body]]) -> list[Receipt]:
        active = self._active
        assert active is not None
        receipts: list[Receipt] = []
        lines: list[bytes] = []
        times: list[str] = []
        link, us, size = active.link, active.us, active.size
        for group in groups:
            made, got, after, then = group_lines(link, us, group)
            length = sum(map(len, made))
            if size + length > self._limit and (lines or active.has_records):
                if lines:
                    self._put(active, b"".join(lines), receipts[-1], us, times)
                    lines, times = [], []
                if self._seal_if_due():
                    active = self._ready()
                    made, got, after, then = group_lines(active.link, active.us, group)
                    length = sum(map(len, made))
                size = active.size
            lines += made
            times += [body.time for body in group if body.time is not None]
            receipts += got
            link, us, size = after, then, size + length
        if lines:
            self._put(active, b"".join(lines), receipts[-1], us, times)
        return receipts

    def _put(self, active: Active, data: bytes, last: Receipt, us: int, times: Sequence[str] | None) -> None:
        """Writes what was made, syncs it as the mode says, and only then counts it."""
        self._broken = True
        try:
            storage.write(active.fd, data)
        except OSError as error:
            raise self._write_failed(error) from error
        if self._fsync == "always":
            self._disk.must_sync(active)
        active.wrote(data, last, us, times)
        if self._fsync == "always":
            self._disk.synced(active, active.size, active.head)
            self._disk.mark_now_and_then(active)
        elif self._fsync == "interval" and not self._background.wake():
            self._sync(active)
        self._broken = False
        if active.walk is not None and active.walk_on(max(SLICE, 2 * len(data)), self.notes):
            try:
                self._seal_if_due()
            except StorageError as error:  # this commit is done; the next one meets what is wrong
                self.notes.add(error.message)

    def _write_failed(self, error: OSError) -> AuditError:
        return WriteError.of(error, "the event could not be written and is not known to be recorded", self.names.path)

    def _ready(self) -> Active:
        """The active segment, known to be what this writer left."""
        if self.closed or self.forked:
            why = (
                "belongs to the parent process; open it anew in the child" if self.forked else "is closed; open it anew"
            )
            raise ClosedError(f"the log {why}", path=self.names.path)
        now = time.time_ns()
        active = self._active
        try:
            if not 0 <= now - self._watched < WATCH and active is not None and not self._broken:
                self._watched = now
                self._broken = not (live.unchanged(self.names, active) and self._lock.is_the_file())
            if self._broken or self._disk.failed or active is None:
                self._read_again()
                active = self._active
        except OSError as error:
            raise WriteError.of(error, "the log cannot go on; nothing was written", self.names.path) from error
        assert active is not None
        return active

    def _read_again(self) -> None:
        now = time.time_ns() // 1000
        active, mode = self._active, self.settings.mode
        self._lock.keep(mode)
        if active is None:
            opening = open_log(self.names, self._lock.read_mark(), self._disk, mode=mode, now=now)
        else:
            opening = live.go_on(self.names, active, self._disk, mode=mode, now=now)
        self._go_on(opening)

    # -- syncing

    @in_turn
    def flush(self) -> None:
        """Returns when everything committed is on disk, in every mode. Raises SyncError, ClosedError."""
        self._disk.must_not_have_failed()
        active = self._ready()
        self._sync(active)
        self._disk.mark(active)

    def _sync(self, active: Active) -> None:
        broken, self._broken = self._broken, True  # nothing more goes into a file whose sync failed
        self._disk.sync(active)
        self._broken = broken

    def sync_in_background(self) -> None:
        """One sync of the interval mode. Commits go on meanwhile."""
        with self._turn.lock:
            active = self._active
            if self.closed or self.forked or active is None or self._disk.failed:
                return
            size, head = active.size, active.head  # of what is counted, whatever a later write came to
            self._broken = self._broken or not live.unchanged(self.names, active)
            fd = os.dup(active.fd)  # the segment may be sealed meanwhile
        failure = self._disk.sync_file(active, fd)
        storage.close(fd)
        with self._turn.lock:
            if self._active is not active or self._disk.failed:
                return
            if failure is not None:
                self._disk.fail(active, failure)
                self._broken = True
            elif active.synced < size:
                self._disk.synced(active, size, head)
                self._disk.mark(active)

    # -- sealing

    @in_turn
    def rotate(self) -> str | None:
        """Seals the active segment; the path it has now, None if it holds nothing but its header.

        Raises SealError; then the active file is as it was. SyncError, ClosedError.
        """
        active = self._ready()
        if not active.has_records:
            return None
        try:
            whole = active.catch_up()
        except OSError as error:
            raise SealError.of(error, "the segment cannot be read", self.names.path) from error
        if not whole:  # it was cut a moment ago: going on seals what is left of it
            self._broken = True
            self._ready()
            return None
        self._seal_at = 0
        return self._seal()

    def _seal_if_due(self) -> bool:
        """Seals for size. A failure fails no commit: the active file grows on, and it is tried again later."""
        active = self._active
        assert active is not None
        now = time.monotonic_ns()
        if active.walk is not None or now < self._seal_at:
            return False
        try:
            self._seal()
        except SealError as error:
            self._seal_at = now + SEAL_AGAIN
            self.notes.add(f"{error.message}; the file grows on, and sealing is tried again")
            return False
        return True

    def _seal(self) -> str:
        active, names, mode = self._active, self.names, self.settings.mode
        assert active is not None
        self._sync(active)
        self._active = None  # unless it is still what it was, opening finds out where the names stand
        try:
            sealed, successor = rotate.seal(names, active, mode=mode, now=time.time_ns() // 1000)
        except SealError:
            self._active = active
            raise
        except BaseException:
            storage.close(active.fd)
            raise
        if active.fd >= 0:
            storage.close(active.fd)
        try:
            self._active = rotate.begin(names, successor, mode)
        except OSError as error:
            raise WriteError.of(
                error, "the next segment could not be put in place; the next append tries again", names.path
            ) from error
        self._disk.mark(self._active)
        return sealed

    @property
    @in_turn
    def last(self) -> Link:
        """The last record committed; also once the log is closed."""
        return self._last or self._ready().link

    def __del__(self) -> None:
        if not self.closed:
            with contextlib.suppress(Exception):
                self.close()
