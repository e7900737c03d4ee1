(
    "What a verdict says in plain words: what it rules in, what it rules out, and what nobody can tell from "
    "the log."
)
from __future__ import annotations

from typing import NamedTuple

from jsonl_audit.verifier import Report

__all__ = ["REFUSED", "Plain", "many", "plain"]

REFUSED = "not a log"
(
    "In place of a verdict, where what was named is no log of a format that is known."
)
class Plain(NamedTuple):
    (
        "A verdict for people who did not make the program."
    )
    headline: str
    sentence: str
    rules_in: tuple[str, ...]
    rules_out: tuple[str, ...]
    open: tuple[str, ...]
    (
        "What it does not decide."
    )
_UNANCHORED = (
    (
        "Whether the whole log, or all of it from some record on, was written anew with every hash computed "
        "again. Nothing from elsewhere was held against it: a receipt, a seq with its hash, or a manifest "
        "kept in another place would tell."
    ),
    "Whether whole records were cut off its end.",
)
_UNANCHORED_IN_SHORT = "Not anchored: that the whole log was rewritten, or its end cut off, cannot be ruled out."
_ALWAYS = (
    (
        "Whether what the records say was true when it was written, and who wrote it: the chain shows that a "
        "text was not changed since, not that it was right."
    ),
)
_CHANGED = (
    (
        "In what is here, no byte was changed, and no record taken out, put in, doubled or moved, by anybody "
        "who did not also compute every later hash anew."
    ),
)


def plain(report: Report | None, refusal: str = "") -> Plain:
    (
        "The words for a report; for None, why what was named is no log."
    )
    if report is None:
        return Plain(
            "Not a log",
            "What was named is no log of a format that is known here, so nothing can be said of its records.",
            (f"{refusal[:1].upper()}{refusal[1:]}.",),
            (),
            ("Whether it once was a log: a file in which nothing of a record is left looks like any other file.",),
        )
    made = _MAKE[report.verdict](report)
    left = (*made.open, *_unanchored(report), *_ALWAYS)
    if not report.full and report.segments > 1:
        left += (
            (
                "Sealed files were checked by the digests that the headers behind them carry, not line by "
                "line. Lines that the writer itself made against the rules of the format would be seen only "
                "by a full examination (--full)."
            ),
        )
    if not report.anchored:
        made = made._replace(sentence=f"{made.sentence} {_UNANCHORED_IN_SHORT}")
    return made._replace(open=left)


def _unanchored(report: Report) -> tuple[str, ...]:
    found = report.anchored
    if not found:
        return _UNANCHORED
    if found.through_seq == report.last_seq:
        return ()
    return (
        (
            f"Whether what stands behind seq {found.through_seq:,}, up to where it is anchored, was written "
            "anew or cut off."
        ),
    )


def _anchor(report: Report) -> tuple[str, ...]:
    found = report.anchored
    if not found:
        return ()
    return (f"Up to seq {found.through_seq:,} it is what it was when the anchor ({found.by}) was taken.",)


def _intact(report: Report) -> Plain:
    return Plain(
        "Intact",
        f"All {many(report.records, 'record')} that are here are whole, and each is linked to the one before.",
        (
            (
                f"{many(report.records, 'record')} in {many(report.segments, 'file')}, each of them byte for "
                "byte what its own hash, the record behind it and the digest of its file vouch for."
            ),
            *_anchor(report),
        ),
        _CHANGED,
        (),
    )


def _torn(report: Report) -> Plain:
    return Plain(
        "Torn",
        "All records are as they were committed. Behind the last of them stands the beginning of one that never was.",
        (
            (
                f"{many(report.records, 'record')}, each as committed, and behind them bytes of a write that "
                "did not come to its end: what a crash or a power cut leaves."
            ),
            *_anchor(report),
        ),
        (*_CHANGED, "Damage in the middle: a crash leaves an end such as this one, and nothing else."),
        ("Whether it was a crash. Somebody who cuts the file in the middle of a line leaves the same.",),
    )


def _empty(report: Report) -> Plain:
    del report
    return Plain(
        "Empty", "There is no record at all.", ("The files that were named hold no committed record.",), (),
        ("Whether there ever was one.",),
    )  # fmt: skip


def _incomplete(report: Report) -> Plain:
    return Plain(
        "Incomplete",
        "What is here is as it was committed, but a part of the log is not here.",
        (
            (
                f"{many(report.records, 'record')} are here and whole. Others, which the chain shows to have "
                "existed, or the file that the log is named by, are not."
            ),
            *_anchor(report),
        ),
        _CHANGED,
        ("Whether the missing part was lost, never copied, or taken away; and what stood in it.",),
    )


def _forked(report: Report) -> Plain:
    return Plain(
        "Forked",
        "Two different continuations of the same record are here. Only one of them can be what happened.",
        (
            (
                "Each of the two histories is whole in itself: both were written by a program that knew the "
                "record where they part. Two writers without a lock do that, a backup put back and written "
                "on, or intent."
            ),
            *_anchor(report),
        ),
        ("Damage by a disk or by a transfer: it leaves no second chain whose hashes are right.",),
        ("Which of the two is the log. The bytes alone do not say; who had which file, and when, may.",),
    )


def _tampered(report: Report) -> Plain:
    wrong = report.records - report.verified
    exact = f"{many(report.verified, 'record')} of {report.records:,} are as they were committed. " if wrong > 0 else ""
    places = many(len(report.findings), "place")
    return Plain(
        "Tampered",
        "Bytes differ from what was committed. It is damage or intent: the bytes alone do not tell which.",
        (
            (
                f"At {places}, which are listed one by one, the files are not what the log committed. "
                f"{exact}Records that are not named, and that link to one another, are as they were."
            ),
            *_anchor(report),
        ),
        (
            (
                "A crash or a power cut as the cause: they leave a torn end, which is told apart, and nothing "
                "of this kind."
            ),
            "A fault of reading: each place was found by a hash over bytes that this report quotes.",
        ),
        (
            (
                "Damage or intent, and whose. One changed bit is typical of failing hardware; whole records "
                "that are gone, put in or moved, or a changed text with a hash that fits it, are not."
            ),
            "When it happened, beyond this: after the record was committed, and before this examination.",
        ),
    )


_MAKE = {
    "intact": _intact,
    "torn": _torn,
    "empty": _empty,
    "incomplete": _incomplete,
    "forked": _forked,
    "tampered": _tampered,
}


def many(count: int, what: str) -> str:
    """A number of things.

    >>> many(1, "record"), many(2000, "file")
    ('1 record', '2,000 files')
    """
    return f"{count:,} {what}{'s' * (count != 1)}"
