"""Who takes part in a soak: writers of every kind, a reader, a follower, a verifier, each a process of its own.

Each keeps on until it is told to end (SIGTERM), until it is killed, or until something is there that may not be: then
it ends with a traceback, and the soak with it. One that makes no step for `PATIENCE` seconds is ended by its alarm.
What each of them did is counted in memory that all share, so that a killed process takes no figure with it.
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import random
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from disk import Disk
from sharers import PATIENCE, Promises, start

from jsonl_audit import (
    AuditLog,
    LockedError,
    Notice,
    QueryError,
    Receipt,
    StorageError,
    follow,
    get,
    query,
    storage,
    tail,
    verify,
)
from jsonl_audit.handlers import AuditHandler

__all__ = ["FOLLOWED", "HEAD", "RESTED", "ROUND", "THREADS", "Counts", "Place", "Plan", "follower", "reader", "steady",
           "verifier", "writer"]  # fmt: skip

THREADS = 3
"""Threads of a writer at most."""
NAMES = (
    "attempted", "acknowledged", "held", "logged", "refused for want of space", "refused for the lock",
    "interrupted", "opened", "kept out", "not opened for want of space", "sealed by hand", "purged by hand",
    "verifications", "torn ends seen", "reads", "followed", "followed again from a cursor",
    "purged before they were followed",
)  # fmt: skip
ROUND, RESTED, FOLLOWED, HEAD, _SIGNALS = range(5)
"""Cells for what the processes have to tell each other: the round that goes on (0: none), the last one that the steady
writer is done with, the seq of the last record that was followed, and the first half of its hash."""


class Counts:
    """Numbers in memory that this process shares with its children. Each lane is counted up by one thread."""

    def __init__(self, lanes: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, 8 * (_SIGNALS + lanes * len(NAMES)))).cast("Q")
        self._lanes = lanes

    def add(self, lane: int, name: str, count: int = 1) -> None:
        self._cells[_SIGNALS + lane * len(NAMES) + NAMES.index(name)] += count

    def total(self, name: str) -> int:
        return sum(self._cells[_SIGNALS + NAMES.index(name) :: len(NAMES)])

    def totals(self) -> dict[str, int]:
        return {name: self.total(name) for name in NAMES}

    def __getitem__(self, signal_cell: int) -> int:
        return self._cells[signal_cell]

    def __setitem__(self, signal_cell: int, value: int) -> None:
        self._cells[signal_cell] = value


@dataclass(frozen=True)
class Place:
    """Where a soak takes place: the log on a small disk, all else outside of it."""

    disk: Disk
    outside: Path
    counts: Counts

    @property
    def promises(self) -> Path:
        return self.outside / "promises"

    @property
    def spill(self) -> Path:
        return self.outside / "spill"

    @property
    def archive(self) -> Path:
        """Copies of the segments that were purged."""
        return self.outside / "archive"

    @property
    def wrong(self) -> Path:
        """What the processes found that may not be, one file for each."""
        return self.outside / "wrong"

    def keep_what_is_purged(self, path: str) -> None:
        """Before a file of the log goes: all that was ever in the log is judged at the end of a round."""
        where = Path(path)
        if where.parent == self.disk.folder and where.suffix == ".jsonl" and where != self.disk.path:
            copy = self.archive / f"{os.getpid()}.tmp"
            shutil.copyfile(where, copy)
            copy.rename(self.archive / where.name)


@dataclass(frozen=True)
class Plan:
    """How one writer writes."""

    shared: bool
    fsync: str
    on_error: str
    max_bytes: int
    backup_count: int
    lock_timeout: float
    threads: int = 1
    handler: bool = False

    @classmethod
    def drawn(cls, chance: random.Random, *, shared: bool, size: int) -> Plan:
        """One of all that there are, for a disk of so many bytes."""
        handler = chance.random() < 0.2
        return cls(
            shared=shared,
            fsync=chance.choice(("always", "interval", "never")),
            on_error=chance.choice(("raise", "spill", "block")),
            max_bytes=size // chance.choice((1000, 300, 40, 10)),
            backup_count=chance.choice((1, 3, 5)),
            lock_timeout=chance.choice((0.05, PATIENCE)) if shared else chance.choice((0.0, 0.05, 1.0)),
            threads=1 if handler else chance.choice((1, 1, THREADS)),
            handler=handler,
        )

    def options(self, place: Place) -> dict[str, Any]:
        """Of AuditLog; AuditHandler calls some of them otherwise."""
        names = ("maxBytes", "backupCount") if self.handler else ("max_bytes", "backup_count")
        options = dict(zip(names, (self.max_bytes, self.backup_count), strict=True))
        if self.on_error == "spill":
            options["spill_path"] = place.spill
        return options | {
            "shared": self.shared, "fsync": self.fsync, "sync_interval": 0.02, "on_error": self.on_error,
            "error_timeout": 0.5, "lock_timeout": self.lock_timeout, "space_left": None,
        }  # fmt: skip


class _Own:
    """What one thread of a writer was promised: in a file, before it gives the next event."""

    def __init__(self, place: Place, who: str, lane: int) -> None:
        self.lane = lane
        self.n = 0
        self._who = who
        self._opened = 0
        self._recorded = Promises(place.promises / who)
        self._held = Promises(place.promises / f"{who} held")
        self._counts = place.counts

    @property
    def who(self) -> str:
        """What is promised to keep its order is what one AuditLog was given."""
        return f"{self._who}.{self._opened}"

    def opens(self) -> None:
        """It is given to another AuditLog from here on."""
        self._opened += 1

    def add(self, name: str, count: int = 1) -> None:
        self._counts.add(self.lane, name, count)

    def keep(self, receipts: Sequence[Receipt]) -> None:
        """Those that are recorded; those that are held, or were logged, of which the id is known."""
        for receipt in receipts:
            if receipt.recorded and receipt.hash:
                self._recorded.keep(receipt)
                self.add("acknowledged")
            else:
                self._held.keep(Receipt(receipt.seq, receipt.ts, receipt.id, "held"))
                self.add("held" if receipt.hash else "logged")

    def close(self) -> None:
        self._recorded.close()
        self._held.close()


class _Writer:
    """A process that opens the log, appends, closes it, and begins again."""

    def __init__(
        self, place: Place, plan: Plan, who: str, lane: int, chance: random.Random, over: Callable[[], bool]
    ) -> None:
        self._place = place
        self._plan = plan
        self._over = over
        self._chance = chance
        self._owns = [_Own(place, f"{who}.{thread}", lane + thread) for thread in range(plan.threads)]
        self._armed = False
        signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, *_: object) -> None:
        if self._armed:  # else it hits what is not under test
            self._armed = False
            raise KeyboardInterrupt

    def run(self) -> None:
        while not self._over():
            alive()
            try:
                self._session()
            except KeyboardInterrupt:
                self._owns[0].add("interrupted")
        for own in self._owns:
            own.close()

    def _session(self) -> None:
        plan, own = self._plan, self._owns[0]
        log = self._guarded(own, self._opened)
        if log is None:
            time.sleep(0.005)
            return
        own.add("opened")
        for each in self._owns:
            each.opens()
        over = partial(self._enough, own, own.n + self._chance.randrange(20, 4000 if plan.shared else 400))
        chances = [random.Random(self._chance.random()) for _ in self._owns]
        threads = [
            threading.Thread(target=_or_end, args=(self._place, partial(self._append, log, *each, over)), daemon=True)
            for each in list(zip(self._owns, chances, strict=True))[1:]
        ]
        try:
            for thread in threads:
                thread.start()
            self._append(log, own, chances[0], over)
        finally:
            for thread in threads:
                thread.join(PATIENCE)
                assert not thread.is_alive(), "a thread waits for ever"
            self._guarded(own, log.close)

    def _enough(self, own: _Own, until: int) -> bool:
        return self._over() or own.n >= until

    def _opened(self) -> AuditLog | AuditHandler:
        options = self._plan.options(self._place)
        if self._plan.handler:
            return AuditHandler(self._place.disk.path, **options)
        return AuditLog(self._place.disk.path, **options)

    def _guarded(self, own: _Own, work: Callable[[], Any], count: int = 1) -> Any:
        """What comes of it; None where it was refused, in a way that is documented, or interrupted."""
        try:
            self._armed = own is self._owns[0]
            return work()
        except KeyboardInterrupt:
            own.add("interrupted", count)
        except LockedError:
            own.add("kept out" if work == self._opened else "refused for the lock", count)
        except StorageError as error:
            if isinstance(error.__cause__, KeyboardInterrupt):  # of the thread that committed for this one
                own.add("interrupted", count)
                return None
            if error.errno == errno.ETIMEDOUT:  # it waited for its turn, and gave up
                own.add("refused for the lock", count)
                return None
            if error.errno != errno.ENOSPC:
                raise
            own.add("not opened for want of space" if work == self._opened else "refused for want of space", count)
        finally:
            if own is self._owns[0]:
                self._armed = False
        return None

    def _append(self, log: AuditLog | AuditHandler, own: _Own, chance: random.Random, over: Callable[[], bool]) -> None:
        main = own is self._owns[0]
        while not over():
            if main:
                alive()
                if isinstance(log, AuditLog):
                    self._look_after(log, own, chance)
            if chance.random() < 0.02:
                time.sleep(chance.random() * 0.02)
            self._give(log, own, chance)

    def _look_after(self, log: AuditLog, own: _Own, chance: random.Random) -> None:
        step = chance.random()
        if step < 0.002 and self._guarded(own, log.rotate, 0):
            own.add("sealed by hand")
        elif step < 0.004 and self._guarded(own, partial(log.purge, keep=1, reason="the disk is small"), 0):
            own.add("purged by hand")
        elif step < 0.008:
            self._guarded(own, log.flush, 0)

    def _give(self, log: AuditLog | AuditHandler, own: _Own, chance: random.Random) -> None:
        step = chance.random()
        count = 1 if step < 0.9 or isinstance(log, AuditHandler) else chance.randrange(2, 6)
        numbers = range(own.n, own.n + count)
        own.n += count
        text = "x" * chance.choice((chance.randrange(400), chance.randrange(400), chance.randrange(400), 4000))
        events = [{"type": "t", "who": own.who, "n": n, "text": text} for n in numbers]
        own.add("attempted", count)
        if isinstance(log, AuditHandler):
            receipts = self._guarded(own, partial(_logged, log, events[0], chance))
        elif count > 1:
            give = log.append_many if step < 0.97 else log.append_group
            receipts = self._guarded(own, partial(_done, partial(give, events), own), count)
        else:
            receipts = self._guarded(own, lambda: [log.append(events[0])])
        own.keep(receipts or [])


def _done(give: Callable[[], list[Receipt]], own: _Own) -> list[Receipt]:
    """Also of a call that fails, what it did before counts."""
    try:
        return give()
    except (LockedError, StorageError) as error:
        own.keep(error.done)
        raise


def _logged(handler: AuditHandler, event: dict[str, Any], chance: random.Random) -> list[Receipt]:
    """What is logged is promised by its id, which the call gives: there is no receipt."""
    record = logging.makeLogRecord({"name": "soak", "levelname": "INFO", "msg": "one of many"})
    own_id = f"{chance.getrandbits(128):032x}"
    own_id = "-".join((own_id[:8], own_id[8:12], own_id[12:16], own_id[16:20], own_id[20:]))
    record.__dict__.update({name: value for name, value in event.items() if name != "type"}, id=own_id)
    before = handler.lost
    handler.handleError = lambda _: None  # type: ignore[method-assign]
    handler.handle(record)
    if handler.lost > before:
        error = handler.outlet.log.stats().last_error if handler.outlet.log else "not open"
        assert handler.outlet.mode == "block", f"{handler!r} lost a record: {error}"
        raise StorageError(f"given up: {error}", errno=errno.ENOSPC)
    return [Receipt(0, "", own_id, "")]


def alive() -> None:
    """Says that this process goes on; one that says nothing for long is ended by its alarm."""
    signal.alarm(PATIENCE)


def _or_end(place: Place, work: Callable[[], object]) -> None:
    """Does the work; where it fails the process ends, and what went wrong is kept."""
    try:
        work()
    except BaseException:  # noqa: BLE001 - whatever it is, it may not be
        (place.wrong / str(os.getpid())).write_text(traceback.format_exc())
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _begin(place: Place, work: Callable[[Callable[[], bool]], object]) -> int:
    """A process that does the work until it is told to end, which it can ask; its id."""
    parent = os.getpid()

    def begun() -> None:
        told: list[int] = []
        os.setpgid(0, 0)  # Ctrl-C is for who began this; it ends its children itself
        signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, told_by)
        alive()
        _or_end(place, lambda: work(lambda: bool(told) or os.getppid() != parent))

    told_by = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, told_by)  # until the child can hear it
    try:
        return start(begun)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, told_by)


def writer(place: Place, plan: Plan, who: str, lane: int, seed: float) -> int:
    """A writer that keeps to one plan."""
    return _begin(place, lambda over: _Writer(place, plan, who, lane, random.Random(seed), over).run())


def steady(place: Place, plan: Callable[[int], Plan], lane: int, seed: float) -> int:
    """A writer that lives as long as the soak: in each round by another plan; it is stopped at times, never killed."""

    def work(over: Callable[[], bool]) -> None:
        chance = random.Random(seed)
        while not over():
            alive()
            number = place.counts[ROUND]
            if number and number != place.counts[RESTED]:
                until = partial(_is_another, place, number, over)
                _Writer(place, plan(number), f"{number}.steady", lane, random.Random(chance.random()), until).run()
                place.counts[RESTED] = number
            else:
                time.sleep(0.005)

    return _begin(place, work)


def _is_another(place: Place, number: int, over: Callable[[], bool]) -> bool:
    return place.counts[ROUND] != number or over()


def verifier(place: Place, lane: int) -> int:
    """Verifies again and again; nothing that a living log shows is a finding, but for the torn end of a crash."""

    def work(over: Callable[[], bool]) -> None:
        full = False
        while not over():
            alive()
            full = not full
            report = verify(place.disk.path, full=full, workers=1 if full else None)
            assert report.verdict in ("intact", "torn"), str(report)
            assert {finding.kind for finding in report.findings} <= {"torn-tail"}, str(report)
            assert {note.kind for note in report.notes} <= {
                "documented-torn", "purged-prefix", "unfinished", "clock-clamped",
            }, str(report)  # fmt: skip
            place.counts.add(lane, "verifications")
            place.counts.add(lane, "torn ends seen", report.verdict == "torn")

    return _begin(place, work)


def reader(place: Place, lane: int, seed: float) -> int:
    """Reads forwards, backwards and single records: never a gap, never one twice, never less than before."""

    def work(over: Callable[[], bool]) -> None:
        chance, newest = random.Random(seed), 0
        path = place.disk.path
        while not over():
            alive()
            notices: list[Notice] = []
            found = tail(path, chance.randrange(1, 50), control=True, on_damage=notices.append)
            _linked(found, purged=_only_purged(notices))
            assert found[-1]["seq"] >= newest, f"seq {newest} was there, and now the log ends at {found[-1]['seq']}"
            newest = found[-1]["seq"]
            limit, start_at = chance.choice((5, 500, None)), max(0, newest - chance.choice((3, 100, 3000)))
            some = [*query(path, after=start_at, limit=limit, control=True, on_damage=notices.append)]
            _linked(some, purged=_only_purged(notices))
            backwards = [*query(path, reverse=True, limit=limit or 2000, control=True, on_damage=notices.append)]
            _linked(backwards[::-1], purged=_only_purged(notices))
            one = chance.choice(found)
            for which in (one["seq"], one["id"]):
                again = get(path, which, on_damage=notices.append)
                assert again == one or (again is None and _first_seq(path) > one["seq"]), f"{one} and then {again}"
            place.counts.add(lane, "reads", 5)

    return _begin(place, work)


def _linked(records: list[dict[str, Any]], *, purged: bool) -> None:
    for before, behind in pairwise(records):
        assert (before["seq"] + 1, before["hash"]) == (behind["seq"], behind["prev"]) or purged, (
            f"seq {behind['seq']} does not follow seq {before['seq']}"
        )


def _only_purged(notices: list[Notice]) -> bool:
    """Whether segments were purged while they were read. Nothing else may be told of a living log."""
    assert {notice.kind for notice in notices} <= {"purged"}, [str(notice) for notice in notices]
    return bool(notices)


def _first_seq(path: Path) -> int:
    return next(iter(query(path, control=True, limit=1)))["seq"]


def follower(place: Place, lane: int, seed: float) -> int:
    """Follows from the first record on, and now and then goes on from a cursor, as after a restart of its own."""

    def work(over: Callable[[], bool]) -> None:
        chance, counts, path = random.Random(seed), place.counts, place.disk.path
        seq, head = 0, "0" * 64
        while not over():
            notices: list[Notice] = []
            limit = chance.choice((1000, 10_000))
            try:
                for record in _followed(path, (seq, head), notices, over):
                    gap = record["seq"] - 1 - seq
                    if gap or record["prev"] != head:
                        assert gap > 0, f"seq {record['seq']} came behind seq {seq}"
                        begins = not seq  # with what is here
                        assert begins or _only_purged(notices), f"seq {record['seq']} came behind seq {seq}"
                        counts.add(lane, "purged before they were followed", gap)
                    _only_purged(notices)
                    notices.clear()
                    seq, head = record["seq"], record["hash"]
                    counts.add(lane, "followed")
                    counts[FOLLOWED], counts[HEAD] = seq, int(head[:16], 16)
                    limit -= 1
                    if not limit:
                        counts.add(lane, "followed again from a cursor")
                        break
            except QueryError:  # what stood behind the cursor was purged meanwhile
                first = next(query(path, control=True, limit=1))
                assert first["seq"] > seq + 1
                counts.add(lane, "purged before they were followed", first["seq"] - 1 - seq)
                seq, head = first["seq"] - 1, first["prev"]

    return _begin(place, work)


def _followed(
    path: Path, after: tuple[int, str], notices: list[Notice], over: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    def stop() -> bool:
        alive()
        return over()

    return follow(path, after=after, control=True, poll=0.01, stop=stop, on_damage=notices.append)


def keeping_what_is_purged(place: Place) -> Callable[[str], None]:
    """`storage.unlink`, with a copy first."""
    unlink = storage.unlink

    def copied(path: str) -> None:
        place.keep_what_is_purged(path)
        unlink(path)

    return copied
