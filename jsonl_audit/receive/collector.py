"""Puts records that arrive in any order, doubled, mixed, back into the segments that they were committed to.

A header begins a segment, and every other record goes on from exactly one: its `prev` is a hash. So a record is
appended when the one before it is there, and waits on disk until then. What the header of the next segment says of
the length and the digest of a segment decides when that is whole.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from jsonl_audit import record, storage
from jsonl_audit.errors import NewerFormatError, StorageError
from jsonl_audit.lines import Lines
from jsonl_audit.receive.arriving import Arrived, Opener
from jsonl_audit.receive.aside import Aside
from jsonl_audit.receive.ends import VOIDED, settle, unfinished
from jsonl_audit.receive.gaps import spelled
from jsonl_audit.receive.gathered import Gathered
from jsonl_audit.receive.ordinary import TOGETHER, going_on
from jsonl_audit.receive.place import Place
from jsonl_audit.receive.strand import Strand
from jsonl_audit.receive.told import StreamFinding, Telling
from jsonl_audit.receive.waiting import Waiting
from jsonl_audit.receive.written import Written
from jsonl_audit.segment import Header, parse_header

__all__ = ["Collector"]

FORK = ("fork", "came twice, with different bytes: two histories of one log")
_RECENT = 8192
_FORKS = 16
"""Records that were told twice, differently, that are remembered for one segment."""
_SYNC = 1.0


class Collector:
    """Collects records into a directory, a folder for each log, for as long as `feed` is called.

    :param directory: made if it is not there. One collector at a time may have it.
    :param field: where a JSON wrapper holds the line, `a.b` for nested members; by default every text in it is tried.
    :param tell: called with each finding as it comes.

    Raises LockedError where another collector has the directory, LogError where something else lies in it,
    StorageError where the system refuses.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        field: str | None = None,
        tell: Callable[[StreamFinding], None] | None = None,
    ) -> None:
        self._place = Place(directory)
        self.directory = self._place.directory
        self.told = Telling(tell)
        self.records = self.doubles = self.input_lines = 0
        self.logs: dict[str, Gathered] = {}
        self.tips: dict[bytes, Strand] = {}
        self._lines = Lines()
        self._opener = Opener(field)
        self._recent: dict[bytes, None] = {}
        self._before: dict[bytes, None] = {}
        self._written = Written()
        self._dead: dict[bytes, None] = {}
        self._hot: Strand | None = None
        self._dirty: set[Strand] = set()
        self._due = 0.0
        try:
            self._resume()
        except OSError as error:
            self._place.leave()
            raise StorageError.of(error, "cannot be collected into", self.directory) from error
        except BaseException:
            self._place.leave()
            raise

    def _resume(self) -> None:
        """Goes on from what lies there."""
        self.aside = Aside(self._place.state)
        self.forks = Aside(self._place.state, "forks", for_good=True)
        for log in self._place.logs():
            gathered = self.logs[log] = Gathered(self.directory, log)
            for strand in gathered.resume():
                if strand.tip:
                    self.tips[strand.tip] = strand
        self.waiting = Waiting(os.path.join(self._place.state, "waiting"), self._sync_strands)
        for strand in list(self.tips.values()):
            self._go_on(strand)
        for line in self.waiting.lines():  # written before, when a crash kept them from being taken out here
            if self.is_written(record.seq_of(line), line):
                self.waiting.drop(record.seq_of(line), line)

    # -- what arrives

    def feed(self, data: bytes) -> None:
        """The next bytes of the stream. What they bring is written when this returns, and synced within a second.

        Raises StorageError where the system refuses: then what was not written is lost here and has to be sent again.
        """
        self.take(self._lines.feed(data))

    def take(self, lines: list[bytes], *, ended: bool = True) -> None:
        """Lines, each with its LF; `ended` says that those LF came with them."""
        with self._refusals():
            for at in range(0, len(lines), TOGETHER):
                some = lines[at : at + TOGETHER]
                if not self._ordinary(some):
                    for line in some:
                        self.input_lines += 1
                        for arrived in self._opener.look(line, ended=ended):
                            self._one(arrived)
            self._flush()

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """What the system refuses, as an error of this package."""
        try:
            yield
        except OSError as error:
            raise StorageError.of(error, "cannot be written to", self.directory) from error

    def _ordinary(self, lines: list[bytes]) -> bool:
        """Takes the lines if each is what the segment written to last leads to; else takes none."""
        strand = self._hot
        if strand is None or strand.said is not None or not strand.tip:
            return False
        hashes = None if self._opener.keeps else going_on(lines, strand.last_seq, strand.tip.decode(), b"")
        if hashes is None:
            return False
        self.input_lines += len(lines)
        self.records += len(lines)
        del self.tips[strand.tip]
        last = strand.last_seq + len(lines)
        strand.append(b"".join(lines), hashes[-1].encode(), last, record.ts_of(lines[-1]))
        self.tips[strand.tip] = strand
        self._dirty.add(strand)
        self._recent.update(dict.fromkeys(own.encode() for own in hashes))
        self._renew()
        self._go_on(strand)
        return True

    def _renew(self) -> None:
        if len(self._recent) > _RECENT:
            self._recent, self._before = {}, self._recent

    def _one(self, arrived: Arrived) -> None:
        if arrived.before:
            self._put_aside(Arrived(arrived.before, "cut-line", "a line that was cut, with another one behind it"))
        if arrived.kind != "record":
            self._put_aside(arrived)
            return
        line = arrived.line
        own = line[-67:-3]
        if own in self._recent or own in self._before:
            self.doubles += 1
            return
        self._recent[own] = None
        self._renew()
        if record.type_of(line) == "audit.segment" and self._header(line):
            return
        strand = self.tips.get(line[-141:-77])
        if strand is not None and self._fits(strand, line):
            self._append(strand, line)
            self._go_on(strand)
            return
        seq = record.seq_of(line)
        if line[-141:-77] in self._dead:
            self._dead[own] = None
            why = VOIDED if unfinished([line]) else FORK
            self._keep(None, [line], why)
        elif self.is_written(seq, line):
            self.doubles += 1
        elif not self.waiting.add(seq, line):
            self._put_aside(Arrived(line, "unattached", f"too many records wait around seq {seq}"))

    def _header(self, line: bytes) -> bool:
        """A line of the type of a header. False where it is none and is to be treated as any other record."""
        try:
            header = parse_header(line)
        except NewerFormatError as error:
            self._put_aside(Arrived(line, "newer-format", str(error)))
            return True
        if header is None:
            return False
        log = self.logs.get(header.log)
        if log is None:
            log = self.logs[header.log] = Gathered(self.directory, header.log)
        known = log.knows(header.segment)
        if known is not None:
            if known == header.hash.encode():
                self.doubles += 1
            else:
                message = f"two headers of segment {header.segment}: two histories of one log"
                self.told.say(
                    "fork", message, log=log.log, segment=header.segment, first_seq=header.seq, line=self.input_lines,
                    expected=known.decode(), actual=header.hash,
                )  # fmt: skip
                self.forks.keep(line, "fork", message, self.input_lines)
            return True
        self._begin(log, header, line)
        return True

    def _begin(self, log: Gathered, header: Header, line: bytes) -> None:
        log.hear(header)
        strand = log.begin(header)
        self._append(strand, line)
        before = log.strands.get(header.segment - 1)
        if before is not None:
            self._settle(before)
        if header.segment == log.newest:
            log.promote(strand)
        self._go_on(strand)
        self._hot = strand

    def _fits(self, strand: Strand, line: bytes) -> bool:
        """Whether a line that goes on from a segment's last one may belong to the segment."""
        said = strand.said
        return said is None or said.torn_bytes < 0 or strand.end + len(line) <= said.bytes + said.torn_bytes

    def _append(self, strand: Strand, line: bytes) -> None:
        if strand.tip:
            self.tips.pop(strand.tip, None)
        strand.append(line, line[-67:-3], record.seq_of(line), record.ts_of(line))
        self.tips[strand.tip] = strand
        self._dirty.add(strand)
        self.records += 1
        self._hot = strand

    def _go_on(self, strand: Strand) -> None:
        """Appends what has waited for a segment's last record, and looks whether the segment is whole then."""
        while True:
            line = self.waiting.take(strand.last_seq + 1, strand.tip)
            if line is None:
                break
            if not self._fits(strand, line):
                self.waiting.add(record.seq_of(line), line)
                break
            self._append(strand, line)
        if strand.said is not None:
            self._settle(strand)

    def _settle(self, strand: Strand) -> None:
        settle(self, strand)

    def is_written(self, seq: int, line: bytes) -> bool:
        """Whether this very record is in a file already, or no place is left for it. The latter is told."""
        own, prev = line[-67:-3], line[-141:-77]
        for log in self.logs.values():
            if any(own in self._hashes(log, one, seq) for one in log.homes_of(seq)):
                return True
            number, before = log.segment_of(seq), log.segment_of(seq - 1)
            if number is not None and before is not None and prev in self._hashes(log, before, seq - 1):
                return self._parted(log, number, seq, line)
        return False

    def _hashes(self, log: Gathered, number: int, seq: int) -> list[bytes]:
        path = log.path_of(number)
        if path is None:
            return []
        strand = log.strands.get(number)
        if strand is not None:
            strand.flush()
        try:
            return self._written.hashes(log.log, number, path, strand.end if strand else storage.size(path), seq)
        except FileNotFoundError:  # taken away since: then nothing is known of it
            return []

    def _parted(self, log: Gathered, number: int, seq: int, line: bytes) -> bool:
        """A record that goes on from one that another record goes on from already. False where it may be right yet."""
        if unfinished([line]) and log.begins_with(number, seq):
            self.bury(log, number, [line], VOIDED)
            return True
        strand = log.strands.get(number)
        if strand is None or strand.sealed or number != log.segment_of(seq - 1):
            self.bury(log, number, [line], FORK)
            return True
        if len(strand.forks) < _FORKS:
            strand.forks.append((seq, line[-141:-77]))
        self._keep(log.segment_named(number), [line], FORK)
        return False

    def bury(self, log: Gathered, number: int, lines: list[bytes], why: tuple[str, str]) -> None:
        """Puts records aside that are no part of the log, with what goes on from them."""
        while (more := self.waiting.take(record.seq_of(lines[-1]) + 1, lines[-1][-67:-3])) is not None:
            lines.append(more)
            if why is VOIDED and not unfinished([more]):
                why = FORK
        self._keep(log.segment_named(number), lines, why)
        self._dead.update(dict.fromkeys(line[-67:-3] for line in lines))
        while len(self._dead) > _RECENT:
            del self._dead[next(iter(self._dead))]

    def _keep(self, segment: dict[str, Any] | None, lines: list[bytes], why: tuple[str, str]) -> None:
        kind, words = why
        first, last = record.seq_of(lines[0]), record.seq_of(lines[-1])
        where = self.forks if kind == "fork" else self.aside
        kept = [where.keep(line, kind, words, None) for line in lines]
        if any(kept):
            self.told.say(
                kind, f"{spelled(first, last)} {words}", first_seq=first, last_seq=last,
                line=self.input_lines or None, actual=lines[0][-67:-3].decode(), **(segment or {}),
            )  # fmt: skip

    def forget(self, strand: Strand) -> None:
        """Nothing is known any more of how a segment's file looked."""
        self._written.forget(strand.log, strand.number)
        if self._hot is strand:
            self._hot = None

    def _put_aside(self, arrived: Arrived) -> None:
        if self.aside.keep(arrived.line, arrived.kind, arrived.message, self.input_lines):
            self.told.say(arrived.kind, arrived.message, line=self.input_lines)
            for log in self.logs.values():
                for strand in [strand for strand in log.strands.values() if strand.sealed]:
                    self._settle(strand)

    # -- on the disk

    def _flush(self) -> None:
        """Hands to the system what was taken, and once a second has it synced."""
        for strand in self._dirty:
            strand.flush()
        self._dirty = {strand for strand in self._dirty if strand.unsynced}
        self.waiting.flush()
        self.aside.flush()
        self.forks.flush()
        if time.monotonic() >= self._due:
            began = time.monotonic()
            self._mend()
            self._sync()
            self._due = began + max(_SYNC, 10 * (time.monotonic() - began))

    def sync(self) -> None:
        """Returns when all that was taken is on the disk. Raises StorageError."""
        with self._refusals():
            self._flush()
            self._sync()

    def _sync(self) -> None:
        self._sync_strands()
        self.waiting.clean()
        self.waiting.sync()
        self.aside.sync()
        self.forks.sync()

    def _mend(self) -> None:
        """Looks again at segments of which two histories came: what is missing of the right one may have come since."""
        for log in self.logs.values():
            for strand in [strand for strand in log.strands.values() if strand.forks]:
                self._settle(strand)

    def _sync_strands(self) -> None:
        for strand in self._dirty:
            strand.sync()
        self._dirty.clear()
        for log in self.logs.values():
            log.sync_names()

    def finish(self) -> None:
        """The stream ends here: what has no LF is looked at all the same."""
        rest = self._lines.unfinished
        if rest:
            self._lines = Lines()
            self.take([rest + b"\n"], ended=False)
        with self._refusals():
            for arrived in self._opener.leave():
                self._one(arrived)
            self._mend()
            self._flush()

    def close(self) -> None:
        """Syncs what was taken, and gives the directory back. May be called twice."""
        if not self._place.mine:
            return
        try:
            self.sync()
        finally:
            self.waiting.close()
            self._place.leave()

    def __enter__(self) -> Collector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.waiting.close()
            self._place.leave()
