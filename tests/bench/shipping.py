"""The row about shipping: a log copied, on the disk and checked, against what people copy with."""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import jsonl_audit

from .logs import Log
from .measure import Result, Side, UnavailableError, in_turn, ratio, seconds
from .setting import Setting, program

__all__ = ["ship"]

AGAINST = {
    "cp": "cp -p, nothing synced or checked",
    "cp_synced": "cp -p and a sync of each file, nothing checked",
    "rsync": "rsync -a, nothing synced or checked at the end",
    "rsync_synced": "rsync -a and a sync of each file",
    "rsync_checked": "rsync -a, a sync of each file, and rsync -c, which compares by digest",
}


def ship(setting: Setting) -> Iterable[Result]:
    """ship a log to an empty folder of the same disk, against cp and rsync."""
    log = setting.log
    work = f"ship {log.size}: synced, read back, hashed"
    with setting.scratch() as scratch:
        sides = {"jsonl_audit": _side(log, scratch, lambda folder: _ship(log, folder))}
        missing = ""
        sides["cp"] = _side(log, scratch, lambda folder: _cp(log, folder))
        sides["cp_synced"] = _side(log, scratch, lambda folder: _synced(folder, _cp(log, folder)))
        try:
            rsync = program("rsync")
            sides["rsync"] = _side(log, scratch, lambda folder: _rsync(rsync, log, folder))
            sides["rsync_synced"] = _side(log, scratch, lambda folder: _synced(folder, _rsync(rsync, log, folder)))
            sides["rsync_checked"] = _side(log, scratch, lambda folder: _checked(rsync, log, folder))
        except UnavailableError as error:
            missing = str(error)
        samples = in_turn(sides, min(setting.rounds, 5))
    for theirs, against in AGAINST.items():
        if theirs not in samples:
            yield Result("ship", work, against, "x", note=missing)
            continue
        speeds = {f"{name}_GB/s": 1 / statistics.median(samples[name]) for name in ("jsonl_audit", theirs)}
        taken = {name: samples[name] for name in ("jsonl_audit", theirs)}
        value = ratio(samples, "jsonl_audit", theirs)
        yield Result("ship", work, against, "x", value, sides=speeds, samples=taken)


def _side(log: Log, scratch: Path, work: Callable[[Path], object]) -> Side:
    numbers = itertools.count()

    def round_() -> float:
        folder = scratch / f"{next(numbers)}"
        folder.mkdir()
        os.sync()  # nobody pays for what another has left unwritten
        took = seconds(lambda: work(folder))
        if sum(path.stat().st_size for path in folder.glob("audit*.jsonl")) != log.bytes:
            raise SystemExit("benchmark: wrong answer: not all of the log was copied")
        shutil.rmtree(folder)
        return took / log.bytes * 1e9

    return round_


def _ship(log: Log, folder: Path) -> None:
    (outcome,) = jsonl_audit.ship(log.path, folder, hold=False)
    if outcome.exit_code or outcome.seq != log.last_seq:
        raise SystemExit(f"benchmark: wrong answer: {outcome}")


def _cp(log: Log, folder: Path) -> None:
    subprocess.run(["cp", "-p", *map(str, log.files), str(folder)], check=True)


def _rsync(rsync: str, log: Log, folder: Path, *more: str) -> None:
    subprocess.run([rsync, "-a", *more, *map(str, log.files), f"{folder}/"], check=True)


def _checked(rsync: str, log: Log, folder: Path) -> None:
    _synced(folder, _rsync(rsync, log, folder))
    _rsync(rsync, log, folder, "--checksum")


def _synced(folder: Path, _: None) -> None:
    for path in [*folder.iterdir(), folder]:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
