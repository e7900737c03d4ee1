"""Purging: the oldest sealed segments are let go, in steps of which each may be the last before a crash.

1. an ``audit.purged`` record says which segments go, with the digest of each, and how far the chain reached with them
2. it is synced, in every mode; the mark repeats how far, and is synced too
3. their files are unlinked, and the directory is synced

After a crash behind 2 the files that are left are ignored by every reader, and the next open removes them: readers do
not look for the record, the mark tells them. After one before that all of the files are there, and are read until then.
A segment goes only where the header behind it is here and vouches for it: what the record says of it is what that
header says. And it goes only once it has arrived at every destination that the log is shipped to, unless that is said
not to matter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from jsonl_audit import instants, shipped, storage
from jsonl_audit.content import first_line_of
from jsonl_audit.errors import AuditError, LogError, NotShippedError, StorageError
from jsonl_audit.segment import Floor, Header, Names, first_line, parse_header
from jsonl_audit.writer.active import Active
from jsonl_audit.writer.notes import Notes

if TYPE_CHECKING:
    from jsonl_audit.writer.tip import Tip

__all__ = ["in_passing", "purge"]

LATE = 60 * 10**6
"""Microseconds without anything that arrives, after which those who wait for a destination say so."""
AT_ONCE = 10_000
"""So many segments at most are named by one record, which has its own limit."""


def purge(tip: Tip, active: Active, keep: int, reason: str, notes: Notes, unshipped: str = "stay") -> list[str]:
    """Lets the oldest sealed segments go, so that `keep` of them stay; returns the paths that are gone.

    What has not arrived everywhere: ``"stay"``: it stays, with a note; ``"wait"``: the same, with a note once nothing
    has come for a while; ``"refuse"``: NotShippedError, and all stays; ``"go"``: it goes. The log's lock is held.
    Raises WriteError, SyncError, StorageError with nothing removed.
    """
    try:
        due = _plan(tip.names, active, keep, notes, unshipped)
    except OSError as error:
        raise StorageError.of(error, "what is sealed cannot be listed; nothing was purged", tip.names.path) from error
    if due is None:
        return []
    if due.segments:
        tip.control(active, "audit.purged", due.details(reason), then=partial(active.purged, due.floor))
        active = tip.ready()  # it may be another by now
    if not _marked(tip, active):
        tip.disk.mark(active)
    try:
        written = _marked(tip, active)
        if written:
            tip.lock.sync()
    except OSError:
        written = False
    if not written:
        notes.add("the lock file cannot be written: what was purged is removed by a later purge or open")
        return []
    return _remove(tip.names, due.paths, notes)


def _marked(tip: Tip, active: Active) -> bool:
    """Whether the lock file says how far; another process that shares the log would not repeat it in its headers."""
    return tip.lock.mark is not None and tip.lock.mark.purged == active.floor


def in_passing(tip: Tip, active: Active, keep: int, notes: Notes) -> None:
    """Purges after a sealing. A failure fails no commit: it is tried again after the next one."""
    try:
        purge(tip, active, keep, f"backup_count={keep}", notes, "wait")
    except (AuditError, OSError) as error:
        notes.add(f"the oldest segments could not be purged: {error}; it is tried again after the next sealing")


@dataclass(frozen=True, slots=True)
class _Due:
    """Which segments are to go."""

    floor: Floor
    segments: list[dict[str, Any]]
    """What the record says of each."""
    missing: tuple[int, int] | None
    """First and last of those before them that were not here any more, and that no record had let go."""
    paths: list[str]
    """Their files, and those that an earlier purge has left."""

    def details(self, reason: str) -> dict[str, Any]:
        """Of the ``audit.purged`` record."""
        details: dict[str, Any] = {"reason": reason, "segments": self.segments, "through": self.floor.to_dict()}
        if self.missing is not None:
            details["missing"] = {"first": self.missing[0], "last": self.missing[1]}
        return details


def _plan(names: Names, active: Active, keep: int, notes: Notes, unshipped: str) -> _Due | None:
    """What is to go so that `keep` sealed segments stay; None if nothing is, not even what an earlier purge left.

    The log's lock is held. Raises OSError, NotShippedError.
    """
    listed = [name for name in storage.list_directory(names.directory) if names.stamp_of(name)]
    if len(listed) <= keep and not (active.floor and listed):
        return None
    headers: dict[int, Header] = {}
    paths: dict[int, list[str]] = {}
    for path, header in _headers(names, listed):
        if header.log == active.log and header.segment < active.segment:
            headers.setdefault(header.segment, header)
            paths.setdefault(header.segment, []).append(path)
    own = parse_header(first_line(active.fd))
    if own is not None:
        headers[active.segment] = own
    floor = active.floor
    through = floor.segment if floor is not None else 0
    here = sorted(number for number in paths if number > through)
    gone: list[dict[str, Any]] = []
    behind_most = None if unshipped == "go" else shipped.slowest(names, active.log)
    for number in here[: max(len(here) - keep, 0)][:AT_ONCE]:
        behind = headers.get(number + 1)
        said = None if behind is None else behind.previous
        if behind is None or said is None or said.first_seq != headers[number].seq:
            notes.add(f"segment {number} is not purged, nor any behind it: the segment after it is not here")
            break
        if behind_most is not None and said.last_seq > behind_most.seq:
            words = _waits(number, said.last_seq, behind_most)
            if unshipped == "refuse":
                raise NotShippedError(f"{words}. Nothing was purged", path=names.path, seq=said.last_seq)
            # A shipper is always a little behind; one that has brought nothing for a while may be no more.
            if (unshipped == "stay" or _is_late(behind_most)) and words not in notes:
                notes.add(words)
            break
        floor = Floor(number, behind.seq - 1, behind.prev)
        gone.append(
            {
                "segment": number,
                "first_seq": said.first_seq,
                "last_seq": said.last_seq,
                "name": said.name,
                "bytes": said.bytes,
                "blake3": said.blake3,
            }
        )
    if floor is None:
        return None
    if not gone and not _begins_behind(headers.get(floor.segment + 1), floor):
        return None  # as at opening: only where the chain itself begins there is anything removed
    leftovers = [path for number in sorted(paths) if number <= floor.segment for path in paths[number]]
    missing = (through + 1, here[0] - 1) if gone and here[0] > through + 1 else None
    return _Due(floor, gone, missing, leftovers) if leftovers else None


def _is_late(behind: shipped.Arrived) -> bool:
    """Whether nothing has arrived there for a while."""
    return not instants.is_instant(behind.time) or time.time_ns() // 1000 - instants.micros(behind.time) > LATE


def _waits(number: int, last: int, behind: shipped.Arrived) -> str:
    """Why a segment stays that has not arrived everywhere, and what to do."""
    how_far = f"only records up to {behind.seq} have" if behind.seq else "nothing has"
    return (
        f"segment {number} (up to record {last}) stays, and all behind it: {how_far} arrived at "
        f"{behind.destination}. Ship it there; if it is no destination any more, remove {behind.path}; or purge with "
        "force=True"
    )


def _headers(names: Names, listed: list[str]) -> Iterator[tuple[str, Header]]:
    """Each file with its header; what has none, or cannot be read, is none of the segments that may go."""
    for name in sorted(listed):
        path = os.path.join(names.directory, name)
        try:
            header = parse_header(first_line_of(path))
        except (LogError, OSError):
            continue
        if header is not None:
            yield path, header


def _begins_behind(header: Header | None, floor: Floor) -> bool:
    return header is not None and (header.seq, header.prev) == (floor.last_seq + 1, floor.head)


def _remove(names: Names, paths: list[str], notes: Notes) -> list[str]:
    """Unlinks the files of purged segments, the oldest first, and syncs the directory. Returns those that are gone.

    A file that cannot be removed is noted, and tried again with the next purge and by the next open: it is ignored by
    everybody, so nothing depends on it.
    """
    removed = []
    for path in paths:
        try:
            storage.unlink(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            notes.add(f"{os.path.basename(path)}, of a purged segment, could not be removed: {error.strerror}")
        else:
            removed.append(path)
    if removed:
        try:
            storage.sync_directory(names.directory)
        except OSError as error:  # they may be back after a crash; the next open removes them again
            notes.add(f"the directory could not be synced after a purge: {error.strerror}")
    return removed
