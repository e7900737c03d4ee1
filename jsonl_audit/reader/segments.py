"""The segments of a log one after another, forwards or backwards, and how far each of them counts.

Headers are read only where they are needed: those of both ends first, then each one's neighbour on the way, and all of
them only where something does not fit. A log of thousands of segments is not read for one record.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from jsonl_audit import mark, record, storage
from jsonl_audit.content import Content
from jsonl_audit.errors import NotALogError
from jsonl_audit.reader import ends
from jsonl_audit.reader.notices import Notice, Tell
from jsonl_audit.reader.order import Segment, in_order, unreadable
from jsonl_audit.segment import Floor, Header, describe_foreign
from jsonl_audit.snapshot import Snapshot

__all__ = ["Opened", "Segments"]


class Opened:
    """A segment's content, and the offset of the end of its last committed record."""

    __slots__ = ("_keep", "content", "end", "following", "segment")

    def __init__(self, segment: Segment, content: Content, end: int, following: Header | None, keep: bool) -> None:
        self.segment = segment
        self.content = content
        self.end = end
        self.following = following
        """The header of the segment behind it, where that is its successor."""
        self._keep = keep

    def close(self) -> None:
        """Closes the file, unless it is the active one, which belongs to the snapshot."""
        if not self._keep:
            self.content.close()


