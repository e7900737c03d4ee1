"""A part of a log as files of its own, byte for byte, which verify as what they are: a part.

::

    OUT/audit.20261121T101112123456Z.jsonl     a sealed segment, whole, under its own name
    OUT/audit.20261122T081500000000Z.jsonl     the beginning of the last one, named by its last record's time
    OUT/audit.jsonl.d/artifacts/<64 hex>       what the records refer to
    OUT/manifest.json                          what was cut from what, and the digests

A segment's header is what ties its records to the log, and a digest in the next header is what vouches for it. So a
slice begins with a header: the first segment goes along from its start, and only the last one is cut. Where that is
whole too, the next segment's header comes behind it, and vouches for it. The file that a log is named by, its active
one, is in the slice only if the slice goes on to the log's end; without it, a verifier says that a part is not here.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from blake3 import blake3

import jsonl_audit
from jsonl_audit import accessed, instants, record, storage
from jsonl_audit.artifacts import Store, folder_of
from jsonl_audit.artifacts.referring import in_content
from jsonl_audit.content import Content
from jsonl_audit.errors import ArtifactError, QueryError, StorageError
from jsonl_audit.manifest import ArtifactEntry, Manifest, dump, entry_of
from jsonl_audit.reader import notices, places
from jsonl_audit.reader.notices import Notice, Tell
from jsonl_audit.reader.segments import Opened, Segments
from jsonl_audit.segment import Names
from jsonl_audit.slices.ranges import Range, bound, find
from jsonl_audit.snapshot import Snapshot, resolve
from jsonl_audit.verifier.digest import last_line

__all__ = ["MANIFEST", "Slice", "extract"]

MANIFEST = "manifest.json"
"""The name of the manifest in the folder of a slice."""
_PACKED = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a log that was cut out."""

    path: str
    """The folder that it lies in."""
    first_seq: int
    """The first record that was asked for."""
    last_seq: int
    manifest: Manifest
    """What lies there; also in the file ``manifest.json``."""

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of its files of records, oldest first."""
        return tuple(os.path.join(self.path, each.name) for each in self.manifest.files)

    def to_dict(self) -> dict[str, Any]:
        """The members that ``extract --json`` shows."""
        return {
            "path": self.path,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "manifest": self.manifest.to_dict(),
        }


def extract(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    since: Any = None,
    until: Any = None,
    exact: bool = False,
    on_damage: Tell | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Slice:
    """Cuts a part out of a log, byte for byte, for somebody who is to verify it without the rest.

    What is cut out verifies as a part: ``verify(out)`` says ``incomplete``, and checks each record, each link, and the
    digests of the segments that are whole. It holds the segments of the records that are meant, each from its header
    on, so there may be records before the first that was asked for; behind the last there is at most the header that
    vouches for the segment before. Batches stay whole. The log may be in use, and nothing of it is changed. Damage is
    copied as it stands.

    :param path: the log's active file, or a directory that holds one log.
    :param out: a folder for it, made if it is not there; nothing may be in it.
    :param since: a seq, or a time in any form that the filters take, as a text, a datetime or a date; the first there
        is by default. A text of up to nine digits is a seq, and so is ``"seq:1234567890"``; a longer number is a time.
    :param until: a seq, which is in the slice; or a time, before which records are. The newest there is by default.
    :param exact: the lines that were asked for and no others, in one file. Their hashes and links can be checked, but
        without a header nothing in them says which log they are of; the manifest says it.
    :param on_damage: called with a :class:`~jsonl_audit.Notice` for what is not here or was left out; by default that
        is a warning.
    :param progress: called with the bytes done and the bytes in all.

    Raises QueryError where no record is meant, or a bound makes no sense; StorageError where something lies in `out`,
    where a file cannot be read or written, or is purged meanwhile: then nothing stays in `out`. Else as `query`.

    >>> import tempfile, pathlib
    >>> from jsonl_audit import AuditLog, verify
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with AuditLog(folder / "audit.jsonl") as log:
    ...     for step in range(6):
    ...         receipt = log.append("exec.completed", step=step)
    ...         sealed = log.rotate() if step % 2 else None
    >>> cut = extract(folder / "audit.jsonl", folder / "slice", since=5, until=6)
    >>> [(each.segment, each.first_seq, each.last_seq) for each in cut.manifest.files]
    [(2, 4, 6), (3, 7, 7)]
    >>> verify(folder / "slice").verdict
    'incomplete'
    """
    low, high = bound("since", since), bound("until", until)
    tell = on_damage or notices.warn
    with Snapshot(resolve(path)) as snapshot:
        segments = Segments(snapshot, tell)
        segments.tell_of_active()
        found = find(segments, low, high, tell)
        if found is None:
            raise QueryError(_nothing(segments, tell), path=segments.names.path)
        folder = _Folder(out)
        planned = segments.all[segments.index_of(found.first) :]
        try:
            cut = _lines(segments, found, folder) if exact else _pieces(segments, found, folder, progress)
            if any(each.gone for each in planned if each.header is None or each.header.seq <= found.last):
                what = "segments of the slice were purged, or moved away, while it was cut out; try again"
                raise StorageError(what, path=segments.names.path)
            made = _finish(segments, found, folder, cut, {"since": since, "until": until}, exact=exact, tell=tell)
        except BaseException:
            folder.clear()
            raise
    asked = {"since": since, "until": until, "exact": exact or None, "out": made.path}
    count = found.last - found.first + 1
    accessed.record(path, "extract", {name: value for name, value in asked.items() if value is not None}, count, tell)
    return made


class _Piece(NamedTuple):
    """A file that was written, and what of the log is in it."""

    name: str
    blake3: str
    """Of what was read from the log."""
    artifacts: frozenset[str]


def _pieces(
    segments: Segments, found: Range, folder: _Folder, progress: Callable[[int, int], None] | None
) -> list[_Piece]:
    """Segments, each from its header on, the last one up to the last record."""
    last, pieces = found.last, []
    begin = segments.index_of(found.first)
    due = _due(segments, begin, last)
    done = 0
    for opened in segments.walk(begin):
        header, behind = opened.segment.header, opened.following
        if header is not None and header.seq > last:
            break
        stop = _end_of(opened, last, found)
        cut = stop < opened.end
        if not cut and behind is not None and behind.seq == last + 1:  # the header that vouches for it comes along
            last += 1
        if not cut and _goes_on(segments, opened, last):
            stop = opened.content.size  # with what stands behind its last record, for which the next header accounts
        if stop:
            name = _name(segments.names, opened, stop, cut=not _all_of(segments.names, opened, stop))
            digest = folder.write(name, opened.content.blocks(0, stop))
            pieces.append(_Piece(name, digest, frozenset(own for own, _ in in_content(opened.content, stop))))
        done += stop
        if progress is not None:
            progress(min(done, due), due)
        if cut:
            break
    return pieces


def _goes_on(segments: Segments, opened: Opened, last: int) -> bool:
    """Whether the slice has another segment behind this one."""
    following = segments.all[segments.all.index(opened.segment) + 1 :][:1]
    return any(each.header is None or each.header.seq <= last for each in following)


def _lines(segments: Segments, found: Range, folder: _Folder) -> list[_Piece]:
    """One file with the lines of the range, and no others."""
    referred: set[str] = set()

    def blocks() -> Iterator[bytes]:
        for opened in segments.walk(segments.index_of(found.first)):
            header = opened.segment.header
            if header is not None and header.seq > found.last:
                return
            start = places.first_at_seq(opened.content, 0, opened.end, found.first)
            stop = _end_of(opened, found.last, found)
            yield from opened.content.blocks(start, stop)
            for own, line in in_content(opened.content, stop):
                if record.seq_of(line) >= found.first:
                    referred.add(own)

    names = segments.names
    name = f"{names.stem}.{found.first}-{found.last}{names.extension}"
    digest = folder.write(name, blocks())
    return [_Piece(name, digest, frozenset(referred))]


def _end_of(opened: Opened, last: int, found: Range) -> int:
    """The offset behind record `last` in a segment."""
    if last >= found.highest:
        return opened.end
    return places.first_at_seq(opened.content, 0, opened.end, last + 1)


def _all_of(names: Names, opened: Opened, stop: int) -> bool:
    """Whether a piece is all that its file counts for, so that it may bear the file's name."""
    return stop == (opened.end if _active(names, opened) else opened.content.size)


