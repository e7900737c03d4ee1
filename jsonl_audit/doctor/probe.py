"""What a sync costs on this disk, and whether its locks keep processes apart: tried, with one small file of its own."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator

from jsonl_audit import storage
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.place import Place

__all__ = ["probe"]

TIMES = 200
"""So many syncs are measured, unless these seconds are over before:"""
SECONDS = 2.0
_LINE = b"x" * 511 + b"\n"
_SLOW, _STOPS = 0.02, 1.0
_TOO_QUICK = 3e-6
_TAKES = """\
import fcntl, os, sys
try:
    fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(3)
"""
"""What another process does that wants the same lock; 3: it is kept out."""


def probe(place: Place) -> Iterator[Remark]:
    """Makes a file beside the log, locks it, appends and syncs, and removes it."""
    path = f"{place.names.path}.probe-{os.getpid()}"
    try:
        fd = storage.open_append(path, create=True)
    except OSError as error:
        yield Remark(
            "sync", "not-tried", "remark", f"locks and syncs were not tried: no file is made here ({error.strerror})",
            "What a sync costs is found out by syncing.", path=place.names.directory,
        )  # fmt: skip
        return
    try:
        yield from _locks(place, fd, path)
        yield from _syncs(place, fd)
    finally:
        storage.let_go(fd)
        storage.unlink(path)


def _locks(place: Place, fd: int, path: str) -> Iterator[Remark]:
    kind = place.mount.type if place.mount is not None else "this file system"
    try:
        own = storage.lock(fd)
        kept_out = own and _another_is_kept_out(path)
    except OSError as error:
        yield Remark(
            "locks", "no-locks", "problem", f"{kind} has no locks here: {error.strerror}",
            "Without them writers cannot be kept apart, and opening the log is refused. Put it on a local disk.",
            path=place.names.directory,
        )  # fmt: skip
        return
    if kept_out is False:
        yield Remark(
            "locks", "locks-keep-nobody-out", "problem", f"two processes had one lock at the same time on {kind}",
            "Two writers would append to one log, each behind the other's back, and fork it. Put it on a local disk.",
            path=place.names.directory,
        )  # fmt: skip
    elif kept_out is None:
        yield Remark("locks", "locks-not-tried", "remark", "whether locks keep processes apart could not be tried here")
    else:
        yield Remark("locks", "locks", "ok", "a second process was kept out")


def _another_is_kept_out(path: str) -> bool | None:
    """Whether a process of its own fails to get the lock that this one has; None where that cannot be tried."""
    try:
        ended = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _TAKES, path],
            capture_output=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {0: False, 3: True}.get(ended.returncode)


def _syncs(place: Place, fd: int) -> Iterator[Remark]:
    taken: list[float] = []
    began = time.perf_counter()
    try:
        while len(taken) < TIMES and time.perf_counter() - began < SECONDS:
            storage.write(fd, _LINE)
            before = time.perf_counter()
            storage.sync(fd)
            taken.append(time.perf_counter() - before)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
        yield Remark(
            "sync", "sync-fails", "problem",
            f"{'no room for half a kilobyte' if full else 'a sync failed'}: {error.strerror}",
            "Nothing can be appended until there is room." if full
            else "What cannot be synced is not on the disk: look at the system's log (dmesg).",
            path=place.names.directory,
        )  # fmt: skip
        return
    taken.sort()
    usual, worst = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
    facts = {"p50": round(usual, 7), "p99": round(worst, 7), "count": len(taken)}
    words = f"a sync takes {_long(usual)}, one in a hundred {_long(worst)} or more ({len(taken)} tried)"
    lasting = place.mount is not None and place.mount.lasting
    if usual < _TOO_QUICK and lasting:
        yield Remark(
            "sync", "sync-too-quick", "warning", words,
            "No disk is that quick: something between says that it is done before it is. A power cut then takes what "
            "was acknowledged.", path=place.names.directory, facts=facts,
        )  # fmt: skip
    elif (usual > _SLOW or worst > _STOPS) and place.fsync == "always":
        yield Remark(
            "sync", "sync-slow", "warning", words,
            f"With fsync='always' one thread appends {1 / usual:,.0f} events a second here. Append many at once "
            "(append_group) or from many threads, which share a sync; or let them wait for none.",
            setting='fsync="interval"', path=place.names.directory, facts=facts,
        )  # fmt: skip
    else:
        yield Remark("sync", "sync", "ok", words, facts=facts)


def _long(seconds: float) -> str:
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds * 1e6:.1f} µs"
