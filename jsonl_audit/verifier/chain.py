"""The segments of one log in their order: which are here, which are missing or were purged, and how they are linked."""

from __future__ import annotations

import itertools

from jsonl_audit.links import CLOCK_BACKWARDS, Link, broken_link
from jsonl_audit.segment import Floor, Header
from jsonl_audit.verifier.checked import Checked
from jsonl_audit.verifier.report import Finding, Note

__all__ = ["believed", "excuse", "link", "missing", "purged"]

_SHOWN = 10  # gaps in the numbers of purged segments


def believed(floors: list[Floor], headers: list[Header]) -> Floor | None:
    """How far the log was purged: the newest floor that the first segment behind it goes on from, if that is here."""
    for floor in sorted(set(floors), key=lambda floor: floor.segment, reverse=True):
        behind = [header for header in headers if header.segment == floor.segment + 1]
        if not behind or any((header.seq, header.prev) == (floor.last_seq + 1, floor.head) for header in behind):
            return floor
    return None


def missing(chain: dict[int, Checked], start: int, *, purged_later: bool = False) -> list[Finding]:
    """The gaps in the numbers of the segments, which should begin with `start`.

    `purged_later` says that there is a purge, recorded behind the last anchored record.
    """
    found = []
    due = start
    for number in sorted(chain):
        checked = chain[number]
        header = checked.header
        if number > due:
            which = f"segment {due} is" if number == due + 1 else f"segments {due} to {number - 1} are"
            named = ""
            if header is not None and header.previous is not None:
                name = header.previous.name
                named = f"; the last of them was {name}" if number > due + 1 else f" ({name})"
            if purged_later and due == start:
                named += "; the purge record stands behind the last anchored one and excuses nothing"
            found.append(
                Finding(
                    "segment-missing", f"{which} not here{named}", checked.file.name,
                    line=1, seq=checked.first.seq if checked.first else None, expected=due, actual=number,
                )
            )
        elif header is not None and header.active_missing and not (number - 1 in chain and _came_back(header)):
            found.append(
                Finding(
                    "segment-missing",
                    "the active file had been removed when this segment was begun, and what it held is not here",
                    checked.file.name, line=1, seq=header.seq,
                )
            )
        due = number + 1
    return found


def _came_back(header: Header) -> bool:
    """Whether what had been removed is the very segment that `previous` describes, which is here.

    A live writer whose file was gone named it in the successor's header, and by that header's own time. One that came
    later knew of it nothing: `previous` is the segment before it, sealed earlier, and what was removed stays missing.
    """
    stamp = header.ts.translate({ord(sign): None for sign in "-:."})
    return header.previous is not None and stamp in header.previous.name


def link(before: Checked | None, checked: Checked, last: Link | None) -> None:
    """Judges how a segment goes on from `last`, with which the one before it ends. Findings go to `checked`."""
    first = checked.first
    if first is None or last is None:
        return
    if before is not None and before.unfinished:
        _behind_unfinished(before, checked, last)
        return
    gap, where = checked.first_gap, ""
    if before is not None:
        gap = before.gap.wider(*gap)
        where = f" ({before.file.name})"
    broken = broken_link(last, first, checked.first_prev, gap)
    line, offset = checked.first_line, 0 if checked.first_line == 1 else None
    if broken is not None:
        if broken.kind == "records-missing":
            message = f"{broken.message}: they should stand at the end of the segment before it{where}"
        elif before is None:
            message = "it does not go on from where the log begins"
        else:
            message = f"{broken.message}, the last of the segment before it{where}"
        checked.add(
            broken.kind, message, line=line, seq=first.seq, offset=offset,
            expected=broken.expected, actual=broken.actual,
        )  # fmt: skip
    if first.ts and first.ts < last.ts:
        checked.add(
            "clock-backwards", CLOCK_BACKWARDS, line=line, seq=first.seq, offset=offset,
            expected=last.ts, actual=first.ts,
        )  # fmt: skip


def _behind_unfinished(before: Checked, checked: Checked, last: Link) -> None:
    """Judges what can be told where the segment before it is a copy that ends early."""
    first = checked.first
    assert first is not None
    if first.seq <= last.seq or (first.seq == last.seq + 1 and checked.first_prev != last.hash):
        checked.add(
            "chain-broken", f"it does not go on from where the segment before it ({before.file.name}) has got to",
            line=checked.first_line, seq=first.seq, expected=last.hash, actual=checked.first_prev,
        )  # fmt: skip
    if first.ts and first.ts < last.ts:
        checked.add(
            "clock-backwards", CLOCK_BACKWARDS, line=checked.first_line, seq=first.seq,
            expected=last.ts, actual=first.ts,
        )  # fmt: skip


def excuse(purged: list[Checked]) -> None:
    """Copies of segments that the log itself let go may be unfinished: there is nothing left to finish them from."""
    for checked in purged:
        for finding in [each for each in checked.findings if each.kind in ("segment-unfinished", "piece-unjoined")]:
            checked.findings.remove(finding)
            checked.note("purged-unfinished", f"{finding.message}; the segment was purged", offset=finding.offset)


def purged(floor: Floor, here: set[int]) -> Note:
    """What is said of segments that the log itself let go; of some of them copies are `here`."""
    which = "segment 1 was" if floor.segment == 1 else f"segments 1 to {floor.segment} were"
    said = f"{which} purged, up to seq {floor.last_seq}, as the chain itself says"
    if here:
        kept = [*sorted(here), floor.segment + 1]
        gaps = [(low + 1, high - 1) for low, high in itertools.pairwise(kept) if high > low + 1]
        shown = ", ".join(f"{low}" if low == high else f"{low} to {high}" for low, high in gaps[:_SHOWN])
        shown += " …" if len(gaps) > _SHOWN else ""
        said += f"; of those from {min(here)} on, which were copied before, {shown or 'none'} is missing"
    return Note("purged-prefix", said)
