"""A log as a list in memory: what was given to it, what its callers know of that, and what it has to show.

The list is what the files were seen to hold, read back without the code under test. `look` takes what they hold now,
and fails where that cannot have come of what was there before and of what was given since.
"""

from __future__ import annotations

import contextlib
import fnmatch
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from disk import chain_of, sealed_names

from jsonl_audit import Receipt, instants

__all__ = ["Model", "committed", "effective", "fits"]

Record = dict[str, Any]


class Model:
    """The list, and what is known of its end."""

    def __init__(self) -> None:
        self.given: dict[int, Mapping[str, Any]] = {}
        """The events, by number."""
        self.groups: dict[int, tuple[int, ...]] = {}
        """Of each number all those that were given in one batch with it."""
        self.receipts: dict[int, Receipt] = {}
        """What was acknowledged."""
        self.maybe: dict[int, Receipt | None] = {}
        """What was attempted; without a receipt where the program died over it."""
        self.records: list[Record] = []
        """All that was ever committed and not taken back, by seq from 1 on, purged or not."""
        self.first = 1
        """seq of the first that was not purged."""
        self.certain = 0
        """The highest seq that is promised to outlive a power cut."""
        self.removed: dict[int, Record] = {}
        """By seq: what was purged, as it stood there; some of it came and went between two looks."""
        self.purges = False
        """Whether anybody was asked to purge."""
        self.to_tell: list[int] = []
        """seqs that were acknowledged and then lost with a failed sync: an audit.lost record is due."""
        self._numbers: itertools.count[int] = itertools.count()

    @property
    def here(self) -> list[Record]:
        """What is to be read."""
        return self.records[self.first - 1 :]

    @property
    def unpurged(self) -> list[Record]:
        """What is to be read of it, and was not purged by a program that died before it told the readers."""
        floors = [each["details"]["through"]["last_seq"] for each in self.here if each["type"] == "audit.purged"]
        return [record for record in self.here if record["seq"] > max(floors, default=0)]

    @property
    def last(self) -> int:
        """seq of the newest record; 0 for none."""
        return len(self.records)

    # -- what is given, and what is said of it

    def give(self, events: Iterable[Mapping[str, Any]], *, together: bool) -> list[dict[str, Any]]:
        """The events with a number each; `together`: all are there or none is."""
        numbered = [{**event, "n": next(self._numbers)} for event in events]
        numbers = tuple(event["n"] for event in numbered)
        for event in numbered:
            self.given[event["n"]] = event
            self.groups[event["n"]] = numbers if together else (event["n"],)
        return numbered

    def acknowledged(self, events: Iterable[Mapping[str, Any]], receipts: Iterable[Receipt]) -> None:
        """The log says that these are recorded."""
        self.receipts.update((event["n"], receipt) for event, receipt in zip(events, receipts, strict=False))

    def attempted(self, events: Iterable[Mapping[str, Any]], receipts: Iterable[Receipt | None]) -> None:
        """The log says that these may be recorded, or it did not come to say anything."""
        self.maybe.update((event["n"], receipt) for event, receipt in zip(events, receipts, strict=False))

    def purged(self, content: bytes) -> None:
        """A file with this content is removed."""
        for line in content.splitlines():
            with contextlib.suppress(ValueError):  # what stands behind its end
                record = json.loads(line)
                self.removed[record["seq"]] = record

    def promised(self, seq: int) -> None:
        """Whatever stands up to `seq` is on the disk."""
        self.certain = max(self.certain, seq)

    # -- what is there

    def look(self, seen: list[Record], *, may_lose: bool, power_cut: bool, clock: tuple[int, int]) -> list[Record]:
        """Takes what the files hold now. Returns what is new in it.

        `may_lose`: records that nobody promised to be on the disk may have gone, with a failed sync or in a power
        cut. `clock`: what it said, in microseconds, before and after whatever was done since the last look.
        """
        first = seen[0]["seq"] if seen else self.first
        seen = [self.removed[seq] for seq in range(self.last + 1, first)] + seen
        if first > self.first:
            assert self.purges, f"records up to {first - 1} are gone, and nobody purged"
            self.first = first
        assert first >= self.first or power_cut, f"records from {first} on are back, up to {self.first} all was purged"
        self.first = min(self.first, first)
        kept = begin = min(self.first - 1, self.last)
        seen = [record for record in seen if record["seq"] > begin]
        for own, record in zip(self.records[begin:], seen, strict=False):
            if own["hash"] != record["hash"]:
                break
            assert own == record
            kept += 1
        gone = self.records[kept:]
        if gone:
            which = f"records {kept + 1} to {self.last} are gone"
            assert may_lose, which
            assert kept >= self.certain, f"{which}, up to {self.certain} was promised to be on the disk"
            acknowledged = {receipt.hash for receipt in self.receipts.values()}
            self.to_tell += [record["seq"] for record in gone if record["hash"] in acknowledged]
        if power_cut:
            self.to_tell = []
        new = seen[kept - begin :]
        del self.records[kept:]
        last_n = max((record["n"] for record in self.records if "n" in record), default=-1)
        for record in new:
            if not record["type"].startswith("audit."):
                assert record["n"] > last_n, f"event {record['n']} stands behind event {last_n}"
                last_n = record["n"]
                self._as_given(record)
            if not power_cut:
                self._timed(record, clock)
            self._chained(record)
            self.records.append(record)
            if record["type"] == "audit.segment":
                self.promised(record["seq"] - 1)  # what it goes on from was synced before
        self._whole_groups(new)
        self._told()
        return new

    def must_be_there(self, receipts: Iterable[Receipt]) -> None:
        """What was just acknowledged is to be read at once."""
        for receipt in receipts:
            assert receipt.recorded
            assert receipt.seq <= self.last, f"seq {receipt.seq} was acknowledged, the log ends at {self.last}"
            record = self.records[receipt.seq - 1]
            own = Receipt(record["seq"], record["ts"], record["id"], record["hash"])
            assert receipt == own

    def _as_given(self, record: Record) -> None:
        number = record["n"]
        assert number in self.given, f"event {number} was never given"
        receipt = self.receipts.get(number) or self.maybe.get(number)
        assert number in self.receipts or number in self.maybe, f"event {number} was refused and is there"
        if receipt is not None:
            assert (receipt.seq, receipt.hash) == (record["seq"], record["hash"]), f"event {number}"
        event = dict(self.given[number])
        assert record["type"] == event.pop("type", "custom")
        if "id" in event:
            assert record["id"] == event.pop("id")
        if "timestamp" in event:
            assert record["time"] == instants.text(event.pop("timestamp") * 10**6)
        assert {name: record[name] for name in event} == event
        group = self.groups[number]
        batch = [group.index(number) + 1, len(group)] if len(group) > 1 else None
        assert record.get("batch") == batch

    def _whole_groups(self, new: list[Record]) -> None:
        there = {record["n"] for record in new if "n" in record}
        for number in there:
            assert there.issuperset(self.groups[number]), f"a part of the batch {self.groups[number]}"

    def _chained(self, record: Record) -> None:
        before = self.records[-1]["hash"] if self.records else "0" * 64
        assert (record["seq"], record["prev"]) == (self.last + 1, before)

    def _timed(self, record: Record, clock: tuple[int, int]) -> None:
        """`ts` is what the clock said, but never less than the one before; more than a second less is said."""
        before = instants.micros(self.records[-1]["ts"]) if self.records else 0
        ts, low, high = instants.micros(record["ts"]), *clock
        if "clock" in record:
            own = instants.micros(record["clock"])
            assert low <= own <= high
            assert own < before - 10**6
            assert ts == before
        elif ts == before:
            assert low <= before <= high + 10**6, "a clamped ts without a word"
        else:
            assert max(low, before) <= ts <= high

    def _told(self) -> None:
        """What was lost with a failed sync is told before the next event."""
        if not self.to_tell or not any("n" in record for record in self.records[self.to_tell[0] - 1 :]):
            return
        said = [record["details"] for record in self.here if record["type"] == "audit.lost"]
        for seq in self.to_tell:
            assert seq < self.first or any(
                each["first_seq"] <= seq <= each["last_seq"] for each in said
            ), f"seq {seq} was acknowledged and is lost, and no record says so: {said}"
        self.to_tell = []


