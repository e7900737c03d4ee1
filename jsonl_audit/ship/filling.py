"""Shipping to a place where files can grow: at every moment a state lies there in which the log itself once was.

The newest segment grows under the log's own name, and gets its sealed name when it is whole, by the steps of sealing:
the next one's header is written to ``.next`` and synced, the old one is renamed, ``.next`` is put in its place. So it
matters nothing where a shipper is killed, and where it left off is read from what lies there.
"""

from __future__ import annotations

from blake3 import blake3

from jsonl_audit import record, storage
from jsonl_audit.content import Content
from jsonl_audit.errors import RefusedError
from jsonl_audit.segment import Header, Previous
from jsonl_audit.ship.compare import digest_there, hole_at, same_beginning
from jsonl_audit.ship.growing import Growing
from jsonl_audit.ship.leftover import left_over
from jsonl_audit.ship.source import Look, Piece
from jsonl_audit.ship.standing import Standing, begin_of, unknown
from jsonl_audit.ship.way import Way
from jsonl_audit.succession import line_before

__all__ = ["Filling"]


class Filling(Way):
    """The way to a place where files can grow."""

    _growing: Growing | None = None  # the active file at the place
    _number = 0  # of the segment that it is
    _whole_as = ""  # its sealed name, once it is whole

    @property
    def _next(self) -> str:
        return self._active + ".next"

    def _stands(self, standing: Standing) -> None:
        self._growing, self._number = standing.growing, standing.number

    def remaining(self, look: Look) -> int:
        """How many bytes there are to bring, as far as it is known without looking at each file."""
        size = -self._growing.at if self._growing is not None else 0
        for piece in look.pieces:
            if piece.number >= self._number:
                try:
                    size += look.committed if piece.live else storage.size(piece.path)
                except OSError:  # it is gone by now
                    continue
        return max(size, 0)

    def round(self, look: Look) -> None:
        """Brings what is there at the source and not yet at the place. Raises OSError, RefusedError, AuditError."""
        self._unchanged()
        for piece in look.others:
            self._earlier.look_at(piece)
        for piece in look.pieces:
            if self._pace.stopped:
                return
            if piece.number < self._number:
                self._earlier.look_at(piece)
            elif piece.number == self._number and self._growing is not None:
                self._grow(self._growing, piece, look)
            elif piece.packed:
                self._put(piece)
            else:
                self._begin(piece, look)

    def _unchanged(self) -> None:
        """Raises RefusedError where somebody else has changed the file that grows here."""
        growing = self._growing
        if growing is not None and (there := self._place.size(growing.name)) != growing.at:
            raise RefusedError(
                f"somebody else changed it: it had {growing.at} bytes, and has {there}; nothing was written. Let one "
                "shipper alone fill this place, and start it again",
                path=self._place.shown(growing.name), expected=growing.at, actual=there,
            )  # fmt: skip

    # -- one segment

    def _grow(self, growing: Growing, piece: Piece, look: Look) -> None:
        if piece.live and self._source.content is not None:
            self._fill(growing, piece, self._source.content, look.committed)
            return
        with piece.open() as content:
            self._fill(growing, piece, content, content.size)

    def _fill(self, growing: Growing, piece: Piece, content: Content, stop: int) -> None:
        before = growing.at
        found = storage.stat(content.fd)
        try:
            done = growing.grow(content, stop, self._pace, found.st_mode & 0o777)
        finally:
            self._outcome.bytes += growing.at - before
        if not done:
            return
        if growing.at > before or not piece.live:
            self._place.keep(growing.name, found)
        end = min(growing.at, stop)
        if not piece.live and not self._whole_as:
            self._whole_as = piece.plain_name
            self._outcome.sealed += 1
            if piece.said is not None:
                end = min(piece.said.bytes, end)
                self._as_said(growing, piece, piece.said)
        line = line_before(content.fd, end)
        if line is not None:
            self._arrived(piece.number, growing.at, record.seq_of(line), line[-67:-3].decode())

    def _as_said(self, growing: Growing, piece: Piece, said: Previous) -> None:
        """Holds what has arrived against what the header behind it says; a damaged source is copied as it is."""
        whole = growing.at == said.bytes + max(said.torn_bytes, 0) or (said.torn_bytes < 0 and growing.at >= said.bytes)
        digest = growing.blake3() if growing.at == said.bytes else digest_there(self._place, growing.name, said.bytes)
        if not whole or digest != said.blake3:
            self._outcome.met(
                "damaged",
                f"segment {piece.number} is not what the header of the next one says; it was copied as it is. "
                "Run jsonl-audit verify on the source",
                piece.path,
            )

    def _put(self, piece: Piece) -> None:
        """A segment that somebody compressed before any of it was here: as it lies there."""
        if self._earlier.put(piece):
            self._outcome.sealed += 1

    def _begin(self, piece: Piece, look: Look) -> None:
        """Begins a segment here: header first, under ``.next``; then the one before gets its sealed name."""
        header = piece.header
        assert header is not None
        content = self._source.content if piece.live else None
        opened = None if content is not None else piece.open()
        try:
            content = content or opened
            assert content is not None
            self._put_in_place(look, piece)
            started = self._started(content, header)
            if started is None:
                return
            if self._growing is not None:
                self._seal(self._growing, header)
            elif self._place.size(self._active) is not None:  # empty, or an older copy of what is here sealed
                self._place.remove(self._active)
            self._place.rename(self._next, self._active)
            started.renamed(self._active)
            self._growing, self._number, self._whole_as = started, piece.number, ""
            self._grow(started, piece, look)
        finally:
            if opened is not None:
                opened.close()

    def _put_in_place(self, look: Look, piece: Piece) -> None:
        """Takes over a ``.next`` whose segment is gone at the source: the header in it is all that there is of it."""
        place, name = self._place, self._next
        head = begin_of(place, name)[0] if place.size(name) else None
        if head is None or head.log != look.log or not self._number < head.segment < piece.number:
            return
        if self._growing is not None:
            self._seal(self._growing, head)
        place.rename(name, self._active)
        self._growing, self._number, self._whole_as = unknown(place, self._active), head.segment, ""

    def _started(self, content: Content, header: Header) -> Growing | None:
        """``.next`` with the header in it, on the disk; None where it is time to end."""
        place, name = self._place, self._next
        there = place.size(name)
        growing = None
        if there is not None:
            hasher = same_beginning(content, place, name, there) if there <= content.grown() else None
            if hasher is None and there <= content.grown() and hole_at(content, place, name, there) is not None:
                place.remove(name)  # of a power cut, when no name led to it yet
                hasher, there = blake3(), 0
            if hasher is None:
                raise RefusedError(
                    "this is the beginning of another segment than the next one; it was left as it is. Look what "
                    "it is, move it away, and ship again",
                    path=place.shown(name),
                )
            growing = Growing(place, name, there, hasher)
        growing = growing or Growing(place, name)
        mode = storage.stat(content.fd).st_mode & 0o777
        before = growing.at
        done = growing.grow(content, max(header.size, before), self._pace, mode)
        self._outcome.bytes += growing.at - before
        return growing if done else None

    def _seal(self, growing: Growing, behind: Header) -> None:
        """Gives the file that grew here its sealed name."""
        place, names = self._place, self._source.names
        sealed = self._whole_as
        if not sealed:
            sealed = left_over(place, growing.name, growing.at, self._number, behind, names, self._outcome)
        there = place.size(sealed)
        if there is None:
            place.rename(growing.name, sealed)
        elif there == growing.at and digest_there(place, sealed, there) == growing.blake3():
            place.remove(growing.name)  # the same, brought by somebody else
        else:
            raise RefusedError(
                f"segment {self._number} lies there already and is another one ({there} bytes, not {growing.at}); "
                "both were left as they are. Look which is right (jsonl-audit verify), move the wrong one away, and "
                "ship again",
                path=place.shown(sealed), expected=growing.at, actual=there,
            )  # fmt: skip
        self._earlier.arrived(sealed)
