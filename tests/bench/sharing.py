"""Rows about several processes that write to one log which rotates: how fast, and how much is there afterwards."""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson

from jsonl_audit import AuditLog, query, verify

from .measure import Result, Side, UnavailableError, in_turn, ratio, say
from .setting import Setting

__all__ = ["append_processes"]

PROCESSES = 4
QUICK = 2  # a start of Python for each, which a quick run has no time for
EACH = 2_500
MOST = 2**20
WRITER = Path(__file__).resolve().with_name("writer.py")
_OTHERS = {
    "concurrent-log-handler": "concurrent-log-handler and orjson, no chain",
    "RotatingFileHandler": "logging's RotatingFileHandler and orjson, no chain, made for one process",
}
_number = itertools.count()


@dataclass
class _Kept:
    """What was found of the events of one side, over all its rounds."""

    written: int = 0
    lost: int = 0
    doubled: int = 0
    broken: int = 0
    """Lines that are no JSON."""
    files: int = 0

    def words(self) -> str:
        """For the table."""
        words = [f"lost {self.lost:,} of {self.written:,}"]
        words += [f"{self.doubled:,} twice"] if self.doubled else []
        words += [f"{self.broken:,} broken lines"] if self.broken else []
        return ", ".join(words)


def append_processes(setting: Setting) -> Iterable[Result]:
    """4 processes on one log that rotates at 1 MiB; losses counted."""
    _needs_sharing(setting)
    each, processes = setting.count(EACH), QUICK if setting.quick else PROCESSES
    kept: dict[str, _Kept] = {}
    absent: dict[str, str] = {}
    with setting.scratch() as folder:
        events = folder / "events.jsonl"
        events.write_bytes(b"\n".join(map(orjson.dumps, setting.events.fresh(min(each, 3_000)))) + b"\n")
        sides: dict[str, Side] = {}
        for name, module in (
            ("jsonl_audit", ""),
            ("jsonl_audit_interval", ""),
            ("AuditHandler", "jsonl_audit.handlers"),
            ("concurrent-log-handler", "concurrent_log_handler"),
            ("RotatingFileHandler", ""),
        ):
            if module and importlib.util.find_spec(module) is None:
                absent[name] = f"{name} is not installed"
                continue
            kept[name] = _Kept()
            sides[name] = _side(folder, events, name, each, kept[name], processes)
        samples = in_turn(sides, setting.rounds, warm=False)  # every process is a new one
    for name, found in kept.items():
        say(f"    {name}: {found.words()}, in {found.files} files")
    for ours, how in (
        ("jsonl_audit", 'append, shared=True, fsync="never", redact=None'),
        ("jsonl_audit_interval", 'append, shared=True, fsync="interval", redact=None'),
        ("AuditHandler", "AuditHandler as it is by default"),
    ):
        work = f"{how}, {processes} processes, a segment a MiB"
        for theirs, against in _OTHERS.items():
            missing = absent.get(ours) or absent.get(theirs)
            bounds = (2.0, 4.0) if (ours, theirs) == ("jsonl_audit", "concurrent-log-handler") else (None, None)
            if missing:
                if ours == "jsonl_audit":
                    yield Result("append-processes", work, against, "x", None, *bounds, note=missing)
                continue
            medians = {f"{name}_us": statistics.median(samples[name]) * 1e6 for name in (ours, theirs)}
            note = f"{ours.replace('_', ' ')} {kept[ours].words()}; {theirs} {kept[theirs].words()}"
            yield Result(
                "append-processes", work, against, "x", ratio(samples, ours, theirs), *bounds, sides=medians,
                samples={name: samples[name] for name in (ours, theirs)}, note=note,
            )  # fmt: skip


def _needs_sharing(setting: Setting) -> None:
    with setting.scratch() as folder:
        try:
            AuditLog(folder / "audit.jsonl", shared=True, redact=None).close()
        except ValueError as error:
            raise UnavailableError(str(error)) from error


def _side(folder: Path, events: Path, name: str, each: int, kept: _Kept, processes: int) -> Side:
    def side() -> float:
        own = folder / f"side{next(_number)}"
        own.mkdir()
        path = own / "audit.jsonl"
        taken = _run(path, events, name, each, processes)
        _look(path, name, processes * each, kept)
        shutil.rmtree(own)
        return taken / (processes * each)

    return side


def _run(path: Path, events: Path, name: str, each: int, processes: int) -> float:
    """Seconds from the word to begin until the last process has made its last call."""
    writers = []
    try:
        for who in range(processes):
            writer = subprocess.Popen([sys.executable, WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            writers.append(writer)
            told = {"side": name, "path": str(path), "events": str(events), "who": who, "count": each, "most": MOST}
            _tell(writer, json.dumps(told))
        for writer in writers:
            _hear(writer)
        start = time.perf_counter()
        for writer in writers:
            _tell(writer, "go")
        for writer in writers:
            _hear(writer)
        taken = time.perf_counter() - start
        for writer in writers:
            _tell(writer, "end")
        for writer in writers:
            if writer.wait():
                raise SystemExit(f"benchmark: a writer of {name} failed")
        return taken
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            assert writer.stdin is not None
            assert writer.stdout is not None
            writer.stdin.close()
            writer.stdout.close()


def _tell(writer: subprocess.Popen[bytes], word: str) -> None:
    assert writer.stdin is not None
    writer.stdin.write(word.encode() + b"\n")
    writer.stdin.flush()


def _hear(writer: subprocess.Popen[bytes]) -> None:
    assert writer.stdout is not None
    if not writer.stdout.readline():
        raise SystemExit("benchmark: a writer failed; its words stand above")


def _look(path: Path, name: str, written: int, kept: _Kept) -> None:
    """Counts what is there of all that was logged; of ours it must be all, once, in a log that is intact."""
    found: Counter[tuple[int, int]] = Counter()
    if name in _OTHERS:
        for file in path.parent.glob(f"{path.name}*"):
            if file.suffix == ".lock":
                continue
            kept.files += 1
            for line in file.read_bytes().splitlines():
                try:
                    event = orjson.loads(line)
                    found[event["writer"], event["number"]] += 1
                except (ValueError, KeyError, TypeError):
                    kept.broken += 1
    else:
        report = verify(path, full=True)
        if report.verdict != "intact":
            raise SystemExit(f"benchmark: {report}")
        kept.files += report.segments
        for record in query(path):
            event = record["event"] if name == "AuditHandler" else record  # there it is what the call gave as `extra`
            found[event["writer"], event["number"]] += 1
    kept.written += written
    kept.lost += written - len(found)
    kept.doubled += sum(count - 1 for count in found.values())
    if name not in _OTHERS and (kept.lost or kept.doubled):
        raise SystemExit(f"benchmark: {name} {kept.words()}")
