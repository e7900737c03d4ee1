"""What must be said of the files of a log: docs/format.md, "What a verifier says", in the plainest code.

The judge that the verifier is held to. It shares no code with the package, takes a file as a whole and a line at a
time, and knows nothing of windows, of digests kept, of processes or speed. Where the format leaves room, these are its
rules, made before anything was compared:

- A line whose hash is not that of its bytes is `record-modified`; if it breaks a rule of the line as well,
  `malformed-line` is as right. A line with a right hash that breaks a rule is `malformed-line`, and the chain goes
  through it, unless there is no `prev` at its place.
- A line whose hash is right goes on from the right one before it: else `records-missing` where seq jumps forward,
  `chain-broken` where it does not; and `clock-backwards` where ts goes back.
- Damaged lines between two right ones may each stand for a record, or have been put in. So the second is beyond doubt
  where it names one of them as its `prev`, where as many records fit in between, or where none does and it follows the
  first. Where more would fit, records are missing besides. Where fewer, nobody can tell: `chain-broken` may be said.
- Behind a file without one right line nothing is known of the chain, as behind a missing one.
- Only the newest segment may end torn, and one of which no header behind it speaks. Elsewhere such an end is a
  `malformed-line`, unless it stands where the next header accounts for a torn end.
- A sealed file that is not what the next header says is `segment-altered`, and all its lines are looked at. Records
  behind those that it says are a `fork`, if all lines are right.
- A file without a right header is `header-missing`; it is not missed as well, where its name or its seqs tell its
  place, or that it is the active one.
"""

from __future__ import annotations

import functools
import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from blake3 import blake3

_HEAD = re.compile(
    rb'\{"seq":([1-9]\d*),"ts":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)",'
    rb'"id":"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}","type":"([A-Za-z0-9_.:-]{1,128})",'
)
_PLACES = re.compile(rb"(.{7})([^,]*),.{6}(.{27})", re.DOTALL)
_TAIL = re.compile(rb',"prev":"[0-9a-f]{64}","hash":"[0-9a-f]{64}"\}\n\Z')
_BATCH = re.compile(rb',"batch":\[([1-9]\d*),([1-9]\d*)\]\Z')
_SEALED = re.compile(r"(.+)\.\d{8}T\d{12}Z(\.[^.]+)(\.gz)?")
_WORST = ("intact", "torn", "empty", "incomplete", "forked", "tampered")
_VERDICT = {"torn-tail": "torn", "segment-missing": "incomplete", "fork": "forked"}
_DAMAGED = frozenset(("record-modified", "malformed-line"))


class Place(NamedTuple):
    """A finding: one of these kinds, in a file, in this line and at this seq where they are known."""

    kinds: frozenset[str]
    segment: str
    line: int | None = None
    seq: int | None = None


@dataclass
class Said:
    """What must be said. What is neither in `findings` nor in `allowed` must not be."""

    findings: list[Place] = field(default_factory=list)
    allowed: list[Place] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)
    besides: set[str] = field(default_factory=set)
    """Verdicts that no finding stands for."""

    @property
    def verdict(self) -> str:
        """The worst that applies."""
        found = {_VERDICT.get(kind, "tampered") for place in self.findings for kind in place.kinds}
        return max(found | self.besides, key=_WORST.index, default="intact")

    def must(self, kinds: str | frozenset[str], segment: str, line: int | None = None, seq: int | None = None) -> None:
        self.findings.append(Place(_kinds(kinds), segment, line, seq))

    def may(self, kinds: str | frozenset[str], segment: str, line: int | None = None) -> None:
        self.allowed.append(Place(_kinds(kinds), segment, line))


def _kinds(kinds: str | frozenset[str]) -> frozenset[str]:
    return frozenset((kinds,)) if isinstance(kinds, str) else kinds


# -- a line


