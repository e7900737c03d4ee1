"""How far a log has arrived at each of its destinations: a small file for each, beside the log, that retention asks.

::

    audit.jsonl.d/shipped/<16 hex>.json

It says what was at the destination, and on its disk, when it was written; a shipper never trusts it alone. Where it is
behind, retention waits longer than it needs to, and nothing else happens.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import re
from dataclasses import asdict, dataclass

import orjson
from blake3 import blake3

from jsonl_audit import entrusted, storage
from jsonl_audit.segment import Names

__all__ = ["Arrived", "forget", "path_of", "read", "slowest", "write"]

_FILE = re.compile(r"[0-9a-f]{16}\.json")
_LONGEST = 64 * 1024
"""Bytes: no such file is longer."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """How far a log has arrived at one destination.

    >>> Arrived("/mnt/copies", "0190c0de-0000-7000-8000-00000000a0d1", 3, 812, 41, "0" * 64, "").seq
    41
    """

    destination: str
    """The folder, or the address."""
    log: str
    """The UUID of the log that was shipped there."""
    segment: int
    """The newest of which something lies there; 0 for none."""
    bytes: int
    """So many of it."""
    seq: int
    """Of the last record there; 0 for none."""
    hash: str
    """Of that record."""
    time: str
    """When that was written, as the records' own times are."""
    path: str = ""
    """The file that says so."""

    def encode(self) -> builtins.bytes:
        """The content of the file."""
        members = asdict(self)
        del members["path"]
        return orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def decode(cls, text: builtins.bytes, path: str = "") -> Arrived | None:
        """What a file says; None where it says nothing that can be believed."""
        try:
            found = cls(**orjson.loads(text), path=path)
        except (ValueError, TypeError):
            return None
        numbers = all(type(n) is int and 0 <= n < 2**62 for n in (found.segment, found.bytes, found.seq))
        texts = all(type(text) is str for text in (found.destination, found.log, found.hash, found.time))
        return found if numbers and texts else None


def _folder(names: Names) -> str:
    return os.path.join(names.path + ".d", "shipped")


def path_of(names: Names, destination: str) -> str:
    """The file for one destination.

    >>> os.path.basename(path_of(Names.of("/tmp/audit.jsonl"), "/mnt/copies"))
    '0f2dc6ee3bd45aa6.json'
    """
    return os.path.join(_folder(names), f"{blake3(os.fsencode(destination)).hexdigest()[:16]}.json")


def read(names: Names) -> list[Arrived]:
    """What is known of every destination; one whose file cannot be read as such has nothing. Raises OSError."""
    try:
        listed = storage.list_directory(_folder(names))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in sorted(listed):
        if _FILE.fullmatch(name) is None:
            continue
        path = os.path.join(_folder(names), name)
        try:
            with storage.reading(path) as fd:
                text = storage.read(fd, 0, _LONGEST)
        except FileNotFoundError:
            continue
        found.append(Arrived.decode(text, path) or Arrived("a destination unknown", "", 0, 0, 0, "", "", path))
    return found


def slowest(names: Names, log: str) -> Arrived | None:
    """The destination that is furthest behind with this log; None where it is shipped nowhere. Raises OSError.

    What arrived of another log that lay here before is nothing of this one.
    """
    found = [each if each.log == log else Arrived(each.destination, log, 0, 0, 0, "", each.time, each.path)
             for each in read(names)]  # fmt: skip
    return min(found, key=lambda each: each.seq, default=None)


def write(names: Names, arrived: Arrived) -> None:
    """Says how far, in place of what was said before. Raises OSError.

    The file belongs to whoever the log belongs to, also where root ships it.
    """
    folder, path = _folder(names), path_of(names, arrived.destination)
    active, above = os.path.basename(names.path), os.path.dirname(folder)
    owner = storage.stat(names.path if storage.exists(names.path) else names.directory).st_uid
    if entrusted.for_another(owner, storage.stat(names.directory).st_uid):
        folders = os.path.basename(above), os.path.basename(folder)
        files = active, active + ".next", active
        entrusted.put_beside(names.directory, files, folders, os.path.basename(path), arrived.encode())
        return
    if _user() not in (0, owner) and not storage.is_directory(above):
        what = "the log's folder is not there, and would belong to another user than the log"
        raise PermissionError(errno.EACCES, what, above)  # its writer would be kept out of it
    storage.make_directory(folder)
    new = f"{path}.{os.getpid()}.new"
    fd = storage.open_append(new, create=True, empty=True)
    try:
        storage.write(fd, arrived.encode())
    finally:
        storage.let_go(fd)
    try:
        storage.replace(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            storage.unlink(new)
        raise


def forget(names: Names, destination: str) -> bool:
    """Takes a destination off the list: retention waits for it no more. False where it was not on it."""
    try:
        storage.unlink(path_of(names, destination))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _user() -> int:
    """As whom this process acts; where the system has no users, as all of them."""
    return os.geteuid() if hasattr(os, "geteuid") else 0
