"""Where in one text secrets stand, and the text without them: all rules on one plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from jsonl_audit.redact.assigned import assigned
from jsonl_audit.redact.markers import MARKER, Marking
from jsonl_audit.redact.names import Names
from jsonl_audit.redact.tokens import TOKENS, private_keys

__all__ = ["Finder", "Hit"]


class Hit(NamedTuple):
    """A secret in a text: what it is, and where: from `start` to before `end`, in characters.

    >>> Hit("jwt", 4, 60).kind
    'jwt'
    """

    kind: str
    start: int
    end: int


Extra = Callable[[str, Callable[[str, int, int], None]], None]
"""A further rule: takes kind, start and end of what it finds in a text."""


class Finder:
    """All rules on texts, of one redactor."""

    __slots__ = ("_extra", "_names", "built_in")

    def __init__(self, names: Names, extra: Sequence[Extra] = (), *, built_in: bool = True) -> None:
        self._names = names
        self._extra = tuple(extra)
        self.built_in = built_in

    def hits(self, text: str) -> list[Hit]:
        """What stands in a text, from its beginning to its end, without overlaps. What is redacted already is none."""
        found: list[tuple[int, int, int, str]] = []
        if self.built_in:
            self._built_in(text, found)
        for number, rule in enumerate(self._extra):
            # Further rules name only what no built-in one does.
            rule(text, partial(_put, found, 1000 + number))
        return _apart(text, found) if found else []

    def _built_in(self, text: str, found: list[tuple[int, int, int, str]]) -> None:
        if "PRIVATE KEY" in text or "PuTTY-" in text:
            private_keys(text, lambda start, end: found.append((start, end, 0, "private-key")))
        for rank, (kind, hints, pattern, _) in enumerate(TOKENS, 1):
            for hint in hints:
                if hint in text:
                    for match in pattern.finditer(text):
                        group = "s" if "s" in pattern.groupindex else 0
                        found.append((match.start(group), match.end(group), rank, kind))
                    break
        assigned(text, self._names, lambda kind, start, end, _: found.append((start, end, 900, kind)))

    def redacted(self, text: str, marking: Marking, count: dict[str, int]) -> str:
        """The text with markers; itself if nothing was found."""
        hits = self.hits(text)
        if not hits:
            return text
        pieces: list[str] = []
        at = 0
        for kind, start, end in hits:
            pieces += (text[at:start], marking.of(kind, text[start:end]))
            count[kind] = count.get(kind, 0) + 1
            at = end
        pieces.append(text[at:])
        return "".join(pieces)


def _put(found: list[tuple[int, int, int, str]], rank: int, kind: str, start: int, end: int) -> None:
    found.append((start, end, rank, kind))


def _apart(text: str, found: list[tuple[int, int, int, str]]) -> list[Hit]:
    """What overlaps is one, called by the rule that comes first; what only covers markers is none."""
    found.sort()
    joined: list[tuple[int, int, int, str]] = []
    for start, end, rank, kind in found:
        if start >= end:
            continue
        if joined and start < joined[-1][1]:
            first, last, other, name = joined[-1]
            if rank < other:
                other, name = rank, kind
            joined[-1] = (first, max(end, last), other, name)
        else:
            joined.append((start, end, rank, kind))
    if "<" in text:
        marked = [match.span() for match in MARKER.finditer(text)]
        if marked:
            joined = list(_unmarked(joined, marked))
    return [Hit(kind, start, end) for start, end, _, kind in joined]


def _unmarked(found: list[tuple[int, int, int, str]], marked: list[tuple[int, int]]) -> list[tuple[int, int, int, str]]:
    """Without what markers cover, and with whole markers where something reaches into one."""
    result = []
    number = 0
    for start, end, rank, kind in found:
        while number < len(marked) and marked[number][1] <= start:
            number += 1
        inside = number
        at = start
        first, last = start, end
        covered = True
        while inside < len(marked) and marked[inside][0] < end:
            begins, ends = marked[inside]
            if begins > at:
                covered = False
            first, last = min(first, begins), max(last, ends)
            at = max(at, ends)
            inside += 1
        if inside > number and covered and at >= end:
            continue
        result.append((first, last, rank, kind))
    return result