class Line(NamedTuple):
    """A line as it stands, and what it says if it is a record."""

    text: bytes
    right: bool
    """Its hash is that of its bytes, and its `prev` in its place."""
    sealed: bool
    """Its hash is that of its bytes."""
    lawful: bool
    head: bool
    """It begins as a record does."""
    seq: int
    ts: str
    kind: str
    prev: str
    hash: str
    batch: tuple[int, int] | None
    names: frozenset[str]
    """What a record behind it may rightly call it."""


@functools.lru_cache(1 << 14)
def read(text: bytes) -> Line:
    """A line, LF included if it has one."""
    head, places, batch = _HEAD.match(text), _PLACES.match(text), _BATCH.search(text[:-150])
    computed, stored = blake3(text[:-76]).hexdigest(), text[-67:-3].decode("ascii", "replace")
    sealed = text[-76:-67] == b',"hash":"' and text[-3:] == b'"}\n' and stored == computed
    return Line(
        text=text,
        right=sealed and text[-150:-141] == b',"prev":"',
        sealed=sealed,
        lawful=_lawful(text),
        head=head is not None,
        seq=int(places[2]) if places and places[1] == b'{"seq":' and places[2].isdigit() else 0,
        ts=places[3].decode() if places and _instant(places[3].decode("ascii", "replace")) else "",
        kind=head[3].decode() if head else "",
        prev=text[-141:-77].decode("ascii", "replace"),
        hash=stored,
        batch=(int(batch[1]), int(batch[2])) if batch else None,
        names=frozenset((stored, computed)),
    )


def _lawful(text: bytes) -> bool:
    """Whether a line keeps every rule of the line, in a log that has no fractions in it."""
    try:
        value = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_once)
        plain = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return False
    if plain + b"\n" != text or not (_HEAD.match(text) and _TAIL.search(text)):
        return False
    return all(_instant(value[name]) for name in ("ts", "time") if name in value)


def _once(pairs: Any) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError(pairs)
    return dict(pairs)


def _instant(value: Any) -> bool:
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%f%z").strftime("%Y-%m-%dT%H:%M:%S.%fZ") == value
    except (TypeError, ValueError):
        return False


def hole(text: bytes, offset: int) -> bool:
    """Whether a lost block stands in a line at `offset`: NUL bytes from its start, or a multiple of 512, up to one."""
    return any(
        (found.start() == 0 or (offset + found.start()) % 512 == 0) and (offset + found.end()) % 512 == 0
        for found in re.finditer(rb"\x00+", text)
    )


def _header(text: bytes) -> dict[str, Any] | None:
    """`details` of a line that is a right header."""
    line = read(text)
    if not (line.right and line.kind == "audit.segment"):
        return None
    try:
        details = json.loads(text).get("details")
    except ValueError:
        return None
    known = isinstance(details, dict) and details.get("format") == 1 and details.get("segment")
    if not known or not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", details["log"]):
        return None
    return details if _predecessor(details.get("previous")) == (details["segment"] != 1) else None


def _predecessor(said: Any) -> bool:
    """Whether this says what the segment before was."""
    try:
        numbers = [said[name] for name in ("first_seq", "last_seq", "bytes")]
        known = re.fullmatch("[0-9a-f]{64}", said["blake3"]) and isinstance(said["name"], str)
        return bool(known) and all(type(n) is int for n in numbers) and [*map(_instant, said["time"])] == [True, True]
    except (TypeError, KeyError):
        return False


# -- a file


