"""`verify_stream`: a stream of records is checked as it comes; at its end a report says what it holds and lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from jsonl_audit.receive.feeding import parts_of
from jsonl_audit.receive.gaps import GapWatch, spelled
from jsonl_audit.receive.runs import Run, parting
from jsonl_audit.receive.stream import StreamCheck
from jsonl_audit.receive.told import EXIT, VERDICTS, StreamFinding

__all__ = ["StreamLog", "StreamReport", "judged", "verify_stream"]


@dataclass(frozen=True, slots=True)
class StreamLog:
    """What a stream holds of one log."""

    log: str | None
    """Its UUID; None where no header has come that says it."""
    records: int
    first_seq: int
    last_seq: int
    head: str
    """Hash of the last record. Kept elsewhere, it is an anchor."""
    gaps: tuple[tuple[int, int], ...]
    """First and last seq of what is missing between them."""

    def to_dict(self) -> dict[str, Any]:
        """The members that ``verify --stdin --json`` shows."""
        shown = {name: getattr(self, name) for name in self.__slots__}
        return {**shown, "gaps": [list(gap) for gap in self.gaps]}


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What a stream of records came to. ``str(report)`` is for a person, `to_dict` for a program."""

    verdict: str
    """`intact`, `torn`, `empty`, `incomplete`, `forked` or `tampered`."""
    lines: int
    """How many were read."""
    records: int
    """How many different ones came whole."""
    doubles: int
    """How many came again."""
    logs: tuple[StreamLog, ...]
    findings: tuple[StreamFinding, ...]
    """The first thousand."""
    counts: dict[str, int]
    """How many of each kind."""

    @property
    def exit_code(self) -> int:
        """The exit status that it has on the command line."""
        return EXIT[self.verdict]

    @property
    def ok(self) -> bool:
        """Whether the exit status is 0."""
        return self.exit_code == 0

    def to_dict(self) -> dict[str, Any]:
        """The last object that ``verify --stdin --json`` prints."""
        shown = {name: getattr(self, name) for name in self.__slots__}
        shown["logs"] = [log.to_dict() for log in self.logs]
        shown["findings"] = [finding.to_dict() for finding in self.findings]
        return shown

    def __str__(self) -> str:
        again = f", {self.doubles:,} came again" if self.doubles else ""
        many = f"{self.lines:,} line{'s' * (self.lines != 1)}, {self.records:,} record{'s' * (self.records != 1)}"
        lines = [f"{self.verdict}: {many}{again}"]
        for log in self.logs:
            name = f"log {log.log}" if log.log is not None else "a log of which no header came"
            span = spelled(log.first_seq, log.last_seq)
            lines.append(f"  {name}: {log.records:,} records, {span}, head {log.head}")
            lines += [f"    missing: {spelled(first, last)}" for first, last in log.gaps[:10]]
            if len(log.gaps) > 10:
                lines.append(f"    and {len(log.gaps) - 10} gaps more")
        told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.counts.items()))
        return "\n".join([*lines, f"  {told}"] if told else lines)


def verify_stream(
    lines: Iterable[bytes | str],
    *,
    field: str | None = None,
    tell: Callable[[StreamFinding], None] | None = None,
    patience: float = 10.0,
) -> StreamReport:
    """Checks a stream of records by their seqs, links and hashes: gaps, doubles, reordering, changed lines, forks.

    Records may come in any order, from several logs, wrapped in JSON or behind other words. Nothing is written, and
    memory does not grow with the stream: what is remembered are the ends of what goes on from each other without a gap.

    :param lines: an open binary file, or the lines one by one, with or without LF.
    :param field: where a JSON wrapper holds the line, ``a.b`` for nested members; every text in it by default.
    :param tell: called with each finding as it comes.
    :param patience: seconds that a gap may be open before it is told.

    >>> import tempfile, pathlib
    >>> from jsonl_audit import AuditLog
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "audit.jsonl"
    >>> with AuditLog(path) as log:
    ...     receipts = [log.append("exec.completed", details={"n": n}) for n in range(3)]
    >>> first, second, third, fourth = path.read_bytes().splitlines()
    >>> verify_stream([first, third, second, second, fourth]).verdict
    'intact'
    >>> report = verify_stream([first, second, fourth])
    >>> report.verdict, report.logs[0].gaps
    ('incomplete', ((3, 3),))
    >>> verify_stream([first, second.replace(b"exec", b"exex"), third, fourth]).verdict
    'tampered'
    """
    check = StreamCheck(field=field, tell=tell)
    watch = GapWatch(check.gaps, check.told, patience)
    for some in parts_of(lines):
        if isinstance(some, bytes):
            check.feed(some)
        else:
            check.take(some)
        watch.look()
    return judged(check, watch)


