"""Copies from elsewhere gathered: whatever in files and folders is of a log, under any names, merged or split.

Nothing that a copy may lack makes it wrong here: locks and marks are those of another place and say nothing.
"""

from __future__ import annotations

import os
import re
import stat as stat_module
import zlib
from collections.abc import Sequence

from jsonl_audit import record, storage
from jsonl_audit.content import Content
from jsonl_audit.errors import LogError, NotALogError, StorageError
from jsonl_audit.segment import is_sealed_name
from jsonl_audit.snapshot import Snapshot, resolve
from jsonl_audit.verifier.assemble import Run, assemble, parts_from
from jsonl_audit.verifier.files import (
    PACKED,
    Collected,
    File,
    Loose,
    Vanished,
    file_at,
    once,
    opened,
    stamp,
    stranger,
    usable,
)
from jsonl_audit.verifier.joined import JoinedFile, Part, Source
from jsonl_audit.verifier.pieces import Ends, Piece, cut_up, holds_records, is_room_only
from jsonl_audit.verifier.report import Note

__all__ = ["gather"]

_Path = str | os.PathLike[str]
_BESIDE = (".lock", ".next")
_SHOWN = 3
_STAMP = re.compile(r"\.[0-9]{8}T[0-9]{12}Z(?=(\.[^.]*)?$)")


def gather(paths: _Path | Sequence[_Path]) -> Collected:
    """The pieces of one log: in a folder whatever its files are called, at a log's path those with its names, or in
    exactly the files, and all files of the folders, of a list.

    Raises LogError for what can be no log and for a folder that holds several, StorageError, Vanished.
    """
    gathering = _Gathering()
    try:
        if isinstance(paths, (str, os.PathLike)):
            path = usable(paths)
            if storage.is_directory(path):
                gathering.folder(path)
                return gathering.collected(path)
            name = os.path.basename(os.path.realpath(path))
            if is_sealed_name(name) or name.endswith(PACKED):
                gathering.file(path)
                return gathering.collected(path)
            return _of_log(gathering, path)
        given = [usable(path) for path in paths]
        for path in given:
            if storage.is_directory(path):
                gathering.folder(path)
            elif not path.endswith(_BESIDE):
                gathering.file(path)
        if not given:
            raise LogError("nothing was named; name a folder, the log's path, or files")
        return gathering.collected(os.path.dirname(given[0]) or "." if len(given) > 1 else given[0])
    except BaseException:
        gathering.close()
        raise


def _of_log(gathering: _Gathering, path: str) -> Collected:
    snapshot = Snapshot(resolve(path))
    try:
        if snapshot.active is not None:
            gathering.open_file(snapshot.active)  # as it is: it may be sealed meanwhile
        for sealed in snapshot.sealed:
            strange = stranger(sealed)
            if strange is None:
                gathering.file(sealed, listed=True)
            else:
                gathering.notes.append(strange)
        active = None if snapshot.active is None else snapshot.active.key
        return gathering.collected(path, snapshot, active)
    except BaseException:
        snapshot.close()
        raise


