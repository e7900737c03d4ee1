"""What a comparison of two copies came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Common", "Comparison", "Difference", "Parting", "Place", "Side"]

Ranges = tuple[tuple[int, int], ...]
"""Seqs, from the first to the last of each range, both included."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that were compared."""

    path: str
    """As it was named."""
    verdict: str | None
    """What verification says of it, as of copies; None for a manifest."""
    log: str | None
    """The log's UUID, where a header of it is here."""
    first_seq: int | None
    last_seq: int | None
    head: str | None
    purged_through: int | None = None
    """Up to which seq the log says itself that it was purged."""


@dataclass(frozen=True, slots=True)
class Common:
    """The last record that both have alike, before they part or end."""

    seq: int
    hash: str
    ts: str
    """When it was committed: since then they differ."""


@dataclass(frozen=True, slots=True)
class Place:
    """What one side says of the record at which they part, and where."""

    segment: str
    """The name of the file."""
    line: int
    """1 for the first of the file."""
    offset: int
    """In bytes from the start of the file."""
    seq: int | None
    ts: str | None
    hash: str | None
    """As the line itself says."""
    whole: bool
    """Whether the line agrees with its own hash: else it was changed after it was committed."""
    text: str
    """The line, without its LF; bytes that are no UTF-8 are replaced."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One member that the two records do not have alike."""

    member: str
    """Dotted: ``details.n``."""
    a: Any
    b: Any
    """Each is None too where the record has no such member: `only` says so."""
    only: str | None = None
    """``"a"`` or ``"b"`` where only one of them has it."""


@dataclass(frozen=True, slots=True)
class Parting:
    """The first record that the two do not have alike."""

    seq: int
    until: int
    """Where one of them is a manifest, which knows the digest of each file only: they part somewhere from `seq` to
    `until`. Else the same as `seq`."""
    a: Place | None
    b: Place | None
    """What each says there; None where it has no such line, as a manifest."""
    differences: tuple[Difference, ...]
    """Which members differ, where both lines can be read."""
    meet_again: int | None
    """The seq of a later record that both have alike, to the hash: then what lies between was changed in one of them,
    and what follows was not made anew."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two copies of a log, held against each other. ``str(comparison)`` is for a person, `to_dict` for a program."""

    a: Side
    b: Side
    a_lacks: Ranges
    """What the other has and this one has not."""
    b_lacks: Ranges
    common: Common | None
    parted: Parting | None

    @property
    def relation(self) -> str:
        """``"same"``, ``"lacking"`` where one has records that the other has not, or ``"parted"``."""
        if self.parted is not None:
            return "parted"
        return "lacking" if self.a_lacks or self.b_lacks else "same"

    @property
    def accused(self) -> tuple[str, ...]:
        """Which of the two, ``"a"`` or ``"b"``, is tampered or forked by itself, as its verification says."""
        sides = {"a": self.a, "b": self.b}
        return tuple(name for name, side in sides.items() if side.verdict in ("tampered", "forked"))

    @property
    def exit_code(self) -> int:
        """0 for the same, 3 where one lacks records, 1 where they part, or one is tampered or forked by itself."""
        if self.accused:
            return 1
        return {"same": 0, "lacking": 3, "parted": 1}[self.relation]

    @property
    def same(self) -> bool:
        """Whether both hold the same records, and neither is tampered or forked by itself."""
        return self.exit_code == 0

    def to_dict(self) -> dict[str, Any]:
        """The object that ``diff -o json`` prints."""
        return {
            "relation": self.relation,
            "a": asdict(self.a),
            "b": asdict(self.b),
            "a_lacks": [list(each) for each in self.a_lacks],
            "b_lacks": [list(each) for each in self.b_lacks],
            "common": None if self.common is None else asdict(self.common),
            "parted": None if self.parted is None else asdict(self.parted),
        }

    def __str__(self) -> str:
        from jsonl_audit.comparison import explain

        return explain.text(self)
