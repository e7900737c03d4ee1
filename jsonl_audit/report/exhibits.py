"""What backs a finding: the bytes expected and found, the records around it, and how to see it by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.errors import NotALogError
from jsonl_audit.report import byhand
from jsonl_audit.report.around import Line, around, line_at
from jsonl_audit.report.byhand import Command
from jsonl_audit.report.facts import Examined
from jsonl_audit.report.guess import one_byte
from jsonl_audit.verifier import Finding
from jsonl_audit.verifier.files import File

__all__ = ["SHOWN", "Exhibit", "Pair", "exhibits"]

SHOWN = 100
"""So many findings are shown with all that backs them; of the others, each with its place and a command."""
_OF_A_KIND = 20
_GUESSED = 20
"""For so many it is tried which one byte was changed, for the others only which one bit."""
_EXCERPT = 512


class Pair(NamedTuple):
    """What should stand somewhere, and what stands there."""

    what: str
    expected: bytes | None
    """None where it is not known."""
    found: bytes | None
    raw: bool = False
    """Bytes of the file, to be shown in hexadecimal too; else a text such as a hash."""

    def to_dict(self) -> dict[str, Any]:
        """The members that the report shows."""
        told: dict[str, Any] = {"what": self.what}
        for name, data in (("expected", self.expected), ("found", self.found)):
            told[name] = None if data is None else data.decode("utf-8", "backslashreplace")
            if self.raw:
                told[f"{name}_hex"] = None if data is None else data.hex()
        return told


@dataclass(slots=True)
class Exhibit:
    """A finding with what backs it."""

    number: int
    """Of the finding, 1 for the first."""
    finding: Finding
    file: Examined | None
    pairs: list[Pair] = field(default_factory=list)
    before: list[Line] = field(default_factory=list)
    line: Line | None = None
    after: list[Line] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The members that the report shows beside those of the finding."""
        return {
            "compared": [pair.to_dict() for pair in self.pairs],
            "before": [line.to_dict() for line in self.before],
            "at": None if self.line is None else self.line.to_dict(),
            "after": [line.to_dict() for line in self.after],
            "remarks": self.remarks,
            "by_hand": [command._asdict() for command in self.commands],
        }


def exhibits(findings: Sequence[Finding], files: Sequence[tuple[Examined, File]]) -> list[Exhibit]:
    """The findings that are shown in full: some of every kind, and the first of all. Raises Vanished, StorageError."""
    maker = _Maker(files)
    return [maker.make(number, findings[number - 1]) for number in _chosen(findings)]


def _chosen(findings: Sequence[Finding]) -> list[int]:
    kinds: Counter[str] = Counter()
    chosen: list[int] = []
    for number, finding in enumerate(findings, 1):
        kinds[finding.kind] += 1
        if kinds[finding.kind] <= _OF_A_KIND and len(chosen) < SHOWN:
            chosen.append(number)
    taken = set(chosen)
    others = (number for number in range(1, len(findings) + 1) if number not in taken)
    return sorted([*chosen, *(number for _, number in zip(range(SHOWN - len(chosen)), others, strict=False))])


