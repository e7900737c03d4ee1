"""The program killed and the power cut between any two steps, with every disk that may be left: the promises hold.

What a power cut may leave says tests/simdisk.py, what must hold tests/oracle.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from oracle import judge
from simdisk import Mount, SimDisk, edges, every_byte
from workloads import FOLDER, WORKLOADS, Told, Workload

pytestmark = pytest.mark.exhaustive


@pytest.fixture
def mount(monkeypatch: pytest.MonkeyPatch) -> Mount:
    return Mount(monkeypatch)


def moments(mount: Mount, workload: Workload) -> list[tuple[str, SimDisk, Told]]:
    """What stood on the disk before each step of a run and after the last one, and what was told by then."""
    told = workload.prepared(mount)
    found: list[tuple[str, SimDisk, Told]] = []
    disk = mount.disk
    disk.watch = lambda step: found.append((step, disk.copy(), told.copy()))
    workload.run(mount, told)
    disk.watch = None
    found.append(("the end", disk.copy(), told.copy()))
    assert not told.errors, told.errors
    return found


def tell(mount: Mount, disk: SimDisk, workload: Workload, what: str, told: Told, must: int) -> None:
    """Judges, and says of what where it does not hold."""
    before = disk.copy()
    try:
        judge(mount, disk, workload, told, must=must)
    except Exception as error:
        raise AssertionError(f"{workload.name}, {what}: {error}\n{before.files(FOLDER)}") from error


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_the_power_cut_at_any_moment(
    mount: Mount, workload: Workload, long: bool, tried: Callable[[str, int], None]
) -> None:
    chance = random.Random(workload.name)
    seen: set[object] = set()
    for number, (step, disk, told) in enumerate(moments(mount, workload)):
        for state in disk.power_cuts(
            sizes=every_byte if long else edges, limit=20_000 if long else 60, chance=chance
        ):
            key = state.key(), len(told.receipts), told.must
            if key not in seen:
                seen.add(key)
                tell(mount, state, workload, f"power cut before step {number}, {step}", told, told.must)
    tried("states", len(seen))


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
