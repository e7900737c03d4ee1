"""What of a spill log was brought in and is not told in the log yet, by an ``audit.spilled`` record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Untold"]


@dataclass(slots=True)
class Untold:
    """Counts that begin anew with each ``audit.spilled`` record."""

    count: int = 0
    """How many events."""
    first: str = ""
    last: str = ""
    """When the first and the last of them was held."""
    first_seq: int = 0
    last_seq: int = 0
    """Of the records that they are."""
    split: bool = False
    """A batch had to be brought in record by record."""
    missing: int = 0
    """So many cannot be read any more; below 0 where more were told than are missing."""

    def held(self, ts: str) -> None:
        """An event was held at this time."""
        self.first = self.first or ts
        self.last = ts

    def came(self, first_seq: int, last_seq: int, count: int) -> None:
        """So many are these records now."""
        self.first_seq = self.first_seq or first_seq
        self.last_seq = last_seq
        self.count += count

    def details(self) -> dict[str, Any]:
        """Of the record that tells it."""
        told = asdict(self)
        if not self.split:
            del told["split"]
        if self.missing <= 0:
            del told["missing"]
        return told
