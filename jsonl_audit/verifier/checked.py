"""What is known of one segment once it has been checked, whichever way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

from jsonl_audit.lines import BOM
from jsonl_audit.links import NO_GAP, Gap, Link
from jsonl_audit.scan import Damage
from jsonl_audit.segment import Floor, Header, describe_foreign
from jsonl_audit.verifier.files import File
from jsonl_audit.verifier.report import Finding, Note
from jsonl_audit.verifier.walks import Walked

__all__ = ["Checked"]

Entry = TypeVar("Entry", Finding, Note)


@dataclass(slots=True, eq=False)
class Checked:
    """One segment: where its chain begins and ends, and what was found in it."""

    file: File
    number: int
    """Of the segment in the log; 0 where that is not known."""
    records: int = 0
    """How many are here, those that were changed counted in."""
    first: Link | None = None
    first_prev: str = ""
    first_line: int = 1
    first_gap: Gap = NO_GAP
    """The damaged lines before the first record."""
    last: Link | None = None
    tip: Link | None = None
    """The last line whose own hash is right, from which the next segment goes on."""
    gap: Gap = NO_GAP
    """The damaged lines behind it."""
    floor: Floor | None = None
    end: int = 0
    """Offset of the end of the last committed record."""
    unfinished: bool = False
    """Whether it is a copy that ends early, so that what follows goes on from a record that is not here."""
    referred: dict[str, int] = field(default_factory=dict)
    """The artifacts that its records refer to, each with the seq of the first that does."""
    findings: list[Finding] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def header(self) -> Header | None:
        """The segment's header, where it has a right one."""
        return self.file.header

    def walked(self, walk: Walked, *, known: frozenset[int] = frozenset()) -> None:
        """Takes over what a walk found; damage at the offsets `known` is reported otherwise."""
        self.first, self.first_prev, self.first_line = walk.first, walk.first_prev, walk.first_line
        self.first_gap, self.last, self.tip, self.gap = walk.first_gap, walk.last, walk.tip, walk.gap
        self.floor, self.end = walk.floor, walk.end
        self.findings += [of_damage(self.file, place) for place in walk.damage if place.offset not in known]
        self.records = walk.records + sum(place.kind == "record-modified" for place in walk.damage)
        more = walk.damaged - len(walk.damage)
        if more:
            last = walk.damage[-1]
            self.add(last.kind, f"and {more} places more behind this one", line=last.line, offset=last.offset)
        if walk.clamped:
            clamped = f"{walk.clamped} record{'s' * (walk.clamped != 1)}"
            self.note("clock-clamped", f"the clock had gone back: {clamped} carry its own reading as `clock`")

    def begins_badly(self) -> None:
        """Says so where the file does not begin with a right header."""
        if self.file.header is None:
            what = self.file.broken or describe_foreign(self.file.text)
            if self.file.text.removeprefix(BOM).startswith(b'{"seq":'):
                what = "the first line is no header whose hash is right"
                if not self.file.text.endswith(b"\n") and not self.file.copied:
                    what += "; if it is a copy that was not finished, --copy tells that from damage"
            self.add("header-missing", what, line=1, offset=0)

    def told(self) -> list[Finding]:
        """What was found, each at the place where it really lies."""
        return [_placed(finding, self.file) for finding in self.findings]

    def noted(self) -> list[Note]:
        """The notes, each at the place where it really lies."""
        return [_placed(note, self.file) for note in self.notes]

    def add(
        self,
        kind: str,
        message: str,
        *,
        line: int | None = None,
        seq: int | None = None,
        offset: int | None = None,
        expected: object = None,
        actual: object = None,
    ) -> None:
        """A finding in this segment."""
        self.findings.append(Finding(kind, message, self.file.name, line, seq, offset, expected, actual))

    def note(self, kind: str, message: str, *, seq: int | None = None, offset: int | None = None) -> None:
        """A note on this segment."""
        self.notes.append(Note(kind, message, self.file.name, seq=seq, offset=offset))


def _placed(entry: Entry, file: File) -> Entry:
    segment, line, offset = file.place(entry.line, entry.offset)
    if (segment, line, offset) == (entry.segment, entry.line, entry.offset):
        return entry
    return replace(entry, segment=segment, line=line, offset=offset)


def of_damage(file: File, place: Damage) -> Finding:
    """A place of damage as a finding."""
    kind, offset, _, line, seq, expected, actual, message, own_id = place
    return Finding(kind, message, file.name, line, seq, offset, expected, actual, own_id)
