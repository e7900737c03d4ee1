"""The manifest of the files of a log, also while it is written and rotated."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from blake3 import blake3

import jsonl_audit
from jsonl_audit import instants, record, storage
from jsonl_audit.artifacts import Store
from jsonl_audit.content import Content
from jsonl_audit.errors import LogError, NewerFormatError, NotALogError, StorageError
from jsonl_audit.manifest.statement import ArtifactEntry, FileEntry, Manifest
from jsonl_audit.reader.ends import committed_end
from jsonl_audit.segment import Names, is_sealed_name, parse_header
from jsonl_audit.snapshot import Snapshot, resolve
from jsonl_audit.verifier.digest import last_line

__all__ = ["entry_of", "make"]

_BLOCK = 1 << 20
_TRIES = 20
_PACKED = (".gz", ".zst")

_Path = str | os.PathLike[str]
_Progress = Callable[[int, int], None]



def make(paths: _Path | Sequence[_Path], *, progress: _Progress | None = None) -> Manifest:
    """The manifest of the log at a path, or of exactly the files in a list.

    The log may be in use: what is appended meanwhile is not in it. Its artifacts are listed too, where the log is named
    by its path. Memory stays flat, whatever the size of the log.

    :param progress: called with the bytes done and the bytes in all.

    Raises LogError for what is no log, StorageError for what is not here or cannot be read.

    >>> import tempfile, pathlib
    >>> from jsonl_audit import AuditLog
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "audit.jsonl"
    >>> with AuditLog(path) as log:
    ...     receipt = log.append("exec.completed", outcome="success")
    >>> made = make(path)
    >>> made.last_seq, made.head == receipt.hash, [each.name for each in made.files]
    (2, True, ['audit.jsonl'])
    """
    if not isinstance(paths, (str, os.PathLike)):
        return _of_files([os.path.abspath(os.path.expanduser(path)) for path in paths], progress)
    name = os.path.basename(os.path.realpath(os.path.expanduser(paths)))
    if is_sealed_name(name) or name.endswith(_PACKED):
        return _of_files([os.path.abspath(os.path.expanduser(paths))], progress)
    path = resolve(paths)
    for _ in range(_TRIES):
        try:
            return _of_log(path, progress)
        except FileNotFoundError:  # purged, sealed or packed meanwhile: its files are listed again
            continue
    raise StorageError("its files kept being renamed or removed while they were read; try again", path=path)


def _of_log(path: str, progress: _Progress | None) -> Manifest:
    names = Names.of(path)
    with Snapshot(path) as snapshot:
        entries = []
        active = snapshot.active if snapshot.active is not None and snapshot.active.size else None
        sizes = [_size(sealed) for sealed in snapshot.sealed]
        counted = _Counted(progress, sum(sizes) + (active.size if active is not None else 0))
        for sealed in snapshot.sealed:
            with _opened(sealed) as content:
                entries.append(entry_of(content, os.path.basename(sealed), counted.took))
        if active is not None:
            entries.append(entry_of(active, os.path.basename(active.path), counted.took))
    if not any(log for log, _ in entries):
        raise NotALogError("no file here begins with a header; name a log's own path", path=path)
    return _put_together(entries, tuple(_artifacts(names)))


def _of_files(paths: list[str], progress: _Progress | None) -> Manifest:
    if not paths:
        raise LogError("nothing was named; name the log's path, or the files of its segments")
    above = os.path.commonpath([os.path.dirname(path) for path in paths])
    counted = _Counted(progress, sum(map(_size, paths)))
    entries = []
    for path in paths:
        with _opened(path) as content:
            entries.append(entry_of(content, os.path.relpath(path, above).replace(os.sep, "/"), counted.took))
    return _put_together(entries, ())


def _put_together(entries: list[tuple[str | None, FileEntry]], artifacts: tuple[ArtifactEntry, ...]) -> Manifest:
    files = sorted((entry for _, entry in entries), key=lambda entry: (entry.first_seq or 0, entry.segment or 0))
    logs = [log for log, _ in entries if log is not None]
    if len(set(logs)) > 1:
        raise LogError("these are files of several logs; a manifest is of one log: make one for each")
    ends = [each for each in files if each.last_seq is not None]
    newest = max(ends, key=lambda each: each.last_seq or 0, default=None)
    return Manifest(
        log=logs[0] if logs else None,
        made=instants.text(time.time_ns() // 1000),
        by=f"jsonl-audit/{jsonl_audit.__version__}",
        first_seq=min((each.first_seq for each in files if each.first_seq is not None), default=None),
        last_seq=None if newest is None else newest.last_seq,
        head=None if newest is None else newest.head,
        files=tuple(files),
        artifacts=artifacts,
    )


def entry_of(content: Content, name: str, took: Callable[[int], None] | None = None) -> tuple[str | None, FileEntry]:
    """The log's UUID where the file begins with a header, and the entry of the file. `took` is told of each block.

    Raises StorageError.
    """
    first = content.first_line()
    try:
        header = parse_header(first)
    except NewerFormatError as error:
        error.path = content.path
        raise
    end = committed_end(content, 0, content.size)
    line = last_line(content, end) if end else b""
    right = record.own_hash_right(line)
    inside = _digests(content.blocks(size=_BLOCK), took, sha=not content.compressed)
    lies, packed = inside, None
    if content.compressed:
        lies, packed = _digests(_raw(content.path), None), {"bytes": inside[0], "blake3": inside[1]}
    entry = FileEntry(
        name,
        None if header is None else header.segment,
        *lies,
        record.seq_of(first) if record.own_hash_right(first) else None,
        record.seq_of(line) if right else None,
        line[-67:-3].decode() if right else None,
        packed,
    )
    return None if header is None else header.log, entry


def _digests(
    blocks: Iterable[bytes], took: Callable[[int], None] | None, *, sha: bool = True
) -> tuple[int, str, str]:
    size, own, other = 0, blake3(), hashlib.sha256()
    for block in blocks:
        size += len(block)
        own.update(block)
        if sha:
            other.update(block)
        if took is not None:
            took(len(block))
    return size, own.hexdigest(), other.hexdigest()


def _raw(path: str) -> Iterator[bytes]:
    """The bytes of a file as they lie there, block by block."""
    with storage.reading(path) as fd:
        offset = 0
        while data := storage.read(fd, offset, _BLOCK):
            offset += len(data)
            yield data


def _artifacts(names: Names) -> Iterator[ArtifactEntry]:
    store = Store(names)
    for own in store.hashes():
        for end in ("", ".zst"):
            path = os.path.join(store.path, own + end)
            try:
                size, digest, _ = _digests(_raw(path), None, sha=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StorageError.of(error, "the artifact cannot be read", path) from error
            yield ArtifactEntry(os.path.relpath(path, names.directory).replace(os.sep, "/"), size, digest)


class _Counted:
    """Tells how far the work has got."""

    def __init__(self, progress: _Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def took(self, size: int) -> None:
        """So many bytes more are done."""
        self._done += size
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)


def _size(path: str) -> int:
    try:
        return storage.size(path)
    except OSError:
        return 0


def _opened(path: str) -> Content:
    try:
        return Content(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError.of(error, "cannot be read", path) from error
