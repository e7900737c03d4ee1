"""What a log says of its own life: restarts, crashes, clock steps, purges. Found in raw bytes, as they pass."""

from __future__ import annotations

from typing import Any, NamedTuple

from jsonl_audit import record, references

__all__ = ["Event", "Historian"]

KEPT = 2000
"""So many of a file are kept."""
_LONGEST = 1 << 16
_NEEDLES = (b'","type":"audit.', b'","clock":"', b'","type":"system.start"')
_CLOCK = b'"clock":"'


class Event(NamedTuple):
    """One thing that happened to a log, as a record of it says."""

    kind: str
    """``"begun"``, ``"sealed"``, ``"crash"``, ``"restart"``, ``"clock"``, ``"purged"``, ``"settings"``, ``"lost"``, or
    another control record's type without ``audit.``."""
    seq: int
    ts: str
    text: str
    times: int = 1
    """How many records in a row say the same."""

    def to_dict(self) -> dict[str, Any]:
        """The members that the report shows."""
        return self._asdict()


class Historian:
    """Takes the bytes of a segment, block by block, and keeps what happened."""

    def __init__(self) -> None:
        self.refers = False
        """Whether a record may refer to an artifact."""
        self._rest = b""
        self._events: list[Event] = []
        self._more = 0

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        cut = data.rfind(b"\n") + 1
        if not cut:
            self._rest = (self._rest + data)[: _LONGEST * 2]
            return
        text = self._rest + data[:cut] if self._rest else data[:cut]
        self._rest = data[cut:]
        self._search(text)

    def finish(self) -> tuple[tuple[Event, ...], int]:
        """What happened, in its order, and how much more than that."""
        return tuple(self._events), self._more

    def _search(self, text: bytes) -> None:
        self.refers = self.refers or references.BEGINS in text
        # Plain searches, at the speed of memory, say where there is nothing: nearly everywhere.
        places = [text.find(needle) for needle in _NEEDLES]
        while (there := min((place for place in places if place >= 0), default=-1)) >= 0:
            start, end = text.rfind(b"\n", 0, there) + 1, text.find(b"\n", there) + 1
            line = text[start:end]
            if len(line) < _LONGEST and record.HEAD.match(line) and record.own_hash_right(line):
                self._take(line)
            for number, needle in enumerate(_NEEDLES):
                if 0 <= places[number] < end:
                    places[number] = text.find(needle, end)

    def _take(self, line: bytes) -> None:
        seq, ts, kind = record.seq_of(line), record.ts_of(line), record.type_of(line)
        head = record.HEAD.match(line)
        if head is not None and line.startswith(_CLOCK, head.end()):
            own = line[head.end() + len(_CLOCK) :][:27].decode("ascii", "replace")
            self._add(Event("clock", seq, ts, f"the clock had gone back, to {own}"))
        if kind == "system.start":
            self._add(Event("restart", seq, ts, "the program says that it started"))
        elif kind.startswith("audit."):
            try:
                details = record.decode(line).get("details")
            except ValueError:
                return
            self._add(*_told(kind, seq, ts, details if isinstance(details, dict) else {}))

    def _add(self, *events: Event) -> None:
        for event in events:
            last = self._events[-1] if self._events else None
            if last is not None and event.kind == last.kind == "clock" and event.seq == last.seq + last.times:
                self._events[-1] = last._replace(times=last.times + 1)
            elif len(self._events) < KEPT:
                self._events.append(event)
            else:
                self._more += 1


def _told(kind: str, seq: int, ts: str, details: dict[str, Any]) -> list[Event]:
    """What a control record says, in words; the header of a segment may say two things."""
    if kind == "audit.segment":
        return _of_header(seq, ts, details)
    if kind == "audit.purged":
        through = details.get("through")
        number = through.get("segment") if isinstance(through, dict) else "?"
        return [Event("purged", seq, ts, f"segments up to {number!s:.20} were let go: {details.get('reason')!s:.80}")]
    if kind == "audit.lost":
        first, last, count = (details.get(name) for name in ("first_seq", "last_seq", "count"))
        said = f"{count!s:.20} acknowledged records were lost, seq {first!s:.20} to {last!s:.20}"
        return [Event("lost", seq, ts, said)]
    if kind == "audit.settings":
        return [Event("settings", seq, ts, "it was opened with other settings")]
    return [Event(kind.removeprefix("audit."), seq, ts, f"a record of type {kind}")]


def _of_header(seq: int, ts: str, details: dict[str, Any]) -> list[Event]:
    previous, writer = details.get("previous"), f"{details.get('writer')!s:.60}"
    if not isinstance(previous, dict):
        return [Event("begun", seq, ts, f"the log was begun by {writer}")]
    told = [Event("sealed", seq, ts, f"segment {details.get('segment')!s:.20} was begun by {writer}")]
    torn = previous.get("torn")
    if isinstance(torn, dict):
        what = f"{torn.get('bytes')!s:.20} bytes of a commit that was not whole"
        what = "what stood behind a sync that failed" if torn.get("unsynced") else what
        told.append(Event("crash", seq, ts, f"a crash had left {what}; it was accounted for, and the log went on"))
    if details.get("active") == "missing":
        told.append(Event("missing", seq, ts, "the active file had been removed; the next writer said so"))
    return told
