"""Files beside the log that somebody left: a crash, another tool's rotation, an editor, a copy; and what is missing."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

from jsonl_audit import record, storage
from jsonl_audit.content import Content, blocks_of, first_line_of
from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.place import Place
from jsonl_audit.doctor.spilled import spilled
from jsonl_audit.errors import AuditError, LogError
from jsonl_audit.segment import Header, parse_header
from jsonl_audit.succession import header_of, is_successor

__all__ = ["leftovers", "missing"]

_EDITORS = re.compile(r"\..*\.sw[a-p]|.*~|#.*#|\.#.*|.*\.(?:bak|orig|save|tmp|part|old)")
_PACKED = (".gz", ".zst")


def missing(place: Place) -> Iterator[Remark]:
    """What has to be there for the log to go on, and is not."""
    path = place.names.path
    opened = f"jsonl-audit append {shell.word(path)} < /dev/null"
    if place.unread is not None:
        return
    active = place.active
    if active is None or active.st_size == 0:
        waiting = _next_fits(place)
        yield Remark(
            "files",
            "active-missing",
            "remark" if waiting else "problem",
            f"{place.name} is {'empty' if active is not None else 'not here'}"
            + (", and the next segment waits to take its place: sealing was interrupted" if waiting else ""),
            "Opening the log puts it in place."
            if waiting
            else "Somebody removed, renamed or emptied it, and what was written to it last is not here. Look for it "
            "before the log is opened again: opening begins a new segment.",
            opened if waiting else shell.run("jsonl-audit", "verify", path),
            path=path,
        )
    elif place.header is None:
        yield Remark(
            "files", "header-missing", "problem", f"{place.name} does not begin with a right header",
            "The file is damaged, or another was put in its place: opening the log is refused, and nothing is written.",
            shell.run("jsonl-audit", "verify", path), path=path,
        )  # fmt: skip
    else:
        yield Remark("files", "files", "ok", f"{place.name} and {len(place.sealed):,} sealed segments are here")
    if place.mark is not None and place.mark.failed and not place.held:
        yield Remark(
            "files", "sync-failed", "warning", "the last writer's sync failed, and nobody has opened the log since",
            "What it had not synced may be lost. Opening the log seals the segment. Look at the disk, too.",
            opened, path=place.names.lock,
        )  # fmt: skip


def _next_fits(place: Place) -> bool:
    try:
        return place.names.next in place.found and is_successor(header_of(place.names.next), place.sealed)
    except (AuditError, OSError):
        return False


def leftovers(place: Place) -> Iterator[Remark]:
    """Files that are not, or no longer, of use where they lie."""
    said = [*_interrupted(place), *_purged(place), *_twins(place), *_strangers(place), *spilled(place)]
    yield from said
    if not said:
        yield Remark("leftovers", "leftovers", "ok", "nothing lies beside the log that is not its own")


def _interrupted(place: Place) -> Iterator[Remark]:
    """A `.next` that nobody waits for."""
    path = place.names.next
    if path not in place.found or place.held or place.active is None or not place.active.st_size:
        return
    removed = _under_lock(place, path)
    try:
        with Content(path) as content:
            records = content.size > len(content.first_line())
    except (AuditError, OSError):
        records = False
    yield Remark(
        "leftovers",
        "next-left",
        "problem" if records else "remark",
        f"{os.path.basename(path)} lies here, with records in it" if records else f"{os.path.basename(path)} lies here",
        "The engine never writes over records, so the log cannot be sealed until this file is moved away. Keep it: its "
        "records may be in no other file."
        if records
        else "A sealing was interrupted. The next one writes over it.",
        shell.run("mv", "-n", paths=[path, path + ".kept"]) if records else removed,
        path=path,
    )


def _under_lock(place: Place, path: str) -> str:
    """What removes a file, unless somebody holds the log and may be using it."""
    return f"flock -n {shell.word(place.names.lock)} {shell.run('rm', paths=[path])}"


def _purged(place: Place) -> Iterator[Remark]:
    floor = place.header.purged if place.header is not None else None
    if floor is None or place.held or place.figures is None or place.header is None:
        return
    left = [each for each in place.sealed if (header := _header(each)) and _is_let_go(header, place.header)]
    if left:
        yield Remark(
            "leftovers",
            "purged-segments",
            "remark",
            f"{len(left):,} {'file' if len(left) == 1 else 'files'} of segments that were purged "
            f"{'is' if len(left) == 1 else 'are'} still here",
            "A purge was interrupted after its record. Nothing reads them; opening the log removes them.",
            f"jsonl-audit append {shell.word(place.names.path)} < /dev/null",
            path=left[0],
        )


def _is_let_go(header: Header, newest: Header) -> bool:
    return newest.purged is not None and header.log == newest.log and header.segment <= newest.purged.segment


def _twins(place: Place) -> Iterator[Remark]:
    names = set(place.listed)
    for path in place.sealed:
        name = os.path.basename(path)
        for packed in (name + suffix for suffix in _PACKED if name + suffix in names):
            yield Remark(
                "leftovers",
                "packed-twice",
                "remark",
                f"{packed} lies beside {name}",
                "Compressing it was interrupted, or its original was put back. The plain one is read.",
                shell.run("rm", paths=[os.path.join(place.names.directory, packed)]),
                path=os.path.join(place.names.directory, packed),
            )


def _strangers(place: Place) -> Iterator[Remark]:
    """Files with names like the log's that are none of its own."""
    names = place.names
    own = {os.path.basename(path) for path in place.found} | {place.name + ".d"}
    for name in sorted(place.listed):
        if name in own or names.stamp_of(name) is not None or not _is_like(name, place):
            continue
        path = os.path.join(names.directory, name)
        try:
            found = storage.lstat(path)
        except OSError:  # it went meanwhile
            continue
        if not stat.S_ISREG(found.st_mode) or f"{name}.lock" in place.listed or name.endswith(".lock"):
            continue  # another log, or another log's
        header = _header(path)
        if header is not None and place.figures is not None and header.log == place.figures.log:
            yield _piece(place, path, header)
        elif header is None and (seq := _piece_from(path)):
            yield Remark(
                "leftovers", "records-elsewhere", "warning", f"{name} holds records from seq {seq} on, and no header",
                "Another tool's rotation copied or renamed what was being written, or cut it up. Keep it: where "
                "these records are in no segment, it is all that there is of them.",
                shell.run("jsonl-audit", "verify", "--copy", names.directory), path=path, facts={"seq": seq},
            )  # fmt: skip
        elif _EDITORS.fullmatch(name) or header is None:
            yield Remark(
                "leftovers",
                "foreign-file",
                "remark",
                f"{name} is not of this log",
                "An editor, a backup or a copy left it, and what takes all names like the log's takes it too. If an "
                "editor has the log open, close it without saving."
                if _EDITORS.fullmatch(name)
                else "It holds no segment of this log; tools that take all names like the log's take it too.",
                shell.run("mv", "-n", paths=[path, os.path.join(os.path.dirname(names.directory), name)]),
                path=path,
            )


