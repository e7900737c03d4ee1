"""A stream of records, checked by seq, prev and hash as it comes: in flat memory, for ever."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from jsonl_audit import record
from jsonl_audit.errors import NewerFormatError
from jsonl_audit.lines import Lines
from jsonl_audit.receive.arriving import Arrived, Opener
from jsonl_audit.receive.gaps import spelled
from jsonl_audit.receive.ordinary import TOGETHER, going_on
from jsonl_audit.receive.runs import Run, Runs
from jsonl_audit.receive.told import StreamFinding, Telling
from jsonl_audit.segment import Header, parse_header

__all__ = ["StreamCheck"]

_RECENT = 16_384
"""Hashes of the newest records that are remembered one by one, at least."""
_TAKEN = 4096
"""Headers of which it is remembered which record they go on from."""
_MOST = 40_000
"""Runs at once. When there are more, gaps between the oldest are taken to be for ever."""


class StreamCheck:
    """Checks a stream for as long as `feed` is called.

    :param field: where a JSON wrapper holds the line; by default every text in it is tried.
    :param tell: called with each finding as it comes.
    """

    def __init__(self, *, field: str | None = None, tell: Callable[[StreamFinding], None] | None = None) -> None:
        self.told = Telling(tell)
        self.runs = Runs()
        self.lines = self.records = self.doubles = self.holes = 0
        self._text = Lines()
        self._opener = Opener(field)
        self._recent: dict[str, bool] = {}
        self._before: dict[str, bool] = {}
        self._taken: dict[str, None] = {}
        self._closed: dict[str, None] = {}
        self._hot: Run | None = None

    # -- what arrives

    def feed(self, data: bytes) -> None:
        """The next bytes of the stream."""
        self.take(self._text.feed(data))

    def take(self, lines: list[bytes], *, ended: bool = True) -> None:
        """Lines, each with its LF; `ended` says that those LF came with them."""
        for at in range(0, len(lines), TOGETHER):
            some = lines[at : at + TOGETHER]
            if not self._ordinary(some):
                for line in some:
                    self.lines += 1
                    for arrived in self._opener.look(line, ended=ended):
                        self._one(arrived)

    def finish(self) -> None:
        """The stream ends here: what has no LF is looked at all the same."""
        rest = self._text.unfinished
        if rest:
            self._text = Lines()
            self.take([rest + b"\n"], ended=False)
        for arrived in self._opener.leave():
            self._one(arrived)

    def _ordinary(self, lines: list[bytes]) -> bool:
        """Takes the lines if each is what the run that grew last leads to; else takes none."""
        run = self._hot
        if run is None or run.batch is not None or self._opener.keeps or self.runs.ends.get(run.last) is not run:
            return False
        hashes = going_on(lines, run.last_seq, run.last, run.ts)
        if hashes is None or b"]" in [line[-151:-150] for line in lines]:
            return False
        last = run.last_seq + len(lines)
        if not self.runs.begins.keys().isdisjoint(hashes) or hashes[-1] in self.runs.ends:
            return False
        self.lines += len(lines)
        self.records += len(lines)
        del self.runs.ends[run.last]
        if last // run.stride > run.last_seq // run.stride:
            for seq, own in enumerate(hashes, run.last_seq + 1):
                run.point(seq, own)
        run.last_seq, run.last, run.count = last, hashes[-1], run.count + len(lines)
        run.ts = record.ts_of(lines[-1]).encode()
        self.runs.ends[run.last] = run
        self._recent.update(dict.fromkeys(hashes, False))
        if len(self._recent) > _RECENT:
            self._recent, self._before = {}, self._recent
        return True

    def _one(self, arrived: Arrived) -> None:
        if arrived.before:
            self._say("cut-line", "a line that was cut, with another one behind it")
        if arrived.kind != "record":
            self._say(arrived.kind, arrived.message)
            return
        line = arrived.line
        own, prev, seq = line[-67:-3].decode(), record.prev_of(line), record.seq_of(line)
        run = self.runs.ends.get(prev)
        if own in self._recent or own in self._before:
            self.doubles += 1
            if run is not None:  # what it goes on from is the record before one that is known: known, too
                self._again(run)
            return
        header = self._header(line)
        if header is not None:
            self._taken[prev] = None
            if len(self._taken) > _TAKEN:
                del self._taken[next(iter(self._taken))]
            run = run or self._rewound(prev)
        if run is None:
            run = self._begun(line, own, prev, seq, begins=header is not None)
        else:
            self._extend(run, line, own, seq)
        if run is not None:
            if header is not None:
                self._heard(run, header, seq)
            self._remember(own, void=False)
            self.records += 1
            self._hot = self._joined(run, own)
            if len(self.runs) > _MOST:
                self._close_gaps()

    def _header(self, line: bytes) -> Header | None:
        if record.type_of(line) != "audit.segment":
            return None
        try:
            return parse_header(line)
        except NewerFormatError as error:
            self._say("newer-format", str(error))
            return None

    def _extend(self, run: Run, line: bytes, own: str, seq: int) -> None:
        """A record that goes on from the last one of a run."""
        ts = record.ts_of(line).encode()
        self._linked(run, seq, ts)
        found, before = record.batch_of(line), run.batch
        if before is not None and found != (before[0] + 1, before[1]):
            self._say("malformed-line", f"a batch of {before[1]} breaks off after {before[0]}", run, seq)
        if found is not None and found[0] == 1:
            run.batch_prev = (run.last, run.last_seq, run.ts)
        run.batch = found if found is not None and found[0] < found[1] else None
        del self.runs.ends[run.last]
        run.last, run.last_seq, run.ts = own, seq, ts
        run.count += 1
        run.point(seq, own)
        self.runs.ends.setdefault(own, run)

    def _linked(self, run: Run, seq: int, ts: bytes) -> None:
        """What there is to say about a record, or a run, that goes on from a run by its prev."""
        if seq != run.last_seq + 1:
            self._say("chain-broken", "a wrong seq under a right prev", run, seq, expected=run.last_seq + 1, actual=seq)
        if ts < run.ts:
            self._say(
                "clock-backwards", "its ts lies before that of the record before it", run, seq,
                expected=run.ts.decode(), actual=ts.decode("ascii", "replace"),
            )  # fmt: skip

    def _begun(self, line: bytes, own: str, prev: str, seq: int, *, begins: bool) -> Run | None:
        """A record that goes on from none that a run ends with. None where it never happened, or came before."""
        if own in self.runs.ends:  # long ago
            self.doubles += 1
            return None
        found = record.batch_of(line)
        cut = found if found is not None and found[0] < found[1] else None
        known = self._recent.get(prev, self._before.get(prev))
        if cut is not None and (known or (known is not None and cut[0] == 1 and self.taken(prev))):
            self._never(own, seq)
            return None
        run = Run(seq, prev, own, record.ts_of(line).encode())
        run.point(seq, own)
        run.begins, run.first_batch, run.batch = begins, found, cut
        if cut is not None and cut[0] == 1:
            run.batch_prev = (prev, seq - 1, b"")
        if known is not None and prev not in self._closed:  # another record goes on from the same one
            self._fork(run)
        self.runs.add(run)
        return run

    def taken(self, prev: str) -> bool:
        """Whether a header goes on from the record with this hash: a batch that began there and has no end is void."""
        return prev in self._taken

    def _fork(self, run: Run) -> None:
        run.forked = True
        what = f"seq {run.first_seq} came twice, with different bytes: two histories of one log"
        self._say("fork", what, run, run.first_seq, actual=run.last if run.count == 1 else None)

    def _never(self, own: str, seq: int) -> None:
        """A record of a batch that has no end, where a header took its seq; with those that came before it and go on
        from it."""
        last = seq
        self._remember(own, void=True)
        for other in self.runs.behind(own):
            if not other.unfinished:
                self._fork(other)
                continue
            last = max(last, other.last_seq)
            self.records -= other.count
            self.runs.remove(other)
            self._remember(other.last, void=True)
        self._void(seq, last)

    def _joined(self, run: Run, own: str) -> Run:
        """The run whose last record came just now, with the one that goes on from it, if that is there already."""
        if self.runs.ends.get(own) is not run:  # it ends where another one does: all of it came before
            self._again(run)
            return self.runs.ends[own]
        others = sorted(self.runs.behind(own), key=lambda other: not other.begins)
        for other in others:
            if self.runs.ends.get(own) is not run:  # another one goes on from it by now
                if others[0].begins and other.unfinished:
                    self.records -= other.count
                    self.runs.remove(other)
                    self._remember(other.last, void=True)
                    self._void(other.first_seq, other.last_seq)
                else:
                    self._fork(other)
                continue
            self._linked(run, other.first_seq, other.first_ts)
            self.runs.remove(other)
            del self.runs.ends[own]
            run.join(other)
            self.runs.ends[run.last] = run
        return run

    def _rewound(self, prev: str) -> Run | None:
        """The run that ends with `prev` once what is behind that is void, since a new segment takes its place."""
        for run in self.runs.ends.values():
            if run.batch is not None and run.batch_prev[0] == prev:
                last, seq, ts = run.batch_prev
                break
        else:
            return None
        del self.runs.ends[run.last]
        self._remember(run.last, void=True)
        self._void(seq + 1, run.last_seq)
        if run.first_seq > seq:  # there is nothing before the batch
            self.runs.unbegin(run)
            self.records -= run.count
            return None
        run.count -= run.last_seq - seq
        self.records -= run.last_seq - seq
        run.points = {at: own for at, own in run.points.items() if at <= seq}
        run.last, run.last_seq, run.ts, run.batch = last, seq, ts or run.first_ts, None
        self.runs.ends[last] = run
        return run

    def _heard(self, run: Run, header: Header, seq: int) -> None:
        """What a header says of the run that it stands in."""
        if run.log is not None and run.log != header.log:
            what = "a header of another log goes on from this one"
            self._say("chain-broken", what, run, seq, expected=run.log, actual=header.log)
        run.log, run.segment = header.log, header.segment
        run.points[seq] = header.hash  # what a shipper sends again begins with a header most often
        if header.purged is not None:
            run.floor = header.purged.last_seq

    def _again(self, run: Run) -> None:
        """A run that turned out to be what had come before."""
        self.runs.remove(run)
        self.doubles += run.count
        self.records -= run.count

    def _void(self, first: int, last: int) -> None:
        self._say("voided", f"{spelled(first, last)}: a batch that was not finished; its seqs were taken again")

    def _close_gaps(self) -> None:
        """Joins the oldest runs over what is missing between them: memory is finite."""
        runs = self.runs.all()
        for one, other in itertools.pairwise(runs):
            if len(self.runs) <= _MOST // 2:
                break
            if one.log == other.log and other.first_seq > one.last_seq + 1:
                first, last = one.last_seq + 1, other.first_seq - 1
                self._say("gap", f"{spelled(first, last)} missing, and not waited for any more", one, first, last)
                self.holes += last - first + 1
                self._closed[one.last] = None
                if len(self._closed) > _MOST:
                    del self._closed[next(iter(self._closed))]
            else:
                what = f"{spelled(one.first_seq, one.last_seq)} can be tied to no other record that came"
                self._say("unattached", what, one, one.first_seq, one.last_seq)
                self.runs.remove(one)
                continue
            self.runs.remove(one)
            self.runs.unbegin(other)
            other.first_seq, other.first_prev, other.first_ts = one.first_seq, one.first_prev, one.first_ts
            other.count += one.count
            other.floor = one.floor or other.floor
            self.runs.begin(other)

    def _remember(self, own: str, *, void: bool) -> None:
        self._recent[own] = void
        if len(self._recent) > _RECENT:
            self._recent, self._before = {}, self._recent

    def _say(
        self,
        kind: str,
        message: str,
        run: Run | None = None,
        first: int | None = None,
        last: int | None = None,
        **values: object,
    ) -> None:
        self.told.say(
            kind, message, log=run.log if run else None, segment=run.segment if run else None, first_seq=first,
            last_seq=last if last is not None else first, line=self.lines or None, **values,
        )  # fmt: skip

    # -- what is missing

    def groups(self) -> Iterator[tuple[str | None, list[Run]]]:
        """The runs of each log, by seq. Where there is one log, runs of which no header was seen are taken for its."""
        runs = self.runs.all()
        logs = list(dict.fromkeys(run.log for run in runs if run.log is not None))
        only = logs[0] if len(logs) == 1 else None
        for log in logs or (None,):
            own = [run for run in runs if run.log == log or (run.log is None and log == only)]
            yield log, sorted(own, key=lambda run: run.first_seq)
        if len(logs) > 1 and any(run.log is None for run in runs):
            yield None, [run for run in runs if run.log is None]

    def gaps(self) -> Iterator[tuple[str | None, int, int]]:
        """What is missing between the records that came, by log: first and last seq."""
        for log, runs in self.groups():
            due = None
            for run in runs:
                if due is not None and run.first_seq > due:
                    yield log, due, run.first_seq - 1
                due = max(due or 0, run.last_seq + 1)
