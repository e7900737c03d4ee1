"""One process of those that write to one log at once: told by its first line on standard input what to do.

A program of its own that needs nothing of the benchmark's: so it starts alike for every side, and forks nothing.
Prints ``ready``, waits for a line, logs its events, and prints how many calls it made.
"""

from __future__ import annotations

import gc
import json
import logging
import logging.handlers
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

Log = Callable[[dict[str, Any]], object]


class _Lines(logging.Formatter):
    """An event as a line of JSON, by the fastest serialiser there is: no more than what a log needs at least."""

    def format(self, record: logging.LogRecord) -> str:
        event = {"ts": record.created, "level": record.levelname, "type": record.msg, **vars(record)["event"]}
        return orjson.dumps(event).decode()


def _through(handler: logging.Handler) -> tuple[Log, Callable[[], object]]:
    logging.raiseExceptions = False  # what is lost is counted afterwards, not told a thousand times
    logger = logging.getLogger("jsonl_audit_bench")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    info = logger.info
    return lambda event: info(event["type"], extra={"event": event}), handler.close


def _audit_log(path: str, most: int, fsync: str = "never") -> tuple[Log, Callable[[], object]]:
    from jsonl_audit import AuditLog

    log = AuditLog(path, shared=True, max_bytes=most, fsync=fsync, redact=None)
    return log.append, log.close


def _audit_log_interval(path: str, most: int) -> tuple[Log, Callable[[], object]]:
    return _audit_log(path, most, "interval")


def _audit_handler(path: str, most: int) -> tuple[Log, Callable[[], object]]:
    from jsonl_audit.handlers import AuditHandler

    return _through(AuditHandler(path, maxBytes=most))


def _concurrent(path: str, most: int) -> tuple[Log, Callable[[], object]]:
    from concurrent_log_handler import ConcurrentRotatingFileHandler

    handler = ConcurrentRotatingFileHandler(path, maxBytes=most, backupCount=200)
    handler.setFormatter(_Lines())
    return _through(handler)


def _rotating(path: str, most: int) -> tuple[Log, Callable[[], object]]:
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=most, backupCount=200)
    handler.setFormatter(_Lines())
    return _through(handler)


SIDES = {
    "jsonl_audit": _audit_log,
    "jsonl_audit_interval": _audit_log_interval,
    "AuditHandler": _audit_handler,
    "concurrent-log-handler": _concurrent,
    "RotatingFileHandler": _rotating,
}


def main() -> None:
    """Does what the first line says."""
    told = json.loads(sys.stdin.readline())
    with Path(told["events"]).open("rb") as file:
        lines = file.read().splitlines()
    who, count = told["who"], told["count"]
    events = [{**orjson.loads(lines[n % len(lines)]), "writer": who, "number": n} for n in range(count)]
    log, close = SIDES[told["side"]](told["path"], told["most"])
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    sys.stdin.readline()
    for event in events:
        log(event)
    print(len(events), flush=True)
    sys.stdin.readline()  # closing is not measured, and does not disturb who is still at work
    close()


if __name__ == "__main__":
    main()
