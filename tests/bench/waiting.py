"""Rows about the slowest: what 99 of 100 calls do not exceed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import jsonl_audit
from jsonl_audit import AuditLog

from .measure import Result, percentile, say
from .setting import Setting

__all__ = ["p99"]

WRITES = 3_000
QUERIES = 200
THREADS = 100


def p99(setting: Setting) -> Iterable[Result]:
    """99th percentiles: a write, a write among 100 threads, 100 events queried, a record by its seq."""
    yield _result('append, fsync="always"', _writes(setting), 50)
    yield _result(f'append, fsync="always", {THREADS} threads at once', _threads(setting), None)
    log = setting.log
    chance = random.Random(11)
    count = setting.count(QUERIES)
    places = [chance.randrange(1, log.last_seq - 200) for _ in range(count)]
    kinds = sorted({event["type"] for event in setting.events.fresh(200)})

    def hundred(place: int) -> None:
        list(jsonl_audit.query(log.path, after=place, limit=100))

    def hundred_of_a_type(place: int) -> None:
        list(jsonl_audit.query(log.path, type=kinds[place % len(kinds)], after=place, limit=100))

    def newest_of_a_type(place: int) -> None:
        list(jsonl_audit.query(log.path, type=kinds[place % len(kinds)], reverse=True, limit=100))

    def one(place: int) -> None:
        jsonl_audit.get(log.path, place + 1)

    yield _result(f"100 events queried, from anywhere in {log.size}", _each(hundred, places), 200)
    yield _result(f"100 events of one type queried, from anywhere in {log.size}", _each(hundred_of_a_type, places), 200)
    yield _result(f"the newest 100 events of one type in {log.size}", _each(newest_of_a_type, places), 200)
    yield _result(f"a record by its seq in {log.size}", _each(one, places), 50)


def _result(what: str, samples: list[float], bound: float | None) -> Result:
    value = percentile(samples, 99) * 1e3
    sides = {"median_ms": percentile(samples, 50) * 1e3, "p99_ms": value, "longest_ms": max(samples) * 1e3}
    say(f"    {what}: " + " · ".join(f"{key} {figure:.2f}" for key, figure in sides.items()))
    return Result(
        "p99", f"99th percentile: {what}", "", "ms", value, bound, None, higher_is_better=False, sides=sides,
        samples={"jsonl_audit": samples},
    )  # fmt: skip


def _each(work: Callable[[int], None], places: list[int]) -> list[float]:
    return [_timed(work, place) for place in places]


def _timed(work: Callable[[Any], object], given: Any) -> float:
    start = time.perf_counter()
    work(given)
    return time.perf_counter() - start


def _writes(setting: Setting) -> list[float]:
    events = setting.events.fresh(setting.count(WRITES))
    with setting.scratch() as folder, AuditLog(folder / "audit.jsonl") as log:
        return [_timed(log.append, event) for event in events]


def _threads(setting: Setting) -> list[float]:
    events = setting.events.fresh(max(setting.count(WRITES), 2 * THREADS))
    samples: list[float] = []
    with setting.scratch() as folder, AuditLog(folder / "audit.jsonl") as log:

        def one(share: list[dict[str, Any]]) -> None:
            samples.extend([_timed(log.append, event) for event in share])

        threads = [threading.Thread(target=one, args=(events[number::THREADS],)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return samples
