"""One log as it is gathered in a folder of its own: its segments, whole or being put together, and their names.

::

    DIR/<log uuid>/audit.jsonl                          the newest segment that has begun to arrive
    DIR/<log uuid>/audit.20261121T101112123456Z.jsonl   a whole one, under the name that it has at the source
    DIR/<log uuid>/.7.part                              one that is not whole, though a later one has begun

So the names of a log are those of files that are whole as far as they go: a segment gets its name when its bytes are
what the header of the next one says. Names change one at a time, and a name is on the disk before the next one changes
where both lead to the same file.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonl_audit import instants, record, storage
from jsonl_audit.content import first_line_of
from jsonl_audit.errors import LogError, NewerFormatError, WrongLogError
from jsonl_audit.receive.strand import Strand, digest_of
from jsonl_audit.segment import Header, Names, Previous, is_sealed_name, parse_header
from jsonl_audit.succession import line_before

__all__ = ["UNTOLD", "Gathered", "Whole"]

UNTOLD = "audit.jsonl"
"""The name of a log of which no header has told it yet: the first segment does not know it."""
_BACK = 16
_COPY = re.compile(r"\.[0-9]+\.copy")
_PART = re.compile(r"\.[0-9]+\.part")
_SEALED = re.compile(r"(?P<stem>.+)\.(?P<stamp>[0-9]{8}T[0-9]{12}Z)(?P<extension>\.[^.]+)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Whole:
    """A segment that is whole."""

    first_seq: int
    last_seq: int
    name: str
    torn: bool
    """Whether something stands behind its last committed record."""
    hash: bytes
    """Of its header."""


class Gathered:
    """The files of one log.

    Raises OSError, and LogError where something else lies there.
    """

    def __init__(self, directory: str, log: str) -> None:
        self.log = log
        self.folder = os.path.join(directory, log)
        self.strands: dict[int, Strand] = {}
        self.whole: dict[int, Whole] = {}
        self.said: dict[int, Previous] = {}
        """What headers say of segments that are not whole."""
        self.newest = 0
        self.floor = 0
        """The last seq that was purged at the source."""
        self.told = False
        """Whether its name is known."""
        self._touched = False  # whether names have changed since the last sync
        self._starts: list[tuple[int, int]] = []
        storage.make_directory(self.folder)
        self.names = Names.of(os.path.join(self.folder, UNTOLD))

    # -- from what lies there

    def resume(self) -> list[Strand]:
        """Finds what was gathered before. Returns what goes on."""
        later: list[tuple[Header, str]] = []
        # The newest first: what a header says of the segment before it is known then when that is come to.
        for name in sorted(storage.list_directory(self.folder), reverse=True):
            path = os.path.join(self.folder, name)
            if _COPY.fullmatch(name):  # it was interrupted
                storage.unlink(path)
                continue
            if name.endswith((".lock", ".next")) or not storage.is_file(path):
                continue
            header = _header(path)
            if _PART.fullmatch(name) and header is None:  # it was being begun
                storage.unlink(path)
                continue
            if header is None or header.log != self.log:
                raise WrongLogError(
                    f"this file is no segment of the log {self.log} that is collected here; move it away", path=path
                )
            self._named(name)
            self.hear(header)
            if is_sealed_name(name) and header.segment in self.said:
                self._found_whole(header, path)
            else:
                later.append((header, path))
        for header, path in later:
            if is_sealed_name(os.path.basename(path)):
                self._found_whole(header, path)
            elif self.knows(header.segment) is None:
                strand = Strand(path, header)
                strand.resume()
                self.add(strand)
            elif _PART.fullmatch(os.path.basename(path)):
                self._leftover(header.segment, path)
        if self.newest in self.strands:
            self.promote(self.strands[self.newest])
        return list(self.strands.values())

    def _leftover(self, number: int, path: str) -> None:
        """A file of a segment that has another name, too: a power cut kept one of two changes of its name."""
        known, size = self.path_of(number), storage.size(path)
        if known is None or digest_of(path, 0, size) != digest_of(known, 0, size):
            raise WrongLogError(f"segment {number} is here twice, with different bytes; move this one away", path=path)
        storage.unlink(path)

    def _named(self, name: str) -> None:
        """Learns the name of the log from that of one of its files, the one that bears it if there is one."""
        sealed = _SEALED.fullmatch(name.removesuffix(".gz").removesuffix(".zst"))
        if sealed is not None and not self.told:
            self._name(sealed["stem"] + (sealed["extension"] or ""))
        elif sealed is None and name != UNTOLD and not _PART.fullmatch(name):
            self._name(name)

    def _found_whole(self, header: Header, path: str) -> None:
        said = self.said.get(header.segment)
        name = os.path.basename(path)
        packed = name.endswith((".gz", ".zst"))
        torn = said is not None and said.torn_bytes != 0
        if said is not None and torn and not packed and not _ended(path, said):
            strand = Strand(path, header)
            strand.resume()
            strand.sealed = True
            self.add(strand)
            return
        last = header.seq
        if said is not None:
            last = said.last_seq
        elif not packed:
            with storage.reading(path) as fd:
                line = line_before(fd, storage.size(fd))
            last = last if line is None else record.seq_of(line)
        self.note_whole(header.segment, Whole(header.seq, last, name, torn, header.hash.encode()))
        self.newest = max(self.newest, header.segment)
        insort(self._starts, (header.seq, header.segment))

    # -- what is here

    def segment_of(self, seq: int) -> int | None:
        """The number of the segment that a seq belongs to, if it has one here."""
        at = bisect_right(self._starts, (seq, 1 << 62)) - 1
        if at < 0:
            return None
        number = self._starts[at][1]
        strand, whole = self.strands.get(number), self.whole.get(number)
        if whole is not None:
            return number if seq <= whole.last_seq else None
        return number if strand is not None and seq <= strand.last_seq else None

    def begins_with(self, number: int, seq: int) -> bool:
        """Whether a segment's header has this seq."""
        strand, whole = self.strands.get(number), self.whole.get(number)
        return seq == (strand.first_seq if strand is not None else whole.first_seq if whole is not None else 0)

    def segment_named(self, number: int) -> dict[str, Any]:
        """Which segment a finding is about."""
        return {"log": self.log, "segment": number}

    def homes_of(self, seq: int) -> Iterator[int]:
        """The segments that a record with this seq may stand in: its own, and those before it that a crash ended."""
        at = bisect_right(self._starts, (seq, 1 << 62)) - 1
        for back in range(at, max(-1, at - _BACK), -1):
            number = self._starts[back][1]
            strand, whole = self.strands.get(number), self.whole.get(number)
            if whole is not None and (whole.torn or seq <= whole.last_seq):
                yield number
            if strand is not None and (strand.sealed or seq <= strand.last_seq):
                yield number

    def path_of(self, number: int) -> str | None:
        """The file of a segment."""
        strand, whole = self.strands.get(number), self.whole.get(number)
        if strand is not None:
            return strand.path
        return os.path.join(self.folder, whole.name) if whole is not None else None

    def knows(self, number: int) -> bytes | None:
        """The hash of the header of a segment that is here."""
        strand, whole = self.strands.get(number), self.whole.get(number)
        if strand is not None:
            return strand.head_hash
        return whole.hash if whole is not None else None

    def without_end(self) -> list[Strand]:
        """The segments of which all records are here, and not all of what a crash left behind them."""
        return [strand for strand in self.strands.values() if strand.sealed]

    def spans(self) -> Iterator[tuple[int, int, int]]:
        """First seq, last seq and number of every segment that is here, as far as it goes."""
        for first, number in self._starts:
            strand, whole = self.strands.get(number), self.whole.get(number)
            if whole is not None:
                yield first, whole.last_seq, number
            elif strand is not None:
                yield first, self._committed(strand), number

    def _committed(self, strand: Strand) -> int:
        return min(strand.last_seq, strand.said.last_seq) if strand.said is not None else strand.last_seq

    def gaps(self) -> list[tuple[int, int]]:
        """The seqs that are known to be missing, from the beginning of the log on: first and last of each range.

        What the source purged before anything of it came is not missing; what did not come between two segments that
        did, is, whether or not the source purged it since.
        """
        found, due = [], self.floor + 1
        if self._starts:
            due = min(due, self._starts[0][0])
        for first, last, _ in self.spans():
            if first > due:
                found.append((due, first - 1))
            due = max(due, last + 1)
        return found

    # -- what arrives

    def hear(self, header: Header) -> None:
        """What a header says of the segment before its own, and of the log."""
        if header.purged is not None:
            self.floor = max(self.floor, header.purged.last_seq)
        if header.previous is not None:
            before = header.segment - 1
            if before not in self.whole:
                self.said[before] = header.previous
                if before in self.strands:
                    self.strands[before].said = header.previous
            if not self.told:
                sealed = _SEALED.fullmatch(header.previous.name)
                if sealed is not None:
                    self._rename(sealed["stem"] + (sealed["extension"] or ""))

    def begin(self, header: Header) -> Strand:
        """A segment whose header has come. Its file is begun where unfinished ones lie."""
        strand = Strand(self._part(header.segment), header)
        self._touched = True
        self.add(strand)
        return strand

    def add(self, strand: Strand) -> None:
        self.strands[strand.number] = strand
        strand.said = self.said.get(strand.number)
        self.newest = max(self.newest, strand.number)
        insort(self._starts, (strand.first_seq, strand.number))

    def promote(self, strand: Strand) -> None:
        """Gives the newest segment the log's own name. One before it that is not whole goes to the unfinished ones."""
        if strand.path == self.names.path:
            return
        for other in self.strands.values():
            if other.path == self.names.path:
                self._move(other, self._part(other.number))
        self.sync_names()  # else a power cut could keep the second change of that name and not the first
        self._move(strand, self.names.path)

    def seal(self, strand: Strand) -> str:
        """Gives a segment whose records are all here the name that it has at the source.

        Where the next header says what is no such name, or is another's, it gets one by its time, and that is returned
        in words.
        """
        assert strand.said is not None
        if strand.sealed:
            return ""
        found, told = _SEALED.fullmatch(strand.said.name), ""
        name = self.names.sealed(found["stamp"]) if found is not None else ""
        if not name or storage.exists(os.path.join(self.folder, name)):
            name, us = "", instants.micros(strand.ts) if instants.is_instant(strand.ts) else 0
            while not name or storage.exists(os.path.join(self.folder, name)):
                name, us = self.names.sealed(instants.stamp(us)), us + 1
            told = (
                f"the next header names segment {strand.number} {strand.said.name!r:.80}, which cannot be: it is {name}"
            )
        self._move(strand, os.path.join(self.folder, name))
        strand.sealed = True
        return told

    def finish(self, strand: Strand, *, torn: bool) -> None:
        """A segment is whole: nothing more is expected of it."""
        assert strand.said is not None
        name = os.path.basename(strand.path)
        self.note_whole(strand.number, Whole(strand.first_seq, strand.said.last_seq, name, torn, strand.head_hash))
        del self.strands[strand.number]

    def note_whole(self, number: int, whole: Whole) -> None:
        self.whole[number] = whole
        self.said.pop(number, None)

    def sync_names(self) -> None:
        """Returns when the names of the files are on the disk."""
        if self._touched:
            storage.sync_directory(self.folder)
            self._touched = False

    def _part(self, number: int) -> str:
        return os.path.join(self.folder, f".{number}.part")

    def _move(self, strand: Strand, path: str) -> None:
        strand.sync()  # a name never leads to less than it did
        storage.rename(strand.path, path)
        strand.path, self._touched = path, True

    def _name(self, name: str) -> None:
        """Takes the name of the log. What a stranger's header says can be anything; what is no name is passed over."""
        if name in (".", "..") or os.path.basename(name) != name or _PART.fullmatch(name) or _COPY.fullmatch(name):
            return
        try:
            names = Names.of(os.path.join(self.folder, name))
        except LogError:
            return
        if names.directory == os.path.realpath(self.folder):
            self.names, self.told = names, True

    def _rename(self, name: str) -> None:
        before = self.names.path
        self._name(name)
        for strand in self.strands.values():
            if strand.path == before != self.names.path:
                self._move(strand, self.names.path)


def _ended(path: str, said: Previous) -> bool:
    """Whether what a crash left behind the last record of a segment stands there."""
    stop = said.bytes + said.torn_bytes
    return storage.size(path) >= stop and (
        said.torn_blake3 is None or digest_of(path, said.bytes, stop) == said.torn_blake3
    )


def _header(path: str) -> Header | None:
    try:
        return parse_header(first_line_of(path))
    except (NewerFormatError, LogError):
        return None
