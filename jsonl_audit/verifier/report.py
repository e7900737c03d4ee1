"""What verification came to: one verdict, every finding, and notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["EXIT", "VERDICTS", "VERDICT_OF", "Anchored", "Finding", "Note", "Report"]

VERDICTS = ("intact", "torn", "empty", "incomplete", "forked", "tampered")
"""From best to worst: of several that apply, the worst is the verdict."""
EXIT = {"intact": 0, "torn": 0, "empty": 3, "incomplete": 3, "forked": 1, "tampered": 1}
"""The exit status of each verdict."""
VERDICT_OF = {
    "record-modified": "tampered",
    "chain-broken": "tampered",
    "records-missing": "tampered",
    "malformed-line": "tampered",
    "header-missing": "tampered",
    "segment-altered": "tampered",
    "foreign-segment": "tampered",
    "clock-backwards": "tampered",
    "documented-damage": "tampered",
    "artifact-altered": "tampered",
    "checkpoint-mismatch": "tampered",
    "records-cut": "tampered",
    "fork": "forked",
    "segment-missing": "incomplete",
    "segment-unfinished": "incomplete",
    "piece-unjoined": "incomplete",
    "artifact-missing": "incomplete",
    "anchor-missing": "incomplete",
    "torn-tail": "torn",
}
"""What each kind of finding makes of the verdict."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was committed. What is not known is None."""

    kind: str
    """`record-modified`, `chain-broken`, `records-missing`, `malformed-line`, `header-missing`, `segment-altered`,
    `segment-missing`, `foreign-segment`, `fork`, `torn-tail`, `clock-backwards`, `documented-damage`,
    `artifact-missing`, `artifact-altered`, `checkpoint-mismatch`, `records-cut`, `anchor-missing`; of copies also
    `segment-unfinished` and `piece-unjoined`."""
    message: str
    segment: str | None = None
    """The name of the file."""
    line: int | None = None
    """1 for the first of the file."""
    seq: int | None = None
    offset: int | None = None
    """In bytes from the start of the file."""
    expected: Any = None
    actual: Any = None
    id: str | None = None
    """Of the record, where it can still be read."""

    def to_dict(self) -> dict[str, Any]:
        """The members that ``verify --json`` shows."""
        return {
            "kind": self.kind,
            "segment": self.segment,
            "line": self.line,
            "seq": self.seq,
            "offset": self.offset,
            "expected": self.expected,
            "actual": self.actual,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth knowing that is not wrong. It never changes the verdict."""

    kind: str
    """`documented-torn`, `purged-prefix`, `older-copy`, `unfinished`, `active-missing`, `clock-clamped`,
    `not-a-segment`, `artifact-unreferenced`, `artifacts-not-looked-for`, `anchor-purged`, `purged-unfinished` or
    `taken-by-logrotate`."""
    message: str
    segment: str | None = None
    line: int | None = None
    seq: int | None = None
    offset: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The members that ``verify --json`` shows."""
        return {
            "kind": self.kind,
            "segment": self.segment,
            "line": self.line,
            "seq": self.seq,
            "offset": self.offset,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Anchored:
    """Up to where something trusted from elsewhere vouches for a log: the newest anchor that it agrees with."""

    through_seq: int
    """That record is as it was when the anchor was taken, and so is all that is linked to it."""
    by: str
    """What the anchor was: ``"expect"`` (a seq and a hash), ``"receipt"``, ``"report"`` or ``"manifest"``."""
    time: str | None
    """``ts`` of that record; None where it is not here itself, and the next one vouches for it."""

    def to_dict(self) -> dict[str, Any]:
        """What ``verify --json`` shows as ``anchored``."""
        return {"through_seq": self.through_seq, "by": self.by, "time": self.time}


@dataclass(frozen=True, slots=True)
class Report:
    """What verification says of one log.

    ``str(report)`` is for a person, `to_dict` for a program.
    """

    verdict: str
    """`intact`, `torn`, `empty`, `incomplete`, `forked` or `tampered`."""
    path: str
    """What was verified, as it was named."""
    full: bool
    """Whether every line was walked; else sealed segments were checked by their digests."""
    records: int = 0
    """How many records are here, the engine's own included."""
    verified: int = 0
    """How many of them are as they were committed."""
    segments: int = 0
    """How many files they stand in."""
    first_seq: int | None = None
    last_seq: int | None = None
    head: str | None = None
    """Hash of the last record. Kept elsewhere, it is an anchor."""
    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()
    corrupted: tuple[str, ...] = ()
    """The ids of records that were changed or break a rule; where no id can be read, the seq or the place."""
    chain_breaks: tuple[int, ...] = ()
    """The seqs of records that do not go on from the record before them."""
    anchored: Anchored | Literal[False] = False
    """Up to where something trusted from elsewhere vouches for the log. Else a full rewrite cannot be ruled out."""

    @property
    def exit_code(self) -> int:
        """The exit status that the verdict has on the command line."""
        return EXIT[self.verdict]

    @property
    def ok(self) -> bool:
        """Whether the exit status is 0: `intact`, or `torn` as a crash leaves it."""
        return self.exit_code == 0

    @property
    def valid(self) -> bool:
        """The same as `ok`."""
        return self.ok

    @property
    def total(self) -> int:
        """The same as `records`."""
        return self.records

    def to_dict(self) -> dict[str, Any]:
        """The object that ``verify --json`` prints.

        >>> Report("intact", "audit.jsonl", full=False).to_dict()["verdict"]
        'intact'
        """
        return {
            "verdict": self.verdict,
            "anchored": self.anchored and self.anchored.to_dict(),
            "records": self.records,
            "verified": self.verified,
            "corrupted": list(self.corrupted),
            "chain_breaks": list(self.chain_breaks),
            "segments": self.segments,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "head": self.head,
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": [note.to_dict() for note in self.notes],
        }

    def text(self, limit: int = 10) -> str:
        """The report for a person: at most `limit` places of each kind of finding are listed (0: all of them)."""
        from jsonl_audit.verifier import explain

        return explain.text(self, limit)

    def __str__(self) -> str:
        return self.text()
