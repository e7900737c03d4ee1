"""What other processes did to a log that several share, seen by one that has the lock again.

Nothing of theirs is believed unread: every line that was added is walked, as at opening, before anything goes behind
it. A segment that is not the one of before has to begin where that one ended.
"""

from __future__ import annotations

import contextlib
import time

from jsonl_audit import storage
from jsonl_audit.content import Content
from jsonl_audit.errors import LockedError, LogError, WriteError
from jsonl_audit.scan import WINDOW, Link, Walk
from jsonl_audit.segment import Header, Names
from jsonl_audit.writer import live, place
from jsonl_audit.writer import tip as tips
from jsonl_audit.writer.active import Active

__all__ = ["SharedTip"]


class SharedTip(tips.Tip):
    """The end of a log that other processes append to as well: whoever commits has the lock for that commit."""

    def open(self) -> None:
        """As for one process alone; then the lock is given back."""
        try:
            super().open()
        finally:
            self.leave()

    def leave(self) -> None:
        """Lets other processes commit."""
        self.lock.leave()

    def _ready(self) -> Active:
        now = time.time_ns()
        self.lock.enter(self.settings.lock_timeout, self.settings.mode, look=not 0 <= now - self.watched < tips.WATCH)
        self.watched = now
        self.lock.new_mark()
        mark, active = self.lock.mark, self.active
        if active is not None and self.disk.failed:
            self._say_that_a_sync_failed(active)
            return self._open_anew()
        if active is not None and mark is not None and (mark.segment, mark.inode) == (active.segment, active.key):
            if mark.failed:  # another's sync: what stands behind the last good one does not count, for anybody
                return self._open_anew()
            if active.synced < mark.synced <= active.size:
                active.synced, active.synced_head = mark.synced, mark.hash
        for _ in range(3):
            if active is not None and not (self.broken and live.unchanged(self.names, active)):
                there = caught_up(self.names, active)
                if there is not None:
                    self.active, self.broken = there, False
                    self._tell_what_was_lost(there)
                    return there
            if active is None or went_on(self.names, active):
                active = self._open_anew()
            else:
                absorb(active)
                active = self._go_on_from(active)
        raise WriteError("the files of the log change under its lock; nothing was written", path=self.names.path)

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
        """Under the lock, and knowing what others appended: that is not known to be on the disk either."""
        with contextlib.suppress(OSError, LockedError):  # else the next commit says so
            self.lock.enter(self.settings.lock_timeout, self.settings.mode, look=False)
            self.lock.new_mark()
            absorb(active)
            self._say_that_a_sync_failed(active)
        self._notes.add(f"a sync in the background failed: {failure.strerror}")

    def _say_that_a_sync_failed(self, active: Active) -> None:
        """Leaves that mark, where nobody has, and nobody went on. The lock is held. Raises OSError."""
        mark = self.lock.mark
        if mark is None or mark.segment < active.segment or (mark.segment == active.segment and not mark.failed):
            self.lock.write_mark(active, self.settings.fsync, failed=True)


def caught_up(names: Names, active: Active) -> Active | None:
    """The active segment with all that others committed; None where the disk has to be read as after an error.

    That is so where the file was cut or removed, ends torn, is damaged, or where the log went on in another way than
    by sealing. Raises OSError.
    """
    while True:
        try:
            found = storage.stat(names.path)
        except FileNotFoundError:
            return None
        if (found.st_dev, found.st_ino) == active.key:
            if found.st_size == active.size:
                return active
            return active if found.st_size > active.size and _take_in(active, found.st_size) else None
        following = _following(names, active)
        if following is None:
            return None
        storage.close(active.fd)
        active = following


def absorb(active: Active) -> None:
    """Counts in what others committed to the segment's file, wherever its name is now, up to the first thing wrong."""
    walk = _walk(active, storage.size(active.fd))
    live.adopt(active, walk)


def went_on(names: Names, active: Active) -> bool:
    """Whether the log stands in a later segment than `active`, or is about to. Raises OSError."""
    try:
        with Content(names.path) as content:
            header = content.header()
        return header.log == active.log and header.segment > active.segment
    except FileNotFoundError:
        return place.next_fits(names, names.list_sealed())
    except LogError:
        return False


def _walk(active: Active, size: int) -> Walk:
    walk = Walk(link=active.link, strict=False, digest=True, times=True, offset=active.size)
    while walk.pos < size and (data := storage.read(active.fd, walk.pos, min(WINDOW, size - walk.pos))):
        walk.feed(data)
    return walk.finish()


def _take_in(active: Active, size: int) -> bool:
    """Counts in the bytes up to `size`, if all of them are whole records that go on from the last."""
    walk = _walk(active, size)
    if walk.torn or walk.damaged or walk.end != size:
        return False
    live.adopt(active, walk)
    return True


def _following(names: Names, active: Active) -> Active | None:
    """The next segment, now the active one, if it begins where `active` ends."""
    try:
        fd = storage.open_append(names.path)
    except FileNotFoundError:
        return None
    following = None
    try:
        with Content(names.path) as content:
            header = content.header()
            line = content.read(0, header.size)
        if _goes_on(header, active):
            following = Active(fd, header, Link(header.seq, line[-67:-3].decode(), header.ts), header.size, None)
            following.floor = header.purged or active.floor
            following.began(line)
            following.synced, following.synced_head = following.size, following.head  # whoever put it there saw to that
            storage.sync_directory(names.directory)
    except (LogError, FileNotFoundError):
        pass  # no segment of this log: reading the disk again says what
    finally:
        if following is None:
            storage.close(fd)
    return following


def _goes_on(header: Header, active: Active) -> bool:
    """Whether a header is that of the successor of `active`, whose rest is counted in."""
    before = header.previous
    if before is None or (header.log, header.segment) != (active.log, active.segment + 1) or before.bytes < active.size:
        return False
    return (before.bytes == active.size or _take_in(active, before.bytes)) and active.head == header.prev
