"""What became of lines whose write failed: whether they are records of the log after all."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from jsonl_audit.content import Content
from jsonl_audit.errors import LogError
from jsonl_audit.segment import Names
from jsonl_audit.writer.active import Active
from jsonl_audit.writer.chain import Receipt

__all__ = ["recorded"]

BLOCK = 1 << 20
_HASH = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n')
_END = 76
"""Bytes from there to a line's end."""
_SEQ = re.compile(rb'^\{"seq":([1-9][0-9]{0,18}),', re.MULTILINE)


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
                found |= _among(missing, first, content, end)
                missing -= found
                before = header.previous
                path = ""
                if before is not None and header.seq > first:
                    path, end = os.path.join(names.directory, before.name), before.bytes
    except (LogError, FileNotFoundError):
        pass  # as far back as the log is here
    return {own.decode() for own in found}


def _among(wanted: set[bytes], first: int, content: Content, end: int) -> set[bytes]:
    """Which of the hashes end a line of the first `end` bytes; from the end back to the record `first`."""
    found: set[bytes] = set()
    start = end
    while start > 0 and not wanted <= found:
        start = max(0, start - BLOCK)
        text = content.read(start, min(BLOCK + _END, end - start))
        found |= wanted.intersection(match[1] for match in _HASH.finditer(text))
        begins = _SEQ.search(text)
        if begins is not None and int(begins[1]) <= first:
            break
    return found
