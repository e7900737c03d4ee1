"""Rows about writing: events into a file, one by one, together, synced, from many threads."""

from __future__ import annotations

import itertools
import logging
import os
import sqlite3
import statistics
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from jsonl_audit import AuditLog

from .measure import Result, Side, UnavailableError, in_turn, ratio, seconds
from .setting import Setting, fail_if_no_module

__all__ = [
    "append", "append_many", "append_sync", "append_threads", "bare", "compared", "named", "new_path", "structlog_bare",
    "threads",
]  # fmt: skip

EVENTS = 5_000
MANY = 10_000
BATCH = 1_000
SYNCED = 500
THREADS = 100

_file_number = itertools.count()


def append(setting: Setting) -> Iterable[Result]:
    """append one by one, fsync="never"."""
    count = setting.count(EVENTS)
    with setting.scratch() as folder:
        sides = {"jsonl_audit": _audit(setting, folder, count, "never")}
        sides |= _loggers(setting, folder, count)
        sides["sqlite"] = _sqlite(setting, folder, count, "OFF")
        samples = in_turn(sides, setting.rounds)
    work = 'append, one by one, fsync="never", redact=None'
    yield from _against_loggers("append", work, samples, 0.8, 1.1)
    yield compared("append", work, "SQLite, WAL, synchronous=OFF, one insert a commit", samples, "sqlite")


def append_many(setting: Setting) -> Iterable[Result]:
    """append_many, 1,000 a commit, fsync="never"."""
    batch = setting.count(BATCH)
    count = setting.count(MANY) // batch * batch
    with setting.scratch() as folder:
        sides: dict[str, Side] = {"jsonl_audit": _audit_many(setting, folder, count, batch)}
        sides |= _loggers(setting, folder, count)
        sides["sqlite"] = _sqlite(setting, folder, count, "OFF", batch)
        samples = in_turn(sides, setting.rounds)
    work = f'append_many, {batch:,} a commit, fsync="never", redact=None'
    yield from _against_loggers("append-many", work, samples, 1.0, 1.5)
    yield compared("append-many", work, f"SQLite, WAL, synchronous=OFF, {batch:,} a commit", samples, "sqlite")


def append_sync(setting: Setting) -> Iterable[Result]:
    """append, fsync="always", one thread."""
    count = setting.count(SYNCED)
    with setting.scratch() as folder:
        sides: dict[str, Side] = {
            "jsonl_audit": _audit(setting, folder, count, "always"),
            "bare": bare(setting, folder, count),
            "sqlite": _sqlite(setting, folder, count, "FULL"),
        }
        samples = in_turn(sides, setting.rounds)
    work = 'append, one by one, fsync="always", redact=None, one thread'
    yield compared("append-sync", work, "a bare loop of os.write and os.fdatasync", samples, "bare", 0.75, 0.95)
    yield compared("append-sync", work, "SQLite, WAL, synchronous=FULL, one insert a commit", samples, "sqlite")


def append_threads(setting: Setting) -> Iterable[Result]:
    """append, fsync="always", 100 threads on one log."""
    count = max(setting.count(4 * SYNCED), THREADS)
    with setting.scratch() as folder:
        sides: dict[str, Side] = {
            "jsonl_audit": threads(setting, folder, count),
            "bare": bare(setting, folder, count),
        }
        samples = in_turn(sides, setting.rounds)
    work = f'append, fsync="always", redact=None, {THREADS} threads on one log'
    yield compared("append-threads", work, "the bare loop, one thread", samples, "bare", 2.0, 4.0)


def compared(
    row: str,
    work: str,
    against: str,
    samples: dict[str, list[float]],
    theirs: str,
    hold: float | None = None,
    aim: float | None = None,
) -> Result:
    medians = {f"{name}_us": statistics.median(samples[name]) * 1e6 for name in ("jsonl_audit", theirs)}
    value = ratio(samples, "jsonl_audit", theirs)
    return Result(row, work, against, "x", value, hold, aim, sides=medians, samples=samples)


def _against_loggers(row: str, work: str, samples: dict[str, list[float]], hold: float, aim: float) -> Iterable[Result]:
    for name, against in _LOGGERS.items():
        floor, goal = (hold, aim) if name == "structlog" else (None, None)
        if name in samples:
            yield compared(row, work, against, samples, name, floor, goal)
        else:
            yield Result(row, work, against, "x", None, floor, goal, note=f"{name} is not installed")


_LOGGERS = {
    "structlog": "structlog, BytesLogger and orjson: level, time, no chain",
    "python-json-logger": "logging.FileHandler and python-json-logger (orjson): level, time, no chain",
}


# -- the sides: each returns the seconds that one event took


def new_path(folder: Path) -> Path:
    """A name that no file has yet. What the side before left is removed, and the disk has settled."""
    for old in folder.iterdir():
        old.unlink()
    os.sync()
    return folder / f"side{next(_file_number)}.jsonl"