@dataclass
class File:
    """A file that bears a name of the log."""

    name: str
    data: bytes | None
    """As it reads unpacked; None where it cannot be unpacked."""
    lines: list[tuple[int, Line]]
    """With the offset of each."""
    header: dict[str, Any] | None
    """`details` of its header, where that is right."""

    @property
    def first_seq(self) -> int:
        """Of the first right line; 0 if there is none."""
        return next((line.seq for _, line in self.lines if line.right), 0)

    @staticmethod
    @functools.lru_cache(1 << 8)
    def of(name: str, data: bytes) -> File:
        """The file of these bytes. Not to be changed: it is kept."""
        plain: bytes | None = data
        begin = data
        if name.endswith(".gz"):
            unpack = zlib.decompressobj(31)
            try:
                begin = unpack.decompress(data)
            except zlib.error:
                begin = b""
            plain = begin if unpack.eof else None
        at, lines = 0, []
        for text in re.findall(rb"[^\n]*\n|[^\n]+", plain or b""):
            lines.append((at, read(text)))
            at += len(text)
        return File(name, plain, lines, _header(begin[: begin.find(b"\n") + 1]))


class Standing(NamedTuple):
    """Where a chain has got to."""

    last: Line | None
    """The last right line; None where that is not known."""
    gap: tuple[Line, ...] = ()
    """Damaged lines behind it."""


@dataclass
class _Batch:
    line: int
    before: Standing
    committed: int
    count: int
    done: int
    sound: bool


class Walk:
    """Looks at the lines of a file from the first to the last."""

    def __init__(self, file: File, said: Said, standing: Standing, *, end: str) -> None:
        self.file = file
        self.said = said
        self.standing = standing
        self.committed = 0
        """How many lines stand before the end of the last committed record."""
        self.seq = 0
        """Of the last of them."""
        self.damaged = False
        self._batch: _Batch | None = None
        self._any = self._gap = False
        torn = False
        for number, (offset, line) in enumerate(file.lines, 1):
            piece = not line.text.endswith(b"\n")
            # No header is put in place before it is on the disk: what a crash leaves stands behind one.
            lost = end == "torn" and not line.right and self._any and hole(line.text[:-1], offset)
            if lost or (piece and end == "torn"):
                torn = True
                break
            if piece and end == "accounted":
                said.may(_DAMAGED, file.name, number)
                break
            if line.right:
                self._right(number, line)
                continue
            kinds = "malformed-line" if piece or line.sealed else "record-modified" if line.lawful else _DAMAGED
            said.must(kinds, file.name, number)
            self.damaged = True
            self.standing = Standing(self.standing.last, (*self.standing.gap, line))
            self._gap = True
            if self._batch is not None and not piece:
                self._batch.sound = False
                self._batch.done += 1
        self._finish(torn, end)

    def _right(self, number: int, line: Line) -> None:
        before = self.standing
        sound = (self._follows(number, line) or not self._any) and line.lawful
        if not line.lawful:
            self.said.must("malformed-line", self.file.name, number)
        self._batches(number, line, before, sound)
        self.damaged = self.damaged or not sound
        if before.last is not None and self._any:  # what cannot be read is taken for what is due
            put_in = line.prev == before.last.hash
            due = before.last.seq + 1 + (0 if put_in else len(before.gap)) if before.last.seq else 0
            line = line._replace(seq=line.seq or due, ts=line.ts or before.last.ts)
        self._any, self._gap = True, False
        self.standing = Standing(line)
        if self._batch is None:
            self.committed, self.seq = number, line.seq

    def _follows(self, number: int, line: Line) -> bool:
        """Whether a line goes on from where the chain had got to."""
        last, gap = self.standing
        if last is None:
            return True
        due = last.seq + 1 + len(gap)
        seq = line.seq
        sound, kind = True, None
        if not line.seq or (not last.seq and last.text):  # where it cannot be read there is nothing to count on
            kind = "chain-broken" if not gap and line.prev != last.hash else None
        elif not gap or line.prev == last.hash:
            if line.prev != last.hash:
                kind = "records-missing" if seq > due else "chain-broken"
            elif seq != last.seq + 1:
                kind = "chain-broken"
        elif seq > due:
            kind = "records-missing"
        elif seq < due and not any(line.prev in damaged.names for damaged in gap):
            self.said.may("chain-broken", self.file.name, number)
            sound = False
        if kind is not None:
            self.said.must(kind, self.file.name, number, line.seq or None)
        if line.ts and line.ts < last.ts:
            self.said.must("clock-backwards", self.file.name, number, line.seq or None)
        return sound and kind is None

    def _batches(self, number: int, line: Line, before: Standing, sound: bool) -> None:
        open_, self._batch = self._batch, None
        if open_ is not None:
            if line.batch == (open_.done + 1, open_.count):
                open_.done, open_.sound = open_.done + 1, open_.sound and sound
                self._batch = open_ if open_.done < open_.count else None
                return
            if open_.sound and sound:
                self.said.must("malformed-line", self.file.name, open_.line)
        if line.batch is None:
            return
        i, n = line.batch
        if not 2 <= n >= i:
            self.said.must("malformed-line", self.file.name, number)
        elif i == 1 or not sound or self._gap:
            self._batch = _Batch(number, before, self.committed, n, i, sound and i == 1) if i < n else None
        elif open_ is None or open_.sound:
            self.said.must("malformed-line", self.file.name, number)

    def _finish(self, torn: bool, end: str) -> None:
        batch = self._batch
        if batch is not None:
            self.committed = batch.committed
            if batch.sound and end == "torn":
                self.standing, torn = batch.before, True
            elif batch.sound:
                place = self.said.may if end == "accounted" else self.said.must
                place("malformed-line", self.file.name, batch.line)
                self.damaged = True
        if torn:
            self.said.must("torn-tail", self.file.name)
        if not self._any:
            self.standing = Standing(None)


