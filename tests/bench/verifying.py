"""Rows about verification: how near it comes to the bare speed of the hash."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blake3 import blake3

import jsonl_audit

from .logs import Log
from .measure import Result, Side, UnavailableError, in_turn, ratio, seconds
from .setting import Setting, program

__all__ = ["LOOP", "bare", "verify_full", "verify_sealed"]

PINNED = hasattr(os, "sched_setaffinity")


def verify_sealed(setting: Setting) -> Iterable[Result]:
    """verify a log of sealed segments, against blake3 alone and b3sum."""
    log = setting.log
    sides: dict[str, Side] = {
        "jsonl_audit": _per_gb(log, lambda: _verify(log, full=False)),
        "update_mmap": _per_gb(log, lambda: _each(log, lambda path: blake3().update_mmap(path).digest())),
        "update_mmap_all_cores": _per_gb(log, lambda: _all_cores(log)),
    }
    missing = ""
    try:
        command = [program("b3sum"), *map(str, log.files)]
        sides["b3sum"] = _per_gb(log, lambda: subprocess.run(command, capture_output=True, check=True))
    except UnavailableError as error:
        missing = str(error)
    samples = in_turn(sides, setting.rounds)
    work = "verify, sealed segments"
    cores = os.cpu_count() or 1
    against = "blake3 update_mmap, one file after the other"
    if cores > 1:  # like with like: verify uses all cores, and so does what it is held against
        yield _compared("verify", work, against, samples, "update_mmap")
        against = f"blake3 update_mmap, {cores} files at once"
    yield _compared("verify", work, against, samples, "update_mmap_all_cores", 0.8, 0.95)
    if missing:
        yield Result("verify", work, "b3sum, a process", "x", note=missing)
    else:
        yield _compared("verify", work, "b3sum, a process, all cores", samples, "b3sum")


def verify_full(setting: Setting) -> Iterable[Result]:
    """verify --full, every line, against a bare loop that reads and hashes lines."""
    log = setting.log
    cores = os.cpu_count() or 1
    sides: dict[str, Side] = {
        "jsonl_audit": _per_gb(log, lambda: _verify(log, full=True)),
        "bare": _per_gb(log, lambda: _each(log, _bare)),
    }
    if PINNED:
        sides["jsonl_audit_one_core"] = _on_one_core(sides["jsonl_audit"])
    samples = in_turn(sides, min(setting.rounds, 5))
    if PINNED:
        yield _compared(
            "verify-full", "verify --full, one core", LOOP, samples, "bare", 0.65, 0.9, "jsonl_audit_one_core"
        )
    many = f"verify --full, {cores} cores"
    yield _compared("verify-full", many, f"{LOOP}, one core", samples, "bare", 0.65, 0.9 * min(cores, 2))


LOOP = "a bare loop, blake3(line[:-76]).hexdigest() == line[-67:-3].decode()"


def _compared(
    row: str,
    work: str,
    against: str,
    samples: dict[str, list[float]],
    theirs: str,
    hold: float | None = None,
    aim: float | None = None,
    ours: str = "jsonl_audit",
) -> Result:
    sides = {f"{name}_GB/s": 1 / statistics.median(samples[name]) for name in (ours, theirs)}
    value = ratio(samples, ours, theirs)
    taken = {ours: samples[ours], theirs: samples[theirs]}
    return Result(
        row, work, against, "x", value, hold, aim, sides=sides, samples=taken, note="the samples are seconds for 1 GB"
    )


def _per_gb(log: Log, work: Callable[[], object]) -> Side:
    return lambda: seconds(work) / log.bytes * 1e9


def _verify(log: Log, *, full: bool) -> None:
    report = jsonl_audit.verify(log.path, full=full)
    if report.verdict != "intact":
        raise SystemExit(f"benchmark: wrong answer: the log is {report.verdict}")


def _each(log: Log, work: Callable[[Path], object]) -> None:
    for path in log.files:
        work(path)


def _all_cores(log: Log) -> None:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for _ in pool.map(lambda path: blake3().update_mmap(path).digest(), log.files):
            pass


def _bare(path: Path) -> None:
    with path.open("rb") as lines:
        bare(lines)


def bare(lines: Iterable[bytes]) -> None:
    """The loop that nothing can be faster than which hashes each line, in Python."""
    for line in lines:
        if blake3(line[:-76]).hexdigest() != line[-67:-3].decode():
            sys.exit("benchmark: wrong answer: a line is not what its hash says")


def _on_one_core(side: Side) -> Side:
    """The side, kept on one core, its threads and worker processes too."""

    def pinned() -> float:
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(allowed)})
        try:
            return side()
        finally:
            os.sched_setaffinity(0, allowed)

    return pinned