def judged(check: StreamCheck, watch: GapWatch) -> StreamReport:
    """The report at the end of a stream."""
    check.finish()
    logs, again = [], 0
    groups = list(check.groups())
    for log, runs in groups:
        again += _compared(check, log, runs, alone=log is not None or len(groups) == 1)
    watch.look(ended=True)
    for log, runs in check.groups():
        if runs:
            logs.append(_log_of(check, log, runs))
    records = check.records - again
    verdicts = {check.told.verdict(records, without=("gap",))}
    if any(log.gaps for log in logs) or check.holes:
        verdicts.add("incomplete")
    return StreamReport(
        verdict=max(verdicts, key=VERDICTS.index),
        lines=check.lines,
        records=records,
        doubles=check.doubles + again,
        logs=tuple(logs),
        findings=tuple(check.told.kept),
        counts=dict(check.told.counts),
    )


def _compared(check: StreamCheck, log: str | None, runs: list[Run], *, alone: bool) -> int:
    """Says how the runs of one log lie to each other; how many of their records came before. Those are taken out."""
    again, longest = 0, None
    for run in sorted(runs, key=lambda run: (run.first_seq, -run.last_seq)):
        if longest is None or run.first_seq > longest.last_seq + 1:
            longest = run
            continue
        span = spelled(run.first_seq, run.last_seq)
        where = {"log": log, "first_seq": run.first_seq, "last_seq": run.last_seq}
        if run.first_seq == longest.last_seq + 1:
            if alone:
                what = f"seq {run.first_seq} does not go on from seq {longest.last_seq}: its prev is another hash"
                check.told.say("chain-broken", what, expected=longest.last, actual=run.first_prev, **where)
            else:
                check.told.say("unattached", f"{span} can be tied to no other record that came", **where)
            longest = run
            continue
        if run.unfinished and check.taken(run.first_prev):
            check.told.say("voided", f"{span}: a batch that was not finished; its seqs were taken again", **where)
            check.records -= run.count
            check.runs.remove(run)
            continue
        if run.forked:
            longest = run if run.last_seq > longest.last_seq else longest
            continue
        same, other = parting(longest, run)
        if other is not None:
            since = f"behind seq {same}" if same is not None else f"at or before seq {other}"
            check.told.say("fork", f"two histories of one log, which part {since}", **where)
        elif same is not None or alone:
            again += run.count
            check.runs.remove(run)
            if same is None or same < min(run.last_seq, longest.last_seq):
                first = run.first_seq if same is None else same + 1
                what = f"{spelled(first, run.last_seq)} came again, too late to be compared with what came before"
                check.told.say("not-compared", what, log=log, first_seq=first, last_seq=run.last_seq)
            continue
        else:
            check.told.say("unattached", f"{span} can be tied to no other record that came", **where)
        if run.last_seq > longest.last_seq:
            longest = run
    return again


def _log_of(check: StreamCheck, log: str | None, runs: list[Run]) -> StreamLog:
    first = min(runs, key=lambda run: run.first_seq)
    last = max(runs, key=lambda run: run.last_seq)
    if first.first_seq > 1 and first.first_seq != first.floor + 1:
        what = f"what was before seq {first.first_seq} did not come"
        check.told.say("begins-late", what, log=log, first_seq=1, last_seq=first.first_seq - 1)
    if last.batch is not None:
        what = "the stream ends within a batch, which does not count until its last record has come"
        check.told.say("torn-tail", what, log=log, first_seq=last.batch_prev[1] + 1, last_seq=last.last_seq)
    gaps, due = [], first.first_seq
    for run in sorted(runs, key=lambda run: run.first_seq):
        if run.first_seq > due:
            gaps.append((due, run.first_seq - 1))
        due = max(due, run.last_seq + 1)
    count = sum(run.count for run in runs)
    return StreamLog(log, count, first.first_seq, last.last_seq, last.last, tuple(gaps))
