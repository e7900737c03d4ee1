"""What must hold of a log after anything went wrong: judged by opening it, and by reading it back without its code."""

from __future__ import annotations

import itertools
from typing import Any

from disk import Chain, chain_of
from simdisk import Mount, SimDisk
from workloads import FOLDER, LOG, Told, Workload, opened

from jsonl_audit import StorageError, verify

__all__ = ["judge"]


def judge(
    mount: Mount,
    disk: SimDisk,
    workload: Workload,
    told: Told,
    *,
    must: int,
    crashes: int = 1,
    in_order: bool = True,
) -> Chain:
    """Opens what lies on the disk, appends, reads it back. AssertionError where a promise is broken.

    - a verifier says intact or torn before, intact afterwards; there is no damage, and nothing is accounted for twice
    - the first `must` of what was acknowledged are there, and the others as far as they are the next ones; but for
      what the log itself says that it lost, where that may be
    - what is there was given, each once, and `in_order`; of a batch all or none
    - one first segment, and for each crash at most one torn end
    - no byte that was there is changed or cut off
    """
    before = disk.files(FOLDER)
    mount.disk = disk
    said = _said()
    assert said in ("intact", "torn", "nothing"), f"before opening: {said}"
    with opened(**{"fsync": "never", **workload.options}) as log:  # which needs no thread
        last = log.append("last", n=-1)
    after = disk.files(FOLDER)
    found = chain_of(after, "audit.jsonl")
    _unchanged(before, after, found)
    assert not any(found.damage), found.damage
    torn = [each for each in found.torn if each]
    assert len(torn) <= workload.torn + crashes, f"{len(torn)} torn ends: {torn}"
    there = {record["n"]: record for record in found.events}
    numbers = [record["n"] for record in found.events]
    assert numbers.pop() == -1
    assert found.events[-1]["hash"] == last.hash
    assert len(numbers) == len(set(numbers)), f"twice: {numbers}"
    assert numbers == sorted(numbers) or not in_order, f"out of order: {numbers}"
    gone = _purged(found, numbers, told)
    _given(numbers, told, gone)
    _acknowledged(there, told, must, gone | (told.excused(found) - set(there)))
    again = _said()
    assert again == "intact", f"after opening: {again}"
    return found


def _unchanged(before: dict[str, bytes], after: dict[str, bytes], found: Chain) -> None:
    """Each segment is still there, under whatever name, or was let go with all that it holds."""
    first = found.records[0]["seq"]
    for name, data in before.items():
        if name.endswith((".lock", ".next")) or any(other.startswith(data) for other in after.values()):
            continue
        assert int(data[data.index(b":") + 1 : data.index(b",")]) < first, f"{name} is not what it was"


def _said() -> str:
    try:
        report = verify(LOG, full=True)
    except StorageError as error:
        return "nothing" if "no such log" in error.message else str(error)
    return "nothing" if report.verdict == "empty" else report.verdict if report.ok else str(report)


def _purged(found: Chain, numbers: list[int], told: Told) -> set[int]:
    """The numbers of the events that were let go; of one that was held elsewhere first, nobody was told its place."""
    first = found.records[0]["seq"]
    oldest = min(numbers, default=max(told.receipts, default=0) + 1) if first > 1 else -1
    return {n for n, receipt in told.receipts.items() if (receipt.seq < first if receipt.recorded else n < oldest)}


def _given(numbers: list[int], told: Told, gone: set[int]) -> None:
    there = set(numbers)
    assert there <= set(itertools.chain(*told.groups)), "more is there than was given"
    for group in told.groups:
        assert there.isdisjoint(group) or there | gone >= set(group), f"a part of {group}"


def _acknowledged(there: dict[int, dict[str, Any]], told: Told, must: int, gone: set[int]) -> None:
    known = [n for n in told.receipts if n not in gone]
    kept = [n for n in known if n in there]
    due = [n for n in list(told.receipts)[:must] if n not in gone]
    assert kept[: len(due)] == due, f"acknowledged and gone: {sorted(set(due) - set(kept))}"
    written = [n for n in known if told.receipts[n].recorded]  # the others stood elsewhere, where they were synced
    there_too = [n for n in written if n in there]
    assert there_too == written[: len(there_too)], f"later ones are there, earlier ones gone: {there_too} of {written}"
    for n in kept:
        receipt, record = told.receipts[n], there[n]
        assert receipt.id == record["id"]
        if receipt.recorded:
            assert (receipt.seq, receipt.hash) == (record["seq"], record["hash"])
