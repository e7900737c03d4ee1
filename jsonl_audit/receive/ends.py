"""When a segment is whole: its bytes are what the header of the next one says, with what a crash left behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blake3 import blake3

from jsonl_audit import record
from jsonl_audit.receive.strand import Strand, copy_part, digest_of, lines_between
from jsonl_audit.segment import Previous

if TYPE_CHECKING:
    from jsonl_audit.receive.collector import Collector

__all__ = ["settle"]

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
        log.seal(strand)
    behind = strand.end - said.bytes
    if behind > max(said.torn_bytes, 0) and said.torn_bytes >= 0:
        _cut(collector, strand, said)
        behind = 0
    if said.torn_bytes > 0 and not _torn_end(collector, strand, said, behind):
        return
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
    if not behind and missing <= _LONGEST_HOLE and _nuls(missing) == said.torn_blake3:
        _add(strand, bytes(missing))
        return True
    return False


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
                collector.aside.keep(line, "fork", what, None)
            collector.aside.sync()
            copy_part(strand.path, stop, strand.path + ".new", text)
            collector.tips.pop(strand.tip, None)
            strand.resume()
            collector.tips[strand.tip] = strand
            collector.forget(strand)
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
    assert strand.said is not None
    log = collector.logs[strand.log]
    for seq, prev in [*strand.forks, (strand.last_seq + 1, strand.tip)]:
        while (line := collector.waiting.take(seq, prev)) is not None:
            collector.bury(log, strand.number, [line], why_behind(line, strand.said))


def _cut(collector: Collector, strand: Strand, said: Previous) -> None:
    """Takes away what arrived behind a segment's last record and is not in it at the source: a crash there lost it."""
    gone = lines_between(strand.path, said.bytes, strand.end)
    collector.records -= len(gone)
    collector.bury(collector.logs[strand.log], strand.number, gone, why_behind(gone[-1], said))
    collector.aside.sync()
    copy_part(strand.path, said.bytes, strand.path + ".new")
    collector.tips.pop(strand.tip, None)
    strand.resume()
    collector.tips[strand.tip] = strand
    collector.forget(strand)


def why_behind(line: bytes, said: Previous) -> tuple[str, str]:
    """Why a record that arrived is none of its segment's, by the header of the next one: what `bury` is told."""
    batch = record.batch_of(line)
    if said.torn_bytes or (batch is not None and batch[0] < batch[1]):
        return "voided", "taken again: a crash left a batch unfinished, or lost what was not synced"
    return "fork", "arrived, and the log goes on without: a power cut took it from the source, or it was rolled back"


def _altered(collector: Collector, strand: Strand, said: Previous, actual: str) -> None:
    """The digest is not right: two histories, of which the one that is not the log's came first."""
    if strand.altered:
        return
    strand.altered = True
    what = f"segment {strand.number} is not what the header of the next one says"
    collector.told.say(
        "segment-altered", what, log=strand.log, segment=strand.number, expected=said.blake3, actual=actual
    )
