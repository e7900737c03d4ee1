"""Crashes at every moment: the process killed between any two calls, the power cut with what was not synced gone.

What must hold: every record that was acknowledged is there, in order, in one chain; nothing counts twice; opening is
all the repair that is needed; and a verifier calls none of it tampering.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from disk import CHANGING, Calls, Disk, another_boot, chain

from jsonl_audit import AuditLog, Receipt, storage, verify

pytestmark = [pytest.mark.usefixtures("quick_disk"), pytest.mark.exhaustive]


def work(disk: Disk, tell: Callable[[str], None], **options: Any) -> None:
    """What a writer does in two lives: seals by size and by hand, batches and groups. `tell` hears of each receipt."""

    def heard(receipts: Receipt | list[Receipt]) -> None:
        for receipt in receipts if isinstance(receipts, list) else [receipts]:
            tell(receipt.hash)

    for life in range(2):
        with AuditLog(disk.path, **{"max_bytes": 2500, "sync_interval": 60, **options}) as log:
            heard(log.append("t", n=1, text="x" * 600))
            heard(log.append_many([{"n": n, "text": "y" * 300} for n in range(2, 5)]))
            for n in range(5, 8):
                heard(log.append("t", n=n))
            log.flush()
            heard(log.append_group([{"n": 8}, {"n": 9}]))
            if life:
                log.rotate()
            heard(log.append("t", n=10))


def check(disk: Disk, acknowledged: list[str], *, at_least: int | None = None) -> None:
    """Opening the disk as it lies there gives back what was acknowledged, at least the first `at_least` of it."""
    if any(path.suffix == ".jsonl" or path == disk.next for path in disk.folder.iterdir()):
        verdict = verify(disk.path, full=True).verdict if disk.path.exists() or disk.sealed() else "nothing yet"
        assert verdict in ("intact", "torn", "nothing yet")
    with disk.open() as log:
        log.append("t", n=99)
    found = chain(disk)
    assert not any(found.damage)
    hashes = [r["hash"] for r in found.events]
    kept = [one for one in hashes if one in set(acknowledged)]
    if at_least is None:
        assert kept == acknowledged
    else:
        assert kept == acknowledged[: len(kept)]
        assert len(kept) >= at_least
    assert len(set(hashes)) == len(hashes)
    with disk.open() as log:
        assert not log.notes
    report = verify(disk.path, full=True)
    assert report.verdict == "intact", report.findings


# -- the process is killed


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_killed_between_any_two_calls(disk: Disk, calls: Calls, tmp_path: Path, fsync: str) -> None:
    acknowledged: list[str] = []
    states: list[tuple[Disk, int]] = []

    def before(name: str, args: tuple[Any, ...]) -> None:
        if name not in CHANGING:
            return
        states.append((disk.copy(tmp_path / str(len(states))), len(acknowledged)))
        if name == "write":
            path = Path(os.readlink(f"/proc/self/fd/{args[0]}"))
            for size in {1, len(args[1]) // 2, len(args[1]) - 1}:
                copy = disk.copy(tmp_path / str(len(states)))
                copy.grow(args[1][:size], copy.folder / path.name)
                states.append((copy, len(acknowledged)))

    if not os.path.exists("/proc/self/fd"):
        pytest.skip("no /proc here")
    calls.before = before
    work(disk, acknowledged.append, fsync=fsync)
    calls.before = None
    states.append((disk, len(acknowledged)))
    assert len(states) > 100
    for state, count in states:
        check(state, acknowledged[:count])


def test_killed_between_any_two_calls_of_recovery_itself(disk: Disk, calls: Calls, tmp_path: Path) -> None:
    """A torn end, and the power fails again and again while it is dealt with."""
    acknowledged: list[str] = []
    work(disk, acknowledged.append, fsync="never")
    disk.forget().grow(b'{"seq":')
    states: list[Disk] = []
    seen: set[tuple[tuple[str, bytes], ...]] = set()

    def before(name: str, _: tuple[Any, ...]) -> None:
        if name in CHANGING and len(states) < 200:
            found = tuple(sorted(disk.content().items()))
            if found not in seen:
                seen.add(found)
                states.append(disk.copy(tmp_path / str(len(states))))

    calls.before = before
    disk.open().close()
    calls.before = None
    for state in states:
        state.forget()
        check(state, acknowledged)
    assert len(states) > 4


# -- the power is cut


class Power:
    """A disk that keeps what was synced, and of the rest what it likes.

    A file's bytes are durable up to its last sync, a name from the sync of its folder on. Everything later may be there
    or not: of the changes of names any, in their order or not, and of bytes all, none, the first half, or the last with
    a hole of lost blocks before it.
    """

    def __init__(self, disk: Disk, calls: Calls, tmp_path: Path) -> None:
        self.disk = disk
        self.tmp_path = tmp_path
        self.bytes: dict[int, bytes] = {}
        self.names: dict[str, int] = {}
        self.changes: list[dict[str, int | None]] = []  # of names, since the last sync of the folder
        self.last: dict[str, int] = {}
        self.count = 0
        calls.after = self._after

    def _listing(self) -> dict[str, int]:
        if not self.disk.folder.exists():
            return {}
        return {path.name: path.stat().st_ino for path in self.disk.folder.iterdir()}

    def _after(self, name: str, args: tuple[Any, ...], _: Any) -> None:
        if name == "sync":
            inode = os.fstat(args[0]).st_ino
            self.bytes[inode] = Path(os.readlink(f"/proc/self/fd/{args[0]}")).read_bytes()
        listing = self._listing()
        if listing != self.last:
            names = {*listing, *self.last}
            self.changes.append({n: listing.get(n) for n in names if listing.get(n) != self.last.get(n)})
            self.last = listing
        if name == "sync_directory":
            self.names, self.changes = listing, []

    def _which_names(self) -> Iterator[dict[str, int]]:
        for which in itertools.product((True, False), repeat=len(self.changes)):
            names: dict[str, int | None] = {**self.names}
            for change in itertools.compress(self.changes, which):
                names.update(change)
            yield {name: inode for name, inode in names.items() if inode is not None}

    def cuts(self) -> Iterator[Disk]:
        """What may lie there if the power were cut now."""
        content = {path.stat().st_ino: path.read_bytes() for path in self.disk.folder.iterdir()}
        kinds = [self._all, self._none, self._half, self._holed]
        if all(self.bytes.get(inode) == content[inode] for inode in content if inode != self.disk.lock.stat().st_ino):
            kinds = [self._all]
        for names in self._which_names():
            for kind in kinds:
                for mark in (True, False):
                    folder = self.tmp_path / f"cut{self.count}"
                    self.count += 1
                    folder.mkdir()
                    for name, inode in names.items():
                        if inode not in content:  # a name that was given to another file since
                            continue
                        if name == self.disk.lock.name:
                            (folder / name).write_bytes(content[inode] if mark else b"")
                        else:
                            (folder / name).write_bytes(kind(self.bytes.get(inode, b""), content[inode]))
                    yield Disk(folder, self.disk.path.name)

    @staticmethod
    def _all(_: bytes, now: bytes) -> bytes:
        return now

    @staticmethod
    def _none(durable: bytes, _: bytes) -> bytes:
        return durable

    @staticmethod
    def _half(durable: bytes, now: bytes) -> bytes:
        return now[: len(durable) + (len(now) - len(durable)) // 2]

    @staticmethod
    def _holed(durable: bytes, now: bytes) -> bytes:
        """The first block behind what is durable is lost, the later ones are there."""
        start = len(durable)
        stop = (start // 512 + 1) * 512
        return now if stop >= len(now) else durable + bytes(stop - start) + now[stop:]


def cut_while(
    disk: Disk,
    calls: Calls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    writing: Callable[[Callable[[str], None]], None],
    *,
    always: Callable[[], bool],
    least: Callable[[], int] = int,
) -> int:
    """Cuts the power before each call that `writing` makes; how many different disks that left.

    Where `always` says so, all that was acknowledged must be there, else all up to the last sync, and at least `least`.
    """
    if not os.path.exists("/proc/self/fd"):
        pytest.skip("no /proc here")
    acknowledged: list[str] = []
    safe = [0]
    power = Power(disk, calls, tmp_path)
    seen: set[int] = set()
    tried = 0

    def before(name: str, _: tuple[Any, ...]) -> None:
        nonlocal tried
        if name not in CHANGING or not disk.folder.exists() or not disk.lock.exists():
            return
        hook, calls.before, after, calls.after = calls.before, None, calls.after, None
        with another_boot(monkeypatch):
            for state in power.cuts():
                key = hash((len(acknowledged), *sorted((p.name, p.read_bytes()) for p in state.folder.iterdir())))
                if key not in seen:
                    seen.add(key)
                    tried += 1
                    check(state, acknowledged, at_least=None if always() else max(safe[0], least()))
                shutil.rmtree(state.folder)
        calls.before, calls.after = hook, after

    real = calls.after
    assert real is not None

    def after(name: str, args: tuple[Any, ...], result: Any) -> None:
        real(name, args, result)
        if name == "sync" and ".next" not in os.readlink(f"/proc/self/fd/{args[0]}"):
            safe[0] = len(acknowledged)

    calls.before, calls.after = before, after
    writing(acknowledged.append)
    calls.before = calls.after = None
    return tried


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_the_power_cut_at_any_moment(
    disk: Disk, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: str
) -> None:
    def writing(tell: Callable[[str], None]) -> None:
        work(disk, tell, fsync=fsync)

    assert cut_while(disk, calls, tmp_path, monkeypatch, writing, always=lambda: fsync == "always") > 100


@pytest.mark.parametrize("torn", [b"", b'{"seq":'], ids=["whole", "torn"])
def test_the_power_cut_at_any_moment_after_another_writer_was_killed(
    disk: Disk, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bytes
) -> None:
    """What the dead left was never synced: it is, before anything is built on it."""
    living = False

    def writing(tell: Callable[[str], None]) -> None:
        nonlocal living
        dead = disk.open(fsync="never")
        for n in range(4):
            tell(dead.append("t", n=n, text="x" * 400).hash)
        dead._appender._tip.let_go()  # as the kernel does
        disk.grow(torn)
        with disk.open(fsync="always", max_bytes=3000) as log:
            for n in range(4, 8):
                receipt = log.append("t", n=n, text="x" * 400)
                living = True
                tell(receipt.hash)

    assert cut_while(disk, calls, tmp_path, monkeypatch, writing, always=lambda: living) > 20


# -- and for real


ROUNDS = 200
KILLED = """
import json, os, random, signal, sys, time
import portalocker, logging  # here, so that the children need not
from jsonl_audit import AuditLog

