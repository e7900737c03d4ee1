"""Any Python value as an event: the log holds what the documentation says, in strict JSON, and is intact."""

from __future__ import annotations

import datetime
import json
import logging
import re
import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import drawn
from blake3 import blake3
from drawn import Deep, Endless
from driver import Choices, Folder, any_bytes, drawn_anew, main

from jsonl_audit import AuditLog, EventError, EventTooLargeError, ReservedTypeError
from jsonl_audit.handlers import AuditHandler
from jsonl_audit.verifier import verify

LIMIT = 32 * 1024
ENGINES_OWN = ("seq", "clock", "batch", "salt", "erased", "prev", "hash")
AS_GIVEN: dict[str, Any] = {"redact": None, "validate": "off", "artifacts": False}
"""Settings under which a record is what its event was; under the others it is whole, lawful and verified."""
FIRST, LAST = ["seq", "ts", "id", "type"], ["prev", "hash"]

folder = Folder()


def event_of(choice: Choices) -> dict[Any, Any]:
    """An event; often with members that mean something to the engine."""
    event: dict[Any, Any] = {}
    for _ in range(choice.below(6)):
        event[drawn.name(choice)] = drawn.value(choice, 1, (event,))
    if choice.one_in(3):
        event["type"] = choice.of(["fuzz.one", "a", drawn.Kind.MADE, "", "x y", "audit.x", 5, None, "é", "x" * 129])
    elif "type" in event and choice.one_in(2):
        del event["type"]
    if choice.one_in(3):
        event["id"] = choice.of([uuid.UUID(int=9), str(uuid.UUID(int=10)).upper(), "order-17", 7, None])
    for own in ("time", "ts", "timestamp"):
        if choice.one_in(4):
            event[own] = choice.of([*_TIMES, choice.text(), choice.below(1 << 32)])
    return event


_TIMES: list[Any] = [
    "2026-11-21T10:11:12Z", "2026-11-21t10:11:12.1234567z", "2026-11-21 11:11:12,5+01:00", "2026-02-30T00:00:00Z",
    "2026-11-21T10:11:12", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.999999Z", "2026-11-21T10:11:60Z", 1.5, -1,
    10**11 - 1, 10**11, 1_700_000_000_123, 10**15, float("nan"), True, None, 253402300800,
    datetime.datetime(2026, 11, 21, 10, 11, 12, 5, datetime.timezone(datetime.timedelta(hours=-3))), b"2026",
]  # fmt: skip


# -- the rules of docs/reference/values.md and docs/format.md for an event as a whole


def kind_of(event: Mapping[Any, Any]) -> tuple[str | None, type[Exception] | None]:
    """The type that a record will have, or the error that its event is."""
    given = drawn.named(event).get("type")
    given = given.value if isinstance(given, drawn.enum.Enum) else given
    if given is None:
        return "custom", None
    if not isinstance(given, str) or not re.fullmatch("[A-Za-z0-9_.:-]{1,128}", str.__str__(given)):
        return None, EventError
    plain = str.__str__(given)
    return (None, ReservedTypeError) if plain.startswith("audit.") else (plain, None)


def instant(given: Any) -> tuple[str, bool] | None:
    """The instant that a caller's time is, and whether that says all of it."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    exact = True
    try:
        if isinstance(given, datetime.datetime):
            moment = given.astimezone(datetime.timezone.utc)
        elif isinstance(given, str):
            found = re.fullmatch(
                r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d+))?([Zz]|[+-]\d\d:\d\d)",
                str.__str__(given),
                re.ASCII,
            )
            if found is None:
                return None
            day, clock, fraction, zone = found.groups()
            fraction = (fraction or "").ljust(6, "0")
            exact = not fraction[6:].strip("0")
            zone = "+00:00" if zone in "Zz" else zone
            moment = datetime.datetime.fromisoformat(f"{day}T{clock}.{fraction[:6]}{zone}")
            moment = moment.astimezone(datetime.timezone.utc)
        elif isinstance(given, int | float) and not isinstance(given, bool):
            scale = 1000 if abs(given) >= 10**11 else 10**6
            whole = int(given) * scale if isinstance(given, int) else round(float(given) * scale)
            moment = epoch + datetime.timedelta(microseconds=whole)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return f"{moment.year:04d}{moment:-%m-%dT%H:%M:%S.%f}Z", exact


def record_of(event: Mapping[Any, Any]) -> tuple[dict[str, Any], str | None]:
    """The members of the record that an event becomes, without the first four and the last two, and its own id."""
    members = drawn.named(event)
    members.pop("type", None)
    moved: dict[str, Any] = {}
    own_id = None
    if "id" in members:
        given = members.pop("id")
        plain = (
            str.__str__(given)
            if isinstance(given, str)
            else uuid.UUID.__str__(given)
            if type(given) is uuid.UUID
            else ""
        )
        if re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", plain.lower()):
            own_id = plain.lower()
        else:
            moved["id"] = given
    own_time = None
    for own in ("time", "ts", "timestamp"):
        if own not in members or (own == "timestamp" and own_time is not None):
            continue
        found = instant(members[own])
        if found is not None and own_time is None:
            given, own_time = members.pop(own), found[0]
            if not found[1]:
                moved[own] = given
        elif own != "timestamp":
            moved[own] = members.pop(own)
    for own in [own for own in members if own in ENGINES_OWN]:
        moved[own] = members.pop(own)
    made: dict[str, Any] = {} if own_time is None else {"time": own_time}
    for own, given in members.items():
        if own != "details" or not moved:
            made[own] = drawn.form(given, f"$.{own}", ((event, "$"),))
    if moved:
        made["details"] = _details(event, members, moved)
        if "details" in members:  # it keeps its place
            made = {own: made[own] for own in [*(["time"] if own_time else []), *members]}
    return made, own_id


def _details(event: Mapping[Any, Any], members: dict[str, Any], moved: dict[str, Any]) -> dict[str, Any]:
    there = members.get("details", {})
    holders: drawn.Above = ((event, "$"),)
    if isinstance(there, Mapping) and not isinstance(there, drawn.Failing):
        inside = drawn.named(there)
    else:
        inside = {"details": there}
    for own, given in moved.items():
        free, twin = own, 1
        while free in inside:
            twin += 1
            free = f"{own}~{twin}"
        inside[free] = given
    return {
        own: drawn.form(given, f"$.details.{own}", (*holders, (None, "$.details"))) for own, given in inside.items()
    }


def size_of(made: Any) -> int:
    """About how many bytes a value takes in a line."""
    if isinstance(made, Deep):
        return len(json.dumps(json.dumps(plainly(made.value)))) + 12
    if type(made) is dict:
        return 2 + sum(len(json.dumps(own)) + 2 + size_of(inner) for own, inner in made.items())
    if type(made) is list:
        return 2 + sum(1 + size_of(inner) for inner in made)
    return len(json.dumps(made, ensure_ascii=False).encode())


def plainly(made: Any) -> Any:
    """A value of the model as JSON."""
    if isinstance(made, Deep):
        return plainly(made.value)
    if type(made) is dict:
        return {own: plainly(inner) for own, inner in made.items()}
    return [plainly(inner) for inner in made] if type(made) is list else made


# -- what is checked


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The records of a file, each looked at for itself: strict JSON, chained, nested no deeper than it may be."""
    prev, found = "0" * 64, []
    for seq, line in enumerate(path.read_bytes().splitlines(True), 1):
        assert b"\r" not in line
        record = drawn.strictly(line)
        assert drawn.depth_of(record) <= drawn.DEEPEST
        names = list(record)
        assert (names[:4], names[-2:]) == (FIRST, LAST), names
        assert line[:-76] + b',"hash":"' + record["hash"].encode() + b'"}\n' == line
        assert blake3(line[:-76]).hexdigest() == record["hash"]
        assert (record["seq"], record["prev"]) == (seq, prev)
        prev = record["hash"]
        found.append(record)
    return found


