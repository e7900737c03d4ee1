"""What a manifest says, and the file that it is kept in."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from jsonl_audit import storage
from jsonl_audit.errors import LogError, NewerFormatError, StorageError

__all__ = ["ArtifactEntry", "FileEntry", "Manifest", "dump", "load"]

VERSION = 1
"""Of the form of a manifest. Members that it does not know, a reader ignores."""
_LARGEST = 64 << 20

_Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a log, as it lay there."""

    name: str
    """Its path from the folder of the log on, with ``/``."""
    segment: int | None
    """The number in its header; None where it has none."""
    bytes: int
    blake3: str
    sha256: str
    first_seq: int | None
    last_seq: int | None
    """That of its last committed record."""
    head: str | None
    """The hash of that record."""
    content: dict[str, Any] | None = field(default=None, hash=False)
    """Of a compressed file what is in it: ``{"bytes", "blake3"}``; another packer makes other bytes of the same."""


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """One artifact, as it lay there."""

    name: str
    bytes: int
    blake3: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the files of a log were at one moment."""

    log: str | None
    """The log's UUID; None where no file has a header."""
    made: str
    """When, by the clock of who made it."""
    by: str
    first_seq: int | None
    last_seq: int | None
    head: str | None
    """The hash of the newest record: kept elsewhere, it is an anchor."""
    files: tuple[FileEntry, ...]
    """Oldest segment first."""
    artifacts: tuple[ArtifactEntry, ...] = ()
    slice: dict[str, Any] | None = field(default=None, hash=False)
    """Of a slice what it was cut from, and how; see :mod:`jsonl_audit.extract`."""

    def to_dict(self) -> dict[str, Any]:
        """The object that stands in the file."""
        shown = {"manifest": VERSION, **asdict(self)}
        for entry in shown["files"]:
            if entry["content"] is None:
                del entry["content"]
        if self.slice is None:
            del shown["slice"]
        return shown

    def encode(self) -> bytes:
        """The bytes of the file: the same for the same manifest."""
        return orjson.dumps(self.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)



def dump(manifest: Manifest, path: _Path) -> str:
    """Writes the manifest to a file, which must not be there yet, and returns its path. Mode 0600.

    Raises StorageError, also where something stands there.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "manifest.json"
    >>> made = Manifest(None, "2026-11-22T00:00:00.000000Z", "by hand", None, None, None, ())
    >>> load(dump(made, path)) == made
    True
    """
    target = os.path.abspath(os.path.expanduser(path))
    try:
        fd = storage.open_append(target, create=True, new=True)
        try:
            storage.write(fd, manifest.encode())
            storage.sync(fd)
        except BaseException:
            with suppress(OSError):  # the error that led here is told
                storage.unlink(target)
            raise
        finally:
            storage.let_go(fd)
    except FileExistsError as error:
        what = "there is such a file already, and nothing is written over; choose another name"
        raise StorageError(what, path=target, errno=error.errno) from error
    except OSError as error:
        raise StorageError.of(error, "the manifest could not be written", target) from error
    return target


def load(source: _Path | bytes) -> Manifest:
    """The manifest in a file, or in bytes.

    Raises LogError for what is none, NewerFormatError for one of a later form, StorageError for a file that cannot be
    read.
    """
    if isinstance(source, bytes):
        return _parsed(source, None)
    path = os.path.abspath(os.path.expanduser(source))
    try:
        with storage.reading(path) as fd:
            text = storage.read(fd, 0, _LARGEST + 1)
    except OSError as error:
        raise StorageError.of(error, "the manifest cannot be read", path) from error
    return _parsed(text, path)


def _parsed(text: bytes, path: str | None) -> Manifest:
    nothing = LogError("this is no manifest; jsonl-audit extract and jsonl_audit.manifest write them", path=path)
    try:
        found = orjson.loads(text) if len(text) <= _LARGEST else None
    except ValueError as error:
        raise nothing from error
    if not isinstance(found, dict) or type(found.get("manifest")) is not int:
        raise nothing
    if found["manifest"] != VERSION:
        raise NewerFormatError(
            f"the manifest has form {found['manifest']}, this version reads {VERSION}; use a newer jsonl-audit",
            path=path, expected=VERSION, actual=found["manifest"],
        )  # fmt: skip
    try:
        files = tuple(FileEntry(**_members(FileEntry, each)) for each in found.get("files", ()))
        artifacts = tuple(ArtifactEntry(**_members(ArtifactEntry, each)) for each in found.get("artifacts", ()))
        return Manifest(**{**_members(Manifest, found), "files": files, "artifacts": artifacts})
    except (TypeError, ValueError, KeyError) as error:
        raise LogError(f"the manifest is damaged: {error}", path=path) from error


_HASHES = ("blake3", "sha256", "head")
_NUMBERS = ("bytes", "segment", "first_seq", "last_seq")


def _members(kind: type, value: Any) -> dict[str, Any]:
    """Those members that the class knows. Raises ValueError where one is no such value."""
    if not isinstance(value, dict):
        raise ValueError("an entry is no object")
    known = {name: value[name] for name in kind.__dataclass_fields__ if name in value}  # type: ignore[attr-defined]
    for name, member in known.items():
        if name in _HASHES and member is not None and not (isinstance(member, str) and len(member) == 64):
            raise ValueError(f"{name} is no digest")
        if name in _NUMBERS and member is not None and (type(member) is not int or member < 0):
            raise ValueError(f"{name} is no number")
        if name == "name" and (not isinstance(member, str) or not _inside(member)):
            raise ValueError("a file's name leads out of its folder")
    return known


def _inside(name: str) -> bool:
    """Whether a name of a stranger's stays in the folder."""
    parts = name.split("/")
    return bool(name) and not name.startswith("/") and ".." not in parts and "\0" not in name and "\\" not in name
