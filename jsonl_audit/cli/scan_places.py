"""Which files are meant where some are named: a log with all that belongs to it, a folder with all that is in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from jsonl_audit import storage
from jsonl_audit.cli.stdin import reader_of_stdin
from jsonl_audit.content import blocks_of
from jsonl_audit.errors import AuditError, LogError
from jsonl_audit.segment import Names, first_line, parse_header
from jsonl_audit.snapshot import Snapshot

__all__ = ["Place", "places"]

_STDIN = "-"


class Place(NamedTuple):
    """Something to look at."""

    name: str
    """As it is shown."""
    size: int
    """In bytes, as it lies there; 0 where that is not known."""
    blocks: Callable[[], Iterator[bytes]]
    """Opens it and reads it, block by block. Raises AuditError, OSError."""


def places(given: Iterable[str], failed: Callable[[AuditError | OSError], None]) -> Iterator[Place]:
    """Everything that is meant by the paths given; what cannot be looked at is handed to `failed`.

    ``-`` is standard input. A log is itself with its sealed segments and its folder of artifacts; a directory is every
    file in it and below, but for those that symlinks lead to.
    """
    for path in given:
        try:
            yield from _meant(path, failed)
        except (AuditError, OSError) as error:
            failed(error)


def _meant(path: str, failed: Callable[[AuditError | OSError], None]) -> Iterator[Place]:
    if path == _STDIN:
        yield Place("standard input", 0, lambda: iter(reader_of_stdin(), b""))
        return
    path = os.path.expanduser(path)
    found = storage.stat(path)
    if stat.S_ISDIR(found.st_mode):
        yield from _below(path, failed)
        return
    if _is_log(path):
        yield from _of_log(path, failed)
    else:
        yield Place(path, found.st_size, lambda: blocks_of(path))


def _is_log(path: str) -> bool:
    """Whether this is the active file of a log."""
    try:
        Names.of(path)
        with storage.reading(path) as fd:
            return parse_header(first_line(fd)) is not None
    except LogError:  # the name of a sealed segment, a newer format: a file as any other
        return False


def _of_log(path: str, failed: Callable[[AuditError | OSError], None]) -> Iterator[Place]:
    folder = os.path.dirname(path)
    with Snapshot(path) as log:
        for sealed in log.sealed:
            yield _file(os.path.join(folder, os.path.basename(sealed)))
        active = log.active
        if active is not None:
            yield Place(path, active.size, active.blocks)
    own = path + ".d"
    if storage.is_directory(own):
        yield from _below(own, failed)


def _file(path: str) -> Place:
    return Place(path, storage.size(path), lambda: blocks_of(path))


def _below(folder: str, failed: Callable[[AuditError | OSError], None]) -> Iterator[Place]:
    try:
        entries = sorted(storage.list_directory(folder))
    except OSError as error:
        failed(error)
        return
    for entry in entries:
        path = os.path.join(folder, entry)
        try:
            mode = storage.lstat(path).st_mode
            if stat.S_ISDIR(mode):
                yield from _below(path, failed)
            elif stat.S_ISREG(mode):
                yield _file(path)
        except OSError as error:
            failed(error)
