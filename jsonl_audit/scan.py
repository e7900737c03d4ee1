"""Bytes of a segment → records, torn end, damage: the one place where a line is understood.

`Walk` reads a segment from its start, block by block, and checks every line: its own hash, its link to the line
before, seq, ts, batches and, if `strict`, every rule of the format. What a crash leaves behind, and nothing else, is
torn (docs/format.md):

- a piece without LF at the end of the file,
- a batch whose lines are all right and which is not whole when the file ends,
- a hole, with all that stands behind it: the disk kept later blocks and lost earlier ones.

Everything else that does not verify is damage. Lines that are what the record before them leads to, nearly all, are
taken many at a time; where one of them is not, that many are looked at one by one.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from blake3 import blake3

from jsonl_audit import instants, record, rules
from jsonl_audit.batches import Batches, State
from jsonl_audit.errors import NewerFormatError
from jsonl_audit.lines import Lines, Long, Nuls, hole_in, unconverted
from jsonl_audit.links import CLOCK_BACKWARDS, NO_GAP, Link, broken_link
from jsonl_audit.references import Seeker
from jsonl_audit.segment import Floor, Header, parse_header, settings_of

__all__ = ["WINDOW", "Damage", "Link", "Nuls", "Walk", "hole_in"]

WINDOW = 1 << 18
"""How much is best read at once, in bytes: more does not fit the processor's own memory."""
KEPT_DAMAGE = 10_000
"""So many places are kept one by one; of what is more, only the number."""

_TOGETHER = 32  # lines: more is no faster
_SHORTEST = 228  # bytes: no line is shorter
_TAIL = re.compile(rb',"prev":"[0-9a-f]{64}","hash":"[0-9a-f]{64}"\}\n\Z')
_BRACKET = ord("]")


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


