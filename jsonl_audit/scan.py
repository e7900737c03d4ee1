"""Bytes of a segment → records, torn end, damage: the one place where a line is understood.

`Walk` reads a segment from its start, block by block, and checks every line: its own hash, its link to the line
before, seq, ts, batches and, if `strict`, every rule of the format. What a crash leaves behind, and nothing else, is
torn (docs/reference/format.md):

- a piece without LF at the end of the file,
- a batch whose lines are all right and which is not whole when the file ends,
- a hole, with all that stands behind it: the disk kept later blocks and lost earlier ones.

Everything else that does not verify is damage.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import orjson
from blake3 import blake3

from jsonl_audit import instants, record, rules
from jsonl_audit.errors import NewerFormatError
from jsonl_audit.segment import Floor, Header, parse_header

__all__ = ["WINDOW", "Damage", "Link", "Walk", "hole_in"]

WINDOW = 1 << 20
"""How much is read at once, in bytes."""
KEPT_DAMAGE = 10_000
"""So many places are kept one by one; of what is more, only the number."""

_NULS = re.compile(rb"\x00+")
_TAIL = re.compile(rb',"prev":"[0-9a-f]{64}","hash":"[0-9a-f]{64}"\}\Z')
_BRACKET = ord("]")


class Link(NamedTuple):
    """Where a chain has got to: the last record's seq, hash and ts."""

    seq: int
    hash: str
    ts: str


class Damage(NamedTuple):
    """One place where a segment does not say what was committed."""

    kind: str
    """`record-modified`, `chain-broken`, `records-missing`, `malformed-line` or `clock-backwards`."""
    offset: int
    bytes: int
    line: int
    seq: int | None
    expected: Any
    actual: Any
    message: str
    id: str | None = None


class _Batch:
    """A batch that has begun and is not whole."""

    __slots__ = ("before", "count", "done", "line", "start", "verified", "was")

    def __init__(self, start: int, line: int, before: Link | None, was: tuple[int, Any], done: int, count: int) -> None:
        self.start = start
        self.line = line
        self.before = before
        self.was = was  # records and times without it
        self.done = done
        self.count = count
        self.verified = True


