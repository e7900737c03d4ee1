"""Where the active segment stands: behind which record, behind which sealed segments, and whether it belongs there."""

from __future__ import annotations

import contextlib
import os

from jsonl_audit import record, storage
from jsonl_audit.content import Content, first_line_of
from jsonl_audit.errors import LogError, NewerFormatError, NotALogError, WrongLogError
from jsonl_audit.scan import WINDOW, Link, Walk
from jsonl_audit.segment import Floor, Header, Names, describe_foreign, parse_header

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


def link_before(fd: int, end: int, own: str) -> Link | None:
    """The record that ends at byte `end`, if it has the hash `own`."""
    line = line_before(fd, end)
    if line is None or line[-67:-3].decode() != own:
        return None
    return Link(record.seq_of(line), own, record.ts_of(line))


def line_before(fd: int, end: int, size: int = 64 * 1024) -> bytes | None:
    """The line that ends at byte `end`, if its own hash is right; `size` bytes of the file are read at first."""
    while True:
        text = storage.read(fd, max(0, end - size), min(size, end))
        if len(text) < min(size, end):  # the file is shorter: what ends there is another line
            return None
        start = text.rfind(b"\n", 0, -1) + 1
        if start or size >= end or size > record.HARD_LIMIT:
            break
        size *= 16
    return text[start:] if record.own_hash_right(text[start:]) else None


def _header(path: str) -> Header:
    """The header of a sealed segment; of a compressed one no more than it takes is unpacked."""
    text = first_line_of(path)
    try:
        header = parse_header(text)
    except NewerFormatError as error:
        error.path, error.line = path, 1
        raise
    if header is None:
        raise NotALogError(describe_foreign(text), path=path, line=1)
    return header


def _read_headers(sealed: list[str], notes: list[str], *, all_of_them: bool = False) -> list[tuple[Header, str]]:
    """The headers that can be read. With `all_of_them`, raises OSError for a file that cannot be read for now."""
    found = []
    for path in sealed:
        try:
            found.append((_header(path), path))
        except (LogError, OSError) as error:
            if all_of_them and isinstance(error, OSError) and not storage.is_directory(path):
                raise
            notes.append(f"a file beside the log has a sealed segment's name and cannot be read as one: {error}")
    return found


def newest_sealed(sealed: list[str], log: str | None, notes: list[str]) -> tuple[Header, str]:
    """The sealed segment with the highest number, of the log that the mark or the newest name says.

    Raises WrongLogError where there is none, or where one of a later name has no right header: that may be the newest,
    and going on from the one before would give its seqs away a second time. OSError where one cannot be read.
    """
    headers = _read_headers(sealed, notes, all_of_them=True)
    if not headers:
        raise WrongLogError(
            "the active file is missing and no sealed segment here can be read; move them away to begin a new log",
            path=os.path.dirname(sealed[-1]),
        )
    several = _newest(headers, log if any(header.log == log for header, _ in headers) else headers[-1][0].log)
    newest = several[0] if len(several) == 1 else max(several, key=lambda entry: _last_seq(entry[1]))
    known = {path for _, path in headers}
    for path in sealed[sealed.index(newest[1]) :]:
        if path not in known and not os.path.isdir(path):
            raise WrongLogError(
                "the active file is missing, and this file, which may be the newest sealed segment, has no right "
                "header: where the log ends cannot be told. Nothing was written; run verify, and put the right file "
                "back, or move this one away",
                path=path,
            )
    return newest


def _newest(headers: list[tuple[Header, str]], log: str | None) -> list[tuple[Header, str]]:
    """Those of the log with the highest number: several where copies lie beside each other."""
    number = max((header.segment for header, _ in headers if header.log == log), default=0)
    return [entry for entry in headers if (entry[0].log, entry[0].segment) == (log, number)]


def _last_seq(path: str) -> int:
    walk = Walk(strict=False)
    with contextlib.suppress(NotALogError), Content(path) as content:  # packed, and cut short
        for data in content.blocks(size=WINDOW):
            walk.feed(data)
    last = walk.finish().last
    return 0 if last is None else last.seq


def newest_number(sealed: list[str], log: str) -> int:
    """The highest number of a sealed segment of the log; 0 where none can be read."""
    return max((header.segment for header, _ in _read_headers(sealed, []) if header.log == log), default=0)


def check_place(names: Names, header: Header, sealed: list[str], notes: list[str]) -> int:
    """The number of the newest sealed segment of the log, 0 if there is none.

    Raises WrongLogError for an active file that does not go on from it.
    """
    before = _read_headers(sealed[-1:], notes)
    due = (header.log, header.segment - 1)
    if not (before and (before[0][0].log, before[0][0].segment) == due and _goes_on(header, *before[0])):
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
        return 0
    several = _newest(before, header.log)
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
    if newest.segment == header.segment - 1 and not any(_goes_on(header, *entry) for entry in several):
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


def _goes_on(header: Header, before: Header, path: str) -> bool:
    """Whether `header` names the sealed segment at `path` as its predecessor.

    A sealed file that was cut or changed since is the verifier's business, and so is what a compressed one holds; a
    whole record at the named end that has another hash is another history. Where the header says that there is damage,
    the end may have been cut off before anybody read it.
    """
    named = header.previous
    if named is None or named.first_seq != before.seq:
        return False
    if named.damaged or path.endswith((".gz", ".zst")):
        return True
    with Content(path) as content:
        end = content.read(max(0, named.bytes - 67), min(67, named.bytes))
        if len(end) < 67 or not end.endswith(b'"}\n') or end[:64] == header.prev.encode():
            return True
        return link_before(content.fd, named.bytes, end[:64].decode("ascii", "replace")) is None


def next_fits(names: Names, sealed: list[str]) -> bool:
    """Whether `.next` is the newest sealed segment's successor, or the first segment where nothing is sealed.

    Raises OSError where that cannot be told.
    """
    try:
        header = _header(names.next)
    except (LogError, FileNotFoundError):
        return False
    if not sealed:
        return header.segment == 1
    before = _newest(_read_headers(sealed, [], all_of_them=True), header.log)
    if not before or header.previous is None or before[0][0].segment != header.segment - 1:
        return False
    for newest, path in before:
        with Content(path) as content:
            long_enough = content.size >= header.previous.bytes
        if long_enough and _goes_on(header, newest, path):
            return True
    return False


def remove_leftovers(sealed: list[str], log: str, floor: Floor | None, notes: list[str]) -> None:
    """Ends a purge that a crash interrupted: files of segments that the chain says were let go."""
    if floor is None:
        return
    leftovers = []
    for path in sealed:
        try:
            header = _header(path)
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
