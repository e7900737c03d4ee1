"""The kernel itself says no: strace makes the n-th system call of a writer fail, or kills the writer within it.

A writer is a forked child, which tells its parent what it is about to append and what it was promised. It runs once
undisturbed: each call on the log's folder that is seen then is made to fail in a run of its own. When the fault is
over, whoever opens the log finds all that was promised, once, in order, and nothing but what was given.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from disk import Disk, chain
from sharers import ended, start

from jsonl_audit import AuditError, AuditLog, Receipt, verify
from jsonl_audit.writer import tip

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

ERRORS = {
    "fchmod": ("EPERM", "EIO"),
    "chmod": ("EPERM", "EIO"),
    "fdatasync": ("EIO", "ENOSPC", "EDQUOT"),
    "flock": ("ENOLCK", "EIO"),
    "fstat": ("EIO",),
    "fsync": ("EIO", "ENOSPC"),
    "getdents64": ("EIO",),
    "lstat": ("EACCES", "EIO"),
    "mkdir": ("EACCES", "ENOSPC"),
    "newfstatat": ("EACCES", "EIO", "ENOMEM"),
    "openat": ("EACCES", "EIO", "EMFILE", "ENOSPC"),
    "pread64": ("EIO", "EINTR"),
    "pwrite64": ("EIO", "ENOSPC"),
    "rename": ("EACCES", "EIO", "ENOSPC"),
    "stat": ("EACCES", "EIO"),
    "statfs": ("EIO",),
    "unlink": ("EACCES", "EIO"),
    "write": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
}
"""What each call may fail with. Not with ENOENT where a file is there: that would be no failure but a lie."""
OTHER_NAMES = {
    "fchmodat": "chmod",
    "mkdirat": "mkdir",
    "renameat": "rename",
    "renameat2": "rename",
    "unlinkat": "unlink",
}
"""What some machines call them."""
WATCHED = ",".join(f"?{name}" for name in (*ERRORS, *OTHER_NAMES))
UNTIL_IT_WORKS = "EINTR"
"""Python itself tries again: for ever would be for ever."""
DOCUMENTED = ("StorageError", "WriteError", "SyncError", "SealError")
EACH = 2
"""So many cases of each kind of call, drawn by lot; with `--long` all."""
LAST = 1000
"""The number of the event that is appended when all is over."""


# -- the writers


class Told:
    """In the child: what it is about to do and what came of it, said before it goes on."""

    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self._n = 0

    def say(self, what: str, *details: Any) -> None:
        """A line for the parent."""
        self._parent.sendall(json.dumps([what, *details]).encode() + b"\n")

    def try_(self, work: Callable[[], Any]) -> Any:
        """Does it; a failure is told, and gone on from."""
        try:
            return work()
        except AuditError as error:
            self.say("failed", type(error).__name__, error.errno, str(error))
        except BaseException:  # noqa: BLE001 - the parent is to see it
            self.say("undocumented", traceback.format_exc())
        return None

    def append(self, log: AuditLog | None, count: int = 1) -> None:
        """Appends so many events as one batch, each with a number that none had before."""
        if log is None:
            return
        events = [{"n": self._n + number} for number in range(count)]
        self._n += count
        self.say("given", [event["n"] for event in events])
        receipts: list[Receipt] | None = self.try_(
            lambda: log.append_many(events) if count > 1 else [log.append(events[0])]
        )
        self.say("done", [receipt.seq for receipt in receipts or ()])


def writing(disk: Disk, told: Told, **options: Any) -> None:
    """Creates a log, appends, seals, closes; and once more, on what is there then."""
    for _ in range(2):
        log = told.try_(lambda: disk.open(**{"max_bytes": 1600, **options}))
        told.append(log)
        told.append(log, 3)
        for _ in range(3):
            told.append(log)
        if log is not None:
            told.try_(log.rotate)
            told.append(log)
            told.try_(log.flush)
            told.append(log, 2)
            told.try_(log.close)


def purging(disk: Disk, told: Told, **options: Any) -> None:
    """Lets sealed segments go."""
    log = told.try_(lambda: disk.open(**options))
    told.append(log)
    if log is not None:
        told.try_(lambda: log.purge(keep=1, reason="test"))
        told.append(log)
        told.try_(log.close)


@dataclass(frozen=True)
class Workload:
    """What a writer does, and on what."""

    run: Callable[..., None]
    options: dict[str, Any]
    segments: tuple[int, ...] = ()
    """So many records in each before it begins."""
    torn: bool = False
    """The last of them has a torn end, and the mark is gone."""

    def prepare(self, folder: Path) -> Disk:
        """The log that it begins with."""
        folder.mkdir()
        disk = Disk(folder)
        if self.segments:
            disk.make(*self.segments)
        if self.torn:
            disk.grow(b'{"seq":')
            disk.forget()
        return disk

    def how(self, disk: Disk) -> dict[str, Any]:
        """How it opens its log."""
        spills = self.options.get("on_error") == "spill"
        return {**self.options, "spill_path": disk.folder / "held"} if spills else self.options


WORKLOADS = {
    "always": Workload(writing, {"fsync": "always"}),
    "interval": Workload(writing, {"fsync": "interval", "sync_interval": 60}),
    "never": Workload(writing, {"fsync": "never"}),
    "shared": Workload(writing, {"fsync": "always", "shared": True}),
    "spill": Workload(writing, {"fsync": "always", "on_error": "spill"}),
    "recover": Workload(writing, {"fsync": "always"}, (2, 3), torn=True),
    "purge": Workload(purging, {"fsync": "always"}, (2, 2, 2, 1)),
}


# -- one run


@dataclass
class Run:
    """What a writer said, and what it asked of the kernel about the log's folder."""

    status: int = 0
    given: list[list[int]] = field(default_factory=list)
    acknowledged: dict[int, int] = field(default_factory=dict)
    """seq by number; 0 where the event is held elsewhere for now."""
    failures: list[tuple[str, int | None, str]] = field(default_factory=list)
    undocumented: list[str] = field(default_factory=list)
    descriptors: tuple[int, int] | None = None
    """How many were open before and after."""
    calls: list[tuple[str, int]] = field(default_factory=list)
    """Those of the writer's own thread that concern the folder: which, and the how manieth of its kind."""

    def hear(self, line: bytes) -> None:
        """Takes what the writer says."""
        what, *details = json.loads(line)
        if what == "given":
            self.given.append(details[0])
        elif what == "done":
            self.acknowledged.update(zip(self.given[-1], details[0], strict=False))
        elif what == "failed":
            self.failures.append((details[0], details[1], details[2]))
        elif what == "descriptors":
            self.descriptors = details[0], details[1]
        else:
            self.undocumented.append(details[0])


