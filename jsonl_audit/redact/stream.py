"""A text of any size, redacted as it passes: in windows, so that memory stays flat and no secret hides in a border."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator

from jsonl_audit.redact.finder import Finder
from jsonl_audit.redact.markers import Marking

__all__ = ["WINDOW", "streamed"]

WINDOW = 1 << 18
"""Characters that are looked at together."""
REACH = 1 << 16
"""What is held back at the end of a window until more has come: no name and value, no key lie further apart."""
_CONTEXT = 512
"""Characters of what was passed on that are looked at again, for what must not stand before a secret."""
_SEPARATOR = re.compile(r"[\s\"'<>,;]")


def streamed(
    chunks: Iterable[bytes], finder: Finder, marking: Marking, whole: Callable[[str], str], found: dict[str, int]
) -> Iterator[bytes]:
    """The chunks, redacted, cut in other places. What is no UTF-8 passes as it is. `whole` does a short text."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = before = ""
    first, swallowing = True, False
    for chunk in chunks:
        text += decoder.decode(chunk)
        while len(text) >= WINDOW + REACH:
            first = False
            # A window has the same size whatever the chunks were: they change nothing.
            window, rest = text[: WINDOW + REACH], text[WINDOW + REACH :]
            done, kept, before, swallowing = _window(window, before, finder, marking, found, swallowing)
            yield done.encode("utf-8", "surrogateescape")
            text = kept + rest
    text += decoder.decode(b"", True)
    if first:
        yield whole(text).encode("utf-8", "surrogateescape")
        return
    if swallowing:
        text = _swallowed(text)
    done = _redacted(before, text, len(text), finder, marking, found)[0]
    yield done.encode("utf-8", "surrogateescape")


def _window(
    text: str, before: str, finder: Finder, marking: Marking, found: dict[str, int], swallowing: bool
) -> tuple[str, str, str, bool]:
    """What of a window is done, what is kept of it, the end of what is done, and whether it ends within a secret."""
    if swallowing:
        shorter = _swallowed(text)
        if not shorter:
            return "", "", before, True
        text = shorter
    done, end, swallowing = _redacted(before, text, WINDOW, finder, marking, found)
    return done, text[end:], (before + text[:end])[-_CONTEXT:], swallowing


def _redacted(
    before: str, text: str, until: int, finder: Finder, marking: Marking, found: dict[str, int]
) -> tuple[str, int, bool]:
    """The text up to about `until`, redacted; how far that is; whether a secret there goes on beyond what is known."""
    offset = len(before)
    hits = [hit for hit in finder.hits(before + text) if hit.end > offset]
    complete = until >= len(text)
    cut = len(text) if complete else _between(text, until)
    pieces: list[str] = []
    at = 0
    for kind, start, end in hits:
        start, end = max(start - offset, at), end - offset
        if start >= cut:
            break
        # It begins before the cut: it goes whole, to its end, or as far as is known.
        pieces += (text[at:start], marking.of(kind, text[start:end]))
        found[kind] = found.get(kind, 0) + 1
        at = end
        cut = max(cut, end)
    pieces.append(text[at:cut])
    return "".join(pieces), cut, not complete and at == len(text)


def _between(text: str, until: int) -> int:
    """A place for a cut: behind a line, or else a word, so that none is cut in two."""
    line = text.rfind("\n", until - REACH, until)
    if line >= 0:
        return line + 1
    for at in range(until, until - 4096, -1):
        if _SEPARATOR.match(text[at - 1]):
            return at
    return until


def _swallowed(text: str) -> str:
    """What is left of a text that begins within a secret."""
    end = _SEPARATOR.search(text)
    return "" if end is None else text[end.start() :]
