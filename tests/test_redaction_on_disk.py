"""No secret of real events reaches the disk, by whatever way they go into a log; all else of them does, and verifies.

What is searched are the bytes of every file: segments, the spill log, artifacts (unpacked, too), locks and temporary
ones. The input is known without the code under test: access key ids by their form, session tokens by their name.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zstandard
from commandline import run
from corpus_secrets import MAKERS
from disk import Calls, Disk

from jsonl_audit import AsyncAuditLog, AuditLog, query, verify
from jsonl_audit.handlers import AuditHandler, AuditLoggerFactory, AuditSink
from jsonl_audit.writer import policy

pytestmark = pytest.mark.usefixtures("quick_disk")

_KEY = re.compile(rb"(?:AK|AS)IA[A-Z0-9]{16}")
_RUN = re.compile(rb"[A-Za-z0-9+/=]{24,}")
_QUOTES = re.compile(rb"[\\\"]+")
"""What texts stand between in JSON, and in JSON within it."""


@dataclass
class Real:
    """The events, what in them must be gone, and what must be there."""

    events: list[dict[str, Any]]
    keys: set[bytes]
    tokens: set[bytes]
    kept: set[bytes]


    @classmethod
    def of(cls, events: list[dict[str, Any]]) -> Real:
        tokens = {text.encode() for event in events for text in _named(event, "sessionToken")}
        arns = {text.encode() for event in events for name in ("arn", "ARN", "roleArn") for text in _named(event, name)}
        plain = {event[name].encode() for event in events for name in ("eventID", "eventName", "eventTime")}
        keys = {key for event in events for key in _KEY.findall(json.dumps(event).encode())}
        return cls(events, keys, tokens, plain | arns)

    @property
    def raw(self) -> bytes:
        """The events as the lines of a file."""
        return b"".join(json.dumps(event, separators=(",", ":")).encode() + b"\n" for event in self.events)


@pytest.fixture(scope="module")
def real(cloudtrail: list[dict[str, Any]]) -> Real:
    """All events."""
    found = Real.of(cloudtrail)
    assert (len(found.events), len(found.keys), len(found.tokens)) == (2900, 163, 36)
    return found


@pytest.fixture(scope="module")
def few(real: Real) -> Real:
    """So many of them that every secret is there."""
    seen: set[bytes] = set()
    chosen = []
    for event in real.events:
        new = Real.of([event])
        if not new.keys | new.tokens <= seen:
            seen |= new.keys | new.tokens
            chosen.append(event)
    found = Real.of(chosen)
    assert (found.keys, found.tokens) == (real.keys, real.tokens)
    return found


def _named(value: Any, name: str) -> Iterator[str]:
    """Every text under a name, wherever it stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name and isinstance(inner, str):
                yield inner
            yield from _named(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner, name)


def contents(*folders: Path) -> bytes:
    """The bytes of every file in these folders and below, and what the packed ones hold."""
    parts = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                parts.append(path.read_bytes())
                if path.suffix == ".zst":
                    parts.append(zstandard.ZstdDecompressor().stream_reader(parts[-1]).read())
    return b"\n".join(parts)


def check(real: Real, path: Path, *folders: Path, all_there: bool = True) -> None:
    """Nothing secret is anywhere, all else is there, and the log is whole."""
    found = contents(path.parent, *folders)
    assert set(_KEY.findall(found)) == set()
    # Wherever a token was cut, and whatever of it was replaced: none of its pieces is there.
    runs = b" ".join(_RUN.findall(found))
    pieces = (token[at : at + 24] for token in real.tokens for at in range(0, len(token) - 24, 8))
    assert [piece for piece in pieces if piece in runs] == []
    if all_there:
        assert real.kept - set(_QUOTES.split(found)) == set()
    report = verify(path, full=True)
    assert (report.verdict, report.findings) == ("intact", ())


def give(log: AuditLog, events: list[dict[str, Any]]) -> None:
    for event in events:
        log.append("aws.api", details=event)


