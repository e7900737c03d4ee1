"""Faults drawn at random under each failure policy, in the log and in the place where its events are held.

Each event has a number. Whatever was promised to it holds once the disk works again.
"""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest
from disk import CHANGING, Calls, Disk, chain

from jsonl_audit import AuditError, AuditLog, Receipt, StorageError, verify
from jsonl_audit.writer import background, policy, registry, tip, transient

pytestmark = [pytest.mark.usefixtures("quick_disk"), pytest.mark.exhaustive]


class Trouble:
    """Faults drawn at random: before a call, after it, in the middle of a write."""

    def __init__(self, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chance = random.Random()
        self.often = 0.0
        self._write = os.write
        calls.before, calls.after = self._before, self._after
        monkeypatch.setattr(os, "write", self._half)

    def _strikes(self) -> bool:
        return self.chance.random() < self.often

    def _before(self, name: str, _: Any) -> None:
        if name != "close" and self._strikes():
            number = self.chance.choice([errno.EIO, errno.ENOSPC, errno.EPERM, errno.EMFILE, errno.EAGAIN])
            raise OSError(number, os.strerror(number))

    def _after(self, name: str, _: Any, __: Any) -> None:
        if name in CHANGING and not name.startswith("open") and self._strikes():
            raise OSError(errno.EIO, "done, and said to have failed")

    def _half(self, fd: int, data: bytes) -> int:
        if self._strikes():
            self._write(fd, bytes(data)[: self.chance.randrange(len(data) + 1)])
            raise OSError(errno.ENOSPC, "made to fail in the middle")
        return self._write(fd, data)


class Life:
    """What a program did with a log, and what it was told of each of its events."""

    def __init__(self, disk: Disk, elsewhere: Path, mode: str, fsync: str, chance: random.Random) -> None:
        self.disk = disk
        self.options: dict[str, Any] = {"on_error": mode, "fsync": fsync, "sync_interval": 60}
        if mode == "spill":
            self.options["spill_path"] = elsewhere
        if mode == "block":
            self.options["error_timeout"] = 0.02
        self.chance = chance
        self.number = 0
        self.killed = False
        self.told_elsewhere = self.left = False
        self.recorded: dict[int, Receipt] = {}
        self.held: dict[int, Receipt] = {}
        self.dropped: set[int] = set()
        self.told_of_an_error: set[int] = set()
        self.log: AuditLog | None = None

    def step(self, *, kill: bool) -> None:
        step = self.chance.random()
        if self.log is None:
            size = self.chance.choice([2500, 6000, None])
            self.log = AuditLog(self.disk.path, max_bytes=size, **self.options)
        elif step < 0.5:
            self.append(self.log.append, 1)
        elif step < 0.65:
            self.append(self.log.append_many, self.chance.randrange(1, 5))
        elif step < 0.8:
            self.append(self.log.append_group, self.chance.randrange(1, 5))
        elif step < 0.85:
            self.log.rotate()
        elif step < 0.92:
            self.log.flush()
        elif not kill or step < 0.96:
            ended, self.log = self.log, None
            try:
                ended.close()
            finally:
                self.look_at(ended)
        else:
            self.kill()

    def append(self, how: Any, count: int) -> None:
        numbers = list(range(self.number, self.number + count))
        self.number += count
        events = [{"type": "t", "n": n, "text": "x" * self.chance.randrange(200)} for n in numbers]
        self.told_of_an_error.update(numbers)
        try:
            got = how(events[0]) if how.__name__ == "append" else how(events)
        except StorageError as error:
            for n, receipt in zip(numbers, error.done, strict=False):
                self.recorded[n] = receipt
            raise
        for n, receipt in zip(numbers, [got] if isinstance(got, Receipt) else got, strict=True):
            self.told_of_an_error.discard(n)
            if receipt.recorded:
                self.recorded[n] = receipt
            elif receipt.hash:
                self.held[n] = receipt
            else:
                self.dropped.add(n)

    def look_at(self, log: AuditLog) -> None:
        """What is only told to the logger."""
        self.told_elsewhere |= any("could not be told" in note for note in log.notes)
        self.left |= any("left there" in note for note in log.notes)

    def kill(self) -> None:
        """As the kernel does it."""
        assert self.log is not None
        self.killed = True
        arrears = self.log._policy.arrears
        for appender in [self.log._appender, *(spill.log for spill in arrears._spills)]:
            appender._tip.let_go()
            appender.closed = True
        registry.discard(self.log._policy)
        self.log._policy._closing = True
        self.log = None


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is put off, and nothing happens in the background."""
    monkeypatch.setattr(policy, "TRY_EVERY", 0.0)
    monkeypatch.setattr(policy, "FIRST_PAUSE", 0.0001)
    monkeypatch.setattr(policy, "DELAYED_FROM", 0.01)
    monkeypatch.setattr(policy, "PAUSES", (0.0,) * len(transient.PAUSES))
    monkeypatch.setattr(tip, "WATCH", 0)
    monkeypatch.setattr(tip, "SEAL_AGAIN", 0)
    monkeypatch.setattr(background.Background, "wake", lambda _: True)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("kill", [False, True], ids=["", "killed"])
@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
@pytest.mark.parametrize("mode", ["raise", "block", "drop", "spill"])
def test_what_was_promised_holds_once_the_disk_works_again(
    tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch, mode: str, fsync: str, kill: bool
) -> None:
    first = int(os.environ.get("SEED", "1"))
    trouble = Trouble(calls, monkeypatch)
    for seed in range(first, first + int(os.environ.get("ROUNDS", "8"))):
        disk = Disk(tmp_path / f"{seed}")
        disk.folder.mkdir()
        chance = trouble.chance = random.Random(seed)
        often = chance.choice([0.01, 0.05, 0.3])
        life = Life(disk, tmp_path / f"{seed} elsewhere", mode, fsync, chance)
        for _ in range(chance.randrange(10, 80)):
            if chance.random() < 0.1:
                trouble.often = chance.choice([0.0, 0.0, often])
            try:
                life.step(kill=kill)
            except AuditError:
                pass
        trouble.often = 0.0
        if life.log is None:
            life.log = AuditLog(disk.path, **life.options)
        with life.log as log:
            log.append("end", n=-1)
            log.flush()
            assert not log._policy.trouble, f"seed {seed}: {log._policy.last_error}"
        life.look_at(life.log)
        with AuditLog(disk.path, **life.options) as log:
            log.append("end", n=-1)
        judge(life, tmp_path / f"{seed} elsewhere", seed)


def judge(life: Life, elsewhere: Path, seed: int) -> None:
    found = chain(life.disk)
    numbers = [record["n"] for record in found.events if record["n"] >= 0]
    there = set(numbers)
    assert len(numbers) == len(there), f"seed {seed}: doubled: {[n for n in there if numbers.count(n) > 1]}"
    by_number = {record["n"]: record for record in found.events}
    voided = [(lost["first_seq"], lost["last_seq"]) for lost in found.lost if "first_seq" in lost]
    voided += [tuple(header["lost"]) for header in found.headers if "lost" in header]  # where that record was lost too
    for n, receipt in life.recorded.items():
        if n not in there:
            counted = any(first <= receipt.seq <= last for first, last in voided)
            assert counted, f"seed {seed}: event {n} is gone, and nobody said so"
        else:
            assert by_number[n]["id"] == receipt.id, seed
    spilled = [record["details"] for record in found.records if record["type"] == "audit.spilled"]
    gone = [n for n in life.held if n not in there]
    missing = sum(details.get("missing", 0) for details in spilled)
    assert len(gone) <= missing + sum(last - first + 1 for first, last in voided), f"seed {seed}: held and gone: {gone}"
    for n in set(life.held) & there:
        assert by_number[n]["id"] == life.held[n].id, seed
        if "held" in by_number[n]:
            assert by_number[n]["time"] == by_number[n]["held"]["ts"], seed
    if not life.killed:
        told = sum(lost["count"] for lost in found.lost if lost.get("why") == "dropped")
        gone_too = len(life.dropped - there)
        voids = sum(last - first + 1 for first, last in voided)  # a write was done after all, and a sync took it back
        assert told <= gone_too, f"seed {seed}: dropped"
        assert told + voids >= gone_too or life.told_elsewhere, f"seed {seed}: dropped, and nobody said so"
        order = [n for n in numbers if n in life.recorded or n in life.held]
        assert order == sorted(order) or life.left, f"seed {seed}: out of order"
    left = [path for path in elsewhere.rglob("*") if path.is_file() and not path.name.endswith(".damaged")]
    assert not left, f"seed {seed}: {left}"
    assert verify(life.disk.path, full=True).verdict == "intact", seed
