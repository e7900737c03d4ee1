"""A line: how an event becomes one, and where things stand in it. Pure: bytes in and bytes out, no I/O.

::

    {"seq":42,"ts":"2026-11-21T10:11:12.123456Z","id":"<uuid>","type":"exec.completed",
     …members…,"prev":"<64 hex>","hash":"<64 hex>"}⏎

The four first members have a fixed form and are found by position from the start; `prev` and `hash` have a fixed
length and are found by position from the end. docs/format.md is the specification.
"""

from __future__ import annotations

import enum
import re
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import orjson
from blake3 import blake3

from jsonl_audit import forms, instants, values
from jsonl_audit.errors import EventError, EventTooLargeError, ReservedTypeError
from jsonl_audit.ids import new_id

__all__ = [
    "BATCH_LIMIT",
    "FRAME",
    "HARD_LIMIT",
    "LINE_LIMIT",
    "LONGEST_TYPE",
    "RESERVED",
    "ZERO",
    "Body",
    "Cleaner",
    "batch_of",
    "control",
    "decode",
    "encode",
    "hash_of",
    "line",
    "members_of",
    "new_id",
    "own_hash_right",
    "own_time",
    "prev_of",
    "seq_of",
    "ts_of",
    "type_of",
]

LINE_LIMIT = 32 * 1024
"""The default limit of a line in bytes, LF included: shippers stop at longer ones."""
HARD_LIMIT = 16 * 2**20
"""The format's own limit of a line in bytes."""
BATCH_LIMIT = 16 * 2**20
"""The format's limit of all lines of one batch together, in bytes."""
ZERO = "0" * 64
"""`prev` of the first record of a log."""
RESERVED = frozenset(("seq", "ts", "id", "type", "clock", "batch", "salt", "erased", "prev", "hash"))
"""Names at the top level of a record that belong to the engine."""

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LONGEST_TYPE = 128
TYPE = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
HEAD = re.compile(
    (
        r'\{"seq":([1-9][0-9]{0,18}),"ts":"(' + instants.INSTANT + r')","id":"(' + UUID.pattern + r')",'
        r'"type":"(' + TYPE.pattern + r')",'
    ).encode()
)
"""How every line begins: seq, ts, id, type."""
LINE = b'{"seq":%d,"ts":"%b","id":"%b","type":"%b"%b,"prev":"%b"'
"""What is hashed of a line: seq, ts, id, type, members, prev."""
END = b',"hash":"%b"}\n'
"""What follows it."""
_BATCH = re.compile(rb',"batch":\[([1-9][0-9]{0,8}),([1-9][0-9]{0,8})\]\Z')
_MOVED = RESERVED - {"type"} | {"time", "timestamp"}
_ENGINES_OWN = RESERVED - {"type", "id", "ts"}
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

_types: dict[Any, bytes] = {None: b"custom"}
_tuple = tuple.__new__


class Body(NamedTuple):
    """An event, encoded: all of a line that does not depend on its place in the log."""

    type: bytes
    members: bytes
    """The event's members as they will stand in the line, each with a comma before it; empty if there are none."""
    id: bytes | None = None
    time: str | None = None
    """The event's own time, in the form on disk."""


class Cleaner(Protocol):
    """What takes out of an event that must not reach the disk, and counts it in `found`, by kind."""

    def event(self, event: dict[str, Any], found: dict[str, int], /) -> dict[str, Any]:
        """The event without it, its type as it was; `event` is not changed itself."""


def encode(event: Mapping[Any, Any], limit: int = LINE_LIMIT, cleaner: Cleaner | None = None) -> Body:
    """The event as the body of a line of at most `limit` bytes, and without what `cleaner` takes out.

    What was taken out is counted in the member `redacted`, by kind.

    Raises EventError if `type` is no type name, ReservedTypeError for a type under ``audit.``, EventTooLargeError
    past the limit. Nothing else in an event is refused: see :mod:`jsonl_audit.values` for the forms of odd values.

    >>> encode({"type": "exec.completed", "outcome": "success"})
    Body(type=b'exec.completed', members=b',"outcome":"success"', id=None, time=None)
    """
    if type(event) is not dict:
        event = members_of(event)
    source, own_id, own_time = event, None, None
    found: dict[str, int] = {}
    try:
        given = event.get("type")
        # A member of an enumeration of texts is a text too, but not always the one that the serialiser writes.
        kind = _types.get(given) if type(given) is str or given is None else None
        if kind is None:
            kind = _kind(given)
            if type(given) is not str:
                given = kind.decode()
                event = {**event, "type": given}
        if not _MOVED.isdisjoint(event):
            event, own_id, own_time = _arranged(event)
        if given is None:
            if "type" in event:
                event = {name: value for name, value in event.items() if name != "type"}
        elif next(iter(event)) != "type":
            event = {"type": given, **event}
        # Asked first: the serialiser would follow tuples until the process has no stack left.
        odd = not values.faithful(event)
        if cleaner is not None and not odd:
            event = cleaner.event(event, found)
        text = b"" if odd else orjson.dumps(event, values.iso, _OPTIONS)
    except EventError:
        raise
    except Exception:  # noqa: BLE001 - what the serialiser cannot hold, or an object with ideas of its own
        odd, text, kind, given = True, b"", b"", None
    if odd:
        kind, event, own_id, own_time = _in_forms(source, limit)
        found.clear()
        if cleaner is not None:
            event = cleaner.event(event, found)
        given = event.get("type")
        text = orjson.dumps(event)
    if given is not None:  # its text is cut off: cheaper than a copy of the dict without it
        members = text[10 + len(kind) : -1]
    else:
        members = b"," + text[1:-1] if len(text) > 2 else b""
    if found:
        members = _counted(members, found)
    # The longest seq, `batch` and `clock` that can come to it later are counted in.
    length = len(members) + len(kind) + FRAME
    if length > limit:
        raise EventTooLargeError(
            f"the event's line would be {length} bytes, the limit is {limit}; shorten it, keep large data elsewhere "
            "and log a reference, or raise line_limit",
            expected=limit,
            actual=length,
        )
    return _tuple(Body, (kind, members, own_id, own_time))


