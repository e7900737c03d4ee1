"""Opening a log, which is also recovery: read, decide, go on. Nothing is changed but by adding.

What is found decides (docs/reference/format.md, "Opening"):

- a whole active file that goes on from the newest sealed one: it is appended to
- a torn end, damage, a failed sync: it is sealed as it is, accounted for, and the log goes on in a new segment
- no active file: ``.next`` takes its place where it goes on from the newest sealed one, else a new segment is begun
- a file that is no log, another log's, or older than what is sealed: refused
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from jsonl_audit import record, storage
from jsonl_audit.content import Content
from jsonl_audit.errors import LogError, NotALogError, WrongLogError
from jsonl_audit.mark import Mark
from jsonl_audit.scan import WINDOW, Link, Walk
from jsonl_audit.segment import Header, Names, Previous
from jsonl_audit.writer import rotate
from jsonl_audit.writer.active import Active, damage_entry, sealed_name

__all__ = ["Opening", "check_foreign", "link_before", "open_log"]


@dataclass(slots=True)
class Opening:
    """What opening came to."""

    active: Active
    notes: list[str] = field(default_factory=list)
    """What was found that a person should know, a sentence each."""
    lost: tuple[int, int] | None = None
    """First and last seq of acknowledged records that are not there any more."""


def open_log(names: Names, mark: Mark | None, *, mode: int, now: int) -> Opening:
    """Opens the log for appending; the lock is held. `now` is in microseconds since 1970.

    Raises NotALogError, NewerFormatError, WrongLogError with nothing written; OSError.
    """
    notes: list[str] = []
    sealed = names.list_sealed()
    if _has_content(names.path):
        return _existing(names, mark, sealed, notes, mode, now)
    if _next_fits(names, sealed):
        storage.replace(names.next, names.path)
        storage.sync_directory(names.directory)
        notes.append("a sealing that a crash interrupted was completed")
        return _existing(names, mark, sealed, notes, mode, now)
    if sealed:
        newest = _newest(sealed, mark.log if mark else None, notes)
        successor = rotate.Successor(*_after(*newest), now=now, active_missing=True)
        notes.append("the active file was removed: the log goes on from the newest sealed segment, and says so")
    elif mark is not None:
        successor = rotate.first_segment(now, active_missing=True)
        notes.append("the active file was removed and nothing is sealed: a new log begins, and says so")
    else:
        successor = rotate.first_segment(now)
    rotate.write_next(names, successor, mode)
    return Opening(rotate.begin(names, successor, mode), notes)


def _existing(names: Names, mark: Mark | None, sealed: list[str], notes: list[str], mode: int, now: int) -> Opening:
    with Content(names.path) as content:
        header = content.header()
    fd = storage.open_append(names.path)
    try:
        _check_place(names, header, sealed, notes)
        if mark is not None and (mark.log != header.log or mark.segment != header.segment):
            mark = None
        active = _clean(fd, header, mark) or _same_boot(fd, header, mark)
        if active is None:
            walk, unreadable = _walk(fd, mark.synced if mark and mark.failed else None)
            size = storage.size(fd)
            lost_bytes = max(0, mark.synced - walk.end) if mark else 0
            if (mark and mark.failed) or walk.torn or walk.damaged or lost_bytes or unreadable:
                opening = _seal_as_it_is(names, fd, header, walk, mark, size, unreadable, mode, now)
                opening.notes[:0] = notes
                storage.close(fd)
                return opening
            assert walk.last is not None
            active = Active(fd, header, walk.last, walk.end, walk.floor)
            active.walked(walk)
            storage.sync(fd)
        # Before anything is acknowledged here: the name may be one that a crash could still take back.
        storage.sync_directory(names.directory)
        active.synced, active.synced_head = active.size, active.head
        _remove_leftovers(sealed, active, notes)
        return Opening(active, notes)
    except BaseException:
        storage.close(fd)
        raise


def _clean(fd: int, header: Header, mark: Mark | None) -> Active | None:
    """The active file as it was closed, or None: it ends where the mark says, with the hash that the mark says."""
    if mark is None or mark.failed or storage.size(fd) != mark.synced:
        return None
    link = link_before(fd, mark.synced, mark.hash)
    return None if link is None else Active(fd, header, link, mark.synced, mark.purged or header.purged)


def _same_boot(fd: int, header: Header, mark: Mark | None) -> Active | None:
    """The active file of a process that died while the system lived on: only what it wrote last can be torn."""
    if mark is None or mark.failed or not mark.boot or mark.boot != storage.boot_id():
        return None
    link = link_before(fd, mark.synced, mark.hash)
    if link is None:
        return None
    walk = Walk(link=link, strict=False, offset=mark.synced)
    while data := storage.read(fd, walk.pos, WINDOW):
        walk.feed(data)
    walk.finish()
    if walk.torn or walk.damaged or walk.last is None:
        return None
    active = Active(fd, header, walk.last, walk.end, walk.floor or mark.purged or header.purged)
    storage.sync(fd)
    return active


def link_before(fd: int, end: int, own: str) -> Link | None:
    """The record that ends at byte `end`, if it has the hash `own`."""
    size = 64 * 1024
    while True:
        text = storage.read(fd, max(0, end - size), min(size, end))
        start = text.rfind(b"\n", 0, -1) + 1
        if start or size >= end or size > record.HARD_LIMIT:
            break
        size *= 16
    line = text[start:]
    if not record.own_hash_right(line) or line[-67:-3].decode() != own:
        return None
    return Link(record.seq_of(line), own, record.ts_of(line))


def _walk(fd: int, stop: int | None = None) -> tuple[Walk, bool]:
    """A walk over the file, up to `stop`; and whether it ended early since the file could not be read."""
    walk = Walk(strict=False, digest=True, times=True)
    try:
        while data := storage.read(fd, walk.pos, WINDOW if stop is None else min(WINDOW, stop - walk.pos)):
            walk.feed(data)
    except OSError:
        return walk.finish(), True
    return walk.finish(), False


def _seal_as_it_is(
    names: Names,
    fd: int,
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
    if walk.last is None or walk.end < header.size:  # not one line that is right: the header was
        walk = Walk(strict=False, digest=True, times=True)
        walk.feed(storage.read(fd, 0, header.size))
        walk.finish()
    assert walk.last is not None
    assert walk.time is not None
    damage = [damage_entry(place.offset, place.bytes, place.kind) for place in walk.damage[:16]]
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
    )
    if not failed:
        storage.sync(fd)
    successor = rotate.Successor(header.log, header.segment + 1, walk.last, previous, now=now, floor=walk.floor)
    rotate.write_next(names, successor, mode)
    rotate.move_aside(names, previous.name)
    notes = [_what_was_sealed(previous, walk, failed)]
    opening = Opening(rotate.begin(names, successor, mode), notes)
    opening.lost = _lost(walk, mark)
    return opening


def _what_was_sealed(previous: Previous, walk: Walk, failed: bool) -> str:
    if failed:
        what = "a sync had failed"
    elif previous.damaged:
        what = f"damage in {previous.damaged} place{'s' * (previous.damaged != 1)}"
    else:
        ends = {"piece": "a line cut short", "batch": "an unfinished batch", "hole": "a block that the disk lost"}
        what = f"a crash left {ends.get(walk.torn or '', 'an unreadable end')} ({previous.torn_bytes} bytes)"
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


def _read_headers(sealed: list[str], notes: list[str]) -> list[tuple[Header, str]]:
    found = []
    for path in sealed:
        try:
            with Content(path) as content:
                found.append((content.header(), path))
        except (LogError, OSError) as error:
            notes.append(f"a file beside the log has a sealed segment's name and cannot be read as one: {error}")
    return found


def _newest(sealed: list[str], log: str | None, notes: list[str]) -> tuple[Header, str]:
    """The sealed segment with the highest number, of the log that the mark or the newest name says."""
    headers = _read_headers(sealed, notes)
    if not headers:
        raise WrongLogError(
            "the active file is missing and no sealed segment here can be read; move them away to begin a new log",
            path=os.path.dirname(sealed[-1]),
        )
    log = log if any(header.log == log for header, _ in headers) else headers[-1][0].log
    return max((entry for entry in headers if entry[0].log == log), key=lambda entry: entry[0].segment)


def _check_place(names: Names, header: Header, sealed: list[str], notes: list[str]) -> None:
    """Refuses an active file that does not go on from the newest sealed segment."""
    before = _read_headers(sealed[-1:], notes)
    if not (before and before[0][0].log == header.log and before[0][0].segment == header.segment - 1):
        others = _read_headers(sealed[:-1], notes) + before
        before = [entry for entry in others if entry[0].log == header.log]
        if others and not before:
            raise WrongLogError(
                "the active file belongs to another log than the sealed segments beside it; nothing was written. "
                "Put the right file back, or move it or them away",
                path=names.path,
                expected=others[-1][0].log,
                actual=header.log,
            )
    if not before:
        if header.segment > 1 and header.purged is None:
            notes.append(f"segments 1 to {header.segment - 1} are not here")
        return
    newest, path = max(before, key=lambda entry: entry[0].segment)
    if newest.segment >= header.segment:
        raise WrongLogError(
            f"the active file is segment {header.segment}, and segment {newest.segment} is sealed already "
            f"({os.path.basename(path)}): an older file was put back. Nothing was written; move it away and the log "
            "goes on",
            path=names.path,
            expected=newest.segment + 1,
            actual=header.segment,
        )
    if newest.segment < header.segment - 1:
        notes.append(f"segments {newest.segment + 1} to {header.segment - 1} are not here")
    elif not _goes_on(header, newest, path):
        raise WrongLogError(
            f"the active file does not go on from {os.path.basename(path)}, the segment before it; nothing was "
            "written. One of the two was replaced: run verify",
            path=names.path,
            seq=header.seq,
        )


def _goes_on(header: Header, before: Header, path: str) -> bool:
    """Whether `header` names the sealed segment at `path` as its predecessor.

    A sealed file that was cut or changed since is the verifier's business; a whole record at the named end that has
    another hash is another history.
    """
    named = header.previous
    if named is None or named.first_seq != before.seq:
        return False
    with Content(path) as content:
        end = content.read(max(0, named.bytes - 67), min(67, named.bytes))
        if len(end) < 67 or not end.endswith(b'"}\n') or end[:64] == header.prev.encode():
            return True
        return link_before(content.fd, named.bytes, end[:64].decode("ascii", "replace")) is None


def _next_fits(names: Names, sealed: list[str]) -> bool:
    """Whether `.next` is the newest sealed segment's successor, or the first segment where nothing is sealed."""
    try:
        with Content(names.next) as content:
            header = content.header()
    except (LogError, OSError):
        return False
    if not sealed:
        return header.segment == 1
    before = [entry for entry in _read_headers(sealed, []) if entry[0].log == header.log]
    if not before or header.previous is None:
        return False
    newest, path = max(before, key=lambda entry: entry[0].segment)
    if newest.segment != header.segment - 1:
        return False
    with Content(path) as content:
        long_enough = content.size >= header.previous.bytes
    return long_enough and _goes_on(header, newest, path)


