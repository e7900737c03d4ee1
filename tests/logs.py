"""Logs made by hand for tests, with verbs: add, seal, flip a bit, cut, drop a segment, and what else may happen to one.

Made from `record` and `segment` alone, without the writer, so that every state can be had, also those that the writer
never leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from blake3 import blake3

from jsonl_audit import instants, record
from jsonl_audit.segment import Floor, Names, Previous, header_details

LOG = "0190c0de-0000-7000-8000-00000000a0d1"
OTHER = "0190c0de-0000-7000-8000-00000000ffff"
START = 1_800_000_000 * 10**6
"""Of the clock that these logs are written by, in microseconds since 1970; it goes on by a second with each record."""


class Log:
    """A log in a directory. Segments are counted from 1; offsets and lines within one from 0."""

    def __init__(self, directory: Path, name: str = "audit.jsonl", *, log: str = LOG, start: int = START) -> None:
        self.directory = directory
        self.names = Names.of(directory / name)
        self.id = log
        self.us = start
        self.seq = 0
        self.head = record.ZERO
        self.segment = 0
        self.floor: Floor | None = None
        self.paths: list[Path] = []
        self._first_seq = 1
        self._size = 0
        self._low = self._high = instants.text(start)
        self._begin(None)

    # -- writing

    @property
    def active(self) -> Path:
        """The path that the log is named by."""
        return Path(self.names.path)

    def _put(self, body: record.Body, **how: Any) -> bytes:
        self.us += 1_000_000
        ts = instants.text(self.us)
        body = body._replace(id=body.id or f"0190c0de-0000-7000-8000-{self.seq + 1:012x}".encode())
        line, _, self.head = record.line(self.seq + 1, ts, body, self.head, **how)
        self.seq += 1
        self._size += len(line)
        self._low, self._high = min(self._low, body.time or ts), max(self._high, body.time or ts)
        with self.active.open("ab") as file:
            file.write(line)
        return line

    def add(self, event: str | dict[str, Any] = "test.event", /, **members: Any) -> bytes:
        """Appends one record and returns its line."""
        return self._put(record.encode({"type": event, **members} if isinstance(event, str) else event))

    def fill(self, count: int) -> Log:
        """Appends `count` records."""
        for number in range(count):
            self.add("test.event", actor={"id": f"u{number % 3}"}, details={"n": number, "text": "Grüße, \"q\" \\ \n"})
        return self

    def batch(self, events: Sequence[dict[str, Any]]) -> list[bytes]:
        """Appends the events as one batch."""
        return [
            self._put(record.encode(event), batch=(number, len(events))) for number, event in enumerate(events, 1)
        ]

    def control(self, kind: str, details: dict[str, Any]) -> bytes:
        """Appends one of the engine's own records."""
        return self._put(record.control(kind, details))

    def raw(self, data: bytes) -> None:
        """Bytes behind the last record that are none."""
        with self.active.open("ab") as file:
            file.write(data)

    def seal(self, **changes: Any) -> Log:
        """Seals the active segment and begins the next; `changes` are members of Previous that it shall lie about."""
        content = self.active.read_bytes()
        path = self.directory / self.names.sealed(instants.stamp(self.us))
        previous = Previous(
            name=path.name,
            first_seq=self._first_seq,
            last_seq=self.seq,
            bytes=self._size,
            blake3=blake3(content[: self._size]).hexdigest(),
            time=(self._low, self._high),
            torn_bytes=len(content) - self._size,
            torn_blake3=blake3(content[self._size :]).hexdigest(),
        )
        self.active.rename(path)
        self.paths[-1] = path
        self._begin(replace(previous, **changes))
        return self

    def _begin(self, previous: Previous | None, **how: Any) -> None:
        self.segment += 1
        self._first_seq, self._size = self.seq + 1, 0
        self._low = self._high = instants.text(self.us + 1_000_000)
        self.paths.append(self.active)
        details = header_details(self.id, self.segment, previous, writer="tests/1", purged=self.floor, **how)
        self._put(record.control("audit.segment", details))

    def seal_without_active(self, **changes: Any) -> Log:
        """As if the active file had been removed under the log, and the next writer had said so."""
        self.seal(**changes)
        sealed, self.seq, self.head = self.paths[-2], self.seq - 1, self.lines(self.segment - 1)[-1][-67:-3].decode()
        previous = Previous.parse(record.decode(self.lines(self.segment)[0])["details"]["previous"])
        assert sealed.exists()
        self.active.unlink()
        self.paths.pop()
        self.segment -= 1
        self._begin(previous, active_missing=True)
        return self

    def purge(self, through: int, *, unlink: bool = True) -> Log:
        """Lets the segments up to number `through` go."""
        last = self.lines(through)[-1]
        self.floor = Floor(through, record.seq_of(last), last[-67:-3].decode())
        self.control("audit.purged", {"reason": "retention", "segments": [], "through": self.floor.to_dict()})
        if unlink:
            for number in range(1, through + 1):
                self.drop(number)
        return self

    # -- looking

    def read(self, number: int) -> bytes:
        """The bytes of a segment."""
        return self.paths[number - 1].read_bytes()

    def lines(self, number: int) -> list[bytes]:
        """The lines of a segment, LF included."""
        return self.read(number).splitlines(keepends=True)

    # -- doing harm

    def write(self, number: int, data: bytes | Iterable[bytes]) -> None:
        """Puts something else in the place of a segment's bytes."""
        self.paths[number - 1].write_bytes(data if isinstance(data, bytes) else b"".join(data))

    def over(self, number: int, data: bytes) -> None:
        """Writes something else over a segment's bytes; the file keeps its inode, and the lock file's mark its word."""
        with self.paths[number - 1].open("r+b") as file:
            file.write(data)
            file.truncate()

    def flip(self, number: int, offset: int, bit: int = 0) -> None:
        """Flips one bit."""
        data = bytearray(self.read(number))
        data[offset] ^= 1 << bit
        self.write(number, bytes(data))

    def cut(self, number: int, size: int) -> None:
        """Cuts a segment to `size` bytes."""
        self.write(number, self.read(number)[:size])

    def drop(self, number: int) -> None:
        """Removes a segment's file."""
        self.paths[number - 1].unlink(missing_ok=True)

    def change(self, number: int, line: int, old: bytes, new: bytes) -> None:
        """Replaces bytes in one line; its hash stays."""
        lines = self.lines(number)
        assert old in lines[line]
        lines[line] = lines[line].replace(old, new, 1)
        self.write(number, lines)

    def delete_line(self, number: int, line: int) -> None:
        """Takes one line out."""
        lines = self.lines(number)
        del lines[line]
        self.write(number, lines)

    def double_line(self, number: int, line: int) -> None:
        """Puts one line in a second time, behind itself."""
        lines = self.lines(number)
        lines.insert(line, lines[line])
        self.write(number, lines)

    def swap_lines(self, number: int, line: int) -> None:
        """Exchanges one line and the next."""
        lines = self.lines(number)
        lines[line], lines[line + 1] = lines[line + 1], lines[line]
        self.write(number, lines)

    def insert_line(self, number: int, line: int, new: bytes) -> None:
        """Puts a foreign line in before one."""
        lines = self.lines(number)
        lines.insert(line, new)
        self.write(number, lines)


def build(directory: Path, *, segments: int = 3, events: int = 5, name: str = "audit.jsonl", log: str = LOG) -> Log:
    """A whole log of `segments` segments with `events` records behind each header."""
    directory.mkdir(parents=True, exist_ok=True)
    made = Log(directory, name, log=log).fill(events)
    for _ in range(segments - 1):
        made.seal().fill(events)
    return made


def rehashed(line: bytes) -> bytes:
    """A line with the hash that fits what it says now."""
    return line[:-67] + blake3(line[:-76]).hexdigest().encode() + b'"}\n'
