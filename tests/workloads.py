"""What programs do with a log, in short runs on a simulated disk, and what each of them was told meanwhile.

Every event has a number of its own, `n`, in the order in which they were given. `WORKLOADS` are tried by each machine
that breaks things: power cuts, failing calls, both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from disk import Chain
from simdisk import ROOT, Mount

from jsonl_audit import AuditError, AuditLog, Receipt

__all__ = ["FOLDER", "LATE", "LOG", "SHORT", "SPILL", "SPILL_INTERVAL", "WORKLOADS", "Told", "Workload", "opened"]

FOLDER = f"{ROOT}/var/log"
LOG = f"{FOLDER}/audit.jsonl"
SPILL = f"{ROOT}/var/spill"


def opened(**options: Any) -> AuditLog:
    """The log of the workloads."""
    return AuditLog(LOG, **{"sync_interval": 3600, **options})


@dataclass
class Told:
    """What was given to a log, and what its callers know of it."""

    groups: list[tuple[int, ...]] = field(default_factory=list)
    """The numbers of each call's events, in the order of the calls; those of one are all there, or none is."""
    receipts: dict[int, Receipt] = field(default_factory=dict)
    """By number: what was acknowledged."""
    errors: list[AuditError] = field(default_factory=list)
    """What was raised."""
    must: int = 0
    """So many of the oldest receipts are of records that outlive a power cut, as the documentation promises."""

    def _numbers(self, count: int) -> tuple[int, ...]:
        first = self.groups[-1][-1] + 1 if self.groups else 0
        return tuple(range(first, first + count))

    def give(self, log: AuditLog, count: int = 1, *, text: int = 120, always: bool = False) -> None:
        """Appends an event, or several at once; with `always` they, and all before, are promised to be on the disk.

        An error is noted, with what it says was done all the same.
        """
        numbers = self._numbers(count)
        events = [{"type": "t", "n": n, "text": "x" * text} for n in numbers]
        self.groups.append(numbers)
        try:
            receipts = [log.append(events[0])] if count == 1 else log.append_many(events)
        except AuditError as error:
            self.errors.append(error)
            self.receipts.update(zip(numbers, error.done, strict=False))
            return
        self.receipts.update(zip(numbers, receipts, strict=True))
        if always:
            self.promised()

    def give_group(self, log: AuditLog, count: int, *, always: bool = False) -> None:
        """Appends several events in one commit, each of which stands for itself: what threads do that wait together."""
        numbers = self._numbers(count)
        self.groups += [(n,) for n in numbers]
        try:
            receipts = log.append_group([{"type": "t", "n": n, "text": "x" * 90} for n in numbers])
        except AuditError as error:
            self.errors.append(error)
            receipts = list(error.done)
            always = False
        self.receipts.update(zip(numbers, receipts, strict=False))
        if always:
            self.promised()

    def ask(self, call: Callable[[], object], *, promises: bool = True) -> None:
        """Has a log synced, sealed, closed; then all that was acknowledged is promised to be on the disk."""
        try:
            call()
        except AuditError as error:
            self.errors.append(error)
            return
        if promises:
            self.promised()

    def promised(self) -> None:
        """All that was acknowledged by now is on the disk."""
        self.must = len(self.receipts)

    def excused(self, _: Chain) -> set[int]:
        """What was acknowledged and may be gone, since the log says so."""
        return set()

    def copy(self) -> Told:
        """What is known at this moment."""
        return Told(list(self.groups), dict(self.receipts), list(self.errors), self.must)


@dataclass(frozen=True)
class Workload:
    """`before` makes the disk that it begins with; `run` is what is tried; `options` are those of a later open."""

    name: str
    run: Callable[[Mount, Told], None]
    before: Callable[[Mount, Told], None] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    torn: int = 0
    """How many torn ends there may be already."""
    cached: bool = False
    """The disk it begins with is in the cache alone: the writer was killed, and the system went on."""

    def prepared(self, mount: Mount) -> Told:
        """Makes the disk that it begins with, all of it synced; what was told until then."""
        told = Told()
        if self.before is not None:
            self.before(mount, told)
            if self.cached:
                mount.disk = mount.disk.killed()
            else:
                mount.disk = mount.disk.synced()
                told.promised()
        return told


