"""A report in words for a person: what is wrong, where, what it means, and what to do next."""

from __future__ import annotations

from jsonl_audit.verifier.report import VERDICTS, Finding, Note, Report

__all__ = ["meaning", "text"]

_VERDICT = {
    "intact": "all that is here is whole and linked",
    "torn": "whole up to an end that a crash may have left; a cut end can look the same",
    "empty": "there is no record at all",
    "incomplete": "whole as far as it goes, but a part of the log is not here",
    "forked": "two different continuations of the same record are here",
    "tampered": "bytes differ from what was committed: damage or intent, which cannot be told apart",
}
_UNANCHORED = "Not anchored: that the whole log was rewritten, or its end cut off, cannot be ruled out"
_WAS = {
    "expect": "a hash that was expected",
    "receipt": "a receipt",
    "report": "an earlier report",
    "manifest": "a manifest",
}

# What each kind means, and what to do next.
_FINDINGS = {
    "record-modified": (
        "a record was changed after it was committed",
        "Do not trust these records. Compare them with a copy made before; keep this file as it is, as evidence.",
    ),
    "chain-broken": (
        "a whole record stands where it does not belong: put in, moved, doubled or replaced together with its hash",
        "Do not trust the records around this place. Compare with a copy made before.",
    ),
    "records-missing": (
        "records that stood here were taken out, or the end of the file before was cut",
        "Look for them in a copy made before, or where the log was shipped to.",
    ),
    "malformed-line": (
        "a line that no writer of this format leaves: junk, a damaged record, or one made by hand",
        "Look at the line itself; compare with a copy made before.",
    ),
    "header-missing": (
        "the file does not begin with a header that is right, so nothing vouches for what it is",
        "Put the file back from a copy. If it is no part of this log, move it away.",
    ),
    "segment-altered": (
        "a sealed file is not the one that the next segment's header vouches for",
        "The lines that differ are named if they can be told. Put the file back from a copy.",
    ),
    "segment-missing": (
        "a file of the log is not here, and no purge record says that it was let go",
        "Find the file (an archive, another directory) and verify again, with all files in one place.",
    ),
    "foreign-segment": (
        "a file of another log lies among these",
        "Move it away, and find out how it came here.",
    ),
    "fork": (
        "two histories continue the same record: two writers without a lock, a restored backup, or intent",
        "Keep both files. Find out which one was written to by whom, and since when.",
    ),
    "torn-tail": (
        "the end was never committed: a crash or a power cut in the middle of a write. A cut looks the same",
        "Nothing, if there was a crash: the next writer seals the end as it is and goes on.",
    ),
    "clock-backwards": (
        "the time of a record lies before that of the record before it: the engine never writes that",
        "Do not trust the times around this place.",
    ),
    "artifact-missing": (
        "a record refers to an artifact that is not in the log's folder for them",
        "Copy the folder (the log's name with .d behind it) together with the log, or look for it in another copy.",
    ),
    "artifact-altered": (
        "an artifact is not what was stored when a record referred to it",
        "Do not trust it. Put it back from a copy; the name of the file is the BLAKE3 of what it should hold.",
    ),
    "segment-unfinished": (
        "the copy of a sealed file is whole as far as it goes, and ends early: it was not finished, or was cut",
        "Copy it again. Its lines are linked to each other; the digest in the next header vouches for the whole only.",
    ),
    "piece-unjoined": (
        "a piece of a segment is here, and what stands before it is not",
        "Look for the file that it goes on from; put all pieces in one folder and verify that with --copy.",
    ),
    "checkpoint-mismatch": (
        "the record at an anchored seq has another hash than was noted: the log was rewritten, there or before",
        "Trust nothing behind the last anchor that it agrees with. Find a copy made before. Is the anchor of this log?",
    ),
    "records-cut": (
        "the end was cut off, an older copy was put back, or a power cut took what was not synced yet",
        "Look for the end where the log was shipped to. Is this a copy made before? Then verify it with --copy.",
    ),
    "anchor-missing": (
        "what is here does not reach the anchored record, which vouches for nothing then",
        "Bring the files together that are missing, or verify with an anchor that lies in those that are here.",
    ),
    "documented-damage": (
        "damage that was there when the segment was sealed; the next header lists it, and it stays reported",
        "Look for the records in a copy made before the damage.",
    ),
}
_QUICK = (
    "Quick: sealed segments were checked by their digests, not line by line. Lines that a dishonest writer itself "
    "made against the format's rules are seen only by a full verification (--full)."
)


