"""A copy of a sealed segment that ends early: whole as far as it goes, it is unfinished, and not altered."""

from __future__ import annotations

from jsonl_audit.content import Content
from jsonl_audit.record import HARD_LIMIT, own_hash_right
from jsonl_audit.segment import Previous
from jsonl_audit.verifier import digest
from jsonl_audit.verifier.checked import Checked
from jsonl_audit.verifier.pieces import tail_of
from jsonl_audit.verifier.walks import Walked
from jsonl_audit.verifier.work import Work

__all__ = ["check", "leave_out_glued"]

_BEGIN = b'{"seq":'
_ZEROS = 512
"""So many NUL bytes at the end of a file, at least, are room that was made for what did not arrive."""


def check(checked: Checked, content: Content, said: Previous, work: Work) -> bool:
    """Whether the copy is one that ends early and is right as far as it goes. Then that is added to `checked`.

    Raises StorageError.
    """
    header = checked.header
    if header is None or header.seq != said.first_seq or said.damaged:
        return False
    if content.size >= said.bytes and work.blake3(checked.file, content, 0, said.bytes) == said.blake3:
        return _torn_end_cut(checked, content, said, work)
    stop = content.size
    if stop >= said.bytes:
        stop = stop - len(tail_of(content)) if checked.file.merged else _before_zeros(content)
    if stop >= said.bytes or stop < header.size:
        return False
    walk = work.walk(checked.file, content, stop, stop)
    if walk.damaged or walk.torn == "hole" or walk.last is None or walk.last.seq > said.last_seq:
        return False
    if walk.torn == "piece" and not checked.file.merged and not _due(content, walk):
        return False
    checked.walked(walk)
    checked.tip = checked.last
    checked.unfinished = True
    first = walk.last.seq + 1
    which = f"seq {first} is" if first == said.last_seq else f"seqs {first} to {said.last_seq} are"
    checked.add(
        "segment-unfinished", f"the copy ends at byte {stop} of {said.bytes}: {which} not here",
        seq=first if first <= said.last_seq else None, offset=stop, expected=said.bytes, actual=stop,
    )  # fmt: skip
    return True


def leave_out_glued(checked: Checked, content: Content, said: Previous) -> None:
    """Leaves out what does not belong to a segment that was merged with others: the beginning of a line, of a file of
    which no more had been copied when it was put between this one and the next."""
    torn, behind = max(0, said.torn_bytes), content.size - said.bytes
    if not checked.file.merged or not torn < behind <= HARD_LIMIT:
        return
    text = content.read(said.bytes, behind)
    begin = text[torn : torn + len(_BEGIN)]
    # What a crash left may itself be unfinished.
    at = torn if begin == _BEGIN[: len(begin)] else text.rfind(_BEGIN, 0, torn + len(_BEGIN) - 1)
    if at < 0 or b"\n" in text[at:]:
        return
    stop = said.bytes + at
    what = f"behind it stand {len(text) - at} bytes of the beginning of a line, of another file that was merged in"
    checked.note("older-copy", what, offset=stop)
    content.size = stop


def _due(content: Content, walk: Walked) -> bool:
    """Whether the line without end at the end is the one that is due."""
    begin = b'{"seq":%d,' % ((walk.last.seq if walk.last is not None else 0) + 1)
    text = content.read(walk.rest, len(begin))
    return walk.cut_short > 0 or begin.startswith(text[: min(len(text), content.size - walk.rest)].rstrip(b"\0"))


def _torn_end_cut(checked: Checked, content: Content, said: Previous, work: Work) -> bool:
    """Whether all records are here, and less stands behind them than a crash left there."""
    behind = content.size - said.bytes
    if behind == said.torn_bytes > 0:
        if said.torn_blake3 in (None, work.blake3(checked.file, content, said.bytes, content.size)):
            return False
        behind = _before_zeros(content) - said.bytes  # room may have been made for it
    if not 0 <= behind < said.torn_bytes:
        return False
    walk = work.walk(checked.file, content, said.bytes, said.bytes)
    checked.walked(walk)
    what = f"all its records are here, and {behind} of {said.torn_bytes} bytes that a crash left"
    if _whole_lines(content, said.bytes):
        # As a shipper of lines brings it, which drops a piece without end. No record is lacking.
        checked.note("documented-torn", what, offset=content.size)
        return True
    checked.add(
        "segment-unfinished", what, offset=content.size, expected=said.bytes + said.torn_bytes, actual=content.size
    )
    return True


def _whole_lines(content: Content, start: int) -> bool:
    """Whether from there on stand only lines whose own hashes are right, or nothing."""
    if content.size - start > HARD_LIMIT:
        return False
    *lines, rest = content.read(start, content.size - start).split(b"\n")
    return not rest and all(own_hash_right(line + b"\n") for line in lines)


def _before_zeros(content: Content) -> int:
    """Where the NUL bytes begin that fill the end of a file; its size where they are too few."""
    stop = content.size
    while stop > 0:
        data = content.read(max(0, stop - digest.WINDOW), min(digest.WINDOW, stop))
        kept = len(data.rstrip(b"\0"))
        stop -= len(data) - kept
        if kept:
            break
    return stop if content.size - stop >= _ZEROS else content.size
