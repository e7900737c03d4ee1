"""The lines at which two copies part: where they lie, what they say, and which members of them differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonl_audit import record
from jsonl_audit.comparison.outcome import Common, Difference, Place
from jsonl_audit.comparison.sides import Stretch
from jsonl_audit.content import Content
from jsonl_audit.verifier.digest import WINDOW
from jsonl_audit.verifier.pieces import line_at
from jsonl_audit.verifier.vouching import lines_at

__all__ = ["Spot", "begin_of", "common_at", "differences", "place", "spot_of"]

_ENGINE = ("seq", "ts", "id", "type", "batch", "prev", "hash")


@dataclass(frozen=True, slots=True)
class Spot:
    """A line in the content of a file."""

    offset: int
    line: bytes

    @classmethod
    def at(cls, content: Content, offset: int) -> Spot:
        """The line that begins at a byte."""
        return cls(offset, line_at(content, offset, content.size))


def spot_of(stretch: Stretch, seq: int) -> Spot | None:
    """Where the record with a seq stands in a segment, as its line says itself; None where it is not there."""
    with stretch.checked.file.open() as content:
        return next((Spot(offset, line) for offset, line in lines_at(content, seq, stretch.stop)), None)


def begin_of(stretch: Stretch, seq: int) -> Spot | None:
    """Where the line stands that is, or stands in the place of, the record with a seq from which two are compared."""
    if seq == stretch.low:
        with stretch.checked.file.open() as content:
            return Spot.at(content, 0)
    found = spot_of(stretch, seq)
    if found is not None:
        return found
    before = spot_of(stretch, seq - 1)  # its own line may be changed so that it cannot be found
    if before is None:
        return None
    with stretch.checked.file.open() as content:
        return Spot.at(content, before.offset + len(before.line))


def common_at(stretch: Stretch, seq: int) -> Common | None:
    """The record with a seq, if it is there and whole."""
    if not stretch.low <= seq <= stretch.high:
        return None
    spot = spot_of(stretch, seq)
    if spot is None or not record.own_hash_right(spot.line):
        return None
    return Common(seq, record.hash_of(spot.line), record.ts_of(spot.line))


def place(stretch: Stretch, spot: Spot | None) -> Place | None:
    """Where a line really lies, and what it says."""
    if spot is None:
        return None
    with stretch.checked.file.open() as content:
        number = 1 + sum(data.count(b"\n") for data in content.blocks(0, spot.offset, WINDOW))
    segment, line, offset = stretch.checked.file.place(number, spot.offset)
    text, formed = spot.line, record.HEAD.match(spot.line) is not None
    return Place(
        segment=segment,
        line=line or 0,
        offset=offset or 0,
        seq=record.seq_of(text) or None,
        ts=record.ts_of(text) if formed else None,
        hash=text[-67:-3].decode("ascii", "replace") if text.endswith(b'"}\n') and len(text) > 67 else None,
        whole=record.own_hash_right(text),
        text=text.removesuffix(b"\n").decode("utf-8", "replace"),
    )


def differences(a: bytes, b: bytes) -> tuple[Difference, ...]:
    """The members that two lines do not have alike, those of the event first.

    >>> differences(b'{"seq":2,"details":{"n":1,"m":0}}', b'{"seq":2,"details":{"n":2},"level":"info"}')[0]
    Difference(member='details.n', a=1, b=2, only=None)
    """
    one, other = _members(a), _members(b)
    found = [] if one is None or other is None else [*_apart(one, other, "")]
    return tuple(sorted(found, key=lambda each: each.member.partition(".")[0] in _ENGINE))


def _members(line: bytes) -> dict[str, Any] | None:
    try:
        found: Any = record.decode(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _apart(one: dict[str, Any], other: dict[str, Any], above: str) -> Iterator[Difference]:
    for name in dict.fromkeys([*one, *other]):
        member = f"{above}{name}"
        if name not in other:
            yield Difference(member, one[name], None, "a")
        elif name not in one:
            yield Difference(member, None, other[name], "b")
        elif isinstance(one[name], dict) and isinstance(other[name], dict):
            yield from _apart(one[name], other[name], f"{member}.")
        elif one[name] != other[name] or type(one[name]) is not type(other[name]):
            yield Difference(member, one[name], other[name])