# -- the files


def must(files: Mapping[str, bytes], named: str) -> Said:
    """What must be said of these files, of the log that is named by its path `named`."""
    said = Said()
    _Judge(files, named, said)
    return said


class _Judge:
    def __init__(self, files: Mapping[str, bytes], named: str, said: Said) -> None:
        self.said = said
        self.named = named
        self.groups: dict[int, list[File]] = {}
        names = sorted((name for name in files if self._bears(name)), key=lambda name: (name != named, name))
        # An empty active file counts as missing.
        self._sort([File.of(name, files[name]) for name in names if name != named or files[name]])
        chosen: dict[int, File] = {}
        for number in sorted(self.groups, reverse=True):
            vouched = _previous(chosen.get(number + 1))
            chosen[number] = self.groups[number][0]
            if len(self.groups[number]) > 1:
                ranks = [_rank(file, vouched) for file in self.groups[number]]
                chosen[number] = self.groups[number][ranks.index(max(ranks))]
            for file in self.groups[number]:
                if file is not chosen[number]:
                    self._copy(file, chosen[number])
        self._chain(chosen)
        if not any(line.right for file in chosen.values() for _, line in file.lines):
            said.besides.add("empty")
        elif chosen[max(chosen)].name != named:
            said.besides.add("incomplete")
            said.notes.add("active-missing")

    def _bears(self, name: str) -> bool:
        """Whether a file has a name of the log."""
        stem, dot, extension = self.named.rpartition(".")
        sealed = _SEALED.fullmatch(name)
        return name == self.named or (sealed is not None and sealed.group(1, 2) == (stem, dot + extension))

    def _sort(self, files: list[File]) -> None:
        """Which file is which segment."""
        logs = Counter(file.header["log"] for file in files if file.header)
        log = max(logs, key=lambda log: logs[log], default=None)
        if files and files[0].name == self.named and files[0].header:
            log = files[0].header["log"]
        for file in files:
            if file.header and file.header["log"] == log:
                self.groups.setdefault(file.header["segment"], []).append(file)
            elif file.header:
                self.said.must("foreign-segment", file.name, 1, file.lines[0][1].seq)
        headed = [file for group in self.groups.values() for file in group]
        for file in sorted((file for file in files if file.header is None), key=lambda file: file.first_seq or 2**64):
            (self.said.must if file.data is not None else self.said.may)("header-missing", file.name, 1)
            number = self._place(file, headed)
            if number and number not in self.groups:
                self.groups[number] = [file]

    def _place(self, file: File, headed: list[File]) -> int:
        """The number of a segment without a right header; 0 where nothing tells it."""
        seq = file.first_seq
        headers = [other.header for other in headed if other.header]
        said = {details["segment"] - 1: details["previous"] for details in headers if details["previous"]}
        for number, previous in said.items():
            if previous["name"] == file.name.removesuffix(".gz"):
                return number
        for number, previous in said.items():
            if previous["first_seq"] <= seq <= previous["last_seq"] and number not in self.groups:
                return number
        last = max(self.groups, default=0)
        behind = seq > max((other.first_seq for other in headed), default=0)
        begins = any(line.head or line.right for _, line in file.lines)
        return last + 1 if begins and (file.name == self.named or not headers or behind) else 0

    def _copy(self, file: File, chosen: File) -> None:
        """One more file with the number of another."""
        aside = Said()
        walk = Walk(file, aside, Standing(None), end="torn")
        theirs = [line.text for _, line in chosen.lines]
        mine = [line.text for _, line in file.lines[: walk.committed]]
        at = next((n for n, text in enumerate(mine) if n >= len(theirs) or text != theirs[n]), None)
        if at is None:
            self.said.notes.add("older-copy")
        elif file.lines[at][1].right:
            self.said.must("fork", file.name, at + 1, file.lines[at][1].seq)
        self.said.findings += [place for place in aside.findings if place.kinds != {"torn-tail"}]
        self.said.allowed += aside.allowed

    def _chain(self, chosen: Mapping[int, File]) -> None:
        """The segments in their order."""
        due, standing = 1, Standing(read(b"")._replace(hash="0" * 64))
        for number in sorted(chosen):
            if number > due:
                self.said.must("segment-missing", chosen[number].name, 1)
                standing = Standing(None)
            standing = self._segment(chosen[number], standing, _previous(chosen.get(number + 1)))
            due = number + 1

    def _segment(self, file: File, standing: Standing, said: dict[str, Any] | None) -> Standing:
        if said is None:
            return Walk(file, self.said, standing, end="torn").standing
        if file.data is None:
            self.said.must("segment-altered", file.name)
            return Standing(None)
        size, torn = said["bytes"], said.get("torn", {"bytes": 0})
        whole = blake3(file.data[:size]).hexdigest() == said["blake3"]
        behind = file.data[size:]
        right = whole and len(behind) == torn["bytes"] and (not behind or blake3(behind).hexdigest() == torn["blake3"])
        if right and behind:
            self.said.notes.add("documented-torn")
        vouched = replace(File.of(file.name.removesuffix(".gz"), file.data[:size]), name=file.name)
        if right:
            return Walk(vouched, self.said, standing, end="sealed").standing
        self.said.must("segment-altered", file.name)
        walk = Walk(file, self.said, standing, end="accounted" if torn["bytes"] else "sealed")
        if not walk.damaged and walk.standing.last is not None and walk.standing.last.seq > said["last_seq"]:
            self.said.must("fork", file.name, None, said["last_seq"] + 1)
        return Standing(vouched.lines[-1][1]) if whole else walk.standing


def _previous(after: File | None) -> dict[str, Any] | None:
    """What the next header says of a segment."""
    return None if after is None or after.header is None else after.header["previous"]


def _rank(file: File, said: dict[str, Any] | None) -> tuple[bool, bool, int, bool]:
    """Which of several files with one number is the segment: the greatest."""
    data, sealed = file.data or b"", _SEALED.fullmatch(file.name) is not None
    if said is not None and len(data) >= said["bytes"] and blake3(data[: said["bytes"]]).hexdigest() == said["blake3"]:
        return True, len(data) == said["bytes"] + said.get("torn", {"bytes": 0})["bytes"], 0, sealed
    return False, False, Walk(file, Said(), Standing(None), end="torn").seq, sealed