def _folders(mount: Mount, _: Told) -> None:
    """Another program made them, or died over it."""
    mount.disk.unsynced_directory(FOLDER)


def _create(_: Mount, told: Told) -> None:
    with opened() as log:
        told.give(log, always=True)
        told.give(log, always=True)


def _appends(mode: str) -> Callable[[Mount, Told], None]:
    def run(_: Mount, told: Told) -> None:
        always = mode == "always"
        log = opened(fsync=mode)
        for size in (10, 500, 0, 120, 1100):
            told.give(log, text=size, always=always)
        told.ask(log.flush)
        told.give(log, always=always)
        told.give(log, always=always)
        told.ask(log.close, promises=mode != "never")
        log = opened(fsync=mode)
        told.give(log, always=always)
        told.ask(log.close, promises=mode != "never")

    return run


def _append_many(mode: str) -> Callable[[Mount, Told], None]:
    def run(_: Mount, told: Told) -> None:
        always = mode == "always"
        log = opened(fsync=mode)
        told.give(log, 3, always=always)
        told.give(log, always=always)
        told.give(log, 2, text=700, always=always)
        told.give(log, 4, text=0, always=always)
        told.ask(log.close, promises=mode != "never")

    return run


def _rotate(mode: str) -> Callable[[Mount, Told], None]:
    def run(_: Mount, told: Told) -> None:
        always = mode == "always"
        log = opened(fsync=mode, max_bytes=2_000)
        for _ in range(4):
            told.give(log, text=200, always=always)
        told.give(log, 3, text=300, always=always)
        told.give(log, always=always)
        told.ask(log.rotate)
        told.give(log, always=always)
        told.ask(log.close, promises=mode != "never")

    return run


def _groups(mode: str) -> Callable[[Mount, Told], None]:
    def run(_: Mount, told: Told) -> None:
        always = mode == "always"
        log = opened(fsync=mode, max_bytes=1_800)
        told.give_group(log, 3, always=always)
        told.give_group(log, 2, always=always)
        told.give(log, 2, always=always)
        told.give_group(log, 4, always=always)
        told.ask(log.close, promises=mode != "never")

    return run


def _background(_: Mount, told: Told) -> None:
    """The mode interval, with the syncs of its thread where they are wanted."""
    log = opened(fsync="interval", max_bytes=3_000)
    for _ in range(5):
        told.give(log)
        told.give(log, 2, text=300)
        told.ask(log._appender.sync_in_background)
    told.give(log)
    told.ask(log.close)


def _while_syncing(mount: Mount, told: Told) -> None:
    """An event comes in while a sync runs in the background: too late for that one, whatever the mark then says."""
    log = opened(fsync="interval")
    for _ in range(4):
        told.give(log)
        before, late = len(told.receipts), [True]

        def fault(name: str, args: tuple[Any, ...], go_on: Callable[[], Any], late: list[bool] = late) -> Any:
            result = go_on()
            if name == "sync" and late:
                late.clear()
                told.give(log, text=300)
            return result

        mount.fault = fault
        log._appender.sync_in_background()
        mount.fault = None
        told.must = before
    told.give(log)
    told.ask(log.close)


def _some(mount: Mount, told: Told) -> None:
    with opened() as log:
        for _ in range(3):
            told.give(log)


def _killed(mode: str) -> Callable[[Mount, Told], None]:
    """A writer was killed that had not synced, by the mode or in the middle of it."""

    def before(mount: Mount, told: Told) -> None:
        log = opened(fsync=mode, max_bytes=1_500)
        for _ in range(3):
            told.give(log, text=300, always=mode == "always")
        told.give(log, 2, always=mode == "always")
        log._appender._tip.let_go()

    return before


def _killed_within(mount: Mount, told: Told) -> None:
    """A writer was killed in the middle of a write, and nothing of what it wrote was synced."""
    _killed("never")(mount, told)
    fd = mount.disk.open_append(LOG)
    mount.disk.write(fd, b'{"seq":9,"ts":"2026-')
    mount.disk.close(fd)


def _torn(tail: bytes) -> Callable[[Mount, Told], None]:
    def before(mount: Mount, told: Told) -> None:
        _some(mount, told)
        disk = mount.disk
        disk.put_file(LOG, disk.files(FOLDER)["audit.jsonl"] + tail)
        disk.put_file(f"{LOG}.lock", b"")

    return before


