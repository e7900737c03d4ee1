"""Text of a stranger, made so that it can be shown, and sizes as people say them: nothing is obeyed, nothing hidden.

An audit log is full of words that somebody else chose. Escape sequences could repaint a screen, a line feed could
fake a record, a direction mark could turn a path round. All of these are shown, as escapes.
"""

from __future__ import annotations

import re

__all__ = ["HIDDEN", "human_size", "visible"]

# C0, DEL and C1; marks of direction; line and paragraph separators; invisible operators, byte order mark, tags;
# lone surrogates (of paths that are no UTF-8). The joiners U+200C and U+200D belong to scripts and stay.
_UNSAFE = (
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff"
)
HIDDEN = re.compile(f"[{_UNSAFE}]")
"""One character that is not shown as it is."""
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """`text` with every character that a terminal would obey, or not show, as an escape.

    >>> print(visible("one\\ntwo \\x1b[31mred \\u202eevil"))
    one\\ntwo \\x1b[31mred \\u202eevil
    """
    return text if text.isascii() and text.isprintable() else HIDDEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def human_size(size: int) -> str:
    """Bytes as people say them.

    >>> human_size(512), human_size(65536), human_size(5_000_000_000)
    ('512 B', '64.0 KiB', '4.7 GiB')
    """
    if size < 1024:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, 4)
    return f"{size / 1024**power:,.1f} {'KMGT'[power - 1]}iB"