def committed(files: Mapping[str, bytes], name: str, seen: list[Record]) -> None:
    """What a reader has seen is one whole chain in these files, and all that counts: read back by `chain_of`.

    A purge that did not come to its end may have left files behind, and what stands behind the last record does not
    count: a crash, or a failed call, left it.
    """
    contents = {sealed: files[sealed] for sealed in sealed_names(files, name)}
    for sealed in [each for each in contents if f"{each}.gz" in contents]:  # the power was cut while it was packed
        del contents[f"{sealed}.gz"]
    active = name if files.get(name) else f"{name}.next"
    if not seen:
        return
    end = f'"hash":"{seen[-1]["hash"]}"}}\n'.encode()
    contents[name] = files[active][: files[active].rfind(end) + len(end)]
    leftovers = [sealed for sealed in contents if sealed != name and _first_seq(contents[sealed]) < seen[0]["seq"]]
    for sealed in leftovers:
        del contents[sealed]
    found = chain_of(contents, name)
    assert not any(found.damage), found.damage
    assert found.records == seen


def _first_seq(content: bytes) -> int:
    return int(content[7 : content.index(b",")])


# -- what a reader has to find


def effective(record: Record) -> str:
    """When it happened, as far as it says."""
    return str(record.get("time", record["ts"]))


def fits(
    record: Record,
    *,
    type: str | None = None,  # noqa: A002 - the filter's name
    actor: str | None = None,
    where: Mapping[str, Any] | None = None,
    since: str | None = None,
    until: str | None = None,
    control: bool = False,
) -> bool:
    """Whether all filters let a record through."""
    kind = record["type"]
    if type is not None and not fnmatch.fnmatchcase(kind, type):
        return False
    if kind.startswith("audit.") and not control and not (type or "").startswith("audit."):
        return False
    if actor is not None and record.get("actor", {}).get("id") != actor:
        return False
    if where is not None and not all(_at(record, path) == value for path, value in where.items()):
        return False
    return (since is None or effective(record) >= since) and (until is None or effective(record) < until)


def _at(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record
