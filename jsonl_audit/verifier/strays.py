"""Files that do not begin with a right header: each is damaged, and yet may have its place in the log."""

from __future__ import annotations

from jsonl_audit.errors import NotALogError
from jsonl_audit.links import Link
from jsonl_audit.scan import WINDOW, Walk
from jsonl_audit.verifier.files import File

__all__ = ["first_record", "place"]


def first_record(file: File) -> tuple[Link | None, bool]:
    """The first record whose own hash is right, and whether any line begins as a record does.

    Raises Vanished, StorageError.
    """
    walk = Walk(strict=False)
    try:
        with file.open() as content:
            for data in content.blocks(size=WINDOW):
                walk.feed(data)
                if walk.first is not None:
                    break
    except NotALogError:  # compressed data that are broken
        return None, False
    walk.finish()
    return walk.first, walk.begins


def place(
    strays: list[tuple[File, Link | None, bool]], groups: dict[int, list[File]]
) -> list[tuple[File, Link | None]]:
    """Puts into `groups` those whose segment number the rest of the log tells; returns the others.

    Of each `strays` says what `first_record` said.
    """
    headers = sorted(
        (file.header for files in groups.values() for file in files if file.header is not None),
        key=lambda header: header.segment,
    )
    left = []
    for file, first, begins in sorted(strays, key=lambda stray: stray[1].seq if stray[1] else 2**63):
        said = {header.segment - 1: header.previous for header in headers if header.previous is not None}
        # The name comes first: a line put in before the header may be of any segment.
        by_name = [number for number, previous in said.items() if previous.name == file.plain_name]
        by_seq = [
            number
            for number, previous in said.items()
            if first is not None and previous.first_seq <= first.seq <= previous.last_seq
        ]
        number = (by_name or (by_seq if file.sealed or not by_seq or by_seq[-1] not in groups else []) or [0])[-1]
        behind = first is not None and bool(headers) and first.seq > headers[-1].seq
        if not number and begins and (not headers or behind or not file.sealed):
            number = max(groups, default=0) + 1  # it is behind all that is known
        if number and number not in groups:
            groups[number] = [file]
        elif file.size or headers:
            left.append((file, first))
    return left
