"""Several processes fill a small disk, under each policy: what was promised is what the log shows afterwards."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from disk import Disk
from sharers import Child, Promises, SmallDisk, found, sharing

from jsonl_audit import StorageError, query

pytestmark = [
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
]
WRITERS, EVENTS, LATER = 3, 30, 5


@pytest.mark.exhaustive
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc here")
@pytest.mark.parametrize("fsync", ["always", "never"])
@pytest.mark.parametrize("policy", ["raise", "block", "spill", "drop"])
def test_a_disk_that_several_processes_fill_to_the_brim(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str, fsync: str
) -> None:
    small = SmallDisk(disk.folder, tmp_path / "room")
    small.has(10_000_000)
    promises = [Promises(tmp_path / f"promises {who}") for who in range(WRITERS)]
    options = {"spill": {"spill_path": tmp_path / "spill"}, "block": {"error_timeout": 0.01}}.get(policy, {})

    def work(child: Child, who: int) -> None:
        promised = promises[who]
        log = sharing(disk, fsync=fsync, max_bytes=7_000, on_error=policy, **options)
        outcomes: Counter[str] = Counter()
        child.say()
        child.wait_for()
        for n in range(EVENTS + LATER):
            if n == EVENTS:
                child.say()
                child.wait_for()
            try:
                receipt = log.append("t", who=who, n=n, text="x" * 200)
            except StorageError as error:
                outcomes["refused" if error.errno == errno.ENOSPC and not error.done else str(error)] += 1
            else:
                kind = "kept" if receipt.recorded else policy
                outcomes[kind] += 1
                if receipt.recorded:
                    promised.keep(receipt)
        log.close()
        (tmp_path / f"outcomes {who}").write_text(json.dumps(outcomes))

    small.begin(monkeypatch)
    children = [Child(lambda child, who=who: work(child, who)) for who in range(WRITERS)]  # type: ignore[misc]
    for child in children:
        child.hear()
    small.has(17_000)
    for child in children:
        child.go()
    for child in children:
        child.hear()
    small.has(10_000_000)
    for child in children:
        child.go()
    assert [child.end() for child in children] == [0] * WRITERS
    with sharing(disk) as log:  # what nobody could bring in before
        log.append("t", who="parent", n=0)
    promised = [kept for promise in promises for kept in promise.kept()]
    there = found(disk, promised)
    outcomes: Counter[str] = Counter()
    for who in range(WRITERS):
        outcomes.update(json.loads((tmp_path / f"outcomes {who}").read_text()))
    assert set(outcomes) <= {"kept", "refused", policy}
    assert outcomes.total() == WRITERS * (EVENTS + LATER)
    recorded = len(there.events) - 1
    assert outcomes["kept"] == len(promised)
    lost = [record["details"] for record in query(disk.path, type="audit.lost")]
    if policy == "spill":
        assert recorded == WRITERS * (EVENTS + LATER), "nothing is lost"
        assert outcomes["spill"] > 0
        spilled = [record["details"]["count"] for record in query(disk.path, type="audit.spilled")]
        assert sum(spilled) >= outcomes["spill"]
    elif policy == "drop":
        assert recorded == outcomes["kept"]
        assert sum(entry["count"] for entry in lost) == outcomes["drop"] > 0
    else:
        assert outcomes["refused"] > 0
        assert recorded == outcomes["kept"], "what was refused is not there"


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc here")
def test_what_killed_processes_held_elsewhere_is_brought_in_by_the_next(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = SmallDisk(disk.folder, tmp_path / "room")
    small.has(10_000_000)
    spill = tmp_path / "spill"

    def work(child: Child, who: int) -> None:
        log = sharing(disk, max_bytes=7_000, on_error="spill", spill_path=spill)
        child.say()
        child.wait_for()
        for n in range(EVENTS):
            log.append("t", who=who, n=n, text="x" * 200)
        child.say()
        child.wait_for()

    small.begin(monkeypatch)
    for who in range(WRITERS):  # one after the other, each into what the one before left full
        child = Child(lambda child, who=who: work(child, who))  # type: ignore[misc]
        child.hear()
        small.has(5_000)
        child.go()
        child.hear()
        child.kill()
        small.has(sum(path.stat().st_size for path in disk.folder.iterdir()) + 3_000)
    small.has(10_000_000)
    with sharing(disk, on_error="spill", spill_path=spill) as log:
        log.append("t", who="next", n=0)
    there = Counter(record["who"] for record in found(disk).events)
    assert there == {**dict.fromkeys(range(WRITERS), EVENTS), "next": 1}
