"""A segment at a destination that is not at the source any more: what it is called there, and whether it is whole."""

from __future__ import annotations

from jsonl_audit import instants, record
from jsonl_audit.segment import Header, Names
from jsonl_audit.ship.compare import digest_there
from jsonl_audit.ship.outcome import Shipped
from jsonl_audit.ship.place import Place

__all__ = ["left_over"]

_LAST = 1 << 16  # bytes from the end, in which the last line begins


def left_over(
    place: Place, name: str, size: int, number: int, behind: Header | None, names: Names, outcome: Shipped
) -> str:
    """The sealed name that segment `number`, which stands there under `name`, is to have; a word if it is not whole.

    `behind` is the header of the next segment that there is.
    """
    said = behind.previous if behind is not None and behind.segment == number + 1 else None
    line = _last_line(place, name, size)
    stamp = None if said is None else names.stamp_of(said.name)
    sealed = names.sealed(stamp or _free_stamp(place, names, line))
    if said is not None and size >= said.bytes and digest_there(place, name, said.bytes) == said.blake3:
        outcome.sealed += 1
        return sealed
    seq = record.seq_of(line) if record.HEAD.match(line) else 0
    outcome.met(
        "incomplete",
        f"records {seq + 1}{' and on' if behind is None else f' to {behind.seq - 1}'} are gone at the source and had "
        f"not arrived: segment {number} ends early here. Verify this copy with --copy",
        place.shown(sealed),
    )
    return sealed


def _last_line(place: Place, name: str, size: int) -> bytes:
    text = place.read(name, max(0, size - _LAST), _LAST)
    lines = text[: text.rfind(b"\n") + 1].splitlines(keepends=True)
    return lines[-1] if lines else b""


def _free_stamp(place: Place, names: Names, line: bytes) -> str:
    """A time for the name that no segment there has: that of the last record, or the next that is free."""
    ts = record.ts_of(line) if record.HEAD.match(line) else ""
    micros = instants.micros(ts) if instants.is_instant(ts) else 0
    while place.size(names.sealed(instants.stamp(micros))) is not None:
        micros += 1
    return instants.stamp(micros)
