"""The segments of a log along its seqs and along time: which are here, damaged, torn, purged or missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jsonl_audit import instants
from jsonl_audit.report.facts import Examined
from jsonl_audit.report.history import Event
from jsonl_audit.verifier import Finding

__all__ = ["Place", "Span", "places", "spans"]


class Span(NamedTuple):
    """One segment, or several that are not here. Times are microseconds since 1970."""

    state: str
    """``"whole"``, ``"damaged"``, ``"torn"``, ``"missing"`` or ``"purged"``."""
    segment: int
    last_segment: int
    first_seq: int
    last_seq: int
    since: int
    until: int
    file: int | None = None
    """Its number among the files; None where it is not here."""
    findings: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The members that the report shows."""
        told = self._asdict()
        return {**told, "since": instants.text(self.since), "until": instants.text(self.until)}


class Place(NamedTuple):
    """Something that is drawn at one seq and one time."""

    kind: str
    seq: int
    time: int
    text: str


def spans(files: Sequence[Examined], findings: Iterable[Finding]) -> list[Span]:
    """The segments in their order; of several files with one number, that with most records."""
    chosen: dict[int, Examined] = {}
    for each in files:
        if each.segment is not None and each.header is not None:
            other = chosen.get(each.segment)
            if other is None or (each.last_seq or 0, each.role == "sealed") > (other.last_seq or 0, False):
                chosen[each.segment] = each
    counts: Counter[int] = Counter()
    torn: set[int] = set()
    where = _Where(files)
    for finding in findings:
        there = where(finding)
        if there is not None and finding.kind not in _NOT_IN_IT:
            counts[there.number] += 1
        elif there is not None and finding.kind == "torn-tail":
            torn.add(there.number)
    drawn: list[Span] = []
    for number in sorted(chosen):
        each, after = chosen[number], chosen.get(number + 1)
        drawn += _before(drawn[-1] if drawn else None, each)
        drawn.append(_span(each, after, counts[each.number], torn=each.number in torn))
    return drawn


_NOT_IN_IT = ("segment-missing", "torn-tail", "artifact-missing", "artifact-altered")


class _Where:
    """In which segment a finding is, also where that was put together from parts of files."""

    def __init__(self, files: Sequence[Examined]) -> None:
        self._names = {each.number: each.name.rpartition("/")[2] for each in files}
        self._whole = {self._names[each.number]: each for each in reversed(files) if not each.parts}
        self._joined = [(part, each) for each in files for part in each.parts]

    def __call__(self, finding: Finding) -> Examined | None:
        """The segment, or the file; None where a finding names none."""
        for (number, start, stop), each in self._joined:
            if self._names[number] == finding.segment and start <= (finding.offset or 0) < max(stop, start + 1):
                return each
        return self._whole.get(finding.segment or "")


def _span(each: Examined, after: Examined | None, count: int, *, torn: bool) -> Span:
    header = each.header
    assert header is not None
    said = after.header.previous if after is not None and after.header is not None else None
    last_seq = each.last_seq if each.last_seq is not None else said.last_seq if said is not None else header.seq
    last_ts = each.last_ts or (said.time[1] if said is not None else header.ts)
    state = "damaged" if count else "torn" if torn else "whole"
    since = micros(header.ts)
    until = max(since, micros(last_ts))
    return Span(state, header.segment, header.segment, header.seq, max(header.seq, last_seq), since, until,
                each.number, count)  # fmt: skip


def _before(last: Span | None, each: Examined) -> list[Span]:
    """What should stand before a segment and is not here: purged, or missing."""
    header = each.header
    assert header is not None
    due = 1 if last is None else last.last_segment + 1
    if header.segment <= due or header.seq <= 1:
        return []
    first_seq = 1 if last is None else last.last_seq + 1
    until = micros(header.ts)
    previous = header.previous
    since = until if last is None else last.until
    if previous is not None and header.segment == due + 1:
        since = min(micros(previous.time[0]), until)
    purged = last is None and header.purged is not None and header.purged.segment >= header.segment - 1
    state = "purged" if purged else "missing"
    return [Span(state, due, header.segment - 1, first_seq, header.seq - 1, since, until)]


def places(
    drawn: Sequence[Span], files: Sequence[Examined], findings: Iterable[Finding], events: Iterable[Event]
) -> list[Place]:
    """Findings and events, each at a seq and a time; a place that has none is put in by its byte in the file."""
    by_file = {span.file: span for span in drawn if span.file is not None}
    where = _Where(files)
    found = []
    for finding in findings:
        each = where(finding)
        span = None if each is None else by_file.get(each.number)
        if each is None or span is None or finding.kind == "segment-missing":
            continue
        seq, share = finding.seq, 0.0
        if finding.offset is not None and each.content_bytes and not each.parts:
            share = min(1.0, finding.offset / each.content_bytes)
        elif seq is not None and span.last_seq > span.first_seq:
            share = min(1.0, max(0.0, (seq - span.first_seq) / (span.last_seq - span.first_seq)))
        if seq is None or not span.first_seq <= seq <= span.last_seq:
            seq = span.first_seq + round(share * (span.last_seq - span.first_seq))
        kind = "torn" if finding.kind == "torn-tail" else "finding"
        found.append(Place(kind, seq, span.since + round(share * (span.until - span.since)), finding.kind))
    found += [Place(event.kind, event.seq, micros(event.ts), event.text) for event in events]
    return found


def micros(text: str) -> int:
    """A time in a log, which may be damaged, as microseconds; 0 where it is none."""
    return instants.micros(text) if instants.is_instant(text) else 0
