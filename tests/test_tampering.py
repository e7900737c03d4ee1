"""The tampering matrix: whatever is done to the files of a log is found, and named with the right kind and place.

Every byte is flipped, zeroed, replaced; every line deleted, doubled, swapped, put in, changed with a hash that
fits; every file deleted, renamed, swapped, cut, grown, replaced; and pairs of these, drawn by lot. What must be said of
each comes from tests/must.py, and where the log itself cannot tell, that says so too; `hidden` holds both to what was
really done.
"""

from __future__ import annotations

import gzip
import itertools
import os
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from logs import OTHER, Log, build, rehashed
from must import Said, must, read

from jsonl_audit import record, scan
from jsonl_audit.mark import Mark
from jsonl_audit.verifier import Report, verify

pytestmark = pytest.mark.exhaustive

SEED = int(os.environ.get("JSONL_AUDIT_SEED", "0"))
Files = dict[str, bytes]
Harm = tuple[Any, ...]
Tried = Callable[[str, int], None]


class Matrix:
    """A log, and what may be done to it."""

    def __init__(self, folder: Path, *, events: int) -> None:
        self.log = _three_segments(folder / "log", events)
        self.path = self.log.active
        self.names = [path.name for path in self.log.paths]
        """Of the segments, the active one last."""
        beside = {
            ".lock": Mark("boot", self.log.id, 3, (0, 0), 1, self.log.head).encode(),
            ".next": b"left over",
            ".d/key": b"k",
        }
        for end, data in beside.items():
            path = Path(f"{self.path}{end}")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        self.beside = [f"{self.path.name}{end}" for end in beside]
        self.files = self._read()
        other = build(folder / "other", segments=3, events=events, log=OTHER)
        self.foreign = [other.read(number) for number in (1, 2, 3)]
        self._lying = dict(self.files)

    def _read(self) -> Files:
        folder = self.path.parent
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def lay(self, files: Files) -> None:
        """Makes the files in the folder these."""
        folder = self.path.parent
        for name in self._lying.keys() - files.keys():
            (folder / name).unlink()
        for name, data in files.items():
            if self._lying.get(name) != data:
                # Written over, not cut first: some file systems sync what is cut and written anew, which takes long.
                with (folder / name).open("r+b" if name in self._lying else "wb") as file:
                    file.write(data)
                    file.truncate()
        self._lying = dict(files)

    def verified(self, files: Files, *, full: bool) -> Report:
        """What the verifier says of these files."""
        self.lay(files)
        return verify(self.path, full=full, workers=1)

    def lines(self, name: str) -> list[bytes]:
        """Of a segment as it was."""
        return self.files[name].splitlines(keepends=True)


def _three_segments(folder: Path, events: int) -> Log:
    """With batches, records that have a time of their own, and a torn end that the next header accounts for."""
    log = build(folder, segments=1, events=0)
    log.fill(events - 1).batch([{"n": 1}, {"n": 2}])
    log.raw(b'{"seq":')
    log.seal().fill(events - 1).add("last.segment", time="2026-11-21T10:11:12Z")
    log.seal().batch([{"n": 1}, {"n": 2}])
    log.fill(events - 1).add(text='Zoë "b"')
    return log


# -- what is done


def done(files: Files, harm: Harm, matrix: Matrix) -> Files:
    """The files with one harm done to them; the same where it does not apply to them any more."""
    what, name, *how = harm
    if name not in files:
        return files
    files = dict(files)
    if what in ("remove", "rename", "swap names"):
        data = files.pop(name)
        if what == "swap names":
            files[name] = files.pop(how[0], b"")
        if what != "remove":
            files[how[0]] = data
        return files
    try:
        files[name] = _changed(files[name], what, how, matrix)
    except IndexError:  # so many bytes, or lines, it has no more
        pass
    return files


def _changed(data: bytes, what: str, how: list[Any], matrix: Matrix) -> bytes:
    match what, how:
        case "flip", [at, bit]:
            return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        case "zero", [at]:
            return data[:at] + bytes([data[at] & 0]) + data[at + 1 :]
        case "random", [at, more]:
            return data[:at] + bytes([(data[at] + more) % 256]) + data[at + 1 :]
        case "cut", [size]:
            return data[:size]
        case "append", [more]:
            return data + more
        case "replace", [new]:
            return new
        case "lose block", [at]:
            return data[:at] + bytes(len(data[at : at + 512])) + data[at + 512 :]
    lines = data.splitlines(keepends=True)
    match what, how:
        case "delete line", [at]:
            del lines[at]
        case "double line", [at]:
            lines.insert(at, lines[at])
        case "swap lines", [at, other]:
            lines[at], lines[other] = lines[other], lines[at]
        case "insert", [at, "forged"]:
            lines.insert(at, _forged(lines[at - 1]))
        case "insert", [at, new]:
            lines.insert(at, new)
        case "rewrite", [at, old, new]:
            lines[at] = rehashed(lines[at].replace(old, new, 1))
        case "rewrite", [at, seed]:
            chance = random.Random(seed)
            place = chance.randrange(max(1, len(lines[at]) - 76))
            lines[at] = rehashed(lines[at][:place] + chance.randbytes(1) + lines[at][place + 1 :])
    return b"".join(lines)


