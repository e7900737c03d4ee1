"""Five things that happen to a log, each done to a copy of it: what the demo shows a verdict for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jsonl_audit import record
from jsonl_audit.segment import Names

__all__ = ["DAMAGES", "Damage"]


class Damage(NamedTuple):
    """One kind of damage, what must be said of it, and what that means."""

    title: str
    story: str
    do: Callable[[Path], None]
    verdict: str
    kinds: frozenset[str]
    """At least one of these findings must be named."""
    meaning: str


def _sealed(log: Path, at: int) -> Path:
    return Path(Names.of(log).list_sealed()[at])


def _change_a_byte(log: Path) -> None:
    path = _sealed(log, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b'"outcome":"denied"' in line)
    digit = lines[at].index(b'"ip":"') + 8  # the third of the address: 192 and 198 become 190 and so on
    lines[at] = lines[at][:digit] + b"0" + lines[at][digit + 1 :]
    path.write_bytes(b"".join(lines))


def _delete_a_line(log: Path) -> None:
    path = _sealed(log, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[next(n for n, line in enumerate(lines) if b'"type":"exec.denied"' in line)]
    path.write_bytes(b"".join(lines))


def _crash(log: Path) -> None:
    os.truncate(log, log.stat().st_size - 100)


def _lose_a_segment(log: Path) -> None:
    _sealed(log, 1).unlink()


def _rewrite_a_segment(log: Path) -> None:
    """What an insider with this very tool can do: one word changed, and every hash behind it made right again."""
    path = _sealed(log, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b'"type":"exec.denied"' in line)
    lines[at] = lines[at].replace(b'"outcome":"denied"', b'"outcome":"success"')
    prev = record.prev_of(lines[at])
    for number in range(at, len(lines)):
        hashed = lines[number][:-141] + prev.encode() + b'"'
        prev = record.hash_of(hashed + b" " * 76)
        lines[number] = hashed + b',"hash":"%b"}\n' % prev.encode()
    path.write_bytes(b"".join(lines))


DAMAGES = (
    Damage(
        "One byte changed",
        "a digit of an address, in a sealed file",
        _change_a_byte,
        "tampered",
        frozenset({"record-modified"}),
        "The line no longer has the hash it ends with. All others still stand.",
    ),
    Damage(
        "One line deleted",
        "a denied command never happened",
        _delete_a_line,
        "tampered",
        frozenset({"records-missing"}),
        "The next line names the one that should stand before it.",
    ),
    Damage(
        "A crash",
        "the power went out in the middle of a write",
        _crash,
        "torn",
        frozenset({"torn-tail"}),
        "No alarm: a piece of a line at the very end is what a crash leaves.",
    ),
    Damage(
        "A file gone",
        "a sealed segment was removed",
        _lose_a_segment,
        "incomplete",
        frozenset({"segment-missing"}),
        "What is here is whole; the file that is missing is known by name.",
    ),
    Damage(
        "A file rewritten",
        "a word changed, and every hash in the file made right",
        _rewrite_a_segment,
        "tampered",
        frozenset({"segment-altered", "chain-broken"}),
        "No line is wrong in itself. The next file remembers what this one was.",
    ),
)
