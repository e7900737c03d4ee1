"""Text and JSON on a terminal: what a stranger put into a record must not steer it, and columns must stand."""

from __future__ import annotations

import json
import unicodedata
from re import Match
from typing import Any

from jsonl_audit.visible import HIDDEN, human_size, visible

__all__ = ["compact", "cut", "human_size", "json_on_terminal", "json_text", "padded", "visible", "width"]

_WIDE = frozenset("WF")


def json_on_terminal(line: bytes) -> bytes:
    """A line of JSON that says the same and shows what a terminal would obey: only escapes are added.

    >>> json_on_terminal('{"a":"\\x9b2J"}'.encode())
    b'{"a":"\\\\u009b2J"}'
    """
    if line.isascii() and b"\x7f" not in line:
        return line
    # Control characters stand escaped in a line already, all but those from DEL on.
    return HIDDEN.sub(_json_escape, line.decode("utf-8", "replace")).encode()


def _json_escape(found: Match[str]) -> str:
    return found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1] if found[0] != "\x7f" else "\\u007f"


def compact(value: Any) -> str:
    """A value in one line: text as it is, all else as JSON."""
    if isinstance(value, str):
        return value
    import orjson  # not needed for messages, which come through this module too

    return orjson.dumps(value).decode()


def width(text: str) -> int:
    """How many columns of a terminal `text` takes.

    >>> width("abc"), width("日本")
    (3, 4)
    """
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or character in "\u200c\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1


def json_text(value: Any, *, indent: bool = False) -> bytes:
    """A value as JSON with an LF; names of files that are no UTF-8 take escapes.

    >>> json_text({"n": 1})
    b'{"n":1}\\n'
    """
    import orjson

    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if indent else 0))
    except TypeError:
        return json.dumps(value, indent=2 if indent else None).encode() + b"\n"


def cut(text: str, columns: int) -> str:
    """`text` in at most so many columns, with an ellipsis where something was cut off.

    >>> cut("abcdef", 4), cut("abc", 4)
    ('abc…', 'abc')
    """
    if len(text) <= columns and width(text) <= columns:
        return text
    kept, used = [], 0
    for character in text:
        used += _columns(character)
        if used >= columns:
            break
        kept.append(character)
    return "".join(kept) + "…" if columns > 0 else ""


def padded(text: str, columns: int) -> str:
    """`text`, with spaces behind it up to so many columns."""
    return text + " " * (columns - width(text))