def text(report: Report, limit: int) -> str:
    """The report; at most `limit` places of each kind are listed, all of them if it is 0."""
    anchor = f" {_anchored(report)}."
    lines = [f"{report.verdict}: {_VERDICT[report.verdict]}.{anchor}", _one_line(report.path)]
    if report.records:
        head = f", head {report.head}" if report.head else ""
        seqs = "" if report.first_seq is None else f", seq {_span(report.first_seq, report.last_seq)}"
        lines.append(f"  {_many(report.records, 'record')} in {_many(report.segments, 'file')}{seqs}{head}")
        if report.verified != report.records:
            lines.append(f"  {report.verified} of them are as they were committed")
    kinds: dict[str, list[Finding]] = {}
    for finding in report.findings:
        kinds.setdefault(finding.kind, []).append(finding)
    for kind, findings in kinds.items():
        means, then = _FINDINGS[kind]
        lines += ["", f"{kind}, {_many(len(findings), 'place')}: {means}."]
        shown = findings if not limit or len(findings) <= limit + 1 else findings[:limit]
        lines += [f"  {_place(finding)}" for finding in shown]
        if len(shown) < len(findings):
            lines.append(f"  … and {len(findings) - len(shown)} more")
        lines.append(f"  Next: {then}")
    if report.notes:
        lines.append("")
        lines += [f"note, {note.kind}: {_place(note)}" for note in report.notes]
    if not report.full and report.segments > 1:
        lines += ["", _QUICK]
    return "\n".join(lines)


def meaning(kind: str) -> tuple[str, str]:
    """What a kind of finding means, and what to do next; for a person, without a full stop behind the first."""
    return _FINDINGS[kind]


def _anchored(report: Report) -> str:
    """What is vouched for, and what is not."""
    found = report.anchored
    if not found:
        return _UNANCHORED
    what = f"Anchored at seq {found.through_seq} by {_WAS.get(found.by, found.by)}"
    if VERDICTS.index(report.verdict) > VERDICTS.index("empty"):
        return f"{what}: what is linked to that record, back to the first gap or break, is as it was then"
    if found.through_seq == report.last_seq:
        return f"{what}, the last: nothing was rewritten or cut off"
    return f"{what}: up to there nothing was rewritten; behind it, that cannot be ruled out, nor a cut end"


def _place(entry: Finding | Note) -> str:
    where = [] if entry.segment is None else [entry.segment]
    if entry.line is not None:
        where.append(f"line {entry.line}")
    elif entry.offset is not None:
        where.append(f"byte {entry.offset}")
    if entry.seq is not None:
        where.append(f"seq {entry.seq}")
    where_text = f"{', '.join(where)}: " if where else ""
    differs = ""
    if isinstance(entry, Finding) and entry.expected is not None and entry.actual is not None:
        differs = f" (expected {_short(entry.expected)}, found {_short(entry.actual)})"
    return _one_line(f"{where_text}{entry.message}{differs}")


def _one_line(words: str) -> str:
    """Words with the name of a file in them, which may hold whatever a name may."""
    return words.replace("\n", "\\n").replace("\r", "\\r")


def _short(value: object) -> str:
    words = str(value)
    printable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words)
    return printable if len(printable) <= 40 else f"{printable[:16]}…"


def _span(first: int | None, last: int | None) -> str:
    return f"{first}" if first == last else f"{first} to {last}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
