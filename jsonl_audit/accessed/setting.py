"""Whether reads of a log are recorded, and where: what the log itself says, in the place where it is written."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from jsonl_audit import mark, storage
from jsonl_audit.content import first_line_of
from jsonl_audit.errors import AuditError
from jsonl_audit.segment import Header, Names, parse_header
from jsonl_audit.snapshot import resolve

__all__ = ["SETTINGS", "Place", "forget", "place_of"]

SETTINGS = ("beside", "log", None)
"""What `accessed` may be."""
_KNOWN_FOR = 1.0
"""Seconds for which what a log says is believed without another look, while its active file is the same."""
_BEGIN = 256
"""So many bytes tell one log from another: its UUID is among them, and a new file may have the inode of an old one."""
_MOST = 256


class Place(NamedTuple):
    """A log of which reads are recorded."""

    names: Names
    log: str
    setting: str
    owner: tuple[int, int]
    """User and group of its active file."""
    mode: int
    """Of that file."""
    redact: str | None
    """The name of the log's redactor."""


_known: dict[str, tuple[float, tuple[tuple[int, int], bytes, int], Place | None]] = {}
forget = _known.clear
"""Has each log looked at again."""


def place_of(path: str | os.PathLike[str]) -> Place | None:
    """The log at `path`, where its reads are to be recorded; None else: it says so, is a copy, or cannot be read.

    The lock file tells a log from a copy: the mark in it is of the very file that is written there.
    """
    try:
        given = os.path.realpath(resolve(path))
        with storage.reading(given) as fd:
            found, begins = storage.stat(fd), storage.read(fd, 0, _BEGIN)
        key = found.st_dev, found.st_ino
        names = Names.of(given)
        seen = key, begins, _marked(names)
        known = _known.get(given)
        now = time.monotonic()
        if known is not None and known[1] == seen and now - known[0] < _KNOWN_FOR:
            return known[2]
        place = None
        setting, log, redact = _told(names, key)
        if setting is not None:
            place = Place(names, log, setting, (found.st_uid, found.st_gid), found.st_mode & 0o666, redact)
    except (AuditError, OSError, ValueError):  # whoever reads it is told why that cannot be
        return None
    if len(_known) >= _MOST:
        _known.clear()
    _known[given] = now, seen, place
    return place


def _marked(names: Names) -> int:
    """When the mark was written last: a change of the settings writes it."""
    try:
        return storage.stat(names.lock).st_mtime_ns
    except FileNotFoundError:
        return 0


def _told(names: Names, key: tuple[int, int]) -> tuple[str | None, str, str | None]:
    """The setting, the log's UUID, and the name of its redactor."""
    header = parse_header(first_line_of(names.path))
    found = mark.read(names.lock)
    if header is None or found is None or found.log != header.log:
        return None, "", None
    if found.inode != key and not _just_sealed(names, header, found.inode):
        return None, "", None
    changed = found.settings if found.segment == header.segment else None
    told = changed or header.settings or {}
    setting = told.get("accessed")
    return (setting if setting in SETTINGS else None), header.log, told.get("redact")


def _just_sealed(names: Names, header: Header, inode: tuple[int, int]) -> bool:
    """Whether the mark is of the segment before, since none was written yet for the one that is active now."""
    if header.previous is None:
        return False
    try:
        found = storage.stat(os.path.join(names.directory, os.path.basename(header.previous.name)))
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == inode