class _Maker:
    """Makes exhibits of one log."""

    def __init__(self, files: Sequence[tuple[Examined, File]]) -> None:
        self._files = [each for each, _ in files]
        self._opened = {each.number: file for each, file in files}
        self._by_name: dict[str, Examined] = {}
        for each in self._files:
            self._by_name.setdefault(each.name.rpartition("/")[2], each)
        self._guessed = 0

    def make(self, number: int, finding: Finding) -> Exhibit:
        """The exhibit of one finding."""
        file = None if finding.segment is None else self._by_name.get(finding.segment)
        exhibit = Exhibit(number, finding, file)
        if file is None:
            _said(exhibit)
            return exhibit
        exhibit.commands.append(Command(byhand.the_file(file.name), "", "the file"))
        try:
            with self._opened[file.number].open() as content:
                if finding.offset is not None and finding.kind != "segment-altered":
                    exhibit.before, exhibit.line, exhibit.after = around(content, finding.offset, finding.line)
                elif finding.line == 1:
                    exhibit.before, exhibit.line, exhibit.after = around(content, 0, 1)
                self._back(exhibit, content, file)
        except NotALogError:
            _said(exhibit)
        return exhibit

    def _back(self, exhibit: Exhibit, content: Content, file: Examined) -> None:
        kind, line = exhibit.finding.kind, exhibit.line
        if kind == "segment-altered":
            self._sealed(exhibit, content, file)
        elif kind == "torn-tail":
            _torn(exhibit, content, file)
        elif kind in ("record-modified", "malformed-line", "header-missing") and line is not None:
            self._own_hash(exhibit, line, file)
        elif kind in ("chain-broken", "records-missing", "fork") and line is not None and line.shaped:
            self._linked(exhibit, line, file)
        elif kind == "clock-backwards" and line is not None:
            before = exhibit.before[-1] if exhibit.before else None
            known = None if before is None else record.ts_of(before.data).encode()
            exhibit.pairs.append(Pair("ts, not before", known, record.ts_of(line.data).encode()))
            _stands(exhibit, file, line, line.data.find(b'"ts":"') + 6, 27, "the ts of this record")
        else:
            _said(exhibit)
        if line is not None and line.number is not None and line.data.endswith(b"\n"):
            shown = byhand.lines_of(file.name, f"sed -n '{line.number}l'")
            exhibit.commands.append(Command(shown, None, "the line, with what cannot be printed as escapes"))

    def _own_hash(self, exhibit: Exhibit, line: Line, file: Examined) -> None:
        if not line.shaped:
            _said(exhibit)
            what = "none of the form of a record" if exhibit.finding.kind != "header-missing" else "a header"
            expected = f"a line of the format; here stands {what}" if what != "a header" else what
            exhibit.pairs.append(Pair(expected, None, line.data[:_EXCERPT], raw=True))
            _bytes(exhibit, file, line)
            return
        hashed = line.data[:-76]
        stored, own = line.hash, record.hash_of(line.data)
        exhibit.pairs.append(Pair("BLAKE3 of the line", stored.encode(), own.encode()))
        exhibit.commands.append(
            Command(byhand.hash_of(file.name, line.offset, len(hashed)), own, "the hash of what stands there")
        )
        _stands(exhibit, file, line, len(line.data) - 67, 64, "the hash that the line carries")
        following = exhibit.after[0] if exhibit.after else None
        if stored == own:
            return
        if following is not None and following.prev == stored:
            exhibit.remarks.append(
                "The record behind it names, as its prev, the hash that this line carries. So that hash is the one "
                "that was committed, and what stands before it was changed."
            )
        elif following is not None and following.prev == own:
            exhibit.remarks.append(
                "The record behind it names, as its prev, the hash of what stands here now. So the text is what was "
                "committed, and the hash in the line was changed."
            )
        self._guess(exhibit, line, hashed, stored)

    def _guess(self, exhibit: Exhibit, line: Line, hashed: bytes, stored: str) -> None:
        self._guessed += 1
        change = one_byte(hashed, stored, bits_only=self._guessed > _GUESSED)
        if change is None:
            return
        begin, end = max(0, change.at - 12), min(len(hashed), change.at + 13)
        was = bytearray(hashed[begin:end])
        was[change.at - begin] = change.was
        where = f"bytes {line.offset + begin} to {line.offset + end - 1}"
        exhibit.pairs.append(Pair(where, bytes(was), hashed[begin:end], raw=True))
        many = "One bit differs, as a failing disk or memory leaves it; a hand seldom changes only one."
        if change.bits > 1:
            many = f"{change.bits} bits of it differ: a hand does that, failing hardware seldom."
        exhibit.remarks.append(
            f"One byte explains it. With {_byte(change.was)} in place of {_byte(change.now)} at byte "
            f"{line.offset + change.at} the line has the hash that it carries: so that is what was committed. "
            f"{many}"
        )

    def _linked(self, exhibit: Exhibit, line: Line, file: Examined) -> None:
        """A record that does not go on from the one before it, perhaps in the file before."""
        finding = exhibit.finding
        _stands(exhibit, file, line, len(line.data) - 141, 64, "the prev of this record")
        before, where = (exhibit.before[-1] if exhibit.before else None), file
        if before is None and file.segment is not None:
            other = next((each for each in self._files if each.segment == file.segment - 1 and each.ends), None)
            if other is not None:
                with self._opened[other.number].open() as content:
                    before, where = _ending_at(content, other.ends), other
        expected = finding.expected if isinstance(finding.expected, str) else None
        if expected is None and before is not None and before.shaped:
            expected = before.hash
        if finding.kind == "records-missing":
            exhibit.pairs.append(
                Pair("seq", str(finding.expected).encode(), str(finding.actual).encode())
            )
        exhibit.pairs.append(Pair("prev", None if expected is None else expected.encode(), line.prev.encode()))
        if before is not None and before.shaped:
            if where is not file:
                exhibit.commands.append(Command(byhand.the_file(where.name), "", "the file before it"))
            _stands(exhibit, where, before, len(before.data) - 67, 64, "the hash of the record before it")
            if where is not file:
                exhibit.commands.append(Command(byhand.the_file(file.name), "", "and back"))

    def _sealed(self, exhibit: Exhibit, content: Content, file: Examined) -> None:
        """A sealed file against what the next header says of it."""
        successor = next(
            (
                each for each in self._files
                if file.segment is not None and each.segment == file.segment + 1 and each.header is not None
                and each.header.previous is not None
            ),
            None,
        )  # fmt: skip
        _said(exhibit)
        if successor is None or successor.header is None or successor.header.previous is None:
            return
        said = successor.header.previous
        from jsonl_audit.verifier.digest import blake3_of

        stop = min(said.bytes, content.size)
        own = blake3_of(content, 0, stop)
        told = f"{said.bytes} bytes with BLAKE3 {said.blake3}"
        exhibit.pairs = [Pair("up to its last record", told.encode(), f"{stop} bytes with BLAKE3 {own}".encode())]
        behind = "anything: a sync had failed" if said.torn_bytes < 0 else f"{said.torn_bytes} bytes"
        if said.torn_bytes or content.size > stop:
            exhibit.pairs.append(Pair("and behind it", behind.encode(), f"{content.size - stop} bytes".encode()))
        exhibit.commands.append(Command(byhand.hash_of(file.name, 0, stop), own, "the digest of what is here"))
        with self._opened[successor.number].open() as other:
            header = line_at(other, 0).data
        exhibit.commands.append(Command(byhand.the_file(successor.name), "", "the file behind it"))
        wanted = f'"bytes":{said.bytes},"blake3":"{said.blake3}"'
        if wanted.encode() in header:
            looked = f"{byhand.lines_of(successor.name, 'head -n 1')} | sed 's/.*\\({wanted}\\).*/\\1/'"
            exhibit.commands.append(Command(looked, wanted, "what its header says"))


