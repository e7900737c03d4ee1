"""Sealing: how the log goes on in a new segment, in steps of which each may be the last before a crash.

1. sync the active file
2. write the next segment, header first, to ``NAME.EXT.next``; sync it; sync the directory
3. rename the active file to its sealed name
4. sync the directory
5. rename ``.next`` to the active name
6. sync the directory; only then is anything in the new segment acknowledged

After a crash between any two of them, opening finds either the old active file, or no active file and a ``.next`` that
goes on from the newest sealed one. The first segment of a log is made by 2, 5 and 6.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Any

from jsonl_audit import instants, record, storage
from jsonl_audit.errors import SealError, SyncError, WriteError, path_of
from jsonl_audit.scan import Link
from jsonl_audit.segment import Floor, Header, Names, Previous, first_line, header_details, parse_header
from jsonl_audit.writer.active import Active
from jsonl_audit.writer.chain import CLAMP_NOTED

__all__ = [
    "Successor",
    "begin",
    "first_segment",
    "move_aside",
    "put_in_place",
    "renew_next",
    "resume",
    "seal",
    "write_next",
]

WRITER = "jsonl-audit/1"
"""What a header says wrote it: the program and the version of its format."""


class Successor:
    """The header of the next segment, made and ready to be written."""

    def __init__(
        self,
        log: str,
        segment: int,
        link: Link,
        previous: Previous | None,
        *,
        now: int,
        floor: Floor | None = None,
        active_missing: bool = False,
        lost: tuple[int, int] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        details = header_details(
            log,
            segment,
            previous,
            writer=WRITER,
            purged=floor,
            active_missing=active_missing,
            lost=lost,
            settings=settings,
        )
        told = instants.text(now)
        ts = max(told, link.ts)
        clamped = ts != told and instants.micros(ts) - now > CLAMP_NOTED
        body = record.control("audit.segment", details)
        self.line, _, own = record.line(link.seq + 1, ts, body, link.hash, clock=told if clamped else None)
        self.link = Link(link.seq + 1, own, ts)
        self.floor = floor

    @property
    def header(self) -> Header:
        """The header as it will be read back."""
        found = parse_header(self.line)
        if found is None:  # it would make a log that nobody can open
            raise SealError("the header of the next segment does not read back; this is a bug, please report it")
        return found


def first_segment(now: int, settings: dict[str, Any] | None, *, active_missing: bool = False) -> Successor:
    """The header of a new log."""
    return Successor(
        record.new_id().decode(),
        1,
        Link(0, record.ZERO, ""),
        None,
        now=now,
        active_missing=active_missing,
        settings=settings,
    )


def write_next(names: Names, successor: Successor, mode: int) -> None:
    """Step 2. A `.next` that holds records behind its header is never overwritten.

    One whose sync failed is removed: whoever found it whole, and synced it again, would hear that all is well.

    Raises OSError; then the active file is as it was.
    """
    if storage.exists(names.next) and _holds_more(names.next):
        raise FileExistsError(
            errno.EEXIST, "it holds more than a header and is not written over; move it away to look at it", names.next
        )
    fd = storage.open_append(names.next, create=True, empty=True, mode=mode)
    try:
        storage.write(fd, successor.line)
        storage.sync(fd)
    except OSError:
        with contextlib.suppress(OSError):
            storage.unlink(names.next)
        raise
    finally:
        storage.let_go(fd)
    storage.sync_directory(names.directory)


def move_aside(names: Names, sealed: str) -> None:
    """Steps 3 and 4: the active file takes its sealed name.

    Raises OSError if the rename failed: then the active file is as it was. Raises SyncError if only the sync did, and
    WriteError if nobody says what came of the rename: then opening finds out which names exist.
    """
    target = os.path.join(names.directory, sealed)
    try:
        storage.rename(names.path, target)
    except OSError as error:
        try:
            as_it_was = storage.exists(names.path) or not storage.exists(target)
        except OSError as unknown:
            raise WriteError.of(error, "it is not known yet whether the segment is sealed", names.path) from unknown
        if as_it_was:
            raise
        # It was done all the same: network file systems lose the answer, not the deed.
    _sync_names(names)


def seal(
    names: Names, active: Active, *, mode: int, now: int, settings: dict[str, Any] | None = None
) -> tuple[str, Successor]:
    """Steps 2, 3 and 4 for an active segment that is synced and walked. Returns its new path, and what comes next.

    `settings` are what the next header tells.

    Raises SealError: then the active file is as it was. Raises SyncError, WriteError: then opening finds out which
    names exist.
    """
    try:
        previous = active.previous(names, now)
        successor = Successor(
            active.log,
            active.segment + 1,
            active.link,
            previous,
            now=now,
            floor=active.floor,
            settings=settings,
        )
        write_next(names, successor, mode)
        if not storage.OPEN_FILES_MOVE:
            active.close()
        try:
            move_aside(names, previous.name)
        finally:
            if not storage.OPEN_FILES_MOVE and storage.exists(names.path):
                active.fd = storage.open_append(names.path)
    except (SyncError, WriteError):
        raise
    except OSError as error:
        raise SealError(
            f"the segment could not be sealed: {error.strerror}", path=path_of(error, names.path), errno=error.errno
        ) from error
    return os.path.join(names.directory, previous.name), successor


def renew_next(names: Names, mode: int) -> None:
    """Has the header in a `.next` that was found on the disk, for certain. Raises OSError.

    Whoever wrote it may have been stopped before it was synced, or told that it could not be: then the system takes it
    for synced. So the same bytes are written once more.
    """
    fd = storage.open_lock(names.next, mode)  # no append: it is written over
    try:
        storage.overwrite(fd, 0, first_line(fd))
        storage.sync(fd)
    finally:
        storage.let_go(fd)


def put_in_place(names: Names) -> None:
    """Step 5: `.next` takes the place of nothing, or of an empty file.

    Raises OSError, also where a file with anything in it stands there: the system said that there was none, and was
    wrong.
    """
    if storage.exists(names.path) and storage.size(names.path):
        what = "it was not there a moment ago, and is not written over; open the log anew"
        raise FileExistsError(errno.EEXIST, what, names.path)
    storage.replace(names.next, names.path)


def begin(names: Names, successor: Successor, mode: int) -> Active:
    """Steps 5 and 6: the next segment becomes the active one. Returns it, open.

    Raises OSError, SyncError; then opening the log anew finds out what came of it.
    """
    try:
        put_in_place(names)
    except OSError:
        if storage.exists(names.next) or not storage.exists(names.path):
            raise
    return _opened(names, successor, mode)


def _opened(names: Names, successor: Successor, mode: int) -> Active:
    """Step 6, and the new segment open."""
    _sync_names(names)
    fd = storage.open_append(names.path, mode=mode)
    try:
        active = Active(fd, successor.header, successor.link, len(successor.line), successor.floor)
    except BaseException:
        storage.let_go(fd)
        raise
    active.began(successor.line)
    active.synced, active.synced_head = active.size, active.head
    return active


def resume(names: Names, successor: Successor, mode: int) -> Active | None:
    """Goes on with a sealing of which a step failed behind the names; None where it did not get that far.

    Raises OSError, SyncError.
    """
    if not _begins_with(names.path, successor.line):
        if storage.exists(names.path) or not _begins_with(names.next, successor.line):
            return None
        _sync_names(names)
        return begin(names, successor, mode)
    return _opened(names, successor, mode)


def _begins_with(path: str, line: bytes) -> bool:
    try:
        with storage.reading(path) as fd:
            return storage.read(fd, 0, len(line)) == line
    except FileNotFoundError:
        return False


def _sync_names(names: Names) -> None:
    try:
        storage.sync_directory(names.directory)
    except OSError as error:
        raise SyncError(
            f"the directory could not be synced while sealing: {error.strerror}",
            path=names.directory,
            errno=error.errno,
        ) from error


def _holds_more(path: str) -> bool:
    """Whether anything stands behind the first line: it may have been committed there, whatever that line is worth.

    A header alone, or a half-written one, is what a crash leaves.
    """
    with storage.reading(path) as fd:
        first = first_line(fd)
        return first.endswith(b"\n") and storage.size(fd) > len(first)
