"""Pieces without a header put behind the pieces that they continue: by prev and hash, by seq where those disagree.

What was cut in the middle of a line is joined where the two halves make a line whose own hash is right: else a part of
it may be missing. A piece that continues none of the others stays a loose one: what stands before it is not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from jsonl_audit import record
from jsonl_audit.links import Link
from jsonl_audit.verifier.joined import JoinedFile, Part, Source
from jsonl_audit.verifier.pieces import Ends, Piece, ends_of, stretches
from jsonl_audit.verifier.vouching import lines_at

__all__ = ["Run", "assemble", "parts_from"]


@dataclass(slots=True, eq=False)
class Run:
    """Parts of files that go on from each other."""

    parts: list[Part]
    headed: bool
    ends: Ends
    """Its start is that of the first part, its end that of the last."""

    def behind(self, other: Run, stop: int | None = None, skip: int = 0) -> Run:
        """This run behind another, of which only the bytes up to `stop` count; `skip` bytes of this one are left out.

        Together they are one run.
        """
        parts = [*other.parts] if stop is None else parts_from(other.parts, 0, stop)
        own = parts_from(self.parts, skip, self.size)
        start = other.ends
        ends = Ends(start.fragment, start.first, start.prev, start.line, self.ends.last, self.ends.tail)
        if self.ends.last is None and self.ends.fragment:  # no whole line but the one that the two halves make
            ends.last = _joined_link(other.ends.tail + self.ends.fragment)
        return Run([*parts, *own], other.headed, ends)

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return sum(part.size for part in self.parts)


def parts_from(parts: list[Part], start: int, stop: int) -> list[Part]:
    """What of the parts makes up the bytes from `start` to `stop` of all of them."""
    found, at = [], 0
    for part in parts:
        low, high = max(start, at), min(stop, at + part.size)
        if low < high:
            found.append(replace(part, start=part.start + low - at, stop=part.start + high - at))
        at += part.size
    return found


def assemble(pieces: Iterable[Piece], middles: list[Source]) -> tuple[list[Run], set[str]]:
    """The runs that the pieces make, and the names of those of the `middles` that are in them.

    These are files without the beginning or the end of a line, in which the middle of a long one may stand: they are
    looked at where their names stand between those of its beginning and its end. Raises Vanished, StorageError.
    """
    headed: list[Run] = []
    others: list[Run] = []
    for piece in pieces:
        run = Run([piece.part], piece.header is not None, _ends(piece))
        (headed if run.headed else others).append(run)
    used, taken = _bridge([*headed, *others], middles)
    others = [run for run in others if run not in taken]
    return [each for run in _Assembly(headed).join(others) for each in _cut_again(run)], used


def _bridge(runs: list[Run], middles: list[Source]) -> tuple[set[str], list[Run]]:
    """Puts middles of lines, and beginnings that are alone in their files, before the runs that begin with the ends.

    Returns the names of the middles, and the runs that were no more than a beginning.
    """
    used: set[str] = set()
    taken: list[Run] = []
    last: dict[str, Run] = {}
    first: dict[str, Run] = {}
    for run in runs:
        first.setdefault(run.parts[0].source.path, run)
        last[run.parts[0].source.path] = run
    between = {source.path: source for source in middles}
    before, waiting = None, []
    for path in sorted([*first, *between]):
        if path in between:
            waiting.append(between[path])
            continue
        run = first[path]
        alone = before is not None and not before.headed and before.ends.first is None and not before.ends.fragment
        if before is not None and (waiting or alone) and run.ends.fragment and before.ends.tail:
            text = b"".join(map(_text, waiting)) + run.ends.fragment
            whole = before.ends.tail + text
            if record.own_hash_right(whole):
                run.parts[:0] = [Part(source, 0, source.size) for source in waiting]
                run.ends.fragment = text
                used |= {source.name for source in waiting}
                if alone:
                    run.parts[:0] = before.parts
                    run.ends = _of_line(whole, run.ends)
                    taken.append(before)
        before, waiting = last[path], []
    return used, taken


def _of_line(line: bytes, ends: Ends) -> Ends:
    """The ends of a run that begins with a line, now that this is whole."""
    link = _joined_link(line)
    return Ends(b"", link, record.prev_of(line), line, ends.last or link, ends.tail)


def _text(source: Source) -> bytes:
    content = source.open()
    try:
        return content.read(0, source.size)
    finally:
        source.let_go(content)


def _cut_again(run: Run) -> Iterator[Run]:
    """The run, cut where a header begins that had been cut in two."""
    if len(run.parts) == 1:
        yield run
        return
    with JoinedFile.of(run.parts).open() as content:
        found = stretches(content)
    for start, stop, header in found:
        yield replace(run, parts=parts_from(run.parts, start, stop), headed=header is not None)


def _ends(piece: Piece) -> Ends:
    part = piece.part
    content = part.source.open()
    try:
        return ends_of(content, part.start, part.stop, headed=piece.header is not None)
    finally:
        part.source.let_go(content)


class _Assembly:
    """The runs while they are put together."""

    def __init__(self, runs: list[Run]) -> None:
        self.runs: list[Run] = []
        self._by_hash: dict[str, list[Run]] = {}
        self._by_seq: dict[int, list[Run]] = {}
        for run in runs:
            self._add(run)

    def _add(self, run: Run) -> None:
        self.runs.append(run)
        if run.ends.last is not None:
            self._by_hash.setdefault(run.ends.last.hash, []).append(run)
            self._by_seq.setdefault(run.ends.last.seq, []).append(run)

    def _take(self, run: Run) -> None:
        """Takes a run out that another one now begins with."""
        self.runs.remove(run)
        if run.ends.last is not None:
            self._by_hash[run.ends.last.hash].remove(run)
            self._by_seq[run.ends.last.seq].remove(run)

    def join(self, others: list[Run]) -> list[Run]:
        """All runs, the `others` among them."""
        waiting = sorted(others, key=_order)
        while waiting:
            left = [run for run in waiting if not self._place(run)]
            if len(left) == len(waiting):  # none goes on from what is here: the first of them stays loose
                self._add(left.pop(0))
            waiting = left
        return self.runs

    def _place(self, run: Run) -> bool:
        """Puts a run behind one that it goes on from, if there is one."""
        first, fragment = run.ends.first, run.ends.fragment
        if fragment and self._behind_half(run):
            return True
        if first is None:
            return False
        if fragment:
            return self._overlapping(run, first)
        return self._behind_whole(run, first) or self._overlapping(run, first) or self._by_count(run, first)

    def _behind_whole(self, run: Run, first: Link) -> bool:
        """Behind a run that ends with the record before its first."""
        for before in self._by_hash.get(run.ends.prev, ()):
            assert before.ends.last is not None
            if before.ends.last.seq == first.seq - 1 and run.ends.line.startswith(before.ends.tail):
                cut = before.size - len(before.ends.tail)  # the beginning of the line that this run has whole
                self._take(before)
                self._add(run.behind(before, cut if before.ends.tail else None))
                return True
        return False

    def _behind_half(self, run: Run) -> bool:
        """Behind a run that ends with the beginning of the line of which this one begins with the rest."""
        first, fragment = run.ends.first, run.ends.fragment
        if first is not None:
            near = self._by_seq.get(first.seq - 2, [])
        elif len(fragment) >= 141:
            near = self._by_hash.get(record.prev_of(fragment), [])
        else:
            near = self.runs
        for before in near:
            whole = before.ends.tail + fragment
            if before.ends.tail and record.own_hash_right(whole):
                self._take(before)
                self._add(run.behind(before))
                return True
        return False

    def _overlapping(self, run: Run, first: Link) -> bool:
        """Behind the record before its first, where that stands in the middle of a run: what follows is here twice."""
        for before in self.runs:
            begin, last = before.ends.first, before.ends.last
            if begin is None or last is None or not begin.seq <= first.seq - 1 <= last.seq:
                continue
            with JoinedFile.of(before.parts).open() as content:
                for offset, line in lines_at(content, first.seq - 1, content.size):
                    if line[-67:-3].decode("ascii", "replace") == run.ends.prev and line.endswith(run.ends.fragment):
                        whole = run.behind(before, offset + len(line), len(run.ends.fragment))
                        self._add(whole)
                        return True
        return False

    def _by_count(self, run: Run, first: Link) -> bool:
        """Behind a run that ends where it should go on from, though they do not agree: one of the two was changed."""
        for before in self._by_seq.get(first.seq - 1, ()):
            if not before.ends.tail:
                self._take(before)
                self._add(run.behind(before))
                return True
        return False


def _joined_link(line: bytes) -> Link | None:
    if not record.own_hash_right(line):
        return None
    return Link(record.seq_of(line), line[-67:-3].decode(), record.ts_of(line))


def _order(run: Run) -> tuple[int, int]:
    first = run.ends.first
    return (2**63, 0) if first is None else (first.seq, -run.size)
