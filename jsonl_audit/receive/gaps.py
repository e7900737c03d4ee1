"""Gaps in a stream: told when they have been open for a while, and again when they are closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from jsonl_audit.receive.told import Telling

__all__ = ["GapWatch", "spelled"]

Gap = tuple[str | None, int, int]
"""The log's UUID, the first and the last seq that are missing."""
_MOST = 1000
"""Gaps that are watched at once."""


def spelled(first: int, last: int) -> str:
    """A range of seqs in words.

    >>> spelled(3, 3), spelled(3, 5)
    ('seq 3', 'seq 3 to 5')
    """
    return f"seq {first}" if first == last else f"seq {first} to {last}"


class GapWatch:
    """Tells gaps that stay open for `patience` seconds, and that they were closed."""

    def __init__(self, gaps: Callable[[], Iterable[Gap]], telling: Telling, patience: float) -> None:
        self._gaps = gaps
        self._telling = telling
        self._patience = patience
        self._open: dict[tuple[str | None, int], tuple[float, int, bool]] = {}
        self._next = 0.0

    def look(self, *, ended: bool = False) -> None:
        """Looks at most once a second whether there are gaps; at the end of the stream all of them are told."""
        now = time.monotonic()
        if now < self._next and not ended:
            return
        found: dict[tuple[str | None, int], int] = {}
        for log, first, last in self._gaps():
            if len(found) >= _MOST and not ended:
                break
            found[log, first] = last
        for key, last in found.items():
            since, _, told = self._open.get(key, (now, last, False))
            if not told and (ended or now - since >= self._patience):
                what = f"{spelled(key[1], last)} missing" + ("" if ended else f" for {now - since:.0f} s")
                self._telling.say("gap", what, log=key[0], first_seq=key[1], last_seq=last)
                told = True
            self._open[key] = since, last, told
        # Where there is much to look through, it is done less often: a twentieth of the time at most.
        if self._patience:
            self._next = now + max(min(1.0, self._patience), 20 * (time.monotonic() - now))
        for key in [key for key in self._open if key not in found]:
            _, last, told = self._open.pop(key)
            if told:
                what = f"{spelled(key[1], last)} arrived"
                self._telling.say("gap-closed", what, log=key[0], first_seq=key[1], last_seq=last)