def _forged(before: bytes) -> bytes:
    """A record, right in itself, that goes on from another."""
    body, head = record.encode({"type": "forged", "id": OTHER}), before[-67:-3].decode("ascii", "replace")
    return record.line(record.seq_of(before) + 1, record.ts_of(before), body, head)[0]


JUNK = (b"\n", b"junk\n", b"\xff\xfe\x00\n", b'{"seq":3,"what":"is this"}\n')


def bytes_harmed(matrix: Matrix, name: str) -> Iterator[Harm]:
    """Every byte of a file: flipped, zeroed, replaced by another."""
    chance = random.Random(f"{SEED} {name}")
    for at in range(len(matrix.files[name])):
        yield "flip", name, at, chance.randrange(8)
        yield "zero", name, at
        yield "random", name, at, chance.randrange(1, 256)


def lines_harmed(matrix: Matrix, name: str) -> Iterator[Harm]:
    """Every line of a segment: deleted, doubled, swapped, put in before and behind, rewritten with a hash that fits."""
    lines = matrix.lines(name)
    foreign = matrix.foreign[0].splitlines(keepends=True)
    elsewhere = [matrix.lines(other)[1] for other in matrix.names if other != name]
    for at in range(len(lines)):
        yield "delete line", name, at
        yield "double line", name, at
        for other in range(at + 1, len(lines)):
            yield "swap lines", name, at, other
        yield "rewrite", name, at, b'"type":"', b'"type":"x'
        for seed in range(5 if lines[at].endswith(b"\n") else 0):
            yield "rewrite", name, at, f"{SEED} {at} {seed}"
    for at in range(len(lines) + 1):
        for new in (*JUNK, *foreign[:2], *elsewhere):
            yield "insert", name, at, new
        if at:
            yield "insert", name, at, "forged"


def files_harmed(matrix: Matrix, name: str) -> Iterator[Harm]:
    """A segment's file: deleted, renamed, swapped, cut anywhere, grown, another in its place."""
    data, ends = matrix.files[name], [0, *accumulate(map(len, matrix.lines(name)))]
    yield "remove", name
    yield "rename", name, "elsewhere.jsonl"
    yield "rename", name, matrix.log.names.sealed("20250101T000000000000Z")
    yield "rename", name, matrix.log.names.sealed("20350101T000000000000Z")
    for other in matrix.names:
        if other != name:
            yield "swap names", name, other
            yield "replace", name, matrix.files[other]
            for end in ends[1:-1]:
                yield "replace", other, data[:end]  # an older copy of this one
    for size in sorted({*range(0, len(data), 7), *(end + by for end in ends for by in (-1, 0, 1))}):
        if 0 <= size < len(data):
            yield "cut", name, size
    for more in (*JUNK, b"x", bytes(600), bytes(512) + b"\n", _forged(matrix.lines(matrix.names[-1])[-1]), data):
        yield "append", name, more
    for foreign in matrix.foreign:
        yield "replace", name, foreign
        yield "append", name, foreign
    for new in (b"", b"gone\n", b"x" * 5000, bytes(5000), data[::-1]):
        yield "replace", name, new
    for at in range(0, len(data), 512):
        yield "lose block", name, at


# -- what is said


def held_to(said: Said, report: Report, files: Files) -> str:
    """How a report differs from what must be said; empty if it does not."""
    wrong = []
    if report.verdict != said.verdict:
        wrong.append(f"the verdict is {report.verdict}, not {said.verdict}")
    for finding in report.findings:
        if not any(_fits(finding, place) for place in said.findings + said.allowed):
            wrong.append(f"said, and not so: {finding}")
        if finding.line and finding.offset is not None and finding.segment in files:
            ends = [0, *accumulate(map(len, files[finding.segment].split(b"\n")))]
            if finding.offset != ends[finding.line - 1] + finding.line - 1:
                wrong.append(f"line and offset are not those of one place: {finding}")
    wrong += [
        f"not said: {place}" for place in said.findings if not any(_fits(finding, place) for finding in report.findings)
    ]
    notes = {note.kind for note in report.notes}
    if notes != said.notes:
        wrong.append(f"the notes are {sorted(notes)}, not {sorted(said.notes)}")
    return "\n".join(wrong)


