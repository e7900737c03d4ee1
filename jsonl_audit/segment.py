"""A file of lines: which names belong to a log, what its header says, and in which order the files stand.

::

    audit.jsonl                             the active segment
    audit.20261121T101112123456Z.jsonl      a sealed one, also with .gz or .zst behind it
    audit.jsonl.next  .lock  .d/            the next segment while sealing; the lock and the mark; artifacts
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any

from jsonl_audit import instants, record, storage
from jsonl_audit.errors import LogError, NewerFormatError

__all__ = [
    "FORMAT",
    "Floor",
    "Header",
    "Names",
    "Previous",
    "describe_foreign",
    "first_line",
    "header_details",
    "is_sealed_name",
    "log_name_of",
    "parse_header",
    "settings_of",
]

FORMAT = 1
"""The version of the format that this package writes and reads."""
HEADER_LIMIT = record.HARD_LIMIT

_STAMP = r"[0-9]{8}T[0-9]{12}Z"
_COMPRESSED = r"(?:\.gz|\.zst)?"
_SEALED_ANY = re.compile(rf"(.+)\.{_STAMP}((?!\.gz\Z|\.zst\Z)\.[^.]+)?{_COMPRESSED}", re.DOTALL)
_LOG_ID = record.UUID
_MOST = 2**62  # a file is no longer than that, and a log has no more records
_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))
_LONGEST = 255 - len(".20261121T101112123456Z") - len(".zst")
"""Bytes in the name of a log: what is common to file systems, less what a sealed name adds."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that belong to the log at one path, literally: ``audit.prod.jsonl`` is no part of ``audit.jsonl``.

    >>> names = Names.of("/tmp/audit.jsonl")
    >>> names.sealed("19700101T000001000000Z")
    'audit.19700101T000001000000Z.jsonl'
    >>> names.stamp_of("audit.19700101T000001000000Z.jsonl.gz")
    '19700101T000001000000Z'
    """

    path: str
    """The active segment: absolute, symlinks resolved."""
    directory: str
    stem: str
    extension: str
    """With its dot; empty if the name has none."""
    _pattern: re.Pattern[str] = field(repr=False, compare=False)

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Names:
        """The names of the log at `path`; ``~`` is expanded, a symlink is resolved once, now.

        Raises LogError for a path that no log can have: a directory's, a sealed segment's, one whose name is too long
        to be sealed or cannot stand in a header.
        """
        given: object = os.fspath(path)
        if not isinstance(given, str) or not given or "\0" in given:
            raise LogError(f"{given!r} is no path of a log; give the active file's, such as 'audit.jsonl'")
        resolved = os.path.realpath(os.path.expanduser(given))
        directory, name = os.path.split(resolved)
        if name and given.endswith(_SEPARATORS) and not storage.is_directory(resolved):
            raise LogError("this path ends as a directory's does; leave the last separator out", path=given)
        if not name or given.endswith(_SEPARATORS):
            raise LogError("this is a directory; give the path of a log in it, such as 'audit.jsonl'", path=given)
        if is_sealed_name(name):
            raise LogError(
                "this is the name of a sealed segment, not a log's own; give the path of the active file", path=given
            )
        if name.endswith((".gz", ".zst", ".lock", ".next")):
            raise LogError(
                "names of this kind are for files beside a log, or compressed ones; choose another", path=given
            )
        try:
            length = len(name.encode())
        except UnicodeEncodeError as error:
            raise LogError("this name is no UTF-8, so no header can hold it; choose another", path=given) from error
        if length > _LONGEST:
            raise LogError(
                f"this name has {length} bytes, {_LONGEST} are possible: sealed segments add their time to it",
                path=given,
            )
        stem, dot, extension = name.rpartition(".")
        if not stem or not extension:
            stem, dot, extension = name, "", ""
        pattern = re.compile(rf"{re.escape(stem)}\.({_STAMP}){re.escape(dot + extension)}{_COMPRESSED}")
        return cls(resolved, directory, stem, dot + extension, pattern)

    @property
    def lock(self) -> str:
        """The lock file; it holds the mark."""
        return self.path + ".lock"

    @property
    def next(self) -> str:
        """The next segment, while one is being sealed."""
        return self.path + ".next"

    def sealed(self, stamp: str) -> str:
        """The name (without directory) of a segment sealed at the time `stamp`."""
        return f"{self.stem}.{stamp}{self.extension}"

    def stamp_of(self, name: str) -> str | None:
        """The time in the name of a sealed segment of this log; None if `name` is none."""
        found = self._pattern.fullmatch(name)
        return None if found is None else found[1]

    def list_sealed(self) -> list[str]:
        """Paths of the sealed segments that are here, by the time in their names, oldest first.

        Where one lies there both compressed and not, only the plain one is listed.
        """
        found: dict[str, str] = {}
        for name in sorted(storage.list_directory(self.directory)):
            stamp = self.stamp_of(name)
            if stamp is not None:
                found.setdefault(stamp, name)
        return [os.path.join(self.directory, found[stamp]) for stamp in sorted(found)]


def is_sealed_name(name: str) -> bool:
    """Whether a file name has the form of a sealed segment of some log.

    >>> is_sealed_name("audit.20261121T101112123456Z.jsonl"), is_sealed_name("audit.2026.jsonl")
    (True, False)
    """
    return log_name_of(name) is not None


def log_name_of(name: str) -> str | None:
    """The name of the log whose sealed segment would have this file name; None where that has no such form.

    >>> log_name_of("audit.20261121T101112123456Z.jsonl.gz"), log_name_of("audit.jsonl")
    ('audit.jsonl', None)
    """
    found = _SEALED_ANY.fullmatch(name)
    return None if found is None else found[1] + (found[2] or "")


@dataclass(frozen=True, slots=True)
class Floor:
    """How far the log was purged: `through` of the newest ``audit.purged`` record."""

    segment: int
    last_seq: int
    head: str

    def to_dict(self) -> dict[str, Any]:
        return {"segment": self.segment, "last_seq": self.last_seq, "head": self.head}

    @classmethod
    def parse(cls, value: Any) -> Floor | None:
        """The floor that `value` (JSON) says, None if it says none."""
        if isinstance(value, dict) and _ints(value, "segment", "last_seq") and _hex(value.get("head")):
            return cls(value["segment"], value["last_seq"], value["head"])
        return None


@dataclass(frozen=True, slots=True)
class Previous:
    """What a header says of the segment before its own."""

    name: str
    first_seq: int
    last_seq: int
    bytes: int
    """Length up to the end of its last committed record."""
    blake3: str
    """Of those bytes."""
    time: tuple[str, str]
    """The range of its records' effective times."""
    torn_bytes: int = 0
    """What stands behind that end; -1: any content or none (a sync had failed)."""
    torn_blake3: str | None = None
    damage: tuple[dict[str, Any], ...] = ()
    damaged: int = 0
    timed: int | None = None
    """How many of its records have a time of their own; None where that was not counted. Where none has, ts alone
    tells a reader where to look."""
    artifacts: bool = False
    """Whether a record of it may refer to an artifact: nobody looks for references where none does."""

    def to_dict(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "name": self.name,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "bytes": self.bytes,
            "blake3": self.blake3,
            "time": list(self.time),
        }
        if self.torn_bytes < 0:
            shown["torn"] = {"unsynced": True}
        elif self.torn_bytes:
            shown["torn"] = {"bytes": self.torn_bytes, "blake3": self.torn_blake3}
        if self.timed is not None:
            shown["timed"] = self.timed
        if self.artifacts:
            shown["artifacts"] = True
        if self.damaged:
            shown["damage"] = list(self.damage[:16])
            shown["damaged"] = self.damaged
        return shown

    @classmethod
    def parse(cls, value: Any) -> Previous | None:
        """What `value` (JSON) says, None where it is no such object."""
        if not isinstance(value, dict) or not _ints(value, "first_seq", "last_seq", "bytes"):
            return None
        time = value.get("time")
        name = value.get("name")
        if not (isinstance(name, str) and _hex(value.get("blake3")) and isinstance(time, list) and len(time) == 2):
            return None
        if not all(instants.is_instant(instant) for instant in time):
            return None
        torn_bytes, torn_blake3 = 0, None
        torn = value.get("torn")
        if isinstance(torn, dict):
            if torn.get("unsynced") is True:
                torn_bytes = -1
            elif _ints(torn, "bytes"):
                torn_bytes, torn_blake3 = torn["bytes"], torn.get("blake3")
        damage = value.get("damage")
        damage = tuple(entry for entry in damage if isinstance(entry, dict)) if isinstance(damage, list) else ()
        damaged = value["damaged"] if _ints(value, "damaged") else 0
        return cls(
            name,
            value["first_seq"],
            value["last_seq"],
            value["bytes"],
            value["blake3"],
            (time[0], time[1]),
            torn_bytes,
            torn_blake3 if isinstance(torn_blake3, str) else None,
            damage,
            max(damaged, len(damage)),
            value["timed"] if _ints(value, "timed") else None,
            bool(value.get("artifacts")),
        )


