"""What came of shipping one log: how far it has arrived, what was met on the way, and the exit status that means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jsonl_audit.errors import AuditError

__all__ = ["Problem", "Shipped", "Tell"]

_KEPT = 1000
Tell = Callable[["Problem"], None]
"""What is called with each problem and each note, when it is met."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that was met. As a text it is a whole sentence, with what to do.

    `kind` is ``refused`` (the destination holds something else where the log was to go on), ``different`` (a file that
    has arrived before is another at the source), ``damaged`` (the source is not what its own digests say; it was
    copied as it is), ``incomplete`` (records are gone at the source that had not arrived), or, for a mere remark,
    ``note``.
    """

    kind: str
    message: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


@dataclass(slots=True)
class Shipped:
    """What came of shipping one log.

    >>> Shipped("/var/log/audit.jsonl", "/mnt/copies").exit_code
    0
    """

    source: str
    destination: str
    log: str = ""
    """The UUID of the log."""
    segment: int = 0
    """The newest segment of which something has arrived."""
    seq: int = 0
    """Of the last record that has arrived, on the destination's disk."""
    head: str = ""
    """Its hash: an anchor, wherever it is kept."""
    bytes: int = 0
    """So many were copied this time."""
    sealed: int = 0
    """So many segments have become whole at the destination this time."""
    artifacts: int = 0
    """So many artifacts were copied this time."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    error: AuditError | None = None
    """Why it ended early."""
    accessed: Shipped | None = None
    """The same of the record of who read this log, where there is one beside it."""
    tell: Tell | None = field(default=None, repr=False, compare=False)

    @property
    def exit_code(self) -> int:
        """0: all has arrived. 1: something is not as it should be, and says so. 3: a part is gone. 2, 4: `error`."""
        if self.error is not None:
            return self.error.exit_code
        beside = self.accessed.exit_code if self.accessed is not None else 0
        kinds = {problem.kind for problem in self.problems}
        return 1 if kinds - {"incomplete"} else beside or (3 if kinds else 0)

    @property
    def ok(self) -> bool:
        """Whether all of it has arrived as it should."""
        return not self.exit_code

    def met(self, kind: str, message: str, path: str = "") -> None:
        """Keeps a problem or a note, and tells it; each once."""
        problem = Problem(kind, message, path)
        kept = self.notes if kind == "note" else self.problems
        if problem not in kept and len(kept) < _KEPT:
            kept.append(problem)
            self.say(kind, message, path)

    def say(self, kind: str, message: str, path: str = "") -> None:
        """Tells something that need not be kept."""
        if self.tell is not None:
            self.tell(Problem(kind, message, path))

    def to_dict(self) -> dict[str, Any]:
        """The same, for JSON."""
        return {
            "source": self.source,
            "destination": self.destination,
            "log": self.log,
            "segment": self.segment,
            "seq": self.seq,
            "head": self.head,
            "bytes": self.bytes,
            "sealed": self.sealed,
            "artifacts": self.artifacts,
            "problems": [{"kind": each.kind, "path": each.path, "message": each.message} for each in self.problems],
            "notes": [{"path": each.path, "message": each.message} for each in self.notes],
            "accessed": None if self.accessed is None else self.accessed.to_dict(),
            "error": None if self.error is None else str(self.error),
            "exit": self.exit_code,
        }

    def __str__(self) -> str:
        if not self.seq:
            return f"{self.source}: nothing of it is at {self.destination}"
        return (
            f"{self.source}: shipped through seq {self.seq} (segment {self.segment}) to {self.destination}, "
            f"{self.bytes:,} bytes this time, head {self.head}"
        )
