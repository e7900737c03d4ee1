"""Shipping to a store in which nothing can grow: objects are put there whole, and only by longer ones replaced.

The newest segment stands under the log's own name and is put there anew when it has grown, each time not before ten
times as long has passed as it took the last time. A sealed one stands under its sealed name, and it is there before the
next one takes the log's own name: at no moment anything is missing.
"""

from __future__ import annotations

import time

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.errors import RefusedError, StorageError
from jsonl_audit.ship.compare import digest_there
from jsonl_audit.ship.growing import put_object
from jsonl_audit.ship.leftover import left_over
from jsonl_audit.ship.place import StoppedError
from jsonl_audit.ship.source import Look, Piece
from jsonl_audit.ship.standing import Standing
from jsonl_audit.ship.way import Way
from jsonl_audit.succession import line_before

__all__ = ["Replacing"]

SHARE = 10
"""The active segment is put anew at most in one part of so many of the time."""


class Replacing(Way):
    """The way to a store in which nothing grows."""

    _number = 0  # of the segment under the log's own name
    _size = 0
    _digest = ""
    _not_before = 0.0

    def _stands(self, standing: Standing) -> None:
        self._number = standing.number
        if standing.growing is not None:
            self._size, self._digest = standing.growing.at, standing.growing.blake3()

    def remaining(self, look: Look) -> int:
        """How many bytes there are to bring."""
        return max(0, look.committed - (self._size if look.pieces and look.pieces[-1].number == self._number else 0))

    def round(self, look: Look) -> None:
        """Brings what is there at the source and not yet at the place. Raises OSError, RefusedError, AuditError."""
        for piece in look.others:
            self._earlier.look_at(piece)
        for piece in look.pieces:
            if self._pace.stopped:
                return
            try:
                if not piece.live:
                    self._sealed(piece)
                elif self._source.content is not None:
                    self._grown(piece, self._source.content, look)
            except StoppedError:
                return

    def _sealed(self, piece: Piece) -> None:
        """A sealed segment: copied within the store where it stands there under the log's own name, whole."""
        place, name = self._place, piece.plain_name
        if piece.number == self._number and self._digest and not piece.packed and place.size(name) is None:
            with piece.open() as content:
                if content.size == self._size and self._as_left():
                    place.copy(self._active, name)
                    if digest_there(place, name, self._size) != self._digest:
                        raise StorageError(f"the store's own copy differs from {self._active}", path=place.shown(name))
                    self._earlier.arrived(name)
                    self._outcome.sealed += 1
                    return
        before = self._outcome.bytes
        self._earlier.look_at(piece)
        self._outcome.sealed += self._outcome.bytes > before
        if piece.said is not None and piece.number >= self._number and self._earlier.is_there(piece):
            with piece.open() as content:
                line = line_before(content.fd, piece.said.bytes)
                if line is not None:
                    self._arrived(piece.number, content.size, record.seq_of(line), line[-67:-3].decode())

    def _grown(self, piece: Piece, content: Content, look: Look) -> None:
        """The active segment, where it has grown; and where it is time to put it anew."""
        stop = look.committed
        own = piece.number == self._number and bool(self._digest)
        if (own and stop <= self._size) or not stop or (own and time.monotonic() < self._not_before):
            return
        if not self._as_left():
            raise RefusedError(
                "somebody else has changed it; nothing was written. Let one shipper alone fill this place, and start "
                "it again",
                path=self._place.shown(self._active),
            )
        if self._digest and not own:
            self._moved_on(look)
        began = time.monotonic()
        self._digest = put_object(self._place, self._active, content, stop, self._pace)
        self._number, self._size = piece.number, stop
        self._outcome.bytes += stop
        now = time.monotonic()
        self._not_before = now + SHARE * (now - began)
        line = line_before(content.fd, stop)
        if line is not None:
            self._arrived(piece.number, stop, record.seq_of(line), line[-67:-3].decode())

    def _moved_on(self, look: Look) -> None:
        """Makes sure that what stands under the log's own name is there sealed, too, before another takes its place."""
        place, own = self._place, next((piece for piece in look.pieces if piece.number == self._number), None)
        if own is None:  # it is gone at the source
            behind = next((piece.header for piece in look.pieces if piece.number > self._number), None)
            name = left_over(
                place, self._active, self._size, self._number, behind, self._source.names, self._outcome
            )
            if place.size(name) is None:
                place.copy(self._active, name)
            if digest_there(place, name, self._size) != self._digest:
                raise RefusedError(
                    f"segment {self._number} is not there as it is in {self._active}; nothing was written. Look which "
                    "is right (jsonl-audit verify), move the wrong one away, and ship again",
                    path=place.shown(name),
                )
        elif not self._earlier.is_there(own):
            raise RefusedError(
                f"segment {self._number} lies there sealed, and differs from the source, so {self._active}, which "
                "holds it, is not replaced. Look which is right, move the wrong one away, and ship again",
                path=place.shown(own.plain_name),
            )

    def _as_left(self) -> bool:
        """Whether what stands under the log's own name has the length that was left there."""
        return not self._digest or self._place.size(self._active) == self._size