def _fits(finding: Any, place: Any) -> bool:
    return (
        finding.kind in place.kinds
        and finding.segment == place.segment
        and place.line in (None, finding.line)
        and place.seq in (None, finding.seq)
    )


def places(report: Report) -> list[tuple[Any, ...]]:
    """What a report says, to be compared with that of the same files in the other mode."""
    return [(report.verdict, report.records, report.verified, report.head)] + [
        (finding.kind, finding.segment, finding.line, finding.seq, finding.offset) for finding in report.findings
    ]


def hidden(matrix: Matrix, files: Files, report: Report) -> bool:
    """Whether a report hides what was done. Without an anchor nobody can tell what became of the newest segment's end.

    By what the files were, not by what they say: so that nothing gets past the verifier and tests/must.py together.
    """
    if report.verdict in ("tampered", "forked"):
        return False
    here = {name: data for name, data in files.items() if matrix.log.names.stamp_of(name) or name == matrix.path.name}
    told = {finding.segment for finding in report.findings}
    copies = {note.segment for note in report.notes if note.kind == "older-copy"}
    were = [matrix.files[name] for name in matrix.names]
    newest = max(map(_begins, here.values()), default=0)
    for name, data in here.items():
        if name in copies:  # a copy may end torn as the segment itself may: with a piece, or a lost block
            data = data.partition(b"\0")[0]
            data = data[: data.rfind(b"\n") + 1]
        copy = any(was.startswith(data) for was in were)
        own_end = _begins(data) == newest and any(_own_end(data, was) for was in were)
        if name not in told and not copy and not own_end:
            return True
    return report.verdict != "incomplete" and not all(was in here.values() for was in were if _begins(was) < newest)


def _begins(data: bytes) -> int:
    """With which seq a file begins."""
    return read(data[: data.find(b"\n") + 1]).seq


def _own_end(data: bytes, was: bytes) -> bool:
    """Whether a file goes on otherwise than it did with records that are right in themselves, up to a torn end."""
    lines = [text for text in data.splitlines(keepends=True) if text not in was]
    return all(read(text).right or b"\0" in text or text == lines[-1] for text in lines)


