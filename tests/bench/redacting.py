"""Rows about redaction: what it costs an event that holds no secret, and appending with all that is on by default."""

from __future__ import annotations

import statistics
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from jsonl_audit import AuditLog
from jsonl_audit.redact import redactor_of

from .appending import compared, new_path, structlog_bare
from .measure import Result, Side, in_turn, seconds
from .setting import Setting

__all__ = ["append_redacted", "redact"]

EVENTS = 5_000


def redact(setting: Setting) -> Iterable[Result]:
    """default and privacy redaction of one event, in microseconds."""
    count = setting.count(EVENTS)
    sides: dict[str, Side] = {
        "innocent": lambda: _redaction("default", _innocent(count)),
        "real": lambda: _redaction("default", setting.events.fresh(count)),
        "privacy": lambda: _redaction("privacy", setting.events.fresh(count // 5)),
    }
    samples = in_turn(sides, setting.rounds)
    size = len(orjson.dumps(_innocent(1)[0]))
    for name, work, hold, aim in (
        ("innocent", f"default redaction of a {size} B event without a secret, each with texts of its own", 8.0, 3.0),
        ("real", f"default redaction of {setting.events.origin}", None, None),
        ("privacy", f"the profile privacy on {setting.events.origin}", None, None),
    ):
        value = statistics.median(samples[name]) * 1e6
        yield Result("redact", work, "", "µs", value, hold, aim, False, samples={name: samples[name]})


def append_redacted(setting: Setting) -> Iterable[Result]:
    """append with redact="default" and validate="warn", fsync="never"."""
    count = setting.count(EVENTS)
    with setting.scratch() as folder:
        sides: dict[str, Side] = {
            "jsonl_audit": _appending(setting, folder, count),
            "structlog": structlog_bare(setting, folder, count),
        }
        samples = in_turn(sides, setting.rounds)
    work = 'append, one by one, fsync="never", redact="default", validate="warn"'
    yield compared("append-redacted", work, "structlog bare: no redaction, no chain", samples, "structlog", 0.3, 0.5)


def _redaction(profile: str, events: list[dict[str, Any]]) -> float:
    """Seconds an event. Names and words that come again are known from the round before, as in any program's life."""
    ours = redactor_of(profile)
    assert ours is not None

    def work() -> None:
        look = ours.event
        for event in events:
            look(event, {})

    return seconds(work) / len(events)


def _innocent(count: int) -> list[dict[str, Any]]:
    """Events of a tool call, newly parsed: a session, a time, a path and a message of their own."""
    return [
        orjson.loads(
            orjson.dumps(
                {
                    "type": "tool.execute",
                    "actor": {"type": "user", "id": f"u-{number}", "name": "Ann Lee", "device": "laptop-3"},
                    "outcome": "success",
                    "task": f"task-{number:06d}",
                    "session": str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC834 % (1 << 128), version=4)),
                    "component": "gateway",
                    "level": "info",
                    "time": f"2026-11-21T10:11:{number % 60:02d}.{number:06d}Z",
                    "details": {
                        "tool": "bash", "action": "run", "duration": 0.182, "success": True, "tokens_in": 512,
                        "path": f"/srv/app/part{number}.py", "url": f"https://example.com/a/b?page={number}",
                        "message": f"ran {number} tests, all of them passed in the end",
                    },
                }
            )
        )
        for number in range(count)
    ]  # fmt: skip


def _appending(setting: Setting, folder: Path, count: int) -> Side:
    def side() -> float:
        events = setting.events.fresh(count)
        with AuditLog(new_path(folder), fsync="never", redact="default", validate="warn") as log:

            def work() -> None:
                append = log.append
                for event in events:
                    append(event)

            return seconds(work) / count

    return side
