"""The store of a log's artifacts: what is too large for a line, in a file that is named by the hash of what it holds.

::

    audit.jsonl.d/artifacts/<64 hex>         the content
    audit.jsonl.d/artifacts/<64 hex>.zst     the same, compressed; the name is that of the plain content
    audit.jsonl.d/artifacts/new-<…>          one that is being written, or that a crash left

A file gets its name when all of it is on the disk, and a reference is given out when the name is: whatever comes then,
a record never refers to what is not there. Nothing is ever written over but by the same content.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import orjson
from blake3 import blake3

from jsonl_audit import references, storage, values
from jsonl_audit.artifacts import packed
from jsonl_audit.artifacts.fit import fitted
from jsonl_audit.artifacts.reading import Artifact, state_of
from jsonl_audit.artifacts.source import BLOCK, Attachable, blocks, encoding_of, is_readable, opened
from jsonl_audit.artifacts.texts import cleaned
from jsonl_audit.errors import ArtifactError, EventError, StorageError, SyncError, WriteError
from jsonl_audit.segment import Names

__all__ = ["Redacts", "Store", "folder_of"]

_ARTIFACT = re.compile(r"([0-9a-f]{64})(?:\.zst)?")
_NEW = "new-"
_OLD = 86_400
"""Seconds after which nobody writes any more what has not got its name."""
_KNOWN = 4096
"""So many artifacts are known to be on the disk without another look."""
_TEXT = re.compile(r"text/.*|application/(.*\+)?(json|xml|yaml|toml|javascript|sql|x-ndjson|x-www-form-urlencoded)")
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(;.*)?", re.ASCII)


class Redacts(Protocol):
    """What the store needs of a redactor."""

    @property
    def profile(self) -> str:
        """Its name."""

    def stream(self, chunks: Iterable[bytes], found: dict[str, int]) -> Iterator[bytes]:
        """A UTF-8 text of any size without what must not reach the disk."""

    def value(self, value: Any, found: dict[str, int]) -> Any:
        """The same of a JSON value."""


def folder_of(names: Names) -> str:
    """The folder of the artifacts of a log.

    >>> folder_of(Names.of("/tmp/audit.jsonl")).endswith("/audit.jsonl.d/artifacts")
    True
    """
    return os.path.join(names.path + ".d", "artifacts")


class Store:
    """The artifacts of one log. Threads may share it, and processes may each have one.

    :param mode: the permissions of new files, whatever the umask.
    :param compress: ``"zstd"``: where that makes them smaller, new artifacts are compressed.
    :param redactor: cleans what is text before it is stored.

    >>> import tempfile, pathlib
    >>> store = Store(Names.of(pathlib.Path(tempfile.mkdtemp()) / "audit.jsonl"))
    >>> reference = store.put("a long text", name="note")
    >>> reference["bytes"], store.read(reference)
    (11, b'a long text')
    """

    def __init__(
        self, names: Names, mode: int = 0o600, compress: str | None = None, redactor: Redacts | None = None
    ) -> None:
        if compress not in (None, "zstd"):
            raise ValueError(f"compress is 'zstd' or None, not {compress!r}")
        if compress:
            packed.must_be_possible()
        self.path = folder_of(names)
        """The folder."""
        self._mode = mode
        self._compress = compress is not None
        self._redactor = redactor
        self._prepared = False
        self._known: dict[str, tuple[int, int, int]] = {}

    # -- storing

    def put(
        self, data: Attachable, *, name: str | None = None, media_type: str | None = None, redact: bool = True
    ) -> dict[str, Any]:
        """Stores the content and returns the reference to it, which may stand anywhere in an event.

        It is on the disk then, whatever `fsync` says of records. The same content is stored once. A text is redacted
        first, and the reference counts what was, by kind; what is no text is stored as it is.

        :param data: bytes, a text, a path (`os.PathLike`), an open file, or an iterable of bytes; of any size, read
            piece by piece.
        :param name: what people are shown; that of the file where a path is given. It is never used as a path.
        :param media_type: such as ``"image/png"``; by default ``"text/plain"`` or ``"application/octet-stream"``.
        :param redact: False stores a text as it is.

        Raises TypeError or ValueError for arguments that make no sense, EventError for what the redactor's profile
        does not let pass, StorageError if `data` cannot be read, WriteError or SyncError if it cannot be stored. Then
        there is nothing to refer to.
        """
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name is a text, not {type(name)}")
        if media_type is not None and _MEDIA_TYPE.fullmatch(media_type) is None:
            raise ValueError(f"media_type is one such as 'text/plain', not {media_type!r}")
        found: dict[str, int] = {}
        with opened(data) as (chunks, own_name):
            head, whole = _head(chunks)
            encoding = encoding_of(head, whole=whole)
            if encoding is None and media_type is not None and _TEXT.fullmatch(media_type.partition(";")[0].lower()):
                encoding = "latin-1"
            content: Iterator[bytes] = itertools.chain((head,), chunks)
            if redact and self._redactor is not None:
                if encoding is not None:
                    content = cleaned(self._redactor, content, encoding, found)
                elif self._redactor.profile == "privacy":
                    raise EventError(
                        "binary content is not stored under the privacy profile; pass redact=False if it may be"
                    )
            own, size = self._keep(blocks(content))
        if media_type is None:
            readable = isinstance(data, str) or (encoding is not None and is_readable(head))
            media_type = "text/plain" if readable else "application/octet-stream"
        return references.make(own, size, media_type, name=own_name if name is None else name, redacted=found)

    def _keep(self, content: Iterator[bytes]) -> tuple[str, int]:
        """Stores what comes; its hash and its size."""
        first, second = next(content, b""), next(content, None)
        if second is None:
            own = blake3(first).hexdigest()
            if not self._is_safe(own):
                small = packed.smaller(first) if self._compress else None
                self._write(iter((small if small is not None else first,)), lambda: own, small is not None)
            return own, len(first)
        hasher, size = blake3(), 0

        def hashed() -> Iterator[bytes]:
            nonlocal size
            for chunk in itertools.chain((first, second), content):
                hasher.update(chunk)
                size += len(chunk)
                yield chunk

        stream = packed.packing(hashed()) if self._compress else hashed()
        self._write(stream, hasher.hexdigest, self._compress)
        return hasher.hexdigest(), size

    def _write(self, content: Iterator[bytes], name: Callable[[], str], is_packed: bool) -> None:
        """Writes a file that gets its name last; nothing of it stays where that does not come to its end."""
        with self._telling():
            self._prepare()
            new = os.path.join(self.path, f"{_NEW}{os.getpid()}-{os.urandom(8).hex()}")
            fd = self._create(new)
        try:
            try:
                for part in content:  # what the source raises is its own
                    with self._telling():
                        storage.write(fd, part)
                with self._telling(SyncError):
                    storage.sync(fd)
                    key = _key(storage.stat(fd))
            finally:
                storage.let_go(fd)
            own = name()
            if self._is_safe(own):  # a large one, of which nobody knew
                with self._telling():
                    storage.unlink(new)
                return
            target = os.path.join(self.path, own)
            twin = target + packed.SUFFIX
            if is_packed:
                target, twin = twin, target
            with self._telling():
                storage.replace(new, target)
                if storage.exists(twin) and state_of(twin, own) == "altered":  # else it would have been enough
                    storage.unlink(twin)
        except BaseException:
            with contextlib.suppress(OSError):
                storage.unlink(new)
            raise
        self._sync_folder()
        self._know(own, key)

    def _create(self, path: str) -> int:
        try:
            return storage.open_append(path, create=True, mode=self._mode)
        except FileNotFoundError:  # the folder was removed under us
            self._prepared = False
            self._prepare()
            return storage.open_append(path, create=True, mode=self._mode)

    def _is_safe(self, own: str) -> bool:
        """Whether it is in the store, whole, and on the disk, name and all. What is altered is not: it is put again."""
        try:
            found = self._find(own)
            if found is None:
                return False
            path, key = found
            if self._known.get(own) == key:
                return True
            if state_of(path, own) != "whole":
                return False
        except StorageError:  # it cannot be read: nobody would have anything of it
            return False
        with self._telling(SyncError):  # whoever wrote it may have been stopped before
            self._prepare()
            with storage.reading(path) as fd:
                storage.sync(fd)
        self._sync_folder()
        self._know(own, key)
        return True

    def _know(self, own: str, key: tuple[int, int, int]) -> None:
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[own] = key

    def _find(self, own: str) -> tuple[str, tuple[int, int, int]] | None:
        for end in ("", packed.SUFFIX):
            path = os.path.join(self.path, own + end)
            try:
                found = storage.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise StorageError.of(error, "the artifact cannot be looked for", path) from error
            return path, _key(found)
        return None

    def _prepare(self) -> None:
        """Makes the folder, its names on the disk, and removes what crashes have left in it."""
        if self._prepared:
            return
        storage.make_directory(self.path)
        for folder in (os.path.dirname(self.path), self.path):
            if not stat.S_ISDIR(storage.lstat(folder).st_mode):
                what = "a symlink stands where the log keeps its artifacts; put a folder there"
                raise NotADirectoryError(errno.ENOTDIR, what, folder)
        storage.sync_above(self.path)
        self._prepared = True
        for name in storage.list_directory(self.path):
            if name.startswith(_NEW):
                path = os.path.join(self.path, name)
                with contextlib.suppress(OSError):  # somebody else was quicker, or may do it one day
                    if time.time() - storage.lstat(path).st_mtime > _OLD:
                        storage.unlink(path)

    def _sync_folder(self) -> None:
        with self._telling(SyncError):
            storage.sync_directory(self.path)

    @contextlib.contextmanager
    def _telling(self, kind: type[StorageError] = WriteError) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise kind.of(error, "the artifact could not be stored, and nothing refers to it", self.path) from error

    def fit(
        self,
        event: Mapping[Any, Any],
        limit: int,
        size: Callable[[dict[str, Any]], int],
        found: dict[str, int] | None = None,
    ) -> dict[str, Any]:
        """The event so that `size` of it, the length of its line in bytes, is at most `limit`.

        All of it is redacted first, and `found` takes the counts. Then its largest values are stored, and references
        stand in their place: as few as need be, texts first, each with its beginning as `preview`. Raises as `put`.

        >>> import tempfile, pathlib, orjson
        >>> store = Store(Names.of(pathlib.Path(tempfile.mkdtemp()) / "audit.jsonl"))
        >>> event = {"type": "t", "details": {"output": "x" * 5000, "code": 0}}
        >>> made = store.fit(event, 1000, lambda made: len(orjson.dumps(made)))
        >>> made["details"]["output"]["bytes"], made["details"]["code"]
        (5000, 0)
        """
        if self._redactor is not None:
            event = self._redactor.value(values.plain(event), {} if found is None else found)

        def put(data: bytes, name: str, media_type: str) -> dict[str, Any]:
            return self.put(data, name=name, media_type=media_type, redact=False)

        return fitted(event, limit, size, put)

    def vouched(self, members: bytes) -> bytes:
        """Members of an event, as JSON, in which each reference leads to an artifact that is here.

        What looks like one and leads nowhere comes from a caller's own data: a verifier would miss an artifact that
        never was. Its member `artifact` is renamed `unknown_artifact`, and it is a reference no more. Raises
        StorageError.

        >>> import tempfile, pathlib
        >>> store = Store(Names.of(pathlib.Path(tempfile.mkdtemp()) / "audit.jsonl"))
        >>> store.vouched(b',"n":{"artifact":"%b","bytes":1}' % (b"0" * 64))[:26]
        b',"n":{"unknown_artifact":"'
        """
        if references.BEGINS not in members:
            return members
        unknown = {own for own, _ in references.found_in(members) if self._find(own) is None}
        if not unknown:
            return members
        value = references.renamed(orjson.loads(b"{%b}" % members.removeprefix(b",")), unknown)
        return (b"," if members.startswith(b",") else b"") + orjson.dumps(value)[1:-1]

    # -- reading

    def open(self, reference: Any) -> Artifact:
        """The content that a reference, or a hash, names, as a file for reading in binary.

        What is read is hashed on the way: the end of it comes only where it is what was stored, else an ArtifactError.
        Raises QueryError for what is no reference, ArtifactError for an artifact that is not here.
        """
        own = references.hash_of(reference)
        found = self._find(own)
        if found is None:
            raise ArtifactError.missing(own, os.path.join(self.path, own))
        return Artifact(found[0], own)

    def read(self, reference: Any) -> bytes:
        """All of the content that a reference, or a hash, names.

        Raises as `open` does, and ArtifactError if it was altered.
        """
        with self.open(reference) as file:
            return file.read()

    def check(self) -> Iterator[tuple[str, str]]:
        """Every artifact that is here: its hash, and ``"whole"`` or ``"altered"``. Raises StorageError."""
        for own in self.hashes():
            yield own, self.state(own)

    def state(self, own: str) -> str:
        """``"whole"``, ``"altered"`` or ``"missing"``. Raises StorageError where it cannot be read."""
        found = self._find(own)
        return "missing" if found is None else state_of(found[0], own)

    def hashes(self) -> list[str]:
        """The hashes of the artifacts that are here, in order; none where there is no folder. Raises StorageError."""
        try:
            names = storage.list_directory(self.path)
        except (FileNotFoundError, NotADirectoryError):  # another file may have its name
            return []
        except OSError as error:
            raise StorageError.of(error, "the folder of the artifacts cannot be listed", self.path) from error
        return sorted({found[1] for name in names if (found := _ARTIFACT.fullmatch(name)) is not None})


def _head(chunks: Iterator[bytes]) -> tuple[bytes, bool]:
    """The first block, or all where there is no more, and whether that is all."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= BLOCK:
            return b"".join(parts), False
    return b"".join(parts), True


def _key(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_dev, found.st_ino, found.st_size
