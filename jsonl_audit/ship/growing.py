"""A file at a destination that grows by what is read at the source; what arrived is read back and hashed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from blake3 import blake3

from jsonl_audit import storage
from jsonl_audit.content import Content
from jsonl_audit.errors import StorageError
from jsonl_audit.ship.compare import arrived_blocks, digest_there, hole_at, same_beginning
from jsonl_audit.ship.outcome import Shipped
from jsonl_audit.ship.pace import Pace
from jsonl_audit.ship.place import Place, StoppedError, part_of

__all__ = ["Growing", "make_way", "put_object", "put_whole"]


class Growing:
    """A file at the place, `at` bytes long; `hasher` has taken these, and they are the source's."""

    def __init__(self, place: Place, name: str, at: int = 0, hasher: Any = None) -> None:
        self.name = name
        self.at = at
        self._place = place
        self._sent = blake3() if hasher is None else hasher
        self._arrived = self._sent.copy()
        self._named = False  # whether its name is known to be on the disk

    def renamed(self, name: str) -> None:
        """It has another name from now on."""
        self.name = name

    def blake3(self) -> str:
        """Digest of what has arrived."""
        return str(self._arrived.hexdigest())

    def grow(self, content: Content, stop: int, pace: Pace, mode: int) -> bool:
        """Brings what the source holds up to `stop`, on the disk and compared. False where it was time to end before.

        Raises StorageError, OSError.
        """
        start = self.at
        while self.at < stop and not pace.stopped:
            data = content.read(self.at, min(pace.block, stop - self.at))
            if not data:
                raise StorageError(
                    f"the source ends at byte {self.at}, and had more: it was cut, or put in another's place",
                    path=content.path, offset=self.at, expected=stop,
                )  # fmt: skip
            pace.wait(len(data))
            self._place.append(self.name, self.at, data, mode)
            self._sent.update(data)
            self.at += len(data)
        if self.at > start or not self._named:
            self._place.sync(self.name, made=not self._named)
            self._named = True
            for block in arrived_blocks(self._place, self.name, start, self.at):
                self._arrived.update(block)
            if self._arrived.digest() != self._sent.digest():
                raise StorageError(
                    "what arrived is not what was sent: the disk or the way there is faulty, or somebody else writes "
                    "to it; look at the file, move it away, and ship again",
                    path=self._place.shown(self.name), offset=start,
                    expected=self._sent.hexdigest(), actual=self.blake3(),
                )  # fmt: skip
        return self.at >= stop


def put_whole(content: Content, place: Place, name: str, pace: Pace, outcome: Shipped) -> int | None:
    """Puts a file in the place, where there is none of that name, under its name only once all of it is there.

    What an earlier shipper left of it unfinished is gone on with; what is no beginning of it gives way to it, under
    another name. Its length; None where it was time to end before.
    """
    if not place.appends:
        try:
            put_object(place, name, content, content.size, pace)
        except StoppedError:
            return None
        return content.size
    part = part_of(name)
    there = place.size(part)
    growing = None
    if there is not None:
        place.forget_cached(part)
        hasher = same_beginning(content, place, part, there) if there <= content.size else None
        if hasher is not None:
            growing = Growing(place, part, there, hasher)
        else:
            make_way(content, place, name, outcome)
    growing = growing or Growing(place, part)
    found = storage.stat(content.fd)
    if not content.size:
        place.append(part, 0, b"", found.st_mode & 0o777)
    if not growing.grow(content, content.size, pace, found.st_mode & 0o777):
        return None
    place.keep(part, found)
    place.rename(part, name)
    return content.size


def make_way(content: Content, place: Place, name: str, outcome: Shipped) -> None:
    """Takes what stands where a file is to be put together out of the way: it stays, unless it is a beginning of it."""
    part = part_of(name)
    there = place.size(part)
    if there is None:
        return
    ours = there <= content.grown() and (
        same_beginning(content, place, part, there) is not None or hole_at(content, place, part, there) is not None
    )
    if ours:
        place.remove(part)
        return
    aside = next(f"{part}.{n}" for n in itertools.count(1) if place.size(f"{part}.{n}") is None)
    place.rename(part, aside)
    outcome.met("note", f"it was no beginning of {name} and stood in its way: moved aside", place.shown(aside))


def put_object(place: Place, name: str, content: Content, stop: int, pace: Pace) -> str:
    """Puts the first `stop` bytes there, whole, and reads them back; their digest.

    Raises StorageError where something else arrives, StoppedError, OSError.
    """
    hasher = blake3()

    def blocks() -> Iterator[bytes]:
        at = 0
        while at < stop:
            data = content.read(at, min(pace.block, stop - at))
            if not data:
                raise StorageError("the source was cut while it was read", path=content.path, offset=at, expected=stop)
            if pace.stopped:
                raise StoppedError
            pace.wait(len(data))
            hasher.update(data)
            at += len(data)
            yield data

    place.put(name, blocks())
    sent, arrived = str(hasher.hexdigest()), digest_there(place, name, stop)
    if arrived != sent or place.size(name) != stop:
        raise StorageError(
            "what arrived is not what was sent: the way there is faulty, or somebody else writes to it; look at the "
            "object, move it away, and ship again",
            path=place.shown(name), expected=sent, actual=arrived,
        )  # fmt: skip
    return sent
