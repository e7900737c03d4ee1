"""What every row works with: the events, the folder, the sizes; and what the machine is."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .events import Events
from .logs import Log, made
from .measure import UnavailableError

__all__ = ["Setting", "fail_if_no_module", "machine", "program"]

SMALL_LOG = 10_000_000
PACKAGES = ("jsonl-audit", "orjson", "blake3", "structlog", "python-json-logger", "concurrent-log-handler", "duckdb")
PROGRAMS = ("b3sum", "jq", "rg")


@dataclass(frozen=True)
class Setting:
    """One run of the command."""

    events: Events
    work: Path
    """The folder for everything that is written, all on one file system."""
    size: int
    """Bytes of the log that reading is measured on."""
    rounds: int
    quick: bool

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on the same file system as all the others, gone afterwards."""
        folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=self.work))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def count(self, usual: int) -> int:
        """How many of a thing to do: `usual`, or a twentieth in a quick run."""
        return max(usual // 20, 20) if self.quick else usual

    @property
    def log(self) -> Log:
        """The large log, warm in the page cache."""
        return self._warm(self.size)

    @property
    def small_log(self) -> Log:
        """The log of 10 MB that shows what does not grow (a tenth of the large one, if that is small)."""
        return self._warm(min(SMALL_LOG, self.size // 10))

    def _warm(self, size: int) -> Log:
        log = made(self.work, self.events, size)
        for path in log.files:
            with path.open("rb", buffering=0) as file:
                while file.read(1 << 22):
                    pass
        return log


def program(name: str) -> str:
    """The path of a program, or UnavailableError."""
    found = shutil.which(name)
    if found is None:
        raise UnavailableError(f"{name} is not installed")
    return found


def fail_if_no_module(name: str, package: str) -> None:
    """Raises UnavailableError for a package that is not installed."""
    if importlib.util.find_spec(name) is None:
        raise UnavailableError(f"{package} is not installed (the extra `bench` has it)")


def machine(setting: Setting) -> dict[str, Any]:
    """What the figures depend on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    for name in PROGRAMS:
        versions[name] = _version(name)
    import sqlite3

    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "file_system": _file_system(setting.work),
        "events": setting.events.origin,
        "event_bytes_mean": round(setting.events.mean),
        "log_bytes": setting.size,
        "rounds": setting.rounds,
        "quick": setting.quick,
        "versions": {**versions, "sqlite": sqlite3.sqlite_version},
    }


@functools.cache
def _version(name: str) -> str | None:
    path = shutil.which(name)
    if path is None:
        return None
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return next((word for word in said if "." in word or "-" in word), "?")


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _file_system(folder: Path) -> str:
    """Its kind, where the system says so: a sync on a file system in memory costs nothing, and shows nothing."""
    best, kind = "", sys.platform
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    except OSError:
        return kind
    for mount in mounts:
        _, point, its_kind, *_ = mount.split()
        if f"{folder.resolve()}/".startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, its_kind
    return kind
