"""References: how a record names what is too large for it, and how they are found in lines without a parser. Pure.

::

    {"artifact":"<64 hex>","bytes":1048576,"media_type":"text/plain","name":"build.log"}

An object whose first two members are `artifact` and `bytes`, in this form, is a reference, wherever it stands in an
event. A text can hold no such bytes, since its quotes are escaped: so a search over raw bytes finds all, and no others.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from jsonl_audit.errors import QueryError

__all__ = ["BEGINS", "Seeker", "found_in", "hash_of", "is_one", "make"]

BEGINS = b'{"artifact":"'
"""How each begins: what does not hold this holds none."""
_FORM = re.compile(rb'\{"artifact":"([0-9a-f]{64})","bytes":(?:0|[1-9][0-9]{0,18})[,}]')
_HASH = re.compile("[0-9a-f]{64}")
_LONGEST_NAME = 255


def make(
    own: str, size: int, media_type: str, *, name: str | None = None, redacted: dict[str, int] | None = None
) -> dict[str, Any]:
    """The reference to content with the BLAKE3 `own` (hex) and `size` bytes.

    >>> make("0" * 64, 3, "text/plain", name="a.txt")["name"]
    'a.txt'
    """
    made: dict[str, Any] = {"artifact": own, "bytes": size, "media_type": media_type}
    if name is not None:
        made["name"] = name.encode("utf-8", "backslashreplace").decode()[:_LONGEST_NAME]
    if redacted:
        made["redacted"] = dict(sorted(redacted.items()))
    return made


def hash_of(reference: Any) -> str:
    """The hash that a reference, or a hash itself, names. Raises QueryError for anything else.

    >>> hash_of({"artifact": "0" * 64, "bytes": 3}) == hash_of("0" * 64)
    True
    """
    own = reference.get("artifact") if isinstance(reference, dict) else reference
    if not isinstance(own, str) or _HASH.fullmatch(own) is None:
        shown = repr(own) if isinstance(own, str) else f"a {type(own).__name__}"
        raise QueryError(
            f"{shown[:100]} names no artifact: give a reference as it stands in a record, or its 64 hexadecimal digits"
        )
    return own


def found_in(text: bytes) -> Iterator[tuple[str, int]]:
    """The hash of each reference in lines, or in one, and where it begins.

    >>> list(found_in(b'{"seq":1,"details":{"artifact":"' + b"0" * 64 + b'","bytes":3}}'))[0][1]
    19
    """
    at = text.find(BEGINS)
    while at >= 0:
        found = _FORM.match(text, at)
        if found is not None:
            yield found[1].decode(), at
        at = text.find(BEGINS, at + len(BEGINS))


def is_one(value: Any) -> bool:
    """Whether a JSON value is a reference: its first two members are `artifact` and `bytes`, in their form."""
    if not isinstance(value, dict) or len(value) < 2:
        return False
    (first, own), (second, size) = itertools.islice(value.items(), 2)
    return (
        (first, second) == ("artifact", "bytes")
        and isinstance(own, str)
        and _HASH.fullmatch(own) is not None
        and type(size) is int
        and 0 <= size < 10**19
    )


def renamed(value: Any, unknown: set[str]) -> Any:
    """A JSON value in which the references to `unknown` hashes are none any more, visibly.

    >>> renamed([{"artifact": "0" * 64, "bytes": 1}], {"0" * 64})[0]["bytes"]
    1
    """
    if isinstance(value, list):
        return [renamed(item, unknown) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: renamed(item, unknown) for name, item in value.items()}
    if is_one(value) and value["artifact"] in unknown:
        name, twin = "unknown_artifact", 2
        while name in value:
            name, twin = f"unknown_artifact~{twin}", twin + 1
        made = {name: made.pop("artifact"), **made}
    return made


class Seeker:
    """Whether any reference begins in bytes that come window by window.

    >>> seeker = Seeker()
    >>> seeker.feed(b'[{"arti'), seeker.feed(b'fact":"0'), seeker.feed(b"1")
    (False, True, True)
    """

    __slots__ = ("_end", "found")

    def __init__(self) -> None:
        self.found = False
        self._end = b""

    def feed(self, data: bytes) -> bool:
        """Takes the next window; whether one was found by now."""
        if not self.found:
            reach = len(BEGINS) - 1
            self.found = BEGINS in data or BEGINS in self._end + data[:reach]
            self._end = (self._end + data)[-reach:] if len(data) < reach else data[-reach:]
        return self.found
