"""Several files with one segment number: which of them is the segment, which an older copy, which another history."""

from __future__ import annotations

import os

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.errors import NotALogError
from jsonl_audit.scan import WINDOW, Walk
from jsonl_audit.segment import Previous
from jsonl_audit.verifier import digest
from jsonl_audit.verifier.checked import Checked, of_damage
from jsonl_audit.verifier.files import File
from jsonl_audit.verifier.work import Work

__all__ = ["choose", "compare"]


def choose(files: list[File], said: Previous | None, work: Work) -> File:
    """The one that the successor's header vouches for, else the one with most records. Raises Vanished, StorageError.

    Of several alike, a sealed one: an active file that is no more than a copy of it is not where the log goes on.
    """
    if len(files) == 1:
        return files[0]
    ranks = []
    for file in files:
        vouched, exact, seq = False, False, 0
        try:
            with file.open() as content:
                if said is not None:
                    exact = said.torn_bytes < 0 or content.size == said.bytes + said.torn_bytes
                    vouched = content.size >= said.bytes and work.blake3(file, content, 0, said.bytes) == said.blake3
                if not vouched:
                    last = _walk(content).last
                    seq = 0 if last is None else last.seq
        except NotALogError:
            pass  # compressed data that are broken
        ranks.append((vouched, exact if vouched else False, seq, file.sealed))
    return files[max(range(len(files)), key=lambda number: (ranks[number], -number))]


def compare(other: File, chosen: File, end: int) -> Checked:
    """What is to be said of a file beside the one that is the segment, whose committed records end at byte `end`.

    Raises Vanished, StorageError.
    """
    checked = Checked(other, 0)
    try:
        with other.open() as content, chosen.open() as right:
            walk = _walk(content, strict=True)
            at = digest.parting(content, right, walk.end)
            if at is None:
                what = "the same records as" if walk.end == end else "an older copy, with fewer records than"
                checked.note("older-copy", f"{what} {chosen.name}; read once")
            else:
                _parts(checked, content, right, at)
            checked.findings += [of_damage(other, place) for place in walk.damage]
    except NotALogError as error:
        checked.add("segment-altered", error.message)
    return checked


def _parts(checked: Checked, content: Content, right: Content, at: int) -> None:
    """Names the line with byte `at`, where two files begin to differ, if it is a whole record."""
    number, start, before = 1, 0, 0
    for data in content.blocks(0, at, WINDOW):
        number += data.count(b"\n")
        cut = data.rfind(b"\n") + 1
        start, before = (before + cut if cut else start), before + len(data)
    line, theirs = _line_at(content, start), _line_at(right, start)
    if record.own_hash_right(line):
        checked.add(
            "fork",
            f"from here on it is another history than {os.path.basename(right.path)}",
            line=number,
            seq=record.seq_of(line),
            offset=start,
            expected=theirs[-67:-3].decode("ascii", "replace") if record.own_hash_right(theirs) else None,
            actual=line[-67:-3].decode(),
        )


def _line_at(content: Content, start: int) -> bytes:
    text = b""
    for data in content.blocks(start, start + record.HARD_LIMIT):
        end = data.find(b"\n") + 1
        text += data[:end] if end else data
        if end:
            break
    return text


def _walk(content: Content, *, strict: bool = False) -> Walk:
    walk = Walk(strict=strict)
    for data in content.blocks(size=WINDOW):
        walk.feed(data)
    return walk.finish()
