"""What stands where a secret stood: a marker that says its kind, and with a key, which secret it was."""

from __future__ import annotations

import re
from typing import Any

import orjson
from blake3 import blake3

__all__ = ["ALL_MARKERS", "KIND", "MARKER", "Marking", "is_marker"]

KIND = re.compile(r"[a-z][a-z0-9-]{0,39}")
"""What a kind is called."""
MARKER = re.compile(r"<redacted:[a-z][a-z0-9-]{0,39}(?::[0-9a-f]{16})?>|<path>")
"""A marker, wherever it stands in a text."""
ALL_MARKERS = re.compile(rf"(?:{MARKER.pattern})+")

_PURPOSE = "jsonl_audit 2026 redaction markers"


def is_marker(text: str) -> bool:
    """Whether a text is a marker, or several, and nothing else.

    >>> is_marker("<redacted:password>"), is_marker("<redacted:hunter 2>")
    (True, False)
    """
    return text.startswith("<") and ALL_MARKERS.fullmatch(text) is not None


class Marking:
    """Makes markers; with a key, equal secrets get equal markers, and nobody without the key can try guesses."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes | None) -> None:
        self._key = None if key is None else blake3(key, derive_key_context=_PURPOSE).digest()

    @property
    def name(self) -> bytes:
        """What tells this marking from others, without giving the key away."""
        return b"" if self._key is None else blake3(b"name", key=self._key).digest()

    def of(self, kind: str, secret: Any) -> str:
        """The marker for a secret: a text, or any value that JSON can hold.

        >>> Marking(None).of("password", "hunter2")
        '<redacted:password>'
        >>> len(Marking(b"0123456789abcdef").of("password", {"old": "a", "new": "b"}))
        36
        """
        if kind == "path":
            return "<path>"
        if self._key is None:
            return f"<redacted:{kind}>"
        try:
            if type(secret) is str:
                told = secret.encode("utf-8", "surrogatepass")
            else:
                told = orjson.dumps(secret, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        except Exception:  # noqa: BLE001 - nothing that JSON holds: it is redacted all the same, and matches nothing
            return f"<redacted:{kind}>"
        return f"<redacted:{kind}:{blake3(told, key=self._key).hexdigest(8)}>"
