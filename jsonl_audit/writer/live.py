"""What a writer does when the file under it is not what it wrote: after an error, or since somebody touched it.

Nothing is assumed: the disk is read again. What this writer chained is the truth that the log goes on from:

- nothing but what it wrote: it goes on, with whole records of a commit that had failed counted in
- a piece of a line, an unfinished batch: the file is sealed as it is, accounted for
- a failed sync: sealed up to what is known to be on disk
- gone, cut, changed, replaced by an older copy: the log goes on in the successor of what was chained
- another log's file, or no log at all: refused, and nothing is written
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from jsonl_audit import instants, rotated, storage
from jsonl_audit.content import Content
from jsonl_audit.errors import WrongLogError
from jsonl_audit.scan import WINDOW, Link, Walk
from jsonl_audit.segment import Names, Previous
from jsonl_audit.writer import rotate
from jsonl_audit.writer.active import Active, both, damage_entry, sealed_name
from jsonl_audit.writer.chain import Receipt
from jsonl_audit.writer.durable import Durable
from jsonl_audit.writer.place import link_before
from jsonl_audit.writer.recover import Opening

__all__ = ["adopt", "go_on", "unchanged"]


def unchanged(names: Names, active: Active) -> bool:
    """Whether the file that is being written still bears the log's name and has the length that it should."""
    try:
        found = storage.stat(names.path)
    except OSError:  # not there, or not to be asked: whoever goes on finds out
        return False
    return (found.st_dev, found.st_ino) == active.key and found.st_size == active.size


def go_on(names: Names, active: Active, disk: Durable, *, mode: int, now: int) -> Opening:
    """Reads the disk again and goes on. Raises WrongLogError, NotALogError with nothing written; SyncError, OSError."""
    if active.successor is not None:
        resumed = rotate.resume(names, active.successor, mode)
        if resumed is not None:
            active.close()
            return Opening(resumed, ["a sealing that had failed in the middle was completed"])
    if disk.failed:
        return _go_on_after_failed_sync(names, active, mode=mode, now=now)
    present = _present(names, active)
    if present == "ours" and link_before(active.fd, active.size, active.head) is not None:
        walk = Walk(link=active.link, strict=False, digest=True, times=True, offset=active.size)
        while data := storage.read(active.fd, walk.pos, WINDOW):
            walk.feed(data)
        walk.finish()
        if walk.last is not None:
            adopt(active, walk)
        if not walk.torn and not walk.damaged:
            return Opening(active, ["a failed write had left nothing, or whole records, which count"])
        disk.must_sync(active)
        previous = replace(
            _chained(names, active, now),
            torn_bytes=walk.torn_bytes,
            torn_blake3=walk.torn_blake3(),
            damage=(*active.damage, *(damage_entry(place.offset, place.bytes, place.kind) for place in walk.damage))[
                :16
            ],
            damaged=active.damaged + walk.damaged,
        )
        what = f"a write stopped in the middle ({walk.torn_bytes} bytes): sealed as it is in {previous.name}"
    else:
        with contextlib.suppress(OSError):  # what is left of the file, wherever it is now, may be found one day
            storage.sync(active.fd)
        previous = _chained(names, active, now)
        what = {
            "ours": "the active file was cut or changed under its writer",
            "older": "the active file was replaced by another copy",
            "missing": "the active file was removed under its writer",
        }[present] + f"; the log goes on from seq {active.seq}"
        what += rotated.told(names, active.log, cut=present == "ours")
    return _successor(names, active, active.link, previous, what, mode, now, missing=present == "missing")


