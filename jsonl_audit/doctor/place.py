"""What is looked at: the files of one log, the folder that they lie in, and what the log tells of itself."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import Any

from jsonl_audit import mark, storage
from jsonl_audit.content import first_line_of
from jsonl_audit.doctor.mounts import Mount, mount_of, mounts
from jsonl_audit.errors import AuditError, LogError, StorageError
from jsonl_audit.mark import Mark
from jsonl_audit.reader import Info, info
from jsonl_audit.segment import Header, Names, parse_header
from jsonl_audit.snapshot import resolve

__all__ = ["DEFAULT_SIZE", "Place", "is_whole_number"]

DEFAULT_SIZE = 100 * 2**20
"""Where a log does not tell its `max_bytes`."""


@dataclass(slots=True)
class Place:
    """The files of one log as they lie there. What could not be read is None, and `unread` says why.

    Raises as `Snapshot` does, unless the log is only not to be read by this user.
    """

    given: str
    """The path as it was named."""
    names: Names
    listed: list[str]
    """The names in the log's folder."""
    found: dict[str, os.stat_result]
    """What the system knows of each file of the log that is here, by path; symlinks are not followed."""
    sealed: list[str]
    """Paths of the sealed segments, oldest first."""
    folder: os.stat_result
    mounted: list[Mount]
    """All that is mounted on this machine."""
    mount: Mount | None
    """What the folder is mounted from."""
    mark: Mark | None
    holder: dict[str, Any]
    """Who said last that it holds the lock."""
    held: bool
    """Whether somebody holds it now."""
    header: Header | None = None
    """Of the active file."""
    figures: Info | None = None
    unread: AuditError | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    """The newest that the log tells; empty where it tells none."""

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Place:
        """Looks at the log at `path`."""
        given = resolve(path)
        names = Names.of(given)
        try:
            listed = storage.list_directory(names.directory)
            folder = storage.stat(names.directory)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                what = "no such log; look at the path, or begin it with jsonl-audit append"
                raise StorageError(what, path=names.path, errno=error.errno) from error
            raise StorageError.of(error, "the folder of the log cannot be read", names.directory) from error
        sealed = names.list_sealed()
        found = {}
        for each in (names.path, *sealed, names.lock, names.next):
            try:
                found[each] = storage.lstat(each)
            except FileNotFoundError:
                continue
        known = mounts()
        place = cls(
            given=os.path.abspath(os.path.expanduser(given)),
            names=names,
            listed=listed,
            found=found,
            sealed=sealed,
            folder=folder,
            mounted=known,
            mount=mount_of(names.directory, known),
            mark=mark.read(names.lock),
            holder=mark.read_holder(names.lock),
            held=storage.probe(names.lock),
        )
        place._read()
        return place

    def _read(self) -> None:
        try:
            self.figures = info(self.names.path, types=False, on_damage=lambda _: None)
        except StorageError as error:
            if error.errno not in (errno.EACCES, errno.EPERM):
                raise
            self.unread = error
            return
        self.settings = self.figures.settings or {}
        try:
            self.header = parse_header(first_line_of(self.names.path))
        except (LogError, OSError):  # it is missing, or damaged: the checks of what lies there say so
            self.header = None

    @property
    def name(self) -> str:
        """The name of the active file."""
        return os.path.basename(self.names.path)

    @property
    def active(self) -> os.stat_result | None:
        """What the system knows of the active file."""
        return self.found.get(self.names.path)

    @property
    def segments(self) -> list[str]:
        """Paths of all segments that are here, the active one last."""
        return [*self.sealed, *([self.names.path] if self.active is not None else [])]

    @property
    def aside(self) -> str:
        """The folder beside the log for what is not in its lines."""
        return self.names.path + ".d"

    @property
    def segment_size(self) -> int | None:
        """How large a segment becomes in bytes, as far as the log tells; None if it has no limit."""
        told = self.settings.get("max_bytes", DEFAULT_SIZE)
        return (told or None) if is_whole_number(told) else None

    @property
    def fsync(self) -> str:
        """When a record counts as recorded: ``always``, ``interval`` or ``never``."""
        told = self.settings.get("fsync")
        return told if isinstance(told, str) else "always"

    @property
    def mode(self) -> int:
        """The permissions that the log's files are to have."""
        told = self.settings.get("mode")
        try:
            return int(told, 8) & 0o777 if isinstance(told, str) else 0o600
        except ValueError:
            return 0o600

    def is_link(self, path: str) -> bool:
        """Whether a symlink stands at the path of a file of the log."""
        found = self.found.get(path)
        return found is not None and stat.S_ISLNK(found.st_mode)


def is_whole_number(value: object) -> bool:
    """Whether a setting is a number of something: what a log tells is somebody's file.

    >>> is_whole_number(5), is_whole_number(True), is_whole_number(-1), is_whole_number("5")
    (True, False, False, False)
    """
    return type(value) is int and value >= 0