@pytest.mark.exhaustive
def test_one_by_one(real: Real, disk: Disk) -> None:
    with disk.open() as log:
        give(log, real.events)
        assert log.last_seq == 2901
    check(real, disk.path)
    ids = [record["details"]["eventID"] for record in query(disk.path, type="aws.api")]
    assert ids == [event["eventID"] for event in real.events]
    counted = sum(sum(record["redacted"].values()) for record in query(disk.path) if "redacted" in record)
    assert counted >= 2816 + 36


def test_as_they_are_at_the_top_level(few: Real, disk: Disk) -> None:
    with disk.open() as log:
        for event in few.events:
            log.append(event)
    check(few, disk.path)


@pytest.mark.exhaustive
def test_many_at_once_through_rotation_and_compression(real: Real, disk: Disk) -> None:
    with disk.open(max_bytes=256 << 10) as log:
        for at in range(0, 2900, 100):
            log.append_many({"type": "aws.api", "details": event} for event in real.events[at : at + 100])
    assert len(disk.sealed()) > 5
    check(real, disk.path)


def test_from_two_processes_that_share_a_log(few: Real, disk: Disk, tmp_path: Path) -> None:
    given = tmp_path / "calls.jsonl"
    given.write_bytes(few.raw)
    half = (
        "import json, sys; from jsonl_audit import AuditLog\n"
        "log = AuditLog(sys.argv[1], shared=True, fsync='never', max_bytes=50_000)\n"
        "lines = open(sys.argv[2], 'rb').readlines()[int(sys.argv[3])::2]\n"
        "for at in range(0, len(lines), 10):\n"
        "    log.append_many({'type': 'aws.api', 'details': json.loads(line)} for line in lines[at:at + 10])\n"
        "log.close()"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", half, disk.path, given, str(number)]) for number in (0, 1)
    ]
    assert [process.wait() for process in started] == [0, 0]
    check(few, disk.path)


def test_while_the_log_cannot_be_written_and_after(
    few: Real, disk: Disk, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "TRY_EVERY", 0.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir(mode=0o700)
    spill = tmp_path / "elsewhere"
    with disk.open(on_error="spill", spill_path=spill) as log:
        give(log, few.events[:20])
        calls.fail("write", error=errno.ENOSPC, about=f"{disk.folder}/", for_ever=True)
        give(log, few.events[20:])
        held = contents(spill)
        assert held.count(b'"aws.api"') == len(few.events) - 20
        assert set(_KEY.findall(held)) == set()
        calls.heal()
        log.append("test.last")
        log.flush()
    check(few, disk.path, spill, tmp_path / "temporary")


def test_from_coroutines(few: Real, disk: Disk) -> None:
    async def give_all() -> None:
        async with AsyncAuditLog(disk.path, fsync="never") as log:
            for at in range(0, len(few.events), 50):
                each = (log.append("aws.api", details=event) for event in few.events[at : at + 50])
                await asyncio.gather(*each)

    asyncio.run(give_all())
    check(few, disk.path)


def _by_logging(path: Path, events: list[dict[str, Any]]) -> None:
    logger = logging.getLogger("test_redaction_on_disk")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler := AuditHandler(path, fsync="never"))
    for number, event in enumerate(events):
        if number % 3:
            logger.info("called", extra={"call": event})
        elif number % 2:
            logger.info("called %s with %s", event["eventName"], json.dumps(event))
        else:
            try:
                raise RuntimeError(json.dumps(event))
            except RuntimeError:
                logger.exception("refused")
    logger.removeHandler(handler)
    handler.close()


def _by_structlog(path: Path, events: list[dict[str, Any]]) -> None:
    structlog = pytest.importorskip("structlog", reason="structlog is not installed: it is of the extra `test`")
    factory = AuditLoggerFactory(path, fsync="never")
    structlog.configure(processors=[structlog.processors.add_log_level], logger_factory=factory)
    try:
        log = structlog.get_logger()
        for event in events:
            log.info("called", call=event, text=json.dumps(event))
    finally:
        structlog.reset_defaults()
        factory.close()


