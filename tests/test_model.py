"""Whatever is done to a log, in whatever order, it is what a list in memory says, and every reader shows that.

Several programs append to one log on a simulated disk (tests/simdisk.py): one alone, or some that share it. They
seal, purge, close, die; calls fail, the power is cut, the clock steps back. After each step what lies on the disk is
read back without the code under test and compared with the list (tests/model.py), and so is what the readers show.
"""

from __future__ import annotations

import errno
import gzip
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from disk import sealed_names
from hypothesis import note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from mishaps import Death, Died, Fault, Mishap
from model import Model, committed, effective, fits
from reads import Reader
from simdisk import Mount, SimDisk
from workloads import FOLDER, LOG

from jsonl_audit import (
    AuditError,
    AuditLog,
    EventTooLargeError,
    LockedError,
    Receipt,
    ReservedTypeError,
    Stats,
    StorageError,
    SyncError,
    get,
    ids,
    instants,
    query,
    storage,
    tail,
    verify,
)
from jsonl_audit.reader import info
from jsonl_audit.writer import background, lock, policy, registry

pytestmark = pytest.mark.exhaustive

NAME = os.path.basename(LOG)
STEPS = 50
EXAMPLES, LONGER = 75, 12_000
"""So many times so many steps, and with `--long`, which takes some ten minutes."""


