"""Writers that share one log, one of which is killed every few milliseconds: the log must be whole all the same.

A command, for as long as you like, from the top of a clone::

    python tests/torture.py --seconds 30

and, for some seconds, a part of the tests. Each writer puts every receipt into a file of its own outside the log before
it appends the next event; one that was killed is replaced at once, and SIGKILL gives it no say in where it stops. At
the end nobody may be kept out by a lock that a dead process left, verification in full must find the log intact, every
receipt must be of a record that is there, no event may be there twice, and those of one writer must be in its order.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from disk import Disk
from sharers import Promises, ended, found, sharing, start

from jsonl_audit import query, verify

__all__ = ["killing"]

MODES = ("always", "interval", "never")


def killing(
    folder: Path,
    *,
    seconds: float,
    every: float = 0.05,
    writers: int = 6,
    max_bytes: int = 50_000,
    backup_count: int = 0,
    seed: int = 0,
) -> dict[str, int]:
    """Kills one of `writers` processes every so many seconds; what it came to, in figures. Fails where it may not.

    With a `backup_count` old segments are let go meanwhile: then what is still here counts.
    """
    chance = random.Random(seed)
    log_folder = folder / "log"
    log_folder.mkdir()
    disk = Disk(log_folder)
    promises: list[Promises] = []
    running: list[int] = []

    def write(promised: Promises, who: int, mode: str, choices: random.Random) -> None:
        log = sharing(disk, fsync=mode, sync_interval=0.02, max_bytes=max_bytes, backup_count=backup_count)
        n = 0
        while True:
            if choices.random() < 0.1:
                receipts = log.append_many([{"who": who, "n": n}, {"who": who, "n": n + 1}, {"who": who, "n": n + 2}])
            else:
                receipts = [log.append("t", who=who, n=n, text="x" * choices.randrange(400))]
            promised.keep(*receipts)
            n += len(receipts)

    def begin() -> int:
        who = len(promises)
        promised = Promises(folder / f"promises {who}")
        promises.append(promised)
        mode, choices = MODES[who % len(MODES)], random.Random(chance.random())
        return start(lambda: write(promised, who, mode, choices))

    kills = 0
    try:
        running = [begin() for _ in range(writers)]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(every)
            victim = chance.randrange(writers)
            os.kill(running[victim], signal.SIGKILL)
            status = ended(running[victim])
            assert status == -signal.SIGKILL, f"a writer ended by itself: {status}"
            kills += 1
            running[victim] = begin()
    finally:
        for child in running:
            os.kill(child, signal.SIGKILL)
        statuses = [ended(child) for child in running]
    assert set(statuses) == {-signal.SIGKILL}, "a writer ended by itself"
    with disk.open(lock_timeout=0):  # not shared, and without waiting: nobody has the lock; a torn end is sealed
        pass
    promised = [kept for promise in promises for kept in promise.kept()]
    for promise in promises:
        promise.close()
    if backup_count:
        records = [*query(disk.path, control=True)]
        _rest(disk, records, promised, backup_count)
    else:
        records = found(disk, promised).records
    return {
        "kills": kills,
        "records": len(records),
        "acknowledged": len(promised),
        "writers with a record": len({record["who"] for record in records if "who" in record}),
        "segments": sum(record["type"] == "audit.segment" for record in records),
    }


def _rest(
    disk: Disk, records: list[dict[str, Any]], promised: list[tuple[int, str, str]], backup_count: int
) -> None:
    """All that was promised is there, from the first record on that was not let go."""
    report = verify(disk.path, full=True)
    assert report.verdict == "intact", str(report)
    assert [record["seq"] for record in records] == list(range(records[0]["seq"], records[-1]["seq"] + 1))
    here = {(record["seq"], record["id"], record["hash"]) for record in records}
    assert not [each for each in promised if each[0] >= records[0]["seq"] and each not in here]
    assert len({record["id"] for record in records}) == len(records)
    assert len(disk.sealed()) <= backup_count + 1, "one more where a kill came between sealing and letting go"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--every", type=float, default=0.05, help="seconds between two kills (0.05)")
    parser.add_argument("--writers", type=int, default=6, help="processes at once (6)")
    parser.add_argument("--max-bytes", type=int, default=50_000, help="of a segment (50,000)")
    parser.add_argument("--backup-count", type=int, default=0, help="sealed segments that are kept, 0: all (0)")
    parser.add_argument("--seed", type=int, default=0, help="which writer is killed, and what is written (0)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = killing(
            Path(folder), seconds=given.seconds, every=given.every, writers=given.writers, max_bytes=given.max_bytes,
            backup_count=given.backup_count, seed=given.seed,
        )  # fmt: skip
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
