"""The active segment as the one who writes it knows it: where the chain is, and what sealing must say of it."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any, NamedTuple

from blake3 import blake3

from jsonl_audit import instants, record, storage
from jsonl_audit.references import BEGINS
from jsonl_audit.scan import WINDOW, Link, Walk
from jsonl_audit.segment import Floor, Header, Names, Previous
from jsonl_audit.writer.chain import Receipt
from jsonl_audit.writer.notes import Notes

__all__ = ["Active"]

_LAST = "99999999T999999999999Z"
DIGEST_BLOCK = 256 * 1024
"""Lines are hashed for the segment's digest in blocks of this size: far quicker than one by one."""


class Span(NamedTuple):
    """Lines that another process wrote, not verified yet: bytes of the file behind the record with hash `prev`."""

    offset: int
    size: int
    prev: str


class Active:
    """An open active segment.

    A segment that this writer began is digested as it is written. One that it reopened has to be walked before it can
    be sealed: the digest is never of bytes read back unchecked. `catch_up` does that in slices.
    """

    __slots__ = (
        "_lines", "block", "changed", "damage", "damaged", "due", "fd", "first_seq", "floor", "hasher", "head", "high",
        "key", "log", "lost", "low", "own", "pending", "pending_bytes", "refers", "segment", "seq", "settings", "size",
        "successor", "synced", "synced_head", "timed", "ts", "us", "walk",
    )  # fmt: skip

    def __init__(self, fd: int, header: Header, link: Link, size: int, floor: Floor | None) -> None:
        self.fd = fd
        found = storage.stat(fd)
        self.key = (found.st_dev, found.st_ino)
        self.log = header.log
        self.segment = header.segment
        self.first_seq = header.seq
        self.seq, self.head, self.ts = link
        if not instants.is_instant(link.ts):  # a right hash over a day that does not exist: the verifier names it
            self.ts = header.ts
        self.us = instants.micros(self.ts)
        self.size = size
        self.floor = floor
        self.settings = header.settings
        """The newest that are known: the next header repeats them."""
        self.changed: dict[str, Any] | None = None
        """Those of them that a record of this segment, behind its header, told."""
        self.due = header.lost
        """First and last seq of acknowledged records that the segments before lost, and that its first record tells."""
        self.lost = header.lost if link.seq == header.seq else None
        """The same; None once that record is there."""
        self.own = 0
        """How many records of the engine's stand right behind the header, written by this writer."""
        self.successor: Any = None
        """What its sealing, of which a step failed, is to end with."""
        self.synced = 0
        self.synced_head = ""
        self.low = self.high = header.ts
        self.hasher: Any = None
        self.pending: list[bytes | Span] = []
        self.pending_bytes = 0
        self.block = DIGEST_BLOCK
        """So many bytes are left pending."""
        self._lines = blake3()
        self.walk: Walk | None = self.new_walk()
        self.damage: list[dict[str, Any]] = []
        self.damaged = 0
        self.timed: int | None = None  # records with a time of their own, where they were counted
        self.refers = False  # whether any record refers to an artifact, as far as they are digested

    def close(self) -> None:
        """Gives the descriptor back. It is forgotten first: a commit that an interrupt or a fork cut in two must not
        write to the file that has its number next."""
        try:
            fd, self.fd = self.fd, -1
            if fd >= 0:
                storage.close(fd)
        except OSError:  # it is gone all the same; what counts as being on the disk was synced before
            pass

    @property
    def link(self) -> Link:
        """The last record."""
        return Link(self.seq, self.head, self.ts)

    @property
    def has_records(self) -> bool:
        """Whether anything stands in it but the header, and what the engine has to say right behind that."""
        return self.seq > self.first_seq + self.own

    def purged(self, floor: Floor | None) -> None:
        """Says how far a record of the segment, or the mark, says that the log was purged. It never goes back."""
        if floor is not None and (self.floor is None or self.floor.segment < floor.segment):
            self.floor = floor

    def tells(self, settings: dict[str, Any] | None) -> None:
        """Says that the newest settings, as the segment tells them, are these; None where it tells none."""
        if settings is not None and settings != self.settings:
            self.settings = self.changed = settings

    def new_walk(self) -> Walk:
        """A walk from the segment's start, for its digest."""
        return Walk(strict=False, known=self.size, digest=True, times=True)

    def walk_anew(self) -> None:
        """Says that the segment has to be walked from its start."""
        self.walk, self.pending, self.pending_bytes = self.new_walk(), [], 0

    def began(self, line: bytes) -> None:
        """Says that this writer wrote the header `line`: nothing of the segment needs to be walked."""
        self.walk = None
        self.hasher = blake3(line)
        self.timed = 0

    def walked(self, walk: Walk) -> None:
        """Takes over from a walk that has come to the end of what is committed."""
        self.hasher = walk.hasher()
        self.purged(walk.floor)
        self.tells(walk.settings)
        if walk.time is not None:
            self.low, self.high = walk.time
            self.timed = walk.timed
        self.refers = walk.refers
        self.damaged = walk.damaged
        self.damage = [damage_entry(place.offset, place.bytes, place.kind) for place in walk.damage[:16]]
        self.walk = None  # last: an interrupt before has it done again

    def others_wrote(self, size: int, last: Link) -> None:
        """Says that another process put lines of so many bytes behind the last one; `last` is the link of the last.

        They are verified when they are taken into the digest.
        """
        us = instants.micros(last.ts)
        if self.walk is None:
            self.pending.append(Span(self.size, size, self.head))
            self.pending_bytes += size
        self.seq, self.head, self.ts, self.us = *last, us
        self.size, self.lost = self.size + size, None

    def wrote(self, lines: bytes, last: Receipt, us: int, times: Sequence[str] | None = None) -> None:
        """Says that `lines`, which end with the record of the receipt `last`, stand in the file now.

        `us` is that record's ts in microseconds, `times` are the records' own times where they have one.
        """
        seq, ts, _, head = last
        size, timed, low, high = len(lines), self.timed, self.low, self.high
        if times:
            timed = None if timed is None else timed + len(times)
            low, high = min(low, *times), max(high, *times)
        # No call among these: an interrupt (Ctrl-C) comes behind a call, and half of this would be no state.
        self.seq, self.ts, self.head, self.us = seq, ts, head, us
        self.size, self.timed, self.low, self.high = self.size + size, timed, low, high
        if self.walk is None:
            self.pending.append(lines)
            self.pending_bytes += size
            if self.pending_bytes >= self.block:
                self.digest_pending()

    def digest_pending(self, budget: int | None = None) -> None:
        """Takes what was written since the last time into the digest; of what others wrote, `budget` bytes or all.

        That is verified first; where it does not verify, the whole segment is walked, which says where. Raises OSError
        where it cannot be read.
        """
        if not self.pending:
            return
        hasher = self.hasher.copy()  # an interrupt must not leave lines that are taken in and still pending
        pending = list(self.pending)
        lines: list[bytes] = []
        pending.reverse()
        while pending:
            part = pending.pop()
            if isinstance(part, Span):
                self._take(hasher, b"".join(lines))
                lines.clear()
                rest = self._verify(part, hasher, budget)
                if rest is None:
                    self.walk_anew()
                    return
                if rest.size:
                    pending.append(rest)
                    break
                budget = None if budget is None else max(0, budget - part.size)
            else:
                lines.append(part)
        self._take(hasher, b"".join(lines))
        pending.reverse()
        self.hasher, self.pending = hasher, pending
        self.pending_bytes = sum(part.size if isinstance(part, Span) else len(part) for part in pending)

    def _take(self, hasher: Any, data: bytes) -> None:
        """Takes whole lines into a digest."""
        hasher.update(data)
        self.refers = self.refers or BEGINS in data

    def _verify(self, span: Span, hasher: Any, budget: int | None) -> Span | None:
        """Takes lines of a span into the digest, at most `budget` bytes; what is left of it, None if a line is wrong.

        Every line has to have its own hash right and to go on from the one before.
        """
        offset, size, prev = span
        stop = offset + size if budget is None else min(offset + size, offset + budget)
        end = offset + size
        window = WINDOW
        while offset < stop:
            data = storage.read(self.fd, offset, min(window, end - offset))
            data = data[: data.rfind(b"\n") + 1]
            if not data:  # a long line, or the file was cut
                if window > record.HARD_LIMIT:
                    return None
                window *= 16
                continue
            last = self._last_of(data, prev)
            if last is None:
                return None
            prev = last
            self._take(hasher, data)
            offset += len(data)
        return Span(offset, end - offset, prev)

    def _last_of(self, data: bytes, prev: str) -> str | None:
        """The hash of the last of some lines, each of which goes on from the one before; None if one does not."""
        own_times = b',"time":"' in data
        if own_times or b'"type":"audit.' in data:
            self._learn(data, prev, own_times)
        last, hasher = prev.encode(), self._lines
        for line in data.splitlines(True):  # a carriage return in a line is wrong in itself
            hasher.reset()
            own = hasher.update(line[:-76]).hexdigest().encode()
            if line[-141:] != b'%b","hash":"%b"}\n' % (last, own):
                return None
            last = own
        return last.decode()

    def _learn(self, data: bytes, prev: str, own_times: bool) -> None:
        """What lines of others say that the next header repeats: their own times, and purges."""
        walk = Walk(link=Link(record.seq_of(data) - 1, prev, ""), strict=False, times=own_times)
        walk.feed(data)
        walk.finish()
        self.purged(walk.floor)
        if own_times and walk.time is not None:
            self.timed = None if self.timed is None else self.timed + walk.timed
            self.low, self.high = min(self.low, walk.time[0]), max(self.high, walk.time[1])

    def catch_up(self, budget: int | None = None) -> bool:
        """Walks on through a reopened segment, at most `budget` bytes (None: to its end); True when all is walked.

        What the walk finds wrong is kept for the next header. Raises OSError where the file cannot be read.
        """
        self.digest_pending()
        walk = self.walk
        if walk is None:
            return True
        self.follow(walk, budget)
        if walk.pos < self.size:
            return False
        low, high = self.low, self.high
        self.walked(walk)
        self.low, self.high = min(low, self.low), max(high, self.high)
        return True

    def follow(self, walk: Walk, budget: int | None = None) -> None:
        """Walks on without coming to an end: others append to the segment too. Raises OSError."""
        end = self.size if budget is None else min(self.size, walk.pos + budget)
        while walk.pos < end and (data := storage.read(self.fd, walk.pos, min(WINDOW, end - walk.pos))):
            try:
                walk.feed(data)
            except BaseException:  # interrupted: nobody knows which of the lines it has seen
                self.walk_anew()
                raise

    def walk_on(self, budget: int, notes: Notes) -> bool:
        """`catch_up` beside a commit, which it never fails; True if that came to its end and found damage."""
        try:
            done = self.catch_up(budget)
        except OSError as error:
            notes.add(f"the reopened segment cannot be read, and is not sealed for now: {error.strerror}")
            return False
        if done and self.damaged:
            notes.add("the reopened segment is damaged; the next one lists where")
        return done and self.damaged > 0

    def previous(self, names: Names, now: int) -> Previous:
        """What the next header says of this segment, once all of it is walked."""
        self.digest_pending()
        return Previous(
            name=sealed_name(names, now),
            first_seq=self.first_seq,
            last_seq=self.seq,
            bytes=self.size,
            blake3=self.hasher.hexdigest(),
            time=(min(self.low, self.ts), max(self.high, self.ts)),
            damage=tuple(self.damage),
            damaged=self.damaged,
            timed=self.timed,
            artifacts=self.refers,
        )


