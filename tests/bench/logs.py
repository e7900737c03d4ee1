"""The logs that reading is measured on: made once by the engine, kept for the next run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import jsonl_audit
from jsonl_audit import AuditLog

from .events import Events
from .measure import say

__all__ = ["Log", "made", "with_long_line"]

MADE = 2  # counted up when what a log holds changes
SEGMENT = 100 * 2**20
BATCH = 1000
ACTIVE = 1000  # records in the active segment: what is not sealed is a small part, as it mostly is in a large log


@dataclass(frozen=True)
class Log:
    """A log made for reading."""

    path: Path
    """Its active file."""
    files: tuple[Path, ...]
    """All its files, oldest first, the active one last."""
    bytes: int
    last_seq: int
    needle_seq: int
    """The one record that holds the rare value, about three fifths in."""

    @property
    def size(self) -> str:
        """Its size in words."""
        if self.bytes > 950_000_000:
            return f"{self.bytes / 1e9:.0f} GB"
        return f"{self.bytes / 1e6:.{0 if self.bytes > 9_500_000 else 1}f} MB"


def made(work: Path, events: Events, size: int) -> Log:
    """A log of `size` bytes in segments of 100 MiB (a tenth of a smaller log); from `work` if it lies there already."""
    kind = f"{MADE} {size} {jsonl_audit.__version__} {events.origin} {events.mean}"
    folder = work / f"log-{size // 1_000_000}MB-{hashlib.sha256(kind.encode()).hexdigest()[:8]}"
    label = folder / "made.json"
    if not label.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        say(f"  making a log of {size / 1e6:,.0f} MB in {folder}, once")
        label.write_text(json.dumps(_make(folder / "audit.jsonl", events, size)), "utf-8")
    facts = json.loads(label.read_text("utf-8"))
    path = folder / "audit.jsonl"
    files = (*sorted(name for name in folder.glob("audit.*Z.jsonl")), path)
    return Log(path, files, sum(map(os.path.getsize, files)), facts["last_seq"], facts["needle_seq"])


def with_long_line(folder: Path, log: Log, size: int, *, ended: bool) -> Log:
    """A copy of a log, with a line of `size` bytes in the middle of its active file; else, without LF, at its end."""
    for path in log.files:
        shutil.copy(path, folder / path.name)
    path = folder / log.path.name
    data = path.read_bytes()
    at = data.rfind(b"\n", 0, len(data) // 2) + 1 if ended else len(data)
    with path.open("wb") as file:
        file.write(data[:at])
        for _ in range(100):
            file.write(b"x" * (size // 100))
        file.write(b"\n" * ended + data[at:])
    files = tuple(folder / each.name for each in log.files)
    return Log(path, files, log.bytes + size, log.last_seq, log.needle_seq)


def _make(path: Path, events: Events, size: int) -> dict[str, int]:
    needle_seq = done = number = 0
    small = max(size // 10, 2**20)
    with AuditLog(path, fsync="never", max_bytes=min(SEGMENT, small), redact=None) as log:
        last = int(ACTIVE * events.mean) if size > 20_000_000 else size // 20
        batch = min(BATCH, max(size // 10_000, 10))
        while done < size - last:
            log.append_group(events.fresh(batch, number))
            number += batch
            done += int(batch * (events.mean + 290))
            if not needle_seq and done > size * 0.6:
                needle_seq = log.append(events.needle()).seq
        log.rotate()
        while done < size:
            log.append_group(events.fresh(batch, number))
            number += batch
            done += int(batch * (events.mean + 290))
        return {"last_seq": log.last_seq, "needle_seq": needle_seq}
