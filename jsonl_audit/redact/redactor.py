"""Redactor: what must not reach the disk, found and replaced by markers; the one thing that others see of all this."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn

import orjson
from blake3 import blake3

from jsonl_audit.redact.finder import Extra, Finder, Hit
from jsonl_audit.redact.linear import checked
from jsonl_audit.redact.markers import KIND, Marking
from jsonl_audit.redact.names import Names
from jsonl_audit.redact.paths import Function, Places
from jsonl_audit.redact.personal import PERSONAL, addresses, people, personal
from jsonl_audit.redact.places import Place, places
from jsonl_audit.redact.stream import streamed
from jsonl_audit.redact.walk import Walk

__all__ = ["Redactor", "redactor_of"]

PROFILES = ("default", "privacy")
LONG = 4096


class Redactor:
    """Finds secrets and puts markers in their place. It never changes, and threads may share it.

    A rule of the caller's that fails redacts what it was asked about, and never raises.

    :param profile: ``"default"`` for secrets; ``"privacy"`` for personal data, absolute paths, binary and long text
        too.
    :param names: further names whose values are redacted, whatever text, object or list stands there; in every case
        and separator, as whole words.
    :param paths: places whose values are redacted, numbers too: ``details.headers[*].authorization``, ``*`` for any
        name, ``**`` for any depth.
    :param patterns: further regular expressions by the kind that their marker names; a group called ``secret``, where
        there is one, is what goes. Refused is what cannot be proved to take linear time.
    :param functions: called with the path and the value of each text, number and boolean that no name has redacted;
        what they return is recorded in its place, and None redacts it.
    :param people: names of persons.
    :param ip: IP addresses go as well.
    :param key: a secret of 16 bytes or more: then equal secrets have equal markers, and can be matched.
    :param long: characters from which on a text is redacted whole; by default 4,096 in the profile privacy, else None.

    Raises ValueError for a profile, a path, a kind, a pattern or a key that makes no sense, TypeError for wrong types.

    >>> Redactor().text("curl -H 'Authorization: Bearer 1234567890abcdef'", {})
    "curl -H 'Authorization: <redacted:bearer>'"
    >>> Redactor("privacy", patterns={"badge": r"EMP-[0-9]{6}"}).text("EMP-123456 is ann@example.com", {})
    '<redacted:badge> is <redacted:email>'
    """

    __slots__ = ("_finder", "_marking", "_places", "_walk", "name", "profile")

    name: str
    """What the log says of its settings: the profile, with a digest behind it where there is more to them."""
    profile: str
    """``"default"`` or ``"privacy"``."""
    _marking: Marking
    _finder: Finder
    _places: Places
    _walk: Walk

    def __init__(
        self,
        profile: str = "default",
        *,
        names: Iterable[str] = (),
        paths: Iterable[str] = (),
        patterns: Mapping[str, str] | None = None,
        functions: Iterable[Function] = (),
        people: Iterable[str] = (),
        ip: bool = False,
        key: bytes | None = None,
        long: int | None = None,
    ) -> None:
        if profile not in PROFILES:
            raise ValueError(f"profile is {profile!r}: expected {' or '.join(map(repr, PROFILES))}")
        if key is not None and len(_typed("key", key, bytes)) < 16:
            raise ValueError(f"key has {len(key)} bytes: it takes 16 at least, that nobody can guess")
        private = profile == "privacy"
        own_names, own_paths, persons = _texts("names", names), _texts("paths", paths), _texts("people", people)
        own_patterns = dict(patterns or {})
        functions = tuple(functions)
        for function in functions:
            if not callable(function):
                raise TypeError(f"functions: {function!r} cannot be called")
        if long is not None and not 64 <= _typed("long", long, int) < 2**63:
            raise ValueError(f"long is {long}: 64 characters at least, or None")
        extra = _own_rules(own_patterns)
        extra += [personal] if private else []
        extra += [_people(persons)] if persons else []
        extra += [addresses] if ip else []
        known = Names(own_names, PERSONAL if private else None)
        marking = Marking(key)
        finder = Finder(known, extra)
        settings = [own_names, own_paths, sorted(own_patterns.items()), persons, [_named(each) for each in functions]]
        told = orjson.dumps([*settings, ip, long, marking.name.hex()])
        plain = not any(settings) and not ip and key is None and long is None
        put = object.__setattr__
        put(self, "profile", profile)
        put(self, "name", profile if plain else f"{profile}+{blake3(told).hexdigest(4)}")
        put(self, "_marking", marking)
        put(self, "_finder", finder)
        put(self, "_places", Places(own_paths, functions, marking))
        long = LONG if private and long is None else long
        put(self, "_walk", Walk(known, finder, marking, binary=private, long=long))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Redactor:
        """A redactor from what a configuration file holds: the parameters by their names; `key` in hexadecimal.

        Raises ValueError or TypeError, saying which setting is wrong.

        >>> Redactor.from_config({"profile": "privacy", "names": ["badge"], "key": "00" * 16}).profile
        'privacy'
        """
        given = dict(config)
        known = ("profile", "names", "paths", "patterns", "people", "ip", "key", "long")
        for name in given:
            if name not in known:
                raise ValueError(f"redaction has no setting {name!r}; it has {', '.join(known)}")
        if isinstance(given.get("key"), str):
            try:
                given["key"] = bytes.fromhex(given["key"])
            except ValueError:
                raise ValueError("key is no hexadecimal text; 32 digits or more") from None
        _typed("ip", given.get("ip", False), bool)
        _typed("patterns", given.get("patterns", {}), dict)
        return cls(_typed("profile", given.pop("profile", "default"), str), **given)

    def __repr__(self) -> str:
        return f"<Redactor {self.name}>"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Redactor does not change: make another one for another {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Redactor does not change: {name} stays")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Redactor holds a key and functions: it is made where it is used, not sent there")

    def event(self, event: dict[str, Any], found: dict[str, int]) -> dict[str, Any]:
        """The event without the secrets in it, its `type` left as it is; `event` itself if there are none, else a copy.

        What :meth:`value` does, at the price of one walk where nothing is found.

        :param event: dicts with texts as names, lists, texts, numbers, booleans, None.
        :param found: how many were found of each kind; counted on.

        >>> Redactor().event({"type": "t", "details": {"apiKey": "k-1", "url": "https://u:pw9@host/"}}, found := {})
        {'type': 't', 'details': {'apiKey': '<redacted:api-key>', 'url': 'https://u:<redacted:url-password>@host/'}}
        >>> found
        {'api-key': 1, 'url-password': 1}
        """
        before = found.copy() if found else None
        try:
            looked = self._looked(event, found)
        except RecursionError:
            found.clear()
            found.update(before or {})
            looked = self._shallow(event, found)
        if looked is not event and "type" in event and looked.get("type") != event["type"]:
            looked = {**looked, "type": event["type"]}
        return looked

    def _looked(self, event: dict[str, Any], found: dict[str, int]) -> dict[str, Any]:
        fresh: list[str] = []
        walk = self._walk
        made = walk.named(event, found, fresh)
        if self._places:
            made = self._places.applied(made, found)
        elif not fresh or not walk.suspects(fresh):
            return made
        looked: dict[str, Any] = walk.strings(made, lambda text: walk.once(text, found))
        return self._without_arguments(event, looked, found)

    def _without_arguments(self, event: dict[str, Any], made: dict[str, Any], found: dict[str, int]) -> dict[str, Any]:
        """Without the arguments of a message of `logging` that are gone from it: their place told what they are."""
        before, after, args = event.get("message"), made.get("message"), made.get("args")
        if type(before) is not str or type(after) is not str or before == after or args is None:
            return made
        hits = [(kind, before[start:end]) for kind, start, end in self._finder.hits(before)]

        def gone(text: str) -> str:
            if len(text) < 3 or text in after:
                return text
            for kind, secret in hits:
                if text in secret:
                    found[kind] = found.get(kind, 0) + 1
                    return self._marking.of(kind, text)
            return text

        left = self._walk.strings(args, gone)
        return made if left is args else {**made, "args": left}

    def _shallow(self, event: dict[str, Any], found: dict[str, int]) -> dict[str, Any]:
        """The event where the caller stands too deep in its own calls to look into it: what holds more goes whole."""
        found["too-deep"] = found.get("too-deep", 0) + 1
        made = {
            name: self._marking.of("too-deep", None) if isinstance(value, (dict, list, tuple)) else value
            for name, value in event.items()
        }
        return self._looked(made, found)

    def text(self, text: str, found: dict[str, int]) -> str:
        """A text without the secrets in it; itself if there are none. Where it is JSON, its names count too.

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
        made = value
        if type(value) is dict:
            made = self._walk.named(value, found, [])
        elif type(value) is list or type(value) is tuple:
            made = self._walk.listed(value, found, [], 0)
        if self._places:
            made = self._places.applied(made, found)
        made = self._strings(made, found)
        return self._without_arguments(value, made, found) if type(value) is dict else made

    def _strings(self, value: Any, found: dict[str, int]) -> Any:
        return self._walk.strings(value, lambda text: self._walk.text(text, found))

    def hits(self, value: Any) -> list[Place]:
        """What :meth:`value` would redact of a JSON value, and where: kinds and paths, never the secret itself.

        >>> Redactor().hits({"details": {"headers": [{"authorization": "Basic dTpw"}]}})
        [Place(kind='authorization', path='details.headers[0].authorization')]
        """
        return list(places(value, self.value(value, {})))

    def stream(self, chunks: Iterable[bytes], found: dict[str, int]) -> Iterator[bytes]:
        """A text in UTF-8 of any size, chunk by chunk, without the secrets in it, those across chunks too.

        Memory is flat. A text of more than 256 KiB is read as it is written, also where it is JSON.

        >>> b"".join(Redactor().stream([b"pass", b"word=hun", b"ter2"], {}))
        b'password=<redacted:password>'
        """
        return streamed(chunks, self._finder, self._marking, lambda text: self._walk.text(text, found), found)