def _piece_from(path: str) -> int:
    """The seq of the record that a file begins with; 0 where it begins with none."""
    try:
        line = first_line_of(path)
    except (AuditError, OSError):
        return 0
    return record.seq_of(line) if record.HEAD.match(line) and record.own_hash_right(line) else 0


def _is_like(name: str, place: Place) -> bool:
    """Whether tools that match the log's names by a pattern may take this one for its own."""
    stem, extension = place.names.stem, place.names.extension
    if any(place.names.stamp_of(name[:at]) is not None for at in range(len(stem), len(name)) if name[at] in ".~-"):
        return True
    if name.startswith((place.name, f".{place.name}", f"#{place.name}")):
        return len(name) == len(place.name) or not name.removeprefix(place.name)[:1].isalnum()
    dated = rf"{re.escape(stem)}[-_.]\d[-\dT:_.]*(?:{re.escape(extension)})?(?:\.gz|\.zst|\.xz|\.bz2)?"
    return re.fullmatch(dated, name) is not None


def _piece(place: Place, path: str, header: Header) -> Remark:
    """A file with records of this log under a name of another tool's rotation, or of a copy."""
    name = os.path.basename(path)
    packed = next((suffix for suffix in _PACKED if name.endswith(suffix)), "")
    said = _said_of(place, header.segment)
    facts = {"segment": header.segment}
    if name.endswith(".part"):
        return Remark(
            "leftovers", "copy-unfinished", "remark", f"{name} is a copy of segment {header.segment}, not finished",
            "Whoever was copying it was stopped. The next to ship here begins it anew.",
            _under_lock(place, path), path=path, facts=facts,
        )  # fmt: skip
    if said is not None:
        target = os.path.join(place.names.directory, said[0] + packed)
        there = os.path.join(place.names.directory, said[0])
        present = [each for each in (there, there + ".gz", there + ".zst") if storage.exists(each)]
        if not present and _holds(path, said[1], said[2]):
            return Remark(
                "leftovers", "segment-renamed", "problem", f"{name} is segment {header.segment} of this log",
                "Another tool's rotation, or somebody, renamed it. Under its own name, which the next segment's header "
                "tells, the log has it again.", shell.run("mv", "-n", paths=[path, target]), path=path, facts=facts,
            )  # fmt: skip
        if not present:
            return Remark(
                "leftovers", "segment-unlike", "problem",
                f"{name} begins as segment {header.segment} of this log, which is missing, and is not what was sealed",
                "It is cut short or was changed: the digest in the next segment's header is another. Look for a whole "
                "copy of that segment before this one is put in its place.",
                shell.run("jsonl-audit", "verify", path), path=path, facts=facts,
            )  # fmt: skip
        if not packed and _holds(path, said[1], said[2]) and not _holds(present[0], said[1], said[2]):
            return Remark(
                "leftovers", "segment-cut", "problem",
                f"{name} is segment {header.segment} of this log, whole; {os.path.basename(present[0])} is not",
                "The active file was copied and then cut (logrotate's copytruncate does that). The digest in the next "
                "segment's header says that this copy is what was written.",
                shell.run("mv", "-f", paths=[path, present[0]]), path=path, facts=facts,
            )  # fmt: skip
        twin = present[0]
    elif header.segment == (place.header.segment if place.header is not None else 0):
        twin = place.names.path
    elif not packed and (place.active is None or not place.active.st_size) and _is_newest(place, header):
        return Remark(
            "leftovers", "segment-renamed", "problem", f"{name} is segment {header.segment} of this log, its newest",
            f"It was renamed, or copied and then cut, and {place.name} is what it was called. Under that name, and "
            "before anybody opens the log, nothing is missing.",
            f"{shell.run('flock', '-n', paths=[place.names.lock])} "
            + shell.run("mv", "-f", paths=[path, place.names.path]),
            path=path, facts=facts,
        )  # fmt: skip
    else:
        twin = ""
    compared = shell.run("cmp", "-n", str(_size(path)), paths=[path, twin]) if twin and not packed else ""
    return Remark(
        "leftovers",
        "segment-copy",
        "remark",
        f"{name} is a copy of segment {header.segment} of this log",
        "Tools that take all names like the log's ship and count it twice. If it says no more than the log, it may go.",
        f"{compared} && {shell.run('rm', paths=[path])}" if compared
        else shell.run("mv", "-n", paths=[path, os.path.join(os.path.dirname(place.names.directory), name)]),
        path=path,
        facts=facts,
    )  # fmt: skip


