"""What a log is owed after trouble: events that are held elsewhere, and records of what was lost or delayed."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson

from jsonl_audit import record
from jsonl_audit.errors import AuditError, LockedError, LogError, StorageError
from jsonl_audit.writer import spillplace
from jsonl_audit.writer.appender import Appender
from jsonl_audit.writer.chain import Receipt
from jsonl_audit.writer.pending import Pending, Reads
from jsonl_audit.writer.spill import Spill, SpillUnreadableError
from jsonl_audit.writer.spillplace import SpillPlace
from jsonl_audit.writer.tally import Tally
from jsonl_audit.writer.transient import is_transient

__all__ = ["Arrears"]

GIVE_UP = 5
"""So many times in a row a spill log may not be readable: then it is left for the next who opens the log."""

NAMES = 5
"""So many names are tried for a new spill log."""


class Arrears:
    """The arrears of one open log. One thread at a time, which its callers see to."""

    def __init__(self, appender: Appender, place: SpillPlace | None, reads: Reads) -> None:
        self.dropped = Tally("audit.lost", "dropped")
        self.unspilled = Tally("audit.lost", "not-spilled")
        self.left_out = Tally("audit.lost", "shed")
        self.shedding = False
        """More is being left out: it is told when that is over."""
        self.timed_out = Tally("audit.lost", "timed-out")
        self.delayed = Tally("audit.delayed", "waited")
        self.doubt: Pending | None = None
        """Dropped events of which some may be recorded after all."""
        self._appender = appender
        self._place = place
        self._reads = reads
        self._spills: list[Spill] = []
        """The spill logs that are not brought in, in their order; only the last can be this process's own."""
        self._own: Spill | None = None
        self._left: list[str] = []
        """Spill logs that others left behind, by path: one after the other is opened, before this process's own."""
        self._unreadable = 0
        self._telling: tuple[Tally, dict[str, Any], Pending] | None = None

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """What is counted, in the order in which it is told."""
        all_of_them = (self.dropped, self.unspilled, self.left_out, self.timed_out, self.delayed)
        return tuple(tally for tally in all_of_them if not (self.shedding and tally is self.left_out))

    @property
    def lost(self) -> int:
        """How many events never came into the log."""
        return self.dropped.total + self.unspilled.total + self.left_out.total + self.timed_out.total

    @property
    def holds(self) -> bool:
        """Whether events are held elsewhere."""
        return bool(self._spills or self._left)

    @property
    def held(self) -> int:
        """How many events are held, as far as that is known."""
        return sum(spill.held for spill in self._spills)

    @property
    def more(self) -> bool:
        """Whether the next step will not be the last of bringing in."""
        return bool(self._left) or len(self._spills) > 1 or any(spill.more for spill in self._spills)

    def forget(self) -> None:
        """In a forked child: all of it is the parent's."""
        self._spills, self._left, self._own, self._telling, self.doubt = [], [], None, None, None
        self.shedding = False
        for tally in self.tallies:
            tally.forget()

    # -- holding

    def hold(self, pending: Pending, error: AuditError) -> list[Receipt]:
        """Holds the events of a call that are not recorded. Returns the receipts of all of them.

        Raises StorageError where that cannot be done either; they are counted then.
        """
        try:
            if self._own is None or self._own.worn:
                self._own = self._new()
                self._spills.append(self._own)
            return self._own.hold(pending, error, self._appender)
        except (LogError, OSError) as worse:
            why = worse.message if isinstance(worse, AuditError) else str(worse)
            lost = StorageError(
                f"the event could be written neither to the log ({error.message}) nor to its spill log ({why})",
                path=self._appender.names.path,
                errno=getattr(worse, "errno", None),
            )
            self.unspilled.add(pending.left, lost.message, lost.errno)
            raise lost from worse

    def _new(self) -> Spill:
        assert self._place is not None
        refused: Exception | None = None
        for _ in range(NAMES):
            path = self._place.new()
            try:
                return Spill(path, self._appender.settings, self._reads)
            except LockedError as error:  # another process took it for one that was left behind
                refused = error
            except (LogError, OSError):
                spillplace.remove_if_empty(path)  # else each event that finds no place leaves a file
                raise
        assert refused is not None
        raise refused

    def sync_held(self) -> None:
        """Returns when what is held is on disk. Raises SyncError, StorageError."""
        for spill in self._spills:
            spill.log.flush()

    def take_over(self) -> bool:
        """Looks for spill logs whose process is no more; whether there may be any."""
        if self._place is not None:
            try:
                self._left = self._place.left()
            except (AuditError, OSError) as error:
                self._note(f"whether events are held elsewhere cannot be seen: {error}")
        return self.holds

    def _open_next(self) -> None:
        """Opens the next of the spill logs that were left behind, if its process is no more."""
        path = self._left.pop(0)
        try:
            if spillplace.remove_if_empty(path):
                return
            spill = Spill(path, self._appender.settings, self._reads, taken_over=True)
        except LockedError:  # its process lives
            return
        except (AuditError, OSError) as error:
            self._note(f"what may be held in {path} cannot be read, and is left there: {error}")
            return
        self._spills.insert(0, spill)

    # -- setting things right

    def step(self) -> bool:
        """One step of setting things right; True when all is. Raises AuditError, OSError for what stands in the way."""
        if self.doubt is not None:
            left = self.doubt.left
            self.doubt.settle(self._appender)
            self.dropped.less(left - self.doubt.left)
            self.doubt = None
        if self._own is not None:
            with contextlib.suppress(LogError, OSError):  # only a count hangs on it
                self.unspilled.less(self._own.settle())
        while self._left and (not self._spills or self._spills[0] is self._own):
            self._open_next()
        if self._spills:
            self._bring_in(self._spills[0])
            return False
        while self._telling is not None or any(tally.count for tally in self.tallies):
            self._tell()
        return True

    def _bring_in(self, spill: Spill) -> None:
        try:
            if not spill.bring_in(self._appender):
                return
        except SpillUnreadableError as error:
            self._unreadable += 1
            if is_transient(error) or self._unreadable < GIVE_UP:
                raise
            self._note(f"what is held there is left there for now: {error}")
            end = spill.close
        else:
            if spill.count:
                self._note(f"{spill.count} events that had been held since {spill.since} were brought in")
            if spill.missing:
                self._note(f"{spill.missing} records of {spill.path} cannot be read any more; it is kept")
            end = spill.end
        self._unreadable = 0
        self._spills.remove(spill)  # before it is closed: an interrupt may come between the two
        if spill is self._own:
            self._own = None
        with contextlib.suppress(OSError):  # it is looked at again, and removed, when the log is opened next
            end()

    def _tell(self) -> None:
        if self._telling is not None:
            tally, details, pending = self._telling
            pending.settle(self._appender)
            if pending.left:  # nothing of it stands in the log: more may be told by now
                self._telling = None
                tally.give_back(details)
        if self._telling is None:
            tally = next(tally for tally in self.tallies if tally.count)
            details = tally.take()
            self._telling = tally, details, Pending([[record.control(tally.kind, details)]])
        self._telling[2].commit_for_sure(self._appender, self._reads)
        self._telling = None

    def end(self) -> None:
        """Leaves what is held to the next who opens the log, and says what could not be told."""
        self.shedding = False
        for spill in self._spills:
            self._note(f"events are still held in {spill.path}; they are brought in when the log is opened next")
            spill.close()
        untold = [(tally.kind, tally.take()) for tally in self.tallies if tally.count]
        if self._telling is not None:
            untold.insert(0, (self._telling[0].kind, self._telling[1]))
        for kind, details in untold:
            self._note(f"could not be told in the log: {kind} {orjson.dumps(details).decode()}")
        self._spills, self._left, self._own = [], [], None

    def _note(self, note: str) -> None:
        self._appender.notes.add(note)
