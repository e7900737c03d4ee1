"""A comparison in words for a person: what each lacks, where they part, and since when."""

from __future__ import annotations

import orjson

from jsonl_audit.comparison.outcome import Comparison, Parting, Place, Ranges, Side

__all__ = ["text"]

_LONG = 400
_RANGES = 10


def text(found: Comparison) -> str:
    """The comparison, several lines."""
    accused = "".join(f"; {name} is {_verdict(found, name)} by itself" for name in found.accused)
    told = _RELATION[found.relation]
    if two := _two_logs(found):
        told = f"these are two logs, {found.a.log} and {found.b.log}, and no copies of one"
    first = f"{found.relation}: {told}{accused}"
    lines = [first, f"  a: {_side(found.a)}", f"  b: {_side(found.b)}"]
    for name, side, lacks in (("a", found.a, found.a_lacks), ("b", found.b, found.b_lacks)):
        if lacks:
            lines.append(f"{name} lacks {_ranges(lacks)}{_purged(side, lacks)}")
    if found.common is not None:
        common = found.common
        lines.append(f"last record that both have alike: seq {common.seq}, {common.ts}, hash {common.hash}")
    elif found.parted is not None:
        lines.append("no record before that is in both")
    if found.parted is not None:
        lines += _parting(found.parted, two=two)
    return "\n".join(lines)


_RELATION = {
    "same": "both hold the same records",
    "lacking": "what both hold is the same, and one has records that the other has not",
    "parted": "they are not copies of the same log any more: from a record on, they say different things",
}


def _two_logs(found: Comparison) -> bool:
    return found.a.log is not None and found.b.log is not None and found.a.log != found.b.log


def _verdict(found: Comparison, name: str) -> str:
    return (found.a if name == "a" else found.b).verdict or ""


def _side(side: Side) -> str:
    if side.first_seq is None:
        return f"{_one_line(side.path)}, no record"
    judged = "" if side.verdict is None else f", {side.verdict}"
    return f"{_one_line(side.path)}, seq {side.first_seq} to {side.last_seq}{judged}"


def _ranges(ranges: Ranges) -> str:
    shown = ", ".join(f"{low}" if low == high else f"{low} to {high}" for low, high in ranges[:_RANGES])
    count = sum(high - low + 1 for low, high in ranges)
    more = f" and {len(ranges) - _RANGES} ranges more" if len(ranges) > _RANGES else ""
    return f"seq {shown}{more} ({count:,} record{'s' * (count != 1)})"


def _purged(side: Side, lacks: Ranges) -> str:
    through = side.purged_through
    if through is None or lacks[0][0] > through:
        return ""
    return f"; up to seq {through} it was purged, as it says itself"


def _parting(parted: Parting, *, two: bool) -> list[str]:
    where = f"seq {parted.seq}" if parted.until == parted.seq else f"somewhere from seq {parted.seq} to {parted.until}"
    lines = [f"they part at {where}"]
    lines += [f"  {name}: {_place(place)}" for name, place in (("a", parted.a), ("b", parted.b))]
    for place, name in ((parted.a, "a"), (parted.b, "b")):
        if place is not None:
            lines.append(f"  {name} says: {_short(place.text)}")
    for each in parted.differences:
        if each.only is not None:
            value = each.a if each.only == "a" else each.b
            lines.append(f"  {_one_line(each.member)}: only in {each.only}: {_value(value)}")
        else:
            lines.append(f"  {_one_line(each.member)}: {_value(each.a)} in a, {_value(each.b)} in b")
    if not two:
        lines.append(f"  {_meaning(parted)}")
    return lines


def _meaning(parted: Parting) -> str:
    if parted.until != parted.seq:
        return "The manifest knows the digest and the last record of each file only: a copy tells which record it is."
    if parted.a is None or parted.b is None:
        return "One of the two has no such line there: look at what verification says of it."
    if parted.a.whole and parted.b.whole:
        if parted.meet_again:
            return f"Both lines are whole, and at seq {parted.meet_again} the two are alike again: lines were put in."
        return "Both lines are whole: one side was written anew from here on, or two writers went on from one record."
    if not parted.a.whole and not parted.b.whole:
        return "Neither line agrees with its own hash."
    which = "a" if parted.b.whole else "b"
    then = f"; what follows is alike again (seq {parted.meet_again})" if parted.meet_again else ""
    return f"The line of {which} does not agree with its own hash, the other does: {which} was changed{then}."


def _place(place: Place | None) -> str:
    if place is None:
        return "no such line"
    hash_is = "" if place.hash is None else f", hash {_one_line(place.hash)}"
    when = _one_line(place.ts or "no ts")
    return f"{_one_line(place.segment)}, line {place.line}, byte {place.offset}, {when}{hash_is}"


def _value(value: object) -> str:
    return _short(orjson.dumps(value).decode())


def _short(words: str) -> str:
    return _one_line(words if len(words) <= _LONG else f"{words[:_LONG]}… ({len(words):,} characters)")


def _one_line(words: str) -> str:
    return words.replace("\n", "\\n").replace("\r", "\\r")
