"""The program killed and the power cut between any two steps, with every disk that may be left: the promises hold.

What a power cut may leave says tests/simdisk.py, what must hold tests/oracle.py.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from oracle import judge
from simdisk import Mount, SimDisk, Sizes, edges, every_byte
from workloads import FOLDER, LATE, SHORT, SPILL, SPILL_INTERVAL, WORKLOADS, Told, Workload, opened

from jsonl_audit import SealError

pytestmark = pytest.mark.exhaustive
FEW, SOME, MANY = 40, 5, 1_000
"""How many disks are tried for one moment, by lot where there are more; with --long."""
LIVES = 5


@pytest.fixture
def mount(monkeypatch: pytest.MonkeyPatch) -> Mount:
    return Mount(monkeypatch)


def moments(mount: Mount, workload: Workload, told: Told | None = None) -> list[tuple[str, SimDisk, Told]]:
    """What stood on the disk before each step of a run and after the last one, and what was told by then."""
    told = told or workload.prepared(mount)
    found: list[tuple[str, SimDisk, Told]] = []
    disk = mount.disk
    disk.watch = lambda step: found.append((step, disk.copy(), told.copy()))
    workload.run(mount, told)
    disk.watch = None
    found.append(("the end", disk.copy(), told.copy()))
    assert all(isinstance(error, SealError) for error in told.errors), told.errors
    return found


def tell(mount: Mount, disk: SimDisk, workload: Workload, what: str, told: Told, must: int) -> set[int]:
    """Judges, and says of what where it does not hold. Returns the numbers of the events that are there."""
    before = disk.copy()
    try:
        # Of what was held elsewhere, each process brings in its own in order, and what it finds of others when it can.
        found = judge(mount, disk, workload, told, must=must, in_order=not (workload.torn and workload.options))
    except Exception as error:
        raise AssertionError(f"{workload.name}, {what}: {error}\n{before.files(FOLDER)}") from error
    return {record["n"] for record in found.events}


def cut_everywhere(mount: Mount, workload: Workload, sizes: Sizes, limit: int, chance: random.Random) -> int:
    """Cuts the power before each step of a run, and judges each disk that it may leave once; how many there were."""
    seen: set[object] = set()
    for number, (step, disk, told) in enumerate(moments(mount, workload)):
        for state in disk.power_cuts(sizes=sizes, limit=limit, chance=chance):
            key = state.key(), len(told.receipts), told.must
            if key not in seen:
                seen.add(key)
                tell(mount, state, workload, f"power cut before step {number}, {step}", told, told.must)
    return len(seen)


@pytest.mark.parametrize("workload", [*WORKLOADS, LATE, SPILL_INTERVAL], ids=lambda workload: workload.name)
def test_the_power_cut_at_any_moment(
    mount: Mount, workload: Workload, long: bool, tried: Callable[[str, int], None]
) -> None:
    sizes, limit = (every_byte, MANY) if long else (edges, SOME)
    tried("states", cut_everywhere(mount, workload, sizes, limit, random.Random(workload.name)))


@pytest.mark.parametrize("workload", SHORT, ids=lambda workload: workload.name)
def test_every_disk_that_a_power_cut_may_leave_of_a_short_run(
    mount: Mount, workload: Workload, long: bool, tried: Callable[[str, int], None]
) -> None:
    """Every size by the byte, every sector kept, lost or zero, every name: all if long, else some of each step."""
    tried("states", cut_everywhere(mount, workload, every_byte, 0 if long else FEW, random.Random(0)))


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_killed_at_any_moment(
    mount: Mount, workload: Workload, long: bool, tried: Callable[[str, int], None]
) -> None:
    count = 0
    for number, (step, disk, told) in enumerate(moments(mount, workload)):
        for state in disk.kills(every_byte if long else edges):
            tell(mount, state, workload, f"killed at step {number}, {step}", told, len(told.receipts))
            count += 1
    tried("states", count)


@pytest.mark.parametrize("first", range(4))
def test_one_crash_after_another(mount: Mount, long: bool, first: int, tried: Callable[[str, int], None]) -> None:
    """Each life goes on from what the last one left, and ends where chance will have it: recovery is cut short too."""
    given = os.environ.get("SEED")
    for seed in [int(given)] if given else range(first, 4_000 if long else 24, 4):
        chance = random.Random(seed)
        mount.disk, told = SimDisk(), Told()
        spills = {"on_error": "spill", "spill_path": SPILL} if chance.random() < 0.4 else {}
        for life in range(LIVES):
            workload = Workload("lives", _life(chance, spills), options=spills, torn=life)
            found = moments(mount, workload, told)
            step, disk, then = chance.choice(found)
            cut = chance.random() < 0.7
            states = disk.power_cuts(sizes=edges, limit=20, chance=chance) if cut else disk.kills(edges)
            state, must = chance.choice([*states]), then.must if cut else len(then.receipts)
            left = state.copy()
            what = f"SEED={seed}: life {life} ended before {step}"
            there = tell(mount, state, workload, what, then, must)
            safe = there.intersection(list(then.receipts)[: None if cut else then.must])
            then.receipts = {n: receipt for n, receipt in then.receipts.items() if n in there}
            then.must = len(safe)
            mount.disk, told = left, then
    tried("states", LIVES * (1 if given else len(range(first, 4_000 if long else 24, 4))))


def _life(chance: random.Random, spills: dict[str, str]) -> Callable[[Mount, Told], None]:
    """A run of a writer, or of two that share the log; old segments are let go, the disk is full at times."""
    modes = [chance.choice(["always", "interval", "never"]) for _ in range(1 if spills else chance.choice((1, 1, 2)))]
    options = {
        "max_bytes": chance.choice((1_000, 2_500, None)),
        "shared": len(modes) > 1 or chance.random() < 0.3,
        # A cut may make a spill log that is not synced forget what was brought in, and was purged by then.
        "backup_count": chance.choice((0, 0, 2)) if not spills or modes == ["always"] else 0,
        **spills,
    }
    steps = [(chance.randrange(len(modes)), chance.randrange(10), chance.randrange(600)) for _ in range(8)]

    def run(mount: Mount, told: Told) -> None:
        logs = [opened(fsync=mode, lock_timeout=5, **options) for mode in modes]
        for who, what, size in steps:
            log, always = logs[who], modes[who] == "always"
            if what == 0:
                told.ask(log.rotate, promises=False)
            elif what == 1:
                told.ask(log.flush)
            elif what == 2 and spills:
                (mount.disk.full.clear if mount.disk.full else lambda: mount.disk.full.add(FOLDER))()
            elif what == 3:
                told.give_group(log, 3, always=always)
            else:
                told.give(log, chance.choice((1, 1, 1, 2, 4)), text=size, always=always)
        for log in logs:
            told.ask(log.close, promises=False)
        mount.disk.full.clear()

    return run
