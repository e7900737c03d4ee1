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
from collections import Counter
from pathlib import Path

from disk import Disk
from sharers import Promises, ended, found, sharing, start

__all__ = ["killing"]

MODES = ("always", "interval", "never")


def killing(
    folder: Path, *, seconds: float, every: float = 0.05, writers: int = 6, max_bytes: int = 50_000, seed: int = 0
) -> dict[str, int]:
    """Kills one of `writers` processes every so many seconds; what it came to, in figures. Fails where it may not."""
    chance = random.Random(seed)
    log_folder = folder / "log"
    log_folder.mkdir()
    disk = Disk(log_folder)
    promises: list[Promises] = []
    running: list[int] = []

    def write(promised: Promises, who: int, mode: str, choices: random.Random) -> None:
        log = sharing(disk, fsync=mode, sync_interval=0.02, max_bytes=max_bytes)
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
    there = found(disk, [kept for promise in promises for kept in promise.kept()])
    recorded = Counter(record["who"] for record in there.events)
    for promise in promises:
        promise.close()
    return {
        "kills": kills,
        "records": len(there.records),
        "acknowledged": sum(len(promise.kept()) for promise in promises),
        "writers with a record": len(recorded),
        "segments": len(there.headers),
        "torn ends": sum(torn is not None for torn in there.torn),
    }


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--every", type=float, default=0.05, help="seconds between two kills (0.05)")
    parser.add_argument("--writers", type=int, default=6, help="processes at once (6)")
    parser.add_argument("--max-bytes", type=int, default=50_000, help="of a segment (50,000)")
    parser.add_argument("--seed", type=int, default=0, help="which writer is killed, and what is written (0)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = killing(
            Path(folder), seconds=given.seconds, every=given.every, writers=given.writers, max_bytes=given.max_bytes,
            seed=given.seed,
        )  # fmt: skip
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
