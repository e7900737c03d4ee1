"""Commands as a shell takes them: whatever stands in a path, it stays one word and shows on one line."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from jsonl_audit.segment import Names

__all__ = ["MANY", "literal", "run", "segments_of", "word"]

MANY = 50
"""More files than this are not named one by one in a command."""


def word(text: str) -> str:
    """`text` as one word of a POSIX shell, without a character that a terminal would obey or not show.

    >>> print(word("/var/log/audit.jsonl"), word("a b"), word("a\\nb"))
    /var/log/audit.jsonl 'a b' "$(printf 'a\\012b')"
    """
    if text.isprintable() or text.endswith("\n"):  # the shell would take that LF away from what printf prints
        return shlex.quote(text)
    escaped = []
    for character in text:
        if character in "%\\'" or not character.isprintable():
            escaped += [f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape")]
        else:
            escaped.append(character)
    return f"\"$(printf '{''.join(escaped)}')\"".replace("\\045", "%%")


def run(*words: str, paths: Iterable[str] = ()) -> str:
    """A command of these words, and then paths, none of which is taken for an option.

    >>> run("chmod", "go-w", paths=["/tmp/my log"])
    "chmod go-w -- '/tmp/my log'"
    """
    named = [word(path) for path in paths]
    return " ".join([*map(word, words), *(["--", *named] if named else [])])


def segments_of(names: Names) -> str:
    """The beginning of a `find` of the sealed segments of a log, to which what is done with them is added.

    >>> segments_of(Names.of("/tmp/audit.jsonl"))
    "find /tmp -maxdepth 1 -type f -name 'audit.[0-9]*T[0-9]*Z.jsonl*'"
    """
    pattern = f"{literal(names.stem)}.[0-9]*T[0-9]*Z{literal(names.extension)}*"
    return run("find", names.directory, "-maxdepth", "1", "-type", "f", "-name", pattern)


def literal(text: str) -> str:
    """`text` in a pattern of `find`, where it stands for itself.

    >>> print(literal("a[1]*"))
    a\\[1\\]\\*
    """
    return "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in text)
