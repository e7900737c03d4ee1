"""Through the values of an event: what telling names hold, and every string of it, in the slow and plain way."""

from __future__ import annotations

import base64
import datetime
import json
import numbers
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from jsonl_audit.redact.assigned import random_looking, says_nothing
from jsonl_audit.redact.encoded import suspicious
from jsonl_audit.redact.finder import Finder
from jsonl_audit.redact.markers import Marking, is_marker
from jsonl_audit.redact.names import Names

__all__ = ["MODEL", "Walk", "free_name"]

MODEL = frozenset(
    """seq ts id type category action level severity component tool actor initiator target outcome reason task session
    correlation parent time timestamp details artifacts schema user profile clock batch prev hash deviceId device_id
    connectionId connection_id agentId agent_id userId user_id profileId profile_id taskId task_id sessionId session_id
    correlationId correlation_id parentId parent_id""".split()
)
"""The model's own members of an event: at the top level no name of the user's means them."""

DEEP = 200
"""How deep values are looked through; a record is nested 128 deep at most. What lies deeper is redacted whole."""

MANY, SHORT = 8192, 512
"""So many texts in which nothing was found are known at once, none of them with more characters than that."""

NESTED = 8
"""How many times JSON in a string of JSON is read; a text that goes on is redacted whole."""

_INSIDE = frozenset((dict, list, tuple))
_NEVER = (numbers.Number, datetime.date, datetime.time, datetime.timedelta, type(None))
_SHELLS = frozenset(("PWD", "OLDPWD"))
"""Variables that hold a directory."""
_PAIR = frozenset(
    ("value", "Value", "val", "old", "new", "old_value", "new_value", "oldValue", "newValue", "previous")
)
_PAIRED_WITH = (
    "name", "key", "header", "Name", "Key", "setting", "field", "parameter", "param", "property", "option", "variable",
)  # fmt: skip
_OPEN = "credential"
_PAIRED = ("authorization", "cookie", "api-key")
"""Names of headers, which stand in a list with their values."""
Found = dict[str, int]


def free_name(name: str, taken: dict[str, Any]) -> str:
    """A name that is free in `taken`: with ``~2``, ``~3`` … behind it where it is not.

    >>> free_name("a", {"a": 1, "a~2": 2})
    'a~3'
    """
    free, twin = name, 2
    while free in taken:
        free, twin = f"{name}~{twin}", twin + 1
    return free


