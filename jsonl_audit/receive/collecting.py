"""`collect`: a stream of records into a directory, with the gaps told while they are open, and a report at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jsonl_audit.receive.collector import Collector
from jsonl_audit.receive.feeding import parts_of
from jsonl_audit.receive.gaps import GapWatch, spelled
from jsonl_audit.receive.gathered import Gathered
from jsonl_audit.receive.told import EXIT, VERDICTS, StreamFinding, Telling
from jsonl_audit.verifier import Report, verify

__all__ = ["Collected", "CollectedLog", "all_gaps", "collect", "report_of"]

_EXACT = 200_000
"""Of so many waiting records the missing seqs between them are listed one by one."""


@dataclass(frozen=True, slots=True)
class CollectedLog:
    """One log in a directory that is collected into."""

    log: str
    """Its UUID."""
    path: str
    """Its newest segment; the others lie beside it."""
    segments: int
    """How many are here, whole or not."""
    whole: int
    """How many of them are whole, by what the next one's header says."""
    first_seq: int | None
    last_seq: int | None
    head: str | None
    """Hash of the last record of the newest segment."""
    gaps: tuple[tuple[int, int], ...]
    """First and last seq of what is known to be missing."""
    report: Report | None
    """What `verify` says of it; None where it was not asked."""

    def to_dict(self) -> dict[str, Any]:
        """The members that ``collect --json`` shows."""
        shown = {name: getattr(self, name) for name in self.__slots__}
        shown["gaps"] = [list(gap) for gap in self.gaps]
        shown["report"] = None if self.report is None else self.report.to_dict()
        return shown