def _said(exhibit: Exhibit) -> None:
    """What the finding itself says was expected, and found."""
    finding = exhibit.finding
    if finding.expected is not None or finding.actual is not None:
        expected, found = (
            None if said is None else str(said).encode("utf-8", "surrogateescape")
            for said in (finding.expected, finding.actual)
        )
        exhibit.pairs.append(Pair("as the finding says", expected, found))


def _stands(exhibit: Exhibit, file: Examined, line: Line, at: int, count: int, why: str) -> None:
    """A command that prints a part of a line, where that can be printed."""
    data = line.data[at : at + count]
    prints = data.decode() if data.isascii() and data.decode().isprintable() else None
    exhibit.commands.append(Command(byhand.bytes_of(file.name, line.offset + at, count), prints, why))


def _bytes(exhibit: Exhibit, file: Examined, line: Line) -> None:
    shown = min(len(line.data), _EXCERPT)
    looked = f"{byhand.bytes_of(file.name, line.offset, shown)} | od -A d -t x1"
    exhibit.commands.append(Command(looked, None, "the bytes of the line, in hexadecimal"))


def _torn(exhibit: Exhibit, content: Content, file: Examined) -> None:
    where = exhibit.finding.offset or 0
    data = content.read(where, _EXCERPT)
    behind = content.size - where
    exhibit.pairs.append(Pair(f"{behind} bytes behind the last committed record", b"", data, raw=True))
    looked = f"{byhand.bytes_of(file.name, where, min(behind, _EXCERPT))} | od -A d -t x1"
    exhibit.commands.append(Command(looked, None, "what stands there, in hexadecimal"))
    if where:
        before = f"{byhand.bytes_of(file.name, where - 1, 1)} | od -A n -t x1"
        exhibit.commands.append(Command(before, " 0a", "the record before it is whole"))


def _ending_at(content: Content, end: int) -> Line:
    from jsonl_audit.verifier.digest import last_line

    data = last_line(content, end)
    return Line(end - len(data), data)


def _byte(value: int) -> str:
    return f"0x{value:02x} ({chr(value)!r})" if 0x20 <= value < 0x7F else f"0x{value:02x}"
