"""A sealed segment against what its successor's header says: by its digest, and by a walk where that disagrees."""

from __future__ import annotations

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.errors import NotALogError
from jsonl_audit.links import Link
from jsonl_audit.segment import Header, Previous
from jsonl_audit.verifier import digest
from jsonl_audit.verifier.checked import Checked
from jsonl_audit.verifier.files import File
from jsonl_audit.verifier.walks import Walked
from jsonl_audit.verifier.work import Work

__all__ = ["check"]


def check(file: File, number: int, successor: Header, work: Work) -> Checked:
    """What is to be said of a segment whose successor's header is here. Raises Vanished, StorageError."""
    said = successor.previous
    assert said is not None
    checked = Checked(file, number)
    checked.begins_badly()
    try:
        with file.open() as content:
            _check(checked, content, said, work)
    except NotALogError as error:
        checked.add("segment-altered", error.message, expected=said.blake3)
    _documented(checked, said)
    return checked


def _check(checked: Checked, content: Content, said: Previous, work: Work) -> None:
    header = checked.header
    actual = work.blake3(checked.file, content, 0, said.bytes)
    if content.size < said.bytes:
        checked.add(
            "segment-altered",
            f"the file ends before the byte where its last record ended when segment {checked.number + 1} was begun",
            offset=content.size, expected=said.bytes, actual=content.size,
        )  # fmt: skip
    elif actual != said.blake3:
        checked.add(
            "segment-altered",
            f"its digest is not the one that the header of segment {checked.number + 1} says",
            expected=said.blake3, actual=actual,
        )  # fmt: skip
    whole = actual == said.blake3
    if content.size >= said.bytes:
        _tail(checked, content, said, work)
    known = frozenset(place["offset"] for place in said.damage if isinstance(place.get("offset"), int))
    line = digest.last_line(content, said.bytes) if whole else b""
    if header is not None and not work.full and record.own_hash_right(line):
        checked.first, checked.first_prev, checked.first_line = Link(header.seq, header.hash, header.ts), header.prev, 1
        checked.last = Link(record.seq_of(line), line[-67:-3].decode(), record.ts_of(line))
        checked.records = max(0, checked.last.seq - header.seq + 1 - said.damaged)
        checked.end = said.bytes
    else:
        # Where the bytes differ, lines may have moved: all of them are walked, but for what never counted.
        walk = work.walk(checked.file, content, said.bytes if whole or said.torn_bytes < 0 else content.size)
        checked.walked(walk, known=known)
        if whole:
            _agree(checked, walk, said)
        elif said.torn_bytes >= 0 and walk.last is not None and walk.last.seq > said.last_seq and not walk.damaged:
            checked.add(
                "fork",
                f"it goes on behind seq {said.last_seq}, and so does segment {checked.number + 1}",
                seq=said.last_seq + 1,
            )
    last = checked.last.seq if checked.last else None
    if header is not None and whole and (header.seq, last) != (said.first_seq, said.last_seq):
        checked.add(
            "segment-altered",
            f"the header of segment {checked.number + 1} says other seqs of it",
            expected=f"{said.first_seq} to {said.last_seq}",
            actual=f"{header.seq} to {last}",
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


def _tail(checked: Checked, content: Content, said: Previous, work: Work) -> None:
    """What stands behind the last committed record, against what is said of it."""
    behind = content.size - said.bytes
    if said.torn_bytes < 0:
        count = digest.count_whole(content, said.bytes, content.size)
        checked.note(
            "documented-torn",
            f"a sync had failed: the {behind} bytes behind byte {said.bytes} never counted; {_lines(count)}",
            offset=said.bytes,
        )
        return
    if not said.torn_bytes and not behind:
        return
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
        return
    checked.add(
        "segment-altered",
        "what stands behind its last record is not what the header of segment "
        f"{checked.number + 1} accounts for",
        offset=said.bytes,
        expected=f"{said.torn_bytes} bytes {said.torn_blake3 or ''}".rstrip(),
        actual=f"{behind} bytes",
    )


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
