"""Sealed segments before the one that grows: whether each is at the place, whole; each is looked at once."""

from __future__ import annotations

from typing import Any

from jsonl_audit import storage
from jsonl_audit.content import Content
from jsonl_audit.segment import Names
from jsonl_audit.ship.compare import first_difference, same_beginning
from jsonl_audit.ship.growing import Growing, put_whole
from jsonl_audit.ship.outcome import Shipped
from jsonl_audit.ship.pace import Pace
from jsonl_audit.ship.place import Place
from jsonl_audit.ship.source import Piece

__all__ = ["Earlier"]


class Earlier:
    """Whole files of one log at one place.

    What had arrived by the word of an earlier shipper (up to record `before`) and is not there any more was moved away
    on purpose, and is not sent again, unless that is asked for by `again`.
    """

    def __init__(self, names: Names, place: Place, outcome: Shipped, pace: Pace, before: int, again: bool) -> None:
        self.sealed_there: dict[str, str] = {}
        """Names of the sealed segments at the place, by the time in each."""
        self._names = names
        self._place = place
        self._outcome = outcome
        self._pace = pace
        self._before = before
        self._again = again
        self._done: set[str] = set()
        self._right: set[str] = set()

    def arrived(self, name: str) -> None:
        """A segment has got its sealed name at the place."""
        stamp = self._names.stamp_of(name)
        if stamp is not None:
            self.sealed_there[stamp] = name
            self._done.add(stamp)
            self._right.add(stamp)

    def look_at(self, piece: Piece) -> None:
        """Makes sure that a sealed segment is there. Raises OSError, VanishedError."""
        stamp = self._names.stamp_of(piece.name)
        if stamp is None or stamp in self._done:
            return
        there = self.sealed_there.get(stamp)
        had_arrived = not self._again and piece.said is not None and piece.said.last_seq <= self._before
        if there is None and had_arrived:
            self._outcome.met(
                "note",
                "it had arrived, and is not there any more: not sent again (--again sends it)",
                self._place.shown(piece.plain_name),
            )
        elif there is None:
            self.put(piece)
            return
        elif had_arrived and (there != piece.name or self._as_long(piece, there)):
            self._right.add(stamp)  # checked when it arrived; somebody may have compressed it since
        elif not self._held_against(piece, there):
            return
        self._done.add(stamp)

    def _as_long(self, piece: Piece, name: str) -> bool:
        """Whether a file that keeps no time there has the length at least."""
        return not self._place.times and self._place.size(name) == storage.size(piece.path)

    def put(self, piece: Piece) -> bool:
        """Puts a file there as it lies at the source. False where that was not finished."""
        stamp = self._names.stamp_of(piece.name) or piece.name
        if self._place.size(piece.name) is not None:
            return self._held_against(piece, piece.name)
        with piece.as_it_lies() as content:
            put = put_whole(content, self._place, piece.name, self._pace, self._outcome)
        if put is None:
            return False
        self._outcome.bytes += put
        self._done.add(stamp)
        self._right.add(stamp)
        self.sealed_there[stamp] = piece.name
        return True

    def is_there(self, piece: Piece) -> bool:
        """Whether a segment that was looked at is at the place, and as it is at the source."""
        return self._names.stamp_of(piece.name) in self._right

    def _held_against(self, piece: Piece, name: str) -> bool:
        """Compares what is there with the source, and completes what merely ends early. False where it was stopped."""
        place = self._place
        if piece.name != name:
            self._unpacked_alike(piece, name)
            return True
        stamp = self._names.stamp_of(piece.name) or piece.name
        with piece.as_it_lies() as content:
            found, there = storage.stat(content.fd), place.size(name) or 0
            if place.kept(name, found):
                self._right.add(stamp)
                return True
            hasher = same_beginning(content, place, name, min(there, content.size))
            if hasher is None or there > content.size:
                self._differs(name, content, there)
                return True
            if there < content.size:
                done = self._completed(content, name, there, hasher, found.st_mode & 0o777)
                if not done:
                    return False
            place.keep(name, found)
            self._right.add(stamp)
        return True

    def _completed(self, content: Content, name: str, there: int, hasher: Any, mode: int) -> bool:
        """Brings the rest of a file that is a beginning of the source's; False where that was not finished."""
        if not self._place.appends:
            put = put_whole(content, self._place, name, self._pace, self._outcome)
            self._outcome.bytes += put or 0
            return put is not None
        growing = Growing(self._place, name, there, hasher)
        done = growing.grow(content, content.size, self._pace, mode)
        self._outcome.bytes += growing.at - there
        return done

    def _differs(self, name: str, content: Content, there: int) -> None:
        offset, line = first_difference(content, self._place, name, min(there, content.size))
        self._outcome.met(
            "different",
            f"it is not the file of that name at the source, from byte {offset} (line {line}) on: {there} bytes here, "
            f"{content.size} there. Neither was changed; jsonl-audit verify says which is right. Move the wrong one "
            "away, and ship again",
            self._place.shown(name),
        )

    def _unpacked_alike(self, piece: Piece, name: str) -> None:
        """One side is compressed, or both are in their own ways: the contents count."""
        import os
        import tempfile

        from jsonl_audit.ship.compare import arrived_blocks

        place = self._place
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, os.path.basename(name))
            fd = storage.open_append(copy, create=True)
            try:
                for block in arrived_blocks(place, name, 0, place.size(name) or 0):
                    storage.write(fd, block)
            finally:
                storage.let_go(fd)
            with piece.open() as ours, Content(copy) as theirs:
                same = ours.size == theirs.size and all(
                    a == b for a, b in zip(ours.blocks(), theirs.blocks(), strict=True)
                )
        if same:
            self._right.add(self._names.stamp_of(piece.name) or piece.name)
        else:
            self._outcome.met(
                "different",
                f"it does not hold what {piece.name} holds at the source. Neither was changed; jsonl-audit verify says "
                "which is right. Move the wrong one away, and ship again",
                place.shown(name),
            )
