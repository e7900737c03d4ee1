"""A place where files of a log arrive: what a shipper asks of a folder, a share, or a store somewhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

from jsonl_audit.errors import LogError

__all__ = ["Place", "StoppedError", "opened", "part_of"]


class StoppedError(Exception):
    """It is time to end; what was being put is not there."""


class Place(Protocol):
    """Where files arrive. Names may hold ``/``: folders below are made as they are needed. All of it raises OSError."""

    address: str
    """As the user knows it, made absolute."""
    appends: bool
    """Whether a file can grow there; else each is put there whole."""

    times: bool
    """Whether files keep the times that they are given."""

    def shown(self, name: str) -> str:
        """The whole address of a name, for messages."""

    def names(self, prefix: str) -> list[str]:
        """The names in the place itself that begin so."""

    def size(self, name: str) -> int | None:
        """Length in bytes; None where there is no such file."""

    def read(self, name: str, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`; fewer only at the end."""

    def put(self, name: str, blocks: Iterator[bytes]) -> None:
        """Puts a file there whole, in place of what stood under the name: where `appends` is False."""

    def copy(self, old: str, new: str) -> None:
        """Has the place itself copy a file: where `appends` is False."""

    def append(self, name: str, at: int, data: bytes, mode: int) -> None:
        """Makes the file, where `at` is 0, or longer; `at` is its length. With `mode` as far as there are modes."""

    def sync(self, name: str, *, made: bool) -> None:
        """Returns when the bytes are on the disk, and the name where it was `made`, as far as the place knows that."""

    def forget_cached(self, name: str) -> None:
        """What is read next comes from the disk, not from memory, as far as that can be had."""

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name, which must be free, and syncs that."""

    def replace(self, old: str, new: str) -> None:
        """Gives a file another name, in place of what stood there, and syncs that."""

    def remove(self, name: str) -> None:
        """Removes what a shipper itself has left unfinished."""

    def keep(self, name: str, found: os.stat_result) -> None:
        """Mode and times as they are at the source. What a place does not let be set is left out."""

    def kept(self, name: str, found: os.stat_result) -> bool:
        """Whether length and time are those of the source, and the place keeps times: then it had been checked."""

    def take(self) -> None:
        """Keeps other shippers out, as far as that can be done there. Raises LockedError."""

    def release(self) -> None:
        """Lets others in, and gives back what is open."""


def part_of(name: str) -> str:
    """The name that a file has until all of it is there.

    >>> part_of("audit.20261121T101112123456Z.jsonl.gz")
    'audit.20261121T101112123456Z.jsonl.gz.part'
    """
    return name + ".part"


def opened(destination: str | os.PathLike[str], name: str, options: dict[str, object] | None = None) -> Place:
    """The place that a destination names, for the log called `name`. Raises LogError for one that makes no sense."""
    given: object = os.fspath(destination)
    if not isinstance(given, str) or not given or "\0" in given:
        raise LogError(f"{given!r} is no destination; give a folder, or an address such as s3://bucket/logs")
    if given.startswith("file://"):
        given = given.removeprefix("file://")
    elif "://" in given or "::" in given:
        from jsonl_audit.ship.remote import Remote

        return Remote(given, name, options)
    from jsonl_audit.ship.folder import Folder

    return Folder(given, name)