class Walk:
    """One walk over a segment, or over a part of it that begins and ends between two lines.

    `link` is the last record before the part; None takes the first line as it comes. `strict` checks every rule of
    a line, not only hash, link, seq and ts. Up to `known` everything is known to have been on the disk: a hole before
    it is damage. `digest` keeps the BLAKE3 of the bytes up to `end` and of those behind, `times` the range of effective
    times. `offset` and `line` say where the part begins.

    After `finish`: `end` is the offset of the end of the last committed record, `last` its link, `records` how many
    there are; `torn` is None, ``"piece"``, ``"batch"`` or ``"hole"``, beginning at `torn_at`: a batch that is not whole
    begins in line `cut_short`, the line without end, or with the hole, at `rest`; `damage` lists places,
    `damaged` counts them; `void_lines` counts whole records behind a hole and `void_last` is the highest seq of them;
    `header` is the first line if it is one; `floor` that of the newest purge record, `settings` the newest that are
    recorded. `first` is the first record and stands in line `first_line`, `tip` the last line whose own hash is right,
    committed or not; `begins` says whether any line begins as a record does, `clamped` how many carry the clock's own
    reading, if strict; `refers` whether any refers to an artifact, if `digest`.
    """

    def __init__(
        self,
        *,
        link: Link | None = None,
        strict: bool = True,
        known: int = 0,
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
        self.first_prev, self.first_line, self.first_gap = "", 0, NO_GAP
        self.tip = link
        self.records = 0
        self.begins = link is not None
        self.clamped = 0
        self.header: Header | None = None
        self.newer: NewerFormatError | None = None
        self.floor: Floor | None = None
        self.settings: dict[str, Any] | None = None
        self.damage: list[Damage] = []
        self.damaged = 0
        self.torn: str | None = None
        self.torn_at = self.rest = offset
        self.cut_short = self.void_lines = self.void_last = 0
        self.time: tuple[str, str] | None = None
        self.timed = 0
        self._lawful = rules.Together() if strict else None
        self.refers, self._seeker = False, Seeker()
        self._known, self._times, self._digest = known, times, digest
        self._all, self._upto_end, self._behind = blake3(), blake3(), blake3()
        self._lines = Lines(offset)
        self._offset = offset  # of the first byte not taken apart
        self._right_end = offset  # behind the last line whose own hash is right
        self._void = False
        self._batches = Batches()
        self.gap = NO_GAP  # behind the last record
        self._link = link or Link(0, "", "")  # the last line whose own hash is right
        self._hasher = blake3()

    def feed(self, data: bytes) -> None:
        """The next bytes of the part."""
        start = self.pos
        self.pos += len(data)
        self._take(self._lines.feed(data))
        # The committed end moves to where everything is whole: into these bytes, or not at all.
        batch = self._batches.open
        if batch is None:
            self.end, self.last = self._right_end, self._link if self._link.hash else self.last
        else:
            self.end, self.last = batch.before.end, batch.before.last
        if self._digest:
            self.refers = self._seeker.feed(data)
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
        piece = self._lines.unfinished
        if self._void:
            self.torn = "hole"
        elif piece:
            self.torn, self.torn_at = "piece", self._offset
            self.begins = self.begins or record.HEAD.match(piece) is not None
        batch = self._batches.open
        self.rest = self.torn_at
        self.tip = self._link if self._link.hash else None
        if batch is not None:
            _, _, self.records, self.time, self.timed = batch.before
            if batch.sound:
                self.torn, self.torn_at = self.torn or "batch", batch.start
                self.cut_short = batch.line
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

    def _take(self, lines: list[bytes]) -> None:
        for at in range(0, len(lines), _TOGETHER):
            some = lines[at : at + _TOGETHER]
            if not self._ordinary(some):
                for line in some:
                    self._one(line)

    def _ordinary(self, lines: list[bytes]) -> bool:
        """Takes the lines if each is what the record before it leads to, and breaks no rule; else takes none."""
        link, batch = self._link, self._batches.open
        if self._void or self.gap.lines or not link.hash or (batch is not None and not batch.sound):
            return False
        last = link.seq + len(lines)
        at = 14 + len(str(last))
        if min(map(len, lines)) < _SHORTEST:
            return False
        if [line[:at] for line in lines] != [b'{"seq":%d,"ts":"' % seq for seq in range(link.seq + 1, last + 1)]:
            return False
        stamps = [line[at : at + 27] for line in lines]
        if stamps[0] < link.ts.encode() or stamps != sorted(stamps):
            return False
        if b"audit." in [line[at + 81 : at + 87] for line in lines]:
            return False
        prev, hasher, ends = link.hash, self._hasher, []
        for line in lines:
            hasher.reset()
            own = hasher.update(line[:-76]).hexdigest()
            ends.append(f',"prev":"{prev}","hash":"{own}"}}\n')
            prev = own
        # Every part on either side has one LF, its last byte: the wholes are equal only where all parts are.
        if b"".join([line[-150:] for line in lines]) != "".join(ends).encode():
            return False
        own_times = False
        if self._lawful is not None:
            names = self._lawful(lines, at)
            if names is None:
                return False
            own_times = "time" in names
            if "clock" in names:
                self.clamped += sum("clock" in record.decode(line) for line in lines)
        elif not (rules.begin_right(lines, at) and rules.types_right(lines, at)):
            return False
        elif self._times:
            own_times = True in [b',"time":"' in line for line in lines]
        if batch is not None or own_times or _BRACKET in [line[-151] for line in lines]:
            self._count(lines, stamps)
        else:
            self.line += len(lines)
            self.records += len(lines)
            self._offset += sum(map(len, lines))
            if self._times:
                self._see(stamps[0].decode(), stamps[-1].decode())
        self._right_end = self._offset
        self._link = Link(last, prev, stamps[-1].decode())
        return True

    def _count(self, lines: list[bytes], stamps: list[bytes]) -> None:
        """Counts lines that are right, of which some may belong to batches or have a time of their own."""
        link = self._link
        for line, ts in zip(lines, stamps, strict=True):
            self.line += 1
            if self._batches.open is not None or line[-151] == _BRACKET:
                self._link = link
                self._batched(line, link.seq + 1, sound=True)
            link = Link(link.seq + 1, line[-67:-3].decode(), ts.decode())
            self._offset += len(line)
            self._right_end = self._offset
            self.records += 1
            if self._times:
                self._see_time(line)

    def _one(self, line: bytes) -> None:
        """One line, LF included, that may be anything."""
        if self._void:  # not part of the log, but it says what was lost
            if record.own_hash_right(line):
                self.void_lines += 1
                self.void_last = max(self.void_last, record.seq_of(line))
            return
        if not record.own_hash_right(line):
            # A crash leaves a hole behind a header only, which was synced before it was put in place.
            if self._offset >= self._known and self._link.hash and (
                line.hole if type(line) is Long else b"\0" in line and hole_in(line[:-1], self._offset)
            ):
                # All from this line on, or from the batch that it stands in, is what a crash left.
                self._void, self.torn_at = True, self._offset
            else:
                self.line += 1
                self._wrong(line)
            return
        self.line += 1
        before = self._link
        seq, ts, own = record.seq_of(line), record.ts_of(line), line[-67:-3].decode()
        # A right hash over a line that breaks a rule: it is named, and the chain goes through it.
        if self._lawful is not None:
            whole = rules.lawful(line[:-1])
        else:
            whole = record.HEAD.match(line) is not None and instants.is_instant(ts)
        if not whole:
            self._add("malformed-line", line, seq or None, rules.why(line[:-1]))
            if before.seq and not seq:
                seq = before.seq + 1 + (self.gap.lines if record.prev_of(line) != before.hash else 0)
            ts = ts if instants.is_instant(ts) else before.ts
        link = Link(seq, own, ts)
        linked = self._linked(line, link)
        if self.first is None:
            self.first, self.first_prev, self.first_line = link, record.prev_of(line), self.line
            self.first_gap = self.gap
            if self.line == 1:
                self._first(line)
        self._batched(line, seq, sound=linked and whole)
        self.begins = True
        self._link = link
        self.gap = NO_GAP
        self._offset += len(line)
        self._right_end = self._offset
        self.records += 1
        if self._times:
            self._see_time(line)
        if whole:
            self._control(line)

    def _first(self, line: bytes) -> None:
        try:
            self.header = parse_header(line)
        except NewerFormatError as error:
            self.newer = error
        if self.header is not None:
            self.floor, self.settings = self.header.purged, self.header.settings

    def _control(self, line: bytes) -> None:
        """What a line that is right says of the log itself."""
        kind = "" if self._batches.open is not None else record.type_of(line)
        own = kind in ("audit.purged", "audit.settings")
        if not own and (self._lawful is None or b'"clock":' not in line):
            return
        try:
            members = record.decode(line)
        except ValueError:  # a right hash over what is no JSON: a walk that is not strict lets it pass
            return
        self.clamped += "clock" in members
        details = members.get("details")
        if kind == "audit.settings":
            self.settings = settings_of(details) or self.settings
        elif own:
            self.floor = Floor.parse(details.get("through") if isinstance(details, dict) else None) or self.floor

    def _linked(self, line: bytes, link: Link) -> bool:
        """Judges how a line whose own hash is right goes on from the record before it."""
        before = self._link
        if not before.hash:
            return True
        broken = broken_link(before, link, record.prev_of(line), self.gap)
        if broken is not None:
            self._add(broken.kind, line, link.seq, broken.message, broken.expected, broken.actual)
        if link.ts < before.ts:
            self._add("clock-backwards", line, link.seq, CLOCK_BACKWARDS, before.ts, link.ts)
        return broken is None

    def _wrong(self, line: bytes) -> None:
        """A line with LF whose own hash is not right."""
        long = type(line) is Long
        size = line.size if type(line) is Long else len(line)
        plain, converted = (line, "") if long else unconverted(line)
        shaped = record.HEAD.match(plain) is not None
        self.begins = self.begins or shaped
        stored, hashed = plain[-67:-3].decode("ascii", "replace"), record.hash_of(plain)
        if not long and b"\0" not in plain and (shaped or _TAIL.search(plain, max(0, len(plain) - 160))):
            seq = record.seq_of(plain) if shaped else None
            if stored != hashed:
                what = "the line disagrees with its own hash"
                self._add("record-modified", plain, seq, what, stored, hashed, size=size)
            elif converted:
                self._add("record-modified", plain, seq, converted, size=size)
            else:  # only the form of its end is wrong
                self._add("malformed-line", line, seq, rules.why(line[:-1]))
        else:
            what = "a line longer than any record may be" if long else "this line is no record"
            self._add("malformed-line", line, None, what, size=size)
        self.gap = self.gap.wider(1, (stored, hashed))
        self._offset += size
        self._batches.damaged()

    def _batched(self, line: bytes, seq: int, *, sound: bool) -> None:
        """Follows batches through a line whose own hash is right; `sound` says that it is linked and lawful too."""
        at = (self._offset, len(line), self.line)
        before = State(self._right_end, self._link if self._link.hash else None, self.records, self.time, self.timed)
        found = record.batch_of(line)
        for wrong in self._batches.follow(found, at, seq, before, sound=sound, gap=self.gap.lines > 0):
            place, size = (wrong.offset, wrong.line), self._offset - wrong.offset
            text = b"" if size else line
            self._add("malformed-line", text, wrong.seq, wrong.message, wrong.expected, wrong.actual, place, size)

    def _see_time(self, line: bytes) -> None:
        own = record.own_time(line)
        self.timed += own is not None
        if own is None:
            own = record.ts_of(line)
            own = own if instants.is_instant(own) else self._link.ts
        self._see(own, own)

    def _see(self, low: str, high: str) -> None:
        self.time = (low, high) if self.time is None else (min(self.time[0], low), max(self.time[1], high))

    def _add(
        self,
        kind: str,
        line: bytes,
        seq: int | None,
        message: str,
        expected: Any = None,
        actual: Any = None,
        at: tuple[int, int] | None = None,
        size: int = 0,
    ) -> None:
        self.damaged += 1
        if len(self.damage) < KEPT_DAMAGE:
            head = record.HEAD.match(line)
            offset, number = at or (self._offset, self.line)
            own_id = head[3].decode() if head else None
            self.damage.append(Damage(kind, offset, size or len(line), number, seq, expected, actual, message, own_id))
