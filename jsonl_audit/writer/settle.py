"""What became of lines whose write failed: whether they are records of the log after all."""

from __future__ import annotations

import os
from collections.abc import Sequence

from jsonl_audit.content import Content
from jsonl_audit.errors import LogError
from jsonl_audit.segment import Names
from jsonl_audit.writer.active import Active
from jsonl_audit.writer.chain import Receipt

__all__ = ["recorded"]

_END = 67
"""Bytes from a line's own hash to its end."""


def recorded(names: Names, active: Active, receipts: Sequence[Receipt]) -> set[str]:
    """The hashes of those of the receipts that are committed records; `active` is known to be what the disk holds.

    Looked for from the newest segment back, in each up to the end that its successor's header vouches for. Raises
    OSError.
    """
    missing = {receipt.hash.encode() for receipt in receipts}
    first = min((receipt.seq for receipt in receipts), default=0)
    found: set[bytes] = set()
    path, end = names.path, active.size
    try:
        while missing and path:
            with Content(path) as content:
                header = content.header()
                found |= _among(missing, content, end)
                missing -= found
                before = header.previous
                path = ""
                if before is not None and header.seq > first:
                    path, end = os.path.join(names.directory, before.name), before.bytes
    except (LogError, FileNotFoundError):
        pass  # as far back as the log is here
    return {own.decode() for own in found}


def _among(wanted: set[bytes], content: Content, end: int) -> set[bytes]:
    """Which of the hashes end a line of the first `end` bytes."""
    found = set()
    rest = b""
    for block in content.blocks(0, end):
        text = rest + block
        found |= {own for own in wanted if b',"hash":"%b"}\n' % own in text}
        rest = text[-_END - 16 :]
    return found
