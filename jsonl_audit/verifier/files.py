"""Which files are to be verified: those of the log at a path, or exactly those that were named."""

from __future__ import annotations

import contextlib
import errno
import os
import stat as stat_module
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from jsonl_audit import mark, storage
from jsonl_audit.artifacts import Store
from jsonl_audit.content import Content, first_line_of
from jsonl_audit.errors import LogError, NewerFormatError, NotALogError, StorageError
from jsonl_audit.links import Link
from jsonl_audit.mark import Mark
from jsonl_audit.segment import Floor, Header, Names, is_sealed_name, parse_header
from jsonl_audit.snapshot import Snapshot, resolve
from jsonl_audit.verifier.report import Note

if TYPE_CHECKING:
    from jsonl_audit.verifier.checked import Checked

__all__ = [
    "PACKED",
    "Collected",
    "File",
    "Loose",
    "Vanished",
    "collect",
    "file_at",
    "once",
    "opened",
    "stamp",
    "stranger",
    "usable",
]

PACKED = (".gz", ".zst")
_BESIDE = (".lock", ".next", ".d")


class Vanished(Exception):  # noqa: N818 - no error: the files are listed again
    """A file is not any more what it was when the files were listed."""


@dataclass(slots=True, eq=False)
class File:
    """One file that may be a segment, as it was when it was first looked at."""

    path: str
    key: tuple[int, int]
    size: int
    """In bytes, of what is packed if it is compressed."""
    text: bytes = b""
    """How it begins, if it does not begin with a right header."""
    header: Header | None = None
    newer: NewerFormatError | None = None
    broken: str = ""
    """Why compressed data could not be unpacked."""
    lock: str | None = None
    """The lock file, if it bears a log's own name."""
    mark: Mark | None = None
    """What the lock file said before it was opened."""
    content: Content | None = None
    """Where it is held open."""
    copied: bool = False
    """Whether it is a copy from elsewhere, which may be unfinished."""

    @property
    def name(self) -> str:
        """The name without its directory."""
        return os.path.basename(self.path)

    @property
    def plain_name(self) -> str:
        """The name that it had before it was compressed."""
        return next((self.name[: -len(end)] for end in PACKED if self.name.endswith(end)), self.name)

    @property
    def sealed(self) -> bool:
        """Whether it has the name of a sealed segment."""
        return is_sealed_name(self.name)

    @contextlib.contextmanager
    def open(self) -> Iterator[Content]:
        """Its bytes, no more of them than there were at first. Raises Vanished, StorageError."""
        content = self.content
        if content is None:
            content = opened(self.path, unfinished=self.copied)
        try:
            if content.key != self.key:
                raise Vanished(self.path)
            if not content.compressed:
                content.size = min(content.size, self.size)
            yield content
        finally:
            if content is not self.content:
                content.close()

    @property
    def merged(self) -> bool:
        """Whether there are other pieces in the same file: each may have been cut off before it was merged."""
        return False

    def place(self, line: int | None, offset: int | None) -> tuple[str, int | None, int | None]:
        """Where a line and a byte of its content really lie: in which file, in which line of it, at which byte."""
        return self.name, line, offset

    def look(self, text: bytes) -> None:
        """Takes the first line."""
        try:
            self.header = parse_header(text)
        except NewerFormatError as error:
            error.path, error.line = self.path, 1
            self.newer = error
        if self.header is None:
            self.text = text[:4096]


@dataclass(frozen=True, slots=True, eq=False)
class Loose:
    """A piece of a segment that goes on from none that is here."""

    file: File
    first: Link | None
    """Its first whole line, as that says itself."""
    prev: str
    """What that calls the hash of the record before it."""
    fragment: bytes
    """The rest of a line that stands before it, in the same file."""


