"""The rules that a line must keep even where its hash is right: those of docs/format.md, "A record".

Most lines are what the serialiser itself would write: a fast equality settles those, many at a time. Only the others
are looked at token by token.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import orjson

from jsonl_audit import instants, record
from jsonl_audit.values import MAX_DEPTH

__all__ = ["Together", "begin_right", "lawful", "types_right", "why"]

_TOKEN = re.compile(
    r'(?P<text>"(?:[^"\\\x00-\x1f]|\\["\\bfnrt]|\\u00(?:0[0-7be-f]|1[0-9a-f]))*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<mark>[\[\]{}:,])|(?P<word>true|false|null)"
)
_INTEGER = re.compile(r"-?[0-9]+")
_ENDS = re.compile(rb',"prev":"[0-9a-f]{64}","hash":"[0-9a-f]{64}"\}\Z')
_HEADS = re.compile(rb'(?:%b","id":"%b","type":")*' % (instants.INSTANT.encode(), record.UUID.pattern.encode()))
_KIND = re.compile(record.TYPE.pattern.encode() + b'",')
_FIXED = frozenset(("seq", "ts", "id", "type", "prev", "hash"))


def lawful(piece: bytes) -> bool:
    """Whether a line (without its LF) keeps every rule that concerns it alone."""
    try:
        value = orjson.loads(piece)
        if orjson.dumps(value) != piece and _slow_look(piece) is not None:
            return False
    except (ValueError, TypeError, RecursionError):
        return False
    if (
        record.HEAD.match(piece) is None
        or _ENDS.search(piece, max(0, len(piece) - 149)) is None
        or not instants.is_instant(value["ts"])
        or ("time" in value and not instants.is_instant(value["time"]))
        or len(piece) >= record.HARD_LIMIT
    ):
        return False
    # Counting brackets, those in texts too, is an upper bound of the depth.
    return piece.count(b"{") + piece.count(b"[") <= MAX_DEPTH or _depth(piece) <= MAX_DEPTH


class Together:
    """The rules for many lines at once, of each of which it is known that it begins and ends as a record does.

    What the serialiser would write is settled by writing it anew, which is cheap for many at a time. A line of which it
    cannot be settled so is left to :func:`lawful`.
    """

    __slots__ = ("_close", "_counts", "_inside", "_nested", "_open")

    def __init__(self) -> None:
        # The serialiser refuses what is nested too deep: so many lists around the values bring its limit down to the
        # format's, and no bracket need be counted.
        around = _serialiser_limit() - MAX_DEPTH
        self._counts = around < 2
        around = max(around, 2)
        self._open, self._close = b"[" * around, b"]" * around
        self._inside: list[Any] = [None]
        self._nested = self._inside
        for _ in range(around - 2):
            self._nested = [self._nested]

    def __call__(self, lines: list[bytes], at: int) -> set[str] | None:
        """The names of the members behind `type`; None if it is not sure that each line (LF included) is lawful.

        Each begins with ``{"seq":N,"ts":"``, which is `at` bytes, and ends with `prev` and `hash` in their form.
        """
        if not begin_right(lines, at):
            return None
        at += 81
        inner = [line.find(b'"', at) + 2 for line in lines]  # where the members behind `type` begin
        kinds = {line[at:begin] for line, begin in zip(lines, inner, strict=True)}
        if not _known(kinds):
            return None
        # Between those fixed parts must stand the inside of one object, without their names.
        texts = [b"{%b}" % line[begin:-150] for line, begin in zip(lines, inner, strict=True)]
        values = self._serialised(texts)
        if values is None:
            return None
        names: set[str] = set().union(*values)
        if not names.isdisjoint(_FIXED):
            return None
        if not all(values):
            for line, begin, value in zip(lines, inner, values, strict=True):
                if not value and len(line) != begin + 149:  # no members, and yet a comma
                    return None
        if "time" in names and not all(instants.is_instant(value["time"]) for value in values if "time" in value):
            return None
        return names

    def _serialised(self, texts: list[bytes]) -> list[dict[str, Any]] | None:
        """The values of objects, if each text is exactly what the serialiser writes, and none is nested too deep."""
        if self._counts and any(text.count(b"{") + text.count(b"[") > MAX_DEPTH for text in texts):
            return None
        try:
            values = list(map(orjson.loads, texts))
            self._inside[0] = values
            written = orjson.dumps(self._nested)
        except (ValueError, TypeError):
            return None
        # Each text is one object, and where an object ends can be seen from where it begins: the wholes are equal only
        # where all parts are.
        return values if written == b"".join([self._open, b",".join(texts), self._close]) else None


def begin_right(lines: list[bytes], at: int) -> bool:
    """Whether each line, from its ts at offset `at` on, has ts and id in their form, on a day that exists."""
    if _HEADS.fullmatch(b"".join([line[at : at + 81] for line in lines])) is None:
        return False
    days = {line[at : at + 10] for line in lines}
    return all(instants.is_instant(f"{day.decode()}T00:00:00.000000Z") for day in days)


def types_right(lines: list[bytes], at: int) -> bool:
    """Whether each of such lines has a type in its form."""
    at += 81
    return _known({line[at : line.find(b'"', at) + 2] for line in lines})


def _known(kinds: set[bytes]) -> bool:
    """Whether these are types with what stands behind them."""
    if not kinds <= _kinds:
        if not all(map(_KIND.fullmatch, kinds)):
            return False
        if len(_kinds) > 4096:
            _kinds.clear()
        _kinds.update(kinds)
    return True


_kinds: set[bytes] = set()


@functools.cache
def _serialiser_limit() -> int:
    """How deep values may be nested for the serialiser; 0 if that differs between lists, objects and empty ones.

    Some versions let an empty list through that is one too deep: then brackets are counted.
    """
    limits = set()
    leaves: tuple[Any, ...] = (0, [], {})
    for wrap in (lambda inner: [inner], lambda inner: {"": inner}):
        for leaf in leaves:
            value = leaf
            for depth in range(1 + (leaf != 0), 1000):
                value = wrap(value)
                try:
                    orjson.dumps(value)
                except TypeError:
                    limits.add(depth - 1)
                    break
            else:
                return 0
    return limits.pop() if len(limits) == 1 else 0


def why(piece: bytes) -> str:
    """The first rule that a line which is not lawful breaks, in words.

    >>> why(b'{"seq":1, "ts":0}')
    'white space or a wrong escape at byte 9'
    """
    try:
        slow = _slow_look(piece)
    except RecursionError:
        slow = f"nested deeper than {MAX_DEPTH}"
    if slow is not None:
        return slow
    if record.HEAD.match(piece) is None:
        return "it does not begin with seq, ts, id and type in their form"
    if _ENDS.search(piece, max(0, len(piece) - 149)) is None:
        return "it does not end with prev and hash in their form"
    value = json.loads(piece)
    if not instants.is_instant(value["ts"]):
        return f"ts {value['ts']} is no instant"
    if "time" in value and not instants.is_instant(value["time"]):
        return f"time {value['time']!r:.60} is no instant in the format's form"
    if len(piece) >= record.HARD_LIMIT:
        return f"longer than {record.HARD_LIMIT} bytes"
    if _depth(piece) > MAX_DEPTH:
        return f"nested deeper than {MAX_DEPTH}"
    return "a batch member out of place"


def _slow_look(piece: bytes) -> str | None:
    """What is wrong with the text of a line as JSON, None if nothing is."""
    try:
        text = piece.decode()
    except UnicodeDecodeError as error:
        return f"no UTF-8 at byte {error.start}"
    at = depth = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return f"white space or a wrong escape at byte {len(text[:at].encode())}"
        if token["number"] and _INTEGER.fullmatch(token["number"]) and not _fits(token["number"]):
            return f"an integer past 64 bits at byte {len(text[:at].encode())}"
        if token["number"] and abs(float(token["number"])) == float("inf"):
            return f"a number that is not finite at byte {len(text[:at].encode())}"
        if token["mark"]:
            depth += (token["mark"] in "[{") - (token["mark"] in "]}")
            if depth > MAX_DEPTH:
                return f"nested deeper than {MAX_DEPTH}"
        at = token.end()
    try:
        value = json.loads(text, object_pairs_hook=_members)
    except _TwiceError as error:
        return f"two members are named {error.args[0]!r:.60}"
    except ValueError as error:
        return f"no JSON: {error}"
    return None if isinstance(value, dict) else "no JSON object"


def _fits(digits: str) -> bool:
    """Whether an integer has 64 bits at most; Python reads none of thousands of digits."""
    return len(digits) <= 20 and -(2**63) <= int(digits) < 2**64


class _TwiceError(Exception):
    """Two members of one object share a name."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _TwiceError(name)
            seen.add(name)
    return members


def _depth(piece: bytes) -> int:
    deepest = depth = 0
    for token in _TOKEN.finditer(piece.decode()):
        if token["mark"]:
            depth += (token["mark"] in "[{") - (token["mark"] in "]}")
            deepest = max(deepest, depth)
    return deepest
