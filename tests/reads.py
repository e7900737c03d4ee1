"""What a query gives, in short: the seqs, and what was passed over. A follower that never waits. Logs made by steps
that a test draws.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from logs import Log

from jsonl_audit import instants, query, record
from jsonl_audit.reader import Notice
from jsonl_audit.reader.follow import followed
from jsonl_audit.reader.follower import Wait


def seqs(path: Path, **how: Any) -> list[int]:
    """The seqs that a query gives, control records included."""
    return [found["seq"] for found in query(path, **{"control": True, **how})]


def told(path: Path, **how: Any) -> tuple[list[int], list[Notice]]:
    """The same, and what was passed over."""
    notices: list[Notice] = []
    return seqs(path, on_damage=notices.append, **how), notices


class Reader:
    """A follower that is asked for what is there, and never waits."""

    def __init__(
        self, path: str | os.PathLike[str], *, n: int = 0, after: Any = None, block: int = 1 << 20, **filters: Any
    ) -> None:
        self.notices: list[Notice] = []
        follower = followed(path, n, after, self.notices.append, block, {"control": True, **filters})
        follower.begin()
        self._found: Any = follower.run()

    def new(self) -> list[int]:
        """The seqs of what is new."""
        return [found["seq"] for found in self.records()]

    def records(self) -> list[dict[str, Any]]:
        """What is new. A change of files takes a second look, as it does for every reader."""
        return [found for _ in range(3) for found in self._look()]

    def close(self) -> None:
        """Gives its files back."""
        self._found.close()

    def _look(self) -> Iterator[dict[str, Any]]:
        for match in self._found:
            if match is Wait.WAIT:
                return
            if match is not None:
                yield match.record


_EVENTS = st.fixed_dictionaries(
    {"late": st.integers(-30, 30) | st.none(), "size": st.sampled_from([0, 0, 0, 50, 900]), "kind": st.integers(0, 3)}
)
STEPS = st.lists(st.one_of(_EVENTS, st.just("seal"), st.lists(_EVENTS, min_size=2, max_size=4)), max_size=14)
"""Steps for `written`."""


def written(directory: Path, steps: list[Any]) -> Log:
    """A log made by steps: an event, a batch of them, or a seal; each event may have a time of its own.

    Every other header says how many of a segment's records have one.
    """
    log = Log(directory)
    timed = [0]

    def event(step: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {"type": f"kind.{step['kind']}", "details": {"text": "x" * step["size"]}}
        if step["late"] is not None:
            made["time"] = instants.text(log.us + step["late"] * 1_000_000)
            timed[0] += 1
        return made

    for step in steps:
        if step == "seal":
            log.seal(timed=timed[0] if log.segment % 2 else None)
            timed[0] = 0
        elif isinstance(step, list):
            log.batch([event(each) for each in step])
        else:
            log._put(record.encode(event(step)))
    return log
