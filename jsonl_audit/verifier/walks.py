"""Strict walks over segments, whole or in parts, and what is kept of them, which is little."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.links import NO_GAP, Gap
from jsonl_audit.scan import WINDOW, Damage, Link, Walk
from jsonl_audit.segment import Floor
from jsonl_audit.verifier.digest import Progress

__all__ = ["PART", "Part", "Walked", "joined", "parts_of", "walk"]

PART = 16 << 20
"""About how many bytes of a segment one process walks at a time."""

_AROUND = 1 << 16  # bytes in which a place between two records is looked for


@dataclass(slots=True)
class Walked:
    """What a walk found. The same words as those of `Walk`."""

    pos: int
    end: int
    line: int
    records: int
    last: Link | None
    first: Link | None = None
    first_prev: str = ""
    first_line: int = 0
    first_gap: Gap = NO_GAP
    tip: Link | None = None
    gap: Gap = NO_GAP
    begins: bool = False
    clamped: int = 0
    floor: Floor | None = None
    torn: str | None = None
    torn_at: int = 0
    rest: int = 0
    cut_short: int = 0
    void_lines: int = 0
    time: tuple[str, str] | None = None
    timed: int = 0
    damage: list[Damage] = field(default_factory=list)
    damaged: int = 0

    @classmethod
    def of(cls, walk: Walk) -> Walked:
        """What is left of a finished walk."""
        found = cls(**{name: getattr(walk, name) for name in cls.__slots__})
        if found.torn is None:
            found.torn_at = found.rest = 0
        return found

    def to_dict(self) -> dict[str, Any]:
        """In a form that goes through a pipe; only of a walk without damage."""
        links = {name: link and list(link) for name, link in (("last", self.last), ("first", self.first))}
        found = asdict(self) | links | {"floor": self.floor and self.floor.to_dict()}
        return {name: value for name, value in found.items() if name not in _OF_DAMAGE}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Walked:
        """The opposite of `to_dict`."""
        for name in ("last", "first"):
            found[name] = None if found[name] is None else Link(*found[name])
        found["time"] = None if found["time"] is None else tuple(found["time"])
        found["floor"] = Floor.parse(found["floor"])
        return cls(**found, tip=found["last"])


_OF_DAMAGE = ("tip", "gap", "first_gap", "damage")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a segment that begins and ends between two lines, and not within a batch."""

    start: int
    stop: int
    link: Link | None
    """The record before it, as its line says."""


def walk(content: Content, part: Part, progress: Progress | None = None, *, known: int = 0) -> Walked:
    """One walk in this process; up to `known` the file is known to have been on the disk."""
    found = Walk(link=part.link, known=known, times=True, offset=part.start)
    for data in content.blocks(part.start, part.stop, WINDOW):
        found.feed(data)
        if progress is not None:
            progress(len(data))
    return Walked.of(found.finish())


def parts_of(content: Content, stop: int, size: int = PART) -> list[Part]:
    """The bytes up to `stop` in parts of about `size`."""
    start, link, parts = 0, None, []
    near = size
    while stop - near > size:
        found = _between(content, near, stop)
        if found is not None:
            parts.append(Part(start, found[0], link))
            start, link = found
        near += size  # where nothing but a batch, long lines or damage stands, the part is longer
    return [*parts, Part(start, stop, link)]


def _between(content: Content, near: int, stop: int) -> tuple[int, Link] | None:
    """A place behind `near` where a record ends that is not in the middle of a batch, and that record."""
    data = content.read(near, min(_AROUND, stop - near))
    begin = data.find(b"\n") + 1
    while begin and (end := data.find(b"\n", begin) + 1):
        line = data[begin:end]
        batch = record.batch_of(line)
        if record.HEAD.match(line) and len(line) > 227 and (batch is None or batch[0] == batch[1]):
            own = line[-67:-3].decode("ascii", "replace")
            return near + end, Link(record.seq_of(line), own, record.ts_of(line))
        begin = end
    return None


def joined(parts: list[Part], walks: list[Walked]) -> Walked | None:
    """What one walk over all parts would have found; None where that is not sure, since one of them disagrees."""
    for part, found in zip(parts, walks, strict=True):
        if found.damaged or found.gap.lines or ((found.torn or found.end != part.stop) and part is not parts[-1]):
            return None
    for found, following in zip(walks, parts[1:], strict=False):
        if found.last != following.link:
            return None
    first, last = walks[0], walks[-1]
    if last.last is None:
        return None
    times = [found.time for found in walks if found.time is not None]
    return Walked(
        pos=last.pos,
        end=last.end,
        line=sum(found.line for found in walks),
        records=sum(found.records for found in walks),
        last=last.last,
        tip=last.last,
        first=first.first,
        first_prev=first.first_prev,
        first_line=first.first_line,
        begins=True,
        clamped=sum(found.clamped for found in walks),
        floor=next((found.floor for found in reversed(walks) if found.floor is not None), None),
        torn=last.torn,
        torn_at=last.torn_at,
        rest=last.rest,
        cut_short=last.cut_short and last.cut_short + sum(found.line for found in walks[:-1]),
        void_lines=last.void_lines,
        time=(min(low for low, _ in times), max(high for _, high in times)) if times else None,
        timed=sum(found.timed for found in walks),
    )
