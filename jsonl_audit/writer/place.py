"""Where the active segment stands: behind which record, behind which sealed segments, and whether it belongs there."""

from __future__ import annotations

import contextlib
import os

from jsonl_audit import storage
from jsonl_audit.content import Content
from jsonl_audit.errors import LogError, NotALogError, WrongLogError
from jsonl_audit.scan import WINDOW, Walk
from jsonl_audit.segment import Floor, Header, Names
from jsonl_audit.succession import goes_on, header_of, is_successor, line_before, link_before, newest_of, read_headers

__all__ = [
    "check_place",
    "line_before",
    "link_before",
    "newest_number",
    "newest_sealed",
    "next_fits",
    "note_missing",
    "remove_leftovers",
]


def newest_sealed(sealed: list[str], log: str | None, notes: list[str]) -> tuple[Header, str]:
    """The sealed segment with the highest number, of the log that the mark or the newest name says.

    Raises WrongLogError where there is none, or where one of a later name has no right header: that may be the newest,
    and going on from the one before would give its seqs away a second time. OSError where one cannot be read.
    """
    headers = read_headers(sealed, notes, all_of_them=True)
    if not headers:
        raise WrongLogError(
            "the active file is missing and no sealed segment here can be read; move them away to begin a new log",
            path=os.path.dirname(sealed[-1]),
        )
    several = newest_of(headers, log if any(header.log == log for header, _ in headers) else headers[-1][0].log)
    newest = several[0] if len(several) == 1 else max(several, key=lambda entry: _last_seq(entry[1]))
    known = {path for _, path in headers}
    for path in sealed[sealed.index(newest[1]) :]:
        if path not in known and not storage.is_directory(path):
            raise WrongLogError(
                "the active file is missing, and this file, which may be the newest sealed segment, has no right "
                "header: where the log ends cannot be told. Nothing was written; run verify, and put the right file "
                "back, or move this one away",
                path=path,
            )
    return newest


def _last_seq(path: str) -> int:
    walk = Walk(strict=False)
    with contextlib.suppress(NotALogError), Content(path) as content:  # packed, and cut short
        for data in content.blocks(size=WINDOW):
            walk.feed(data)
    last = walk.finish().last
    return 0 if last is None else last.seq


def newest_number(sealed: list[str], log: str) -> int:
    """The highest number of a sealed segment of the log; 0 where none can be read."""
    return max((header.segment for header, _ in read_headers(sealed, []) if header.log == log), default=0)


def check_place(names: Names, header: Header, sealed: list[str], notes: list[str]) -> int:
    """The number of the newest sealed segment of the log, 0 if there is none.

    Raises WrongLogError for an active file that does not go on from it.
    """
    before = read_headers(sealed[-1:], notes)
    due = (header.log, header.segment - 1)
    if not (before and (before[0][0].log, before[0][0].segment) == due and goes_on(header, *before[0])):
        others = read_headers(sealed[:-1], notes) + before
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
        return 0
    several = newest_of(before, header.log)
    newest, path = several[-1]
    if newest.segment >= header.segment:
        raise WrongLogError(
            f"the active file is segment {header.segment}, and segment {newest.segment} is sealed already "
            f"({os.path.basename(path)}): an older file was put back. Nothing was written; move it away and the log "
            "goes on",
            path=names.path,
            expected=newest.segment + 1,
            actual=header.segment,
        )
    if newest.segment == header.segment - 1 and not any(goes_on(header, *entry) for entry in several):
        raise WrongLogError(
            f"the active file does not go on from {os.path.basename(path)}, the segment before it; nothing was "
            "written. One of the two was replaced: run verify",
            path=names.path,
            seq=header.seq,
        )
    return newest.segment


def note_missing(header: Header, newest: int, floor: Floor | None, notes: list[str]) -> None:
    """Sealed files missing right before the active one, and not purged, are worth a note."""
    first = max(newest, floor.segment if floor else 0) + 1
    if first < header.segment:
        some = f"segments {first} to {header.segment - 1} are" if first < header.segment - 1 else f"segment {first} is"
        notes.append(f"{some} not here: moved away, or lost")


def next_fits(names: Names, sealed: list[str]) -> bool:
    """Whether `.next` is the newest sealed segment's successor, or the first segment where nothing is sealed.

    Raises OSError where that cannot be told.
    """
    try:
        header = header_of(names.next)
    except (LogError, FileNotFoundError):
        return False
    return is_successor(header, sealed)


def remove_leftovers(sealed: list[str], log: str, floor: Floor | None, notes: list[str]) -> None:
    """Ends a purge that a crash interrupted: files of segments that the chain says were let go."""
    if floor is None:
        return
    leftovers = []
    for path in sealed:
        try:
            header = header_of(path)
        except (LogError, OSError):
            continue
        if header.log == log and header.segment <= floor.segment:
            leftovers.append((header, path))
        elif header.log == log:
            # Only where the chain itself begins where the purge ended is anything let go.
            if (header.segment, header.seq, header.prev) != (floor.segment + 1, floor.last_seq + 1, floor.head):
                return
            break
    for header, path in leftovers:
        name = os.path.basename(path)
        try:
            storage.unlink(path)
        except OSError as error:  # they are ignored by everybody, so nothing depends on it
            notes.append(f"{name}, of the purged segment {header.segment}, could not be removed: {error.strerror}")
        else:
            notes.append(f"removed {name}: the log says that segment {header.segment} was purged")