def _active(names: Names, opened: Opened) -> bool:
    return names.stamp_of(os.path.basename(opened.segment.path)) is None


def _name(names: Names, opened: Opened, stop: int, *, cut: bool) -> str:
    """The name of a piece: its file's own, or that of a segment sealed when its last record was committed."""
    own = os.path.basename(names.path if _active(names, opened) else opened.segment.path)
    own = next((own[: -len(end)] for end in _PACKED if own.endswith(end)), own)
    if not cut:
        return own
    us = instants.micros(record.ts_of(last_line(opened.content, stop)))
    taken = {names.stamp_of(os.path.basename(path)) for path in names.list_sealed()}
    while instants.stamp(us) in taken:
        us += 1
    return names.sealed(instants.stamp(us))


def _due(segments: Segments, begin: int, last: int) -> int:
    """About how many bytes there are to read."""
    due = 0
    for each in segments.all[begin:]:
        if each.header is not None and each.header.seq > last:
            break
        with suppress(OSError):  # it may be gone by now, and whoever opens it says so
            due += storage.size(each.path)
    return due


def _nothing(segments: Segments, tell: Tell) -> str:
    whole = find(segments, bound("since", None), bound("until", None), tell)
    if whole is None:
        return "there is no record in this log, so nothing to cut out"
    return (
        f"no record lies between these bounds: the log goes from seq {whole.lowest} to {whole.highest}; "
        "jsonl-audit info shows its times"
    )


# -- what goes along, and the end of it


