"""A log that is shipped, as it stands at each look: its segments in order, and how far the newest is committed."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from itertools import pairwise

from jsonl_audit import mark, storage
from jsonl_audit.content import Content, first_line_of
from jsonl_audit.errors import LogError, NewerFormatError, NotALogError, StorageError, WrongLogError
from jsonl_audit.scan import Walk
from jsonl_audit.segment import Header, Names, Previous, parse_header
from jsonl_audit.snapshot import Snapshot

__all__ = ["AsItLies", "Look", "Piece", "Source", "VanishedError"]

_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EROFS, errno.EPERM, errno.EACCES)


class VanishedError(FileNotFoundError):
    """A file of the source was purged, renamed or compressed since it was listed: time for another look."""


class AsItLies(Content):
    """The bytes of a file, compressed or not, as they lie there."""

    def _unpack(self) -> None:
        """Is left."""


@dataclass(slots=True)
class Piece:
    """One segment as it lies at the source."""

    path: str
    header: Header | None
    """None where the first line cannot be read as one."""
    said: Previous | None = None
    """What the header behind it says of it, where that is here."""
    live: bool = False
    """It is the active one, which grows."""

    @property
    def number(self) -> int:
        """0 where it is not known."""
        return 0 if self.header is None else self.header.segment

    @property
    def name(self) -> str:
        """Without its folder."""
        return os.path.basename(self.path)

    @property
    def packed(self) -> bool:
        """Somebody compressed it."""
        return self.name.endswith((".gz", ".zst"))

    @property
    def plain_name(self) -> str:
        """The name that it has, or had before it was compressed."""
        return self.name.removesuffix(".gz").removesuffix(".zst")

    def open(self) -> Content:
        """The content, plain. Raises OSError, VanishedError, NotALogError."""
        try:
            return Content(self.path)
        except FileNotFoundError as error:
            raise VanishedError(errno.ENOENT, os.strerror(errno.ENOENT), self.path) from error

    def as_it_lies(self) -> AsItLies:
        """The content, compressed or not. Raises OSError, VanishedError."""
        try:
            return AsItLies(self.path)
        except FileNotFoundError as error:
            raise VanishedError(errno.ENOENT, os.strerror(errno.ENOENT), self.path) from error


@dataclass(slots=True)
class Look:
    """What a look at the source has found."""

    log: str
    pieces: list[Piece]
    """Those of which the number is known, each number once, in order; the active one last."""
    others: list[Piece]
    """Files with a sealed segment's name that are none of these: no header that can be read, or a second copy."""
    foreign: list[str]
    """Files with a sealed segment's name that belong to another log, and links to what is no segment."""
    committed: int
    """The end of what is committed in the active segment, and on the disk."""
    size: int
    """The length of the active file."""


class Source:
    """One log at its path. Raises LogError for a path that no log can have."""

    def __init__(self, path: str) -> None:
        self.names = Names.of(path)
        self.content: Content | None = None
        """The active file, open."""
        self.damaged = 0
        """How many places in the active segment are not what was committed."""
        self._walk = Walk()
        self._limit: int | None = None  # a sync failed: nothing behind it counts
        self._header: Header | None = None
        self._headers: dict[str, Header | None] = {}

    def look(self) -> Look:
        """The log as it stands now.

        Raises StorageError where nothing is there or it cannot be read, VanishedError, NotALogError, NewerFormatError.
        """
        with Snapshot(self.names.path) as snapshot:
            sealed = [Piece(path, self._header_of(path)) for path in snapshot.sealed]
            for path in self._headers.keys() - set(snapshot.sealed):
                del self._headers[path]
            active = snapshot.active
            if active is not None and not active.size:
                active = None
            if active is not None and (self.content is None or active.key != self.content.key):
                header = active.header()
                self.close()
                self.content, snapshot.active = active, None
                self._header, self._walk, self._limit = header, Walk(strict=False), None
        committed, size = (0, 0) if active is None else self._advance()
        return self._sorted(sealed, committed, size, active is not None)

    def close(self) -> None:
        """Gives the active file back."""
        if self.content is not None:
            self.content.close()
            self.content = None

    def _header_of(self, path: str) -> Header | None:
        if path not in self._headers:
            try:
                self._headers[path] = parse_header(first_line_of(path))
            except NewerFormatError:
                raise
            except (LogError, IsADirectoryError):
                self._headers[path] = None
            except StorageError as error:
                if error.errno is not None:
                    raise
                self._headers[path] = None  # compressed, and nothing here to unpack it with: it goes as it lies
            except FileNotFoundError as error:  # purged or compressed just now
                raise VanishedError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error
        return self._headers[path]

    def _advance(self) -> tuple[int, int]:
        """Reads on in the active file; the end of what is committed, and its length."""
        content, walk = self.content, self._walk
        assert content is not None
        assert self._header is not None
        size = content.grown()
        if size < walk.pos:
            raise StorageError(
                f"the active file was cut: {size} bytes, and there were {walk.pos}; run jsonl-audit verify",
                path=content.path, expected=walk.pos, actual=size,
            )  # fmt: skip
        if size > walk.pos:
            self._to_disk(content)
            for block in content.blocks(walk.pos, size):
                walk.feed(block)
        known = mark.read(self.names.lock)
        if known is not None and known.failed and known.inode == content.key and known.segment == self._header.segment:
            self._limit = known.synced
        self.damaged = walk.damaged
        return (walk.end if self._limit is None else min(self._limit, walk.end)), size

    def _to_disk(self, content: Content) -> None:
        """Has what was written reach the disk: what a power cut takes from the source must not stand elsewhere."""
        try:
            storage.sync(content.fd)
        except OSError as error:
            if error.errno not in _NO_SYNC and self._limit is None:
                self._limit = self._walk.end  # what came since may be lost, and no later sync says otherwise

    def _sorted(self, sealed: list[Piece], committed: int, size: int, active: bool) -> Look:
        log = self._header.log if self._header is not None and active else _log_of(sealed, self.names.path)
        pieces: dict[int, Piece] = {}
        others, foreign = [], []
        if active and self.content is not None:
            pieces[self._header.segment if self._header else 0] = Piece(self.content.path, self._header, live=True)
        for piece in sealed:
            if _is_link(piece.path) if piece.header is None else piece.header.log != log:
                foreign.append(piece.name)
            elif piece.header is None or piece.number in pieces:
                others.append(piece)
            else:
                pieces[piece.number] = piece
        ordered = [pieces[number] for number in sorted(pieces)]
        for piece, behind in pairwise(ordered):
            if behind.header is not None and behind.number == piece.number + 1:
                piece.said = behind.header.previous
        if active and not ordered[-1].live:
            raise WrongLogError(
                "the active file does not go on from the sealed ones beside it; run jsonl-audit verify",
                path=self.names.path,
            )
        return Look(log, ordered, others, foreign, committed, size)


def _is_link(path: str) -> bool:
    """Whether a link stands there; one to what is no segment could lead to any file of whoever ships."""
    try:
        return stat.S_ISLNK(storage.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _log_of(sealed: list[Piece], path: str) -> str:
    for piece in reversed(sealed):
        if piece.header is not None:
            return piece.header.log
    raise NotALogError("no segment here has a header that can be read; run jsonl-audit verify", path=path)
