"""Rows about what stands in the place of something else: the logging handler, and the log for asyncio."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import logging.handlers
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jsonl_audit

from .appending import SYNCED, THREADS, bare, compared, named, new_path, threads
from .measure import Result, Side, UnavailableError, in_turn, seconds
from .setting import Setting, fail_if_no_module

__all__ = ["append_async", "append_handler"]

EVENTS = 5_000
MOST = 10 * 2**20


def append_handler(setting: Setting) -> Iterable[Result]:
    """AuditHandler in the place of RotatingFileHandler, one process."""
    if importlib.util.find_spec("jsonl_audit.handlers") is None:
        raise UnavailableError("AuditHandler is not available in this version")
    fail_if_no_module("pythonjsonlogger", "python-json-logger")
    from pythonjsonlogger.orjson import OrjsonFormatter

    from jsonl_audit.handlers import AuditHandler

    def rotating(path: Path) -> logging.Handler:
        handler = logging.handlers.RotatingFileHandler(path, maxBytes=MOST, backupCount=9)
        handler.setFormatter(OrjsonFormatter("{levelname}{message}", style="{", timestamp=True))
        return handler

    count = setting.count(EVENTS)
    with setting.scratch() as folder:
        sides = {
            "jsonl_audit": _through(setting, folder, count, lambda path: AuditHandler(path, maxBytes=MOST)),
            "alone": _through(setting, folder, count, lambda path: AuditHandler(path, maxBytes=MOST, shared=False)),
            "python-json-logger": _through(setting, folder, count, rotating),
        }
        samples = in_turn(sides, setting.rounds)
    against = "RotatingFileHandler and python-json-logger (orjson): level, time, no chain"
    work = "logger.info, AuditHandler as it is by default: shared, synced once a second"
    yield compared("append-handler", work, against, samples, "python-json-logger")
    samples["jsonl_audit"] = samples.pop("alone")
    work = "logger.info, AuditHandler, shared=False"
    yield compared("append-handler", work, against, samples, "python-json-logger")


def append_async(setting: Setting) -> Iterable[Result]:
    """AsyncAuditLog, fsync="always", 100 tasks on one log."""
    if not hasattr(jsonl_audit, "AsyncAuditLog"):
        raise UnavailableError("AsyncAuditLog is not available in this version")
    count = max(setting.count(4 * SYNCED), THREADS)
    with setting.scratch() as folder:
        sides: dict[str, Side] = {
            "jsonl_audit": _tasks(setting, folder, count),
            "threads": threads(setting, folder, count),
            "bare": bare(setting, folder, count),
        }
        samples = in_turn(sides, setting.rounds)
    work = f'await append, fsync="always", redact=None, {THREADS} tasks on one AsyncAuditLog'
    yield compared("append-async", work, "a bare loop of os.write and os.fdatasync", samples, "bare")
    yield compared("append-async", work, f"AuditLog with {THREADS} threads", samples, "threads")


def _through(setting: Setting, folder: Path, count: int, make: Callable[[Path], logging.Handler]) -> Side:
    def side() -> float:
        events = named(setting, count)
        handler = make(new_path(folder))
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


def _tasks(setting: Setting, folder: Path, count: int) -> Side:
    def side() -> float:
        events = setting.events.fresh(count)
        shares = [events[number::THREADS] for number in range(THREADS)]
        path = new_path(folder)

        async def main() -> float:
            async with jsonl_audit.AsyncAuditLog(path, redact=None) as log:

                async def one(share: list[dict[str, Any]]) -> None:
                    for event in share:
                        await log.append(event)

                loop = asyncio.get_running_loop()
                start = loop.time()
                await asyncio.gather(*map(one, shares))
                return loop.time() - start

        return asyncio.run(main()) / count

    return side