def _finish(
    segments: Segments,
    found: Range,
    folder: _Folder,
    pieces: list[_Piece],
    asked: dict[str, Any],
    *,
    exact: bool,
    tell: Tell,
) -> Slice:
    """Looks at what was written, puts the artifacts beside it, and says in the manifest what it is."""
    entries = []
    log = next((each.header.log for each in segments.all if each.header is not None), None)
    for piece in pieces:
        with Content(os.path.join(folder.path, piece.name)) as content:
            _, entry = entry_of(content, piece.name)
        if entry.blake3 != piece.blake3:
            what = "what was written here is not what was read from the log: look at the disk, and try again"
            raise StorageError(what, path=content.path, expected=piece.blake3, actual=entry.blake3)
        entries.append(entry)
    artifacts = tuple(_artifacts(segments.names, folder, frozenset().union(*(each.artifacts for each in pieces)), tell))
    with Content(os.path.join(folder.path, pieces[0].name)) as content:
        first = content.first_line()
    before = {"seq": record.seq_of(first) - 1, "hash": record.prev_of(first)} if record.own_hash_right(first) else None
    manifest = Manifest(
        log=log,
        made=instants.text(time.time_ns() // 1000),
        by=f"jsonl-audit/{jsonl_audit.__version__}",
        first_seq=entries[0].first_seq,
        last_seq=entries[-1].last_seq,
        head=entries[-1].head,
        files=tuple(entries),
        artifacts=artifacts,
        slice={
            "of": os.path.basename(segments.names.path),
            "asked": {name: None if value is None else str(value) for name, value in asked.items()},
            "exact": exact,
            "first_seq": found.first,
            "last_seq": found.last,
            "before": before,
            "log_first_seq": found.lowest,
            "log_last_seq": found.highest,
        },
    )
    folder.note(dump(manifest, os.path.join(folder.path, MANIFEST)))
    return Slice(folder.path, found.first, found.last, manifest)


def _artifacts(names: Names, folder: _Folder, referred: frozenset[str], tell: Tell) -> Iterator[ArtifactEntry]:
    """Copies what the records refer to; what is not here, or altered, is told and left out."""
    store = Store(names)
    for own in sorted(referred):
        name = os.path.relpath(os.path.join(folder_of(names), own), names.directory).replace(os.sep, "/")
        try:
            with store.open(own) as file:
                folder.write(name, file.blocks())
        except ArtifactError as error:
            folder.drop(name)
            message = f"the artifact {own}, to which a record in the slice refers, is {error.state}, and left out"
            tell(Notice(f"artifact-{error.state}", message, store.path))
            continue
        path = os.path.join(folder.path, *name.split("/"))
        yield ArtifactEntry(name, storage.size(path), own)


class _Folder:
    """The folder of a slice, in which nothing is ever written over."""

    def __init__(self, out: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(os.path.expanduser(out))
        self._written: list[str] = []
        self._made = not storage.exists(self.path)
        self._folders = {self.path} if self._made else set()
        try:
            if not self._made and (not storage.is_directory(self.path) or storage.list_directory(self.path)):
                what = "something is there already, and nothing is written over; name a folder that is new, or empty"
                raise StorageError(what, path=self.path, errno=errno.EEXIST)
            storage.make_directory(self.path)
        except OSError as error:
            self.clear()
            raise StorageError.of(error, "the slice cannot be put there", self.path) from error

    def write(self, name: str, blocks: Iterator[bytes]) -> str:
        """Writes a new file, all of it on the disk, and returns its BLAKE3."""
        path = os.path.join(self.path, *name.split("/"))
        hasher = blake3()
        above = path
        while (above := os.path.dirname(above)) != self.path:
            self._folders.add(above)
        try:
            storage.make_directory(os.path.dirname(path))
            fd = storage.open_append(path, create=True, new=True)
        except OSError as error:
            raise StorageError.of(error, "the slice could not be written", path) from error
        self._written.append(path)
        try:
            for block in blocks:
                hasher.update(block)
                try:
                    storage.write(fd, block)
                except OSError as error:
                    raise StorageError.of(error, "the slice could not be written", path) from error
            try:
                storage.sync(fd)
                storage.sync_directory(os.path.dirname(path))
            except OSError as error:
                raise StorageError.of(error, "the slice could not be put on the disk", path) from error
        finally:
            storage.let_go(fd)
        return str(hasher.hexdigest())

    def note(self, path: str) -> None:
        """A file that somebody else wrote."""
        self._written.append(path)

    def drop(self, name: str) -> None:
        """Takes a file away that has not become what it should."""
        path = os.path.join(self.path, *name.split("/"))
        if path in self._written:
            self._written.remove(path)
            with suppress(OSError):  # why it is taken away is told
                storage.unlink(path)

    def clear(self) -> None:
        """Takes all away that was written, and the folders that were made for it."""
        for path in reversed(self._written):
            with suppress(OSError):  # the error that led here is told
                storage.unlink(path)
        for path in sorted(self._folders, reverse=True):
            with suppress(OSError):  # somebody else put something there
                storage.remove_directory(path)
