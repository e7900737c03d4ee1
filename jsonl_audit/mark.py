"""The mark in the lock file: how far the log is known to be on disk, and who holds the lock.

The lock file is two lines of fixed length. The first is the mark, JSON with a checksum over itself; where it cannot be
read, or the sum is wrong, it promises nothing. The second says who holds the lock. Both are written over in place.
"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

import orjson
from blake3 import blake3

from jsonl_audit import storage
from jsonl_audit.process import program_name
from jsonl_audit.segment import Floor

__all__ = ["Mark", "read", "read_holder", "write_holder"]

LENGTH = 1024
"""Of each of the two lines, in bytes, LF included."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a writer last knew to be on disk. It is written after a successful sync, never before."""

    boot: str
    """The run of the operating system that it was written in; empty where that is not known."""
    log: str
    segment: int
    inode: tuple[int, int]
    """Device and inode of the active file: a copy has others, and of it the mark says nothing."""
    synced: int
    """The end of a commit that is on disk, in bytes from the segment's start."""
    hash: str
    """Of the record that ends there."""
    purged: Floor | None = None
    failed: bool = False
    """A sync failed: what stands behind `synced` may be anything or nothing."""
    acknowledged: int = 0
    """The highest seq that had been acknowledged when the sync failed."""
    fsync: str = "always"
    """The mode that the writer ran in: whether records behind `synced` may have been acknowledged."""
    settings: dict[str, Any] | None = field(default=None, hash=False)
    """The newest that are recorded in the chain; None where they stand in the segment's header, or are not known."""

    def encode(self) -> bytes:
        """The line of this mark."""
        members = {name: getattr(self, name) for name in self.__slots__}
        if self.purged is not None:
            members["purged"] = asdict(self.purged)
        body = orjson.dumps(members)
        if len(body) > LENGTH - 80:  # it has to fit, and the chain has them too
            body = orjson.dumps({**members, "settings": None})
        text = b'%b,"check":"%b"}' % (body[:-1], blake3(body).hexdigest().encode())
        return text.ljust(LENGTH - 1) + b"\n"

    @classmethod
    def decode(cls, text: bytes) -> Mark | None:
        """The mark of a line; None where it promises nothing.

        >>> mark = Mark("b", "l", 1, (8, 1), 300, "0" * 64)
        >>> Mark.decode(mark.encode()) == mark, Mark.decode(mark.encode().replace(b"300", b"400"))
        (True, None)
        """
        text = text[:LENGTH].rstrip()
        body, _, check = text.rpartition(b',"check":"')
        if not body or check != blake3(body + b"}").hexdigest().encode() + b'"}':
            return None
        try:
            found = orjson.loads(body + b"}")
            found["purged"] = Floor.parse(found["purged"])
            device, inode = found["inode"]
            found["inode"] = device, inode
            mark = cls(**found)
        except (ValueError, KeyError, TypeError):
            return None
        if not isinstance(mark.settings, dict | None):
            return None
        places = all(type(n) is int and 0 <= n < 2**62 for n in (mark.segment, mark.synced, mark.acknowledged))
        inode = all(type(n) is int and 0 <= n < 2**64 for n in mark.inode)
        texts = all(type(text) is str for text in (mark.boot, mark.log, mark.hash, mark.fsync))
        return mark if places and inode and texts else None


def read(path: str) -> Mark | None:
    """The mark in the lock file at `path`; None where there is none that promises anything."""
    for _ in range(3):  # one that says that a sync failed must not be missed for a moment's trouble
        try:
            with storage.reading(path) as fd:
                return Mark.decode(storage.read(fd, 0, LENGTH))
        except FileNotFoundError:
            return None
        except OSError:
            continue
    return None


def read_holder(path: str) -> dict[str, Any]:
    """Who said last that it holds the lock: pid, host, program, since. Empty where nobody did."""
    try:
        with storage.reading(path) as fd:
            found = orjson.loads(storage.read(fd, LENGTH, LENGTH))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_holder(fd: int, *, shared: bool = False) -> None:
    """Says in the lock file that this process holds it; where the log is shared, that it was the last to open it."""
    since = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    holder = {"pid": os.getpid(), "host": platform.node(), "program": program_name(), "since": since, "shared": shared}
    text = orjson.dumps(holder, default=str, option=orjson.OPT_NON_STR_KEYS)
    storage.overwrite(fd, LENGTH, text[: LENGTH - 1].ljust(LENGTH - 1) + b"\n")
