"""A sealed segment against what its successor's header says: by its digest, and by a walk where that disagrees."""

from __future__ import annotations

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.errors import NotALogError
from jsonl_audit.links import NO_GAP, Link
from jsonl_audit.segment import Header, Previous
from jsonl_audit.verifier import digest, unfinished
from jsonl_audit.verifier.artifacts import look
from jsonl_audit.verifier.checked import Checked
from jsonl_audit.verifier.files import File
from jsonl_audit.verifier.walks import Walked
from jsonl_audit.verifier.work import Work

__all__ = ["check"]


def check(
    file: File, number: int, successor: Header, work: Work, *, copied: bool = False, full: bool = False
) -> Checked:
    """What is to be said of a segment whose successor's header is here; `copied` from elsewhere, it may end early.

    `full`: all of it is walked, even where its digest is right. Raises Vanished, StorageError.
    """
    said = successor.previous
    assert said is not None
    checked = Checked(file, number)
    checked.begins_badly()
    try:
        with file.open() as content:
            if copied:
                unfinished.leave_out_glued(checked, content, said)
            if not (copied and unfinished.check(checked, content, said, work)):
                _check(checked, content, said, work, full=full)
    except NotALogError as error:
        checked.add("segment-altered", error.message, expected=said.blake3)
    _documented(checked, said)
    return checked


def _check(checked: Checked, content: Content, said: Previous, work: Work, *, full: bool) -> None:
    header, unsynced = checked.header, said.torn_bytes < 0
    actual = work.blake3(checked.file, content, 0, said.bytes)
    whole = actual == said.blake3
    if content.size < said.bytes:
        checked.add(
            "segment-altered",
            f"the file ends before the byte where its last record ended when segment {checked.number + 1} was begun; "
            "if it is a copy that was not finished, --copy tells that from damage",
            offset=content.size, expected=said.bytes, actual=content.size,
        )  # fmt: skip
    elif not whole:
        checked.add(
            "segment-altered",
            f"its digest is not the one that the header of segment {checked.number + 1} says",
            expected=said.blake3, actual=actual,
        )  # fmt: skip
    right = whole and _tail(checked, content, said, work)
    line = digest.last_line(content, said.bytes) if whole else b""
    last = Link(record.seq_of(line), line[-67:-3].decode(), record.ts_of(line)) if record.own_hash_right(line) else None
    if right and header is not None and last is not None and not full:
        checked.first, checked.first_prev, checked.first_line = Link(header.seq, header.hash, header.ts), header.prev, 1
        checked.last = checked.tip = last
        checked.end, checked.records = said.bytes, max(0, last.seq - header.seq + 1)
    else:
        # Where bytes differ, lines may have moved: all of them are walked, but for what never counted. What the next
        # header vouches for was on the disk.
        walk = work.walk(checked.file, content, said.bytes if right or unsynced else content.size, said.bytes)
        offsets = (place.get("offset") for place in said.damage)
        checked.walked(walk, known=frozenset(offset for offset in offsets if type(offset) is int))
        if right:
            _agree(checked, walk, said)
        else:
            _name(checked, walk, said)
        if whole and last is not None:
            checked.last = checked.tip = last
            checked.gap, checked.end = NO_GAP, said.bytes
    if said.artifacts:
        look(checked, content)
    seqs = header.seq if header is not None else None, checked.last.seq if checked.last else None
    if whole and seqs != (said.first_seq, said.last_seq):
        checked.add(
            "segment-altered",
            f"the header of segment {checked.number + 1} says other seqs of it",
            expected=f"{said.first_seq} to {said.last_seq}",
            actual=f"{seqs[0]} to {seqs[1]}",
        )


def _agree(checked: Checked, walk: Walked, said: Previous) -> None:
    """Whether a walk over bytes with a right digest ends where, and spans what, the successor's header says."""
    number = checked.number + 1
    if walk.torn or walk.end != said.bytes:
        checked.add(
            "segment-altered",
            f"its last committed record does not end where the header of segment {number} says",
            offset=walk.end, expected=said.bytes, actual=walk.end,
        )  # fmt: skip
    if walk.time is not None and not (said.time[0] <= walk.time[0] and walk.time[1] <= said.time[1]):
        checked.add(
            "segment-altered",
            f"it holds times outside the range that the header of segment {number} says, by which readers skip it",
            expected=" to ".join(said.time), actual=" to ".join(walk.time),
        )  # fmt: skip
    if said.timed == 0 and walk.timed:
        checked.add(
            "segment-altered",
            f"it holds records with a time of their own, and the header of segment {number} says that it does not",
            expected=0, actual=walk.timed,
        )  # fmt: skip


def _name(checked: Checked, walk: Walked, said: Previous) -> None:
    """Names what a walk does not call damage: an end as a crash leaves it, whole records behind the end."""
    if walk.torn and not said.torn_bytes:
        if walk.cut_short:
            what = "a batch begins here and is not whole"
            checked.add("malformed-line", what, line=walk.cut_short, offset=walk.torn_at)
        if walk.torn != "batch":
            what = "this line has no end" if walk.torn == "piece" else "zero bytes stand where records stood"
            checked.add("malformed-line", what, line=walk.line + 1, offset=walk.rest)
            checked.gap = checked.gap.wider(1, ())  # a record stood there
    if said.torn_bytes >= 0 and not walk.damaged and walk.last is not None and walk.last.seq > said.last_seq:
        behind = f"it goes on behind seq {said.last_seq}, and so does segment {checked.number + 1}"
        checked.add("fork", behind, seq=said.last_seq + 1, offset=said.bytes)


def _tail(checked: Checked, content: Content, said: Previous, work: Work) -> bool:
    """Whether what stands behind the last committed record, if anything does, is what is said of it."""
    behind = content.size - said.bytes
    if said.torn_bytes < 0:
        count = digest.count_whole(content, said.bytes, content.size)
        checked.note(
            "documented-torn",
            f"a sync had failed: the {behind} bytes behind byte {said.bytes} never counted; {_lines(count)}",
            offset=said.bytes,
        )
        return True
    if not said.torn_bytes and not behind:
        return True
    right = behind == said.torn_bytes and (
        said.torn_blake3 is None or work.blake3(checked.file, content, said.bytes, content.size) == said.torn_blake3
    )
    if right:
        count = digest.count_whole(content, said.bytes, content.size)
        checked.note(
            "documented-torn",
            f"a crash left {behind} bytes behind byte {said.bytes}, accounted for in the next header; {_lines(count)}",
            offset=said.bytes,
        )
        return True
    checked.add(
        "segment-altered",
        "what stands behind its last record is not what the header of segment "
        f"{checked.number + 1} accounts for",
        offset=said.bytes,
        expected=f"{said.torn_bytes} bytes {said.torn_blake3 or ''}".rstrip(),
        actual=f"{behind} bytes",
    )
    return False


def _documented(checked: Checked, said: Previous) -> None:
    """Damage that the successor's header lists: it stays reported, digest or not."""
    for place in said.damage[:16]:
        offset, size, kind = place.get("offset"), place.get("bytes"), place.get("kind")
        checked.add(
            "documented-damage",
            f"{size} bytes were damaged ({kind}) when the segment was sealed",
            offset=offset if isinstance(offset, int) else None,
        )
    more = said.damaged - len(said.damage[:16])
    if more > 0:
        checked.add("documented-damage", f"and {more} places more that the next header does not list one by one")


def _lines(count: int) -> str:
    return f"{count} whole line{'s' * (count != 1)} stand{'s' * (count == 1)} in them"