@contextlib.contextmanager
def begun(disk: Disk, workload: Workload, limit: int | None = None) -> Iterator[tuple[int, socket.socket]]:
    """A writer in a child, which waits for a byte; no file may grow past `limit`."""
    ours, its = socket.socketpair()

    def work() -> None:
        ours.close()
        its.recv(1)
        told, before = Told(its), _descriptors()
        if limit is not None:
            import resource  # only where there is fork

            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        workload.run(disk, told, **workload.how(disk))
        told.say("descriptors", before, _descriptors())

    child = start(work)
    its.close()
    with ours:
        yield child, ours


def hear(child: int, ours: socket.socket) -> Run:
    """Lets it begin, and listens to its end."""
    found = Run()
    ours.sendall(b".")
    with ours.makefile("rb") as lines:
        for line in lines:
            found.hear(line)
    found.status = ended(child)
    return found


def run(disk: Disk, workload: Workload, tracing: Path, inject: str = "") -> Run:
    """Lets a writer work in a child, under strace."""
    with begun(disk, workload) as (child, ours):
        command = ["strace", "-f", "-y", "-o", str(tracing), "-p", str(child), "-e", f"trace={WATCHED}"]
        command += ["-e", f"inject={inject}"] if inject else []
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            said = tracer.stderr.readline()
            if "attached" not in said:
                os.kill(child, signal.SIGKILL)
                ended(child)
                pytest.skip(f"strace may not trace here: {said.strip()}")
            found = hear(child, ours)
            tracer.stderr.read()
    found.calls = list(_calls(tracing.read_text(errors="replace"), child, str(disk.folder)))
    return found


