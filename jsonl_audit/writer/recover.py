"""Opening a log, which is also recovery: read, decide, go on. Nothing is changed but by adding.

What is found decides (docs/format.md, "Opening"):

- a whole active file that goes on from the newest sealed one: it is appended to
- a torn end, damage, a failed sync: it is sealed as it is, accounted for, and the log goes on in a new segment
- no active file: ``.next`` takes its place where it goes on from the newest sealed one, else a new segment is begun
- a file that is no log, another log's, or older than what is sealed: refused
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import Any

from jsonl_audit import rotated, storage
from jsonl_audit.content import Content
from jsonl_audit.errors import NotALogError
from jsonl_audit.mark import Mark
from jsonl_audit.scan import WINDOW, Walk
from jsonl_audit.segment import Header, Names, Previous
from jsonl_audit.succession import check_countable
from jsonl_audit.writer import place, rotate
from jsonl_audit.writer.active import Active, both, damage_entry, sealed_name
from jsonl_audit.writer.durable import Durable

__all__ = ["Opening", "check_foreign", "open_log"]


@dataclass(slots=True)
class Opening:
    """What opening came to."""

    active: Active
    notes: list[str] = field(default_factory=list)
    """What was found that a person should know, a sentence each."""


def open_log(
    names: Names,
    mark: Mark | None,
    disk: Durable,
    *,
    mode: int,
    now: int,
    settings: dict[str, Any] | None = None,
) -> Opening:
    """Opens the log for appending; the lock is held. `now` is in microseconds since 1970.

    `settings` are what the header of a new log tells.

    Raises NotALogError, NewerFormatError, WrongLogError with nothing written; SyncError, after which the mark says so
    and opening again goes on without what could not be synced; OSError.
    """
    notes: list[str] = []
    sealed = names.list_sealed()
    if _has_content(names.path):
        return _existing(names, mark, disk, sealed, notes, mode, now)
    if place.next_fits(names, sealed):
        rotate.renew_next(names, mode)
        rotate.put_in_place(names)
        storage.sync_directory(names.directory)
        notes.append("a sealing that a crash interrupted was completed")
        return _existing(names, mark, disk, sealed, notes, mode, now)
    if sealed:
        newest = place.newest_sealed(sealed, mark.log if mark else None, notes)
        successor = _after(*newest, now=now)
        why = rotated.told(names, newest[0].log, cut=None)
        notes.append(f"the active file was removed: the log goes on from the newest sealed segment, and says so{why}")
    elif mark is not None:
        successor = rotate.first_segment(now, settings, active_missing=True)
        why = rotated.told(names, mark.log, cut=None)
        notes.append(f"the active file was removed and nothing is sealed: a new log begins, and says so{why}")
    else:
        successor = rotate.first_segment(now, settings)
    storage.sync_above(names.directory)
    rotate.write_next(names, successor, mode)
    return Opening(rotate.begin(names, successor, mode), notes)


def _existing(
    names: Names, mark: Mark | None, disk: Durable, sealed: list[str], notes: list[str], mode: int, now: int
) -> Opening:
    with Content(names.path) as content:
        header = content.header()
    fd = storage.open_append(names.path)
    try:
        newest = place.check_place(names, header, sealed, notes)
        if mark is not None and (mark.log != header.log or mark.segment != header.segment):
            mark = None
        active = _clean(fd, header, mark) or _same_boot(fd, header, mark)
        if active is None:
            walk, unreadable = _walk(fd, mark)
            size = storage.size(fd)
            lost_bytes = max(0, mark.synced - walk.end) if mark else 0
            if walk.last is None or walk.end < header.size:  # not one line that is right: the header was
                walk = Walk(strict=False, digest=True, times=True)
                walk.feed(storage.read(fd, 0, header.size))
                walk.finish()
            assert walk.last is not None
            check_countable(walk.last.seq, names.path)
            active = _known(Active(fd, header, walk.last, walk.end, walk.floor), mark)
            if (mark and mark.failed) or walk.torn or walk.damaged or lost_bytes or unreadable:
                if not (mark and mark.failed):
                    disk.must_sync(active)
                opening = _seal_as_it_is(names, header, walk, mark, size, unreadable, mode, now)
                opening.notes[:0] = notes
                place.remove_leftovers(sealed, active.log, opening.active.floor, opening.notes)
                storage.let_go(fd)
                return opening
            active.walked(walk)
        check_countable(active.seq, names.path)
        disk.sync(active)
        # Before anything is acknowledged here: the name may be one that a crash could still take back.
        storage.sync_directory(names.directory)
        place.note_missing(header, newest, active.floor, notes)
        place.remove_leftovers(sealed, active.log, active.floor, notes)
        return Opening(active, notes)
    except BaseException:
        storage.let_go(fd)
        raise


def _clean(fd: int, header: Header, mark: Mark | None) -> Active | None:
    """The active file as it was closed, or None: it ends where the mark says, with the hash that the mark says."""
    if mark is None or mark.failed or storage.size(fd) != mark.synced:
        return None
    link = place.link_before(fd, mark.synced, mark.hash)
    if link is None:
        return None
    return _known(Active(fd, header, link, mark.synced, mark.purged or header.purged), mark)


def _same_boot(fd: int, header: Header, mark: Mark | None) -> Active | None:
    """The active file of a process that died while the system lived on: only what it wrote last can be torn."""
    if mark is None or mark.failed or not mark.boot or mark.boot != storage.boot_id():
        return None
    link = place.link_before(fd, mark.synced, mark.hash)
    if link is None:
        return None
    walk = Walk(link=link, strict=False, offset=mark.synced)
    while data := storage.read(fd, walk.pos, WINDOW):
        walk.feed(data)
    walk.finish()
    if walk.torn or walk.damaged or walk.last is None:
        return None
    active = _known(Active(fd, header, walk.last, walk.end, walk.floor or mark.purged or header.purged), mark)
    active.tells(walk.settings)
    return active


def _known(active: Active, mark: Mark | None) -> Active:
    """How far the mark, if there is one, knows the segment to be on the disk."""
    if (
        mark is not None
        and mark.synced <= active.size
        and place.link_before(active.fd, mark.synced, mark.hash) is not None
    ):
        active.synced, active.synced_head = mark.synced, mark.hash
        active.tells(mark.settings)
    return active


def _walk(fd: int, mark: Mark | None) -> tuple[Walk, bool]:
    """A walk over the file, after a failed sync over what is on disk; and whether it could not be read to its end."""
    stop = mark.synced if mark is not None and mark.failed else None
    walk = Walk(strict=False, known=mark.synced if mark else 0, digest=True, times=True)
    try:
        while data := _read(fd, walk.pos, WINDOW if stop is None else min(WINDOW, stop - walk.pos)):
            walk.feed(data)
    except OSError:
        return walk.finish(), True
    return walk.finish(), False


def _read(fd: int, offset: int, count: int) -> bytes:
    """Reads, and where that fails twice more: what cannot be read now is given up for good."""
    for _ in range(2):
        with contextlib.suppress(OSError):
            return storage.read(fd, offset, count)
    return storage.read(fd, offset, count)


def _seal_as_it_is(
    names: Names,
    header: Header,
    walk: Walk,
    mark: Mark | None,
    size: int,
    unreadable: bool,
    mode: int,
    now: int,
) -> Opening:
    """Seals an active file with a torn end, damage or a failed sync, and goes on in a new one."""
    failed = mark is not None and mark.failed
    assert walk.last is not None
    assert walk.time is not None
    damage = [damage_entry(spot.offset, spot.bytes, spot.kind) for spot in walk.damage[:16]]
    damaged = walk.damaged
    if mark is not None and walk.end < mark.synced:  # the disk had all of this
        damage = [*damage[:15], damage_entry(walk.end, mark.synced - walk.end, "records-missing")]
        damaged += 1
    previous = Previous(
        name=sealed_name(names, now),
        first_seq=header.seq,
        last_seq=walk.last.seq,
        bytes=walk.end,
        blake3=walk.blake3(),
        time=walk.time,
        torn_bytes=-1 if failed else size - walk.end,
        torn_blake3=None if unreadable else walk.torn_blake3(),
        damage=tuple(damage),
        damaged=damaged,
        timed=None if damaged else walk.timed,
        artifacts=walk.refers,
    )
    # A record that was due in this segment and never came is due in the next.
    lost = both(header.lost if walk.last.seq == header.seq else None, _lost(walk, mark))
    successor = rotate.Successor(
        header.log,
        header.segment + 1,
        walk.last,
        previous,
        now=now,
        floor=walk.floor,
        lost=lost,
        settings=walk.settings,
    )
    rotate.write_next(names, successor, mode)
    rotate.move_aside(names, previous.name)
    return Opening(rotate.begin(names, successor, mode), [_what_was_sealed(previous, walk, failed, unreadable)])


def _what_was_sealed(previous: Previous, walk: Walk, failed: bool, unreadable: bool) -> str:
    if failed:
        what = "a sync had failed"
    elif unreadable:
        what = f"the file cannot be read behind byte {walk.pos}"
    elif previous.damaged:
        what = f"damage in {previous.damaged} place{'s' * (previous.damaged != 1)}"
    else:
        ends = {"piece": "a line cut short", "batch": "an unfinished batch", "hole": "a block that the disk lost"}
        what = f"a crash left {ends[walk.torn or 'piece']} ({previous.torn_bytes} bytes)"
    return f"{what}; sealed as it is in {previous.name}, up to seq {previous.last_seq}"


def _lost(walk: Walk, mark: Mark | None) -> tuple[int, int] | None:
    """Which acknowledged records stand behind the end and do not count."""
    assert walk.last is not None
    if mark is not None and mark.failed:
        last = mark.acknowledged
    elif mark is not None and mark.fsync == "always":
        return None  # there, what a hole takes along was in flight
    else:
        last = walk.void_last
    return (walk.last.seq + 1, last) if last > walk.last.seq else None


def check_foreign(names: Names) -> None:
    """Refuses, before anything is made beside it, a file at the log's path that is no log.

    Raises NotALogError, NewerFormatError; OSError where it cannot be read.
    """
    try:
        with Content(names.path) as content:
            if content.size:
                content.header()
    except FileNotFoundError:
        pass


def _after(header: Header, path: str, *, now: int) -> rotate.Successor:
    """The segment behind the sealed one at `path`, all of which is walked, where the active one was removed."""
    walk = Walk(strict=False, digest=True, times=True)
    with Content(path) as content:
        for data in content.blocks():
            walk.feed(data)
        size = content.size
    walk.finish()
    if walk.last is None or walk.time is None:
        raise NotALogError("not one record of this sealed segment is whole", path=path)
    check_countable(walk.last.seq, path)
    name = os.path.basename(path)
    plain = name[: -len(".gz")] if name.endswith(".gz") else name.removesuffix(".zst")
    previous = Previous(
        name=plain,
        first_seq=header.seq,
        last_seq=walk.last.seq,
        bytes=walk.end,
        blake3=walk.blake3(),
        time=walk.time,
        torn_bytes=size - walk.end,
        torn_blake3=walk.torn_blake3(),
        damage=tuple(damage_entry(spot.offset, spot.bytes, spot.kind) for spot in walk.damage[:16]),
        damaged=walk.damaged,
        timed=None if walk.damaged else walk.timed,
        artifacts=walk.refers,
    )
    return rotate.Successor(
        header.log,
        header.segment + 1,
        walk.last,
        previous,
        now=now,
        floor=walk.floor,
        active_missing=True,
        settings=walk.settings,
    )


def _has_content(path: str) -> bool:
    try:
        return storage.size(path) > 0
    except FileNotFoundError:
        return False