def _counted(members: bytes, found: dict[str, int]) -> bytes:
    """The members, and behind them how often what was taken out of them: with what an own `redacted` counts already."""
    if b',"redacted":' in members:  # in the text of any member, perhaps
        event = orjson.loads(b"{%b}" % members[1:])
        if "redacted" in event:
            before = event.pop("redacted")
            if type(before) is dict and all(type(count) is int and 0 <= count < 2**53 for count in before.values()):
                found = {**before, **{kind: count + before.get(kind, 0) for kind, count in found.items()}}
            else:
                event["details"] = _with_details(event.get("details", {}), {"redacted": before})
                if not values.faithful(event):  # it stands a level deeper there
                    event = values.plain(event)
            members = b"," + orjson.dumps(event)[1:-1] if event else b""
    return members + b',"redacted":' + orjson.dumps(found)


FRAME = len('{"seq":9223372036854775807,"ts":"","id":"","type":"","clock":"","batch":[,],"prev":"","hash":""}\n')
FRAME += 27 + 36 + 27 + 18 + 64 + 64
"""Bytes that a line may have beside its type and members."""


def control(kind: str, details: Mapping[str, Any]) -> Body:
    """The body of one of the engine's own records.

    >>> control("audit.lost", {"count": 2})
    Body(type=b'audit.lost', members=b',"details":{"count":2}', id=None, time=None)
    """
    return Body(kind.encode(), b',"details":' + orjson.dumps(details))


def members_of(event: Any) -> dict[Any, Any]:
    """The members of a mapping that is no plain dict. Raises EventError where its own code fails."""
    try:
        return dict(event)
    except Exception as error:  # a mapping whose own code fails
        raise EventError(
            f"the event, a {type(event).__name__}, cannot be read: {type(error).__name__}: {forms.shown(error)}"
        ) from error


def _in_forms(event: Mapping[Any, Any], limit: int) -> tuple[bytes, dict[str, Any], bytes | None, str | None]:
    """An event with odd values or keys: its type, its members with the type first, its id and time.

    Names come first: a key that is no string may turn into a name that is not the caller's to use.
    """
    members = forms.named(event)
    given = members.pop("type", None)
    kind = _kind(given)
    members, own_id, own_time = _arranged(members)
    first = {} if given is None else {"type": kind.decode()}
    try:
        return kind, values.plain({**first, **members}, limit, owner=event), own_id, own_time
    except values.TooMuch:
        raise EventTooLargeError(
            f"the event's line would be more than {limit} bytes, the limit; log a part of it, keep large data "
            "elsewhere and log a reference, or raise line_limit",
            expected=limit,
        ) from None


def _kind(given: Any) -> bytes:
    """The type of an event that is not known yet."""
    if given is None:
        return b"custom"
    kind = given.value if issubclass(type(given), enum.Enum) else given
    if not issubclass(type(kind), str) or TYPE.fullmatch(kind) is None:
        shown = str.__repr__(kind)[:200] if issubclass(type(kind), str) else f"a {type(kind).__name__}"
        raise EventError(f"type is {shown}, which is no type name: up to 128 letters, digits, '_', '.', ':' and '-'")
    kind = str.__str__(kind)
    if kind.startswith("audit."):
        raise ReservedTypeError(
            f"type {kind!r}: names under 'audit.' belong to the engine; choose another first word", actual=kind
        )
    if len(_types) >= 1024:
        _types.clear()
        _types[None] = b"custom"
    encoded = _types[kind] = kind.encode()
    return encoded


