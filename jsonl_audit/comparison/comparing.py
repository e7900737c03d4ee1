"""Two logs read side by side, by seq: up to where they are the same bytes, and the first record where they are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack

from jsonl_audit import accessed, record
from jsonl_audit.comparison.lines import Spot, begin_of, common_at, differences, place, spot_of
from jsonl_audit.comparison.outcome import Common, Comparison, Parting
from jsonl_audit.comparison.sides import Given, Held, Stretch, held, without
from jsonl_audit.errors import AuditError, LogError, StorageError
from jsonl_audit.manifest import FileEntry
from jsonl_audit.reader.notices import warn
from jsonl_audit.verifier.digest import WINDOW, alike, blake3_of
from jsonl_audit.verifier.files import Vanished
from jsonl_audit.verifier.report import VERDICT_OF
from jsonl_audit.verifier.work import Work

__all__ = ["compare"]

_TRIES = 20


def compare(
    a: Given, b: Given, *, progress: Callable[[int, int], None] | None = None, workers: int | None = None
) -> Comparison:
    """Holds two copies of a log against each other: what each lacks, where they part, and since when.

    Nothing is written, and either may be in use. Both are read as :func:`~jsonl_audit.verify` with ``copy=True`` does.

    :param a: a log's path; a folder, all files of it; a list of files; a manifest, or the path of one.
    :param b: the other one.
    :param progress: called with the bytes done and the bytes in all, first for one and then for the other.
    :param workers: how many cores to use; all by default.

    Raises :class:`~jsonl_audit.LogError` for what is no log or holds several, :class:`~jsonl_audit.StorageError` for
    what is not here or cannot be read.

    >>> import shutil, tempfile, pathlib
    >>> from jsonl_audit import AuditLog
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with AuditLog(folder / "audit.jsonl") as log:
    ...     _ = log.append("exec.completed", outcome="success")
    ...     _ = shutil.copy(folder / "audit.jsonl", folder / "copy.jsonl")
    ...     _ = log.append("exec.completed", outcome="failure")
    >>> found = compare(folder / "audit.jsonl", folder / "copy.jsonl")
    >>> found.relation, found.b_lacks, found.common.seq
    ('lacking', ((3, 3),), 2)
    >>> _ = (folder / "copy.jsonl").write_bytes((folder / "copy.jsonl").read_bytes().replace(b"success", b"failure"))
    >>> found = compare(folder / "audit.jsonl", folder / "copy.jsonl")
    >>> found.relation, found.parted.seq, found.parted.b.whole, found.parted.differences[0].member
    ('parted', 2, False, 'outcome')
    """
    for _ in range(_TRIES):
        try:
            with ExitStack() as stack:
                one = stack.enter_context(Work(full=False, progress=progress, workers=workers))
                other = stack.enter_context(Work(full=False, progress=progress, workers=workers))
                left, right = stack.enter_context(held(a, one)), stack.enter_context(held(b, other))
                found = _compared(left, right)
        except Vanished:
            continue
        except OSError as error:
            if isinstance(error, AuditError) or error.filename is None:  # not of a file: the caller's own
                raise
            raise StorageError.of(error, "cannot be read", os.fsdecode(error.filename)) from error
        for given, own in ((a, left), (b, right)):
            if own.manifest is None and isinstance(given, (str, os.PathLike)):
                count = sum(last - first + 1 for first, last in own.here)
                accessed.record(given, "diff", {"relation": found.relation}, count, warn)
        return found
    raise StorageError("files kept being renamed or removed while they were read; try again")


def _compared(left: Held, right: Held) -> Comparison:
    if left.manifest is not None and right.manifest is not None:
        raise LogError("these are two manifests: one of the two must be a log, or copies of one")
    if right.manifest is not None:
        common, parted = _with_manifest(left, right, swapped=False)
    elif left.manifest is not None:
        common, parted = _with_manifest(right, left, swapped=True)
    else:
        common, parted = _side_by_side(left, right)
    return Comparison(
        left.side, right.side, without(right.here, left.here), without(left.here, right.here), common, parted
    )


def _side_by_side(left: Held, right: Held) -> tuple[Common | None, Parting | None]:
    """The last record that both have alike, and the first that they have not."""
    common: Common | None = None
    for one, other, low, high in _overlaps(left, right):
        found = _first_apart(one, other, low, high)
        if found is None:
            common = common_at(one, high) or common
            continue
        seq, here, there = found
        common = common_at(one, seq - 1) or common
        return common, _parting(seq, (one, here), (other, there), _meet_again(left, right, seq))
    return common, _joint(left, right)


def _overlaps(left: Held, right: Held) -> list[tuple[Stretch, Stretch, int, int]]:
    """Which files hold the same seqs, from which to which, in their order."""
    found = [
        (one, other, max(one.low, other.low), min(one.high, other.high))
        for one in left.chain
        for other in right.chain
        if one.low <= other.high and other.low <= one.high
    ]
    return sorted(found, key=lambda each: each[2])


def _first_apart(one: Stretch, other: Stretch, low: int, high: int) -> tuple[int, Spot | None, Spot | None] | None:
    """The first seq from `low` to `high` that two files have not alike, and where each has it."""
    here, there = begin_of(one, low), begin_of(other, low)
    if here is None or there is None:
        return (low, here, there) if here is not there else None
    with one.checked.file.open() as left, other.checked.file.open() as right:
        at, stop = 0, min(one.stop - here.offset, other.stop - there.offset)
        start, seq = 0, low  # of the line that `at` stands in
        while at < stop and seq <= high:
            count = min(WINDOW, stop - at)
            mine, theirs = left.read(here.offset + at, count), right.read(there.offset + at, count)
            parted = mine != theirs or not mine
            same = mine[: alike(mine, theirs)] if parted else mine
            cut = same.rfind(b"\n") + 1
            start, seq = (at + cut if cut else start), seq + same.count(b"\n")
            if parted and seq <= high:
                return seq, Spot.at(left, here.offset + start), Spot.at(right, there.offset + start)
            at += count
    return None


def _parting(
    seq: int, one: tuple[Stretch, Spot | None], other: tuple[Stretch, Spot | None], meet: int | None
) -> Parting:
    (left, here), (right, there) = one, other
    lines = (here.line if here is not None else b"", there.line if there is not None else b"")
    return Parting(seq, seq, place(left, here), place(right, there), differences(*lines), meet)


def _meet_again(left: Held, right: Held, seq: int) -> int | None:
    """The last seq behind `seq` that both have, if they have it alike."""
    overlaps = [(one, other, high) for one, other, low, high in _overlaps(left, right) if high > seq]
    for one, other, high in reversed(overlaps):
        here, there = common_at(one, high), common_at(other, high)
        if here is not None and there is not None:
            return high if here == there else None
    return None


def _joint(left: Held, right: Held) -> Parting | None:
    """Where one goes on from where the other ends, whether it does so from the same record."""
    for before, after, swapped in ((left, right, False), (right, left, True)):
        for one in before.chain:
            for other in after.chain:
                own, theirs = one.checked, other.checked
                if own.last is None or other.low != one.high + 1 or own.gap.lines or theirs.first_gap.lines:
                    continue
                if theirs.first_prev != own.last.hash:  # what goes on calls the hash of the record before otherwise
                    places = place(one, spot_of(one, one.high)), place(other, spot_of(other, other.low))
                    here, there = reversed(places) if swapped else places
                    return Parting(other.low, other.low, here, there, (), None)
    return None


def _with_manifest(log: Held, other: Held, *, swapped: bool) -> tuple[Common | None, Parting | None]:
    """A log against what a manifest says: the digest of each file, and the hash of its last record."""
    made = other.manifest
    assert made is not None
    common: Common | None = None
    for entry in sorted(made.files, key=lambda entry: entry.last_seq or 0):
        seq = entry.last_seq
        holder = _holder(log, entry)
        if seq is None or entry.head is None or holder is None:
            continue  # it is told by what is lacking
        spot = spot_of(holder, seq) if holder.low <= seq <= holder.high else None
        here = spot is not None and record.own_hash_right(spot.line) and record.hash_of(spot.line) == entry.head
        same = _same_bytes(holder, entry)
        if same or (same is None and (here or spot is None) and not _changed(holder)):
            common = common_at(holder, seq if here else holder.high) or common
            continue
        first = max(entry.first_seq or 1, holder.low if common is None else common.seq + 1)
        own = None if spot is None else place(holder, spot)
        left, right = (None, own) if swapped else (own, None)
        return common, Parting(first, seq, left, right, (), None)
    return common, None


def _holder(log: Held, entry: FileEntry) -> Stretch | None:
    """The segment that an entry of a manifest is of: by its number, else by its last record."""
    for stretch in log.chain:
        if entry.segment is not None and stretch.checked.number == entry.segment:
            return stretch
    seq = entry.last_seq or 0
    return next((each for each in log.chain if each.low <= seq <= each.high), None)


def _changed(holder: Stretch) -> bool:
    """Whether the segment itself says that it is not as it was."""
    return any(VERDICT_OF[finding.kind] in ("tampered", "forked") for finding in holder.checked.findings)


def _same_bytes(holder: Stretch, entry: FileEntry) -> bool | None:
    """Whether the segment begins with the bytes that the file had; None where fewer of them are here."""
    size, digest = entry.bytes, entry.blake3
    if entry.content is not None:
        size, digest = entry.content.get("bytes", -1), entry.content.get("blake3", "")
    if holder.low != (entry.first_seq or holder.low) or holder.checked.number not in (0, entry.segment):
        return None
    with holder.checked.file.open() as content:
        if type(size) is not int or not 0 <= size <= content.size:
            return None
        return blake3_of(content, 0, size) == digest
