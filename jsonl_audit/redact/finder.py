"""Where in one text secrets stand, and the text without them: all rules on one plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from orjson import dumps

from jsonl_audit.redact.encoded import suspicious
from jsonl_audit.redact.markers import MARKER, Marking
from jsonl_audit.redact.names import Names

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


_FIRST_FREE = 800
"""From this rank on rules go by more than what a secret looks like itself."""
_Span = tuple[int, int, int, str]
_ROUNDS = 4
_BLOCK = 4096
_MARGIN = 512
"""Characters around a block that are looked at with it: more than lies between the beginning of any name and the value
that it tells, or within any token that begins with a hint."""


class Finder:
    """All rules on texts, of one redactor."""

    __slots__ = ("_names", "extra")

    def __init__(self, names: Names, extra: Sequence[Extra] = ()) -> None:
        self._names = names
        self.extra = tuple(extra)

    def hits(self, text: str) -> list[Hit]:
        """What stands in a text, from its beginning to its end, without overlaps. What is redacted already is none."""
        found: list[_Span] = []
        regions = _regions(text)
        if regions:
            self._built_in(text, regions, found)
        for number, rule in enumerate(self.extra):
            # Further rules name only what no built-in one does.
            rule(text, partial(_put, found, 1000 + number))
        return _apart(text, found) if found else []

    def _built_in(self, text: str, regions: list[tuple[int, int]], found: list[_Span]) -> None:
        # Loaded with the first suspicious text: a program that logs no secret never needs them.
        from jsonl_audit.redact.assigned import assigned
        from jsonl_audit.redact.tokens import discord_tokens, known_tokens, private_keys

        if "PRIVATE KEY" in text or "PuTTY-" in text:
            private_keys(text, partial(_put, found, 0, "private-key"))
        for start, end in regions:
            known_tokens(text, start, end, partial(_put, found))
            discord_tokens(text, start, end, partial(_put, found, 800, "discord-token"))
            assigned(text, self._names, partial(_put, found, 900), start, end)

    def redacted(self, text: str, marking: Marking, count: dict[str, int]) -> str:
        """The text with markers; itself if nothing was found."""
        # Once more, where something was found: what stood before or behind it may have had it for a border, and what
        # is redacted once is not to change when it is redacted again.
        for _ in range(_ROUNDS):
            hits = self.hits(text)
            if not hits:
                break
            text = self._marked(text, hits, marking, count)
        return text

    @staticmethod
    def _marked(text: str, hits: list[Hit], marking: Marking, count: dict[str, int]) -> str:
        pieces: list[str] = []
        at = 0
        for kind, start, end in hits:
            pieces += (text[at:start], marking.of(kind, text[start:end]))
            count[kind] = count.get(kind, 0) + 1
            at = end
        pieces.append(text[at:])
        return "".join(pieces)


def _put(found: list[_Span], rank: int, kind: str, start: int, end: int) -> None:
    found.append((start, end, rank, kind))


def _regions(text: str) -> list[tuple[int, int]]:
    """The parts of a text that look suspicious: these are worth the rules."""
    size = len(text)
    regions: list[tuple[int, int]] = []
    for start in range(0, size, _BLOCK):
        block = text[max(0, start - _MARGIN) : start + _BLOCK + _MARGIN]
        try:
            encoded = dumps(block)
        except TypeError:  # lone surrogates: looked through anyway
            hot = True
        else:
            hot = suspicious(encoded)
        if hot:
            begin, end = max(0, start - _MARGIN), min(size, start + _BLOCK + _MARGIN)
            if regions and begin <= regions[-1][1]:
                regions[-1] = (regions[-1][0], end)
            else:
                regions.append((begin, end))
    return regions


def _apart(text: str, found: list[_Span]) -> list[Hit]:
    """What overlaps is one, called by the rule that comes first; what only covers markers is none."""
    found.sort()
    joined: list[_Span] = []
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
            joined = _unmarked(text, joined, marked)
    return [Hit(kind, start, end) for start, end, _, kind in joined]


def _unmarked(text: str, found: list[_Span], marked: list[tuple[int, int]]) -> list[_Span]:
    """Without what markers cover, but for signs, and with whole markers where something reaches into one."""
    result = []
    number = 0
    for start, end, rank, kind in found:
        while number < len(marked) and marked[number][1] <= start:
            number += 1
        inside = number
        at = start
        first, last = start, end
        left = ""
        while inside < len(marked) and marked[inside][0] < end:
            begins, ends = marked[inside]
            left += text[at:begins]
            first, last = min(first, begins), max(last, ends)
            at = max(at, ends)
            inside += 1
        left += text[at:end]
        # A kind is not a token: who writes one in the form of a marker hides nothing.
        disguised = rank < _FIRST_FREE and (first, last) != (start, end) and not left
        if inside > number and not disguised and not any(map(str.isalnum, left)):
            continue
        result.append((first, last, rank, kind))
    return result