def _arranged(event: Mapping[Any, Any]) -> tuple[dict[Any, Any], bytes | None, str | None]:
    """The event with time and id taken out, and every other reserved name moved under `details`."""
    members = dict(event)
    moved: dict[str, Any] = {}
    own_id = own_time = None
    if "id" in members:
        given = members.pop("id")
        own_id = _id_of(given)
        if own_id is None:
            moved["id"] = given
    for name in ("time", "ts", "timestamp"):
        if name not in members or (own_time is not None and name == "timestamp"):
            continue
        found = instants.from_event(members[name])
        if found is None or own_time is not None:
            if name != "timestamp":  # the two others have a meaning that this value has not
                moved[name] = members.pop(name)
            continue
        given = members.pop(name)
        own_time, exact = found
        if not exact:  # more digits than the format keeps
            moved[name] = given
    for name in [name for name in members if name in _ENGINES_OWN]:
        moved[name] = members.pop(name)
    if moved:
        members["details"] = _with_details(members.get("details", {}), moved)
    if own_time is not None:
        first = {"type": members.pop("type")} if "type" in members else {}
        members = {**first, "time": own_time, **members}
    return members, own_id, own_time


def _id_of(given: Any) -> bytes | None:
    if issubclass(type(given), str):
        name = str.__str__(given).lower()
    elif issubclass(type(given), uuid.UUID):
        name = uuid.UUID.__str__(given)
    else:
        return None
    return name.encode() if UUID.fullmatch(name) else None


def _with_details(details: Any, moved: dict[str, Any]) -> dict[str, Any]:
    """The caller's `details` with the members that moved there, under names that are free."""
    try:
        result = forms.named(details) if isinstance(details, Mapping) else {"details": details}
    except Exception:  # noqa: BLE001 - a mapping whose own code fails
        result = {"details": details}
    for name, value in moved.items():
        free, twin = name, 2
        while free in result:
            free, twin = f"{name}~{twin}", twin + 1
        result[free] = value
    return result


def line(
    seq: int, ts: str, body: Body, prev: str, batch: tuple[int, int] | None = None, clock: str | None = None
) -> tuple[bytes, str, str]:
    """The line of `body` at its place, its id and its hash.

    >>> text, _, own = line(1, "2026-11-21T10:11:12.123456Z", Body(b"custom", b""), ZERO)
    >>> len(text), hash_of(text) == own == text[-67:-3].decode()
    (253, True)
    """
    kind, members, given, _ = body
    own_id = given or new_id()
    if clock is not None:
        members = b',"clock":"%b"%b' % (clock.encode(), members)
    if batch is not None:
        members += b',"batch":[%d,%d]' % batch
    hashed = LINE % (seq, ts.encode(), own_id, kind, members, prev.encode())
    own: str = blake3(hashed).hexdigest()
    return hashed + END % own.encode(), own_id.decode(), own


def hash_of(text: bytes) -> str:
    """The hash that a line (LF included) should carry."""
    return blake3(text[:-76]).hexdigest()


def own_hash_right(text: bytes) -> bool:
    """Whether a line (LF included) ends as a record does, with the hash of what stands before it."""
    return (
        len(text) > 227
        and text[-150:-141] == b',"prev":"'
        and text[-76:] == b',"hash":"%b"}\n' % blake3(text[:-76]).hexdigest().encode()
    )


def prev_of(text: bytes) -> str:
    """`prev` of a line (LF included), by position."""
    return text[-141:-77].decode("ascii", "replace")


def seq_of(text: bytes) -> int:
    """`seq` of a line, by position; 0 where there is none.

    >>> seq_of(b'{"seq":42,"ts":')
    42
    """
    digits = text[7 : text.find(b",", 7, 30)]
    return int(digits) if text.startswith(b'{"seq":') and digits.isdigit() else 0


def ts_of(text: bytes) -> str:
    """`ts` of a line, by position."""
    start = text.find(b",", 7, 30) + 7
    return text[start : start + 27].decode("ascii", "replace")


def type_of(text: bytes) -> str:
    """`type` of a line, by position."""
    start = text.find(b",", 7, 30) + 88
    return text[start : text.find(b'"', start, start + 130)].decode("ascii", "replace")


def batch_of(text: bytes) -> tuple[int, int] | None:
    """`batch` of a line (LF included): i-th of n; None if it was committed alone.

    >>> batch_of(b',"batch":[2,3],"prev":"' + b"0" * 64 + b'","hash":"' + b"0" * 64 + b'"}' + bytes([10]))
    (2, 3)
    """
    if text[-151:-150] != b"]":
        return None
    found = _BATCH.search(text, max(0, len(text) - 190), len(text) - 150)
    return None if found is None else (int(found[1]), int(found[2]))


def decode(text: bytes) -> dict[str, Any]:
    """The record that a line is."""
    record: dict[str, Any] = orjson.loads(text)
    return record


def own_time(text: bytes) -> str | None:
    """`time` of a line, where it has one at the top level: when it happened, if that was not when it was committed."""
    if b',"time":"' not in text:
        return None
    try:
        own = orjson.loads(text).get("time")
    except ValueError:
        return None
    return str(own) if instants.is_instant(own) else None
