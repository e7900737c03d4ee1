"""What both ways of shipping a log have in common: where from, where to, and where it goes on."""

from __future__ import annotations

from collections.abc import Callable

from jsonl_audit.ship.earlier import Earlier
from jsonl_audit.ship.outcome import Shipped
from jsonl_audit.ship.pace import Pace
from jsonl_audit.ship.place import Place
from jsonl_audit.ship.source import Look, Source
from jsonl_audit.ship.standing import Standing, stands

__all__ = ["Way"]


class Way:
    """One log on its way to one place. `arrived` is called with how far, whenever that is on the disk there."""

    def __init__(
        self, source: Source, place: Place, outcome: Shipped, pace: Pace,
        arrived: Callable[[int, int, int, str], None], earlier: Earlier,
    ) -> None:  # fmt: skip
        self._source = source
        self._place = place
        self._outcome = outcome
        self._pace = pace
        self._arrived = arrived
        self._earlier = earlier
        self._active = source.names.path.rpartition("/")[2]

    def frontier(self, look: Look) -> tuple[int, int]:
        """The segment that is to grow next at the place, and how many bytes of it are there: looked for there.

        Raises RefusedError, WrongLogError, NotALogError.
        """
        standing = stands(self._place, self._source, look, self._outcome)
        self._earlier.sealed_there = standing.sealed
        self._stands(standing)
        return standing.number, standing.growing.at if standing.growing is not None else 0

    def remaining(self, look: Look) -> int:
        """How many bytes there are to bring, as far as it is known without looking at each file."""
        raise NotImplementedError

    def round(self, look: Look) -> None:
        """Brings what is there at the source and not yet at the place. Raises OSError, RefusedError, AuditError."""
        raise NotImplementedError

    def _stands(self, standing: Standing) -> None:
        """Goes on from there."""
        raise NotImplementedError
