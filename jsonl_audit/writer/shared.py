"""What other processes did to a log that several share, seen by one that has the lock again.

A commit goes behind the last line that is there, if its own hash is right and it ends a commit; a segment that is not
the one of before has to begin where that one ended. Every line that another wrote is verified before it is taken into
the segment's digest: beside the commits, many at once, without the lock.
"""

from __future__ import annotations

import contextlib
import time

from jsonl_audit import instants, record, storage
from jsonl_audit.content import Content
from jsonl_audit.errors import LogError, WriteError
from jsonl_audit.scan import WINDOW, Link, Walk
from jsonl_audit.segment import Header, Names
from jsonl_audit.writer import live, place
from jsonl_audit.writer import tip as tips
from jsonl_audit.writer.active import DIGEST_BLOCK, Active

__all__ = ["SharedTip"]

SMALL = 64 * 1024
"""Bytes that are read at once, to see where the first line of others begins."""
NEAR = 16 << 20
"""Bytes not verified yet, some 30 ms, that a commit looks through itself to seal the segment."""


class SharedTip(tips.Tip):
    """The end of a log that other processes append to as well: whoever commits has the lock for that commit."""

    def open(self) -> None:
        """As for one process alone; then the lock is given back."""
        try:
            super().open()
        finally:
            self.leave()

    def leave(self) -> None:
        """Lets other processes commit; then looks through what they wrote."""
        self.lock.leave()
        active = self.active
        if active is None:
            return
        try:
            behind = active.pending_bytes if active.walk is None else active.size - active.walk.pos
            if behind < DIGEST_BLOCK:
                return
            budget = max(tips.SLICE, behind // 2)  # however much others write meanwhile, it is caught up with
            if active.walk is None:
                active.digest_pending(budget)
            else:
                active.follow(active.walk, budget)
        except OSError as error:
            self._notes.add(f"the segment cannot be read, and is not sealed for now: {error.strerror}")

    def _walk_on(self, active: Active, _size: int) -> None:
        """Not while others wait; but damage that the walk has met is sealed off."""
        if active.walk is not None and active.walk.damaged:
            super()._walk_on(active, active.size)

    def _seal_if_due(self) -> bool:
        """Walks to the end of the segment first, if that is near; else another process, or a later commit, seals."""
        active = self.active
        if active is not None:
            behind = active.pending_bytes if active.walk is None else active.size - active.walk.pos
            if behind > NEAR:
                return False
            try:
                active.catch_up()
            except OSError as error:
                self._notes.add(f"the segment cannot be read, and is not sealed for now: {error.strerror}")
                return False
        return super()._seal_if_due()

    def close(self) -> None:
        """Syncs what is not synced and leaves the mark. Raises SyncError."""
        active = self.active
        if active is None or self.disk.failed:
            return
        if active.synced < active.size:
            failure = self.disk.sync_file(active, active.fd)
            if failure is not None:
                self.sync_failed(active, failure)
                raise self.disk.told(failure) from failure
            self.disk.synced(active, active.size, active.head)
        if not self.broken:
            self.mark(active)

    def _ready(self) -> Active:
        try:
            return self._known_end()
        except FileNotFoundError:  # the folder is gone, and with it the file that is locked: another look makes both
            self.lock.leave()
            self.watched = 0
            return self._known_end()

    def _known_end(self) -> Active:
        now = time.time_ns()
        look = not 0 <= now - self.watched < tips.WATCH
        self.lock.enter(self.settings.lock_timeout, self.settings.mode, look=look)
        if look:
            if self.watch is not None:
                self.watch(now)
            self.watched = now
        self.lock.new_mark()
        active = self.active if self.active is not None and self.active.fd >= 0 else None
        if active is not None:
            self._know_what_is_synced(active)
            if self.disk.failed:
                self._say_that_a_sync_failed(active)
                return self._open_anew()
        for _ in range(3):
            if active is not None and not (self.broken and live.unchanged(self.names, active)):
                there = self._caught_up(active)
                if there is not None:
                    self.broken = False
                    there.block = 1 << 62  # nothing is digested while others wait
                    self._know_what_is_synced(there)
                    self._tell_what_was_lost(there)
                    return there
                active = self.active
            if (
                active is None
                or self._has_failed(active)
                or self._is_cut(active, storage.size(active.fd))
                or went_on(self.names, active)
            ):
                active = self._open_anew()
            else:
                absorb(active)
                active = self._go_on_from(active)
        raise WriteError("the files of the log change under its lock; nothing was written", path=self.names.path)

    def _caught_up(self, active: Active) -> Active | None:
        """The active segment with all that others committed; None where the disk has to be read as after an error.

        That is so where a sync failed, where the file was cut or removed, ends torn or damaged, or where the log went
        on in another way than by sealing. Raises OSError.
        """
        while not self._has_failed(active):
            try:
                found = storage.stat(self.names.path)
            except FileNotFoundError:
                break
            if (found.st_dev, found.st_ino) == active.key:
                return active if not self._is_cut(active, found.st_size) and _sees(active, found.st_size) else None
            following = _following(self.names, active)
            if following is None:
                break
            self.active = following
            active.close()
            active = following
        return None

    def _has_failed(self, active: Active) -> bool:
        """Whether a sync of the segment failed, anybody's: what is behind the last good one counts for nobody."""
        mark = self.lock.mark
        return mark is not None and mark.failed and mark.inode == active.key

    def _is_cut(self, active: Active, size: int) -> bool:
        """Whether the segment's file, of so many bytes, lacks some that were on the disk."""
        mark = self.lock.mark
        return mark is not None and mark.inode == active.key and size < mark.synced

    def _know_what_is_synced(self, active: Active) -> None:
        """Takes over from the mark what others synced, and purged."""
        mark = self.lock.mark
        if mark is None or (mark.segment, mark.inode) != (active.segment, active.key):
            return
        if active.synced < mark.synced:
            active.synced, active.synced_head = mark.synced, mark.hash
        active.purged(mark.purged)
        active.tells(mark.settings)

    def mark(self, active: Active) -> None:
        """Leaves the mark, unless another process has the lock, or left a better one."""
        if not self.lock.try_enter():
            return
        with contextlib.suppress(OSError):
            self.lock.new_mark()
        mark = self.lock.mark
        if mark is not None and mark.log == active.log and (
            mark.segment != active.segment or mark.failed or mark.synced >= active.synced
        ):
            return
        self.disk.mark(active)

    def _mark_commit(self, active: Active) -> None:
        """Leaves the mark of each commit that was synced: another process goes on from there."""
        self.disk.mark(active)

    def sync_failed(self, active: Active, failure: OSError) -> None:
        """Says so under the lock."""
        with contextlib.suppress(OSError, LogError):  # else the next commit says so
            self.lock.enter(self.settings.lock_timeout, self.settings.mode, look=False)
            self.lock.new_mark()
            self._know_what_is_synced(active)
            self._say_that_a_sync_failed(active)
        self._notes.add(f"a sync in the background failed: {failure.strerror}")

    def _say_that_a_sync_failed(self, active: Active) -> None:
        """Leaves that mark, where nobody has, and nobody went on. The lock is held. Raises OSError.

        What others appended meanwhile is not known to be on the disk either.
        """
        absorb(active)
        mark = self.lock.mark
        if mark is None or mark.segment < active.segment or (mark.segment == active.segment and not mark.failed):
            self.lock.write_mark(active, self.settings.fsync, failed=True)


def absorb(active: Active) -> None:
    """Counts in what others committed to the segment's file, wherever its name is now."""
    walk = _walk(active, storage.size(active.fd))
    live.adopt(active, walk)
    if walk.damaged:
        active.walk_anew()  # which lists where


def went_on(names: Names, active: Active) -> bool:
    """Whether the log stands in a later segment than `active`, or is about to. Raises OSError.

    Also where another process, finding the file gone, has begun a segment of the same number in its place.
    """
    try:
        with Content(names.path) as content:
            header = content.header()
            another = content.read(0, header.size) != storage.read(active.fd, 0, header.size)
        if header.log != active.log:
            return False
        return header.segment > active.segment or (header.segment == active.segment and another)
    except FileNotFoundError:
        sealed = names.list_sealed()
        return place.next_fits(names, sealed) or place.newest_number(sealed, active.log) >= active.segment
    except LogError:
        return False


def _walk(active: Active, size: int) -> Walk:
    walk = Walk(link=active.link, strict=False, digest=True, times=True, offset=active.size)
    while walk.pos < size and (data := storage.read(active.fd, walk.pos, min(WINDOW, size - walk.pos))):
        walk.feed(data)
    return walk.finish()


def _sees(active: Active, end: int) -> bool:
    """Goes on behind what others committed up to byte `end`, if a whole commit ends there.

    Each of them did the same, so that all is whole where the last line is.
    """
    count = end - active.size
    if count <= 0:
        return count == 0
    if count <= SMALL:
        data = storage.read(active.fd, active.size, count)
        line: bytes | None = data[data.rfind(b"\n", 0, -1) + 1 :]
        first = data.find(b"\n") + 1
        if data[first - 141 : first - 77].decode("ascii", "replace") != active.head:
            return False
    else:
        line = place.line_before(active.fd, end)
    if line is None or not record.own_hash_right(line):
        return False
    last = Link(record.seq_of(line), line[-67:-3].decode(), record.ts_of(line))
    batch = record.batch_of(line)
    if last.seq <= active.seq or not instants.is_instant(last.ts) or (batch is not None and batch[0] != batch[1]):
        return False
    active.others_wrote(count, last)
    return True


def _following(names: Names, active: Active) -> Active | None:
    """The next segment, now the active one, if it begins where `active` ends. Raises OSError."""
    try:
        fd = storage.open_append(names.path)
    except FileNotFoundError:
        return None
    try:
        with Content(names.path) as content:
            header = content.header()
            line = content.read(0, header.size)
        if _goes_on(header, active):
            following = Active(fd, header, Link(header.seq, line[-67:-3].decode(), header.ts), header.size, None)
            following.floor = header.purged or active.floor
            following.settings = header.settings or active.settings
            following.began(line)
            following.synced, following.synced_head = following.size, following.head  # whoever put it there saw to that
            storage.sync_directory(names.directory)
            return following
    except (LogError, FileNotFoundError):
        pass  # no segment of this log: reading the disk again says what
    except BaseException:
        storage.let_go(fd)
        raise
    storage.let_go(fd)
    return None


def _goes_on(header: Header, active: Active) -> bool:
    """Whether a header is that of the successor of `active`, whose rest is counted in."""
    before = header.previous
    if before is None or (header.log, header.segment) != (active.log, active.segment + 1) or before.bytes < active.size:
        return False
    return _sees(active, before.bytes) and active.head == header.prev