def _go_on_after_failed_sync(names: Names, active: Active, *, mode: int, now: int) -> Opening:
    """Seals the file, without a sync, up to what was on disk before the failed one; what is behind does not count."""
    walk = Walk(strict=False, digest=True, times=True)
    while walk.pos < active.synced and (
        data := storage.read(active.fd, walk.pos, min(WINDOW, active.synced - walk.pos))
    ):
        walk.feed(data)
    walk.finish()
    present = _present(names, active)
    if walk.last is None or walk.time is None or walk.end != active.synced or walk.damaged:
        # Not even that is there any more: what was chained is all that can be vouched for.
        previous, link = replace(_chained(names, active, now), torn_bytes=-1), active.link
    else:
        link = walk.last
        previous = Previous(
            name=sealed_name(names, now),
            first_seq=active.first_seq,
            last_seq=link.seq,
            bytes=walk.end,
            blake3=walk.blake3(),
            time=walk.time,
            torn_bytes=-1,
            timed=walk.timed,
            artifacts=walk.refers,
        )
    what = f"a sync had failed: sealed as it is in {previous.name}, up to seq {link.seq}"
    lost = (link.seq + 1, active.seq) if active.seq > link.seq else None
    if link.seq == active.first_seq:  # the record that told of an earlier loss is not on the disk, if there was one
        lost = both(active.due, lost)
    return _successor(names, active, link, previous, what, mode, now, missing=present == "missing", lost=lost)


def _successor(
    names: Names,
    active: Active,
    link: Link,
    previous: Previous,
    what: str,
    mode: int,
    now: int,
    *,
    missing: bool,
    lost: tuple[int, int] | None = None,
) -> Opening:
    successor = rotate.Successor(
        active.log,
        active.segment + 1,
        link,
        previous,
        now=now,
        floor=active.floor,
        settings=active.settings,
        active_missing=missing,
        lost=lost or active.lost,  # a record that is still due is the first of a segment: nothing else is in it
    )
    if missing:
        storage.make_directory(names.directory)
        storage.sync_above(names.directory)
    rotate.write_next(names, successor, mode)
    active.successor = successor
    if not missing:
        rotate.move_aside(names, previous.name)
    opening = Opening(rotate.begin(names, successor, mode), [what])
    active.close()
    return opening


def _present(names: Names, active: Active) -> str:
    """What stands at the log's path: ``ours``, ``older`` (a copy of the same segment), ``missing`` (or empty)."""
    try:
        with Content(names.path) as content:
            if content.key == active.key:
                return "ours"
            if content.size == 0:
                return "missing"
            header = content.header()
    except FileNotFoundError:
        return "missing"
    if header.log == active.log and header.segment > active.segment:
        raise WrongLogError(
            f"another writer took this log over and went on in segment {header.segment}: the lock file had been "
            "removed, or does not keep writers apart here; nothing was written. Close this one and open the log anew",
            path=names.path,
            seq=active.seq,
        )
    if (header.log, header.segment) != (active.log, active.segment):
        raise WrongLogError(
            "another log's file, or another segment, was put in the place of the one being written; nothing was "
            "written to it. Move it away and the log goes on",
            path=names.path,
            seq=active.seq,
        )
    return "older"


def adopt(active: Active, walk: Walk) -> None:
    """Counts in whole records that stand behind the last one: of a commit that had failed, or of another process."""
    count = walk.end - active.size
    if count <= 0 or walk.last is None:
        return
    data = storage.read(active.fd, active.size, count)
    seq, head, ts = walk.last
    active.wrote(data, Receipt(seq, ts, "", head), instants.micros(ts))
    active.timed = None if active.timed is None else active.timed + walk.timed
    active.lost = None
    active.purged(walk.floor)
    active.tells(walk.settings)
    if walk.time is not None:
        active.low, active.high = min(active.low, walk.time[0]), max(active.high, walk.time[1])


def _chained(names: Names, active: Active, now: int) -> Previous:
    """What the next header says of the segment: what this writer chained, also where the file is not that any more."""
    if active.catch_up():
        return active.previous(names, now)
    # It was reopened, and cut before all of it was walked: what is left of it is what can be vouched for.
    walk = active.walk
    assert walk is not None
    walk.finish()
    places = [damage_entry(place.offset, place.bytes, place.kind) for place in walk.damage[:15]]
    places.append(damage_entry(walk.end, active.size - walk.end, "records-missing"))
    return Previous(
        name=sealed_name(names, now),
        first_seq=active.first_seq,
        last_seq=active.seq,
        bytes=walk.end,
        blake3=walk.blake3(),
        time=walk.time or (active.ts, active.ts),
        torn_bytes=walk.torn_bytes,
        torn_blake3=walk.torn_blake3(),
        damage=tuple(places),
        damaged=walk.damaged + 1,
        artifacts=walk.refers or active.refers,
    )
