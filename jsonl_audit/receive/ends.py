"""When a segment is whole: its bytes are what the header of the next one says, with what a crash left behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blake3 import blake3

from jsonl_audit import record
from jsonl_audit.receive.strand import Strand, digest_of, lines_between
from jsonl_audit.segment import Previous

if TYPE_CHECKING:
    from jsonl_audit.receive.collector import Collector

__all__ = ["VOIDED", "settle", "unfinished"]

VOIDED = ("voided", "taken again: a crash left a batch unfinished")
LOST = ("fork", "arrived, and the log goes on without: a power cut took it from the source, or it was rolled back")
_LONGEST_HOLE = 64 << 20
_BLOCK = 1 << 20


def settle(collector: Collector, strand: Strand) -> None:
    """Judges a segment of which the next one's header is here; a whole one gets its name and is done with.

    Raises OSError, LogError.
    """
    said = strand.said
    log = collector.logs[strand.log]
    if said is None or strand.number not in log.strands:
        return
    strand.flush()
    if not strand.sealed:
        actual = digest_of(strand.path, 0, said.bytes) if strand.end >= said.bytes else ""
        if actual != said.blake3 and not _mended(collector, strand, said):
            if actual:
                _altered(collector, strand, said, actual)
            return
        following = log.strands.get(strand.number + 1)
        if following is not None:  # without its header nobody would know of this one whether it is whole
            following.sync()
            log.sync_names()
        told = log.seal(strand)
        if told:
            collector.told.say("segment-altered", told, **log.segment_named(strand.number))
    behind = strand.end - said.bytes
    if said.torn_bytes > 0 and behind == said.torn_bytes + 1 and _without_lf(collector, strand, said):
        behind -= 1
    if behind > max(said.torn_bytes, 0) and said.torn_bytes >= 0:
        _cut(collector, strand, said)
        behind = 0
    if said.torn_bytes > 0 and not _torn_end(collector, strand, said, behind):
        return
    _second_history(collector, strand, said)
    strand.sync()
    collector.tips.pop(strand.tip, None)
    _leave(collector, strand)
    log.finish(strand, torn=said.torn_bytes != 0)
    collector.forget(strand)


def _torn_end(collector: Collector, strand: Strand, said: Previous, behind: int) -> bool:
    """Whether what a crash left behind the last record is all there, once everything at hand was tried."""
    missing = said.torn_bytes - behind
    if said.torn_blake3 is None:
        return True  # at the source it could not be read either
    if not missing:
        if digest_of(strand.path, said.bytes, strand.end) == said.torn_blake3:
            return True
        _cut(collector, strand, said)
        behind, missing = 0, said.torn_bytes
    for piece in collector.aside.pieces:
        for end in (piece, piece + b"\n"):
            if len(end) == missing and digest_of(strand.path, said.bytes, strand.end, end) == said.torn_blake3:
                _add(strand, end)
                return True
    line = collector.waiting.take(strand.last_seq + 1, strand.tip)
    if line is not None:  # a line that was cut right before its LF, which somebody put back on the way
        if len(line) - 1 == missing and digest_of(strand.path, said.bytes, strand.end, line[:-1]) == said.torn_blake3:
            _add(strand, line[:-1])
            return True
        collector.waiting.add(record.seq_of(line), line)
    if behind or strand.zeros_tried or missing > _LONGEST_HOLE:
        return False
    strand.zeros_tried = True
    if _nuls(missing) == said.torn_blake3:
        _add(strand, bytes(missing))
        return True
    return False


def _without_lf(collector: Collector, strand: Strand, said: Previous) -> bool:
    """Takes off the LF of a line that was cut right before it, and got one on the way. False where that is not so."""
    if digest_of(strand.path, said.bytes, strand.end - 1) != said.torn_blake3:
        return False
    _end_at(collector, strand, strand.end - 1)
    return True


def _end_at(collector: Collector, strand: Strand, stop: int, more: bytes = b"") -> None:
    """Makes the file of a segment end there, with `more` behind it."""
    strand.cut(stop, more)
    collector.tips.pop(strand.tip, None)
    strand.resume()
    if stop + len(more) > strand.end:  # a line without its end counts as written here
        strand.end, strand.piece = stop + len(more), b""
    collector.tips[strand.tip] = strand
    collector.forget(strand)


def _second_history(collector: Collector, strand: Strand, said: Previous) -> None:
    """Names whole records behind the last one that counts: a crash leaves there a batch without its end, and no other,
    unless zeros of a power cut stand before them."""
    behind = lines_between(strand.path, said.bytes, strand.end)
    whole = []
    for line in behind:
        if b"\0" in line or not record.own_hash_right(line):
            break
        whole.append(line)
    if whole and not unfinished(whole):
        collector.bury(collector.logs[strand.log], strand.number, whole, LOST)


def _add(strand: Strand, data: bytes) -> None:
    strand.append(data, strand.tip, strand.last_seq, strand.ts)
    strand.flush()


def _nuls(count: int) -> str:
    hasher = blake3()
    while count:
        some = min(count, _BLOCK)
        hasher.update(bytes(some))
        count -= some
    return str(hasher.hexdigest())


def _mended(collector: Collector, strand: Strand, said: Previous) -> bool:
    """Whether another history that came is the one that the next header vouches for: then it takes the place."""
    for seq, prev in list(strand.forks):
        chain = _chain(collector, seq, prev, said.last_seq)
        text = b"".join(chain)
        stop = said.bytes - len(text)
        if chain and 0 < stop <= strand.end and digest_of(strand.path, 0, stop, text) == said.blake3:
            wrong = lines_between(strand.path, stop, strand.end)
            what = "another record in its place is the one that the next segment's header vouches for"
            for line in wrong:
                collector.forks.keep(line, "fork", what, None)
            collector.forks.sync()
            _end_at(collector, strand, stop, text)
            collector.records += len(chain) - len(wrong)
            strand.forks.remove((seq, prev))
            return True
        for line in chain:
            collector.waiting.add(record.seq_of(line), line)
    return False


def _chain(collector: Collector, seq: int, prev: bytes, last: int) -> list[bytes]:
    """The records that wait and go on from each other, from this one on. They wait no longer."""
    chain: list[bytes] = []
    while seq <= last and (line := collector.waiting.take(seq, prev)) is not None:
        chain.append(line)
        seq, prev = seq + 1, line[-67:-3]
    return chain


def _leave(collector: Collector, strand: Strand) -> None:
    """Lets go of what waited for a segment that is whole now, and is no part of it."""
    log = collector.logs[strand.log]
    for seq, prev in [*strand.forks, (strand.last_seq + 1, strand.tip)]:
        while chain := _chain(collector, seq, prev, 1 << 62):
            collector.bury(log, strand.number, chain, _why(chain))


def _cut(collector: Collector, strand: Strand, said: Previous) -> None:
    """Takes away what arrived behind a segment's last record and is not in it at the source: a crash there lost it."""
    gone = lines_between(strand.path, said.bytes, strand.end)
    collector.records -= len(gone)
    collector.bury(collector.logs[strand.log], strand.number, gone, _why(gone))
    collector.aside.sync()
    collector.forks.sync()
    _end_at(collector, strand, said.bytes)


def unfinished(lines: list[bytes]) -> bool:
    """Whether records that go on from each other are no more than a part of one batch, without its end."""
    found = [record.batch_of(line) for line in lines]
    counts = {batch[1] for batch in found if batch is not None}
    return None not in found and len(counts) == 1 and all(batch is not None and batch[0] < batch[1] for batch in found)


def _why(lines: list[bytes]) -> tuple[str, str]:
    """Why records that arrived are none of their segment's, by the header of the next one: what `bury` is told."""
    return VOIDED if unfinished(lines) else LOST


def _altered(collector: Collector, strand: Strand, said: Previous, actual: str) -> None:
    """The digest is not right: two histories, of which the one that is not the log's came first."""
    if strand.altered:
        return
    strand.altered = True
    what = f"segment {strand.number} is not what the header of the next one says"
    collector.told.say(
        "segment-altered", what, log=strand.log, segment=strand.number, expected=said.blake3, actual=actual
    )
