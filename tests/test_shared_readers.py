"""Whoever reads beside processes that share a log and seal it again and again sees neither a false alarm nor a gap."""

from __future__ import annotations

import json
import os
import subprocess
import time
from itertools import pairwise

import pytest
from commandline import COMMAND
from disk import Disk
from sharers import PATIENCE, Child, found, sharing

from jsonl_audit import query, tail, verify

pytestmark = [
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
]
WRITERS = 4
SECONDS = 1.5


@pytest.mark.exhaustive
def test_reading_and_verifying_beside_four_writers(disk: Disk) -> None:
    """verify, query and tail in a loop, and `tail -f` from the beginning, until the writers are done."""
    with sharing(disk) as log:
        log.append("t", who="parent", n=0)

    def work(child: Child) -> None:
        who = os.getpid()
        with sharing(disk, max_bytes=20_000, fsync="never") as log:
            n, end = 0, time.monotonic() + SECONDS
            while time.monotonic() < end:
                if n % 20 == 5:
                    log.append_many([{"who": who, "n": n}, {"who": who, "n": n + 1}, {"who": who, "n": n + 2}])
                    n += 3
                else:
                    log.append("t", who=who, n=n, text="x" * (n % 7 * 50))
                    n += 1

    follower = subprocess.Popen(
        [*COMMAND, "tail", "-f", "-n", "1", "--control", "-o", "jsonl", disk.path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert follower.stdout is not None
        assert follower.stderr is not None
        first = json.loads(follower.stdout.readline())
        assert first["seq"] == 2, "it follows before anybody writes"
        writers = [Child(work) for _ in range(WRITERS)]
        verdicts, rounds, last = set(), 0, 0
        running = list(writers)
        while running:
            report = verify(disk.path, full=bool(rounds % 2))
            verdicts.add(report.verdict)
            assert report.verdict == "intact", str(report)
            seqs = [record["seq"] for record in query(disk.path, control=True)]
            assert all(seq + 1 == following for seq, following in pairwise(seqs))
            assert seqs[0] == 1
            assert seqs[-1] >= last
            last = seqs[-1]
            newest = [record["seq"] for record in tail(disk.path, 50, control=True)]
            assert newest == list(range(newest[0], newest[0] + len(newest)))
            assert newest[-1] >= last
            rounds += 1
            running = [child for child in running if not child.has_ended()]
        assert [child.end() for child in writers] == [0] * WRITERS
        there = found(disk)
        followed = [2]
        while followed[-1] < there.records[-1]["seq"]:
            followed.append(json.loads(follower.stdout.readline())["seq"])
        assert followed == list(range(2, len(there.records) + 1))
        follower.terminate()
        assert follower.stderr.read() == b""
    finally:
        follower.kill()
        follower.communicate(timeout=PATIENCE)
    assert len(there.headers) > 5
    assert len({record["who"] for record in there.events}) == WRITERS + 1