class Segments:
    """The segments of the log of one snapshot. `tell` is told of what is left out.

    Raises NotALogError where no line at the path begins as a record does, NewerFormatError, StorageError.
    """

    def __init__(self, snapshot: Snapshot, tell: Tell) -> None:
        self.names = snapshot.names
        self._tell = tell
        self._mark = mark.read(self.names.lock)
        self._active = snapshot.active if snapshot.active is not None and snapshot.active.size else None
        self._sorted = False
        self.purged = 0
        """The last segment that was let go, as far as the newest header and the mark know; 0 for none."""
        self.expected = False
        """Whether the first of those that are walked was here a moment ago: then it is told where it is gone."""
        self.all = [Segment(path) for path in snapshot.sealed]
        if self._active is not None:
            text = self._active.first_line()
            newest = Segment(self._active.path)
            newest.look(text)
            if newest.header is None and not _any_record(self._active):
                raise NotALogError(describe_foreign(text), path=self._active.path, line=1)
            self.all.append(newest)
        while self.all and self.all[0].header is None and self.all[0].gone:
            del self.all[0]
        if not self._ends_fit():
            self._sort()
        self._leave_out_purged()

    def tell_of_active(self) -> None:
        """Tells where the active file is missing behind sealed ones: what was written last is not known then."""
        if self._active is None and self.all:
            name = os.path.basename(self.names.path)
            message = f"{name} is not here, or is empty: what was written to it is not known; run jsonl-audit verify"
            self._tell(Notice("active-missing", message, self.names.path))

    def following(self, index: int) -> Header | None:
        """The header behind the segment at `index`, where it is that of its successor."""
        if index + 1 >= len(self.all):
            return None
        own, behind = self.all[index].header, self.all[index + 1].header
        if behind is None or behind.previous is None:
            return None
        if own is None:
            return behind if os.path.basename(self.all[index].path).startswith(behind.previous.name) else None
        return behind if (own.log, own.segment + 1) == (behind.log, behind.segment) else None

    def index_of(self, seq: int) -> int:
        """Index of the last segment that begins at or before `seq`."""
        return self._last_not(lambda header: header.seq > seq)

    def index_at(self, ts: str) -> int:
        """Index of the last segment that begins before `ts`."""
        return self._last_not(lambda header: header.ts >= ts)

    def _last_not(self, later: Callable[[Header], bool]) -> int:
        low, high, found = 0, len(self.all), 0
        while low < high:
            middle = probe = (low + high) // 2
            while probe > low and self.all[probe].header is None:
                probe -= 1
            header = self.all[probe].header
            if header is not None and later(header):
                high = probe
            else:
                low, found = middle + 1, probe if header is not None else found
        return found

    def walk(self, index: int = 0, *, reverse: bool = False) -> Iterator[Opened]:
        """The segments from `index` on, one open at a time; if `reverse`, from the newest down to that one.

        Files that were purged meanwhile are passed over. A gap is told.
        """
        at = len(self.all) - 1 if reverse else index
        last: Segment | None = None
        gone = 0
        while index <= at < len(self.all):
            here = self.all[at]
            if not self._sorted and not self._fits(at):
                self._sort()
                at = self.all.index(here) if here in self.all else min(at, len(self.all) - 1)
                continue
            opened = self.open(at)
            if opened is not None:
                if last is None and here.header is not None and self.expected and not reverse:
                    self._tell_missing(here.header.segment - gone, here.header)
                self._tell_gap(*((here, last) if reverse else (last, here)))
                last = here
                try:
                    yield opened
                finally:
                    opened.close()
            else:
                gone += 1
            at += -1 if reverse else 1

    def open(self, index: int) -> Opened | None:
        """The segment at `index`; None if it is gone."""
        segment, following = self.all[index], self.following(index)
        active = self._active if self._active is not None and segment.path == self._active.path else None
        content = active or self._content(segment)
        if content is None:
            return None
        if following is not None and following.previous is not None:
            end = min(following.previous.bytes, content.size)
            if end < following.previous.bytes:
                name = os.path.basename(segment.path)
                message = f"{name} is shorter than when it was sealed: records are missing; run jsonl-audit verify"
                self._tell(Notice("segment-altered", message, segment.path))
        else:
            on_disk, failed = self._on_disk(content, segment.header) if active else (0, False)
            stop = min(on_disk, content.size) if failed else content.size  # behind a failed sync nothing counts
            end = ends.committed_end(content, 0, stop, on_disk=on_disk)
        return Opened(segment, content, end, following, keep=active is not None)

    def counting(self, content: Content, header: Header | None, size: int) -> int:
        """How many of so many bytes of the active file count by what the mark says now: none behind a failed sync."""
        self._mark = mark.read(self.names.lock)
        synced, failed = self._on_disk(content, header)
        return min(size, synced) if failed else size

    def settings_on_disk(self, opened: Opened) -> tuple[int, dict[str, Any] | None]:
        """Up to which byte of a segment the mark knows whether it tells a change of settings, and that change."""
        if opened.content is not self._active:
            return 0, None
        synced, _ = self._on_disk(opened.content, opened.segment.header)
        return (synced, self._mark.settings) if synced and self._mark is not None else (0, None)

    def _on_disk(self, content: Content, header: Header | None) -> tuple[int, bool]:
        """How far the mark says that the active file is on the disk, and whether a sync failed behind that.

        0 where the mark says nothing of this file: it is a copy, or the mark is of another time.
        """
        found = self._mark
        if found is None or header is None or (found.log, found.segment) != (header.log, header.segment):
            return 0, False
        if found.inode != content.key or content.read(max(found.synced - 67, 0), 64) != found.hash.encode():
            return 0, False
        return found.synced, found.failed

    def _content(self, segment: Segment) -> Content | None:
        for _ in range(2):
            try:
                return Content(segment.path)
            except FileNotFoundError:
                again = self._under_another_name(segment.path)
                if again is None:
                    break
                segment.path = again
            except OSError as error:
                if storage.is_file(segment.path):
                    raise unreadable(segment.path, error) from error
                self._tell_stranger(segment.path)
                break
        segment.gone = True
        return None

    def _under_another_name(self, path: str) -> str | None:
        """Where a sealed segment is now that somebody packed it, or unpacked it, meanwhile."""
        stamp = self.names.stamp_of(os.path.basename(path))
        try:
            sealed = self.names.list_sealed()
        except OSError:
            return None
        return next((each for each in sealed if stamp and self.names.stamp_of(os.path.basename(each)) == stamp), None)

    def _ends_fit(self) -> bool:
        if len(self.all) < 2:
            return True
        first, newest = self.all[0].header, self.all[-1].header
        if first is None or newest is None or newest.segment - first.segment != len(self.all) - 1:
            return False
        return first.log == newest.log and self._fits(len(self.all) - 2)

    def _fits(self, index: int) -> bool:
        behind = self.all[index + 1] if index + 1 < len(self.all) else None
        if behind is None or self.all[index].header is None or behind.header is None:
            return True
        return self.following(index) is not None

    def _sort(self) -> None:
        self._sorted = True
        self.all = in_order(self.all, self._tell)

    def _leave_out_purged(self) -> None:
        """Leaves out what an interrupted purge has not removed yet."""
        newest = next((each.header for each in reversed(self.all) if each.header is not None), None)
        if newest is None:
            return
        floors = [newest.purged]
        if self._mark is not None and self._mark.log == newest.log:
            floors.append(self._mark.purged)
        # A mark that says that even the newest is purged was written since the files were looked for: that one is open.
        known = [floor for floor in floors if floor is not None and floor.segment < newest.segment]
        known.sort(key=lambda floor: floor.segment, reverse=True)
        self.purged = next((floor.segment for floor in known if self._purged(floor)), 0)
        while self.all and self.all[0].header is not None and self.all[0].header.segment <= self.purged:
            del self.all[0]

    def _purged(self, floor: Floor) -> bool:
        """Whether what is here goes on from where a purge is said to have ended; asked only where it hides something.

        The mark is no part of the chain: what it says there must fit.
        """
        first = self.all[0].header
        if first is not None and first.segment > floor.segment:
            return True
        behind = [each.header for each in self.all if each.header and each.header.segment == floor.segment + 1]
        return not behind or any((each.seq, each.prev) == (floor.last_seq + 1, floor.head) for each in behind)

    def _tell_stranger(self, path: str) -> None:
        what = "a directory" if storage.is_directory(path) else "a device, a pipe or a socket"
        message = f"{os.path.basename(path)} is {what} with the name of a segment, passed over; move it away"
        self._tell(Notice("not-a-segment", message, path))

    def _tell_gap(self, before: Segment | None, behind: Segment | None) -> None:
        if before is None or behind is None or before.header is None or behind.header is None:
            return
        self._tell_missing(before.header.segment + 1, behind.header)

    def _tell_missing(self, first: int, behind: Header) -> None:
        """Tells of the segments from number `first` to that of a header, if there are any."""
        last = behind.segment - 1
        if first > last:
            return
        which = f"segment {first}" if first == last else f"segments {first} to {last}"
        now = mark.read(self.names.lock)  # a purge says so there before it takes anything away
        if now is not None and now.log == behind.log and now.purged and now.purged.segment >= last:
            message = f"{which} {'was' if first == last else 'were'} purged while the log was read"
            self._tell(Notice("purged", message, self.names.path))
        else:
            here = "is not here" if first == last else "are not here"
            message = f"{which} {here}: records are missing; run jsonl-audit verify"
            self._tell(Notice("segment-missing", message, self.names.path))


def _any_record(content: Content) -> bool:
    """Whether any line in the beginning of a file begins as a record does."""
    return any(record.HEAD.match(piece) for piece in content.read(0, 4 << 20).split(b"\n"))