def _is_newest(place: Place, header: Header) -> bool:
    """Whether a segment goes on from the last one that is here."""
    here = place.figures.segments if place.figures is not None else ()
    return header.segment == max((each.number or 0 for each in here), default=0) + 1


def _said_of(place: Place, number: int) -> tuple[str, int, str] | None:
    """Name, length and digest that the header behind it says of a segment."""
    for each in place.figures.segments if place.figures is not None else ():
        if each.number == number + 1:
            behind = _header(os.path.join(place.names.directory, each.name))
            if behind is not None and behind.previous is not None:
                return behind.previous.name, behind.previous.bytes, behind.previous.blake3
    return None


def _holds(path: str, length: int, digest: str) -> bool:
    """Whether a file begins with the bytes that a header says; behind them a torn end may stand."""
    from blake3 import blake3

    hasher, left = blake3(), length
    try:
        for block in blocks_of(path):
            hasher.update(block[:left])
            left -= len(block)
            if left <= 0:
                break
    except (AuditError, OSError):  # broken compressed data, or it went
        return False
    return left <= 0 and hasher.hexdigest() == digest


def _size(path: str) -> int:
    try:
        return storage.size(path)
    except OSError:
        return 0


def _header(path: str) -> Header | None:
    try:
        return parse_header(first_line_of(path))
    except (LogError, OSError):
        return None
