"""One of the two that are compared: the records that are here, and where they lie."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from jsonl_audit import manifest, record, storage
from jsonl_audit.comparison.outcome import Ranges, Side
from jsonl_audit.manifest import Manifest
from jsonl_audit.verifier.checked import Checked
from jsonl_audit.verifier.gather import gather
from jsonl_audit.verifier.judge import judge
from jsonl_audit.verifier.pieces import tail_of
from jsonl_audit.verifier.work import Work

__all__ = ["Given", "Held", "Stretch", "held", "manifest_of", "union", "without"]

Given = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Manifest


@dataclass(frozen=True, slots=True)
class Stretch:
    """The records of one segment: whole ones, and lines that were changed, which count where a record stood."""

    checked: Checked
    low: int
    high: int
    """Its first and last seq."""
    stop: int
    """Where in its content the last of them ends."""

    @classmethod
    def of(cls, checked: Checked) -> Stretch | None:
        """Those of a segment that was checked; None where it has no whole record."""
        first, last = checked.first, checked.last
        if first is None or last is None:
            return None
        stop = checked.end
        if checked.gap.lines:
            with checked.file.open() as content:
                stop = content.size - len(tail_of(content))
        return cls(checked, max(1, first.seq - checked.first_gap.lines), last.seq + checked.gap.lines, stop)


@dataclass(frozen=True, slots=True)
class Held:
    """The records of a log, while its files are at hand."""

    side: Side
    here: Ranges
    """The seqs of the records, oldest first."""
    chain: tuple[Stretch, ...] = ()
    manifest: Manifest | None = None


def manifest_of(given: Given) -> Manifest | None:
    """The manifest that was given, itself or as a file; None where files of a log were. Raises as `manifest.load`."""
    if isinstance(given, Manifest):
        return given
    if not isinstance(given, (str, os.PathLike)):
        return None
    path = os.path.expanduser(os.fsdecode(given))
    try:
        with storage.reading(path) as fd:
            begin = storage.read(fd, 0, 64)
    except (OSError, ValueError):
        return None  # whoever opens it says why that cannot be
    if not begin.lstrip().startswith(b"{") or record.HEAD.match(begin) or b'"manifest"' not in begin:
        return None
    return manifest.load(path)


def of_manifest(given: Given, made: Manifest) -> Held:
    """What a manifest says is there."""
    path = "a manifest" if isinstance(given, Manifest) else os.fsdecode(given)  # type: ignore[arg-type]
    side = Side(path, None, made.log, made.first_seq, made.last_seq, made.head)
    ranges = [
        (entry.first_seq, entry.last_seq)
        for entry in made.files
        if entry.first_seq is not None and entry.last_seq is not None
    ]
    return Held(side, union(ranges), manifest=made)


@contextmanager
def held(given: Given, work: Work) -> Iterator[Held]:
    """The records of a log path, of all files in a folder, of a list of files, or what a manifest says of them.

    Raises as `verify` with ``copy=True`` does, and Vanished.
    """
    made = manifest_of(given)
    if made is not None:
        yield of_manifest(given, made)
        return
    assert not isinstance(given, Manifest)
    with gather(given) as collected:
        report = judge(collected, work)
        found = map(Stretch.of, collected.chain)
        chain = tuple(stretch for stretch in found if stretch is not None)
        log = next((each.header.log for each in collected.chain if each.header is not None), None)
        purged = None if collected.floor is None else collected.floor.last_seq
        side = Side(report.path, report.verdict, log, report.first_seq, report.last_seq, report.head, purged)
        here = union((stretch.low, stretch.high) for stretch in chain)
        yield Held(side, without(here, _missing(collected.chain)), chain)


def _missing(chain: Sequence[Checked]) -> Ranges:
    """The seqs that are missing within segments."""
    gaps = [
        (finding.expected, finding.actual - 1)
        for checked in chain
        for finding in checked.findings
        if finding.kind == "records-missing" and type(finding.expected) is int and type(finding.actual) is int
    ]
    return tuple((low, high) for low, high in gaps if low <= high)


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The ranges in their order, those that touch made one.

    >>> union([(4, 6), (1, 3), (9, 9), (5, 5)])
    ((1, 6), (9, 9))
    """
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], high)
        else:
            found.append((low, high))
    return tuple(found)


def without(ranges: Ranges, others: Ranges) -> Ranges:
    """What of the ranges is in none of the others.

    >>> without(((1, 10), (20, 30)), ((3, 4), (8, 22)))
    ((1, 2), (5, 7), (23, 30))
    """
    left = [*ranges]
    for low, high in others:
        left = [
            part
            for first, last in left
            for part in ((first, min(last, low - 1)), (max(first, high + 1), last))
            if part[0] <= part[1]
        ]
    return tuple(left)
