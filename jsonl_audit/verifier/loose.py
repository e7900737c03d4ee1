"""Pieces of segments whose beginning is not here: each is walked, and must fit in between what is here."""

from __future__ import annotations

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.errors import NotALogError
from jsonl_audit.verifier.checked import Checked
from jsonl_audit.verifier.files import Loose
from jsonl_audit.verifier.pieces import line_at
from jsonl_audit.verifier.vouching import lines_at
from jsonl_audit.verifier.walks import Walked
from jsonl_audit.verifier.work import Work

__all__ = ["check", "fit"]


def check(loose: Loose, work: Work) -> Checked:
    """Walks the piece. Raises Vanished, StorageError."""
    checked = Checked(loose.file, 0)
    try:
        with loose.file.open() as content:
            walk = work.walk(loose.file, content, content.size)
            rest = _rest_of_a_batch(content, walk)
            kept = [place for place in walk.damage if place.seq not in rest or place.kind != "malformed-line"]
            walk.damaged -= len(walk.damage) - len(kept)
            walk.damage = kept
            checked.walked(walk)
    except NotALogError as error:
        checked.add("segment-altered", error.message)
    fragment = loose.fragment
    if fragment and checked.first is not None and len(fragment) >= 67:
        said = fragment[-67:-3].decode("ascii", "replace")
        if said != checked.first_prev and not checked.first_gap.lines:
            what = "the rest of a line stands before it that is not that of the record before"
            checked.add("chain-broken", what, line=1, seq=checked.first.seq, expected=checked.first_prev, actual=said)
    return checked


def _rest_of_a_batch(content: Content, walk: Walked) -> range:
    """The seqs of the records at the start of a piece that are the rest of a batch: no fault of theirs."""
    if walk.first is None or walk.first_line != 1:
        return range(0)
    seq, at = walk.first.seq, 0
    while True:
        line = line_at(content, at, content.size)
        batch = record.batch_of(line)
        if batch is None or batch[0] == 1 or not record.own_hash_right(line):
            return range(walk.first.seq, seq)
        seq, at = seq + 1, at + len(line)


def fit(checked: Checked, others: list[Checked], *, half: bool = False) -> bool:
    """Judges how a piece fits in between the others; whether it holds what none of them does.

    `half` says that the end of a line stands before its first record.
    """
    first, last = checked.first, checked.last
    if first is None or last is None:
        _no_record(checked, others)
        return False
    before = 0
    for other in others:
        if other.first is None or other.last is None:
            continue
        if other.first.seq <= first.seq <= other.last.seq:
            _twice(checked, other)
            return False
        if other.last.seq < first.seq:
            before = max(before, other.last.seq)
        if last.seq + 1 == other.first.seq and other.first_prev != last.hash:
            checked.add(
                "chain-broken", f"what follows it ({other.file.name}) does not go on from its last record",
                seq=last.seq, expected=other.first_prev, actual=last.hash,
            )  # fmt: skip
    which = f"seq {before + 1} is" if first.seq == before + 2 else f"seqs {before + 1} to {first.seq - 1} are"
    if first.seq == before + 1:
        which = "the file that it goes on from is"
    if half:
        which = f"of seq {first.seq - 1} only an end is, or it was changed; {which}"
    checked.add(
        "piece-unjoined", f"it begins in the middle of a segment: {which} not here",
        line=checked.first_line, seq=first.seq, expected=before + 1, actual=first.seq,
    )  # fmt: skip
    return True


def _no_record(checked: Checked, others: list[Checked]) -> None:
    """What is to be said of a piece without a whole record: the beginning of one, or its end."""
    with checked.file.open() as content:
        text = content.read(0, record.HARD_LIMIT).rstrip(b"\0")
    seq = record.seq_of(text)
    for other in others:
        if other.first is not None and other.last is not None and other.first.seq <= seq <= other.last.seq:
            with other.file.open() as content:
                if any(line.startswith(text) for _, line in lines_at(content, seq, other.end)):
                    checked.note("older-copy", f"the beginning of a record in {other.file.name}", seq=seq)
                    return
    if seq and seq == 1 + max((other.last.seq for other in others if other.last is not None), default=0):
        checked.add("torn-tail", f"only the beginning of a line is here ({len(text)} bytes)", offset=0)
    elif not checked.findings:
        checked.add("piece-unjoined", "no whole record is in it, and nothing here goes on with it", seq=seq or None)


def _twice(checked: Checked, other: Checked) -> None:
    """What is to be said of records that another file holds too, where the two do not meet."""
    first = checked.first
    assert first is not None
    with checked.file.open() as content, other.file.open() as right:
        parted = 0
        ends = [each.last.seq for each in (checked, other) if each.last is not None]
        for seq in range(first.seq, min(ends) + 1):
            own = [line for _, line in lines_at(content, seq, checked.end)]
            theirs = [line for _, line in lines_at(right, seq, other.end)]
            if own[:1] != theirs[:1] and all(record.own_hash_right(line) for line in own[:1] + theirs[:1]):
                parted = seq
                break
    if parted:
        checked.add("fork", f"from here on it is another history than {other.file.name}", seq=parted)
    else:
        checked.note("older-copy", f"the same records as in {other.file.name}; read once", seq=first.seq)
