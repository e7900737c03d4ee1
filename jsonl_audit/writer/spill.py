"""Spill logs: events are held in another place, and brought in, in their order, when the log can be written again.

A spill log is a chained log as any other. It begins with an ``audit.held`` record, which says of which log it holds
events and since when; where a write to that log had failed, and it is not known what came of it, an
``audit.attempted`` record before the events says which records they may be there already. An event that is brought in
keeps its id, gets the time when it was held where it has none of its own, and a member ``held`` that says where it
was: by that, whoever goes on after a crash knows how far its predecessor came. Since the segments that show it may be
purged, an ``audit.brought-in`` record in the spill log says it too, behind each part.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import orjson

from jsonl_audit import record
from jsonl_audit.errors import AuditError, EventTooLargeError, StorageError, SyncError
from jsonl_audit.record import Body
from jsonl_audit.segment import Names
from jsonl_audit.writer import spillplace
from jsonl_audit.writer.appender import Appender
from jsonl_audit.writer.chain import Receipt, SpilledReceipt
from jsonl_audit.writer.pending import Pending, Reads
from jsonl_audit.writer.settings import Settings
from jsonl_audit.writer.untold import Untold

__all__ = ["HELD_ROOM", "Spill", "SpillUnreadableError"]

HELD_ROOM = 192
"""Bytes of a line that `time` and `held` take."""
NOTED = "audit.brought-in"
CHUNK = 512
CHUNK_BYTES = 1 << 20
_ENGINES = ("seq", "ts", "id", "type", "clock", "batch", "prev", "hash")


class SpillUnreadableError(StorageError):
    """A spill log cannot be read."""


class Spill:
    """One spill log, open: events that this process holds, or took over from one that is no more."""

    def __init__(self, path: str, settings: Settings, reads: Reads, *, taken_over: bool = False) -> None:
        """Raises LockedError for one that a living process holds; LogError, StorageError."""
        kept = Settings(None, settings.fsync, settings.sync_interval, 0.0, 0o600)
        self.log = Appender(Names.of(path), kept)
        self.path = path
        self.held = 0
        """How many events it holds that are not in the log; where it was taken over, of those it was found to hold."""
        self.missing = 0
        """How many of its records cannot be read any more."""
        self.id = ""
        self.cause = ""
        self.seq = 1
        """All up to here are in the log."""
        self._reads = reads
        self._errno: int | None = None
        self._said = taken_over
        self.more = False
        """Whether there was more to bring in than one step does."""
        self._known = not taken_over
        self._segment = self.log.known_segment
        self._brought_in: set[tuple[int, str, str]] | None = None
        """What is in the log, where seqs alone do not tell: a failed sync of the spill log had them given again."""
        self._telling: Pending | None = None
        self._behind = "", 0
        self._after_all = 0
        self._unsure: tuple[Pending, int] | None = None
        self._chunk: Pending | None = None
        self._chunk_seq = 0
        self.count = 0
        """How many events were brought in."""
        self.since = ""
        """When the first of them was held."""
        self._untold = Untold()
        self._head, self._after = "", 0  # of the last record that was brought in: its hash here, its seq there

    # -- holding

    @property
    def worn(self) -> bool:
        """Whether nothing more is to be held here: a sync failed, or a write stopped in the middle."""
        return self.log.sync_failed or self.log.known_segment != self._segment

    def hold(self, pending: Pending, error: AuditError, main: Appender) -> list[Receipt]:
        """Holds what is not recorded of a call. Returns the receipts of all of it. Raises StorageError, LogError."""
        groups: list[list[Body]] = []
        if not self._said:
            self.cause, self._errno = error.message, error.errno
            said = {
                "path": os.fsencode(main.names.path).decode("utf-8", "backslashreplace"),
                "log": main.known_log,
                "after": main.sure_seq,
                "cause": error.message,
                "errno": error.errno,
                "pid": os.getpid(),
            }
            groups.append([record.control("audit.held", said)])
        if pending.attempted:
            said = {"records": [list(receipt) for receipt in pending.attempted]}
            groups.append([record.control("audit.attempted", said)])
        extra = len(groups)
        self._after_all = self.settle()
        held = Pending([*groups, *pending.rest()])
        try:
            receipts = held.commit(self.log)
            self._known = self._known and not self.worn
        except AuditError:
            self._known = self._known and not self.worn
            done = len(held.receipts)
            self._said = self._said or done > 0
            self.held += max(0, done - extra)
            if held.attempted:
                self._unsure = held, max(extra, done)
            raise
        self._said = True
        self.held += len(receipts) - extra
        return pending.of_all(SpilledReceipt(*receipt) for receipt in receipts[extra:])

    def settle(self) -> int:
        """Finds out what came of a write to the spill log that failed: so many events it holds all the same.

        Raises StorageError, LogError.
        """
        found = self._after_all
        if self._unsure is not None:
            pending, known = self._unsure
            pending.settle(self.log)
            now = max(0, len(pending.receipts) - known)
            self.held += now
            found += now
            self._unsure = None
        self._after_all = 0
        return found

    # -- bringing in

    def bring_in(self, main: Appender) -> bool:
        """Brings some of the events in; True when all are in and the log says so. Raises AuditError, OSError."""
        if not self._known:
            self._look_what_is_in(main)
            self._known = True
        if self._telling is not None:
            self._tell(main)
        if self._chunk is None:
            self._next(main)
        if self._chunk is None:
            self._miss(self.log.known_seq - self.seq)
            self.seq = max(self.seq, self.log.known_seq)
            if self._brought_in:  # what it does not hold any more had been brought in before
                self._untold.missing -= len(self._brought_in)
                self._brought_in.clear()
            if self._untold.count or self._untold.missing > 0:
                self._telling = Pending([[record.control("audit.spilled", self._details())]])
                self._tell(main)
            return True
        try:
            receipts = self._for_sure(self._chunk, main)
        except EventTooLargeError:  # a batch that its marks took past the limit
            self._chunk.split()
            self._untold.split = True
            return False
        self._seen(receipts)
        self.seq, self._chunk = self._chunk_seq, None
        self._note_how_far(main)
        return False

    def _note_how_far(self, main: Appender) -> None:
        """Says in the spill log itself how far it is brought in: the segments that show it may be purged."""
        said = {
            "log": main.known_log,
            "after": self._after,
            "through": self.seq,
            "head": self._head,
            "untold": asdict(self._untold),
        }
        self._known = False
        with contextlib.suppress(AuditError, OSError):  # then it is looked for in the log
            self.log.append(record.control(NOTED, said))
            self._known = not self.worn

    def _for_sure(self, pending: Pending, main: Appender) -> list[Receipt]:
        self._known = False  # what an interrupt leaves behind has to be looked for in the log
        try:
            receipts = pending.commit_for_sure(main, self._reads)
        except AuditError:
            self._known = True
            raise
        self._known = True
        return receipts

    def _tell(self, main: Appender) -> None:
        assert self._telling is not None
        self._for_sure(self._telling, main)
        self._telling = None
        self._untold = Untold()

    def _miss(self, count: int) -> None:
        if count > 0:
            self.missing += count
            self._untold.missing += count

    def _seen(self, receipts: list[Receipt]) -> None:
        if receipts:
            self._untold.came(receipts[0].seq, receipts[-1].seq, len(receipts))
            self._after = receipts[-1].seq
        self.count += len(receipts)
        self.held = max(0, self.held - len(receipts))

    def _next(self, main: Appender) -> None:
        """Reads the next events, whole batches, into the chunk; leaves it None where there are none."""
        groups: list[list[Body]] = []
        size, seq = 0, self.seq
        maybe: list[Receipt] = []
        there: set[str] = set()
        self.more = False
        for found in self._read(self.seq):
            self._miss(found["seq"] - seq - 1)
            batch = found.get("batch")
            if (len(groups) >= CHUNK or size >= CHUNK_BYTES) and not maybe and (batch is None or batch[0] == 1):
                self.more = True
                break
            seq = found["seq"]
            if found["type"] == NOTED:
                continue
            self._head = found["hash"]
            if found["type"].startswith("audit."):
                if found["type"] == "audit.attempted":
                    maybe = [Receipt(*each) for each in found["details"]["records"]]
                    there = set(main.recorded(maybe))
                elif found["type"] == "audit.held":
                    self._about(found)
                elif found["type"] == "audit.segment":
                    self.id = found["details"]["log"]
                    first, last = found["details"].get("lost", (1, 0))  # a sync of the spill log itself had failed
                    self._miss(last - first + 1)
                continue
            if not self.id:
                self._read_about()
            self.since = self.since or found["ts"]
            self._untold.held(found["ts"])
            if self._brought_in is not None and _key(found) in self._brought_in:
                self._brought_in.remove(_key(found))
                continue
            if maybe and maybe.pop(0).hash in there:  # the write that had failed had done it
                self.held = max(0, self.held - 1)
                continue
            body = self._brought(found)
            size += len(body.members)
            if batch is not None and batch[0] > 1:
                groups[-1].append(body)
            else:
                groups.append([body])
        if groups:
            self._chunk, self._chunk_seq = Pending(groups), seq
        else:
            self.seq = seq

    def _read(self, after: int, text: str | None = None) -> Iterator[dict[str, Any]]:
        try:
            for line in self._reads(self.path, after, text):
                if record.own_hash_right(line):
                    yield record.decode(line)
        except (AuditError, OSError) as error:
            raise SpillUnreadableError(
                f"the events that are held cannot be read: {error}", path=self.path, errno=getattr(error, "errno", None)
            ) from error

    def _brought(self, found: dict[str, Any]) -> Body:
        """The event as it will stand in the log."""
        members = {name: value for name, value in found.items() if name not in _ENGINES}
        time = members.get("time")
        if time is None:
            time = found["ts"]
            members = {"time": time, **members}
        name = "held"
        while name in members:
            name += "~"
        members[name] = {"log": self.id, "seq": found["seq"], "ts": found["ts"]}
        return Body(found["type"].encode(), b"," + orjson.dumps(members)[1:-1], found["id"].encode(), time)

    def _details(self) -> dict[str, Any]:
        head = self._head or self.log.last.hash
        details = {"log": self.id, **self._untold.details(), "head": head, "cause": self.cause}
        if self._errno is not None:
            details["errno"] = self._errno
        return details

    # -- after another process, or after an interrupt

    def _about(self, found: dict[str, Any]) -> None:
        details = found["details"]
        self.cause, self._errno = details["cause"], details["errno"]
        self._behind = details["log"], details["after"]

    def _read_about(self) -> bool:
        """Reads the beginning; whether anything was ever held here."""
        for found in self._read(0):
            if found["type"] == "audit.segment":
                self.id = found["details"]["log"]
                continue
            if found["type"] == "audit.held":
                self._about(found)
            return True
        return False

    def _look_what_is_in(self, main: Appender) -> None:
        """Finds out, in the log itself, how far bringing in came before it was interrupted."""
        self._chunk = self._telling = None
        self.seq, self.missing, self._head = 1, 0, ""
        self._untold = Untold()
        if not self._read_about():
            return
        main.last  # noqa: B018 - whatever a failed write left there is judged before it is read
        log, after = self._behind
        renumbered = any("lost" in found["details"] for found in self._read(0, '"lost":[') if _is_header(found))
        self._brought_in = set() if renumbered else None
        told, last = 0, 1
        noted = None if renumbered else self._noted(main.known_log)
        if noted is not None:
            log, after, last, self._head = (noted[name] for name in ("log", "after", "through", "head"))
            self._untold = Untold(**noted["untold"])
        for line in self._reads(main.names.path, after if log == main.known_log else 0, self.id):
            found = record.decode(line)
            if found["type"] == "audit.spilled" and found["details"].get("log") == self.id:
                self._untold = Untold()
                told += found["details"].get("missing", 0)
            marks = _marks(found, self.id)
            if marks is not None:
                last, self._head = max(last, marks["seq"]), ""
                if self._brought_in is not None:
                    self._brought_in.add((marks["seq"], marks["ts"], found["id"]))
                self._untold.held(marks["ts"])
                self._untold.came(found["seq"], found["seq"], 1)
        self._untold.missing -= told
        self._after = max(after, self._untold.last_seq)
        self.seq = 1 if renumbered else last

    def _noted(self, log: str) -> dict[str, Any] | None:
        """What the spill log says last of how far it is brought in to this log."""
        noted = None
        for found in self._read(0, f'"{NOTED}"'):
            if found["type"] == NOTED and found["details"]["log"] == log:
                noted = found["details"]
        return noted

    def end(self) -> None:
        """Removes the spill log, all of which is in the log; keeps it, under another name, if some cannot be read.

        Raises OSError; then it is removed with the next one that is left behind.
        """
        names = self.log.names
        try:
            if self.missing:
                spillplace.put_aside(names)
            else:
                spillplace.remove(names)
        finally:
            self.log.abandon()

    def close(self) -> None:
        """Leaves what is held to whoever opens the log next."""
        with contextlib.suppress(SyncError):  # all that is held was synced as its mode says
            self.log.close()


def _is_header(found: dict[str, Any]) -> bool:
    return bool(found["type"] == "audit.segment")


def _key(found: dict[str, Any]) -> tuple[int, str, str]:
    return found["seq"], found["ts"], found["id"]


def _marks(found: dict[str, Any], log: str) -> dict[str, Any] | None:
    """Where a record was held, if that was in the spill log with the id `log`."""
    name = "held"
    while name in found:
        marks = found[name]
        if type(marks) is dict and marks.get("log") == log and type(marks.get("seq")) is int:
            return marks
        name += "~"
    return None
