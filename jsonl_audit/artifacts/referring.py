"""Which records refer to which artifacts: found in raw bytes, at the speed of a search."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from jsonl_audit import record, references
from jsonl_audit.content import Content
from jsonl_audit.errors import AuditError
from jsonl_audit.snapshot import Snapshot

__all__ = ["in_content", "in_log", "of_record"]

_BLOCK = 1 << 20
_WINDOW = 1 << 18  # more does not fit the processor's own memory


def in_content(content: Content, stop: int) -> Iterator[tuple[str, bytes]]:
    """The hash of each reference up to byte `stop`, with the line that it stands in; only lines with a right hash."""
    seeker = references.Seeker()
    if not any(map(seeker.feed, content.blocks(0, stop, _WINDOW))):  # nearly every log: no line is taken apart for it
        return
    for text in _lines(content, stop):
        end, line = 0, b""
        for own, at in references.found_in(text):
            if at >= end:
                begin, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at) + 1
                line = text[begin:end]
                if not record.own_hash_right(line):
                    line = b""
            if line:
                yield own, line


def _lines(content: Content, stop: int) -> Iterator[bytes]:
    """Whole lines, many at a time, where a reference may be among them."""
    rest = b""
    for block in content.blocks(0, stop, _BLOCK):
        text = rest + block
        cut = text.rfind(b"\n") + 1
        whole, rest = text[:cut], text[cut:]
        if references.BEGINS in whole:
            yield whole
        if len(rest) > record.HARD_LIMIT:
            rest = b""  # no record is that long


def in_log(path: str | os.PathLike[str]) -> Iterator[tuple[dict[str, Any], int]]:
    """Each reference in the records of a log, oldest first by the names of its files, and the seq of its record.

    What cannot be read is passed over: a verifier says so. Raises StorageError where there is no log.
    """
    with Snapshot(path) as snapshot:
        for sealed in snapshot.sealed:
            try:
                with Content(sealed) as content:
                    yield from _of_segment(content)
            except (AuditError, OSError):
                continue
        if snapshot.active is not None:
            yield from _of_segment(snapshot.active)


def _of_segment(content: Content) -> Iterator[tuple[dict[str, Any], int]]:
    before = b""
    for _, line in in_content(content, content.size):
        if line is not before:
            before = line
            seq = record.seq_of(line)
            yield from ((reference, seq) for reference in of_record(record.decode(line)))


def of_record(members: Any) -> list[dict[str, Any]]:
    """The references in a record, in their order.

    >>> of_record({"a": [{"artifact": "0" * 64, "bytes": 3}], "b": {"artifact": "short"}})[0]["bytes"]
    3
    """
    found, to_do = [], [members]
    while to_do:
        value = to_do.pop()
        if references.is_one(value):
            found.append(value)
        elif isinstance(value, dict):
            to_do += reversed(value.values())
        elif isinstance(value, list):
            to_do += reversed(value)
    return found
