"""How large segments become, and how often they change: what shippers and people have to keep up with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise

from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.place import Place
from jsonl_audit.doctor.space import pace, sealed_at
from jsonl_audit.visible import human_size

__all__ = ["rotation"]

_ONE_PUT = 5 * 2**30
"""The largest object that S3 takes in one request; the largest file of FAT is 4 GiB."""
_SHORTEST = 60.0
"""Seconds: by default Fluent Bit looks for new files so often, Filebeat and rsyslog's polling each 10 s."""
_MANY = 5000
"""More files than this in one folder are slow to list, to copy and to match."""
_LONGEST = 31.0
"""Days in which something should have been sealed, where sealed segments are what is shipped."""


def rotation(place: Place) -> Iterator[Remark]:
    """The size of a segment, and the time that it lasts."""
    said = [*_size(place), *_often(place), *_seldom(place), *_count(place)]
    yield from said
    if not said:
        limit = place.segment_size
        yield Remark(
            "rotation", "rotation", "ok",
            f"sealed at {human_size(limit) if limit else 'no size'}; {len(place.sealed):,} sealed segments here",
            facts={"max_bytes": limit, "sealed": len(place.sealed)},
        )  # fmt: skip


def _size(place: Place) -> Iterator[Remark]:
    limit = place.segment_size
    if limit is None:
        yield Remark(
            "rotation",
            "never-sealed",
            "warning",
            "the log is never sealed by itself: it has no max_bytes",
            "One file grows for ever: it is checked line by line each time, copied whole by tools that copy files, and "
            "nothing of it can ever be purged.",
            setting="max_bytes=104857600",
            path=place.names.path,
        )
    elif limit > _ONE_PUT:
        yield Remark(
            "rotation",
            "segments-too-large",
            "warning",
            f"a segment may be {human_size(limit)}",
            "More than 5 GiB goes into no object store in one request, more than 4 GiB on no FAT disk, and what breaks "
            "off on the way begins anew.",
            setting="max_bytes=1073741824",
            path=place.names.path,
            facts={"max_bytes": limit},
        )


def _often(place: Place) -> Iterator[Remark]:
    times = [when for path in place.sealed[-20:] if (when := sealed_at(place, path)) is not None]
    if len(times) < 4:
        return
    apart = sorted((later - earlier).total_seconds() for earlier, later in pairwise(times))
    usual = apart[len(apart) // 2]
    limit = place.segment_size
    if usual >= _SHORTEST or limit is None:
        return
    mean = sum(place.found[path].st_size for path in place.sealed[-20:]) / len(place.sealed[-20:])
    if mean < limit / 2:  # somebody seals by hand
        return
    wanted = min(1 << (int(limit * 600 / max(usual, 0.01))).bit_length(), 2**30)
    if wanted <= limit:
        return
    yield Remark(
        "rotation",
        "sealed-too-often",
        "warning",
        f"a segment is full after {max(usual, 0.1):.1f} s or less, as the last {len(times)} were",
        "Shippers look for new files each 10 to 60 s: one that is made and sealed in between is never seen by one that "
        "follows the active file alone.",
        setting=f"max_bytes={wanted}",
        path=place.names.path,
        facts={"seconds": round(usual, 3), "max_bytes": limit},
    )


def _seldom(place: Place) -> Iterator[Remark]:
    limit, daily = place.segment_size, pace(place)
    if limit is not None and daily and limit / daily > _LONGEST:
        days = limit / daily
        yield Remark(
            "rotation",
            "sealed-seldom",
            "remark",
            f"at the pace of its last segments, {human_size(round(daily))} a day, one is full after {days:,.0f} days",
            "Where only sealed segments are copied, what happened lately is nowhere else for so long: copy the active "
            "file too, or seal it each day.",
            shell.run("jsonl-audit", "rotate", place.names.path),
            path=place.names.path,
            facts={"days": round(days, 1), "max_bytes": limit},
        )


def _count(place: Place) -> Iterator[Remark]:
    count = len(place.sealed)
    if count <= _MANY:
        return
    limit = place.segment_size or 0
    old = os.path.join(os.path.dirname(place.names.directory), "older")
    yield Remark(
        "rotation",
        "many-segments",
        "remark",
        f"{count:,} sealed segments lie in one folder",
        f"Each listing, copying and matching of names takes longer. Larger segments ({human_size(limit * 10)}) are "
        f"fewer; old ones may lie elsewhere ({old}), and the log is then incomplete without them.",
        setting=f"max_bytes={limit * 10}" if limit else "",
        path=place.names.directory,
        facts={"sealed": count},
    )
