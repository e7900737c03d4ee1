"""Which segment goes on from which: what a header says of the one before, and whether a `.next` is a successor."""

from __future__ import annotations

from jsonl_audit import record, storage
from jsonl_audit.content import Content, first_line_of
from jsonl_audit.errors import LogError, NewerFormatError, NotALogError, WrongLogError
from jsonl_audit.links import Link
from jsonl_audit.segment import Header, describe_foreign, parse_header

__all__ = [
    "Found",
    "check_countable",
    "goes_on",
    "header_of",
    "is_successor",
    "line_before",
    "link_before",
    "newest_of",
    "read_headers",
]

_UNCOUNTABLE = 10**18
Found = tuple[Header, str]
"""The header of a sealed segment, and its path."""


def link_before(fd: int, end: int, own: str) -> Link | None:
    """The record that ends at byte `end`, if it has the hash `own`."""
    line = line_before(fd, end)
    if line is None or line[-67:-3].decode() != own:
        return None
    return Link(record.seq_of(line), own, record.ts_of(line))


def line_before(fd: int, end: int, size: int = 64 * 1024) -> bytes | None:
    """The line that ends at byte `end`, if its own hash is right; `size` bytes of the file are read at first."""
    while True:
        text = storage.read(fd, max(0, end - size), min(size, end))
        if len(text) < min(size, end):  # the file is shorter: what ends there is another line
            return None
        start = text.rfind(b"\n", 0, -1) + 1
        if start or size >= end or size > record.HARD_LIMIT:
            break
        size *= 16
    return text[start:] if record.own_hash_right(text[start:]) else None


def header_of(path: str) -> Header:
    """The header of a sealed segment; of a compressed one no more than it takes is unpacked."""
    text = first_line_of(path)
    try:
        header = parse_header(text)
    except NewerFormatError as error:
        error.path, error.line = path, 1
        raise
    if header is None:
        raise NotALogError(describe_foreign(text), path=path, line=1)
    return header


def read_headers(sealed: list[str], notes: list[str], *, all_of_them: bool = False) -> list[Found]:
    """The headers that can be read. With `all_of_them`, raises OSError for a file that cannot be read for now."""
    found = []
    for path in sealed:
        try:
            found.append((header_of(path), path))
        except (LogError, OSError) as error:
            if all_of_them and isinstance(error, OSError) and not storage.is_directory(path):
                raise
            notes.append(f"a file beside the log has a sealed segment's name and cannot be read as one: {error}")
    return found


def newest_of(headers: list[Found], log: str | None) -> list[Found]:
    """Those of the log with the highest number: several where copies lie beside each other."""
    number = max((header.segment for header, _ in headers if header.log == log), default=0)
    return [entry for entry in headers if (entry[0].log, entry[0].segment) == (log, number)]


def goes_on(header: Header, before: Header, path: str) -> bool:
    """Whether `header` names the sealed segment at `path` as its predecessor.

    A sealed file that was cut or changed since is the verifier's business, and so is what a compressed one holds; a
    whole record at the named end that has another hash is another history. Where the header says that there is damage,
    the end may have been cut off before anybody read it.
    """
    named = header.previous
    if named is None or named.first_seq != before.seq:
        return False
    if named.damaged or path.endswith((".gz", ".zst")):
        return True
    with Content(path) as content:
        end = content.read(max(0, named.bytes - 67), min(67, named.bytes))
        if len(end) < 67 or not end.endswith(b'"}\n') or end[:64] == header.prev.encode():
            return True
        return link_before(content.fd, named.bytes, end[:64].decode("ascii", "replace")) is None


def check_countable(seq: int, path: str) -> None:
    """Raises WrongLogError for a seq that no writer comes to, behind which none can be counted on."""
    if seq >= _UNCOUNTABLE:
        raise WrongLogError(
            f"the log says that it has come to seq {seq}, which cannot be; nothing was written. Run verify",
            path=path,
            seq=seq,
        )


def is_successor(header: Header, sealed: list[str]) -> bool:
    """Whether `header`, a `.next`'s, goes on from the newest sealed segment, or is the first where none is sealed.

    Then opening puts that file in place. Raises OSError where it cannot be told.
    """
    if not sealed:
        return header.segment == 1
    before = newest_of(read_headers(sealed, [], all_of_them=True), header.log)
    if not before or header.previous is None or before[0][0].segment != header.segment - 1:
        return False
    for sealed_header, path in before:
        with Content(path) as content:
            long_enough = content.size >= header.previous.bytes
        if long_enough and goes_on(header, sealed_header, path):
            return True
    return False
