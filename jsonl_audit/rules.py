"""The rules that a line must keep even where its hash is right: those of docs/reference/format.md, "A record".

Most lines are what the serialiser itself would write: a fast equality settles those. Only the others are looked at
token by token.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from jsonl_audit import instants, record
from jsonl_audit.values import MAX_DEPTH

__all__ = ["lawful", "why"]

_TOKEN = re.compile(
    r'(?P<text>"(?:[^"\\\x00-\x1f]|\\["\\bfnrt]|\\u00(?:0[0-7be-f]|1[0-9a-f]))*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<mark>[\[\]{}:,])|(?P<word>true|false|null)"
)
_INTEGER = re.compile(r"-?[0-9]+")


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
        or not instants.is_instant(value["ts"])
        or ("time" in value and not instants.is_instant(value["time"]))
        or len(piece) >= record.HARD_LIMIT
    ):
        return False
    # Counting brackets, those in texts too, is an upper bound of the depth.
    return piece.count(b"{") + piece.count(b"[") <= MAX_DEPTH or _depth(piece) <= MAX_DEPTH


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
        if token["number"] and _INTEGER.fullmatch(token["number"]) and not -(2**63) <= int(token["number"]) < 2**64:
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
