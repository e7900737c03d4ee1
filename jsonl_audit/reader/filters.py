"""Which records fit: the filters of `query`, `tail` and `follow`, made ready to be asked about one line at a time.

A line is asked cheap things first: its type and ts by position, then for bytes that it must hold, and only then is
it parsed. The same bytes, its needles, let whole windows be passed over unread (:mod:`jsonl_audit.reader.search`);
that is sound because the format gives each text exactly one spelling.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, TypedDict

import orjson

from jsonl_audit import instants, record, values
from jsonl_audit.errors import QueryError
from jsonl_audit.forms import shown
from jsonl_audit.reader import dates, fields

__all__ = ["Filters", "NotARecordError", "Selection"]

When = str | int | float | date
_INSTANT = re.compile(instants.INSTANT.encode())
_TIME = b',"time":"'
_TAIL = len(',"prev":"","hash":""}') + 2 * 64
"""Length of the end of a line, its LF not counted."""


class Filters(TypedDict, total=False):
    """The filters that `query`, `tail` and `follow` share. All that are given must fit; of several values of one, any.

    None is no filter. What is not a text is compared as a line would hold it: a UUID as its text, a datetime as ISO.
    """

    type: str | Iterable[str] | None
    """The record's type; ``*``, ``?`` and ``[…]`` as in file names, case counts: ``auth.*``."""
    actor: Any
    """Any identifier of the actor: id, name, user, device, connection, agent."""
    user: Any
    profile: Any
    outcome: Any
    level: Any
    """Also ``severity``. ``warn`` and ``warning`` are one; lower case, upper case and capitalised are one."""
    task: Any
    session: Any
    correlation: Any
    component: Any
    tool: Any
    since: When | None
    """Effective time (`time`, else `ts`) at or after it."""
    until: When | None
    """Effective time before it; a date without a time of day includes that day."""
    where: Mapping[str, Any] | None
    """Values at dotted paths: ``{"details.tool": "bash"}``; a list means any of its items, a callable is asked."""
    text: str | Iterable[str] | None
    """A text anywhere in the record, its prev and hash excepted, as typed or as JSON escapes it. Case counts."""
    control: bool
    """Also the engine's own ``audit.*`` records. A `type` that begins with ``audit.`` needs no such word."""


class NotARecordError(Exception):
    """The line is damage."""


class Selection:
    """All filters of one call.

    ``needles`` are sets of byte strings: a line that fits holds at least one of each set. ``since`` and ``until`` are
    instants in the form on disk, as bytes, or None. ``after`` is the seq that a record must exceed.

    Raises QueryError for values that make no sense, TypeError for a filter that does not exist.
    """

    def __init__(self, filters: Mapping[str, Any], *, after: int = 0) -> None:
        unknown = sorted(set(filters) - _KNOWN)
        if unknown:
            raise TypeError(f"there is no filter {unknown[0]!r}{_near(unknown[0])}")
        given = {name: value for name, value in filters.items() if value is not None}
        self.after = after
        self.needles: list[tuple[bytes, ...]] = []
        self._control = bool(given.get("control", False))
        self._types = _types(_alternatives("type", given["type"])) if "type" in given else None
        self._kinds: dict[bytes, bool] = {}
        self._tests: list[Callable[[dict[str, Any]], bool]] = []
        self._texts: tuple[bytes, ...] = ()
        if self._types:
            self._add_needles([_needle_of_type(pattern) for pattern, _ in self._types])
        for name in fields.NAMES:
            if name in given:
                self._add_field(name, _recorded(name, given[name]))
        where = given.get("where", {})
        if not isinstance(where, Mapping):
            raise QueryError(f"where is a mapping of dotted paths to values, not {shown(where):.60}", actual=where)
        for path, wanted in where.items():
            if not isinstance(path, str) or not path:
                raise QueryError(f"where: {shown(path):.60} is no dotted path, such as 'details.tool'", actual=path)
            self._add_path(path, wanted)
        if "text" in given:
            self._add_text(_alternatives("text", given["text"]))
        self.since, self.until = _instant("since", given), _instant("until", given)
        if self.since and self.until and self.since > self.until:
            raise QueryError(
                f"since ({self.since.decode()}) lies behind until ({self.until.decode()}): no time is in between"
            )

    def match(self, piece: bytes) -> dict[str, Any] | None:
        """The record that a line (without its LF) is, None if it does not fit. Raises NotARecordError for damage."""
        head = record.HEAD.match(piece)
        if head is None or piece[-149:-140] != b',"prev":"' or piece[-76:-66] != b'","hash":"':
            raise NotARecordError
        seq, ts, _, kind = head.groups()
        fits = self._kinds.get(kind)
        if fits is None:
            fits = self._fits_type(kind)
        if not fits or (self.after and int(seq) <= self.after):
            return None
        found: Any = None
        if self.since is not None or self.until is not None:
            own = ts
            if _TIME in piece:
                at = head.end() + len(_TIME) - 1
                if piece.startswith(_TIME, at - len(_TIME)) and _INSTANT.match(piece, at):
                    own = piece[at : at + 27]  # where a writer puts it; names are unique, so it is the one
                else:
                    found = _parsed(piece)
                    if instants.is_instant(found.get("time")):
                        own = found["time"].encode()
            if (self.since is not None and own < self.since) or (self.until is not None and own >= self.until):
                return None
        for needles in self.needles:
            if not any(needle in piece for needle in needles):
                return None
        if self._texts and not any(piece.find(text, 0, len(piece) - _TAIL) >= 0 for text in self._texts):
            return None
        if found is None:
            found = _parsed(piece)
        for test in self._tests:
            if not test(found):
                return None
        return found  # type: ignore[no-any-return]

    def _fits_type(self, kind: bytes) -> bool:
        name = kind.decode()
        fitting = [pattern for pattern, fit in self._types or () if fit(name)]
        fits = self._types is None or bool(fitting)
        if name.startswith("audit.") and not self._control:
            fits = any(pattern.startswith("audit.") for pattern in fitting)
        if len(self._kinds) < 4096:
            self._kinds[kind] = fits
        return fits

    def _add_needles(self, needles: list[bytes | None]) -> None:
        """One set of alternatives; if one of them has no needle, nothing can be passed over by it."""
        sure = tuple(dict.fromkeys(needle for needle in needles if needle is not None))
        if None not in needles:
            self.needles.append(sure)

    def _add_field(self, name: str, wanted: list[Any]) -> None:
        if name == "level":
            wanted = [spelling for value in wanted for spelling in _levels(value)]
        is_one = _one_of(wanted)
        self._tests.append(lambda found: any(map(is_one, fields.values_of(name, found))))
        self._add_needles([_needle_of(value) for value in wanted])

    def _add_path(self, path: str, wanted: Any) -> None:
        if callable(wanted) and not isinstance(wanted, type):
            self._tests.append(lambda found: any(map(wanted, fields.at_path(found, path))))
            return
        alternatives = _recorded(f"where {path}", wanted)
        is_one = _one_of(alternatives)
        self._tests.append(lambda found: any(map(is_one, fields.at_path(found, path))))
        self._add_needles([_needle_of(value) for value in alternatives])

    def _add_text(self, wanted: list[Any]) -> None:
        texts = []
        for text in wanted:
            if not isinstance(text, str):
                raise QueryError(f"text is a text, not {shown(text):.60}", actual=text)
            texts += [text.encode("utf-8", "surrogatepass"), _escaped(text)]
        self._texts = tuple(dict.fromkeys(texts))
        self._add_needles([text or None for text in self._texts])


