"""How much room is left on the disk of the log, and for how long that is enough."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import datetime, timezone

from jsonl_audit import storage
from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.mounts import free_names
from jsonl_audit.doctor.place import DEFAULT_SIZE, Place, is_whole_number
from jsonl_audit.visible import human_size

__all__ = ["pace", "sealed_at", "space"]

LEAST = 16 * 2**20
"""Below so many free bytes nothing may be expected to work for long, whatever the size of a segment."""
_DAY = 86_400.0
_PACKED = 4
"""So many times smaller a compressed segment is, at least: chained JSON is mostly repetition, but for its hashes."""


def space(place: Place) -> Iterator[Remark]:
    """Bytes and names that are free."""
    try:
        free, total = storage.free_space(place.names.directory)
        names = free_names(place.names.directory)
    except OSError as error:
        yield Remark("space", "space-unknown", "remark", f"how much is free cannot be told: {error.strerror}")
        return
    said = [*_bytes(place, free, total), *_names(place, names), *_kept(place, total)]
    yield from said
    if not said:
        words = f"{human_size(free)} of {human_size(total)} are free"
        yield Remark("space", "space", "ok", words, facts={"free": free, "total": total})


def _bytes(place: Place, free: int, total: int) -> Iterator[Remark]:
    segment = place.segment_size or DEFAULT_SIZE
    daily = pace(place)
    days = free / daily if daily else None
    least = min(LEAST, segment)
    enough = max(2 * segment, min(total // 20, 10 * 2**30))
    if free >= enough and (days is None or days >= 7):
        return
    urgent = free < least or (days is not None and days < 1)
    until = f"; at the pace of its last segments, {human_size(round(daily))} a day, that is enough for {_long(days)}"
    facts: dict[str, object] = {"free": free, "total": total}
    if days is not None:
        facts |= {"bytes_a_day": round(daily), "days": round(days, 2)}
    yield Remark(
        "space",
        "disk-nearly-full",
        "problem" if urgent else "warning",
        f"{human_size(free)} of {human_size(total)} are free" + (until if days is not None else ""),
        "On a full disk nothing can be appended: what happens to events then, on_error= says. A segment is at most "
        f"{human_size(segment)} here.",
        _room(place, enough - free),
        path=place.names.directory,
        facts=facts,
    )


def _room(place: Place, wanted: int) -> str:
    """What makes room: sealed segments may be compressed; where none is left, somebody has to look what may go."""
    plain = [path for path in place.sealed if not path.endswith((".gz", ".zst")) and not place.is_link(path)]
    gained = sum(place.found[path].st_size for path in plain if path in place.found)
    if plain and gained * (_PACKED - 1) // _PACKED >= min(wanted, LEAST):
        return shell.run("gzip", paths=plain)
    if place.mount is None:
        return ""
    return f"du -xah {shell.word(place.mount.point)} | sort -rh | head -n 30"


def _names(place: Place, names: int | None) -> Iterator[Remark]:
    if names is not None and names < 100:
        point = place.mount.point if place.mount is not None else place.names.directory
        yield Remark(
            "space",
            "no-more-files",
            "problem",
            f"{names} more files can be made on this disk (inodes)",
            "Sealing makes a file: without one the active file grows on, and artifacts cannot be stored.",
            f"du -x --inodes {shell.word(point)} | sort -rn | head -n 30",
            path=place.names.directory,
            facts={"names": names},
        )


def _kept(place: Place, total: int) -> Iterator[Remark]:
    """Whether what the log means to keep fits on the disk at all."""
    keep, segment = place.settings.get("backup_count"), place.segment_size
    if not is_whole_number(keep) or not keep or segment is None or (keep + 1) * segment <= total:
        return
    fits = max(1, total * 4 // 5 // segment - 1)
    yield Remark(
        "space",
        "keeps-too-much",
        "warning",
        f"the log keeps {keep} segments of {human_size(segment)}, and the disk has {human_size(total)}",
        "The disk is full before the oldest is removed.",
        setting=f"backup_count={fits}",
        path=place.names.path,
        facts={"backup_count": keep, "max_bytes": segment, "total": total},
    )


def pace(place: Place) -> float:
    """How many bytes a day the log has grown over its last segments; 0 where too little is known."""
    timed = [(when, place.found[path].st_size) for path in place.sealed if (when := sealed_at(place, path))]
    timed = [(when, size) for when, size in timed[-20:]]
    if len(timed) < 2:
        return 0.0
    seconds = (timed[-1][0] - timed[0][0]).total_seconds()
    return sum(size for _, size in timed[1:]) / seconds * _DAY if seconds >= 600 else 0.0


def sealed_at(place: Place, path: str) -> datetime | None:
    """When a segment was sealed, by its name; None for a compressed one, whose size is another, and for a link."""
    if path not in place.found or not stat.S_ISREG(place.found[path].st_mode) or path.endswith((".gz", ".zst")):
        return None
    stamp = place.names.stamp_of(os.path.basename(path))
    try:
        return datetime.strptime(f"{stamp}", "%Y%m%dT%H%M%S%fZ").replace(tzinfo=timezone.utc)
    except ValueError:  # digits that are no time
        return None


def _long(days: float | None) -> str:
    days = days or 0.0
    return f"{days:,.0f} days" if days >= 2 else f"{days * 24:,.0f} hours"
