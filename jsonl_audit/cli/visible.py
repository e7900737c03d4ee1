"""Text that may be shown on a terminal: what a stranger put into a record must not steer it, nor hide in it.

An audit log is full of words that somebody else chose. Escape sequences could repaint a screen, a line feed could
fake a record, a direction mark could turn a path round. All of these are shown, as escapes.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

__all__ = ["compact", "cut", "human_size", "json_on_terminal", "json_text", "padded", "visible", "width"]

# C0, DEL and C1; marks of direction; line and paragraph separators; invisible operators, byte order mark, tags;
# lone surrogates (of paths that are no UTF-8). The joiners U+200C and U+200D belong to scripts and stay.
_UNSAFE = (
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff"
)
_HIDDEN = re.compile(f"[{_UNSAFE}]")
_WIDE = frozenset("WF")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """`text` with every character that a terminal would obey, or not show, as an escape.

    >>> print(visible("one\\ntwo \\x1b[31mred \\u202eevil"))
    one\\ntwo \\x1b[31mred \\u202eevil
    """
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def json_on_terminal(line: bytes) -> bytes:
    """A line of JSON that says the same and shows what a terminal would obey: only escapes are added.

    >>> json_on_terminal('{"a":"\\x9b2J"}'.encode())
    b'{"a":"\\\\u009b2J"}'
    """
    if line.isascii() and b"\x7f" not in line:
        return line
    # Control characters stand escaped in a line already, all but those from DEL on.
    return _HIDDEN.sub(_json_escape, line.decode("utf-8", "replace")).encode()


def _json_escape(found: re.Match[str]) -> str:
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


def human_size(size: int) -> str:
    """Bytes as people say them.

    >>> human_size(512), human_size(65536), human_size(5_000_000_000)
    ('512 B', '64.0 KiB', '4.7 GiB')
    """
    if size < 1024:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, 4)
    return f"{size / 1024**power:,.1f} {'KMGT'[power - 1]}iB"


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
