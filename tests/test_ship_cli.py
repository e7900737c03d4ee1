"""`jsonl-audit ship`: its words, its exit statuses, and a process that is killed or told to end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from commandline import COMMAND, CommandLine, cli
from disk import Disk, chain

from jsonl_audit import AuditLog, ship, verify

__all__ = ["cli"]


@pytest.fixture
def log(cli: CommandLine) -> Disk:
    return Disk(cli.folder).make(2, 2)


def test_it_says_how_far_it_has_come(cli: CommandLine, log: Disk) -> None:
    done = cli("ship", "audit.jsonl", "there")
    assert (done.status, done.err) == (0, "")
    assert done.text.startswith(f"{log.path}: shipped through seq 6 (segment 2) to {cli.folder / 'there'}, ")
    assert cli("ship", "-q", "audit.jsonl", "there").out == b""
    said = json.loads(cli("ship", "--json", "audit.jsonl", "there").out)
    assert (said["seq"], said["bytes"], said["exit"], said["problems"]) == (6, 0, 0, [])


def test_a_folder_with_one_log_in_it_will_do_and_several_logs_at_once(cli: CommandLine, log: Disk) -> None:
    other = Disk(cli.folder / "other", "other.jsonl")
    other.folder.mkdir()
    other.make(1)
    assert cli("ship", "audit.jsonl", "other", "there").status == 0
    assert {"audit.jsonl", "other.jsonl"} <= {path.name for path in (cli.folder / "there").iterdir()}


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["audit.jsonl"], 2, "SRC... DEST"),
        (["audit.jsonl", ""], 2, "empty"),
        (["nope.jsonl", "there"], 4, "no such log"),
        (["audit.jsonl", "."], 2, "folder that it lies in"),
        (["audit.jsonl", "audit.jsonl.lock"], 2, "this is a file"),
        (["--bwlimit", "quick", "audit.jsonl", "there"], 2, "no size"),
        (["--bwlimit", "0", "audit.jsonl", "there"], 2, "limit of nothing"),
        (["audit.jsonl", "nonesuch://there"], 2, "cannot use this address"),
    ],
)
def test_a_mistake_is_told_without_a_traceback(
    cli: CommandLine, log: Disk, args: list[str], status: int, words: str
) -> None:
    if "://" in args[-1]:
        pytest.importorskip("fsspec")
    done = cli("ship", *args)
    assert done.status == status
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_refusal_is_status_1_and_another_log_is_2(cli: CommandLine, log: Disk) -> None:
    cli("ship", "audit.jsonl", "there")
    with (cli.folder / "there" / "audit.jsonl").open("ab") as file:
        file.write(b"{}\n")
    done = cli("ship", "audit.jsonl", "there")
    assert (done.status, done.out) == (1, b"")
    assert "holds more of segment 2" in done.err
    other = Disk(cli.folder / "other")
    other.folder.mkdir()
    other.make(1)
    assert cli("ship", "audit.jsonl", "other").status == 2


def test_one_of_several_that_fails_gives_the_status_and_the_others_are_shipped(cli: CommandLine, log: Disk) -> None:
    done = cli("ship", "nope.jsonl", "audit.jsonl", "there")
    assert done.status == 4
    assert "no such log" in done.err
    assert "shipped through seq 6" in done.text


def test_a_bandwidth_may_have_any_unit(cli: CommandLine, log: Disk) -> None:
    assert cli("ship", "--bwlimit", "10MB/s", "audit.jsonl", "there").status == 0


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
@pytest.mark.exhaustive
def test_told_to_end_a_following_shipper_ends_with_what_has_arrived(cli: CommandLine, log: Disk) -> None:
    process = subprocess.Popen(
        [*COMMAND, "ship", "-f", "--interval", "0.02", "audit.jsonl", "there"],
        cwd=cli.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with log.open() as writer:
            head = writer.append("t").hash
        _until(lambda: head.encode() in _read(cli.folder / "there" / "audit.jsonl"))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, err) == (0, b"")
    assert head.encode() in out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.exhaustive
def test_killed_at_random_moments_while_the_log_is_written_it_goes_on(tmp_path: Path) -> None:
    seed = 1 if os.environ.get("CI") else int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    disk, there = Disk(tmp_path / "here"), Disk(tmp_path / "there")
    disk.folder.mkdir()
    with AuditLog(disk.path, fsync="never", max_bytes=4000, backup_count=2) as log:
        ship(disk.path, there.folder)  # from now on retention waits
        for _ in range(25):
            child = os.fork()
            if child == 0:
                try:
                    _ship_for_ever(disk.path, there.folder)
                finally:
                    os._exit(1)
            ends = time.monotonic() + chance.random() * 0.06
            while time.monotonic() < ends:
                log.append("t", text="x" * chance.randrange(300))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            if there.path.exists() and there.path.stat().st_size:
                assert verify(there.path).verdict in ("intact", "torn", "incomplete"), seed
        head, last = log.head, log.last_seq
    assert subprocess.run([*COMMAND, "ship", "-q", str(disk.path), str(there.folder)], check=False).returncode == 0
    report = verify(there.path, full=True)
    assert (report.verdict, report.head, report.last_seq) == ("intact", head, last), seed
    assert [record["seq"] for record in chain(there).records] == list(range(1, last + 1)), seed


def _ship_for_ever(path: Path, there: Path) -> None:
    ship(path, there, follow=True, interval=0.001)


def _until(done: object) -> None:
    ends = time.monotonic() + 60
    assert callable(done)
    while not done():
        assert time.monotonic() < ends
        time.sleep(0.01)


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