def hold(matrix: Matrix, cases: Sequence[tuple[Harm, ...]], *, both: bool) -> int:
    """Does each case to the log and holds the verifier to what must be said. `both`: in both modes, else in turns."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        wrong = [told for told in _differences(matrix, cases, both, monkeypatch) if told]
    matrix.lay(matrix.files)
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n\n".join(wrong[:8])
    return len(cases)


def _differences(
    matrix: Matrix, cases: Sequence[tuple[Harm, ...]], both: bool, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    for number, harms in enumerate(cases):
        files = matrix.files
        for harm in harms:
            files = done(files, harm, matrix)
        said = must(files, matrix.path.name)
        # The walk takes many lines at a time, where all is as it should be: here, each by itself, or all of them.
        monkeypatch.setattr(scan, "_TOGETHER", 1 if number % 4 < 2 else 32)
        reports = [matrix.verified(files, full=full) for full in (False, True) if both or full == number % 2]
        differs = held_to(said, reports[0], files)
        if len(reports) == 2 and places(reports[0]) != places(reports[1]):
            differs += f"\nquick says {places(reports[0])},\nfull {places(reports[1])}"
        if hidden(matrix, files, reports[0]):
            differs += f"\nit goes unnoticed: {reports[0].verdict}"
        yield differs and f"{harms!r:.400} (JSONL_AUDIT_SEED={SEED})\n{differs}"


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Matrix:
    return Matrix(tmp_path_factory.mktemp("tampering"), events=5 if request.config.getoption("--long") else 1)


SEGMENTS = range(3)
HARMS = (bytes_harmed, lines_harmed, files_harmed)


def test_what_nothing_was_done_to_is_intact(matrix: Matrix) -> None:
    for full in (False, True):
        report = matrix.verified(matrix.files, full=full)
        assert (report.verdict, report.findings, report.records) == ("intact", (), report.verified)
        assert held_to(must(matrix.files, matrix.path.name), report, matrix.files) == ""


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("harms", HARMS, ids=["byte", "line", "file"])
def test_every(matrix: Matrix, segment: int, harms: Any, long: bool, tried: Tried) -> None:
    cases = [(harm,) for harm in harms(matrix, matrix.names[segment])]
    tried("tamperings", hold(matrix, cases, both=long or harms is lines_harmed))


def test_pairs(matrix: Matrix, long: bool, tried: Tried) -> None:
    chance = random.Random(SEED)
    pools = [list(harms(matrix, name)) for harms in HARMS for name in matrix.names]
    count = 100_000 if long else 2_000
    pairs = [(chance.choice(chance.choice(pools)), chance.choice(chance.choice(pools))) for _ in range(count)]
    if long:
        moved = [
            harm for name in matrix.names for harm in lines_harmed(matrix, name) if harm[0].endswith((" line", "lines"))
        ]
        pairs += itertools.product(moved, moved)
    tried("tamperings", hold(matrix, pairs, both=False))


# -- compressed segments, and what lies beside


@pytest.mark.parametrize("segment", [0, 1])
def test_every_byte_of_a_compressed_segment(matrix: Matrix, segment: int, tried: Tried) -> None:
    name = matrix.names[segment]
    packed = f"{name}.gz"
    files = {packed: gzip.compress(matrix.files[name], mtime=0), **matrix.files}
    del files[name]
    cases: list[Harm] = [("remove", packed), ("replace", packed, gzip.compress(matrix.foreign[segment], mtime=0))]
    for at in range(len(files[packed])):
        cases += [("flip", packed, at, at % 8), ("zero", packed, at), ("cut", packed, at)]
    for number, harm in enumerate(cases):
        harmed = done(files, harm, matrix)
        report = matrix.verified(harmed, full=number % 2 == 0)
        differs = held_to(must(harmed, matrix.path.name), report, {})
        assert not differs, f"{harm}\n{differs}"
    matrix.lay(matrix.files)
    tried("tamperings", len(cases))


def test_every_byte_of_a_segment_compressed_with_zstandard(matrix: Matrix, tried: Tried) -> None:
    zstandard = pytest.importorskip("zstandard")
    name = matrix.names[0]
    packed = zstandard.compress(matrix.files[name])
    files = {name: data for name, data in matrix.files.items() if name != matrix.names[0]}
    for at in range(len(packed)):
        changed = packed[:at] + bytes([packed[at] ^ 1 << at % 8]) + packed[at + 1 :]
        report = matrix.verified({**files, f"{name}.zst": changed}, full=at % 2 == 0)
        try:
            same = zstandard.decompress(changed, max_output_size=1 << 20) == matrix.files[name]
        except zstandard.ZstdError:
            same = False
        assert same or f"{name}.zst" in {finding.segment for finding in report.findings}, at
        assert report.verdict == ("intact" if same else "tampered"), at
    matrix.lay(matrix.files)
    tried("tamperings", len(packed))


def test_what_lies_beside_a_log_is_no_part_of_it(matrix: Matrix, tried: Tried) -> None:
    chance = random.Random(SEED)
    cases: list[Harm] = []
    for name in matrix.beside:
        whole = range(len(matrix.files[name]))
        cases += [("remove", name), ("rename", name, "elsewhere"), ("append", name, b"junk\n"), ("cut", name, 0)]
        cases += [("replace", name, data) for data in (*matrix.foreign, *map(matrix.files.get, matrix.names))]
        cases += [("flip", name, at, chance.randrange(8)) for at in chance.sample(whole, min(len(whole), 300))]
    for number, harm in enumerate(cases):
        report = matrix.verified(done(matrix.files, harm, matrix), full=number % 2 == 0)
        assert (report.verdict, report.findings, len(report.notes)) == ("intact", (), 1), harm
    matrix.lay(matrix.files)
    tried("tamperings", len(cases))


def test_what_was_known_to_be_on_the_disk_is_not_taken_for_torn(tmp_path: Path, tried: Tried) -> None:
    """The mark in the log's own lock file tells where the active file ended."""
    log = _three_segments(tmp_path / "log", 1)
    data = log.read(3)
    lines = data.splitlines(keepends=True)
    status = os.stat(log.active)
    mark = Mark("boot", log.id, 3, (status.st_dev, status.st_ino), len(data), log.head)
    Path(log.names.lock).write_bytes(mark.encode())
    for size in range(1, len(data)):
        log.over(3, data[:size])
        report = verify(log.active, full=size % 2 == 0)
        found = {finding.kind: finding.expected for finding in report.findings if finding.segment == log.active.name}
        assert report.verdict == "tampered", size
        if size < len(lines[0]):  # then the file does not even tell which log it is of
            assert "header-missing" in found, size
        else:
            assert found["records-missing"] == len(data), size
    log.over(3, b"".join(lines[:-1]) + rehashed(lines[-1].replace(b"Zo", b"zO")))
    assert [finding.kind for finding in verify(log.active).findings] == ["chain-broken"]
    log.over(3, data)
    assert verify(log.active).verdict == "intact"
    tried("tamperings", len(data))
