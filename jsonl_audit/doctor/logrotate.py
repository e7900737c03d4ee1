"""The rules of logrotate, as far as they say which files it moves or cuts: read from its configuration, never run."""

from __future__ import annotations

import fnmatch
import glob
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from jsonl_audit import storage

__all__ = ["PLACES", "Rule", "rules"]

PLACES = ("/etc/logrotate.conf", "/etc/logrotate.d")
"""Where its configuration usually lies."""
_IGNORED = (
    ".bak", ".cfsaved", ".disabled", ".dpkg-bak", ".dpkg-del", ".dpkg-dist", ".dpkg-new", ".dpkg-old", ".dpkg-tmp",
    ".rpmnew", ".rpmorig", ".rpmsave", ".swp", ".ucf-dist", ".ucf-new", ".ucf-old", ",v", "~",
)  # fmt: skip
"""Endings of names in a folder of rules that logrotate passes over by itself."""
_SCRIPTS = frozenset(("prerotate", "postrotate", "firstaction", "lastaction", "preremove"))
_DEEPEST = 8
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Rule:
    """A block of rules: for which files it is, and what is done with them."""

    file: str
    first: int
    """The line that the first of its patterns stands in."""
    opens: int
    """The line of its `{`."""
    last: int
    """The line of its `}`."""
    patterns: tuple[str, ...]
    words: frozenset[str] = field(repr=False)
    """Its directives without their values, those that hold for all blocks before it included."""
    keeps: int | None = None
    """How many old ones are kept."""

    @property
    def way(self) -> str:
        """What becomes of the file: ``copytruncate``, ``copy`` or ``rename``."""
        if "copytruncate" in self.words:
            return "copytruncate"
        return "copy" if "copy" in self.words else "rename"

    def matches(self, path: str) -> bool:
        """Whether it is for a file of this path, be it here or not."""
        return any(_fits(path, pattern) for pattern in self.patterns)

    def files(self) -> list[str]:
        """The files that it is for now, symlinks in their folders resolved."""
        found = (path for pattern in self.patterns for path in glob.glob(pattern))
        return sorted({_resolved(path) for path in found if not os.path.islink(path)})


def rules(places: tuple[str, ...] = PLACES, unread: list[str] | None = None) -> list[Rule]:
    """The rules of these files and folders, each file read once. `unread` takes what may not be read."""
    found: list[Rule] = []
    files = _Files(found, set(), [] if unread is None else unread)
    for place in places:
        files.read(place, frozenset(), None, _DEEPEST)
    return found


class _Files:
    """The files that have been read, and the rules in them."""

    def __init__(self, found: list[Rule], seen: set[str], unread: list[str]) -> None:
        self.found = found
        self._seen = seen
        self._unread = unread

    def read(
        self, place: str, words: frozenset[str], keeps: int | None, deep: int
    ) -> tuple[frozenset[str], int | None]:
        """Reads a file or a folder; what holds for all blocks behind it."""
        try:
            if storage.is_directory(place):
                for name in sorted(storage.list_directory(place)):
                    path = os.path.join(place, name)
                    if not name.endswith(_IGNORED) and storage.is_file(path):
                        words, keeps = self.read(path, words, keeps, deep)
                return words, keeps
            own = os.path.realpath(place)
            if own in self._seen or not deep:
                return words, keeps
            self._seen.add(own)
            with storage.reading(own) as fd:
                text = storage.read(fd, 0, _LONGEST).decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return words, keeps
        except OSError:
            self._unread.append(place)
            return words, keeps
        return _Reader(place, text, self, deep).read(words, keeps)


