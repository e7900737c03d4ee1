"""The files as they lay there: sizes, digests, times, owner and mode, and what the header of each says."""

from __future__ import annotations

import hashlib
import os
import stat as stat_module
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from jsonl_audit import instants, record, storage
from jsonl_audit.content import Content
from jsonl_audit.errors import NotALogError
from jsonl_audit.report.history import Event, Historian
from jsonl_audit.segment import Header
from jsonl_audit.verifier.digest import last_line
from jsonl_audit.verifier.files import Collected, File, Vanished
from jsonl_audit.verifier.joined import JoinedFile

__all__ = ["Examined", "Took", "folder_of", "look_at"]

_BLOCK = 1 << 20

Took = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Examined:
    """One file, as it was when it was examined."""

    number: int
    """1 for the first: findings and the second examiner's script name it so."""
    name: str
    """From the folder of the files on, with ``/``."""
    path: str
    role: str
    """``"active"`` for the one that the log is named by, ``"sealed"`` by its name, else ``"file"``. Of copies that were
    merged or split: ``"piece"``, a file as it lies there, and ``"joined"``, a segment put together from pieces, or
    ``"loose"``, where what it goes on from is not here."""
    bytes: int
    """So many were examined; a file in use may have grown since."""
    blake3: str
    sha256: str
    content_bytes: int
    """Of what is in a compressed file; else the same."""
    modified: str
    changed: str
    """When its inode was last changed."""
    owner: str
    group: str
    mode: str
    inode: str
    """Device and inode."""
    log: str | None = None
    """The UUID that its header says; None where it has no right header."""
    segment: int | None = None
    header: Header | None = None
    first_seq: int | None = None
    first_ts: str | None = None
    last_seq: int | None = None
    """Of the last whole record in it."""
    last_ts: str | None = None
    ends: int = 0
    """Where that record ends."""
    events: tuple[Event, ...] = ()
    more_events: int = 0
    """How many more there were than are kept."""
    active: bool = False
    """Whether it is where the log goes on."""
    parts: tuple[tuple[int, int, int], ...] = ()
    """Where it was put together from pieces: of which file, from which byte to which."""
    merged: bool = False
    """Whether there are other pieces in the same file."""
    refers: bool = False
    """Whether a record in it may refer to an artifact."""
    said: dict[str, Any] = field(default_factory=dict, hash=False)
    """What its lock file said: ``synced``, ``failed``, ``hash``; ``busy`` where somebody held the lock."""

    def to_dict(self) -> dict[str, Any]:
        """The members that the report shows of it as JSON."""
        hidden = ("header", "events", "more_events", "ends", "refers")
        return {name: getattr(self, name) for name in self.__slots__ if name not in hidden}


def folder_of(collected: Collected) -> str:
    """The folder that the names of the files are counted from."""
    files = [*collected.files, *(piece.file for piece in collected.loose)]
    sources = [part.source.path for file in files if isinstance(file, JoinedFile) for part in file.parts]
    paths = [os.path.abspath(path) for path in [*(file.path for file in files), *sources]]
    if collected.names is not None:
        return collected.names.directory
    return os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else os.getcwd()


def look_at(collected: Collected, took: Took | None = None) -> list[tuple[Examined, File]]:
    """What is known of each file, each read once; each with the file itself. Raises Vanished, StorageError."""
    folder = folder_of(collected)
    found: list[tuple[Examined, File]] = []

    def add(file: File, **facts: Any) -> int:
        found.append((_look(file, len(found) + 1, folder, collected, took, facts), file))
        return len(found)

    whole = [file for file in in_order(collected) if not isinstance(file, JoinedFile)]
    joined = [file for file in in_order(collected) if isinstance(file, JoinedFile)]
    for file in whole:
        add(file)
    loose = [(piece.file, piece.fragment[-67:-3].decode("ascii", "replace")) for piece in collected.loose]
    numbers: dict[tuple[int, int], int] = {}
    parted = [file for file in (*joined, *(file for file, _ in loose)) if isinstance(file, JoinedFile)]
    for source in [part.source for file in parted for part in file.parts]:
        if source.key not in numbers:
            file = File(source.path, source.key, _size(source.path), copied=True)
            numbers[source.key] = add(file, role="piece")

    def parts(file: File) -> tuple[tuple[int, int, int], ...]:
        assert isinstance(file, JoinedFile)
        return tuple((numbers[part.source.key], part.start, part.stop) for part in file.parts)

    for file in joined:
        goes_on = file is collected.active
        add(file, role="joined", parts=parts(file), active=goes_on, merged=file.merged, name=_put_together(file))
    for file, rest in loose:
        said = {"rest": rest if len(rest) == 64 and rest.isalnum() else "-"}
        add(file, role="loose", parts=parts(file), said=said, name=_put_together(file))
    return found


def _size(path: str) -> int:
    try:
        return storage.size(path)
    except FileNotFoundError as error:
        raise Vanished(path) from error