def agrees(event: Mapping[Any, Any], record: dict[str, Any]) -> None:
    """Whether a record is what the documentation makes of the event."""
    made, own_id = record_of(event)
    assert record["type"] == kind_of(event)[0]
    assert own_id is None or record["id"] == own_id
    found = {own: record[own] for own in list(record)[4:-2] if own != "batch"}
    assert drawn.same(made, found), f"\nexpected {made}\nfound    {found}"


def appended(log: AuditLog, events: list[dict[Any, Any]], choice: Choices) -> list[dict[Any, Any]]:
    """Appends the events, in one of the ways; those that were not refused for what the documentation refuses."""
    if choice.one_in(4):
        try:
            log.append_many(events)
        except EventError as error:
            assert any(refused(event, error) for event in events)
            return []
        return events
    taken = []
    for event in events:
        try:
            plain = all(type(own) is str for own in event) and "event" not in event and "self" not in event
            if plain and choice.one_in(4) and type(event.get("type")) is str:
                event = {"type": event["type"], **event}
                log.append(event["type"], **{own: item for own, item in event.items() if own != "type"})
            else:
                log.append(event)
            taken.append(event)
        except EventError as error:
            assert refused(event, error), (event, error)
    return taken


def refused(event: Mapping[Any, Any], error: EventError) -> bool:
    """Whether an event is to be refused with this error."""
    expected = kind_of(event)[1]
    if expected is not None:
        return type(error) is expected
    if not isinstance(error, EventTooLargeError):
        return False
    try:
        return size_of(record_of(event)[0]) > LIMIT - 600
    except Endless:
        return True


def through_a_handler(path: Path, choice: Choices, options: dict[str, Any]) -> None:
    """A call of `logging`: nothing is lost, and what the caller gave stands in the record."""
    handler = AuditHandler(path, fsync="never", on_error="raise", space_left=None, **options)
    extra = {f"x{number}": drawn.value(choice) for number in range(choice.below(3))}
    message = choice.of([choice.text(), "%s", "%d", "%(a)s", drawn.value(choice)])
    args = tuple(drawn.value(choice) for _ in range(choice.below(3)))
    record = logging.LogRecord("fuzz", choice.below(60), __file__, 1, message, args, None)
    record.__dict__.update(extra)
    try:
        handler.handle(record)
    finally:
        handler.close()
    assert handler.lost == 0
    made = lines_of(path)[-1]
    assert made["type"] == "log.record"
    assert type(made["message"]) in (str, dict)
    if options and b"$short" not in path.read_bytes():
        for own, given in extra.items():
            expected = drawn.form(given, f"$.{own}", ((None, "$"),))
            assert drawn.same(expected, made[own]), f"\nexpected {expected}\nfound    {made[own]}"


def target(data: bytes) -> None:
    choice = Choices(data)
    path = folder.fresh() / "audit.jsonl"
    options = AS_GIVEN if choice.one_in(2) else {}
    if choice.one_in(4):
        through_a_handler(path, choice, options)
    else:
        events = [event_of(choice) for _ in range(1 + choice.below(3))]
        with AuditLog(path, fsync="never", space_left=None, **options) as log:
            taken = appended(log, events, choice)
        found = [record for record in lines_of(path) if not record["type"].startswith("audit.")]
        for event, record in zip(taken, found, strict=True):
            assert record["type"] == kind_of(event)[0]
            if options:
                agrees(event, record)
    assert verify(path, full=True, workers=1).verdict == "intact"


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(target, any_bytes(), drawn_anew, largest=4096)
