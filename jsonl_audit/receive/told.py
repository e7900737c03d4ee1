"""What is said of a stream of records: findings as they come, and a report at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["EXIT", "KEPT", "VERDICTS", "VERDICT_OF", "StreamFinding", "Telling"]

VERDICTS = ("intact", "torn", "empty", "incomplete", "forked", "tampered")
"""From best to worst, as of a log."""
EXIT = {"intact": 0, "torn": 0, "empty": 3, "incomplete": 3, "forked": 1, "tampered": 1}
VERDICT_OF = {
    "record-modified": "tampered",
    "chain-broken": "tampered",
    "clock-backwards": "tampered",
    "segment-altered": "tampered",
    "fork": "forked",
    "gap": "incomplete",
    "unattached": "incomplete",
    "not-compared": "incomplete",
    "begins-late": "incomplete",
    "newer-format": "incomplete",
    "torn-tail": "torn",
}
"""What each kind makes of the verdict; of a kind that is not here nothing is made: it is a note."""
KEPT = 1000
"""So many findings are kept one by one for the report; of what is more, only the number. All are told as they come."""


@dataclass(frozen=True, slots=True)
class StreamFinding:
    """One thing about a stream that is worth saying. What is not known is None."""

    kind: str
    """`record-modified`, `chain-broken`, `clock-backwards`, `segment-altered`, `fork`, `gap`, `unattached`,
    `not-compared`, `begins-late`, `newer-format` or `torn-tail`; of no consequence for the verdict are `gap-closed`,
    `cut-line`, `foreign-line`, `long-line`, `voided` and `torn-not-here`."""
    message: str
    log: str | None = None
    """The log's UUID."""
    segment: int | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    line: int | None = None
    """Of the input, 1 for the first."""
    expected: Any = None
    actual: Any = None

    def to_dict(self) -> dict[str, Any]:
        """The members that ``--json`` shows."""
        return {name: getattr(self, name) for name in self.__slots__}


class Telling:
    """Takes findings: hands each on at once, keeps the first of them and counts all."""

    def __init__(self, tell: Callable[[StreamFinding], None] | None = None) -> None:
        self._tell = tell
        self.kept: list[StreamFinding] = []
        self.counts: Counter[str] = Counter()

    def say(self, kind: str, message: str, **where: Any) -> None:
        """A finding."""
        finding = StreamFinding(kind, message, **where)
        self.counts[kind] += 1
        if len(self.kept) < KEPT:
            self.kept.append(finding)
        if self._tell is not None:
            self._tell(finding)

    def verdict(self, records: int, *, without: tuple[str, ...] = ()) -> str:
        """The worst that the findings come to; kinds in `without` are judged by whoever asks."""
        found = {VERDICT_OF[kind] for kind in self.counts if kind in VERDICT_OF and kind not in without}
        if not records:
            found.add("empty")
        return max(found, key=VERDICTS.index, default="intact")