def _put_together(file: File) -> str:
    number = f"segment {file.header.segment}" if file.header is not None else "piece of a segment"
    return f"{number}, put together"


def in_order(collected: Collected) -> list[File]:
    """The files by segment, those without a right header last: so they are numbered."""
    return sorted(collected.files, key=lambda file: file.header.segment if file.header is not None else 2**63)


def _look(
    file: File, number: int, folder: str, collected: Collected, took: Took | None, given: dict[str, Any]
) -> Examined:
    active = file is collected.active
    facts: dict[str, Any] = {
        "number": number,
        "name": os.path.relpath(os.path.abspath(file.path), folder).replace(os.sep, "/"),
        "path": os.path.abspath(file.path),
        "active": active,
        "role": "active" if active else "sealed" if file.sealed else "file",
        "inode": f"{file.key[0]}:{file.key[1]}",
        "said": _said(file),
    }
    if file.header is not None:
        header = file.header
        facts |= {"log": header.log, "segment": header.segment, "header": header}
        facts |= {"first_seq": header.seq, "first_ts": header.ts}
    history = Historian()
    try:
        with file.open() as content:
            facts |= _owned(storage.stat(content.fd if content.fd >= 0 else file.path))
            if content.compressed and not isinstance(file, JoinedFile):
                size, own, other = digests(raw(file), took)
                for _ in _fed(content.blocks(0, content.size, _BLOCK), history):
                    pass
            else:
                size, own, other = digests(_fed(content.blocks(0, content.size, _BLOCK), history), took)
            facts |= _end(content)
    except NotALogError:  # compressed data that are broken: digests of what lies there can be had all the same
        size, own, other = digests(raw(file), took)
        facts |= {**_owned(storage.stat(file.path)), "content_bytes": size}
    except FileNotFoundError as error:  # sealed or purged since it was listed: all of it is looked at again
        raise Vanished(file.path) from error
    events, more = history.finish()
    facts |= given
    facts |= {"events": () if facts["role"] == "piece" else events, "more_events": more, "refers": history.refers}
    return Examined(bytes=size, blake3=own, sha256=other, **facts)


def _owned(found: os.stat_result) -> dict[str, str]:
    """Times, owner and mode: of the file that was read, whatever bears its name by now."""
    return {
        "modified": instants.text(found.st_mtime_ns // 1000),
        "changed": instants.text(found.st_ctime_ns // 1000),
        "owner": _named(found.st_uid, "pwd", "getpwuid"),
        "group": _named(found.st_gid, "grp", "getgrgid"),
        "mode": f"{stat_module.S_IMODE(found.st_mode):04o}",
    }


def _end(content: Content) -> dict[str, Any]:
    """Where the last whole record ends, and which it is."""
    end = content.size
    tail = content.read(max(0, end - record.LINE_LIMIT), min(end, record.LINE_LIMIT))
    end -= len(tail) - (tail.rfind(b"\n") + 1)
    line = last_line(content, end) if end and b"\n" in tail else b""
    right = record.own_hash_right(line)
    return {
        "content_bytes": content.size,
        "ends": end if right else 0,
        "last_seq": record.seq_of(line) if right else None,
        "last_ts": record.ts_of(line) if right else None,
    }


def _fed(blocks: Iterable[bytes], history: Historian) -> Iterator[bytes]:
    for block in blocks:
        history.feed(block)
        yield block


def digests(blocks: Iterable[bytes], took: Took | None) -> tuple[int, str, str]:
    """Length, BLAKE3 and SHA-256 of bytes that come block by block."""
    size, own, other = 0, blake3(), hashlib.sha256()
    for block in blocks:
        size += len(block)
        own.update(block)
        other.update(block)
        if took is not None:
            took(len(block))
    return size, own.hexdigest(), other.hexdigest()


def raw(file: File) -> Iterator[bytes]:
    """The bytes of a file as they lie there, packed or not. Raises Vanished."""
    with storage.reading(file.path) as fd:
        found = storage.stat(fd)
        if (found.st_dev, found.st_ino) != file.key:
            raise Vanished(file.path)
        offset = 0
        while data := storage.read(fd, offset, _BLOCK):
            offset += len(data)
            yield data


def _said(file: File) -> dict[str, Any]:
    """What the lock file beside it said, where it speaks of this very file."""
    said: dict[str, Any] = {}
    mark, header = file.mark, file.header
    if mark is not None and header is not None:
        own = (mark.inode, mark.log, mark.segment) == (file.key, header.log, header.segment)
        said = {"synced": mark.synced, "failed": mark.failed, "hash": mark.hash} if own else {}
    if file.lock is not None and storage.probe(file.lock):
        said["busy"] = True
    return said


def _named(number: int, module: str, look: str) -> str:
    """An owner or a group, by name where the system knows one."""
    try:
        found = getattr(__import__(module), look)(number)
    except (ImportError, KeyError, AttributeError):
        return str(number)
    return f"{found[0]} ({number})"
