"""Commands with which a person sees by hand what a finding says, and what each of them prints."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Command", "bytes_of", "encoded", "hash_of", "lines_of", "quoted", "the_file"]

_PLAIN = re.compile(r"[A-Za-z0-9_./+=:@%-]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


class Command(NamedTuple):
    """One line for a shell."""

    line: str
    prints: str | None
    """What it prints, without the last line end; None where that is to be looked at, not compared."""
    why: str


def quoted(name: str) -> str:
    """A file name as one word of a shell line; also one with spaces, quotes, line ends or bytes that are no text.

    >>> print(quoted("audit.jsonl"), quoted("it's.jsonl"), quoted("a\\nb"))
    audit.jsonl 'it'\\''s.jsonl' "$(printf 'a\\012b')"
    """
    name = f"./{name}" if name.startswith("-") else name
    if _PLAIN.fullmatch(name):
        return name
    if _PRINTABLE.fullmatch(name):
        return "'" + name.replace("'", "'\\''") + "'"
    return f"\"$(printf '{_octal(name)}')\""


def encoded(name: str) -> str:
    """A file name as the second examiner's script reads it: what is no plain letter as \\0 and three octal digits.

    >>> print(encoded("a b.jsonl"))
    a\\0040b.jsonl
    """
    return "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or byte in b"./_-") else f"\\0{byte:03o}"
        for byte in name.encode("utf-8", "surrogateescape")
    )


def _octal(name: str) -> str:
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\%" else f"\\{byte:03o}"
        for byte in name.encode("utf-8", "surrogateescape")
    )


def the_file(name: str) -> str:
    """The line that comes before the others: which file they are about."""
    if name.endswith("\n"):  # the shell would take the last line end away
        return f"F=$(printf '{_octal(name)}_'); F=${{F%_}}"
    return f"F={quoted(name)}"


def _unpacked(name: str) -> str:
    """How the bytes of a compressed file are had; empty for one that is none."""
    for end, unpack in ((".gz", "gzip -dc"), (".zst", "zstd -dcq")):
        if name.endswith(end):
            return f'{unpack} < "$F"'
    return ""


def lines_of(name: str, command: str) -> str:
    """The command with the bytes of the file, unpacked where it is compressed.

    >>> print(lines_of("a.gz", "head -n 1"), lines_of("a", "head -n 1"), sep="; ")
    gzip -dc < "$F" | head -n 1; head -n 1 < "$F"
    """
    source = _unpacked(name)
    return f"{source} | {command}" if source else f'{command} < "$F"'


def bytes_of(name: str, offset: int, count: int) -> str:
    """A pipeline that prints so many bytes from `offset` on.

    >>> print(bytes_of("audit.jsonl", 10, 5))
    tail -c +11 < "$F" | head -c 5
    """
    if offset == 0:
        return lines_of(name, f"head -c {count}")
    return f"{lines_of(name, f'tail -c +{offset + 1}')} | head -c {count}"


def hash_of(name: str, offset: int, count: int) -> str:
    """A pipeline that prints the BLAKE3 of so many bytes."""
    return f"{bytes_of(name, offset, count)} | b3sum --no-names"