@dataclass(frozen=True, slots=True)
class Header:
    """The first record of a segment."""

    log: str
    """The log's UUID."""
    segment: int
    """1 for the first."""
    seq: int
    ts: str
    prev: str
    hash: str
    size: int
    """Length of its line in bytes, LF included."""
    previous: Previous | None
    purged: Floor | None = None
    active_missing: bool = False
    """The active file before this one had been removed."""
    writer: str = ""
    lost: tuple[int, int] | None = None
    """First and last seq of acknowledged records that the segment before lost: an ``audit.lost`` record is due."""
    settings: dict[str, Any] | None = field(default=None, hash=False)
    """Those that the log was written with when the segment was begun, where they are known."""


def header_details(
    log: str,
    segment: int,
    previous: Previous | None,
    *,
    writer: str,
    purged: Floor | None = None,
    active_missing: bool = False,
    lost: tuple[int, int] | None = None,
    settings: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """`details` of the header of a new segment."""
    details: dict[str, Any] = {"format": FORMAT, "log": log, "segment": segment, "writer": writer}
    details["previous"] = None if previous is None else previous.to_dict()
    if active_missing:
        details["active"] = "missing"
    if purged is not None:
        details["purged"] = purged.to_dict()
    if lost is not None:
        details["lost"] = list(lost)
    if settings is not None:
        details["settings"] = settings
    return details


def parse_header(line: bytes) -> Header | None:
    """The header that a line (LF included) is; None where it is none, or where its own hash is not right.

    A header is committed alone, on a day that exists, with a seq that a log comes to: one that says it belongs to a
    batch is none.

    Raises NewerFormatError for a header with a right hash and a format that is not known here.
    """
    if record.HEAD.match(line) is None or record.type_of(line) != "audit.segment" or not record.own_hash_right(line):
        return None
    seq, ts = record.seq_of(line), record.ts_of(line)
    if record.batch_of(line) is not None or not instants.is_instant(ts) or seq > _MOST:
        return None
    try:
        details = record.decode(line).get("details")
    except ValueError:
        return None
    if not isinstance(details, dict) or not _ints(details, "format"):
        return None
    if details["format"] != FORMAT:
        raise NewerFormatError(
            f"the log has format {details['format']}, this version reads {FORMAT}; use a newer jsonl-audit",
            expected=FORMAT,
            actual=details["format"],
        )
    log = details.get("log")
    if not (isinstance(log, str) and _LOG_ID.fullmatch(log) and _ints(details, "segment") and details["segment"] > 0):
        return None
    previous = Previous.parse(details.get("previous"))
    if (previous is None) != (details["segment"] == 1):
        return None
    return Header(
        log=log,
        segment=details["segment"],
        seq=seq,
        ts=ts,
        prev=record.prev_of(line),
        hash=line[-67:-3].decode(),
        size=len(line),
        previous=previous,
        purged=Floor.parse(details.get("purged")),
        active_missing=details.get("active") == "missing",
        writer=str(details.get("writer", "")),
        lost=_two_seqs(details.get("lost")),
        settings=settings_of(details),
    )


def settings_of(details: Any) -> dict[str, Any] | None:
    """The settings that the details of a header, or of an ``audit.settings`` record, tell; None if they tell none."""
    found = details.get("settings") if isinstance(details, dict) else None
    return found if isinstance(found, dict) else None


def _two_seqs(value: Any) -> tuple[int, int] | None:
    whole = isinstance(value, list) and len(value) == 2 and all(type(seq) is int for seq in value)
    return (value[0], value[1]) if whole and 0 < value[0] <= value[1] else None


def first_line(fd: int) -> bytes:
    """The first line of a file, LF included if it has one; at most the format's limit of it."""
    text = storage.read(fd, 0, 4096)
    end = text.find(b"\n")
    if end < 0 and len(text) == 4096:
        text += storage.read(fd, 4096, HEADER_LIMIT - 4096)
        end = text.find(b"\n")
    return text if end < 0 else text[: end + 1]


def describe_foreign(text: bytes) -> str:
    """What a file that is no log seems to be, by how it begins, and what to do."""
    if not text:
        return "the file is empty"
    if text.startswith(b"\x1f\x8b"):
        return "this is gzip data, not a log; name the log's own path, or unpack it first"
    if text.startswith(b"\x28\xb5\x2f\xfd"):
        return "this is zstd data, not a log; name the log's own path, or unpack it first"
    if record.HEAD.match(text):
        return "the first line is no whole header (a record of type audit.segment whose hash is right); run verify"
    if text.lstrip()[:1] == b"{":
        return "this is JSON, but not a log of jsonl-audit: no header stands in the first line; choose another path"
    return "this is not a log: no header stands in the first line; choose another path"


def _ints(value: dict[str, Any], *names: str) -> bool:
    return all(type(value.get(name)) is int and 0 <= value[name] <= _MOST for name in names)


def _hex(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None