_KNOWN = frozenset(Filters.__annotations__)


def _parsed(piece: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(piece)
    except ValueError:
        raise NotARecordError from None
    if type(found) is not dict:
        raise NotARecordError
    return found


def _near(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, _KNOWN, 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(_KNOWN))}"


def _instant(name: str, given: dict[str, Any]) -> bytes | None:
    if name not in given:
        return None
    try:
        return dates.instant(given[name], end=name == "until").encode()
    except QueryError as error:
        error.message = f"{name}: {error.message}"
        raise


def _alternatives(name: str, value: Any) -> list[Any]:
    """The values of which one must fit."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        return [value]
    several = list(value)
    if not several:
        raise QueryError(f"{name}: no value is given; leave the filter out, or give one")
    return several


def _recorded(name: str, value: Any) -> list[Any]:
    """The values of which one must fit, each as a line would hold it."""
    return [values.plain({"": each})[""] for each in _alternatives(name, value)]


def _types(patterns: list[Any]) -> list[tuple[str, Callable[[str], Any]]]:
    for pattern in patterns:
        if not isinstance(pattern, str) or not pattern:
            raise QueryError(f"type is a name or a pattern such as 'auth.*', not {shown(pattern):.60}", actual=pattern)
    return [(pattern, re.compile(fnmatch.translate(pattern)).match) for pattern in patterns]


def _needle_of_type(pattern: str) -> bytes | None:
    literal = re.match(r"[^*?\[]*", pattern)
    prefix = literal[0] if literal else ""
    if prefix == pattern:
        return b'"type":"' + pattern.encode("utf-8", "surrogatepass") + b'"'
    if prefix:
        return b'"type":"' + prefix.encode("utf-8", "surrogatepass")
    suffix = re.search(r"[^*?\[\]]*\Z", pattern)
    return suffix[0].encode("utf-8", "surrogatepass") + b'",' if suffix and suffix[0] else None


def _needle_of(value: Any) -> bytes | None:
    return orjson.dumps(value) if isinstance(value, str) else None


def _escaped(text: str) -> bytes:
    """A text as JSON writes it, without its quotes."""
    try:
        return orjson.dumps(text)[1:-1]
    except TypeError:  # lone surrogates, which no line holds
        return text.encode("utf-8", "surrogatepass")


def _levels(value: Any) -> list[Any]:
    if not isinstance(value, str):
        return [value]
    low = value.lower()
    names = ["warn", "warning"] if low in ("warn", "warning") else [low]
    return [spelling for name in names for spelling in (name, name.upper(), name.capitalize())]


def _one_of(wanted: list[Any]) -> Callable[[Any], bool]:
    """Whether a value is one of those. Numbers are equal by value, but True is not 1."""
    texts = frozenset(value for value in wanted if isinstance(value, str))
    others = [value for value in wanted if not isinstance(value, str)]

    def is_one(value: Any) -> bool:
        if type(value) is str:
            return value in texts
        return any(value == other and (type(value) is bool) == (type(other) is bool) for other in others)

    return is_one