def _by_loguru(path: Path, events: list[dict[str, Any]]) -> None:
    loguru = pytest.importorskip("loguru", reason="loguru is not installed: it is of the extra `test`")
    logger = loguru.logger
    sink = AuditSink(path, fsync="never")
    logger.remove()
    number = logger.add(sink, format="{message}")
    for event in events:
        logger.bind(call=event).info("called {}", event["eventName"])
    logger.remove(number)


@pytest.mark.parametrize("by", [_by_logging, _by_structlog, _by_loguru])
def test_through_the_handlers(few: Real, disk: Disk, by: Callable[[Path, list[dict[str, Any]]], None]) -> None:
    by(disk.path, few.events)
    check(few, disk.path)


_WRAPPED = ["--wrap", "--type-from", "eventName", "--time-from", "eventTime"]


@pytest.mark.parametrize("options", [_WRAPPED, []])
def test_from_the_command_line(few: Real, disk: Disk, options: list[str]) -> None:
    ended = run("append", disk.path, "--fsync", "never", *options, cwd=disk.folder, stdin=few.raw)
    assert (ended.status, ended.err) == (0, "")
    check(few, disk.path)
    # Nothing that was written is what a scan finds.
    assert run("scan", disk.folder, cwd=disk.folder).status == 0


@pytest.mark.exhaustive
def test_all_of_them_from_the_command_line(real: Real, disk: Disk) -> None:
    ended = run("append", disk.path, "--fsync", "never", *_WRAPPED, cwd=disk.folder, stdin=real.raw)
    assert (ended.status, ended.err) == (0, "")
    check(real, disk.path)


def test_in_events_that_are_too_long_for_a_line(few: Real, disk: Disk) -> None:
    with disk.open() as log:
        for at in range(0, len(few.events), 50):
            log.append("aws.api", details={"calls": few.events[at : at + 50]})
            log.append("aws.text", details={"text": "\n".join(map(json.dumps, few.events[at : at + 50]))})
    assert len(list((disk.folder / "audit.jsonl.d").rglob("*"))) >= 6
    check(few, disk.path)


def test_in_what_is_attached(few: Real, disk: Disk, tmp_path: Path) -> None:
    raw = few.raw
    given = tmp_path / "calls.jsonl"
    given.write_bytes(raw)
    with disk.open() as log:
        log.append("a.b", details={"file": log.attach(given)})
        log.append("a.b", details={"text": log.attach(raw.decode())})
        with given.open("rb") as file:
            log.append("a.b", details={"stream": log.attach(file)})
        log.append("a.b", details={"parts": log.attach(iter([raw[at : at + 1000] for at in range(0, len(raw), 1000)]))})
    check(few, disk.path)


def test_without_redaction_they_are_there(few: Real, disk: Disk) -> None:
    with disk.open(redact=None) as log:
        give(log, few.events)
    assert set(_KEY.findall(contents(disk.folder))) == few.keys


def test_in_keys_types_and_ids_of_any_event(disk: Disk) -> None:
    import random

    lot = random.Random(5)
    made = {kind: [make(lot) for make in makers] for kind, makers in MAKERS.items()}
    texts = [text for group in made.values() for text in group]
    with disk.open() as log:
        for text in texts:
            log.append({"details": {text: text, "in": [text, {"a": (text, {"b": text})}]}, "actor": text})
            log.append("a.b", actor={"id": text, "name": text}, target={"id": text}, task=text, session=text)
            log.append("a.b", outcome="failure", reason=f"{text} was refused", component=text, tool=text)
            log.append("a.b", details={"error": ValueError(text), "bytes": text.encode(), "path": Path(text)})
    found = contents(disk.folder)
    assert [text for text in texts if text.encode() in found] == []
    assert verify(disk.path, full=True).verdict == "intact"