def _typed(name: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{name} is a {type(value).__name__}: expected {kind.__name__}")
    return value


def _texts(name: str, given: Iterable[str]) -> list[str]:
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise TypeError(f"{name} is a {type(given).__name__}: expected a list of texts")
    texts = [_typed(f"one of {name}", each, str) for each in given]
    if not all(text.strip() for text in texts):
        raise ValueError(f"one of {name} is empty")
    return texts


def _own_rules(patterns: dict[str, str]) -> list[Extra]:
    rules: list[Extra] = []
    for kind, pattern in patterns.items():
        if not KIND.fullmatch(_typed("the kind of a pattern", kind, str)):
            raise ValueError(f"kind {kind!r} of a pattern: up to 40 lower-case letters, digits and '-', a letter first")
        rules.append(_rule(kind, checked(kind, _typed(f"pattern {kind!r}", pattern, str))))
    return rules


def _rule(kind: str, pattern: re.Pattern[str]) -> Extra:
    group = "secret" if "secret" in pattern.groupindex else 0

    def rule(text: str, take: Callable[[str, int, int], None]) -> None:
        for found in pattern.finditer(text):
            # Where the group took no part, all of it goes.
            start, end = found.span(group) if found.start(group) >= 0 else found.span()
            take(kind, start, end)

    return rule


def _named(function: Function) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"


_people = people  # the parameter of the same name hides it


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