def _calls(trace: str, thread: int, folder: str) -> Iterator[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for line in trace.splitlines():
        match = re.match(r"(?:(\d+) +)?(\w+)\(", line)
        if match and int(match[1] or thread) == thread:
            counts[match[2]] += 1
            if folder in line:
                yield match[2], counts[match[2]]


def _descriptors() -> int:
    def is_open(fd: int) -> bool:
        try:
            os.get_inheritable(fd)
        except OSError:
            return False
        return True

    return sum(is_open(fd) for fd in range(100))


# -- what must hold


def check(disk: Disk, workload: Workload, found: Run, error: str | None) -> None:
    """The promises, once nothing fails any more; `error` is what the kernel said."""
    assert not found.undocumented, found.undocumented[0]
    for kind, number, message in found.failures:
        assert kind in DOCUMENTED, f"{kind}: {message}"
        assert error is not None
        assert number == getattr(errno, error), f"errno {number}: {message}"
    if found.descriptors is not None:
        assert found.descriptors[0] == found.descriptors[1], "a descriptor was left open"
    with AuditLog(disk.path, **workload.how(disk)) as log:
        log.append("t", n=LAST)
        records = list(log.query(control=True))
    report = verify(disk.path, full=True)
    assert report.verdict == "intact", str(report)
    if not report.notes:
        assert chain(disk).records == records
    seqs = {record["n"]: record["seq"] for record in records if "n" in record}
    numbers = [record["n"] for record in records if "n" in record]
    assert numbers == sorted(set(numbers)), f"out of order, or twice: {numbers}"
    if not workload.segments:
        assert set(numbers) <= {LAST, *(n for batch in found.given for n in batch)}
    for batch in found.given:
        assert len({n in seqs for n in batch}) == 1, f"a part of the batch {batch} alone: {numbers}"
    told = [
        record["details"] for record in records if record["type"] == "audit.lost" and "first_seq" in record["details"]
    ]
    for n, seq in found.acknowledged.items():
        counted = workload.options["fsync"] != "always" and any(
            lost["first_seq"] <= seq <= lost["last_seq"] for lost in told
        )
        assert n in seqs or counted, f"{n} was acknowledged as seq {seq}, and is gone"
        assert seqs.get(n, seq) == seq or not seq, f"{n} was acknowledged as seq {seq}, and is seq {seqs[n]}"


def cases(calls: list[tuple[str, int]]) -> dict[str, list[str]]:
    """All that can be done to these calls, in strace's words, by the kind of call."""
    found: dict[str, list[str]] = {}
    for call, nth in calls:
        of_it = found.setdefault(call, [])
        for error in ERRORS[OTHER_NAMES.get(call, call)]:
            of_it.append(f"{call}:error={error}:when={nth}")
            if error != UNTIL_IT_WORKS:
                of_it.append(f"{call}:error={error}:when={nth}+")
        of_it.append(f"{call}:signal=KILL:when={nth}")
    return found


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("name", WORKLOADS)
def test_whatever_the_kernel_refuses_what_was_promised_is_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: bool, tried: Callable[[str, int], None]
) -> None:
    """To repeat one case: JSONL_AUDIT_INJECT, as the failure gives it."""
    monkeypatch.setattr(tip, "WATCH", 0)  # it looks with each commit: the calls are the same ones in each run
    monkeypatch.setattr(tip, "SEAL_AGAIN", 0)
    workload, trace, chance = WORKLOADS[name], tmp_path / "trace", random.Random(name)
    undisturbed = run(workload.prepare(tmp_path / "log"), workload, trace)
    check(Disk(tmp_path / "log"), workload, undisturbed, None)
    assert len(undisturbed.acknowledged) == sum(map(len, undisturbed.given))
    injected = [
        inject
        for of_a_kind in cases(undisturbed.calls).values()
        for inject in (of_a_kind if long else chance.sample(of_a_kind, min(EACH, len(of_a_kind))))
    ]
    for inject in filter(None, os.environ.get("JSONL_AUDIT_INJECT", "").split()) or injected:
        shutil.rmtree(tmp_path / "log")
        disk = workload.prepare(tmp_path / "log")
        found = run(disk, workload, trace, inject)
        error = re.search("error=(\\w+)", inject)
        try:
            assert found.status == (0 if error else -signal.SIGKILL)
            check(disk, workload, found, error and error[1])
        except Exception as failure:
            raise AssertionError(f"{name}: JSONL_AUDIT_INJECT={inject}") from failure
    tried("faults", len(injected))


@pytest.mark.parametrize("name", WORKLOADS)
def test_wherever_the_kernel_cuts_a_write_short_what_was_promised_is_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: bool, tried: Callable[[str, int], None]
) -> None:
    """A file may grow to a limit: the write that passes it is done in part, and the next one fails."""
    monkeypatch.setattr(tip, "WATCH", 0)
    monkeypatch.setattr(tip, "SEAL_AGAIN", 0)
    workload = WORKLOADS[name]
    limits = range(0, 2700, 1 if long else 151)
    failures = 0
    for limit in limits:
        disk = workload.prepare(tmp_path / str(limit))
        with begun(disk, workload, limit) as (child, ours):
            found = hear(child, ours)
        try:
            assert found.status == 0
            check(disk, workload, found, "EFBIG")
        except Exception as failure:
            raise AssertionError(f"{name}: no file longer than {limit} bytes") from failure
        failures += len(found.failures)
        shutil.rmtree(disk.folder)
    assert failures
    tried("faults", len(limits))