class Walk:
    """One walk over a segment, or over a part of it that begins and ends between two lines.

    `link` is the last record before the part; None takes the first line as it comes. `strict` checks every rule of
    a line, not only hash, link, seq and ts. `digest` keeps the BLAKE3 of the bytes up to `end` and of those behind,
    `times` the range of effective times. `offset` and `line` say where the part begins.

    After `finish`: `end` is the offset of the end of the last committed record, `last` its link, `records` how many
    there are; `torn` is None, ``"piece"``, ``"batch"`` or ``"hole"``, beginning at `torn_at`; `damage` lists places,
    `damaged` counts them; `void_lines` counts whole records behind a hole and `void_last` is the highest seq of them;
    `header` is the first line if it is one; `floor` that of the newest purge record.
    """

    def __init__(
        self,
        *,
        link: Link | None = None,
        strict: bool = True,
        digest: bool = False,
        times: bool = False,
        offset: int = 0,
        line: int = 0,
    ) -> None:
        self.pos = offset
        """Offset behind the last byte fed."""
        self.end = offset
        self.line = line
        self.last = link
        self.first: Link | None = None
        self.first_prev = ""
        self.records = 0
        self.header: Header | None = None
        self.newer: NewerFormatError | None = None
        self.floor: Floor | None = None
        self.damage: list[Damage] = []
        self.damaged = 0
        self.torn: str | None = None
        self.torn_at = offset
        self.void_lines = 0
        self.void_last = 0
        self.time: tuple[str, str] | None = None
        self._strict = strict
        self._times = times
        self._digest = digest
        self._all, self._upto_end, self._behind = blake3(), blake3(), blake3()
        self._offset = offset  # of the first byte not taken apart
        self._right_end = offset  # behind the last line whose own hash is right
        self._rest = b""
        self._void = False
        self._long: Nuls | None = None  # in the middle of a line longer than any record
        self._batch: _Batch | None = None
        self._gap = 0  # lines that are no records since the last that is one
        self._names: tuple[str, ...] = ()  # what the record behind the gap may call its prev
        self._seq = link.seq if link else 0
        self._prev = link.hash.encode() if link else b""
        self._ts = link.ts.encode() if link else b""

    def feed(self, data: bytes) -> None:
        """The next bytes of the part."""
        start = self.pos
        self.pos += len(data)
        if self._void:
            self._count_void(data)
        elif self._long is not None:
            self._go_on_long(data)
        else:
            self._take(self._rest + data if self._rest else data)
        self._settle()
        if self._digest:
            inside = self.end - start
            view = memoryview(data)
            if inside > 0:
                self._all.update(view[:inside])
                self._upto_end = self._all.copy()
                self._all.update(view[inside:])
                self._behind = blake3(view[inside:])
            else:
                self._all.update(view)
                self._behind.update(view)

    def finish(self) -> Walk:
        """Says that the part ends here, and judges its end."""
        if self._void:
            self.torn = "hole"
        elif self._rest or self._long is not None:
            self.torn, self.torn_at = "piece", self._offset
        if self._batch is not None:
            self.records, self.time = self._batch.was
            if self._batch.verified:
                self.torn, self.torn_at = self.torn or "batch", self._batch.start
        return self

    def blake3(self) -> str:
        """Digest of the bytes up to `end`, in hex."""
        return str(self._upto_end.hexdigest())

    def hasher(self) -> Any:
        """A hasher that has taken the bytes up to `end`."""
        return self._upto_end.copy()

    def torn_blake3(self) -> str:
        """Digest of the bytes behind `end`, in hex."""
        return str(self._behind.hexdigest())

    @property
    def torn_bytes(self) -> int:
        """How many bytes stand behind `end`."""
        return self.pos - self.end

    def _take(self, block: bytes) -> None:
        pieces = block.split(b"\n")
        self._rest = pieces.pop()
        strict, times = self._strict, self._times
        for number, piece in enumerate(pieces):
            self.line += 1
            hashed = blake3(piece[:-75]).hexdigest().encode()
            begin = b'{"seq":%d,"ts":"' % (self._seq + 1)
            at = len(begin)
            ts = piece[at : at + 27]
            if (
                piece.startswith(begin)
                and piece[-149:] == b',"prev":"%b","hash":"%b"}' % (self._prev, hashed)
                and not self._gap
                and ts >= self._ts
                and not piece.startswith(b"audit.", at + 81)
                and (not strict or rules.lawful(piece))
            ):
                start = self._offset
                if piece[-150] == _BRACKET or self._batch is not None:
                    self._batches(piece, start, Link(self._seq, self._prev.decode(), self._ts.decode()), linked=True)
                self._seq, self._prev, self._ts = self._seq + 1, hashed, ts
                self._offset = self._right_end = start + len(piece) + 1
                self.records += 1
                if times:
                    self._see_time(piece, ts)
                continue
            self._look(piece, hashed)
            if self._void:
                rest, self._rest = self._rest, b""
                self._count_void(b"\n".join([*pieces[number + 1 :], rest]))
                return
        if len(self._rest) > record.HARD_LIMIT:
            self._long, self._head, rest, self._rest = Nuls(self._offset), self._rest[:4096], self._rest, b""
            self._long.feed(rest)

    def _look(self, piece: bytes, hashed: bytes) -> None:
        """One line that the quick way did not settle."""
        if len(piece) < 227 or piece[-149:-140] != b',"prev":"' or piece[-75:] != b',"hash":"%b"}' % hashed:
            if b"\0" in piece and hole_in(piece, self._offset):
                self._begin_void()
            else:
                self._wrong(piece, hashed.decode())
            return
        line = piece + b"\n"
        seq, ts, prev = record.seq_of(line), record.ts_of(line).encode(), record.prev_of(line)
        # A right hash over a line that breaks a rule: it is named, and the chain goes through it.
        if (not rules.lawful(piece)) if self._strict else (record.HEAD.match(piece) is None):
            self._add("malformed-line", piece, seq or None, rules.why(piece))
            seq = seq or self._seq + 1
            ts = ts if instants.is_instant(ts.decode("ascii", "replace")) else self._ts
        start, before = self._offset, Link(self._seq, self._prev.decode(), self._ts.decode())
        linked = self._linked(piece, seq, prev, ts)
        if self.first is None:
            self.first, self.first_prev = Link(seq, hashed.decode(), ts.decode()), prev
            if self.line == 1:
                self._first(line)
        self._batches(piece, start, before, linked=linked)
        self._seq, self._prev, self._ts = seq, hashed, max(ts, self._ts)
        self._gap, self._names = 0, ()
        self._offset = self._right_end = start + len(line)
        self.records += 1
        if self._times:
            self._see_time(piece, ts)
        if self._batch is None and record.type_of(line) == "audit.purged":
            details = orjson.loads(piece).get("details")
            self.floor = Floor.parse(details.get("through") if isinstance(details, dict) else None) or self.floor

    def _linked(self, piece: bytes, seq: int, prev: str, ts: bytes) -> bool:
        """Judges how a line whose own hash is right goes on from the record before it."""
        if not self._prev:
            return True
        due, head = self._seq + 1, self._prev.decode()
        kind = None
        if self._gap and prev != head:
            # The damaged lines between stand where records stood, and account for as many of them.
            due += self._gap
            if seq > due:
                kind = "records-missing"
            elif seq < due and prev not in self._names:
                kind = "chain-broken"
        elif prev != head:
            kind = "records-missing" if seq > due else "chain-broken"
        elif seq != due:
            kind = "chain-broken"
        if kind == "records-missing":
            missing = f"{seq - due} record{'s' * (seq - due != 1)} before seq {seq} missing"
            self._add(kind, piece, seq, missing, due, seq)
        elif kind is not None and prev != head:
            self._add(kind, piece, seq, "its prev is not the hash of the record before it", head, prev)
        elif kind is not None:
            self._add(kind, piece, seq, "a wrong seq under a right prev", due, seq)
        if ts < self._ts:
            earlier, later = self._ts.decode(), ts.decode()
            self._add("clock-backwards", piece, seq, "its ts lies before that of the record before it", earlier, later)
        return kind is None

    def _wrong(self, piece: bytes, hashed: str) -> None:
        """A line with LF whose own hash is not right."""
        shaped = record.HEAD.match(piece) is not None
        if (shaped or _TAIL.search(piece, max(0, len(piece) - 160))) and b"\0" not in piece:
            stored = piece[-66:-2].decode("ascii", "replace")
            self._names = (stored, hashed)
            seq = record.seq_of(piece) if shaped else None
            self._add("record-modified", piece, seq, "the line disagrees with its own hash", stored, hashed)
        else:
            self._names = ()
            self._add("malformed-line", piece, None, "this line is no record")
        self._gap += 1
        self._offset += len(piece) + 1
        if self._batch is not None:  # it stands in the place of one of the batch's lines
            self._batch.verified = False
            self._batch.done += 1  # and keeps it from being whole until a right line follows

    def _batches(self, piece: bytes, start: int, before: Link, *, linked: bool) -> None:
        """Follows batches through a line whose own hash is right. `before` is the record before it."""
        found = record.batch_of(piece + b"\n")
        batch, self._batch = self._batch, None
        if batch is not None:
            if found == (batch.done + 1, batch.count) and start + len(piece) - batch.start < record.BATCH_LIMIT:
                batch.done += 1
                self._batch = batch if batch.done < batch.count else None
                return
            if linked and batch.verified:
                broken = f"a batch of {batch.count} breaks off after {batch.done}"
                seq = None if batch.before is None else batch.before.seq + 1
                self._add("malformed-line", piece, seq, broken, batch.count, batch.done, at=(batch.start, batch.line))
        if found is None:
            return
        i, n = found
        if n > i and (i == 1 or not linked):
            self._batch = _Batch(start, self.line, before if before.hash else None, (self.records, self.time), i, n)
        elif linked and (batch is None or batch.verified):
            alone = f"record {i} of a batch of {n} without those before it"
            self._add("malformed-line", piece, self._seq + 1, alone, at=(start, self.line))

    def _first(self, line: bytes) -> None:
        try:
            self.header = parse_header(line)
        except NewerFormatError as error:
            self.newer = error
        if self.header is not None:
            self.floor = self.header.purged

    def _see_time(self, piece: bytes, ts: bytes) -> None:
        own = record.effective_time(piece) if b',"time":"' in piece else ts.decode()
        low, high = self.time or (own, own)
        self.time = (min(low, own), max(high, own))

    def _add(
        self,
        kind: str,
        piece: bytes,
        seq: int | None,
        message: str,
        expected: Any = None,
        actual: Any = None,
        at: tuple[int, int] | None = None,
        size: int = 0,
    ) -> None:
        self.damaged += 1
        if len(self.damage) < KEPT_DAMAGE:
            head = record.HEAD.match(piece)
            offset, line = at or (self._offset, self.line)
            own_id = head[3].decode() if head else None
            size = size or len(piece) + 1
            self.damage.append(Damage(kind, offset, size, line, seq, expected, actual, message, own_id))

    def _settle(self) -> None:
        """Moves the committed end to where everything is whole."""
        batch = self._batch
        if batch is None:
            self.end = self._right_end
            if self._prev:
                self.last = Link(self._seq, self._prev.decode(), self._ts.decode())
        elif batch.start >= self.end:
            self.end, self.last = batch.start, batch.before

    def _begin_void(self) -> None:
        """All from this line on, or from the batch that it stands in, is what a crash left."""
        self._void, self.torn_at = True, self._offset
        self.line -= 1

    def _count_void(self, data: bytes) -> None:
        """Counts whole records behind a hole: they are not part of the log, but they say what was lost."""
        pieces = (self._rest + data).split(b"\n")
        self._rest = pieces.pop()
        if len(self._rest) > record.HARD_LIMIT:
            self._rest = b""
        for piece in pieces:
            if record.own_hash_right(piece + b"\n"):
                self.void_lines += 1
                self.void_last = max(self.void_last, record.seq_of(piece))

    def _go_on_long(self, data: bytes) -> None:
        """Through a line longer than any record: only its length and its NULs matter."""
        nuls = self._long
        assert nuls is not None
        stop = data.find(b"\n")
        nuls.feed(data if stop < 0 else data[:stop])
        if stop < 0:
            return
        self._long = None
        self.line += 1
        if nuls.hole():
            self._begin_void()
            self._count_void(data[stop + 1 :])
            return
        size = nuls.at + 1 - self._offset
        self._add("malformed-line", self._head, None, "a line longer than any record may be", size=size)
        self._gap, self._names = self._gap + 1, ()
        self._offset += size
        self._take(data[stop + 1 :])


class Nuls:
    """Looks for a hole in a line that arrives in pieces."""

    def __init__(self, start: int) -> None:
        self.start = self.at = start
        self._run = (-1, -1)
        self._found = False

    def feed(self, data: bytes) -> None:
        for found in _NULS.finditer(data):
            begin, stop = self.at + found.start(), self.at + found.end()
            if begin == self._run[1]:  # the same run goes on
                begin = self._run[0]
            else:
                self.hole()
            self._run = (begin, stop)
        self.at += len(data)

    def hole(self) -> bool:
        begin, stop = self._run
        self._found |= stop > 0 and (begin == self.start or begin % 512 == 0) and stop % 512 == 0
        return self._found


def hole_in(piece: bytes, start: int) -> bool:
    """Whether a line that begins at offset `start` has a hole: a run of NUL bytes that a lost block leaves.

    It begins with the line or at a multiple of 512, and ends at a multiple of 512.

    >>> hole_in(b"{" + bytes(511) + b"x", 512), hole_in(bytes(512) + b"x", 512)
    (False, True)
    """
    nuls = Nuls(start)
    nuls.feed(piece)
    return nuls.hole()
