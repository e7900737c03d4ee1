"""Whether the clock of this machine goes with the times in the log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from jsonl_audit import instants
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.place import Place

__all__ = ["clock"]

_SYNC = "timedatectl set-ntp true"
_RELEASED = instants.micros("2026-01-01T00:00:00.000000Z")
"""When this program did not exist yet."""
_ERROR, _UNSYNCHRONISED = 5, 0x40  # TIME_ERROR, STA_UNSYNC of adjtimex(2)


def clock(place: Place) -> Iterator[Remark]:
    """The time now, against that of the newest record and of the file."""
    now = time.time_ns() // 1000
    said = [*_now(now), *_ahead(place, now), *_of_file(place, now), *_kept_right()]
    yield from said
    if not said:
        yield Remark("clock", "clock", "ok", f"it is {instants.text(now)}, and nothing in the log is later")


def _now(now: int) -> Iterator[Remark]:
    if now < _RELEASED:
        yield Remark(
            "clock",
            "clock-in-the-past",
            "problem",
            f"the clock says {instants.text(now)}",
            "That is before this program was written: the machine has lost its time, and each record would have it.",
            _SYNC,
            facts={"now": instants.text(now)},
        )


def _ahead(place: Place, now: int) -> Iterator[Remark]:
    newest = None if place.figures is None else place.figures.last_ts
    if newest is None or not instants.is_instant(newest):
        return
    ahead = (instants.micros(newest) - now) / 1e6
    if ahead > 1:
        yield Remark(
            "clock",
            "log-ahead-of-clock",
            "problem" if ahead > 3600 else "warning",
            f"the newest record is of {newest}, {_long(ahead)} from now",
            "The clock was ahead then, or is behind now. Until it has caught up, each record gets that same time, with "
            "the clock's own beside it (clock).",
            _SYNC,
            path=place.names.path,
            facts={"newest": newest, "now": instants.text(now), "ahead": round(ahead, 3)},
        )


def _of_file(place: Place, now: int) -> Iterator[Remark]:
    """The file system of a share has the clock of its server."""
    if place.active is None:
        return
    ahead = place.active.st_mtime - now / 1e6
    if ahead > 60:
        yield Remark(
            "clock",
            "file-ahead-of-clock",
            "warning",
            f"the active file was written {_long(ahead)} from now, says the file system",
            "The clock stepped back since, or the file lies on a machine with another clock: what goes by the times of "
            "files (rsync, backups) takes it for newer than it is.",
            _SYNC,
            path=place.names.path,
            facts={"ahead": round(ahead, 3)},
        )


def _kept_right() -> Iterator[Remark]:
    """Whether somebody keeps the clock right, as the kernel of Linux knows it."""
    if sys.platform != "linux":
        return
    try:
        import ctypes

        answer = ctypes.create_string_buffer(256)  # struct timex, all zero: asks, and sets nothing
        state = ctypes.CDLL(None).adjtimex(answer)
    except (ImportError, AttributeError):  # a Python without ctypes, a C library without the call
        return
    at = 5 * ctypes.sizeof(ctypes.c_long)  # behind modes, offset, freq, maxerror, esterror
    status = int.from_bytes(answer.raw[at : at + 4], sys.byteorder)
    if state == _ERROR and status & _UNSYNCHRONISED:
        yield Remark(
            "clock",
            "clock-not-synchronised",
            "remark",
            "nothing keeps this machine's clock right, says the kernel",
            "Times are what an investigation joins several logs by. In a virtual machine the host may do it all the "
            "same.",
            _SYNC,
        )


def _long(seconds: float) -> str:
    for size, word in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {word}"
    return f"{seconds:.1f} seconds"
