"""Rows about reading a large log: its end, a place in it, a rare value; how soon, and how many bytes a second."""

from __future__ import annotations

import functools
import random
import statistics
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import orjson

import jsonl_audit

from .events import NEEDLE, NEEDLE_FIELD, SHORT_FIELD, SHORT_NEEDLE
from .logs import Log
from .measure import Result, Side, UnavailableError, in_turn, ratio, say, seconds
from .setting import Setting, fail_if_no_module, program

__all__ = ["rare", "seek", "tail"]

TAIL = 100
PLACES = 20
SLICE = 32_000_000
"""jq takes so long for a large log that it gets a part of it, cut at a line's end."""


def tail(setting: Setting) -> Iterable[Result]:
    """the last 100 records of a large and of a small log, in process."""
    large, small = setting.log, setting.small_log
    sides = {"large": _tail_side(large), "small": _tail_side(small)}
    samples = in_turn(sides, max(setting.rounds, 15))
    for name, log in (("large", large), ("small", small)):
        value = statistics.median(samples[name]) * 1e3
        yield Result(
            "tail", f"tail {TAIL} of {log.size}, in process", "", "ms", value, 2.0, 1.0,
            higher_is_better=False, sides={"jsonl_audit_ms": value}, samples={"jsonl_audit": samples[name]},
        )  # fmt: skip


def _tail_side(log: Log) -> Side:
    def side() -> float:
        got: list[int] = []
        took = seconds(lambda: got.append(len(jsonl_audit.tail(log.path, TAIL))))
        _expect(got[0] == min(TAIL, got[0]) and got[0] > 0, "tail found nothing")
        return took

    return side


def seek(setting: Setting) -> Iterable[Result]:
    """a seq, and an instant, anywhere in a large log, first record."""
    log = setting.log
    places = _places(log)
    instants = {seq: str(jsonl_audit.get(log.path, seq)["ts"]) for seq in places}

    def by_seq(seq: int) -> None:
        record = next(jsonl_audit.query(log.path, after=seq - 1, limit=1))
        _expect(record["seq"] >= seq, f"seq {seq} was not found")

    def by_instant(seq: int) -> None:
        record = next(jsonl_audit.query(log.path, since=instants[seq], limit=1))
        _expect(record["ts"] >= instants[seq], f"{instants[seq]} was not found")

    def each(find: Callable[[int], None]) -> Side:
        return lambda: statistics.median([seconds(functools.partial(find, seq)) for seq in places])

    samples = in_turn({"seq": each(by_seq), "instant": each(by_instant)}, max(setting.rounds, 5))
    for name, what in (("seq", "a seq"), ("instant", "an instant (no record has a time of its own)")):
        value = statistics.median(samples[name]) * 1e3
        yield Result(
            "seek", f"{what} anywhere in {log.size}, first record", "", "ms", value, 10.0, 2.0,
            higher_is_better=False, sides={"jsonl_audit_ms": value}, samples={"jsonl_audit": samples[name]},
        )  # fmt: skip


def _places(log: Log) -> list[int]:
    """Seqs from all over a log, the same ones every time."""
    return random.Random(7).sample(range(2, log.last_seq - 10), PLACES)


def rare(setting: Setting) -> Iterable[Result]:
    """a value that one record of a large log holds, against ripgrep, DuckDB and jq."""
    log = setting.log
    work = f"a value that one record in {log.size} holds"
    sides: dict[str, Side] = {
        "jsonl_audit": _query_side(log, NEEDLE_FIELD, NEEDLE),
        "jsonl_audit_short": _query_side(log, SHORT_FIELD, SHORT_NEEDLE),
    }
    missing = {}
    with setting.scratch() as folder:
        for name, make in (("ripgrep", _ripgrep), ("DuckDB", _duckdb), ("jq", _jq)):
            try:
                sides[name] = make(log, folder)
            except UnavailableError as error:
                missing[name] = str(error)
        samples = in_turn(sides, min(setting.rounds, 5))
    rates = {f"{name}_GB/s": 1 / statistics.median(taken) for name, taken in samples.items()}
    for name, value in (("jsonl_audit", NEEDLE), ("jsonl_audit_short", SHORT_NEEDLE)):
        rate = rates[f"{name}_GB/s"]
        yield Result(
            "rare", f"{work}, {len(value)} characters", "", "GB/s", rate, 1.0, 3.0, sides={f"{name}_GB/s": rate},
            samples=samples, note="the samples are seconds for 1 GB",
        )  # fmt: skip
    for name, how in _SEARCHERS.items():
        if name in missing:
            yield Result("rare", work, how, "x", note=missing[name])
            continue
        value = ratio(samples, "jsonl_audit", name)
        both = {key: rates[key] for key in ("jsonl_audit_GB/s", f"{name}_GB/s")}
        yield Result("rare", work, how, "x", value, sides=both)


_SEARCHERS = {
    "ripgrep": "ripgrep -F, a process that finds the line and parses nothing",
    "DuckDB": "DuckDB read_json, all cores, told the two columns it needs",
    "jq": f"jq select, a process, on {SLICE // 10**6} MB of it",
}


def _query_side(log: Log, field: str, value: str) -> Side:
    def side() -> float:
        found: list[int] = []
        took = seconds(lambda: found.extend(r["seq"] for r in jsonl_audit.query(log.path, where={field: value})))
        _expect(found == [log.needle_seq], f"query found {found}, not {log.needle_seq}")
        return took / log.bytes * 1e9

    return side


def _ripgrep(log: Log, folder: Path) -> Side:
    command = [program("rg"), "--no-config", "--no-filename", "-F", NEEDLE, *map(str, log.files)]

    def side() -> float:
        return _timed_process(command, log.needle_seq) / log.bytes * 1e9

    return side


def _jq(log: Log, folder: Path) -> Side:
    command = [program("jq"), "-c", f'select(.{NEEDLE_FIELD} == "{NEEDLE}")']
    part = folder / "part.jsonl"
    with log.files[0].open("rb") as source:
        text = source.read(SLICE)
    text = text[: text.rindex(b"\n") + 1]
    part.write_bytes(text)

    def side() -> float:
        return _timed_process([*command, str(part)], None) / len(text) * 1e9

    return side


def _timed_process(command: list[str], seq: int | None) -> float:
    outputs: list[bytes] = []
    took = seconds(lambda: outputs.append(subprocess.run(command, capture_output=True, check=False).stdout))
    found = [orjson.loads(line)["seq"] for line in outputs[0].splitlines()]
    if seq is not None:
        _expect(found == [seq], f"{command[0]} found {found}, not {seq}")
    return took


def _duckdb(log: Log, folder: Path) -> Side:
    fail_if_no_module("duckdb", "DuckDB")
    import duckdb

    connection = duckdb.connect()
    question = """
        SELECT seq FROM read_json($files, format='newline_delimited', columns={seq: 'BIGINT', requestID: 'VARCHAR'})
        WHERE requestID = $needle
    """
    given = {"files": [str(path) for path in log.files], "needle": NEEDLE}

    def side() -> float:
        rows: list[tuple[int]] = []
        took = seconds(lambda: rows.extend(connection.execute(question, given).fetchall()))
        _expect(rows == [(log.needle_seq,)], f"DuckDB found {rows}, not {log.needle_seq}")
        return took / log.bytes * 1e9

    return side


def _expect(right: bool, words: str) -> None:
    """A figure of a wrong answer is worth nothing: the run ends."""
    if not right:
        say(words)
        raise SystemExit(f"benchmark: wrong answer: {words}")