def stamp(path: str) -> tuple[int, ...] | None:
    """What tells whether a file was written to or replaced; None where it is not here."""
    try:
        found = storage.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Collected:
    """The files of one log. `active` is the one that bears its name, or will when a sealing comes to its end."""

    def __init__(
        self,
        path: str,
        files: list[File],
        snapshot: Snapshot | None = None,
        active: File | None = None,
        notes: Sequence[Note] = (),
        stored: Sequence[str] = (),
        loose: Sequence[Loose] = (),
        *,
        copied: bool = False,
        held: Sequence[Content] = (),
        stood: Mapping[str, tuple[int, ...] | None] | None = None,
    ) -> None:
        self.path = path
        """As it was named."""
        self.files = files
        self.active = active
        self.notes = notes
        """What lies among the files and is none."""
        self.stored = stored
        """The artifacts that were in the log's store before any of the files was listed."""
        self.loose = loose
        """Pieces of segments whose beginning is not here."""
        self.copied = copied
        """Whether these are copies from elsewhere, which may be unfinished."""
        self.chain: list[Checked] = []
        """What was found out about each segment, oldest first, once they were judged."""
        self.floor: Floor | None = None
        """How far the log was purged, as it says itself, once it was judged."""
        self._snapshot = snapshot
        self._held = held
        self._stood = stood or {}

    @property
    def named(self) -> bool:
        """Whether a log was named by its path, not single files."""
        return self._snapshot is not None

    @property
    def names(self) -> Names | None:
        """Those of the log, where it was named by its path."""
        return None if self._snapshot is None else self._snapshot.names

    def changed(self) -> bool:
        """Whether the log was written or rotated since it was listed: then another look may see another thing."""
        if self.copied:  # or a copy was written over, by a tool that does not put it in place by renaming
            return any(stamp(path) != stood for path, stood in self._stood.items())
        if self._snapshot is None:
            return False
        try:
            with Snapshot(self._snapshot.names.path) as now:
                if now.sealed != self._snapshot.sealed or (now.active is None) != (self.active is None):
                    return True
                return (
                    now.active is not None
                    and self.active is not None
                    and (now.active.key != self.active.key or now.active.size != self.active.size)
                )
        except (OSError, LogError):
            return True

    def close(self) -> None:
        """Gives the files back."""
        if self._snapshot is not None:
            self._snapshot.close()
        for content in self._held:
            content.close()

    def __enter__(self) -> Collected:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def collect(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> Collected:
    """The files of the log at one path, or exactly the files of a list. A sealed or compressed path is one file.

    Raises LogError for what can be no log, StorageError for what is not here or cannot be read, Vanished.
    """
    if isinstance(paths, (str, os.PathLike)):
        path = usable(paths)
        name = os.path.basename(os.path.realpath(path))
        if not is_sealed_name(name) and not name.endswith(PACKED):
            return _of_log(path)
        paths = [path]
    given = [usable(path) for path in paths]
    beside = [path.endswith(_BESIDE) for path in given]
    given = [path for path, skip in zip(given, beside, strict=True) if not skip]
    if not given:
        what = "what lies beside a log was" if beside else "nothing was"
        raise LogError(f"{what} named; name the log's path, or the files of its segments")
    files = [file_at(path) for path in given]
    return Collected(os.path.dirname(given[0]) or "." if len(given) > 1 else given[0], once(files))


def usable(path: str | os.PathLike[str]) -> str:
    """The path as a text, ``~`` expanded. Raises LogError for what can be none, and for devices and pipes."""
    given = os.fsdecode(path)
    if not given or "\0" in given:
        raise LogError(f"{given!r} is no path of a log; give the active file's, such as 'audit.jsonl'")
    given = os.path.expanduser(given)
    try:
        kind = stat_module.S_IFMT(storage.stat(given).st_mode)
    except OSError:
        return given  # whoever opens it says why that cannot be
    if kind not in (stat_module.S_IFREG, stat_module.S_IFDIR):
        raise LogError("this is a device, a pipe or a socket, not a log; name the log's own path", path=given)
    return given


def _of_log(path: str) -> Collected:
    found = resolve(path)
    # The mark before the file: what it says was on disk then is there now.
    lock = os.path.realpath(found) + ".lock"
    before = mark.read(lock)
    stored = Store(Names.of(found)).hashes()
    snapshot = Snapshot(found)
    try:
        files: list[File] = []
        notes: list[Note] = []
        active = None
        if snapshot.active is not None:
            content = snapshot.active
            active = File(content.path, content.key, content.size, lock=lock, mark=before, content=content)
            active.look(content.first_line())
            files.append(active)
        for sealed in snapshot.sealed:
            strange = stranger(sealed)
            if strange is None:
                files.append(file_at(sealed, listed=True))
            else:
                notes.append(strange)
    except BaseException:
        snapshot.close()
        raise
    return Collected(path, once(files), snapshot, active, notes, stored)


def stranger(path: str) -> Note | None:
    """The note on what bears the name of a sealed segment and is no file: a mkdir must not stop a verification."""
    try:
        kind = stat_module.S_IFMT(storage.stat(path).st_mode)
    except FileNotFoundError:
        kind = stat_module.S_IFLNK if storage.exists(path) else stat_module.S_IFREG
    except OSError:
        kind = stat_module.S_IFREG  # whoever opens it says why that cannot be
    if kind == stat_module.S_IFREG:
        return None
    strange = {stat_module.S_IFDIR: "a directory", stat_module.S_IFLNK: "a symlink that leads nowhere"}
    what = strange.get(kind, "a device, a pipe or a socket")
    message = f"this is {what} with the name of a segment, passed over; move it away"
    return Note("not-a-segment", message, os.path.basename(path))


def file_at(path: str, *, listed: bool = False) -> File:
    """A file that was listed, or named."""
    if storage.is_directory(path):
        raise LogError("this is a directory; several paths are the files of one log's segments", path=path)
    lock = None if is_sealed_name(os.path.basename(path)) else os.path.realpath(path) + ".lock"
    before = None if lock is None else mark.read(lock)
    try:
        if path.endswith(PACKED):
            found = storage.stat(path)
            file = File(path, (found.st_dev, found.st_ino), found.st_size)
            try:
                file.look(first_line_of(path))
            except NotALogError as error:
                file.broken = error.message
        else:
            with Content(path) as content:
                file = File(path, content.key, content.size, lock=lock, mark=before)
                file.look(content.first_line())
    except FileNotFoundError as error:
        if listed:
            raise Vanished(path) from error
        raise StorageError("no such file", path=path, errno=errno.ENOENT) from error
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"cannot be read: {error.strerror}", path=path, errno=error.errno) from error
    return file


def opened(path: str, *, unfinished: bool = False) -> Content:
    """A file that was listed. Raises Vanished, StorageError, NotALogError."""
    try:
        return Content(path, unfinished=unfinished)
    except FileNotFoundError as error:
        raise Vanished(path) from error
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"cannot be read: {error.strerror}", path=path, errno=error.errno) from error


def once(files: list[File]) -> list[File]:
    """Every inode once: the first name that it was found under."""
    found: dict[tuple[int, int], File] = {}
    for file in files:
        found.setdefault(file.key, file)
    return list(found.values())