def both(lost: tuple[int, int] | None, more: tuple[int, int] | None) -> tuple[int, int] | None:
    """The range of what was lost twice, of which either may be None.

    >>> both((7, 7), (8, 15)), both(None, (2, 3)), both(None, None)
    ((7, 15), (2, 3), None)
    """
    ranges = [each for each in (lost, more) if each is not None]
    return (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None


def damage_entry(offset: int, size: int, kind: str) -> dict[str, Any]:
    """A place of damage, as a header lists it."""
    return {"offset": offset, "bytes": size, "kind": kind}


def sealed_name(names: Names, now: int) -> str:
    """A name for a segment sealed at `now` (microseconds): later than every sealed name that is here.

    Two within one microsecond, or a clock gone back, still get names that are free and in order: the newest one's
    digits are counted up by one.
    """
    stamps = (names.stamp_of(name) for name in storage.list_directory(names.directory))
    newest = max(filter(None, stamps), default="")
    stamp = instants.stamp(now)
    if newest >= _LAST:
        named = ", ".join(name for name in storage.list_directory(names.directory) if names.stamp_of(name) == newest)
        raise FileExistsError(
            errno.EEXIST, "no later name than this one's is left for a sealed segment; move it away", named
        )
    if newest >= stamp:
        digits = f"{int(newest[:8] + newest[9:-1]) + 1:020d}"
        stamp = f"{digits[:8]}T{digits[8:]}Z"
    return names.sealed(stamp)
