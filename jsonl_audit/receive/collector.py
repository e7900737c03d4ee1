"""Puts records that arrive in any order, doubled, mixed, back into the segments that they were committed to.

A header begins a segment, and every other record goes on from exactly one: its `prev` is a hash. So a record is
appended when the one before it is there, and waits on disk until then. What the header of the next segment says of
the length and the digest of a segment decides when that is whole.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType

from jsonl_audit import mark, record, storage
from jsonl_audit.errors import LockedError, NewerFormatError, StorageError
from jsonl_audit.lines import Lines
from jsonl_audit.receive.arriving import Arrived, Opener
from jsonl_audit.receive.aside import Aside
from jsonl_audit.receive.ends import settle
from jsonl_audit.receive.gathered import Gathered
from jsonl_audit.receive.ordinary import TOGETHER, going_on
from jsonl_audit.receive.strand import Strand
from jsonl_audit.receive.told import StreamFinding, Telling
from jsonl_audit.receive.waiting import Waiting
from jsonl_audit.receive.written import Written
from jsonl_audit.segment import Header, parse_header

__all__ = ["Collector"]

STATE = ".collect"
"""The directory, in the one that is collected into, of what is not part of a log."""
_RECENT = 8192
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
        self.directory = os.path.realpath(os.path.expanduser(os.fsdecode(directory)))
        self.told = Telling(tell)
        self.records = self.doubles = self.bytes = 0
        self.input_lines = 0
        self.logs: dict[str, Gathered] = {}
        self.tips: dict[bytes, Strand] = {}
        self._state = os.path.join(self.directory, STATE)
        self.parts = os.path.join(self._state, "parts")
        self._lines = Lines()
        self._opener = Opener(field)
        self._recent: dict[bytes, None] = {}
        self._before: dict[bytes, None] = {}
        self._written = Written()
        self._hot: Strand | None = None
        self._dirty: set[Strand] = set()
        self._synced = time.monotonic()
        self._lock = -1
        try:
            self._open()
        except OSError as error:
            self._unlock()
            raise StorageError.of(error, "cannot be collected into", self.directory) from error
        except BaseException:
            self._unlock()
            raise

    # -- opening

    def _open(self) -> None:
        storage.make_directory(self.parts)
        self._lock = storage.open_lock(os.path.join(self._state, "lock"))
        if not storage.lock(self._lock):
            holder = mark.read_holder(os.path.join(self._state, "lock"))
            who = f"process {holder.get('pid')} on {holder.get('host')}" if holder else "another process"
            raise LockedError(
                f"{who} collects into this directory; end it, or collect into another one",
                path=self.directory, holder=holder,
            )  # fmt: skip
        mark.write_holder(self._lock)
        self.aside = Aside(self._state)
        parts: dict[str, list[str]] = {}
        for name in storage.list_directory(self.parts):
            log = name.partition(".")[0]
            path = os.path.join(self.parts, name)
            if name.endswith(".new"):
                storage.unlink(path)
            elif record.UUID.fullmatch(log):
                parts.setdefault(log, []).append(path)
        here = {name for name in storage.list_directory(self.directory) if record.UUID.fullmatch(name)}
        for log in sorted(here | set(parts)):
            gathered = self.logs[log] = Gathered(self.directory, self.parts, log)
            for strand in gathered.resume(parts.get(log, [])):
                if strand.tip:
                    self.tips[strand.tip] = strand
        self.waiting = Waiting(os.path.join(self._state, "waiting"), self._sync_strands)
        for line in self.waiting.lines():
            if self._is_written(record.seq_of(line), line):
                self.waiting.drop(record.seq_of(line), line)
        for strand in list(self.tips.values()):
            self._go_on(strand)

    # -- what arrives

    def feed(self, data: bytes) -> None:
        """The next bytes of the stream. What they bring is written when this returns, and synced within a second.

        Raises StorageError where the system refuses: then what was not written is lost here and has to be sent again.
        """
        self.take(self._lines.feed(data))

    def take(self, lines: list[bytes], *, ended: bool = True) -> None:
        """Lines, each with its LF; `ended` says that those LF came with them."""
        try:
            for at in range(0, len(lines), TOGETHER):
                some = lines[at : at + TOGETHER]
                if not self._ordinary(some):
                    for line in some:
                        self.input_lines += 1
                        for arrived in self._opener.look(line, ended=ended):
                            self._one(arrived)
            self.flush()
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
        if self._is_written(seq, line):
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
            log = self.logs[header.log] = Gathered(self.directory, self.parts, header.log)
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
                self.aside.keep(line, "fork", message, self.input_lines)
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

    def _is_written(self, seq: int, line: bytes) -> bool:
        """Whether this very record is in a file already. One that stands in another's place is told."""
        own, prev = line[-67:-3], line[-141:-77]
        for log in self.logs.values():
            if any(own in self._hashes(log, one, seq) for one in log.homes_of(seq)):
                return True
            number, before = log.segment_of(seq), log.segment_of(seq - 1)
            if number is not None and before is not None and prev in self._hashes(log, before, seq - 1):
                self._parted(log, number, seq, line)
                return True
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

    def _parted(self, log: Gathered, number: int, seq: int, line: bytes) -> None:
        """A record that goes on from one that another record goes on from already."""
        batch = record.batch_of(line)
        if (batch is not None and batch[0] < batch[1]) or log.torn_behind(seq - 1):
            what = f"seq {seq} was taken again: a crash left a batch unfinished, or lost what was not synced"
            kind = "voided"
        else:
            what = f"seq {seq} came twice, with different bytes: two histories of one log"
            kind = "fork"
        if self.aside.keep(line, kind, what, self.input_lines):
            self.told.say(
                kind, what, log=log.log, segment=number, first_seq=seq, line=self.input_lines,
                actual=line[-67:-3].decode(),
            )  # fmt: skip

    def _put_aside(self, arrived: Arrived) -> None:
        if self.aside.keep(arrived.line, arrived.kind, arrived.message, self.input_lines):
            self.told.say(arrived.kind, arrived.message, line=self.input_lines)
            for log in self.logs.values():
                for strand in [strand for strand in log.strands.values() if strand.sealed]:
                    self._settle(strand)

    # -- on the disk

    def flush(self) -> None:
        """Hands to the system what was taken, and once a second has it synced."""
        for strand in self._dirty:
            strand.flush()
        self._dirty = {strand for strand in self._dirty if strand.unsynced}
        self.waiting.flush()
        self.aside.flush()
        if time.monotonic() - self._synced >= _SYNC:
            self.sync()

    def sync(self) -> None:
        """Returns when all that was taken is on the disk."""
        self._sync_strands()
        self.waiting.clean()
        self.waiting.sync()
        self.aside.sync()
        self._synced = time.monotonic()

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
        for arrived in self._opener.leave():
            self._one(arrived)
        self.flush()

    def close(self) -> None:
        """Syncs what was taken, and gives the directory back. May be called twice."""
        if self._lock < 0:
            return
        try:
            self.flush()
            self.sync()
            self.waiting.close()
        finally:
            self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            fd, self._lock = self._lock, -1
            storage.let_go(fd)

    def __enter__(self) -> Collector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._unlock()
