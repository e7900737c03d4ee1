"""What a query gives, in short: the seqs, and what was passed over. And logs made by steps that a test draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from logs import Log

from jsonl_audit import instants, query, record
from jsonl_audit.reader import Notice


def seqs(path: Path, **how: Any) -> list[int]:
    """The seqs that a query gives, control records included."""
    return [found["seq"] for found in query(path, **{"control": True, **how})]


def told(path: Path, **how: Any) -> tuple[list[int], list[Notice]]:
    """The same, and what was passed over."""
    notices: list[Notice] = []
    return seqs(path, on_damage=notices.append, **how), notices


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