class _Gathering:
    """What was found so far."""

    def __init__(self) -> None:
        self.files: list[File] = []
        """Those that are no more than themselves."""
        self.pieces: list[Piece] = []
        self.notes: list[Note] = []
        self._sizes: dict[tuple[int, int], int] = {}  # as they lie there, packed
        self._held: list[Content] = []
        self._stood: dict[str, tuple[int, ...] | None] = {}
        self._passed_over: list[File] = []
        self._middles: list[Source] = []
        self._a_folder = False

    def close(self) -> None:
        """Gives back what is held open."""
        for content in self._held:
            content.close()

    def folder(self, path: str) -> None:
        """Takes the files of a folder that hold records; its own folders are not entered."""
        self._a_folder = True
        for name in sorted(storage.list_directory(path)):
            inside = os.path.join(path, name)
            if name.endswith(_BESIDE):
                continue
            try:
                kind = stat_module.S_IFMT(storage.stat(inside).st_mode)
            except FileNotFoundError:
                continue
            if kind == stat_module.S_IFREG:
                self.file(inside, listed=True, in_folder=True)

    def file(self, path: str, *, listed: bool = False, in_folder: bool = False) -> None:
        """Takes a file; one of a folder only if it holds records."""
        try:
            self._stood[path] = stamp(path)
            content = opened(path, unfinished=True)
        except Vanished:
            if in_folder:
                return  # a copy that is put in place by renaming, or removed: it is listed again under its new name
            if listed:
                raise
            raise StorageError("no such file", path=path, errno=2) from None
        except NotALogError:
            file = file_at(path, listed=listed)
            file.copied = True
            if file.header is not None or not in_folder or is_sealed_name(file.name) or _begins_right(path):
                self.files.append(file)
            else:
                self._passed_over.append(file)
            return
        held = False
        try:
            held = self._take(path, content, in_folder)
        finally:
            if not held:
                content.close()

    def open_file(self, content: Content) -> None:
        """Takes a file that somebody else holds open."""
        self._take(content.path, content, False, held=True)

    def _take(self, path: str, content: Content, in_folder: bool, *, held: bool = False) -> bool:
        """Takes the pieces of a file; True where it stays open for them."""
        if content.key in self._sizes:
            return False
        if not holds_records(content):
            file = _plain(path, content, storage.size(path))
            if is_room_only(content):
                file.text = b""
            (self._passed_over if in_folder or not file.text else self.files).append(file)
            if in_folder and file.text and b"\n" not in content.read(0, min(content.size, record.HARD_LIMIT)):
                self._middles.append(Source(path, content.key, content.size))
            return False
        size = self._sizes[content.key] = storage.size(path) if content.compressed else content.size
        source = Source(path, content.key, content.size)
        pieces = cut_up(source, content)
        file = _plain(path, content, size)
        if file.newer is not None and len(pieces) == 1:
            self.files.append(file)
            return False
        self.pieces += pieces
        if held:
            source.held = content
        elif content.compressed and len(pieces) > 1:
            source.held = content
            self._held.append(content)
            return True
        return False

    def collected(
        self, path: str, snapshot: Snapshot | None = None, active_key: tuple[int, int] | None = None
    ) -> Collected:
        """All that was found, put together."""
        if self._a_folder:
            self._one_log_only(path)
        own = _own_names(self.pieces)
        self.files += [file for file in self._passed_over if file.text and file.plain_name in own]
        passed_over = [file.name for file in self._passed_over if file not in self.files]
        if all(piece.header is not None for piece in self.pieces):
            runs = [Run([piece.part], True, Ends(b"", None, "", b"", None, b"")) for piece in self.pieces]
        else:
            runs, bridges = assemble(self.pieces, self._middles)
            passed_over = [name for name in passed_over if name not in bridges]
        if passed_over:
            self.notes.append(_passed(passed_over))
        files, loose, active = [*self.files], [], None
        for run in runs:
            if run.headed:
                file = self._file_of(run)
                files.append(file)
                if run.parts[-1].source.key == active_key and _newer(file, active):
                    active = file
            else:
                loose.append(_loose(run))
        if snapshot is not None and active is None and active_key is not None:
            active = next((file for file in files if file.key == active_key), None)
        return Collected(
            path, once(files), snapshot, active, self.notes, (), loose, copied=True, held=self._held,
            stood=self._stood,
        )  # fmt: skip

    def _file_of(self, run: Run) -> File:
        [*_, part] = run.parts
        if len(run.parts) == 1 and (part.start, part.stop) == (0, part.source.size) and part.source.held is None:
            content = part.source.open()
            try:
                return _plain(part.source.path, content, self._sizes[part.source.key])
            finally:
                content.close()
        file = JoinedFile.of(run.parts)
        with file.open() as content:
            file.look(content.first_line())
        return file

    def _one_log_only(self, path: str) -> None:
        """Raises LogError where a folder holds pieces of several logs: one of them must be chosen."""
        found: dict[str, list[str]] = {}
        for piece in self.pieces:
            if piece.header is not None:
                found.setdefault(piece.header.log, []).append(piece.part.source.name)
        if len(found) > 1:
            told = "; ".join(
                f"{log}: {', '.join(names[:_SHOWN])}{f' and {len(names) - _SHOWN} more' * (len(names) > _SHOWN)}"
                for log, names in found.items()
            )
            what = f"this folder holds copies of {len(found)} logs; name the files of one of them"
            raise LogError(f"{what} ({told})", path=path)
        if not self.pieces and not self.files:
            raise LogError("no file in this folder holds a record of a log", path=path)


def _plain(path: str, content: Content, size: int) -> File:
    file = File(path, content.key, size, copied=True)
    file.look(content.first_line())
    return file


def _own_names(pieces: list[Piece]) -> set[str]:
    """What the files of the log were called, as its headers tell: what bears such a name should be the log's."""
    told = {piece.header.previous.name for piece in pieces if piece.header is not None and piece.header.previous}
    return told | {_STAMP.sub("", name) for name in told}


def _newer(file: File, other: File | None) -> bool:
    """Whether a file is of a later segment than another."""
    if file.header is None or other is None or other.header is None:
        return file.header is not None
    return file.header.segment > other.header.segment


def _begins_right(path: str) -> bool:
    """Whether broken gzip data begin with a record all the same."""
    with storage.reading(path) as fd:
        text = storage.read(fd, 0, 1 << 14)
    try:
        return record.HEAD.match(zlib.decompressobj(31).decompress(text, 1 << 10)) is not None
    except zlib.error:
        return False


def _loose(run: Run) -> Loose:
    """A run without a header; the rest of a line that it begins with stays out of it."""
    parts = parts_from(run.parts, len(run.ends.fragment), run.size)
    file = JoinedFile.of(parts or [Part(run.parts[-1].source, run.parts[-1].stop, run.parts[-1].stop)])
    return Loose(file, run.ends.first, run.ends.prev, run.ends.fragment)


def _passed(names: list[str]) -> Note:
    shown = ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
    files = "1 file holds" if len(names) == 1 else f"{len(names):,} files hold"
    return Note("not-a-segment", f"{files} no record and {'was' if len(names) == 1 else 'were'} passed over: {shown}")
