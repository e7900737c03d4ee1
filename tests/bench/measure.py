"""Measuring: the sides of a comparison in turn, each on equal terms, and what is made of the figures."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Result", "UnavailableError", "in_turn", "percentile", "ratio", "say", "seconds"]

Side = Callable[[], float]
"""One round of one side: prepares, works, and returns the seconds that the work alone took (for one unit of it)."""


class UnavailableError(Exception):
    """What a row needs is not here: a peer that is not installed, a part of the engine not built yet."""


@dataclass
class Result:
    """One line of the table."""

    row: str
    work: str
    against: str
    unit: str
    """``x`` is a ratio, the other side's time by ours; else a figure of its own: ``ms``, ``GB/s``, ``MiB``."""
    value: float | None = None
    hold: float | None = None
    aim: float | None = None
    higher_is_better: bool = True
    sides: dict[str, float] = field(default_factory=dict)
    """The median of each side, in the unit its name ends with."""
    samples: dict[str, list[float]] = field(default_factory=dict)
    """Every round of each side in seconds; in the order they were run."""
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the floor is kept; None where there is no floor or no figure."""
        return self._reaches(self.hold)

    @property
    def aim_reached(self) -> bool | None:
        """Whether the aim is reached; None where there is none."""
        return self._reaches(self.aim)

    def _reaches(self, bound: float | None) -> bool | None:
        if self.value is None or bound is None:
            return None
        return self.value >= bound if self.higher_is_better else self.value <= bound

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the JSON."""
        return {
            "row": self.row, "work": self.work, "against": self.against, "unit": self.unit, "value": self.value,
            "hold": self.hold, "aim": self.aim, "higher_is_better": self.higher_is_better, "holds": self.holds,
            "aim_reached": self.aim_reached, "sides": self.sides, "samples": self.samples, "note": self.note,
        }  # fmt: skip


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes, for every side alike: garbage of before is gone, what exists now is out of the collector's
    sight, and the collector runs as it does in a user's program."""
    gc.collect()
    gc.freeze()
    try:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    finally:
        gc.unfreeze()


def in_turn(sides: dict[str, Side], rounds: int, *, warm: bool = True) -> dict[str, list[float]]:
    """Seconds of every side in every round: A B C, B C A, C A B …; with one round before that does not count."""
    names = list(sides)
    if warm:
        for name in names:
            sides[name]()
    samples: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            samples[name].append(sides[name]())
        say("    " + " · ".join(f"{name} {_shown(samples[name][-1])}" for name in names))
    return samples


def _shown(value: float) -> str:
    return f"{value * 1e6:.1f} µs" if value < 1e-3 else f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"


def ratio(samples: dict[str, list[float]], ours: str, theirs: str) -> float:
    """How many times as fast as `theirs` `ours` is: the median over the rounds of each round's own ratio.

    Both sides of one round run within a moment of each other, so that a machine that is slow for a while is slow for
    both.
    """
    return statistics.median(their / our for our, their in zip(samples[ours], samples[theirs], strict=True))


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest of `samples` that `percent` per cent of them do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]
