"""Whoever goes on when, nobody is told a lie: pieces for a few writers, readers, a follower, a verifier, a purger.

Each is played with nobody delayed, then with one delay at each of its steps, with two at some pairs of them, and by
lot. What failed can be played again: the message says how, ``SCHEDULE="…" python -m pytest tests/test_delays.py``.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from disk import CALLS, Disk, chain
from sharers import Promises, forked, found, lost, out_of_order, sharing
from stage import Director, Drawn, InTurn, Stage

from jsonl_audit import AuditLog, ClosedError, LockedError, Receipt, follow, query, storage, tail, verify

pytestmark = [pytest.mark.usefixtures("quick_disk"), pytest.mark.exhaustive]

Work = Callable[[], object]


class Piece:
    """One log and what is done to it; `works` are the tasks, `judge` looks at what came of it."""

    def __init__(self, disk: Disk, stage: Stage) -> None:
        self.disk = disk
        self.stage = stage
        self.works: list[Work] = []
        self.receipts: list[Receipt] = []
        self.writing = self._writers = 0
        self.purges = False

    def opened(self, **options: Any) -> AuditLog:
        return self.disk.open(shared=True, space_left=None, lock_timeout=60, **options)

    def begun(self, *counts: int) -> None:
        """The log is there before they come, with so many records in each segment."""
        with self.disk.open(space_left=None) as log:
            for number, count in enumerate(counts):
                if number:
                    log.rotate()
                for n in range(count):
                    log.append("t", who=f"before {number}", n=n)

    def new(self) -> int:
        """Number of another writer, until who follows goes on."""
        self.writing += 1
        self._writers += 1
        return self._writers

    # -- who takes part

    def writes(self, *, count: int = 2, many: bool = False, **options: Any) -> None:
        """Opens the log, appends so many, or a batch of so many, and closes it."""
        who = self.new()
        self.purges = self.purges or bool(options.get("backup_count"))

        def work() -> None:
            try:
                with self.opened(**options) as log:
                    events = [{"type": "t", "who": who, "n": n, "text": "x" * 300} for n in range(count)]
                    if many:
                        self.receipts += log.append_many(events)
                    else:
                        for event in events:
                            self.receipts.append(log.append(event))
            finally:
                self.writing -= 1

        self.works.append(work)

    def share(self, *whats: Callable[[AuditLog], object], **options: Any) -> None:
        """Threads that share one AuditLog, each of which does one thing to it."""
        log = self.opened(**options)
        left = [*whats]

        def work(what: Callable[[AuditLog], object]) -> None:
            try:
                what(log)
            finally:
                left.remove(what)
                if not left:
                    log.close()

        self.stage.asks_at_locks = True
        self.works += [partial(work, what) for what in whats]

    def appends(self, *, count: int = 1, many: bool = False) -> Callable[[AuditLog], None]:
        """For `share`: appends so many, or a batch."""
        who = self.new()

        def work(log: AuditLog) -> None:
            events = [{"type": "t", "who": who, "n": n, "text": "x" * 300} for n in range(count)]
            try:
                if many:
                    self.receipts += log.append_many(events)
                else:
                    for event in events:
                        self.receipts.append(log.append(event))
            finally:
                self.writing -= 1

        return work

    def does(self, what: Callable[[AuditLog], object], **options: Any) -> None:
        """Opens the log, does this to it, and closes it."""
        self.writing += 1

        def work() -> None:
            try:
                with self.opened(**options) as log:
                    what(log)
            finally:
                self.writing -= 1

        self.works.append(work)

    def follows(self) -> None:
        """Sees each record once, in order, until all writers are done."""

        def done() -> bool:
            over = not self.writing
            return not self.stage.rest() or over

        def work() -> None:
            notices: list[Any] = []
            seq, head = 0, "0" * 64
            for record in follow(
                self.disk.path, after=0, control=True, poll=1e-9, stop=done, on_damage=notices.append
            ):
                whole = (record["seq"], record["prev"]) == (seq + 1, head)
                begins = not seq and self.purges  # with what is here
                assert whole or begins or self._purged(notices), f"seq {record['seq']} came behind seq {seq}"
                seq, head = record["seq"], record["hash"]
            self.followed = seq, head

        self.works.append(work)

    def verifies(self, times: int = 2) -> None:
        """Finds nothing that is not so."""

        def work() -> None:
            for number in range(times):
                report = verify(self.disk.path, full=bool(number % 2), workers=1)
                assert report.verdict == "intact", str(report)

        self.works.append(work)

    def reads(self, times: int = 2) -> None:
        """Sees the log as it stood at one moment, and later never less."""

        def work() -> None:
            newest = 0
            for _ in range(times):
                for reader in (partial(tail, n=1000), query):
                    notices: list[Any] = []
                    found = [*reader(self.disk.path, control=True, on_damage=notices.append)]
                    for before, behind in pairwise(found):
                        whole = (before["seq"] + 1, before["hash"]) == (behind["seq"], behind["prev"])
                        assert whole or self._purged(notices), f"{behind['seq']} behind {before['seq']}"
                    assert found, "nothing is there"
                    assert self._purged(notices) or self.purges or found[0]["seq"] == 1
                    assert found[-1]["seq"] >= newest, f"{newest} was there before"
                    newest = found[-1]["seq"]

        self.works.append(work)

    def _purged(self, notices: list[Any]) -> bool:
        assert {notice.kind for notice in notices} <= {"purged"}, [str(notice) for notice in notices]
        return self.purges and bool(notices)

    # -- what came of it

    def judge(self) -> None:
        there = chain(self.disk)
        report = verify(self.disk.path, full=True, workers=1)
        assert report.verdict == "intact", str(report)
        assert not any(there.torn), "nobody crashed"
        assert not out_of_order(there.events)
        first = there.records[0]["seq"]
        gone = lost(there.records, [tuple(receipt[i] for i in (0, 2, 3)) for receipt in self.receipts])
        assert all(receipt[0] < first for receipt in gone), f"lost: {gone}"
        assert len({receipt.seq for receipt in self.receipts}) == len(self.receipts)
        assert first == 1 or self.purges
        if hasattr(self, "followed"):
            assert self.followed == (there.records[-1]["seq"], there.records[-1]["hash"])


def two_who_begin_a_log(piece: Piece) -> None:
    piece.writes(fsync="always")
    piece.writes(fsync="never", many=True)


def two_who_seal_with_each_record(piece: Piece) -> None:
    piece.begun(1)
    piece.writes(max_bytes=500)
    piece.writes(max_bytes=500, fsync="always")


def a_follower_beside_a_writer_and_one_who_seals(piece: Piece) -> None:
    piece.begun(1)
    piece.follows()
    piece.writes(many=True)
    piece.does(AuditLog.rotate)


def a_verifier_beside_those_who_seal(piece: Piece) -> None:
    piece.begun(1)
    piece.verifies()
    piece.writes(max_bytes=500)
    piece.writes(many=True)


def a_reader_beside_those_who_seal(piece: Piece) -> None:
    piece.begun(1)
    piece.reads()
    piece.writes(max_bytes=500)
    piece.does(AuditLog.rotate)


def all_beside_one_who_purges(piece: Piece) -> None:
    piece.begun(1, 1, 1)
    piece.purges = True
    piece.reads(1)
    piece.verifies(1)
    piece.follows()
    piece.writes(max_bytes=500, backup_count=1)
    piece.does(lambda log: log.purge(keep=1, reason="a test"))


def threads_that_share_one_log(piece: Piece) -> None:
    piece.share(piece.appends(count=2), piece.appends(many=True, count=2), piece.appends(), fsync="always")


def threads_of_two_processes(piece: Piece) -> None:
    piece.share(piece.appends(), piece.appends(), fsync="never", max_bytes=700)
    piece.share(piece.appends(), AuditLog.rotate, fsync="always")


def a_sync_in_the_background(piece: Piece) -> None:
    def sync(log: AuditLog) -> None:
        log._appender.sync_in_background()

    piece.share(piece.appends(count=2), sync, AuditLog.flush, fsync="interval")
    piece.writes(max_bytes=500)


def threads_and_one_who_closes(piece: Piece) -> None:
    def until_closed() -> Callable[[AuditLog], None]:
        appends = piece.appends(count=3)

        def work(log: AuditLog) -> None:
            with contextlib.suppress(ClosedError):
                appends(log)

        return work

    piece.share(until_closed(), until_closed(), AuditLog.close, fsync="always")


def three_who_want_it_for_themselves(piece: Piece) -> None:
    def work(who: int) -> None:
        for n in range(2):
            try:
                with piece.disk.open(space_left=None, lock_timeout=0, fsync="always", max_bytes=500) as log:
                    piece.receipts.append(log.append("t", who=who, n=n, text="x" * 300))
            except LockedError:
                piece.stage.rest()
        piece.writing -= 1

    piece.begun(1)
    piece.works += [partial(work, piece.new()) for _ in range(3)]
    piece.follows()
    piece.verifies(1)


PIECES = [
    threads_that_share_one_log,
    threads_of_two_processes,
    a_sync_in_the_background,
    threads_and_one_who_closes,
    three_who_want_it_for_themselves,
    two_who_begin_a_log,
    two_who_seal_with_each_record,
    a_follower_beside_a_writer_and_one_who_seals,
    a_verifier_beside_those_who_seal,
    a_reader_beside_those_who_seal,
    all_beside_one_who_purges,
]
AGAIN = os.environ.get("SCHEDULE", "")
"""The name of a piece, and how it is to be played once."""


class Company:
    """Plays a piece again and again, each time by another director, in a folder of its own."""

    def __init__(self, stage: Stage, folder: Path, write: Callable[[Piece], None]) -> None:
        self.played = 0
        self._stage = stage
        self._folder = folder
        self._write = write

    def again(self, schedule: str) -> None:
        """Plays it once more as it was played when it failed."""
        kind, *numbers = schedule.split()
        self._play({"delays": InTurn, "seed": lambda seed: Drawn(*seed)}[kind](map(int, numbers)), schedule)

    def _play(self, director: Director, name: str) -> int:
        """Plays it once; how many steps it had. Fails where it may not come to that."""
        self.played += 1
        disk = Disk(self._folder / "log")
        disk.folder.mkdir()
        try:
            piece = Piece(disk, self._stage)
            self._write(piece)
            self._stage.play(piece.works, director)
            piece.judge()
        except BaseException as error:
            again = f'SCHEDULE="{self._write.__name__} {name}" python -m pytest tests/test_delays.py'
            raise AssertionError(f"{again}\n{type(error).__name__}: {error}") from error
        shutil.rmtree(disk.folder)
        return self._stage.steps

    def delays(self, *, every: int, pairs: int) -> None:
        """One delay at each n-th step, beginning anywhere; and two, at so many pairs of steps."""
        steps = self._play(InTurn(), "delays")
        first = random.randrange(every)
        for step in range(first, steps, every):
            self._play(InTurn([step]), f"delays {step}")
        for two in _some([*combinations(range(steps), 2)], pairs):
            self._play(InTurn(two), f"delays {two[0]} {two[1]}")

    def lots(self, count: int) -> None:
        """By lot, so often."""
        for seed in random.sample(range(10**9), count):
            self._play(Drawn(seed), f"seed {seed}")


def _some(cases: list[Any], count: int) -> Iterator[Any]:
    yield from random.sample(cases, min(count, len(cases)))


def delayed(chance: random.Random) -> None:
    """In a child, for the rest of its life: any call of storage may come late."""
    often = chance.choice((0.01, 0.05, 0.2))

    def wrapped(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if chance.random() < often:
                time.sleep(chance.random() * 0.003)
            return real(*args, **kwargs)

        return call

    for name in CALLS:
        setattr(storage, name, wrapped(getattr(storage, name)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_that_are_late_at_any_call(
    disk: Disk, tmp_path: Path, tried: Callable[[str, int], None], long: bool
) -> None:
    """Not one schedule as another: the seed draws the delays, the system does the rest."""
    seed = int(os.environ.get("SEED", "0")) or random.randrange(10**9)
    chance = random.Random(seed)
    rounds = 60 if long else 3
    for number in range(rounds):
        promises = [Promises(tmp_path / f"promises {number} {who}") for who in range(3)]

        def work(who: int, seed: float, number: int = number, promises: list[Promises] = promises) -> None:
            chance = random.Random(seed)
            delayed(chance)
            with sharing(disk, fsync=chance.choice(("always", "interval", "never")), max_bytes=2000) as log:
                for n in range(20):
                    promises[who].keep(log.append("t", who=f"{number} {who}", n=n, text="x" * chance.randrange(300)))

        works: list[Work] = [partial(work, who, chance.random()) for who in range(3)]
        with forked(works):
            while not disk.path.exists():
                time.sleep(0.001)
            seqs = [record["seq"] for record in query(disk.path, control=True)]
            report = verify(disk.path, full=True, workers=1)
        assert report.verdict == "intact", f"SEED={seed}: {report}"
        assert seqs == list(range(1, len(seqs) + 1)), f"SEED={seed}"
        try:
            found(disk, [kept for promise in promises for kept in promise.kept()])
        except AssertionError as error:
            raise AssertionError(f"SEED={seed}: {error}") from error
        for promise in promises:
            promise.close()
    tried("schedules", rounds)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


@pytest.mark.parametrize("write", PIECES, ids=lambda write: write.__name__)
def test_whoever_goes_on_when(
    stage: Stage, tmp_path: Path, write: Callable[[Piece], None], tried: Callable[[str, int], None], long: bool
) -> None:
    company = Company(stage, tmp_path, write)
    name, _, schedule = AGAIN.partition(" ")
    if schedule:
        if name == write.__name__:
            company.again(schedule)
        return
    company.delays(every=1 if long else 2, pairs=20_000 if long else 5)
    company.lots(5_000 if long else 10)
    tried("schedules", company.played)
