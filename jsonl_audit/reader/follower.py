"""A reader that keeps its place in a log while the log grows, rotates, goes away and comes back.

It holds the active file open, so that what is renamed meanwhile is read to its end, and knows the seq and hash of the
last record it saw, so that it neither misses nor repeats one, and notices a log that is not the same any more.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from enum import Enum

from jsonl_audit import record, storage
from jsonl_audit.content import Content
from jsonl_audit.errors import QueryError, StorageError, WrongLogError
from jsonl_audit.reader import cursor
from jsonl_audit.reader.ends import committed_end
from jsonl_audit.reader.filters import Selection
from jsonl_audit.reader.matches import Match, in_part, matches
from jsonl_audit.reader.notices import Notice, Tell
from jsonl_audit.reader.segments import Segments
from jsonl_audit.reader.windows import WINDOW, windows
from jsonl_audit.segment import Header
from jsonl_audit.snapshot import Snapshot, resolve

__all__ = ["Follower", "Wait"]

_LOOKS = 10
"""So often the log is looked at anew before what was read last counts as gone from it."""


class Wait(Enum):
    """Nothing new is there: look again in a while."""

    WAIT = 0


class Follower:
    """One reader of one growing log. `run` gives records, None after each window, and WAIT where nothing new is there.

    Begins behind the record `seq`, whose hash may be given too; if `at_end`, behind the newest record when `begin` is
    called, or else `run`, and then with the last `n` records before that fit.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        selection: Selection,
        tell: Tell,
        *,
        n: int = 0,
        seq: int = 0,
        known: str | None = None,
        at_end: bool = False,
        block: int = WINDOW,
    ) -> None:
        self._path = path
        self._selection = selection
        self._told: set[Notice] = set()
        self._who = tell
        self._n = n
        self._block = block
        self._least = seq
        self._seq = seq  # of the last record that was seen, whether it fitted or not
        self._hash = known  # None where it is not known
        self._segment: Header | None = None  # the header of the segment that it stands in
        self._at_end = at_end
        self._from_seq = seq > 0  # all behind it is to be given, or told of

    def begin(self) -> None:
        """Looks where the log ends now, if that is where to begin."""
        if not self._at_end:
            return
        self._at_end = False
        snapshot = self._look()
        if snapshot is None:
            self._n, self._from_seq = 0, True  # all that will be there is committed from now on
            return
        with snapshot:
            self._end_of(Segments(snapshot, lambda _: None))

    def run(self) -> Iterator[Match | Wait | None]:
        """Records as they come, without an end."""
        self.begin()
        looks = 0
        while True:
            snapshot = self._look()
            if snapshot is None:
                yield Wait.WAIT
                continue
            with snapshot:
                segments = Segments(snapshot, self._tell)
                try:
                    self._find_again(segments)
                except (QueryError, WrongLogError):
                    looks += 1
                    if self._segment is None or looks > _LOOKS:
                        raise
                    yield None  # files were sealed and purged while they were looked for: look again
                    continue
                looks = 0
                if self._n:
                    yield from self._give_last(segments)
                self._selection.after = max(self._seq, self._least)
                segments.expected = self._segment is not None
                yield from matches(segments, self._selection, self._tell, block=self._block)
                end = self._end_of(segments)
                if snapshot.active is not None and end is not None:
                    yield from self._live(segments, snapshot.active, end)
                else:
                    yield Wait.WAIT

    def _look(self) -> Snapshot | None:
        """The log as it stands now; None if there is none."""
        try:
            snapshot = Snapshot(resolve(self._path))
        except StorageError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise
        if not snapshot.sealed and (snapshot.active is None or not snapshot.active.size):
            snapshot.close()
            return None
        return snapshot

    def _give_last(self, segments: Segments) -> Iterator[Match | None]:
        """The last `n` of those that were there at the beginning."""
        found = []
        for match in matches(segments, self._selection, self._tell, block=self._block, reverse=True):
            if match is None:
                yield None
                continue
            if match.record["seq"] > self._seq:
                continue
            found.append(match)
            if len(found) == self._n:
                break
        self._n = 0
        yield from reversed(found)

    def _tell(self, notice: Notice) -> None:
        """Tells each thing once, however often the log is looked at anew."""
        if notice not in self._told:
            if len(self._told) < 1000:
                self._told.add(notice)
            self._who(notice)

    def _end_of(self, segments: Segments) -> int | None:
        """Takes the newest record as the last that was seen; where it ends, if that is in the active file."""
        for opened in segments.walk(reverse=True):
            if self._see(opened.content, 0, opened.end):
                self._segment = opened.segment.header
            return opened.end if opened.segment is segments.all[-1] else None
        return None

    def _see(self, content: Content, start: int, stop: int) -> bool:
        """Takes the last record between the two offsets as the last that was seen."""
        for window in windows(content, start, stop, first=1 << 12, reverse=True):
            for piece in reversed(window.data[window.begin : window.cut].split(b"\n")):
                if record.HEAD.match(piece):
                    self._seq, self._hash = record.seq_of(piece), piece[-66:-2].decode("ascii", "replace")
                    return True
        return False

    def _find_again(self, segments: Segments) -> None:
        """Makes sure that the log goes on from the record seen last. Raises WrongLogError where it does not."""
        header = self._segment
        if header is not None:
            for segment in reversed(segments.all):
                behind = segment.header
                if behind is None or behind.log != header.log or behind.segment <= header.segment:
                    break
                if behind.segment == header.segment + 1 and behind.seq <= self._seq:
                    if behind.previous is not None and behind.previous.torn_bytes:
                        self._voided(behind)
                    break
        if header is not None or (self._from_seq and self._hash is None):
            self._overtaken(segments)
        if self._hash is not None and self._seq:
            cursor.check(segments, self._seq, self._hash)

    def _overtaken(self, segments: Segments) -> None:
        """Goes on at the first record that is here, where those behind the last seen were purged meanwhile."""
        first = segments.all[0].header if segments.all else None
        if first is not None and self._seq + 1 < first.seq and first.segment == segments.purged + 1:
            message = f"records {self._seq + 1} to {first.seq - 1} were purged before they were read"
            self._tell(Notice("purged", message, os.fspath(self._path)))
            self._seq, self._hash = first.seq - 1, first.prev

    def _voided(self, behind: Header) -> None:
        which = f"record {self._seq}" if behind.seq == self._seq else f"records {behind.seq} to {self._seq}"
        message = f"{which}, given before, did not reach the disk and are void; seqs go on from {behind.seq}"
        self._tell(Notice("voided", message, os.fspath(self._path)))
        self._seq, self._hash = behind.seq - 1, behind.prev

    def _live(self, segments: Segments, content: Content, position: int) -> Iterator[Match | Wait | None]:
        """What is added to the active file, until something else lies at its path, or it was cut."""
        looked, before = content.size, _before(content, position)
        yield Wait.WAIT
        while True:
            size = content.grown()
            if size < looked or (size > looked and _before(content, position) != before):
                return
            if size > looked:
                looked = size
                end = committed_end(content, position, max(position, segments.counting(content, self._segment, size)))
                if end > position:
                    yield from in_part(
                        content, position, end, self._selection, self._tell,
                        needles=self._selection.needles, block=self._block,
                    )  # fmt: skip
                    self._see(content, position, end)
                    position, before = end, _before(content, end)
                    continue
            if _key(segments.names.path) != content.key and content.grown() == size:
                return
            yield Wait.WAIT


def _before(content: Content, position: int) -> bytes:
    """The bytes before a position: if the file was cut and has grown again, they are others."""
    start = max(position - 80, 0)
    return content.read(start, position - start)


def _key(path: str) -> tuple[int, int] | None:
    try:
        found = storage.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
