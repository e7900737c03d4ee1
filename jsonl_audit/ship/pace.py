"""How fast a shipper goes: a limit of bytes a second, a moment to stop at, and how far it has come."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

__all__ = ["BLOCK", "Pace"]

BLOCK = 1 << 20
"""Bytes that are moved at once, if nothing limits them."""


class Pace:
    """Counts what is moved; `wait` sleeps so that on average no more than `limit` bytes a second are.

    >>> pace = Pace(None)
    >>> pace.wait(100), pace.moved, pace.block
    (None, 100, 1048576)
    """

    def __init__(
        self,
        limit: float | None,
        stop: Callable[[], bool] | Event | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        if limit is not None and not limit >= 1:
            raise ValueError(f"bwlimit is a number of bytes a second, 1 or more, not {limit!r}")
        self._limit = limit
        self._asked = stop
        self._progress = progress
        self._due = 0.0  # when the next byte may go
        self.block = BLOCK if limit is None else max(1, min(BLOCK, int(limit / 10)))
        self.moved = 0
        self.total = 0
        """How much there is to move in all, as far as it is known."""

    @property
    def stopped(self) -> bool:
        """Whether it is time to end."""
        return self._asked is not None and (self._asked.is_set() if isinstance(self._asked, Event) else self._asked())

    def wait(self, count: int) -> None:
        """Before `count` bytes are moved."""
        if self._limit is not None:
            now = time.monotonic()
            self._due = max(self._due, now)
            self.rest(self._due - now)
            self._due += count / self._limit
        self.moved += count
        if self._progress is not None:
            self._progress(self.moved, max(self.total, self.moved))

    def rest(self, seconds: float) -> None:
        """Sleeps, or until it is time to end."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.stopped:
            if isinstance(self._asked, Event):
                self._asked.wait(left)
            else:
                time.sleep(min(left, 0.1 if self._asked else left))