path, rounds, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
acknowledged = []
for number in range(rounds):
    readable, writable = os.pipe()
    fsync = chance.choice(["never", "never", "interval", "always"])
    child = os.fork()
    if child == 0:
        os.close(readable)
        with AuditLog(path, max_bytes=4000, fsync=fsync, sync_interval=0.002) as log:
            for n in range(1_000_000):
                if n % 7 == 3:
                    made = log.append_many([{"text": "x" * chance.randrange(300)} for _ in range(4)])
                elif n % 31 == 30:
                    log.rotate()
                    continue
                else:
                    made = [log.append("t", text="y" * chance.randrange(900))]
                os.write(writable, "".join(r.hash + "\\n" for r in made).encode())
    os.close(writable)
    time.sleep(chance.random() ** 2 * 0.04)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(readable) as pipe:
        acknowledged += pipe.read().split()
json.dump(acknowledged, sys.stdout)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_at_random_moments_no_acknowledged_record_is_lost(disk: Disk) -> None:
    seed = int.from_bytes(os.urandom(4), "big") if not os.environ.get("CI") else 1
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(disk.path), str(ROUNDS), str(seed)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    acknowledged: list[str] = json.loads(done.stdout)
    with disk.open() as log:
        log.append("t")
    found = chain(disk)
    assert not any(found.damage), seed
    hashes = [r["hash"] for r in found.events]
    assert [one for one in hashes if one in set(acknowledged)] == acknowledged, seed
    assert not found.lost
    assert verify(disk.path, full=True).verdict == "intact"
    assert acknowledged  # how many, the machine's load decides
    assert len([torn for torn in found.torn if torn]) <= ROUNDS


def test_a_process_killed_in_the_middle_of_a_write_leaves_one_torn_end(disk: Disk) -> None:
    script = """
import os, signal, sys
from jsonl_audit import AuditLog
log = AuditLog(sys.argv[1], fsync="never")
log.append("t", n=1)
real = os.write
def write(fd, data):
    real(fd, bytes(data)[:150])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = write
log.append("t", n=2)
"""
    for n in range(3):
        done = subprocess.run([sys.executable, "-c", script, str(disk.path)], stdin=subprocess.DEVNULL)
        assert done.returncode == -signal.SIGKILL
        with disk.open() as log:
            assert "crash" in " ".join(log.notes)
            log.append("t", n=10 + n)
    found = chain(disk)
    assert [r["n"] for r in found.events] == [1, 10, 1, 11, 1, 12]
    assert [torn and torn["bytes"] for torn in found.torn] == [150] * 3


def test_the_lock_helper_of_storage_sees_the_dead(disk: Disk) -> None:
    disk.make(1)
    assert not storage.probe(str(disk.lock))
    with disk.open():
        assert storage.probe(str(disk.lock))
    assert not storage.probe(str(disk.lock))
