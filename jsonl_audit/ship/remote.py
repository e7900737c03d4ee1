"""An address that fsspec knows as the place where a log arrives: another machine, a bucket, memory.

Such a place has no locks and no syncs. What stands for the lock is a file that says who ships here and when that was
last so; what is on its disk is what it says it has taken.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import time
from collections.abc import Iterator
from typing import Any

import orjson

from jsonl_audit.errors import AuditError, LockedError, LogError
from jsonl_audit.process import program_name
from jsonl_audit.ship.place import StoppedError

__all__ = ["Remote"]

GROWING = frozenset(("file", "local", "memory", "sftp", "ssh"))
"""The file systems of fsspec in which a file can be made longer."""
STALE = 120.0
"""Seconds after which somebody who ships, and has not said so again, is taken for gone."""
_ELSEWHERE = getattr(errno, "EREMOTEIO", errno.EIO)  # what the other side, or the library, says in words of its own
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


class Remote:
    """One log at such an address. `options` are the file system's own, such as a key or an endpoint."""

    def __init__(self, address: str, name: str, options: dict[str, Any] | None = None) -> None:
        """Raises LogError where fsspec is not here or does not know the address; nothing is reached yet."""
        try:
            from fsspec.core import split_protocol
            from fsspec.registry import get_filesystem_class
        except ImportError as error:
            what = "an address such as this needs fsspec: pip install 'jsonl-audit[fsspec]'"
            raise LogError(what, path=without_password(address)) from error
        self.address = without_password(address).rstrip("/")
        protocol = split_protocol(address)[0] or ""
        try:
            self._class: Any = get_filesystem_class(protocol.partition("::")[0])
        except (ValueError, ImportError) as error:
            raise LogError(f"fsspec cannot use this address: {error}", path=self.address) from error
        self.appends = protocol in GROWING
        self.times = protocol in GROWING - {"memory"}
        self._url = address
        self._options = options or {}
        self._found: tuple[Any, str] | None = None
        self._claim = name + ".lock"
        self._claimed = 0.0
        self._mine = f"{platform.node()} {os.getpid()} {os.urandom(8).hex()}"

    # -- what a place does

    def shown(self, name: str) -> str:
        return f"{self.address}/{name}"

    def names(self, prefix: str) -> list[str]:
        with self._reaching() as (fs, base):
            try:
                listed = [str(path).rstrip("/").rpartition("/")[2] for path in fs.ls(base, detail=False)]
            except FileNotFoundError:
                return []
        return [name for name in listed if name.startswith(prefix)]

    def size(self, name: str) -> int | None:
        found = self._info(name)
        return None if found is None or found.get("type") == "directory" else int(found["size"])

    def read(self, name: str, offset: int, count: int) -> bytes:
        there = self.size(name)
        if there is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.shown(name))
        stop = min(there, offset + count)
        if offset >= stop:
            return b""
        with self._reaching() as (fs, base):
            return bytes(fs.cat_file(f"{base}/{name}", start=offset, end=stop))

    def append(self, name: str, at: int, data: bytes, mode: int) -> None:
        if (there := self.size(name) or 0) != at:
            raise OSError(errno.ESTALE, f"somebody else writes here: {there} bytes, not {at}", self.shown(name))
        with self._reaching() as (fs, base):
            path = f"{base}/{name}"
            if not at:
                fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            with fs.open(path, "ab" if at else "wb") as file:
                file.write(data)
            if not at:
                _set_mode(fs, path, mode)

    def put(self, name: str, blocks: Iterator[bytes]) -> None:
        """Puts an object there, in place of what stood under the name."""
        with self._reaching() as (fs, base):
            file = fs.open(f"{base}/{name}", "wb")
            try:
                for block in blocks:
                    file.write(block)
            except BaseException:
                file.discard()  # closing it would put there what there is of it
                file.closed = True
                raise
            file.close()

    def copy(self, old: str, new: str) -> None:
        """Has the store copy an object."""
        with self._reaching() as (fs, base):
            fs.cp_file(f"{base}/{old}", f"{base}/{new}")

    def sync(self, name: str, *, made: bool) -> None:  # noqa: ARG002 - a place's own signature
        """There is no such thing; but that somebody ships here is said again."""
        if self._claimed and time.time() - self._claimed > STALE / 4:
            self._say()

    def forget_cached(self, name: str) -> None:
        """What is read comes from there each time."""

    def rename(self, old: str, new: str) -> None:
        if self.size(new) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.shown(new))
        self.replace(old, new)

    def replace(self, old: str, new: str) -> None:
        with self._reaching() as (fs, base):
            first, second = f"{base}/{old}", f"{base}/{new}"
            if hasattr(fs, "ftp"):
                fs.ftp.posix_rename(first, second)
            elif "file" in _protocols(fs):
                os.replace(first, second)
            else:  # fsspec's own mv would take brackets and stars in a name for a pattern
                fs.cp_file(first, second)
                fs.rm_file(first)

    def remove(self, name: str) -> None:
        with self._reaching() as (fs, base):
            path = f"{base}/{name}"
            if hasattr(fs, "ftp"):
                fs.ftp.remove(path)
            elif "file" in _protocols(fs):
                os.unlink(path)
            else:
                fs.rm_file(path)

    def keep(self, name: str, found: os.stat_result) -> None:
        if not self.times:
            return
        with contextlib.suppress(OSError), self._reaching() as (fs, base):
            path = f"{base}/{name}"
            _set_mode(fs, path, found.st_mode & 0o777)
            if hasattr(fs, "ftp"):
                fs.ftp.utime(path, (found.st_atime, int(found.st_mtime)))
            else:
                os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

    def kept(self, name: str, found: os.stat_result) -> bool:
        there = self._info(name) if self.times else None
        if there is None or int(there["size"]) != found.st_size:
            return False
        when: Any = there.get("mtime")
        return int(when.timestamp() if hasattr(when, "timestamp") else when or 0) == int(found.st_mtime)

    def take(self) -> None:
        if self._claimed:
            return
        said = self._claimed_by()
        if said is not None and not _is_gone(said):
            raise LockedError(
                f"process {said.get('pid')} on {said.get('host')} ({said.get('program')}) ships to this log; end it, "
                f"or use another address. If it was killed, wait {STALE:.0f} s, or remove {self.shown(self._claim)}",
                path=self.shown(self._claim.removesuffix(".lock")), holder=said,
            )  # fmt: skip
        self._say()

    def release(self) -> None:
        claimed, self._claimed = self._claimed, 0.0
        try:
            said = self._claimed_by() if claimed else None
            if said is not None and said.get("mine") == self._mine:
                self.remove(self._claim)
        except OSError:
            return  # out of reach: it goes stale by itself
        finally:
            self._found = None

    # -- reaching it

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[tuple[Any, str]]:
        """The file system, and the path in it. Whatever it raises is an OSError."""
        try:
            if self._found is None:
                from fsspec.core import url_to_fs

                options = {"skip_instance_cache": True, **self._options}
                fs, base = url_to_fs(self._url, **options)
                self._found = fs, str(base).rstrip("/")
            self._found[0].invalidate_cache()
            yield self._found
        except (AuditError, StoppedError):
            raise
        except OSError as error:
            if error.errno is None:  # one of the many that a library makes of its own errors
                raise OSError(_ELSEWHERE, f"{type(error).__name__}: {error}", self.address) from error
            raise
        except Exception as error:  # each file system has errors of its own
            raise OSError(_ELSEWHERE, f"{type(error).__name__}: {error}", self.address) from error

    def _info(self, name: str) -> dict[str, Any] | None:
        with self._reaching() as (fs, base):
            try:
                found: dict[str, Any] = fs.info(f"{base}/{name}")
            except FileNotFoundError:
                return None
        return found

    def _claimed_by(self) -> dict[str, Any] | None:
        if self.size(self._claim) is None:
            return None
        try:
            said = orjson.loads(self.read(self._claim, 0, 4096))
        except (ValueError, FileNotFoundError):
            return None
        return said if isinstance(said, dict) else None

    def _say(self) -> None:
        """Says that this process ships here, now."""
        now = time.time()
        said = {"mine": self._mine, "pid": os.getpid(), "host": platform.node(), "program": program_name(), "at": now}
        with self._reaching() as (fs, base):
            if self.appends:
                fs.makedirs(base, exist_ok=True)
            fs.pipe_file(f"{base}/{self._claim}", orjson.dumps(said))
        self._claimed = now


def without_password(address: str) -> str:
    """An address as it may be shown and noted.

    >>> without_password("sftp://me:secret@host/logs"), without_password("s3://bucket/logs")
    ('sftp://me:***@host/logs', 's3://bucket/logs')
    """
    return _PASSWORD.sub(r"\1:***@", address)


def _is_gone(said: dict[str, Any]) -> bool:
    at, pid = said.get("at"), said.get("pid")
    if not isinstance(at, int | float) or abs(time.time() - at) > STALE:
        return True
    if said.get("host") != platform.node() or not isinstance(pid, int) or os.name == "nt":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _set_mode(fs: Any, path: str, mode: int) -> None:
    with contextlib.suppress(OSError):
        if hasattr(fs, "ftp"):
            fs.ftp.chmod(path, mode)
        elif "file" in _protocols(fs):
            os.chmod(path, mode)
