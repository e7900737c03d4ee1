"""What has to be told in the chain once it can be: how many events, when the first and the last, and why."""

from __future__ import annotations

import time
from typing import Any

from jsonl_audit import instants

__all__ = ["Tally", "now_text"]


def now_text() -> str:
    """The time now, in the form on disk."""
    return instants.text(time.time_ns() // 1000)


class Tally:
    """Counts events that met the same fate. `why` names it; `kind` is the type of the record that tells of them."""

    __slots__ = ("_cause", "_errno", "_first", "_last", "_longest", "count", "kind", "total", "why")

    def __init__(self, kind: str, why: str) -> None:
        self.kind = kind
        self.why = why
        self.count = 0
        """How many are not told."""
        self.total = 0
        """How many there ever were."""
        self._first = self._last = self._cause = ""
        self._errno: int | None = None
        self._longest = 0.0

    def add(
        self, count: int, cause: str, errno: int | None, *, since: str = "", until: str = "", seconds: float = 0.0
    ) -> None:
        """Counts so many more, of now if no times are given; of several causes the first one is told."""
        if not self.count:
            self._first, self._cause, self._errno, self._longest = since or now_text(), cause, errno, 0.0
        self._last = until or now_text()
        self._longest = max(self._longest, seconds)
        self.count += count
        self.total += count

    def less(self, count: int) -> None:
        """Says that so many of them met another fate after all."""
        self.count = max(0, self.count - count)
        self.total -= count

    def take(self) -> dict[str, Any]:
        """What the record says of those that are not told; from here on they count as told."""
        said: dict[str, Any] = {"why": self.why, "count": self.count, "first": self._first, "last": self._last}
        said["cause"] = self._cause
        if self._errno is not None:
            said["errno"] = self._errno
        if self._longest:
            said["longest"] = round(self._longest, 3)
        self.count = 0
        return said

    def give_back(self, said: dict[str, Any]) -> None:
        """Says that what `take` gave is not told after all."""
        self._first, self._cause, self._errno = said["first"], said["cause"], said.get("errno")
        self._last = self._last if self.count else said["last"]
        self._longest = max(self._longest, said.get("longest", 0.0))
        self.count += said["count"]

    def forget(self) -> None:
        """Counts from 0 again."""
        self.count = self.total = 0
