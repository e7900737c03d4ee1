"""Processes that are killed for real: what was acknowledged is there, once and in order, whatever moment it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from disk import Disk, chain

from jsonl_audit import storage, verify

pytestmark = [pytest.mark.usefixtures("quick_disk"), pytest.mark.exhaustive]


ROUNDS = 200
KILLED = """
import json, os, random, signal, sys, time
import portalocker, logging  # here, so that the children need not
from jsonl_audit import AuditLog

path, rounds, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
acknowledged = []
for number in range(rounds):
    readable, writable = os.pipe()
    fsync = chance.choice(["never", "never", "interval", "always"])
    child = os.fork()
    if child == 0:
        os.close(readable)
        with AuditLog(path, max_bytes=4000, fsync=fsync, sync_interval=0.002) as log:
            for n in range(1_000_000):
                if n % 7 == 3:
                    made = log.append_many([{"text": "x" * chance.randrange(300)} for _ in range(4)])
                elif n % 31 == 30:
                    log.rotate()
                    continue
                else:
                    made = [log.append("t", text="y" * chance.randrange(900))]
                os.write(writable, "".join(r.hash + "\\n" for r in made).encode())
    os.close(writable)
    time.sleep(chance.random() ** 2 * 0.04)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(readable) as pipe:
        acknowledged += pipe.read().split()
json.dump(acknowledged, sys.stdout)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_at_random_moments_no_acknowledged_record_is_lost(disk: Disk) -> None:
    seed = int.from_bytes(os.urandom(4), "big") if not os.environ.get("CI") else 1
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(disk.path), str(ROUNDS), str(seed)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    acknowledged: list[str] = json.loads(done.stdout)
    with disk.open() as log:
        log.append("t")
    found = chain(disk)
    assert not any(found.damage), seed
    hashes = [r["hash"] for r in found.events]
    assert [one for one in hashes if one in set(acknowledged)] == acknowledged, seed
    assert not found.lost
    assert verify(disk.path, full=True).verdict == "intact"
    assert acknowledged  # how many, the machine's load decides
    assert len([torn for torn in found.torn if torn]) <= ROUNDS


def test_a_process_killed_in_the_middle_of_a_write_leaves_one_torn_end(disk: Disk) -> None:
    script = """
import os, signal, sys
from jsonl_audit import AuditLog
log = AuditLog(sys.argv[1], fsync="never")
log.append("t", n=1)
real = os.write
def write(fd, data):
    real(fd, bytes(data)[:150])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = write
log.append("t", n=2)
"""
    for n in range(3):
        done = subprocess.run([sys.executable, "-c", script, str(disk.path)], stdin=subprocess.DEVNULL)
        assert done.returncode == -signal.SIGKILL
        with disk.open() as log:
            assert "crash" in " ".join(log.notes)
            log.append("t", n=10 + n)
    found = chain(disk)
    assert [r["n"] for r in found.events] == [1, 10, 1, 11, 1, 12]
    assert [torn and torn["bytes"] for torn in found.torn] == [150] * 3


def test_the_lock_helper_of_storage_sees_the_dead(disk: Disk) -> None:
    disk.make(1)
    assert not storage.probe(str(disk.lock))
    with disk.open():
        assert storage.probe(str(disk.lock))
    assert not storage.probe(str(disk.lock))