class Walk:
    """What one redactor does with values: by name first, then string by string."""

    __slots__ = ("_binary", "_clean", "_finder", "_innocent", "_long", "_marking", "_names", "_telling_only")

    def __init__(
        self, names: Names, finder: Finder, marking: Marking, *, binary: bool = False, long: int | None = None
    ) -> None:
        self._binary = binary
        self._long = long
        self._names = names
        self._finder = finder
        self._marking = marking
        self._clean: set[str] = set()
        """Names that tell nothing and hold nothing: an event that has only such is done with one question."""
        self._telling_only: set[str] = set()
        """Names that tell something, and hold nothing themselves."""
        self._innocent: set[str] = set()
        """Texts in which nothing was found: most of an event's were in one before it."""

    @property
    def every(self) -> bool:
        """Whether every string is to be looked at: there are rules beyond the built-in ones."""
        return bool(self._finder.extra) or self._long is not None

    # -- by name

    def named(self, members: dict[str, Any], found: Found, fresh: list[str], depth: int = 0) -> dict[str, Any]:
        """The members without what telling names hold: the same object if they hold nothing, else a copy.

        `fresh` takes the texts on the way that nobody has looked at yet.
        """
        if len(members) == 1 and type(members.get("$bytes")) is str:
            made = self._bytes(members, found)
            fresh += made.values()
            return made
        result = members
        if not self._clean.issuperset(members):
            result = self._telling(members, found, top=depth == 0)
        innocent = self._innocent
        for name, value in result.items():
            kind = type(value)
            if kind is str:
                if value not in innocent:
                    fresh.append(value)
                continue
            if kind is not dict and kind is not list and kind is not tuple:
                continue
            if depth >= DEEP:
                inside: Any = self._marked("too-deep", value, found) if value else value
            elif kind is dict:
                inside = self.named(value, found, fresh, depth + 1)
            else:
                inside = self.listed(value, found, fresh, depth + 1)
            if inside is not value:
                if result is members:
                    result = members.copy()
                result[name] = inside  # the name is there already: the iteration goes on over as many
        return result

    def listed(self, items: Any, found: Found, fresh: list[str], depth: int) -> Any:
        """The same for the items of a list: a pair of name and value and a flag with its value count as names too."""
        result = items
        flag: str | None = None
        number = -1
        for item in items:
            number += 1
            kind = type(item)
            if kind is str:
                if item not in self._innocent:
                    fresh.append(item)
                if flag is not None:
                    made: Any = item if item[:1] == "-" else self._under(flag, item, found)
                    flag = None
                else:
                    flag = self._flag(item, number, items)
                    continue
            elif kind is dict or kind is list or kind is tuple:
                if depth >= DEEP:
                    made = self._marked("too-deep", item, found) if item else item
                elif kind is dict and len(item) == 1 and (word := _word(item)) is not None:
                    made = self.named(item, found, fresh) if flag is None else self._under(flag, item, found)
                    flag = self._flag(word, number, items) if flag is None and made is item else None
                elif kind is dict:
                    made = self.named(item, found, fresh, depth + 1)
                else:
                    made = self.listed(item, found, fresh, depth + 1)
            else:
                flag = None
                continue
            if made is not item:
                if result is items:
                    result = list(items)
                result[number] = made
        return result

    def _flag(self, word: str, number: int, items: Any) -> str | None:
        """What kind of secret the next item is, by the word before it: an option, or the name of a header."""
        if len(word) >= 64 or not word:
            return None
        if word[0] == "-":
            return None if "=" in word else self._names.kind(word)
        if number == 0 and len(items) == 2:
            kind = self._names.kind(word)
            other = items[1] if type(items[1]) is str else _word(items[1])
            if kind in _PAIRED and other is not None and self._names.kind(other) is None:  # else a list of names
                return kind
        return None

    def _telling(self, members: dict[str, Any], found: Found, *, top: bool) -> dict[str, Any]:
        """The members with each telling name's value redacted, and each name that holds a secret itself."""
        clean = self._clean
        changed: dict[str, Any] = {}
        renamed = False
        for name, value in members.items():
            if name in clean:
                continue
            if type(name) is not str:
                continue
            kind = self._names.kind(name)
            if name not in self._telling_only and self._finder.hits(name):
                renamed = True
                # What is left of it may tell what the whole did not: then it tells it now, not the second time.
                kind = kind or self._names.kind(self._finder.redacted(name, self._marking, {}))
            elif name in _PAIR:
                kind = self._of_pair(members)
            elif len(name) <= 128:
                known = clean if kind is None else self._telling_only
                if len(known) >= 4096:
                    known.clear()
                known.add(name)
            if kind is not None and not (top and kind == "named" and name in MODEL):
                if name in _SHELLS and type(value) is str and value[:1] in ("/", "~"):
                    continue
                made = self._under(kind, value, found)
                if made is not value:
                    changed[name] = made
        if not changed and not renamed:
            return members
        if not renamed:
            return {**members, **changed}
        result: dict[str, Any] = {}
        taken = dict.fromkeys(members)
        for name, value in members.items():
            told = self._finder.redacted(name, self._marking, found) if type(name) is str else name
            if told != name:
                told = free_name(told, taken)
                taken[told] = None
            result[told] = changed.get(name, value)
        return result

    def _bytes(self, members: dict[str, Any], found: Found) -> dict[str, Any]:
        """The form of bytes, with a marker in the place of what they were: all of them, if a secret is among them."""
        told = members["$bytes"]
        if is_marker(told):
            return members
        if self._binary:
            return {"$bytes": self._marked("binary", told, found)}
        text = _word(members)
        hits = self._finder.hits(text) if text else None
        return {"$bytes": self._marked(hits[0].kind, told, found)} if hits else members

    def _of_pair(self, members: dict[str, Any]) -> str | None:
        """The kind of a `value` that stands beside its `name`."""
        for name in _PAIRED_WITH:
            told = members.get(name)
            if type(told) is str and len(told) <= 128:
                return self._names.kind(told)
        return None

    def _under(self, kind: str, value: Any, found: Found) -> Any:
        """What is left of a value under a name of that kind."""
        if isinstance(value, str):
            told = str.__str__(value)
            if is_marker(told) or says_nothing(told):
                return value
            if kind[-1] == "?":
                return self._marked("high-entropy", told, found) if random_looking(told) else value
            return self._marked(kind, told, found)
        if isinstance(value, _NEVER) or kind[-1] == "?":
            return value
        if isinstance(value, (dict, list, tuple, set, frozenset)):
            if not value or (type(value) is dict and len(value) == 1 and ("$int" in value or "$float" in value)):
                return value
            if kind == _OPEN and any(type(one) is dict for one in ((value,) if type(value) is dict else value)):
                return value
        return self._marked(kind, value, found)

    def _marked(self, kind: str, secret: Any, found: Found) -> str:
        found[kind] = found.get(kind, 0) + 1
        return self._marking.of(kind, secret)

    # -- string by string

    def suspects(self, fresh: list[str]) -> bool:
        """Whether any of the texts may hold something; if not, they need not be looked at again."""
        if not self.every:
            try:
                encoded = orjson.dumps(fresh)
            except TypeError:  # lone surrogates: looked through one by one
                return True
            if not suspicious(encoded):
                self._remember(fresh, short=len(encoded) <= SHORT)
                return False
        return True

    def once(self, text: str, found: Found) -> str:
        """One text, as :meth:`text` does it, unless it is known that there is nothing in it."""
        if text in self._innocent:
            return text
        made = self.text(text, found)
        if made == text:
            self._remember((text,))
        return made

    def _remember(self, texts: Iterable[str], *, short: bool = False) -> None:
        """Keeps texts in mind that are known to hold nothing; `short` says that all of them are."""
        innocent = self._innocent
        if len(innocent) >= MANY:
            innocent.clear()
        innocent.update(texts if short else [text for text in texts if len(text) <= SHORT])

    def text(self, text: str, found: Found, nested: int = 0) -> str:
        """One text: as what it says, if it is JSON, else as it is written."""
        if self._long is not None and len(text) > self._long:
            found["text"] = found.get("text", 0) + 1
            return self._marking.of(f"text-{len(text)}", text)
        if '"' in text and text.lstrip(" \t\r\n")[:1] in ("{", "["):
            try:
                value = json.loads(text, object_pairs_hook=_once)
            except (ValueError, RecursionError):
                value = None
            if value is not None and nested >= NESTED:
                return self._marked("too-deep", text, found)
            if value is not None and not _deeper(value, 100):
                own: Found = {}
                made = self._whole(value, own, nested + 1)
                if made is not value:
                    for kind, number in own.items():
                        found[kind] = found.get(kind, 0) + number
                    return _json(made)
                return text
        return self._finder.redacted(text, self._marking, found)

    def _whole(self, value: Any, found: Found, nested: int) -> Any:
        named: Any = value
        if type(value) is dict:
            named = self.named(value, found, [], 1)
        elif type(value) is list:
            named = self.listed(value, found, [], 1)
        return self.strings(named, lambda text: self.text(text, found, nested))

    def strings(self, value: Any, change: Callable[[str], str], depth: int = 0) -> Any:
        """The value with every text in it changed, those of bytes included; the same object if none was."""
        kind = type(value)
        if kind is str:
            return change(value)
        if kind is dict:
            result = value
            for name, inside in value.items():
                made = self.strings(inside, change, depth + 1)
                if made is not inside and made != inside:
                    result = value.copy() if result is value else result
                    result[name] = made
            return result
        if kind is list or kind is tuple:
            result = value
            for number, inside in enumerate(value):
                made = self.strings(inside, change, depth + 1)
                if made is not inside and made != inside:
                    result = list(value) if result is value else result
                    result[number] = made
            return result
        return value


def _json(value: Any) -> str:
    """The JSON text of a value, as short as it can be; what UTF-8 cannot hold stays escaped, as it came."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, separators=(",", ":"))
    return text


def _word(item: Any) -> str | None:
    """What bytes say, in the form that a record has for them; None for anything else."""
    told = item.get("$bytes") if type(item) is dict else None
    if type(told) is not str:
        return None
    try:
        return base64.b64decode(told).decode("utf-8", "replace")
    except ValueError:  # an object of the caller's that looks like it
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice: read as it is written")
    return members


def _deeper(value: Any, most: int) -> bool:
    """Whether dicts and lists are nested deeper than that."""
    level: list[Any] = [value]
    for _ in range(most + 1):
        level = [
            item
            for held in level
            for item in (held.values() if type(held) is dict else held)
            if type(item) in _INSIDE
        ] if level else []
        if not level:
            return False
    return True
