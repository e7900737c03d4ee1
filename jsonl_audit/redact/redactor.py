"""Redactor: what must not reach the disk, found and replaced by markers; the one thing that others see of all this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import orjson

from jsonl_audit.redact.encoded import KeyFoundError, in_strings
from jsonl_audit.redact.finder import Finder, Hit
from jsonl_audit.redact.markers import Marking
from jsonl_audit.redact.names import Names
from jsonl_audit.redact.walk import Walk

__all__ = ["Redactor", "redactor_of"]

PROFILES = ("default", "privacy")


class Redactor:
    """Finds secrets and puts markers in their place. Frozen, and safe to share among threads.

    :param profile: ``"default"`` for secrets; ``"privacy"`` for personal data, paths, binary and long text too.
    :param names: further names whose values are redacted, whatever stands there; in every case and separator.
    :param key: a secret of 16 bytes or more: then equal secrets have equal markers, and can be matched.

    >>> Redactor().text("curl -H 'Authorization: Bearer 1234567890abcdef'", {})
    "curl -H 'Authorization: <redacted:bearer>'"
    """

    __slots__ = ("_finder", "_marking", "_walk", "name", "profile")

    name: str
    """What the log says of its settings: the profile, or its name and a digest where there is more to it."""
    profile: str
    _marking: Marking
    _finder: Finder
    _walk: Walk

    def __init__(self, profile: str = "default", *, names: Iterable[str] = (), key: bytes | None = None) -> None:
        put = object.__setattr__
        if profile not in PROFILES:
            raise ValueError(f"profile {profile!r} is not known: {', '.join(PROFILES)}")
        if key is not None and len(key) < 16:
            raise ValueError("key is a secret of 16 bytes or more, or None")
        own = Names(names)
        put(self, "profile", profile)
        put(self, "name", profile)
        put(self, "_marking", Marking(key))
        put(self, "_finder", Finder(own))
        put(self, "_walk", Walk(own, self._finder, self._marking))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Redactor does not change: make another one ({name})")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def names(self, event: dict[str, Any], found: dict[str, int]) -> dict[str, Any]:
        """The event without what telling names hold; `event` itself if they hold nothing, else a copy.

        :param found: how many were found of each kind; counted on.

        >>> Redactor().names({"type": "t", "details": {"apiKey": "k-1"}}, found := {}), found
        ({'type': 't', 'details': {'apiKey': '<redacted:api-key>'}}, {'api-key': 1})
        """
        return self._walk.named(event, found)

    def patterns(self, members: bytes, found: dict[str, int]) -> bytes:
        """Compact JSON text, members of an object, without what tells itself in any string of it; the same object if
        nothing was found.

        >>> Redactor().patterns(b',"url":"https://u:secret@host/"', {})
        b',"url":"https://u:<redacted:url-password>@host/"'
        """
        own: dict[str, int] = {}
        try:
            made = in_strings(members, lambda text: self._walk.text(text, own))
        except KeyFoundError:
            own = {}
            comma = members.startswith(b",")
            value = self.value(orjson.loads(b"{%b}" % members[comma:]), own)
            made = (b"," if comma else b"") + orjson.dumps(value)[1:-1]
        for kind, number in own.items():
            found[kind] = found.get(kind, 0) + number
        return made

    def text(self, text: str, found: dict[str, int]) -> str:
        """A text without the secrets in it.

        >>> Redactor().text("password=hunter2", found := {}), found
        ('password=<redacted:password>', {'password': 1})
        """
        return self._walk.text(text, found)

    def find(self, text: str) -> list[Hit]:
        """Where secrets stand in a text, by the rules that :meth:`text` goes by where the text is not JSON.

        >>> Redactor().find("password=hunter2")
        [Hit(kind='password', start=9, end=16)]
        """
        return self._finder.hits(text)

    def value(self, value: Any, found: dict[str, int]) -> Any:
        """Any JSON value without the secrets in it; itself if there are none.

        >>> Redactor().value([{"token": "t-1"}, "password=x1"], {})
        [{'token': '<redacted:token>'}, 'password=<redacted:password>']
        """
        named = value
        if type(value) is dict:
            named = self._walk.named(value, found)
        elif type(value) is list or type(value) is tuple:
            named = self._walk.listed(value, found, 0)
        return self._walk.strings(named, lambda text: self._walk.text(text, found))

    def stream(self, chunks: Iterable[bytes], found: dict[str, int]) -> Iterator[bytes]:
        """The chunks of a text in UTF-8, redacted."""
        yield self.text(b"".join(chunks).decode("utf-8", "surrogateescape"), found).encode("utf-8", "surrogateescape")


_made: dict[str, Redactor] = {}


def redactor_of(given: Redactor | str | None) -> Redactor | None:
    """The redactor that a setting means; None for none.

    >>> redactor_of("default").name, redactor_of("off"), redactor_of(None)
    ('default', None, None)
    """
    if given is None or given == "off":
        return None
    if isinstance(given, Redactor):
        return given
    if given not in PROFILES:
        raise ValueError(f"redact is {given!r}: expected 'default', 'privacy', 'off', None or a Redactor")
    made = _made.get(given)
    if made is None:
        made = _made[given] = Redactor(given)
    return made

