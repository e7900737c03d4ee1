"""What anchors vouch for: whether the records that they name are here as they were, and which purges they cover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.errors import NotALogError
from jsonl_audit.lines import Lines
from jsonl_audit.segment import Floor
from jsonl_audit.verifier.anchors import Anchor
from jsonl_audit.verifier.checked import Checked
from jsonl_audit.verifier.digest import WINDOW
from jsonl_audit.verifier.files import File
from jsonl_audit.verifier.report import Anchored, Finding, Note

__all__ = ["excused", "hold", "lines_at", "newest", "to_walk"]

_NEAR = 1 << 16
_PURGED = b'","type":"audit.purged",'


def lines_at(content: Content, seq: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """The lines before `stop` that begin as the record `seq` does, each with its offset."""
    begin = b'{"seq":%d,' % seq
    low, high = _near(content, seq, stop)
    found = [*_search(content, begin, low, high)]
    yield from found or _search(content, begin, 0, stop)


def _near(content: Content, seq: int, stop: int) -> tuple[int, int]:
    """Where the record must be if the lines stand in their order."""
    low, high = 0, stop
    while high - low > 2 * _NEAR:
        middle = (low + high) // 2
        data = content.read(middle, _NEAR)
        start = data.find(b"\n") + 1
        there = record.seq_of(data[start : start + 64]) if start else 0
        if not there:
            break
        low, high = (middle + start, high) if there <= seq else (low, middle + start)
    return low, high


def _search(content: Content, begin: bytes, low: int, high: int) -> Iterator[tuple[int, bytes]]:
    """The lines from `low` to `high` that begin so."""
    before, at = b"\n", low - 1
    for data in content.blocks(low, high, WINDOW):
        text = before + data
        place = text.find(b"\n" + begin)
        while place >= 0:
            yield at + place + 1, _line(content, at + place + 1)
            place = text.find(b"\n" + begin, place + 1)
        keep = min(len(text), len(begin))
        at += len(text) - keep
        before = text[-keep:]


def _line(content: Content, start: int) -> bytes:
    size = 1 << 15
    while True:
        text = content.read(start, size)
        end = text.find(b"\n") + 1
        if end or len(text) < size or size > record.HARD_LIMIT:
            return text[:end] if end else text
        size *= 16


def newest(anchors: Sequence[Anchor], groups: dict[int, list[File]]) -> int:
    """The seq of the newest record that is as an anchor says, in whichever file; 0 if none is."""
    headers = [file.header for files in groups.values() for file in files if file.header is not None]
    begun = {(header.seq - 1, header.prev) for header in headers}
    for anchor in reversed(anchors):
        if (anchor.seq, anchor.hash) in begun:
            return anchor.seq
        for file in _around(anchor.seq, groups):
            for line in _lines(file, anchor.seq):
                if _right(line) and record.hash_of(line) == anchor.hash:
                    return anchor.seq
    return 0


def _lines(file: File, seq: int) -> list[bytes]:
    try:
        with file.open() as content:
            return [line for _, line in lines_at(content, seq, content.size)]
    except NotALogError:  # compressed data that are broken: whoever checks the file says so
        return []


def _right(line: bytes) -> bool:
    return line.endswith(b"\n") and record.own_hash_right(line)


def to_walk(anchors: Sequence[Anchor], chosen: dict[int, File]) -> set[int]:
    """The numbers of the segments that must be walked so that anchors vouch for anything: those that hold them.

    A right line says nothing of the lines before it but through their links. From the header on, each segment is bound
    by its digest in the next one's header: so of a stretch without a gap it is the newest anchor's.
    """
    found: set[int] = set()
    covered: set[int] = set()
    trusted = newest(anchors, {number: [file] for number, file in chosen.items()})
    begins = sorted((file.header.seq, number) for number, file in chosen.items() if file.header is not None)
    for anchor in reversed([anchor for anchor in anchors if anchor.seq <= trusted]):
        number = max((number for seq, number in begins if seq <= anchor.seq), default=0)
        if number and number not in covered:
            found.add(number)
            while number in chosen:
                covered.add(number)
                number -= 1
    return found


def excused(floors: list[Floor], trusted: int, groups: dict[int, list[File]]) -> list[Floor]:
    """Those of the purges that were recorded no later than the record `trusted`: later ones anchors do not cover."""
    headers = [file.header for files in groups.values() for file in files if file.header is not None]
    covered = {header.purged for header in headers if header.seq <= trusted}
    if any(floor not in covered for floor in floors):
        for file in _around(trusted, groups):
            covered |= _purges(file, trusted)
    return [floor for floor in floors if floor in covered]


def _around(trusted: int, groups: dict[int, list[File]]) -> list[File]:
    """The files of the segment that holds a record."""
    begun = [
        number
        for number, files in groups.items()
        if any(file.header is not None and file.header.seq <= trusted for file in files)
    ]
    return groups[max(begun)] if begun else []


def _purges(file: File, last: int) -> set[Floor | None]:
    """What the purge records say that stand in a segment up to the record `last`."""
    found: set[Floor | None] = set()
    lines = Lines()
    try:
        with file.open() as content:
            for data in content.blocks(size=WINDOW):
                for line in lines.feed(data):
                    if _PURGED in line[:200] and _right(line) and record.seq_of(line) <= last:
                        details = record.decode(line).get("details")
                        found.add(Floor.parse(details.get("through") if isinstance(details, dict) else None))
    except NotALogError:
        pass  # the same
    return found


def hold(
    anchors: Sequence[Anchor], chain: list[Checked], purged: Floor | None, *, whole_end: bool
) -> tuple[list[Finding], list[Note], Anchored | Literal[False]]:
    """Holds the log against its anchors: what disagrees, and the newest that agrees.

    `whole_end` says that what is here should end where the log does: nothing but a cut explains an earlier end.
    `purged` is how far the log was purged under its anchors.
    """
    findings: list[Finding] = []
    notes: list[Note] = []
    found: Anchored | Literal[False] = False
    last = max((checked.last.seq for checked in chain if checked.last is not None), default=0)
    for anchor in anchors:
        told = _one(anchor, chain)
        if isinstance(told, Finding):
            findings.append(told)
        elif told is not None:
            found = Anchored(anchor.seq, anchor.by, told or None)
        elif anchor.seq > last:
            findings.append(_behind(anchor, last, whole_end))
        elif purged is not None and anchor.seq <= purged.last_seq:
            what = "the anchored record was purged, and a record that a later anchor vouches for says so"
            notes.append(Note("anchor-purged", what, seq=anchor.seq))
        else:
            what = "the anchored record is not here: the segment that it stood in is missing"
            findings.append(Finding("anchor-missing", what, seq=anchor.seq, expected=anchor.hash))
    return findings, notes, found


def _behind(anchor: Anchor, last: int, whole_end: bool) -> Finding:
    """An anchored record that the log does not come to."""
    if whole_end:
        what = f"the log ends at seq {last}, before the anchored seq {anchor.seq}: its end was cut off or written anew"
        return Finding("records-cut", what, seq=last + 1, expected=anchor.seq, actual=last)
    what = f"what is here ends at seq {last}, before the anchored seq {anchor.seq}"
    return Finding("anchor-missing", what, seq=anchor.seq, expected=anchor.hash)


def _one(anchor: Anchor, chain: list[Checked]) -> str | Finding | None:
    """The ts of the anchored record where it is as it was, empty where only the next one vouches for it; a finding
    where it is another one; None where it is not here."""
    seq, own = anchor.seq, anchor.hash
    for checked in chain:
        if checked.first is None or checked.last is None:
            continue
        if checked.first.seq <= seq <= checked.last.seq:
            return _in(anchor, checked)
        if checked.first.seq == seq + 1 and not any(other.last and other.last.seq == seq for other in chain):
            if checked.first_prev == own:
                return ""
            return _other(checked, "its prev is not the hash that was noted of the record before it", seq + 1,
                          own, checked.first_prev, checked.first_line)  # fmt: skip
    return None


def _in(anchor: Anchor, checked: Checked) -> str | Finding:
    seq, own = anchor.seq, anchor.hash
    actual, at = None, None
    try:
        with checked.file.open() as content:
            for offset, line in lines_at(content, seq, checked.end):
                actual, at = record.hash_of(line), offset
                if actual == own and _right(line):
                    return record.ts_of(line)
            number = None if at is None else 1 + sum(data.count(b"\n") for data in content.blocks(0, at, WINDOW))
    except NotALogError:
        number = None
    if at is None:
        return _other(checked, "no record with the anchored seq stands where it stood", seq, own, None, None)
    what = "this is not the record that was anchored: the log was rewritten from here or from before"
    return _other(checked, what, seq, own, actual, number, at)


def _other(
    checked: Checked, what: str, seq: int, own: str, actual: str | None, line: int | None, offset: int | None = None
) -> Finding:
    return Finding("checkpoint-mismatch", what, checked.file.name, line, seq, offset, own, actual)