class Clock:
    """What stands in the place of the system's: it goes on a little whenever it is asked, and can be set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ns = 0
        self.steady = 0
        self.reset()
        monkeypatch.setattr(time, "time_ns", self._time)
        monkeypatch.setattr(time, "monotonic_ns", self._monotonic)
        monkeypatch.setattr(ids, "_id_ms", 0)

    def reset(self) -> None:
        """A time like any other."""
        self.ns, self.steady = 1_700_000_000 * 10**9, 10**9

    @property
    def us(self) -> int:
        """In microseconds since 1970."""
        return self.ns // 1000

    def step(self, seconds: float) -> None:
        """So many pass, or the clock is set; time that is measured goes forward only."""
        self.ns += round(seconds * 10**9)
        self.steady += max(0, round(seconds * 10**9))

    def _time(self) -> int:
        self.ns += 7_300
        return self.ns

    def _monotonic(self) -> int:
        self.steady += 7_300
        return self.steady


def unpacked(name: str, data: bytes) -> bytes:
    """What a file holds, compressed or not."""
    return gzip.decompress(data) if name.endswith(".gz") else data


@dataclass
class Did:
    """What came of a call."""

    result: Any = None
    error: BaseException | None = None
    happened: bool = False
    """Something went wrong in it."""
    lives: bool = True
    """The program does."""
    opened: set[int] = field(default_factory=set)
    """Descriptors that it left open."""


class Program:
    """A program that has the log open. `files` are its descriptors."""

    def __init__(self, log: AuditLog, options: Mapping[str, Any], files: set[int]) -> None:
        self.log = log
        self.shared: bool = options["shared"]
        self.fsync: str = options["fsync"]
        self.backup_count: int = options["backup_count"]
        self.files = files
        self.last = 0
        """seq of the last record that was acknowledged to it."""
        self.doubt = False
        """A call of it failed, and it has not appended since."""

    def die(self) -> None:
        """The object does nothing any more; what the disk is to do about it is another matter."""
        self.log._appender.closed = True
        registry.discard(self.log._appender)
        registry.discard(self.log._policy)


class Follower:
    """A reader that stays: each record once, in order."""

    def __init__(self, at: int, filters: Mapping[str, Any], **how: Any) -> None:
        self.at = at
        self.filters = filters
        self.reader = Reader(LOG, **how, **filters)


OPTIONS = st.fixed_dictionaries(
    {
        "shared": st.sampled_from([True, True, False]),
        "fsync": st.sampled_from(["always", "interval", "never"]),
        "max_bytes": st.sampled_from([None, 1_500, 3_000, 8_000]),
        "backup_count": st.sampled_from([0, 0, 1, 3]),
    }
)
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["auth.login", "auth.logout", "exec.completed", "x"])},
    optional={
        "actor": st.fixed_dictionaries({"id": st.sampled_from("abc")}),
        "id": st.uuids().map(str),
        "details": st.fixed_dictionaries({"tool": st.sampled_from(["bash", "sh", "Grüße \"\\\n\0"])}),
        "text": st.sampled_from([0, 30, 400, 900, 5_000]).map("x".__mul__),
        "time": st.integers(-4_000, 4_000).map(lambda offset: instants.text((1_700_000_000 + offset) * 10**6)),
        "timestamp": st.integers(1_699_999_000, 1_700_001_000),
    },
).filter(lambda event: not {"time", "timestamp"} <= set(event))
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["auth.*", "x", "*.completed", "audit.*", "audit.segment", "nothing"]),
        "actor": st.sampled_from("abc"),
        "where": st.sampled_from([{"details.tool": "bash"}, {"details.tool": "Grüße \"\\\n\0"}, {"n": 3}]),
        "since": st.integers(0, 30),
        "until": st.integers(0, 30),
        "control": st.booleans(),
    },
)
FAILING = (
    "close", "duplicate", "exists", "free_space", "list_directory", "lock", "lock_again", "lstat", "make_directory",
    "open_append", "open_lock", "open_read", "overwrite", "read", "rename", "replace", "size", "stat", "sync",
    "sync_directory", "unlink", "unlock", "write",
)  # fmt: skip
ERRORS = (errno.EIO, errno.ENOSPC, errno.EINTR, errno.EMFILE, errno.EACCES)
WHICH = st.integers(0, 3)
PARTS = st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0])
LOTS = st.integers(0, 2**20)
NTH = st.integers(1, 12)
READ_FAULTS = st.builds(
    Fault,
    st.sampled_from(["close", "list_directory", "open_read", "read", "stat"]),
    st.integers(1, 8),
    st.sampled_from([errno.EIO, errno.EINTR, errno.EMFILE]),
    st.just(0.0),
)
MISHAPS = st.one_of(
    st.none(),
    st.none(),
    st.builds(Fault, st.sampled_from(FAILING), st.integers(1, 6), st.sampled_from(ERRORS), PARTS),
    st.builds(Death, NTH, PARTS),
    st.builds(Death, NTH, st.just(0.0), power=LOTS.map(random.Random)),
)
"""What goes wrong within a call; mostly nothing."""


class Machine(RuleBasedStateMachine):
    """The steps."""

    def __init__(self, mount: Mount, clock: Clock, removed: list[bytes]) -> None:
        super().__init__()
        self.mount = mount
        self.removed = removed
        removed.clear()
        self.clock = clock
        clock.reset()
        mount.disk = SimDisk()
        self.model = Model()
        self.programs: list[Program] = []
        self.followers: list[Follower] = []
        self.untidy = False
        """Something went wrong, and nothing was appended since."""
        self.losing = False
        """A sync failed, and nothing was appended since: what it covered may go."""

    def teardown(self) -> None:
        """Lets all go, and looks a last time."""
        try:
            if sys.exc_info()[0] is None:  # else what failed is to be told, and not what comes of it
                for follower in self.followers:
                    self._follow(follower)
                for program in list(self.programs):
                    self._close(program)
                if self.model.records and not self.untidy:
                    assert verify(LOG, full=True).verdict == "intact"
        finally:
            self._all_die()

    # -- opening and closing

    @rule(options=OPTIONS, mishap=MISHAPS)
    @precondition(lambda self: len(self.programs) < 3)
    def open(self, options: dict[str, Any], mishap: Mishap | None) -> None:
        """Another program opens the log, or is refused: there is one alone, or all share."""
        self.model.purges = self.model.purges or options["backup_count"] > 0
        options = {"sync_interval": 3600, "lock_timeout": 0, "artifacts": False, **options}
        did = self._do(None, lambda: AuditLog(LOG, **options), mishap)
        if did.result is not None:
            self.programs.append(Program(did.result, options, did.opened))
            self.untidy = did.happened

    @rule(which=WHICH, how=st.sampled_from(["closes", "closes", "dies", "power"]), mishap=MISHAPS, lot=LOTS)
    @precondition(lambda self: self.programs)
    def end(self, which: int, how: str, mishap: Mishap | None, lot: int) -> None:
        """A program closes the log, or dies between two calls; or the power is cut between two calls."""
        program = self._program(which)
        if how == "closes":
            self._close(program, mishap)
        elif how == "dies":
            self._dies(program)
        else:
            self._power_cut(self.mount.disk, random.Random(lot))

    def _close(self, program: Program, mishap: Mishap | None = None) -> None:
        """What was appended is on the disk then, in every mode."""
        did = self._do(program, program.log.close, mishap)
        if did.lives:
            self.programs.remove(program)
            assert not program.files & set(self.mount.disk.open_files), "closed, and files of it are open"
            if did.error is None:
                self.model.promised(program.last)

    # -- appending

    @rule(which=WHICH, event=EVENTS, mishap=MISHAPS)
    @precondition(lambda self: self.programs)
    def append(self, which: int, event: dict[str, Any], mishap: Mishap | None) -> None:
        """One event."""
        self._append(which, [event], lambda log, events: [log.append(events[0])], mishap)

    @rule(which=WHICH, events=st.lists(EVENTS, min_size=2, max_size=4), mishap=MISHAPS, together=st.booleans())
    @precondition(lambda self: self.programs)
    def append_several(
        self, which: int, events: list[dict[str, Any]], mishap: Mishap | None, together: bool
    ) -> None:
        """In one commit, all or none or each for itself."""
        call = AuditLog.append_many if together else AuditLog.append_group
        self._append(which, events, call, mishap, together=together)

    @rule(events=st.lists(st.tuples(WHICH, EVENTS), min_size=2, max_size=6))
    @precondition(lambda self: self.programs)
    def append_in_turn(self, events: list[tuple[int, dict[str, Any]]]) -> None:
        """Some events, one by one."""
        for which, event in events:
            self._append(which, [event], lambda log, events: [log.append(events[0])])

    def _append(
        self,
        which: int,
        events: list[dict[str, Any]],
        call: Callable[[AuditLog, list[dict[str, Any]]], Sequence[Receipt]],
        mishap: Mishap | None = None,
        *,
        together: bool = False,
    ) -> None:
        program, model = self._program(which), self.model
        given = model.give(events, together=together)
        before, last = program.log.stats(), model.last

        def told(receipts: Sequence[Receipt] | None, error: BaseException | None) -> None:
            if isinstance(error, Died):
                model.attempted(given, [None] * len(given))
            elif isinstance(error, AuditError):
                receipts = error.done
                model.attempted(given[len(receipts) :], error.attempted)
            else:
                assert receipts is not None
                assert len(receipts) == len(given)
            model.acknowledged(given, receipts or ())
            program.last = max([program.last, *(receipt.seq for receipt in receipts or ())])

        did = self._do(program, lambda: call(program.log, given), mishap, told)
        if not did.lives:
            return
        model.must_be_there(model.receipts[event["n"]] for event in given if event["n"] in model.receipts)
        if did.error is not None:
            return
        if not did.happened:
            self._counted(program, before, model.records[last:])
        program.doubt = self.untidy = self.losing = False
        if program.fsync == "always":
            model.promised(program.last)

    def _counted(self, program: Program, before: Stats, new: list[dict[str, Any]]) -> None:
        """What the figures say of a call in which nothing went wrong."""
        after = program.log.stats()
        own = [record for record in new if record["type"] != "audit.segment"]
        assert after.appended - before.appended == len(own)
        assert after.rotations - before.rotations == len(new) - len(own) or program.doubt or self.untidy
        assert after.syncs > before.syncs or program.fsync != "always"
        if after.rotations > before.rotations and program.backup_count:
            assert self._segments() <= program.backup_count + 1

    @rule(which=WHICH)
    @precondition(lambda self: self.programs)
    def append_what_is_refused(self, which: int) -> None:
        """Nothing of it is written."""
        log = self._program(which).log
        with pytest.raises(EventTooLargeError):
            log.append("x", text="x" * 40_000)
        with pytest.raises(ReservedTypeError):
            log.append_many([{"type": "x"}, {"type": "audit.segment"}])

    # -- what else a program does

    @rule(which=WHICH, mishap=MISHAPS)
    @precondition(lambda self: self.programs)
    def rotate(self, which: int, mishap: Mishap | None) -> None:
        """Then everything is sealed, if there was anything."""
        program = self._program(which)
        did = self._do(program, program.log.rotate, mishap)
        if did.lives and did.error is None:
            assert did.result is None or storage.exists(did.result)
            assert self.model.records[-1]["type"].startswith("audit.")

    @rule(which=WHICH, keep=st.integers(1, 3), mishap=MISHAPS)
    @precondition(lambda self: self.programs)
    def purge(self, which: int, keep: int, mishap: Mishap | None) -> None:
        """The oldest go."""
        program = self._program(which)
        self.model.purges = True
        did = self._do(program, lambda: program.log.purge(keep=keep, reason="old"), mishap)
        if did.lives and did.error is None:
            assert self._segments() - 1 <= keep or did.happened
            assert not any(storage.exists(path) for path in did.result or ())

    @rule(which=WHICH, mishap=MISHAPS, background=st.booleans())
    @precondition(lambda self: self.programs)
    def sync(self, which: int, mishap: Mishap | None, background: bool) -> None:
        """`flush`: then everything is on the disk, whoever wrote it. Or what its thread does now and then."""
        program = self._program(which)
        if background:
            self._do(program, program.log._appender.sync_in_background, mishap, beside=True)
            return
        did = self._do(program, program.log.flush, mishap)
        if did.lives and did.error is None:
            self.model.promised(self.model.last)

    @rule(which=WHICH)
    @precondition(lambda self: self.programs and not self.untidy)
    def look_at_the_end(self, which: int) -> None:
        """A program knows where the log ends."""
        program = self._program(which)
        if not self._is_locked(program):
            last = self.model.records[-1]
            assert (program.log.last_seq, program.log.head) == (last["seq"], last["hash"])

    @rule(seconds=st.sampled_from([-4_000.0, -5.0, -0.4, 0.05, 0.4, 2.0, 4_000.0]))
    def set_the_clock(self, seconds: float) -> None:
        """Or let time pass."""
        self.clock.step(seconds)

    @rule(which=WHICH)
    @precondition(lambda self: self.model.records)
    def pack(self, which: int) -> None:
        """Somebody compresses a sealed segment."""
        disk = self.mount.disk
        files = disk.files(FOLDER)
        plain = [name for name in sealed_names(files, NAME) if not name.endswith(".gz")]
        if plain:
            name = plain[which % len(plain)]
            disk.put_file(f"{FOLDER}/{name}.gz", gzip.compress(files[name], mtime=0))
            disk.unlink(f"{FOLDER}/{name}")

    # -- reading

    @invariant()
    def every_reader_shows_it(self) -> None:
        """What `query` shows was compared with the list after each step; the other readers see the same."""
        here = self.model.here
        if not here:
            return
        assert tail(LOG, 3, control=True) == here[-3:]
        assert list(query(LOG, reverse=True, limit=2, control=True)) == here[:-3:-1]

    @rule(filters=FILTERS, n=st.integers(0, 6))
    @precondition(lambda self: self.model.records)
    def read_the_end(self, filters: dict[str, Any], n: int) -> None:
        """`tail`, with filters."""
        filters = self._times(filters)
        fitting = [record for record in self.model.here if fits(record, **filters)]
        assert tail(LOG, n, **filters) == fitting[len(fitting) - n if n < len(fitting) else 0 :]

    @rule(
        filters=FILTERS,
        after=st.integers(0, 40),
        limit=st.none() | st.integers(0, 5),
        offset=st.integers(0, 3),
        reverse=st.booleans(),
    )
    @precondition(lambda self: self.model.records)
    def read_some(
        self, filters: dict[str, Any], after: int, limit: int | None, offset: int, reverse: bool
    ) -> None:
        """`query`, with filters and places."""
        filters = self._times(filters)
        fitting = [each for each in self.model.here if each["seq"] > after and fits(each, **filters)]
        fitting = fitting[::-1] if reverse else fitting
        fitting = fitting[offset:][:limit]
        assert list(query(LOG, after=after, limit=limit, offset=offset, reverse=reverse, **filters)) == fitting

    @rule(which=st.integers(0, 60))
    @precondition(lambda self: self.model.records)
    def read_one(self, which: int) -> None:
        """`get`, by seq and by id."""
        model = self.model
        record = model.records[which % model.last]
        expected = record if record["seq"] >= model.first else None
        assert get(LOG, record["seq"]) == expected
        assert get(LOG, record["id"]) == expected
        assert get(LOG, model.last + 1) is None
        if record["seq"] >= model.first:
            found = query(LOG, after=(record["seq"], record["hash"]), control=True)
            assert list(found) == model.records[record["seq"] :]

    @rule()
    @precondition(lambda self: self.model.records)
    def read_figures(self) -> None:
        """`info`."""
        here, found = self.model.here, info(LOG)
        assert (found.first_seq, found.last_seq, found.records) == (here[0]["seq"], here[-1]["seq"], len(here))
        assert (found.first_ts, found.last_ts, found.head) == (here[0]["ts"], here[-1]["ts"], here[-1]["hash"])
        assert found.types == Counter(record["type"] for record in here)
        assert len(found.segments) == self._segments()

    @rule(full=st.booleans())
    @precondition(lambda self: self.model.records)
    def verify(self, full: bool) -> None:
        """A verifier raises no alarm."""
        here, report = self.model.unpurged, verify(LOG, full=full)
        assert report.verdict == "intact" or (self.untidy and report.verdict == "torn"), str(report)
        assert (report.records, report.last_seq, report.head) == (len(here), here[-1]["seq"], here[-1]["hash"])
        kinds = {note.kind for note in report.notes}
        usual = {"clock-clamped", "documented-torn", "purged-prefix"}
        assert kinds <= (usual | {"unfinished"} if self.untidy else usual), str(report)
        assert ("purged-prefix" in kinds) == (here[0]["seq"] > 1)
        if full:
            assert ("clock-clamped" in kinds) == any("clock" in record for record in here)

    @rule(fault=READ_FAULTS, how=st.sampled_from(["query", "tail", "verify"]))
    @precondition(lambda self: self.model.records)
    def read_where_a_call_fails(self, fault: Fault, how: str) -> None:
        """What is shown is right, or an error says that it cannot be read."""
        here = self.model.here
        try:
            with fault.within(self.mount):
                if how == "query":
                    assert list(query(LOG, control=True)) == here
                elif how == "tail":
                    assert tail(LOG, 3, control=True) == here[-3:]
                else:
                    report = verify(LOG, full=True)
                    assert report.verdict == "intact" or (self.untidy and report.verdict == "torn"), str(report)
                    assert report.last_seq == self.model.last
        except StorageError:
            if not fault.happened:
                raise

    @rule(n=st.integers(0, 4), filters=FILTERS)
    @precondition(lambda self: len(self.followers) < 3)
    def begin_to_follow(self, n: int, filters: dict[str, Any]) -> None:
        """From the end, or from some records before it."""
        filters = {**self._times(filters), "control": True}
        fitting = [record["seq"] for record in self.model.here if fits(record, **filters)]
        at = self.model.last if not n else fitting[-n] - 1 if len(fitting) >= n else self.model.first - 1
        self.followers.append(follower := Follower(at, filters, n=n))
        if n:
            self._follow(follower)  # what is purged before it comes to that is none of the last

    @rule(after=st.integers(0, 40))
    @precondition(lambda self: len(self.followers) < 3 and self.model.records)
    def begin_to_follow_from(self, after: int) -> None:
        """From any place."""
        at = min(max(after, self.model.first), self.model.last)
        known = self.model.records[at - 1]
        self.followers.append(follower := Follower(at, {"control": True}, after=(at, known["hash"])))
        self._follow(follower)  # where what it begins with is purged before, it says that it cannot

    @rule(which=WHICH)
    @precondition(lambda self: self.followers)
    def follow(self, which: int) -> None:
        """A follower looks what is new."""
        self._follow(self.followers[which % len(self.followers)])

    def _follow(self, follower: Follower) -> None:
        """Each record once, in order; those that were purged before it came to them it may miss, and says so."""
        model = self.model
        found = follower.reader.records()
        due = [each for each in model.records[follower.at :] if fits(each, **follower.filters)]
        gone = [each for each in due if each["seq"] < model.first]
        seqs = [each["seq"] for each in found]
        assert [each for each in found if each["seq"] >= model.first] == [e for e in due if e["seq"] >= model.first]
        early = [each for each in found if each["seq"] < model.first]
        assert early == [each for each in gone if each["seq"] in seqs]
        kinds = {notice.kind for notice in follower.reader.notices}
        assert kinds <= {"purged", "voided"}, follower.reader.notices
        if len(early) < len(gone):
            assert "purged" in kinds
        follower.reader.notices.clear()
        follower.at = model.last

    # -- how it is done

    def _program(self, which: int) -> Program:
        return self.programs[which % len(self.programs)]

    def _segments(self) -> int:
        return sum(record["type"] == "audit.segment" for record in self.model.here)

    def _times(self, filters: dict[str, Any]) -> dict[str, Any]:
        """The instants of `since` and `until` are those of records."""
        found = dict(filters)
        for name in ("since", "until"):
            if name in found:
                found[name] = effective(self.model.records[found[name] % self.model.last]) if self.model.last else None
        if found.get("since") and found.get("until") and found["since"] > found["until"]:
            found["since"], found["until"] = found["until"], found["since"]
        return found

    def _is_locked(self, program: Program | None) -> bool:
        """Whether another program has the log for itself."""
        return any(not other.shared and other is not program for other in self.programs)

    def _do(
        self,
        program: Program | None,
        call: Callable[[], Any],
        mishap: Mishap | None = None,
        told: Callable[[Any, BaseException | None], None] | None = None,
        *,
        beside: bool = False,
    ) -> Did:
        """Has a program do something, with what is to go wrong in it; then looks at the disk.

        `told` takes what it got, or the error. `beside`: done by a thread that nobody hears of.
        """
        disk, files, before = self.mount.disk, set(self.mount.disk.open_files), self.clock.us
        locked = self._is_locked(program)
        did = Did()
        try:
            if mishap is None:
                did.result = call()
            else:
                with mishap.within(self.mount):
                    did.result = call()
        except (StorageError, LockedError, Died) as error:
            did.error = error.with_traceback(None)  # which holds files open, until it is collected
        except OSError:
            if not beside:
                raise
        did.happened = mishap is not None and mishap.happened
        did.opened = set(disk.open_files) - files
        if did.happened:
            note(f"{mishap}: {did.error!r}")
        if program is not None:
            program.files |= did.opened
        if told is not None:
            told(did.result, did.error)
        if isinstance(mishap, Death) and did.happened:
            did.lives, did.result = False, None
            if mishap.power is not None:
                self._power_cut(mishap.before, mishap.power, before)
            elif program is not None:
                self._dies(program, before)
            else:
                self._free(did.opened)
                self.untidy = True
                self._look(before)
            return did
        self._expected(program, did, locked=locked)
        if did.happened:
            self.untidy = True
            self.losing = self.losing or (isinstance(mishap, Fault) and mishap.name == "sync")
            if program is not None:
                program.doubt = True
        self._look(before)
        return did

    def _expected(self, program: Program | None, did: Did, *, locked: bool) -> None:
        """Whether there is a reason for what was raised."""
        if isinstance(did.error, LockedError):
            assert locked, f"{did.error} while nobody has the log for itself"
        elif did.error is not None:
            failed = program is not None and program.doubt and isinstance(did.error, SyncError)
            assert did.happened or failed, f"{did.error!r} out of nothing"

    def _look(self, before: int, *, power_cut: bool = False) -> None:
        """Takes what the disk holds into the list."""
        try:
            seen = list(query(LOG, control=True))
        except StorageError as error:
            if "no such log" not in error.message:
                raise
            seen = []
        files = self.mount.disk.files(FOLDER)
        committed({name: unpacked(name, data) for name, data in files.items()}, NAME, seen)
        while self.removed:
            self.model.purged(self.removed.pop())
        last = self.model.last
        new = self.model.look(
            seen, may_lose=self.losing or power_cut, power_cut=power_cut, clock=(before, self.clock.us)
        )
        kept = self.model.last - len(new)
        if kept < last:
            for follower in self.followers:
                follower.at = min(follower.at, kept)

    def _dies(self, program: Program, before: int | None = None) -> None:
        program.die()
        self.programs.remove(program)
        self._free(program.files)
        self.untidy = True
        self._look(self.clock.us if before is None else before)

    def _free(self, files: set[int]) -> None:
        """What the system does with the descriptors of a program that is no more."""
        for fd in files & set(self.mount.disk.open_files):
            self.mount.disk.close(fd)

    def _all_die(self) -> None:
        for program in self.programs:
            program.die()
        for follower in self.followers:
            follower.reader.close()
        self.programs, self.followers = [], []

    def _power_cut(self, disk: SimDisk, chance: random.Random, before: int | None = None) -> None:
        self._all_die()
        self.mount.disk = disk.power_cut(chance)
        self.untidy, self.losing = True, False
        self._look(self.clock.us if before is None else before, power_cut=True)
        self.model.promised(self.model.last)


@pytest.fixture
def mount(monkeypatch: pytest.MonkeyPatch) -> Mount:
    """A simulated disk; no thread does anything beside, and nobody waits."""
    monkeypatch.setattr(logging.getLogger("jsonl_audit"), "disabled", True)
    monkeypatch.setattr(background.Background, "wake", lambda _: True)
    monkeypatch.setattr(lock, "GRACE", 0.0)
    monkeypatch.setattr(policy, "PAUSES", (0.0,) * 5)
    return Mount(monkeypatch)


@pytest.fixture
def removed(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The contents of the files that were removed."""
    contents: list[bytes] = []
    unlink = storage.unlink

    def keeping(path: str) -> None:
        name = os.path.basename(path)
        contents.append(unpacked(name, mount.disk.files(FOLDER).get(name, b"")))
        unlink(path)

    monkeypatch.setattr(storage, "unlink", keeping)
    return contents


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_log_is_what_a_list_in_memory_says(
    mount: Mount, clock: Clock, removed: list[bytes], long: bool, tried: Callable[[str, int], None]
) -> None:
    steps = 0

    class Counted(Machine):
        def __init__(self) -> None:
            super().__init__(mount, clock, removed)

        def check_invariants(self, *args: Any, **kwargs: Any) -> None:
            nonlocal steps
            steps += 1
            super().check_invariants(*args, **kwargs)

    number = int(os.environ.get("JSONL_AUDIT_SEED", "0"))
    if long:
        number = number or random.SystemRandom().randrange(1, 1 << 32)
    how = settings(max_examples=LONGER if long else EXAMPLES, stateful_step_count=STEPS)
    machine: Any = Counted
    if number:
        print(f"JSONL_AUDIT_SEED={number} repeats it")
        machine = seed(number)(Counted)
    run_state_machine_as_test(machine, settings=how)
    tried("steps", steps)
