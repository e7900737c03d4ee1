"""Everything at once, for as long as you like: the log must keep all that it promised, and nobody may be told a lie.

A command, from the top of a clone::

    python tests/soak.py --minutes 30

Writers of every kind (processes and threads, each mode of `fsync`, each policy, alone in turn or sharing the log, some
through `logging`), a reader, a follower and a verifier live on a small disk, which is filled and freed again and again;
segments are sealed and purged; writers are killed, stopped and interrupted wherever they happen to be. In rounds: at
the end of each, all is brought to rest and judged. What was acknowledged stands outside of the log, and what is purged
is copied before, so that every record ever written is judged: each promise is kept, no event is there twice, those of
one writer are in its order, the chain is whole, the follower saw what is there.

A few seconds of it are a part of the tests. Where anything is wrong, it ends with exit status 1, and the folder stays.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soakers
from disk import Disk, chain
from sharers import PATIENCE, Promises, SmallDisk, doubled, ended, lost, out_of_order

from jsonl_audit import AuditLog, storage, verify

__all__ = ["soak"]

BALLAST = 8
"""One part in so many of the disk never belongs to the log, but when nothing else helps: a log that has filled its
disk has no room for the record of a purge."""


class Trouble(Exception):  # noqa: N818 - it says what is wrong with the log, not with the soak
    """Something is there that may not be."""


# -- the disk


class Tmpfs:
    """A small disk of its own, mounted for the soak; a file on it takes up what the log is not to have."""

    kind = "a tmpfs"

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self._size = size
        self._hog = folder / "hog"

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={self._size}", "tmpfs", str(self.folder)]
        subprocess.run(mount, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(self.folder)], check=True, stdin=subprocess.DEVNULL)

    def fill(self, leave: int) -> None:
        """Leaves so many bytes free."""
        with self._hog.open("ab", buffering=0) as file:
            found = os.statvfs(self.folder)
            with contextlib.suppress(OSError):
                file.write(bytes(max(0, found.f_bavail * found.f_frsize - leave)))

    def free(self, *, all_of_it: bool = False) -> None:
        """Gives the log its room back."""
        with self._hog.open("ab") as file:
            file.truncate(0 if all_of_it else min(self._hog.stat().st_size, self._size // BALLAST))


class Simulated:
    """The same where nothing can be mounted: what is written to the log's folder is counted, and cut."""

    kind = "a simulated disk, since no file system can be mounted here"

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self._size = size
        self._disk = SmallDisk(folder / "log", folder / "room")

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        self.free()
        with pytest.MonkeyPatch.context() as patch:
            self._disk.begin(patch)
            yield

    def fill(self, leave: int) -> None:
        used = 0
        for entry in os.scandir(self.folder / "log"):
            with contextlib.suppress(FileNotFoundError):
                used += entry.stat().st_size
        self._disk.has(used + leave)

    def free(self, *, all_of_it: bool = False) -> None:
        self._disk.has(self._size if all_of_it else self._size - self._size // BALLAST)


class Filling:
    """Fills the disk and frees it, by turns."""

    def __init__(self, disk: Tmpfs | Simulated, chance: random.Random, pace: float) -> None:
        self._disk = disk
        self._chance = chance
        self._pace = pace
        self._full = False
        self._next = time.monotonic() + pace * chance.random()
        self.times = 0

    def look(self) -> None:
        """Does what is due now."""
        now = time.monotonic()
        if now < self._next:
            if self._full:  # what the log itself gave back meanwhile
                self._disk.fill(0)
            return
        self._full = not self._full
        self._next = now + self._pace * self._chance.random() * (0.4 if self._full else 1)
        if self._full:
            self.times += 1
            self._disk.fill(self._chance.choice((0, 5_000, 60_000)))
        else:
            self._disk.free(all_of_it=self._chance.random() < 0.3)

    def end(self) -> None:
        """Leaves it free."""
        self._disk.free(all_of_it=True)
        self._full = False


# -- the long-lived


class Growth:
    """How much memory, and how many descriptors, the processes have that live as long as the soak."""

    def __init__(self, processes: dict[str, int]) -> None:
        self._processes = processes
        self._seen: dict[str, list[tuple[int, int]]] = {name: [] for name in processes}
        self._next = 0.0

    def look(self) -> None:
        """Once a second, where there is a /proc."""
        if time.monotonic() < self._next or not os.path.isdir("/proc/self/fd"):
            return
        self._next = time.monotonic() + 1
        for name, process in self._processes.items():
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            descriptors = len(os.listdir(f"/proc/{process}/fd"))
            self._seen[name].append((pages * os.sysconf("SC_PAGE_SIZE") // 1024, descriptors))

    def figures(self) -> dict[str, Any]:
        """Of the second fifth of the time, and of the last: kB resident, and descriptors."""
        told = {}
        for name, seen in self._seen.items():
            fifth = len(seen) // 5
            if fifth:
                early, late = seen[fifth : 2 * fifth], seen[-fifth:]
                told[name] = {
                    "kB": [max(kb for kb, _ in part) for part in (early, late)],
                    "descriptors": [max(fds for _, fds in part) for part in (early, late)],
                }
        return told

    def wrong(self) -> list[str]:
        """What did not stay flat, in a soak that was long enough to tell."""
        told = []
        for name, figures in self.figures().items():
            if len(self._seen[name]) >= 300:
                for what, slack in (("kB", 16_384), ("descriptors", 8)):
                    early, late = figures[what]
                    if late > early + slack:
                        told.append(f"the {name} grew from {early} to {late} {what}")
        return told


# -- the soak


class Soak:
    """One soak, from the first round to the last."""

    def __init__(self, folder: Path, disk: Tmpfs | Simulated, *, writers: int, size: int, seed: int) -> None:
        self.folder = folder
        self._chance = random.Random(seed)
        self._disk = disk
        self._size = size
        self._writers = writers
        lanes = soakers.THREADS * (writers + 1) + 3
        (disk.folder / "log").mkdir()
        self.place = soakers.Place(Disk(disk.folder / "log"), folder, soakers.Counts(lanes))
        for path in (self.place.promises, self.place.archive, self.place.wrong):
            path.mkdir()
        self._running: dict[int, int] = {}  # writers: the process of each lane
        self._others: dict[str, int] = {}
        self._stopped: dict[int, float] = {}  # until when
        self._shared = True
        self._round = self._begun = 0
        self._judged, self._head = 0, "0" * 64
        self.figures = {"rounds": 0, "writers": 0, "killed": 0, "stopped": 0, "interrupted by a signal": 0,
                        "times the disk was full": 0, "records judged": 0, "events there": 0, "promises judged": 0,
                        "lost": 0, "doubled": 0, "brought in twice": 0}  # fmt: skip
        self._growth: Growth | None = None

    def begin(self) -> None:
        """Makes the log, and starts those who live as long as the soak."""
        with AuditLog(self.place.disk.path):
            pass
        first = soakers.THREADS * (self._writers + 1)
        seeds = [self._chance.random() for _ in range(4)]
        plans = random.Random(seeds[0])
        drawn = plans.random()

        def plan(number: int) -> soakers.Plan:
            return soakers.Plan.drawn(random.Random(drawn + number), shared=self._is_shared(number), size=self._size)

        self._others = {
            "steady writer": soakers.steady(self.place, plan, soakers.THREADS * self._writers, seeds[1]),
            "reader": soakers.reader(self.place, first, seeds[2]),
            "follower": soakers.follower(self.place, first + 1, seeds[3]),
            "verifier": soakers.verifier(self.place, first + 2),
        }
        self._growth = Growth({"soak itself": os.getpid(), **self._others})

    @staticmethod
    def _is_shared(number: int) -> bool:
        return number % 3 != 2

    def round(self, seconds: float, say: Callable[[str], None], over: Callable[[], bool]) -> None:
        """Lets them all go, kills, fills, and then judges what is there. Raises Trouble."""
        counts, chance = self.place.counts, self._chance
        self._round += 1
        self._shared = self._is_shared(self._round)
        counts[soakers.ROUND] = self._round
        filling = Filling(self._disk, chance, min(6.0, seconds / 2))
        every = chance.choice((0.03, 0.1, 0.3))
        end = time.monotonic() + seconds
        for lane in range(self._writers):
            self._start(lane)
        while time.monotonic() < end and not over():
            time.sleep(every * chance.random() * 2)
            filling.look()
            self._strike()
            self._watch()
            say(self.line())
        filling.end()
        self.figures["times the disk was full"] += filling.times
        self._rest()
        self._judge()
        self.figures["rounds"] += 1

    def line(self) -> str:
        """How it stands."""
        totals = self.place.counts.totals()
        return (
            f"round {self._round} ({'shared' if self._shared else 'one at a time'}): "
            f"{totals['acknowledged']:,} acknowledged, {totals['held']:,} held, {totals['followed']:,} followed, "
            f"{totals['verifications']:,} verifications, {self.figures['killed']:,} kills"
        )

    def _start(self, lane: int) -> None:
        self._begun += 1
        plan = soakers.Plan.drawn(self._chance, shared=self._shared, size=self._size)
        who = f"{self._round}.{self._begun}"
        self.figures["writers"] += 1
        self._running[lane] = soakers.writer(self.place, plan, who, lane * soakers.THREADS, self._chance.random())

    def _strike(self) -> None:
        """Kills a writer and puts another in its place; or stops it for a while; or interrupts it, as Ctrl-C does."""
        now = time.monotonic()
        for process, until in list(self._stopped.items()):
            if now >= until:
                del self._stopped[process]
                os.kill(process, signal.SIGCONT)
        what = self._chance.random()
        lane = self._chance.randrange(self._writers)
        process = self._running[lane]
        if what < 0.5:
            self._kill(lane)
            self._start(lane)
        elif what < 0.8:
            if self._chance.random() < 0.3:
                process = self._chance.choice([*self._others.values()])
            self._stopped[process] = now + self._chance.random() * 0.5
            os.kill(process, signal.SIGSTOP)
            self.figures["stopped"] += 1
        else:
            os.kill(self._chance.choice([process, self._others["steady writer"]]), signal.SIGINT)
            self.figures["interrupted by a signal"] += 1

    def _kill(self, lane: int) -> None:
        process = self._running.pop(lane)
        os.kill(process, signal.SIGKILL)
        self._stopped.pop(process, None)
        status = ended(process)
        if status != -signal.SIGKILL:
            raise Trouble(f"a writer ended by itself: {status}")
        self.figures["killed"] += 1

    def _watch(self) -> None:
        """Nobody ends by himself."""
        if self._growth is not None:
            self._growth.look()
        for name, processes in (("a writer", self._running), *((name, {0: one}) for name, one in self._others.items())):
            for key, process in list(processes.items()):
                done, status = os.waitpid(process, os.WNOHANG)
                if done:
                    processes.pop(key)
                    self._others = {other: one for other, one in self._others.items() if one != process}
                    self._stopped.pop(process, None)
                    code = os.waitstatus_to_exitcode(status)
                    why = "it made no step for long, or" if code == -signal.SIGALRM else "it"
                    raise Trouble(f"{name} ended by itself: {why} found what may not be (status {code})")

    def _rest(self) -> None:
        """Some of the writers close the log, the others are killed; the rest come to rest."""
        for process in self._stopped:
            os.kill(process, signal.SIGCONT)
        self._stopped.clear()
        polite = [lane for lane in self._running if self._chance.random() < 0.6]
        for lane in polite:
            os.kill(self._running[lane], signal.SIGTERM)
        for lane in polite:
            self._ended(self._running.pop(lane), "writer")
        for lane in list(self._running):
            self._kill(lane)
        counts = self.place.counts
        counts[soakers.ROUND] = 0
        self._until(lambda: counts[soakers.RESTED] == self._round, "the steady writer comes to no rest")

    def _ended(self, process: int, name: str) -> None:
        """Waits for one that was told to end."""
        end = time.monotonic() + PATIENCE
        done = status = 0
        while not done:
            done, status = os.waitpid(process, os.WNOHANG)
            if time.monotonic() > end:
                self._others[name] = process  # so that it is killed
                raise Trouble(f"the {name}, process {process}, was told to end, and does not")
            time.sleep(0.001)
        if status:
            raise Trouble(f"the {name}, process {process}, was told to end, and ended with {status}")

    def _until(self, done: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            self._watch()
            if time.monotonic() > end:
                raise Trouble(otherwise)
            time.sleep(0.002)

    # -- judging

    def _judge(self) -> None:
        place = self.place
        disk = place.disk
        with AuditLog(disk.path, fsync="never", on_error="spill", spill_path=place.spill, lock_timeout=0) as log:
            log.flush()  # nobody has the lock, a torn end is sealed, and what was held elsewhere comes in
            if log.stats().held or log.stats().last_error:
                raise Trouble(f"what was held is not in the log: {log.stats()}")
        left = [path for path in place.spill.rglob("*") if path.is_file()]
        if left:
            raise Trouble(f"spill logs are left, though nobody has them: {left}")
        report = verify(disk.path, full=True)
        if report.verdict != "intact":
            raise Trouble(str(report))
        there = chain(self._whole())
        if self._judged and self._head not in {record["hash"] for record in there.records}:
            raise Trouble(f"the chain does not go on from seq {self._judged}, where the round before ended")
        fresh = [record for record in there.events if record["seq"] > self._judged]
        fresh = self._without_excused(fresh, there.records)
        last = there.records[-1]
        counts = place.counts
        self._until(
            lambda: (counts[soakers.FOLLOWED], counts[soakers.HEAD]) == (last["seq"], int(last["hash"][:16], 16)),
            f"the follower does not come to the last record, seq {last['seq']}",
        )
        self._keep_promises(fresh)
        self.figures["records judged"] += last["seq"] - self._judged
        self.figures["events there"] += len(fresh)
        self._judged, self._head = last["seq"], last["hash"]
        self._forget()

    def _without_excused(self, fresh: list[dict[str, Any]], records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Without the second of two copies that the documentation allows: of an event that was held elsewhere, where
        the segment that shows the first was purged before anybody could look whether it is there."""
        purges = [
            (record["seq"], record["details"]["through"]["last_seq"])
            for record in records
            if record["type"] == "audit.purged"
        ]
        first: dict[str, dict[str, Any]] = {}
        left = []
        for record in fresh:
            before = first.setdefault(record["id"], record)
            if before is not record and "held" in record:
                seq = record["seq"]
                if any(before["seq"] <= through and at < seq for at, through in purges):
                    self.figures["brought in twice"] += 1
                    continue
            left.append(record)
        return left

    def _keep_promises(self, fresh: list[dict[str, Any]]) -> None:
        wrong = doubled(fresh)
        self.figures["doubled"] += len(wrong)
        # What was held comes in the order of its spill log; a dead process may have left two, to two who live.
        wrong += out_of_order({**each, "who": (each["who"], each.get("held", {}).get("log"))} for each in fresh)
        ids = {record["extra"]["id"] if "extra" in record else record["id"] for record in fresh}
        gone = []
        for path in self.place.promises.iterdir():
            kept = Promises(path)
            promised = kept.kept()
            kept.close()
            self.figures["promises judged"] += len(promised)
            if path.name.endswith(" held"):
                gone += [(path.name, each) for each in promised if each[1] not in ids]
            else:
                gone += [(path.name, each) for each in lost(fresh, promised)]
        self.figures["lost"] += len(gone)
        if wrong or gone:
            raise Trouble(f"twice or out of order: {wrong[:5]}; promised and not there: {gone[:5]}")

    def _whole(self) -> Disk:
        """The log with what was purged of it in this round."""
        whole = Disk(self.folder / "whole")
        whole.folder.mkdir()
        for folder in (self.place.archive, self.place.disk.folder):
            for path in folder.glob("*.jsonl"):
                with contextlib.suppress(FileExistsError):  # copied, and then whoever did it was killed
                    (whole.folder / path.name).symlink_to(path)
        return whole

    def _forget(self) -> None:
        """All up to here is judged, and need not be read again."""
        with AuditLog(self.place.disk.path, fsync="never") as log:
            log.rotate()
            log.purge(keep=1, reason="judged")
        for folder in (self.folder / "whole", self.place.promises, self.place.archive):
            for path in folder.iterdir():
                path.unlink()
        (self.folder / "whole").rmdir()

    def end(self) -> dict[str, Any]:
        """Ends them all. Returns what it came to. Raises Trouble."""
        assert self._growth is not None
        grown, wrong = self._growth.figures(), self._growth.wrong()
        for name, process in self._others.items():
            os.kill(process, signal.SIGCONT)
            os.kill(process, signal.SIGTERM)
            self._ended(process, name)
        if wrong:
            raise Trouble("; ".join(wrong))
        return {"grown": grown}

    def told(self) -> dict[str, Any]:
        """All figures."""
        return {**self.place.counts.totals(), **self.figures}

    def kill_all(self) -> None:
        """Whatever happens, nobody stays behind."""
        for process in (*self._running.values(), *self._others.values()):
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(process, signal.SIGKILL)
                ended(process)


def soak(
    folder: Path,
    *,
    seconds: float,
    writers: int = 4,
    disk_mb: float = 8,
    seed: int = 0,
    simulated: bool = False,
    say: Callable[[str], None] = lambda _: None,
    over: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Soaks a log for so long; what it came to, in figures. Raises Trouble; then all that there is lies in `folder`."""
    small = folder / "small"
    small.mkdir()
    size = int(disk_mb * 2**20)
    disk: Tmpfs | Simulated = Simulated(small, size) if simulated else Tmpfs(small, size)
    began = time.monotonic()
    with disk.mounted(), noted(folder / "notes"), pytest.MonkeyPatch.context() as patch:
        run = Soak(folder, disk, writers=writers, size=size, seed=seed)
        patch.setattr(storage, "unlink", soakers.keeping_what_is_purged(run.place))
        try:
            run.begin()
            while (left := began + seconds - time.monotonic()) > 0 and not over():
                length = min(left, max(1.0, min(15.0, seconds / 4)))
                run.round(length, lambda line: say(f"{began + seconds - time.monotonic():.0f} s left, {line}"), over)
            figures = run.end()
        except BaseException:
            run.kill_all()
            for name, what in (("disk as it was", small), ("whole as it was", folder / "whole")):
                if what.exists():  # links are followed: what they lead to is gone with the disk
                    shutil.copytree(what, folder / name)
            (folder / "figures.json").write_text(json.dumps(run.told(), indent=1))
            raise
        return {**run.told(), **figures, "disk": disk.kind, "seconds": round(time.monotonic() - began), "seed": seed}


@contextlib.contextmanager
def noted(path: Path) -> Iterator[None]:
    """What the logs say of themselves goes to a file, with who said it."""
    logger, handler = logging.getLogger("jsonl_audit"), logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(process)d %(message)s", "%H:%M:%S"))
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)
        handler.close()


def can_mount(folder: Path) -> bool:
    """Whether a file system can be mounted here."""
    try:
        with Tmpfs(folder, 1 << 20).mounted():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


# -- the command


def report(figures: dict[str, Any]) -> str:
    """What it came to, for a person."""
    f = figures
    refused = f["refused for want of space"] + f["refused for the lock"]
    unanswered = f["attempted"] - f["acknowledged"] - f["held"] - f["logged"] - refused
    said = f"""
{f["seconds"]:,} s, seed {f["seed"]}, on {f["disk"]}
attempted     {f["attempted"]:>12,} events, by {f["writers"]:,} writers in {f["rounds"]:,} rounds
acknowledged  {f["acknowledged"]:>12,}
held          {f["held"]:>12,} elsewhere, and brought in since
logged        {f["logged"]:>12,} through `logging`, which gives no receipt
refused       {refused:>12,}, {f["refused for want of space"]:,} for want of space, the others for the lock
unanswered    {unanswered:>12,}, since their writer was killed or interrupted; or refused and recorded in part
survived      {f["events there"]:>12,} events; {f["promises judged"]:,} were promised
lost          {f["lost"]:>12,}
doubled       {f["doubled"]:>12,}; and {f["brought in twice"]:,} that were held elsewhere, and purged unseen
followed      {f["followed"]:>12,} records, each once and in order; {f["purged before they were followed"]:,} more were
              purged before, and that was said; of {f["records judged"]:,} the chain was judged
verified      {f["verifications"]:>12,} times beside them, without a false alarm; {f["torn ends seen"]:,} torn ends seen
read          {f["reads"]:>12,} times, without a gap
writers were killed {f["killed"]:,} times, stopped {f["stopped"]:,}, interrupted {f["interrupted by a signal"]:,};
they opened the log {f["opened"]:,} times, were kept out by another {f["kept out"]:,} times;
sealed by hand {f["sealed by hand"]:,} times, purged by hand {f["purged by hand"]:,} times
the disk was full {f["times the disk was full"]:,} times; no space to open {f["not opened for want of space"]:,} times
""".strip()
    lines = [
        f"the {name}: {grown['kB'][0]:,} kB early, {grown['kB'][1]:,} late; descriptors {grown['descriptors']}"
        for name, grown in f["grown"].items()
    ]
    return "\n".join((said, *lines))


WHERE = """
All that there is lies in {folder}:
`disk as it was` is the log, `whole as it was` has what was purged of it too, `promises` what was acknowledged,
`wrong` what a process found that may not be, `notes` what the logs said of themselves. Begin with

    jsonl-audit verify --full '{folder}/disk as it was/log/audit.jsonl'

and look whether it comes again: python tests/soak.py --seed {seed}"""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--writers", type=int, default=4, help="processes that write at once, and may be killed (4)")
    parser.add_argument("--disk-mb", type=float, default=8.0, help="the size of the disk (8)")
    parser.add_argument("--seed", type=int, default=None, help="what is drawn: who is killed, when the disk is full")
    parser.add_argument("--simulated", action="store_true", help="no disk of its own, also where one can be mounted")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    given = parser.parse_args()
    seed = int.from_bytes(os.urandom(4), "big") if given.seed is None else given.seed
    told: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: told.append(number))
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    simulated = given.simulated or not can_mount(folder)
    try:
        figures = soak(
            folder, seconds=60 * given.minutes, writers=given.writers, disk_mb=given.disk_mb, seed=seed,
            simulated=simulated, say=_progress(), over=lambda: bool(told),
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - whatever it is, it may not be
        where = WHERE.format(folder=folder, seed=seed)
        print(f"\nWRONG, seed {seed}: {type(error).__name__}: {error}{where}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(json.dumps(figures) if given.json else report(figures))
    return 0


def _progress() -> Callable[[str], None]:
    if not sys.stderr.isatty():
        return lambda _: None
    last = [0.0]

    def say(line: str) -> None:
        if time.monotonic() - last[0] > 0.5:
            last[0] = time.monotonic()
            sys.stderr.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
            sys.stderr.flush()

    return say


if __name__ == "__main__":
    sys.exit(main())