def _recover(_: Mount, told: Told) -> None:
    log = opened(max_bytes=2_500)
    told.give(log, text=400, always=True)
    told.give(log, text=400, always=True)
    told.ask(log.close)


def _segments(_: Mount, told: Told) -> None:
    with opened() as log:
        for _ in range(4):
            told.give(log)
            log.rotate()


def _purge(_: Mount, told: Told) -> None:
    log = opened(backup_count=2, max_bytes=2_000)
    for _ in range(4):
        told.give(log, text=500, always=True)
    told.ask(lambda: log.purge(keep=1, reason="as told"))
    told.give(log, always=True)
    told.ask(log.close)


def _spill(mode: str) -> Callable[[Mount, Told], None]:
    def run(mount: Mount, told: Told) -> None:
        always = mode == "always"
        log = opened(on_error="spill", spill_path=SPILL, fsync=mode)
        told.give(log, always=always)
        mount.disk.full.add(FOLDER)
        told.give(log, always=always)
        told.give(log, 2, always=always)
        mount.disk.full.clear()
        told.give(log, always=always)
        told.give(log, always=always)
        mount.disk.full.add(FOLDER)
        told.give(log, always=always)
        told.ask(log.close, promises=False)
        mount.disk.full.clear()
        log = opened(on_error="spill", spill_path=SPILL, fsync=mode)
        told.give(log, always=always)
        told.ask(log.close, promises=mode != "never")

    return run


def _shared(modes: tuple[str, str]) -> Callable[[Mount, Told], None]:
    def run(_: Mount, told: Told) -> None:
        logs = [opened(shared=True, fsync=mode, max_bytes=3_000, lock_timeout=5) for mode in modes]
        for who in (0, 1, 1, 0, 0, 1):
            told.give(logs[who], text=200, always=modes[who] == "always")
        told.give(logs[1], 3, text=200, always=modes[1] == "always")
        told.ask(logs[1].rotate)
        told.give(logs[1], always=modes[1] == "always")
        told.give(logs[0], 2, always=modes[0] == "always")
        for log, mode in zip(logs, modes, strict=True):
            told.ask(log.close, promises=mode != "never")

    return run


def _one(count: int, text: int) -> Callable[[Mount, Told], None]:
    """One commit of a writer that is killed behind it."""

    def run(_: Mount, told: Told) -> None:
        told.give(opened(), count, text=text, always=True)

    return run


def _one_seal(_: Mount, told: Told) -> None:
    log = opened()
    told.ask(log.rotate)


MODES = ("always", "interval", "never")
SHORT = [
    Workload("a record", _one(1, 0), _some),
    Workload("a long record", _one(1, 300), _some),
    Workload("a batch", _one(2, 10), _some),
    Workload("a seal", _one_seal, _some),
]
LATE = Workload("an event while a sync runs", _while_syncing)
SPILL_INTERVAL = Workload("spill interval", _spill("interval"), options={"on_error": "spill", "spill_path": SPILL})
WORKLOADS = [
    Workload("create", _create),
    Workload("create in folders that are not synced", _create, _folders, cached=True),
    *(Workload(f"append {mode}", _appends(mode)) for mode in MODES),
    *(Workload(f"append_many {mode}", _append_many(mode)) for mode in MODES),
    *(Workload(f"rotate {mode}", _rotate(mode)) for mode in MODES),
    *(Workload(f"groups {mode}", _groups(mode)) for mode in ("always", "never")),
    Workload("synced in the background", _background),
    Workload("reopen", _recover, _some),
    *(Workload(f"after a kill, {mode}", _recover, _killed(mode), cached=True) for mode in ("always", "never")),
    Workload("after a kill within a write", _recover, _killed_within, cached=True, torn=1),
    Workload("recover a piece", _recover, _torn(b'{"seq":5,"ts":"2026-'), torn=1),
    Workload("recover a hole", _recover, _torn(bytes(700)), torn=1),
    Workload("purge", _purge, _segments),
    Workload("spill", _spill("always"), options={"on_error": "spill", "spill_path": SPILL}),
    Workload("shared always", _shared(("always", "always"))),
    Workload("shared always and never", _shared(("always", "never"))),
]
