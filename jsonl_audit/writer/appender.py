"""The appender of one process: its threads append through it, one commit at a time.

What a commit is stands in `tip`; who takes part in one, in `group` and `turn`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from blake3 import blake3

from jsonl_audit import instants, record, storage
from jsonl_audit.errors import ClosedError, StorageError
from jsonl_audit.record import Body
from jsonl_audit.scan import Link
from jsonl_audit.segment import Names
from jsonl_audit.writer import purge, registry, settle
from jsonl_audit.writer import tip as tips
from jsonl_audit.writer.active import DIGEST_BLOCK, Active
from jsonl_audit.writer.background import Background
from jsonl_audit.writer.chain import Receipt
from jsonl_audit.writer.group import Committers, Ticket
from jsonl_audit.writer.notes import Notes
from jsonl_audit.writer.settings import Settings
from jsonl_audit.writer.shared import SharedTip
from jsonl_audit.writer.turn import Turn, in_turn

__all__ = ["Appender"]

_tuple = tuple.__new__


class Appender:
    """Appends to one log, whose lock it holds as long as it is open, or, where it is shared, for each commit.

    Threads may share it.
    """

    def __init__(self, names: Names, settings: Settings) -> None:
        self.names = names
        self.settings = settings
        self.notes = Notes(names.path)
        self.closed = False
        self.forked = False
        self._fsync = settings.fsync
        self._hasher = blake3()
        self._last: Link | None = None
        # Where a commit waits for the disk, or for other processes, those who come meanwhile go together.
        self._together = settings.fsync == "always" or settings.shared
        self._alone = not settings.shared
        self._tip = (SharedTip if settings.shared else tips.Tip)(names, settings, self.notes)
        self._threads()
        try:
            self._tip.open()
        except OSError as error:
            self._tip.let_go()
            raise StorageError.of(error, "the log cannot be opened", names.path) from error
        except BaseException:
            self._tip.let_go()
            raise
        finally:
            self.notes.tell()
        registry.add(self)

    def _threads(self) -> None:
        """What threads hold and wait for; made anew in a child."""
        self._turn = Turn(self.names.path, self.notes)
        self._committers = Committers(self._turn)
        always = self.settings.fsync == "always"
        self._background = Background(self.sync_in_background, 1.0 if always else self.settings.sync_interval)
        self._tip.wake = self._background.wake

    # -- opening and closing

    def close(self) -> None:
        """Syncs what is not synced, leaves the mark, gives the lock back. May be called twice.

        Raises SyncError if the last sync fails; the log is closed all the same.
        """
        self._close()
        self._background.end()

    def abandon(self) -> None:
        """Gives the lock back without a last sync, mark or look: the files are gone, and are to be gone."""
        self._close(last=False)
        self._background.end()

    @in_turn
    def _close(self, *, last: bool = True) -> None:
        try:
            if not self.closed:
                self.closed = True
                if self._tip.active is not None:
                    self._last = self._tip.active.link
                if last:
                    self._tip.close()
        finally:  # also by a second call, where the first was interrupted
            self._tip.let_go()
            self._background.stop()
            registry.discard(self)

    def after_fork(self) -> bool:
        """In a child: the parent's lock is left to the parent. Whether the log is open there too."""
        self._threads()
        self._tip.forked()
        self.forked = not self.settings.shared
        return not self.forked

    # -- committing

    def append(self, body: Body) -> Receipt:
        """Commits one record. Raises WriteError, SyncError, ClosedError, LockedError.

        Where nobody waits for the disk this is the way of almost every record: what `next_line` and `Active.wrote` do
        is written out here, for calls cost more than what they do. The rest goes as every other commit.
        """
        turn = self._turn
        if turn.mine():
            raise turn.within_itself()
        if self._together:
            return self._append_together(body)
        try:
            with turn.lock:
                now = time.time_ns()
                tip = self._tip
                active = tip.active
                if active is None or tip.broken or not 0 <= now - tip.watched < tips.WATCH:
                    active = self._ready()
                kind, members, own_id, own_time = body
                us = now // 1000
                if us < active.us or own_time is not None or active.walk is not None or self._fsync != "never":
                    return tip.append(body, us)
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
                if size > tip.limit:
                    return tip.append(body, us)
                tip.broken = True
                receipt: Receipt = _tuple(Receipt, (seq, ts, own_id.decode(), own))
                try:
                    storage.write(active.fd, line)
                except OSError as error:
                    failure = tip.write_failed(error)
                    failure.attempted = (receipt,)
                    raise failure from error
                active.seq, active.head, active.ts, active.us, active.size = seq, own, ts, us, size
                active.pending.append(line)
                active.pending_bytes += len(line)
                if active.pending_bytes >= DIGEST_BLOCK:
                    active.digest_pending()
                tip.commits += 1
                tip.bytes += len(line)
                tip.broken = False
                return receipt
        finally:
            if self.notes.untold:
                self.notes.tell()

    def _append_together(self, body: Body) -> Receipt:
        committers = self._committers
        if not committers.alone():
            return committers.commit(((body,),), self._commit)[0]
        try:
            with self._turn.lock:
                committers.at_work = True
                now, tip = time.time_ns(), self._tip
                if self._alone and tip.active is not None and not tip.broken and 0 <= now - tip.watched < tips.WATCH:
                    return tip.append(body, now // 1000)
                try:
                    self._ready()
                    return tip.append(body, time.time_ns() // 1000)
                finally:
                    try:
                        tip.leave()
                    except BaseException:
                        tip.leave()  # interrupted: others must not wait for ever
                        raise
        finally:
            committers.at_work = False
            committers.done()
            if self.notes.untold:
                self.notes.tell()

    def commit(self, groups: Sequence[Sequence[Body]]) -> list[Receipt]:
        """Commits several groups in one write and one sync: each of two or more records is a batch, all or none.

        Raises EventTooLargeError for a batch past the format's limit, WriteError, SyncError, ClosedError, LockedError.
        """
        return self._committers.commit(groups, self._commit)

    def _commit(self, tickets: list[Ticket]) -> None:
        """What the leader of a group does in its turn."""
        try:
            self._must_be_open()
        except ClosedError as error:
            for ticket in tickets:
                ticket.fail(error, self.names.path, copied=ticket is not tickets[0])
            return
        tip = self._tip
        try:
            tip.commit(tickets)
        finally:
            try:
                tip.leave()
            except BaseException:
                tip.leave()  # interrupted: others must not wait for ever
                raise

    def _ready(self) -> Active:
        """The active segment, known to be what was left."""
        self._must_be_open()
        return self._tip.ready()

    def _must_be_open(self) -> None:
        if self.closed or self.forked:
            why = (
                "belongs to the parent process; open it anew in the child" if self.forked else "is closed; open it anew"
            )
            raise ClosedError(f"the log {why}", path=self.names.path)

    @in_turn
    def recorded(self, attempted: Sequence[Receipt]) -> set[str]:
        """The hashes of those of the receipts of a failed call that are records now.

        Raises WriteError, LockedError, LogError while that cannot be known.
        """
        active = self._ready()
        try:
            return settle.recorded(self.names, active, attempted)
        except OSError as error:
            raise StorageError.of(error, "what was written cannot be read", self.names.path) from error

    @in_turn
    def purged_through(self) -> int:
        """seq of the last record that was let go; 0 if none was. Raises WriteError, LockedError, LogError."""
        floor = self._ready().floor
        return floor.last_seq if floor is not None else 0

    # -- syncing

    @in_turn
    def flush(self) -> None:
        """Returns when everything committed is on disk, in every mode. Raises SyncError, ClosedError."""
        tip = self._tip
        tip.disk.must_not_have_failed()
        active = self._ready()
        tip.sync(active)
        tip.mark(active)

    def sync_in_background(self) -> None:
        """One sync of the interval mode, while commits go on; where each commit is synced, the mark of the last."""
        tip = self._tip
        with self._turn.lock:
            active = tip.active
            if self.closed or self.forked or active is None or tip.disk.failed:
                return
            if self._fsync == "always":
                if not tip.broken:
                    tip.disk.mark(active)
                return
            size, head = active.size, active.head  # of what is counted, whatever a later write came to
            if not self.settings.shared:  # there, each commit looks
                tip.look(active)
            fd = storage.duplicate(active.fd)  # the segment may be sealed meanwhile
        failure = tip.disk.sync_file(active, fd)
        storage.let_go(fd)
        with self._turn.lock:
            if tip.active is not active or tip.disk.failed:
                if failure is not None:
                    self.notes.add(f"a sync of a segment that is sealed by now failed: {failure.strerror}")
                return
            try:
                tip.synced_beside(active, size, head, failure)
            finally:
                tip.leave()

    # -- sealing

    @in_turn
    def rotate(self) -> str | None:
        """Seals the active segment; the path it has now, None if it holds nothing but its header.

        Raises SealError; then the active file is as it was. SyncError, ClosedError.
        """
        self._must_be_open()
        return self._tip.rotate()

    @in_turn
    def purge(self, keep: int, reason: str, unshipped: str = "stay") -> list[str]:
        """Lets the oldest sealed segments go, so that `keep` of them stay, and returns the paths that are gone.

        Raises WriteError, SyncError, NotShippedError with nothing removed; ClosedError, LockedError.
        """
        self._must_be_open()
        return purge.purge(self._tip, self._tip.tell(), keep, reason, self.notes, unshipped)

    @property
    @in_turn
    def last(self) -> Link:
        """The last record committed; also once the log is closed."""
        return self._last or self._ready().link

    def figures(self) -> dict[str, Any]:
        """What Stats says of the writing itself."""
        tip = self._tip
        return {
            "appended": tip.commits + tip.records,
            "commits": tip.commits,
            "bytes": tip.bytes,
            "syncs": tip.disk.syncs,
            "rotations": tip.rotations,
            "waits": tip.lock.waits,
            "waited": round(tip.lock.waited, 6),
        }

    def watch(self, call: Callable[[int], None]) -> None:
        """Has something called with the time, some times a second, in the middle of a commit."""
        self._tip.watch = call

    @property
    def known_log(self) -> str:
        """The log's UUID as far as this process knows; empty if it does not."""
        active = self._tip.active
        return active.log if active is not None else ""

    @property
    def known_segment(self) -> int:
        """The active segment's number as far as this process knows; 0 if it does not."""
        active = self._tip.active
        return active.segment if active is not None else 0

    @property
    def sync_failed(self) -> bool:
        """Whether a sync failed, and what it covered is about to be given up."""
        return self._tip.disk.failed

    @property
    def known_seq(self) -> int:
        """seq of the last record as far as this process knows, which asks nobody; 0 if it does not know."""
        active = self._tip.active
        return active.seq if active is not None else 0

    @property
    def sure_seq(self) -> int:
        """seq of a record behind which all will stand that is appended from now on, whatever fails before."""
        active = self._tip.active
        return active.first_seq if active is not None else 0

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            if not self.closed:
                self.close()
            else:  # an interrupt may have come before the lock was given back
                self._tip.let_go()