@dataclass(frozen=True, slots=True)
class Collected:
    """What collecting came to. ``str(collected)`` is for a person, `to_dict` for a program."""

    verdict: str
    """`intact`, `torn`, `empty`, `incomplete`, `forked` or `tampered`: the worst of stream and files."""
    directory: str
    records: int
    """How many were put where they belong, in this run."""
    doubles: int
    """How many came again."""
    waiting: int
    """How many wait on disk for one that has not come."""
    lines: int
    """How many lines were read."""
    logs: tuple[CollectedLog, ...]
    findings: tuple[StreamFinding, ...]
    """The first thousand."""
    counts: dict[str, int]
    """How many of each kind."""
    aside: str
    """The file of lines that are no whole record."""
    forks: str | None
    """The file of records of a second history; None where there never was one. Once it is looked at, move it away."""

    @property
    def exit_code(self) -> int:
        """The exit status that it has on the command line."""
        return EXIT[self.verdict]

    @property
    def ok(self) -> bool:
        """Whether the exit status is 0."""
        return self.exit_code == 0

    def to_dict(self) -> dict[str, Any]:
        """The last object that ``collect --json`` prints."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name not in ("logs", "findings")}
        shown["logs"] = [log.to_dict() for log in self.logs]
        shown["findings"] = [finding.to_dict() for finding in self.findings]
        return shown

    def __str__(self) -> str:
        words = [f"{self.verdict}: {_many(self.lines, 'line')}, {_many(self.records, 'record')} put where they belong"]
        if self.doubles:
            words.append(f", {self.doubles:,} came again")
        if self.waiting:
            words.append(f", {self.waiting:,} wait for others")
        lines = ["".join(words)]
        for log in self.logs:
            seqs = f"seq {log.first_seq} to {log.last_seq}" if log.first_seq is not None else "no record"
            told = f", {log.report.verdict}" if log.report is not None else ""
            many = "s" * (log.segments != 1)
            lines.append(f"  {log.path}: {log.segments} segment{many}, {log.whole} of them whole, {seqs}{told}")
            lines += [f"    missing: {spelled(first, last)}" for first, last in log.gaps[:10]]
            if len(log.gaps) > 10:
                lines.append(f"    and {len(log.gaps) - 10} gaps more")
        aside = {kind: count for kind, count in self.counts.items() if kind not in ("gap", "gap-closed")}
        if aside:
            told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(aside.items()))
            lines.append(f"  {told}: see {self.aside}")
        if self.forks is not None:
            lines.append(f"  two histories of one log came, now or earlier: look at {self.forks}, then move it away")
        return "\n".join(lines)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def collect(
    lines: Iterable[bytes | str],
    directory: str | os.PathLike[str],
    *,
    field: str | None = None,
    tell: Callable[[StreamFinding], None] | None = None,
    patience: float = 10.0,
    check: bool = True,
) -> Collected:
    """Puts records back into the segments that they were committed to, whatever order they come in.

    Each log of the stream gets a folder of its own, ``DIRECTORY/<uuid of the log>``, with the names that the files have
    at the source. Records may come doubled, reordered, wrapped in JSON or behind other words, and in several runs: each
    goes on from what lies there. What waits for another record, and what is no whole record, lies in
    ``DIRECTORY/.collect``.

    :param lines: an open binary file, or the lines one by one, with or without LF.
    :param directory: made if it is not there. One collector at a time may have it.
    :param field: where a JSON wrapper holds the line, ``a.b`` for nested members; every text in it by default.
    :param tell: called with each finding as it comes.
    :param patience: seconds that a gap may be open before it is told.
    :param check: whether to verify each log at the end.

    Raises :class:`~jsonl_audit.LockedError` where another collector has the directory,
    :class:`~jsonl_audit.LogError` where something else lies in it, :class:`~jsonl_audit.StorageError` where the system
    refuses.

    >>> import tempfile, pathlib
    >>> from jsonl_audit import AuditLog
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with AuditLog(folder / "audit.jsonl") as log:
    ...     receipts = [log.append("exec.completed", details={"n": n}) for n in range(3)]
    >>> lines = (folder / "audit.jsonl").read_bytes().splitlines()
    >>> collected = collect(reversed(lines), folder / "received")
    >>> collected.verdict, collected.records, collected.logs[0].last_seq
    ('intact', 4, 4)
    >>> pathlib.Path(collected.logs[0].path).read_bytes() == (folder / "audit.jsonl").read_bytes()
    True
    """
    with Collector(directory, field=field, tell=tell) as collector:
        watch = GapWatch(lambda: all_gaps(collector), collector.told, patience)
        for some in parts_of(lines):
            if isinstance(some, bytes):
                collector.feed(some)
            else:
                collector.take(some)
            watch.look()
        collector.finish()
        watch.look(ended=True)
        return report_of(collector, check=check)


def gaps_of(collector: Collector, log: Gathered) -> list[tuple[int, int]]:
    """The seqs of a log that are known to be missing, and do not wait either."""
    waiting, found = collector.waiting, log.gaps()
    if not len(waiting):
        return found
    newest = log.strands.get(log.newest)
    if newest is not None and len(collector.logs) == 1:
        above = waiting.first_from(newest.last_seq + 1)
        if above is not None and above > newest.last_seq + 1:
            found.append((newest.last_seq + 1, above - 1))
    if len(waiting) > _EXACT:
        return found
    seqs = sorted(waiting.seqs())
    narrow = []
    for first, last in found:
        due = first
        for seq in _within(seqs, first, last):
            if seq > due:
                narrow.append((due, seq - 1))
            due = max(due, seq + 1)
        if due <= last:
            narrow.append((due, last))
    if newest is not None and len(collector.logs) == 1:  # behind the first gap of the newest segment others may follow
        due = max((last for _, last in found), default=newest.last_seq) + 1
        for seq in _within(seqs, due, seqs[-1]):
            if seq > due:
                narrow.append((due, seq - 1))
            due = max(due, seq + 1)
    return narrow


def all_gaps(collector: Collector) -> Iterator[tuple[str | None, int, int]]:
    """What is known to be missing, by log."""
    for log in collector.logs.values():
        for first, last in gaps_of(collector, log):
            yield log.log, first, last


def _within(seqs: list[int], first: int, last: int) -> list[int]:
    from bisect import bisect_left, bisect_right

    return seqs[bisect_left(seqs, first) : bisect_right(seqs, last)]


def report_of(collector: Collector, *, check: bool) -> Collected:
    """What collecting came to so far."""
    telling: Telling = collector.told
    for gathered in collector.logs.values():
        for strand in gathered.without_end():
            what = f"segment {strand.number}: all its records are here, and not what a crash left behind them"
            telling.say("torn-not-here", what, log=strand.log, segment=strand.number)
    logs = [_log_of(collector, log, check=check) for log in collector.logs.values()]
    verdicts = {telling.verdict(sum(log.segments for log in logs), without=("gap",))}
    verdicts |= {
        "intact" if _but_for_ends(log.report, collector.logs[log.log]) else log.report.verdict
        for log in logs
        if log.report is not None
    }
    waiting = collector.waiting.exact()
    if waiting and not any(log.gaps for log in logs):
        what = f"{waiting:,} record{'s' * (waiting != 1)} wait for others of which nothing has come"
        telling.say("unattached", what)
    if any(log.gaps for log in logs) or waiting:
        verdicts.add("incomplete")
    if collector.forks:
        verdicts.add("forked")
    return Collected(
        verdict=max(verdicts, key=VERDICTS.index),
        directory=collector.directory,
        records=collector.records,
        doubles=collector.doubles + collector.waiting.doubles,
        waiting=waiting,
        lines=collector.input_lines,
        logs=tuple(logs),
        findings=tuple(telling.kept),
        counts=dict(telling.counts),
        aside=collector.aside.path,
        forks=collector.forks.path if collector.forks else None,
    )


def _but_for_ends(report: Report, log: Gathered) -> bool:
    """Whether nothing is missing but what crashes left, of which no record counts and shippers pass over the end."""
    names = {os.path.basename(strand.path) for strand in log.without_end()}
    found = {(finding.kind, finding.segment in names) for finding in report.findings}
    return report.verdict == "incomplete" and found == {("segment-unfinished", True)}


def _verified(log: Gathered) -> Report:
    """What is to be said of the files of a log; that the end which a crash left did not arrive is no damage."""
    report = verify(log.names.path)
    return report if report.ok else verify(log.folder, copy=True)


def _log_of(collector: Collector, log: Gathered, *, check: bool) -> CollectedLog:
    spans = list(log.spans())
    newest = log.strands.get(log.newest)
    return CollectedLog(
        log=log.log,
        path=log.names.path,
        segments=len(spans),
        whole=len(log.whole),
        first_seq=spans[0][0] if spans else None,
        last_seq=max(last for _, last, _ in spans) if spans else None,
        head=newest.tip.decode() if newest is not None else None,
        gaps=tuple(gaps_of(collector, log)),
        report=_verified(log) if check and spans else None,
    )