def _audit(setting: Setting, folder: Path, count: int, fsync: str) -> Side:
    def side() -> float:
        events = setting.events.fresh(count)
        with AuditLog(new_path(folder), fsync=fsync, redact=None) as log:

            def work() -> None:
                append = log.append
                for event in events:
                    append(event)

            return seconds(work) / count

    return side


def _audit_many(setting: Setting, folder: Path, count: int, batch: int) -> Side:
    def side() -> float:
        events = setting.events.fresh(count)
        batches = [events[start : start + batch] for start in range(0, count, batch)]
        with AuditLog(new_path(folder), fsync="never", redact=None) as log:

            def work() -> None:
                for some in batches:
                    log.append_many(some)

            return seconds(work) / count

    return side


def threads(setting: Setting, folder: Path, count: int) -> Side:
    def side() -> float:
        events = setting.events.fresh(count)
        shares = [events[number::THREADS] for number in range(THREADS)]
        with AuditLog(new_path(folder), redact=None) as log:
            go = threading.Barrier(THREADS + 1)

            def one(share: list[dict[str, Any]]) -> None:
                go.wait()
                for event in share:
                    log.append(event)

            started = [threading.Thread(target=one, args=(share,)) for share in shares]
            for thread in started:
                thread.start()

            def work() -> None:
                go.wait()
                for thread in started:
                    thread.join()

            return seconds(work) / count

    return side


def bare(setting: Setting, folder: Path, count: int) -> Side:
    """What the disk alone costs: lines as long as ours, made beforehand, written and synced."""
    path = new_path(folder)
    with AuditLog(path, fsync="never", max_bytes=None) as log:
        log.append_group(setting.events.fresh(count))
    lines = path.read_bytes().splitlines(keepends=True)[1:]

    def side() -> float:
        fd = os.open(new_path(folder), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:

            def work() -> None:
                for line in lines:
                    os.write(fd, line)
                    _sync(fd)

            return seconds(work) / count
        finally:
            os.close(fd)

    return side


if sys.platform == "darwin":
    import fcntl

    def _sync(fd: int) -> None:
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)

else:
    _sync = getattr(os, "fdatasync", os.fsync)


def _loggers(setting: Setting, folder: Path, count: int) -> dict[str, Side]:
    made: dict[str, Side] = {}
    for name, make in (("structlog", structlog_bare), ("python-json-logger", _python_json_logger)):
        try:
            made[name] = make(setting, folder, count)
        except UnavailableError:
            pass
    return made


def structlog_bare(setting: Setting, folder: Path, count: int) -> Side:
    """The fastest set-up that structlog's own page on performance describes."""
    fail_if_no_module("structlog", "structlog")
    import structlog

    def side() -> float:
        events = named(setting, count)
        with new_path(folder).open("ab") as file:
            logger = structlog.wrap_logger(
                structlog.BytesLogger(file),
                processors=[
                    structlog.processors.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.processors.JSONRenderer(serializer=orjson.dumps),
                ],
                wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
                cache_logger_on_first_use=True,
            ).bind()
            return seconds(lambda: _log_all(logger.info, events)) / count

    return side


def _log_all(info: Callable[..., Any], events: list[tuple[str, dict[str, Any]]]) -> None:
    for name, event in events:
        info(name, **event)


def _python_json_logger(setting: Setting, folder: Path, count: int) -> Side:
    fail_if_no_module("pythonjsonlogger", "python-json-logger")
    try:
        from pythonjsonlogger.orjson import OrjsonFormatter
    except ImportError as error:
        raise UnavailableError("python-json-logger is older than 3.1") from error

    def side() -> float:
        events = named(setting, count)
        handler = logging.FileHandler(new_path(folder))
        handler.setFormatter(OrjsonFormatter("{levelname}{message}", style="{", timestamp=True))
        logger = logging.getLogger("jsonl_audit_bench")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(handler)

        def work() -> None:
            info = logger.info
            for name, event in events:
                info(name, extra=event)

        try:
            return seconds(work) / count
        finally:
            logger.removeHandler(handler)
            handler.close()

    return side


def named(setting: Setting, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Events as loggers take them: a name, and members."""
    return [(event.pop("type"), event) for event in setting.events.fresh(count)]


def _sqlite(setting: Setting, folder: Path, count: int, synchronous: str, batch: int = 1) -> Side:
    def side() -> float:
        events = setting.events.fresh(count)
        database = sqlite3.connect(new_path(folder), isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute(f"PRAGMA synchronous={synchronous}")
            database.execute(
                "CREATE TABLE audit (seq INTEGER PRIMARY KEY, ts TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')), "
                "type TEXT, event TEXT)"
            )
            insert = "INSERT INTO audit (type, event) VALUES (?, ?)"

            def work() -> None:
                if batch == 1:
                    for event in events:
                        database.execute(insert, (event["type"], orjson.dumps(event).decode()))
                    return
                for start in range(0, count, batch):
                    some = events[start : start + batch]
                    database.execute("BEGIN")
                    database.executemany(insert, [(event["type"], orjson.dumps(event).decode()) for event in some])
                    database.execute("COMMIT")

            return seconds(work) / count
        finally:
            database.close()

    return side
