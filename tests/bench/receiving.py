"""Rows about what arrives line by line: how near a stream comes to the bare speed of the hash."""

from __future__ import annotations

import io
import random
import shutil
import statistics
from collections.abc import Iterable
from pathlib import Path

from jsonl_audit.receive import Collector, StreamCheck

from .measure import Result, Side, in_turn, ratio, seconds
from .setting import Setting
from .verifying import LOOP, bare

__all__ = ["collect_lines", "verify_stream"]

_BLOCK = 1 << 18


def verify_stream(setting: Setting) -> Iterable[Result]:
    """verify --stdin, records a second, against a bare loop that reads and hashes lines."""
    data = _stream(setting)
    count = data.count(b"\n")
    sides: dict[str, Side] = {
        "jsonl_audit": lambda: seconds(lambda: _checked(data, count)) / count,
        "bare": lambda: seconds(lambda: bare(io.BytesIO(data))) / count,
    }
    samples = in_turn(sides, setting.rounds)
    yield _compared("verify-stream", "verify --stdin, in order", samples, "jsonl_audit", 0.65, 0.9)


def collect_lines(setting: Setting) -> Iterable[Result]:
    """collect, records a second, in order and shuffled, against the same loop."""
    data = _stream(setting)
    lines = data.splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    mixed, count = b"".join(lines), len(lines)
    place = setting.work / "collected"
    sides: dict[str, Side] = {
        "in_order": lambda: seconds(lambda: _collected(data, count, place)) / count,
        "shuffled": lambda: seconds(lambda: _collected(mixed, count, place)) / count,
        "bare": lambda: seconds(lambda: bare(io.BytesIO(data))) / count,
    }
    samples = in_turn(sides, min(setting.rounds, 3))
    yield _compared("collect", "collect, in order", samples, "in_order")
    yield _compared("collect", "collect, shuffled", samples, "shuffled")
    shutil.rmtree(place, ignore_errors=True)


def _stream(setting: Setting) -> bytes:
    """Some of the segments of the log, oldest first; at most 128 MB, since all of it is in memory here."""
    data, total = [], 0
    for path in setting.log.files:
        total += path.stat().st_size
        if data and total > 128_000_000:
            break
        data.append(path.read_bytes())
    return b"".join(data)


def _checked(data: bytes, count: int) -> None:
    check = StreamCheck()
    for at in range(0, len(data), _BLOCK):
        check.feed(data[at : at + _BLOCK])
    check.finish()
    if (check.records, len(check.runs)) != (count, 1):
        raise SystemExit(f"benchmark: wrong answer: {check.records} records in {len(check.runs)} runs")


def _collected(data: bytes, count: int, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    with Collector(place) as collector:
        for at in range(0, len(data), _BLOCK):
            collector.feed(data[at : at + _BLOCK])
        collector.finish()
        if collector.records != count or len(collector.waiting):
            raise SystemExit(f"benchmark: wrong answer: {collector.records} records, {len(collector.waiting)} wait")


def _compared(
    row: str,
    work: str,
    samples: dict[str, list[float]],
    ours: str,
    hold: float | None = None,
    aim: float | None = None,
) -> Result:
    sides = {f"{name}_records/s": 1 / statistics.median(samples[name]) for name in (ours, "bare")}
    taken = {ours: samples[ours], "bare": samples["bare"]}
    value, note = ratio(samples, ours, "bare"), "the samples are seconds for a record"
    return Result(row, work, f"{LOOP}, one core", "x", value, hold, aim, sides=sides, samples=taken, note=note)
