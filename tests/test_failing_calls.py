"""Any call to the system fails, once or on and on, its work done or not, and another one with it: the promises hold.

The n-th call of a run of tests/workloads.py on the simulated disk is made to fail, for every n. Whoever appends goes
on; when nothing fails any more the same log is appended to, and then opened anew (tests/oracle.py). What fails in one
case is a line such as ``rotate always: 17 write ENOSPC half, until the close``: given by JSONL_AUDIT_FAULT, it alone
is tried.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import workloads
from disk import Chain
from oracle import judge
from simdisk import Mount, OpenFile, SimDisk, edges
from workloads import WORKLOADS, Told, Workload, opened

from jsonl_audit import AuditError, AuditLog, DroppedReceipt, Stats, StorageError
from jsonl_audit.writer import policy, tip, transient

pytestmark = pytest.mark.exhaustive

ERRORS = {
    "close": ("EIO",),
    "duplicate": ("EMFILE",),
    "exists": ("EACCES", "EIO"),
    "free_space": ("EIO",),
    "list_directory": ("EACCES", "EIO", "EMFILE"),
    "lock": ("EIO", "ENOLCK"),
    "lock_again": ("EIO", "ENOLCK"),
    "lstat": ("EACCES", "EIO"),
    "make_directory": ("EACCES", "ENOSPC", "EROFS"),
    "open_append": ("EACCES", "EIO", "EMFILE", "ENOSPC", "EROFS"),
    "open_lock": ("EACCES", "EIO", "EMFILE", "ENOSPC"),
    "open_read": ("EACCES", "EIO", "EMFILE", "ESTALE"),
    "overwrite": ("EIO", "ENOSPC"),
    "read": ("EINTR", "EIO", "ESTALE"),
    "rename": ("EACCES", "EDQUOT", "EIO", "ENOSPC"),
    "replace": ("EACCES", "EDQUOT", "EIO", "ENOSPC"),
    "size": ("EACCES", "EIO"),
    "stat": ("EACCES", "EIO", "ESTALE"),
    "sync": ("EDQUOT", "EIO", "ENOSPC"),
    "sync_directory": ("EACCES", "EIO"),
    "unlink": ("EACCES", "EIO"),
    "unlock": ("EIO", "ENOLCK"),
    "wait_for_lock": ("EIO", "ENOLCK"),
    "write": ("EAGAIN", "EDQUOT", "EFBIG", "EINTR", "EIO", "ENOSPC"),
}
"""What each call may fail with."""
LIES = ("list_directory", "open_append", "open_lock", "open_read", "rename", "replace", "size", "stat", "unlink")
"""Calls that may say once that nothing is there, where something is: network file systems do."""
HOW = {
    "close": ("done",),
    "lock": ("undone",),
    "make_directory": ("undone", "done"),
    "open_append": ("undone", "done"),
    "open_lock": ("undone", "done"),
    "overwrite": ("undone", "done", "half"),
    "rename": ("undone", "done"),
    "replace": ("undone", "done"),
    "sync": ("undone", "done"),
    "sync_directory": ("undone", "done"),
    "unlink": ("undone", "done"),
    "unlock": ("undone", "done"),
    "write": ("undone", "done", "half", "a byte", "all but one"),
}
"""How much of its work the call has done when it fails; of other calls nothing."""
HOWS = ("undone", "done", "half")
SINGLE, PAIRS, CRASHES = 36, 18, 18
"""So many cases of each workload; with `--long` all, and of the pairs so many times more:"""
LONGER = 100
LASTS = ("once", "until the close", "for ever", "all calls until the close", "all calls for ever")


@dataclass(frozen=True)
class Fault:
    """What is to fail: the n-th call of a run, and perhaps the later ones of its kind, or of any."""

    nth: int
    call: str
    error: str
    how: str
    lasts: str = "once"

    def __str__(self) -> str:
        return f"{self.nth} {self.call} {self.error} {self.how}, {self.lasts}"

    @classmethod
    def read(cls, text: str) -> Fault:
        """The fault that is told so."""
        nth, call, error, rest = text.split(" ", 3)
        how, _, lasts = rest.partition(", ")
        return cls(int(nth), call, error, how, lasts)

    @property
    def number(self) -> int:
        """Its errno."""
        return int(getattr(errno, self.error))


class Faults:
    """Stands before the calls of one run, those of its own thread.

    A sync that failed is told, as Linux does it, once to each who had the file open then. To all others, and the next
    time, the system says that all is well, and syncs nothing.
    """

    def __init__(self, mount: Mount, *faults: Fault) -> None:
        self.mount = mount
        self.faults = faults
        self.made: list[str] = []
        self.closing = False
        self.struck = 0
        """How often one struck."""
        self.unsaid = False
        """A sync failed, and then the lock file could not say so: who opens the file anew cannot know."""
        self.unmarked = False
        """The lock file could not be written: it may not say of the last syncs."""
        self._thread = threading.get_ident()
        self._given_up: set[int] = set()
        self._to_be_told: list[OpenFile] = []

    def __call__(self, name: str, args: tuple[Any, ...], go: Callable[[], Any]) -> Any:
        if threading.get_ident() != self._thread:
            return go()
        self.made.append(name)
        for fault in self.faults:
            if self._strikes(fault, name):
                self.struck += 1
                self._fail(fault, name, args, go)
        files = self.mount.disk.open_files
        if name == "sync" and files[args[0]] in self._to_be_told:
            self._to_be_told.remove(files[args[0]])
            raise OSError(self.faults[0].number, os.strerror(self.faults[0].number))
        if name == "sync" and files[args[0]].number in self._given_up:
            return None
        done = go()
        if name == "open_append" and not self.mount.disk.size(done):  # what is written now is new to the system
            self._given_up.discard(files[done].number)
        return done

    def over(self) -> bool:
        """Whether nothing fails any more, now that a log is to be closed."""
        made = len(self.made)
        return not self._to_be_told and all(
            fault.lasts.endswith("until the close") or (fault.lasts == "once" and fault.nth <= made)
            for fault in self.faults
        )

    def _strikes(self, fault: Fault, name: str) -> bool:
        nth = len(self.made)
        if self.closing and fault.lasts.endswith("until the close"):
            return False
        if nth <= fault.nth or fault.lasts == "once":
            return nth == fault.nth
        return name == fault.call or fault.lasts.startswith("all calls")

    def _fail(self, fault: Fault, name: str, args: tuple[Any, ...], go: Callable[[], Any]) -> None:
        disk = self.mount.disk
        how = fault.how if fault.how in HOW.get(name, ("undone",)) else HOW.get(name, ("undone",))[0]
        if name in ("write", "overwrite") and how not in ("undone", "done"):
            part = {"half": len(args[-1]) // 2, "a byte": 1, "all but one": len(args[-1]) - 1}[how]
            getattr(disk, name)(*args[:-1], args[-1][:part])
        elif how == "done":
            done = go()
            if name.startswith("open"):
                disk.close(done)
        self.unmarked |= name == "overwrite"
        self.unsaid |= name == "overwrite" and bool(self._given_up)
        if name == "sync":
            mine = disk.open_files[args[0]]
            self._given_up.add(mine.number)
            self._to_be_told += {each for each in disk.open_files.values() if each.number == mine.number} - {mine}
        raise OSError(fault.number, os.strerror(fault.number), *(arg for arg in args[:1] if isinstance(arg, str)))


def possible(made: list[str]) -> list[Fault]:
    """Every fault of the calls of a run, that strikes once."""
    return [
        Fault(nth, name, error, how)
        for nth, name in enumerate(made, 1)
        for error in (*ERRORS.get(name, ()), *(["ENOENT"] if name in LIES else []))
        for how in HOW.get(name, ("undone",))
    ]


# -- who is told


@dataclass
class ToldOfFaults(Told):
    """What was told in a run in which calls fail; a log is appended to once more before it is closed."""

    faults: Faults | None = None
    dropped: set[int] = field(default_factory=set)
    firm: set[int] = field(default_factory=set)
    """What was promised to be on the disk, by number."""
    doubtful: set[int] = field(default_factory=set)
    """What was acknowledged, and not promised to be on the disk, when something failed."""
    stats: list[Stats] = field(default_factory=list)
    """Of each log, before it was closed."""
    well: bool = False
    """Nothing failed any more when a log was closed."""

    def give(self, log: AuditLog, count: int = 1, *, text: int = 120, always: bool = False) -> None:
        failed = len(self.errors)
        super().give(log, count, text=text)
        for n in self.groups[-1]:
            if isinstance(self.receipts.get(n), DroppedReceipt):
                del self.receipts[n]
                self.dropped.add(n)
        self._came_of_it(failed, always)

    def give_group(self, log: AuditLog, count: int, *, always: bool = False) -> None:
        failed = len(self.errors)
        super().give_group(log, count)
        self._came_of_it(failed, always)

    def ask(self, call: Callable[[], object], *, promises: bool = True) -> None:
        log = getattr(call, "__self__", None)
        if self.faults is not None and isinstance(log, AuditLog) and call == log.close:
            self.faults.closing = True
            self.well, failed = self.faults.over(), len(self.errors)
            self.give(log)
            assert not (self.well and self.errors[failed:]), f"it does not go on: {self.errors[-1]}"
            self.stats.append(log.stats())
            if log._appender.settings.shared and self.faults.struck:
                promises = False  # where it does not know the end any more, it syncs no more what others wrote
        failed = len(self.errors)
        if getattr(call, "__name__", "") == "sync_in_background":
            promises = self._in_background(call)
        else:
            super().ask(call, promises=False)
        self._came_of_it(failed, promises)

    def _in_background(self, call: Any) -> bool:
        """What the thread does that syncs: it tries again. Whether it came to its end."""
        try:
            call()
        except Exception:  # noqa: BLE001 - the thread's own word
            well = False
        else:
            well = not call.__self__.sync_failed
        if not well:
            self.doubtful |= set(self.receipts) - self.firm
        return well

    def _came_of_it(self, failed: int, promised: bool) -> None:
        if len(self.errors) > failed:
            self.doubtful |= set(self.receipts) - self.firm
        elif promised:
            self.promised()

    def promised(self) -> None:
        super().promised()
        self.firm |= set(self.receipts) - self.doubtful

    def excused(self, found: Chain) -> set[int]:
        ranges = [(lost["first_seq"], lost["last_seq"]) for lost in found.lost if "first_seq" in lost]
        unmarked = self.faults is not None and self.faults.unmarked
        doubtful = set(self.receipts) if unmarked else self.doubtful - self.firm
        return {n for n in doubtful if any(low <= self.receipts[n].seq <= high for low, high in ranges)}

    def copy(self) -> ToldOfFaults:
        told = ToldOfFaults(list(self.groups), dict(self.receipts), list(self.errors), self.must)
        told.dropped, told.firm, told.doubtful = set(self.dropped), set(self.firm), set(self.doubtful)
        told.faults = self.faults
        return told


def _policy(mode: str) -> Callable[[Mount, Told], None]:
    def run(_: Mount, told: Told) -> None:
        log = opened(on_error=mode, error_timeout=0.01, max_bytes=2_000)
        for _ in range(3):
            told.give(log, text=300, always=True)
        told.give(log, 3, always=True)
        told.ask(log.flush)
        told.give(log, always=True)
        told.ask(log.close)

    return run


ALL = [*WORKLOADS, *(Workload(mode, _policy(mode)) for mode in ("block", "drop"))]


class Bench:
    """One workload, run again and again from the same disk."""

    def __init__(self, mount: Mount, workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tip, "WATCH", 0)  # it looks with each commit: the calls are the same ones in each run
        monkeypatch.setattr(tip, "SEAL_AGAIN", 0)
        monkeypatch.setattr(policy, "PAUSES", (0.0,) * len(transient.PAUSES))
        self.mount = mount
        self.workload = workload
        self.logs: list[AuditLog] = []
        before = workload.prepared(mount)
        self._before = ToldOfFaults(before.groups, before.receipts, must=before.must)
        if not workload.cached:
            self._before.promised()
        self._begin = mount.disk.copy()
        monkeypatch.setattr(workloads, "opened", self._opened)
        faults, told = self.run()
        assert not told.errors
        self.made = faults.made

    def _opened(self, **options: Any) -> AuditLog:
        self.logs.append(opened(**options))
        return self.logs[-1]

    def run(self, *given: Fault, watch: Callable[[ToldOfFaults], None] = bool) -> tuple[Faults, ToldOfFaults]:
        """Lets calls fail. What was told; each error has to be a documented one. Nothing may be left open."""
        mount = self.mount
        disk = mount.disk = self._begin.copy()
        told = self._before.copy()
        told.faults = mount.fault = faults = Faults(mount, *given)
        disk.watch = lambda _: watch(told)
        try:
            self.workload.run(mount, told)
        except AuditError as error:  # an opening that failed
            told.errors.append(error.with_traceback(None))
            told.doubtful |= set(told.receipts) - told.firm
        finally:
            mount.fault = disk.watch = None
            disk.full.clear()
            while self.logs:
                with contextlib.suppress(AuditError):
                    self.logs.pop().close()
        for error in told.errors:
            assert isinstance(error, StorageError), f"{type(error).__name__}: {error}"
            assert error.path, f"no path: {error}"
            numbers = {fault.number for fault in given}
            if self.workload.name == "spill":
                numbers.add(errno.ENOSPC)
            if errno.ENOENT in numbers:  # a file that was said not to be there, and is
                numbers.add(errno.EEXIST)
            assert error.errno in numbers, f"errno {error.errno}: {error}"
        assert not disk.open_files, f"left open: {[each.path for each in disk.open_files.values()]}"
        return faults, told

    def judge(self, told: ToldOfFaults, disk: SimDisk, *, must: int, torn: int) -> Chain:
        """What has to hold of what lies there. Events that were held may come in late, where nobody could see them."""
        ordered = self.workload.name != "spill"
        return judge(self.mount, disk, self.workload, told, must=must, crashes=torn, in_order=ordered)

    def try_(self, *given: Fault) -> None:
        """A run, and what is there then: all that was acknowledged, and all that was dropped is counted."""
        faults, told = self.run(*given)
        found = self.judge(told, self.mount.disk, must=len(told.receipts), torn=faults.struck)
        if self.workload.name != "drop":
            assert not told.dropped
            assert all(each.lost == 0 or self.workload.name in ("block", "spill") for each in told.stats)
        elif told.well:
            gone = told.dropped - {record["n"] for record in found.events}
            assert sum(lost["count"] for lost in found.lost if "why" in lost) == len(gone)
            assert told.stats[-1].lost >= len(gone)

    def crash(self, chance: random.Random, *given: Fault) -> int:
        """A run in which calls fail, and that a kill or a power cut ends behind that. How many were tried."""
        moments: list[tuple[SimDisk, ToldOfFaults, int]] = []

        def watch(told: ToldOfFaults) -> None:
            if told.faults is not None and told.faults.struck:
                moments.append((self.mount.disk.copy(), told.copy(), told.faults.struck))

        faults, told = self.run(*given, watch=watch)
        moments.append((self.mount.disk, told.copy(), faults.struck))
        disk, told, struck = chance.choice(moments)
        cuts = [] if faults.unsaid else list(disk.power_cuts(sizes=edges, limit=2, chance=chance))
        for killed in disk.kills(lambda sizes: [0, chance.randrange(sizes[-1] + 1), sizes[-1]]):
            self.judge(told, killed, must=len(told.receipts), torn=struck + 1)
        for cut in cuts:
            self.judge(told, cut, must=told.must, torn=struck + 1)
        return 1 + len(cuts)


# -- what is tried


@pytest.fixture(params=ALL, ids=lambda workload: workload.name)
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """One workload after the other."""
    return Bench(Mount(monkeypatch), request.param, monkeypatch)


def lasting(fault: Fault) -> list[Fault]:
    """The fault, for as long as it may last."""
    return [replace(fault, lasts=lasts) for lasts in (LASTS[:1] if fault.error == "ENOENT" else LASTS)]


def drawn(cases: list[Any], count: int, chance: random.Random, long: bool) -> list[Any]:
    """So many of the cases by lot; with `--long` all."""
    return cases if long or count >= len(cases) else chance.sample(cases, count)


@contextlib.contextmanager
def said(bench: Bench, *faults: Fault, seed: int | None = None) -> Iterator[None]:
    """What does not hold is said with what failed, and with the seed of the crash behind it."""
    try:
        yield
    except Exception as error:
        case = f"{bench.workload.name}: {' + '.join(map(str, faults))}{'' if seed is None else f' @ {seed}'}"
        raise AssertionError(f"JSONL_AUDIT_FAULT={case!r}: {error}") from error


def test_any_call_fails(bench: Bench, long: bool, tried: Callable[[str, int], None]) -> None:
    chance = random.Random(bench.workload.name)
    cases = [lasts for fault in possible(bench.made) for lasts in lasting(fault)]
    cases = drawn(cases, SINGLE, chance, long)
    for fault in cases:
        with said(bench, fault):
            bench.try_(fault)
    tried("faults", len(cases))


def test_any_two_calls_fail(bench: Bench, long: bool, tried: Callable[[str, int], None]) -> None:
    chance = random.Random(bench.workload.name)
    count = PAIRS * (LONGER if long else 1)
    every = possible(bench.made)
    for _ in range(count):
        first = chance.choice(lasting(chance.choice(every[: -len(every) // 10]))[:2])
        left = max(2, len(bench.made) - first.nth)  # calls behind it, in a run in which nothing fails
        later = first.nth + chance.randrange(1, min(12, left) if chance.random() < 0.7 else left)
        second = Fault(later, chance.choice(sorted(ERRORS)), "EIO", chance.choice(HOWS), chance.choice(LASTS))
        with said(bench, first, second):
            bench.try_(first, second)
    tried("faults", count)


def test_any_call_fails_and_then_comes_a_crash(bench: Bench, long: bool, tried: Callable[[str, int], None]) -> None:
    chance = random.Random(bench.workload.name)
    cases = [chance.choice(lasting(fault)) for fault in possible(bench.made)]
    count = 0
    for fault in drawn(cases, CRASHES, chance, long):
        seed = chance.randrange(1 << 32)
        with said(bench, fault, seed=seed):
            count += bench.crash(random.Random(seed), fault)
    tried("faults", count)


@pytest.mark.skipif("JSONL_AUDIT_FAULT" not in os.environ, reason="JSONL_AUDIT_FAULT gives no case to repeat")
def test_one_case_again(monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, given = os.environ["JSONL_AUDIT_FAULT"].partition(": ")
    given, _, seed = given.partition(" @ ")
    faults = [Fault.read(text) for text in given.split(" + ")]
    bench = Bench(Mount(monkeypatch), next(each for each in ALL if each.name == name), monkeypatch)
    if seed:
        bench.crash(random.Random(int(seed)), *faults)
    else:
        bench.try_(*faults)
