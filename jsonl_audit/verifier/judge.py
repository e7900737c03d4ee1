"""One log, all of it: every file put in its place and checked, and the report of it made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from jsonl_audit import record
from jsonl_audit.errors import NotALogError
from jsonl_audit.links import Link
from jsonl_audit.segment import Floor, Header, describe_foreign
from jsonl_audit.verifier import artifacts, chain, copies, loose, newest, sealed, vouching
from jsonl_audit.verifier.anchors import Anchor
from jsonl_audit.verifier.checked import Checked
from jsonl_audit.verifier.files import Collected, File
from jsonl_audit.verifier.report import VERDICT_OF, VERDICTS, Finding, Note, Report
from jsonl_audit.verifier.strays import first_record, place
from jsonl_audit.verifier.work import Work

__all__ = ["judge"]


def judge(collected: Collected, work: Work, anchors: Sequence[Anchor] = ()) -> Report:
    """The report on these files. Raises NotALogError, NewerFormatError, StorageError, Vanished."""
    log = _Log(collected, work, anchors)
    log.sort()
    if log.groups:
        log.check()
        log.link()
    log.fit()
    return log.report()


class _Log:
    """A log while it is judged."""

    def __init__(self, collected: Collected, work: Work, anchors: Sequence[Anchor]) -> None:
        self.collected = collected
        self.work = work
        self.anchors = anchors
        self.groups: dict[int, list[File]] = {}
        """The files by segment number; of several with one number, one is the segment."""
        self.strays: list[tuple[File, Link | None]] = []
        """Files without a right header that have no place in the log, with the first record of each."""
        self.chain: dict[int, Checked] = {}
        self.loose: list[Checked] = []
        """Pieces whose beginning is not here, and which hold what no segment does."""
        self.findings: list[Finding] = []
        self.notes: list[Note] = [*collected.notes]
        self.floor: Floor | None = None
        self.not_excused = False
        """Whether a purge was recorded behind the last anchored record, so that it excuses nothing."""

    # -- which file is what

    def sort(self) -> None:
        """Finds the place of every file. Raises NotALogError, NewerFormatError where none is a log's."""
        files = [file for file in self.collected.files if file.size or file.sealed]
        self.work.begin([*files, *(loose.file for loose in self.collected.loose)])
        log = self._identity(files)
        for file in files:
            header = file.header
            if header is not None and header.log == log:
                self.groups.setdefault(header.segment, []).append(file)
            elif header is not None:
                what, seq = "a segment of another log", header.seq
                self._find("foreign-segment", what, file, seq=seq, offset=0, expected=log, actual=header.log)
            elif file.newer is not None:
                if log is None:
                    raise file.newer
                self._find("segment-missing", f"it cannot be read here: {file.newer.message}", file, offset=0)
        without = [file for file in files if file.header is None and file.newer is None]
        peeked = [(file, *first_record(file)) for file in without]
        nothing = not self.groups and not self.collected.loose and not any(begins for _, _, begins in peeked)
        if nothing and any(file.size for file in files):
            file = next(file for file in files if file.size)
            raise NotALogError(file.broken or describe_foreign(file.text), path=file.path, line=1)
        self.strays = place(peeked, self.groups)

    def _identity(self, files: list[File]) -> str | None:
        """The log that is to be verified: that of the named path, else the one that most files belong to."""
        active = self.collected.active
        if active is not None and active.header is not None:
            return active.header.log
        counted = Counter(file.header.log for file in files if file.header is not None)
        return counted.most_common(1)[0][0] if counted else None

    # -- checking

    def check(self) -> None:
        """Checks the newest segment, which says what was purged, and then all others."""
        last = max(self.groups)
        chosen = {last: copies.choose(self.groups[last], None, self.work)}
        self.chain[last] = newest.check(chosen[last], last, self.work)
        self._leave_out_purged(last)
        for number in sorted(self.groups, reverse=True)[1:]:
            said = self._successor(chosen.get(number + 1))
            chosen[number] = copies.choose(self.groups[number], said.previous if said else None, self.work)

        walked = vouching.to_walk(self.anchors, chosen)

        def one(number: int) -> Checked:
            successor = self._successor(chosen.get(number + 1))
            if successor is None:
                return newest.check(chosen[number], number, self.work, newest=False)
            walk = self.work.full or number in walked
            return sealed.check(
                chosen[number], number, successor, self.work, copied=self.collected.copied, full=walk
            )

        rest = sorted(chosen)[:-1]
        self.chain.update(zip(rest, self.work.each(one, rest), strict=True))
        for number, files in self.groups.items():
            for file in files:
                if file is not chosen[number]:
                    self._aside(copies.compare(file, chosen[number], self.chain[number].end))
        for file, _ in self.strays:
            checked = Checked(file, 0)
            checked.begins_badly()
            self._aside(checked)

    def _successor(self, file: File | None) -> Header | None:
        return None if file is None or file.header is None or file.header.previous is None else file.header

    def _leave_out_purged(self, last: int) -> None:
        """Files of segments that were purged are leftovers, whatever is in them."""
        headers = [file.header for files in self.groups.values() for file in files if file.header is not None]
        said = [header.purged for header in headers] + [self.chain[last].floor]
        floors = [floor for floor in said if floor is not None and floor.segment < last]
        if self.anchors and floors:
            covered = vouching.excused(floors, vouching.newest(self.anchors, self.groups), self.groups)
            self.not_excused = len(covered) < len(floors)
            floors = covered
        self.floor = floor = chain.believed(floors, headers)
        if floor is None or self.collected.copied:  # a copy may keep what was purged: then it is held to be right, too
            return
        self.groups = {number: files for number, files in self.groups.items() if number > floor.segment}
        self.strays = [(file, first) for file, first in self.strays if first is None or first.seq > floor.last_seq]

    def link(self) -> None:
        """Judges how the segments follow each other, and which are missing."""
        floor = self.floor
        start = floor.segment + 1 if floor is not None else 1
        for number, checked in sorted(self.chain.items()):
            before = self.chain.get(number - 1)
            if before is not None:
                chain.link(before, checked, before.tip)
            elif number == 1:
                chain.link(None, checked, Link(0, record.ZERO, ""))
            elif floor is not None and number == start:
                chain.link(None, checked, Link(floor.last_seq, floor.head, ""))
        kept = {number: checked for number, checked in self.chain.items() if number >= start}
        self.findings += chain.missing(kept, start, purged_later=self.not_excused)
        if floor is not None:
            purged = [checked for number, checked in self.chain.items() if number < start]
            if len(purged) < floor.segment:
                self.notes.append(chain.purged(floor, {checked.number for checked in purged}))
            chain.excuse(purged)

    def fit(self) -> None:
        """Judges the pieces that go on from none of the segments."""
        for piece in sorted(self.collected.loose, key=lambda piece: piece.first.seq if piece.first else 2**63):
            checked = loose.check(piece, self.work)
            fits = loose.fit(checked, [*self.chain.values(), *self.loose], half=bool(piece.fragment))
            if self.floor is not None and all((each.seq or 0) <= self.floor.last_seq for each in checked.findings):
                chain.excuse([checked])
            if fits:
                self.loose.append(checked)
            else:
                self._aside(checked)

    # -- telling

    def _find(self, kind: str, message: str, file: File, **where: object) -> None:
        checked = Checked(file, 0)
        checked.add(kind, message, line=1, **where)  # type: ignore[arg-type]
        self._aside(checked)

    def _aside(self, checked: Checked) -> None:
        """What is said of a file that is no segment of the chain."""
        self.findings += checked.told()
        self.notes += checked.noted()

    def report(self) -> Report:
        """The report of all that was found."""
        segments = [self.chain[number] for number in sorted(self.chain)]
        if self.loose:
            segments = sorted(segments + self.loose, key=lambda each: each.first.seq if each.first else 2**63)
        self.collected.chain, self.collected.floor = segments, self.floor
        findings = [finding for checked in segments for finding in checked.told()] + self.findings
        notes = self.notes + [note for checked in segments for note in checked.noted()]
        told, more = artifacts.judge(self.collected, segments, self.work)
        findings += told
        notes += more
        at_its_end = self.collected.named and self.collected.active is not None
        if segments:
            at_its_end = at_its_end and segments[-1].file is self.collected.active
        told, more, anchored = vouching.hold(self.anchors, segments, self.floor, whole_end=at_its_end)
        findings += told
        notes += more
        records = sum(checked.records for checked in segments)
        verdicts = {VERDICT_OF[finding.kind] for finding in findings}
        if not records:
            verdicts.add("empty")
        elif self.collected.named and segments[-1].file is not self.collected.active:
            verdicts.add("incomplete")
            what = "the file that the log is named by is not here, or is only an older copy of another"
            notes.append(Note("active-missing", f"{what}: what was written to it is not known"))
        firsts = [checked.first for checked in segments if checked.first is not None]
        lasts = [checked.last for checked in segments if checked.last is not None]
        corrupted = _corrupted(findings)
        return Report(
            verdict=max(verdicts, key=VERDICTS.index, default="intact"),
            path=self.collected.path,
            full=self.work.full,
            records=records,
            verified=max(0, records - _wrong_records(findings)),
            segments=len(segments),
            first_seq=(firsts[0].seq or None) if firsts else None,
            last_seq=(lasts[-1].seq or None) if lasts else None,
            head=lasts[-1].hash if lasts else None,
            findings=tuple(findings),
            notes=tuple(notes),
            anchored=anchored,
            corrupted=tuple(corrupted),
            chain_breaks=tuple(
                dict.fromkeys(
                    finding.seq
                    for finding in findings
                    if finding.kind in ("chain-broken", "records-missing", "fork") and finding.seq is not None
                )
            ),
        )


_DAMAGED = ("record-modified", "malformed-line", "documented-damage")


def _corrupted(findings: list[Finding]) -> list[str]:
    """Each damaged record once: its id, else its seq, else its place."""
    found = {}
    for finding in findings:
        if finding.kind in _DAMAGED:
            place = f"line {finding.line}" if finding.line is not None else f"byte {finding.offset}"
            place = f"{finding.segment}, {place}" if finding.segment else place
            found[place] = finding.id or (f"seq {finding.seq}" if finding.seq is not None else place)
    return list(dict.fromkeys(found.values()))


def _wrong_records(findings: list[Finding]) -> int:
    """How many records, of those that are counted, are not as they were committed."""
    return len(
        {
            (finding.segment, finding.line, finding.offset)
            for finding in findings
            if finding.kind in ("record-modified", "documented-damage")
            or (finding.kind == "malformed-line" and finding.seq is not None)
        }
    )