class _Reader:
    """Reads one file, line by line, as logrotate does: patterns, `{`, a directive a line, scripts passed over."""

    def __init__(self, file: str, text: str, files: _Files, deep: int) -> None:
        self._file = file
        self._lines = enumerate(text.split("\n"), 1)
        self._files = files
        self._deep = deep

    def read(self, words: frozenset[str], keeps: int | None) -> tuple[frozenset[str], int | None]:
        """Puts the blocks into the list; what the file says outside of them, which holds for what is read later."""
        patterns: list[str] = []
        first = 0
        for number, line in self._lines:
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            own, brace, rest = _cut(text)
            if not patterns and not brace and not own.startswith(("/", '"', "'", "~", "*")):
                words, keeps = self._directive(own, words, keeps)
                continue
            first = first or number
            patterns += _split(own)
            if brace:
                self._block(patterns, first, number, rest, words, keeps)
                patterns, first = [], 0
        return words, keeps

    def _block(
        self, patterns: list[str], first: int, opens: int, rest: str, words: frozenset[str], keeps: int | None
    ) -> None:
        last = opens
        for number, line in self._within(opens, rest):
            last = number
            if line == "}":
                break
            if line.split(None, 1)[0] in _SCRIPTS:
                for last, script in self._lines:  # noqa: B007 - where the script ends
                    if script.strip() == "endscript":
                        break
                continue
            words, keeps = self._directive(line, words, keeps)
        self._files.found.append(Rule(self._file, first, opens, last, tuple(patterns), words, keeps))

    def _within(self, opens: int, rest: str) -> Iterator[tuple[int, str]]:
        for number, line in [(opens, rest)]:
            yield from _parts(number, line)
        for number, line in self._lines:
            yield from _parts(number, line)

    def _directive(self, line: str, words: frozenset[str], keeps: int | None) -> tuple[frozenset[str], int | None]:
        word, _, value = line.replace("=", " ", 1).partition(" ")
        word, value = word.strip(), value.strip()
        if word == "include":
            return self._files.read(value.strip("\"'"), words, keeps, self._deep - 1)
        if word == "rotate" and value.isdigit():
            keeps = int(value)
        if word.startswith("no") and word[2:] in ("copytruncate", "copy", "create", "compress"):
            return words - {word[2:]}, keeps
        return words | {word}, keeps


def _parts(number: int, line: str) -> Iterator[tuple[int, str]]:
    """A directive, the end of the block, or both."""
    text = line.strip()
    if text.startswith("#") or not text:
        return
    if text.endswith("}"):
        if text[:-1].strip():
            yield number, text[:-1].strip()
        yield number, "}"
    else:
        yield number, text


def _cut(text: str) -> tuple[str, bool, str]:
    """What stands before the `{` that opens a block, whether there is one, and what is behind it."""
    quoted = ""
    for at, letter in enumerate(text):
        if letter in "\"'" and quoted in ("", letter):
            quoted = "" if quoted else letter
        elif letter == "{" and not quoted and (at == 0 or text[at - 1] in " \t\"'" or at == len(text) - 1):
            return text[:at].strip(), True, text[at + 1 :]
    return text, False, ""


def _split(text: str) -> list[str]:
    """The patterns of a line, each in quotes where it holds blanks.

    >>> _split('/var/log/a.log "/var/log/my app/*.jsonl"')
    ['/var/log/a.log', '/var/log/my app/*.jsonl']
    """
    try:
        found = shlex.split(text)
    except ValueError:  # a quote that is never closed
        found = text.split()
    return [os.path.expanduser(pattern) for pattern in found]


def _fits(path: str, pattern: str) -> bool:
    """Whether a pattern is for a path: `*` stands for no separator, and not for a dot that a name begins with.

    >>> _fits("/var/log/app/audit.jsonl", "/var/log/*/*.jsonl"), _fits("/var/log/app/audit.jsonl", "/var/log/*")
    (True, False)
    """
    wanted, given = _resolved(pattern).split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        fnmatch.fnmatchcase(have, want) and (not have.startswith(".") or want.startswith("."))
        for want, have in zip(wanted, given, strict=True)
    )


def _resolved(pattern: str) -> str:
    """A path or pattern with the symlinks in its plain folders resolved."""
    folder, name = os.path.split(pattern)
    while folder != os.path.dirname(folder) and glob.has_magic(folder):
        folder, above = os.path.split(folder)
        name = f"{above}/{name}"
    return os.path.join(os.path.realpath(folder), name)