def _after(header: Header, path: str) -> tuple[str, int, Link, Previous]:
    """What comes after the sealed segment at `path`: log, number, link and what to say of it, all of it walked."""
    walk = Walk(strict=False, digest=True, times=True)
    with Content(path) as content:
        for data in content.blocks():
            walk.feed(data)
        size = content.size
    walk.finish()
    if walk.last is None or walk.time is None:
        raise NotALogError("not one record of this sealed segment is whole", path=path)
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
        damage=tuple(damage_entry(place.offset, place.bytes, place.kind) for place in walk.damage[:16]),
        damaged=walk.damaged,
    )
    return header.log, header.segment + 1, walk.last, previous


def _remove_leftovers(sealed: list[str], active: Active, notes: list[str]) -> None:
    """Ends a purge that a crash interrupted: files of segments that the chain says were let go."""
    floor = active.floor
    if floor is None:
        return
    leftovers = []
    for path in sealed:
        try:
            with Content(path) as content:
                header = content.header()
        except (LogError, OSError):
            continue
        if header.log == active.log and header.segment <= floor.segment:
            leftovers.append((header, path))
        elif header.log == active.log:
            # Only where the chain itself begins where the purge ended is anything let go.
            if (header.segment, header.seq, header.prev) != (floor.segment + 1, floor.last_seq + 1, floor.head):
                return
            break
    for header, path in leftovers:
        storage.unlink(path)
        notes.append(f"removed {os.path.basename(path)}: the log says that segment {header.segment} was purged")


def _has_content(path: str) -> bool:
    try:
        return storage.size(path) > 0
    except FileNotFoundError:
        return False
