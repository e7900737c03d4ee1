"""Any filter, place or date: a query gives what a naive look at every record gives, or raises a QueryError."""

from __future__ import annotations

import datetime
import fnmatch
import json
import random
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drawn
from driver import Choices, Folder, any_bytes, drawn_anew, main

from jsonl_audit import QueryError, get, query, tail
from jsonl_audit.reader import dates

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from logs import START, Log

folder = Folder()
NOW = START + 60 * 10**6
"""When "now" is, in microseconds since 1970."""
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

# -- the logs


_WORDS = ["ann", "bob", "u1", "", "é", 'q"\\', "7", "true", "WARN", "warning", "info", "a.b"]
_ITEMS: list[Any] = [
    *_WORDS,
    7,
    7.0,
    1,
    0,
    True,
    False,
    None,
    -1.5,
    2**63,
    ["ann", 7],
    [],
    {},
    {"id": "u1"},
    {"name": 7},
]
_TYPES = ["auth.ok", "auth.no", "exec", "exec.x", "a", "custom", "Auth.ok"]
_FIELDS = {
    # docs/reference/filters.md, "Where a named field is looked for"
    "actor": (
        ["actor", "initiator", "actorId", "actor_id", "actorName", "actor_name"], [()],
        ["id", "name", "userName", "user_name"]
        + [f"{word}{end}" for word in ("user", "device", "connection", "agent") for end in ("", "Id", "_id")],
    ),
    "user": (["user", "userId", "user_id", "userName", "user_name"], [(), ("actor",), ("details",)], ["id", "name"]),
    "profile": (["profile", "profileId", "profile_id"], [(), ("actor",), ("details",)], ["id", "name"]),
    "session": (["session", "sessionId", "session_id"], [(), ("actor",), ("details",)], ["id", "name"]),
    "outcome": (["outcome"], [(), ("details",)], ["id", "name", "result", "status"]),
    "level": (["level", "severity"], [(), ("details",)], ["id", "name"]),
    "task": (["task", "taskId", "task_id"], [(), ("details",)], ["id", "name"]),
    "correlation": (["correlation", "correlationId", "correlation_id"], [(), ("details",)], ["id", "name"]),
    "component": (["component"], [(), ("details",)], ["id", "name"]),
    "tool": (["tool", "toolName", "tool_name", "toolId", "tool_id"], [(), ("details",)], ["id", "name"]),
}  # fmt: skip
_MEMBERS = sorted({member for members, _, _ in _FIELDS.values() for member in members})


def _event(chance: random.Random) -> dict[str, Any]:
    def item(deep: int = 0) -> Any:
        if deep < 2 and chance.random() < 0.3:
            return {chance.choice([*_MEMBERS, "id", "name", "a", "a.b", "0"]): item(deep + 1) for _ in range(2)}
        if deep < 2 and chance.random() < 0.2:
            return [item(deep + 1) for _ in range(chance.randrange(3))]
        return chance.choice(_ITEMS)

    event: dict[str, Any] = {"type": chance.choice(_TYPES)}
    if chance.random() < 0.2:
        event["time"] = (START + chance.randrange(-40, 80) * 10**6) / 10**6
    for _ in range(chance.randrange(4)):
        event[chance.choice([*_MEMBERS, "a", "a.b", "tags"])] = item()
    if chance.random() < 0.6:
        event["details"] = {chance.choice([*_MEMBERS, "a", "b", "a.b"]): item() for _ in range(chance.randrange(4))}
    return event


def _made(number: int) -> tuple[Path, list[tuple[dict[str, Any], str]]]:
    """A log, its records and their lines."""
    chance = random.Random(number)
    log = Log(folder.fresh())
    for _ in range(chance.randrange(1, 50)):
        kind = chance.random()
        if kind < 0.05:
            log.seal()
        elif kind < 0.1:
            log.batch([_event(chance) for _ in range(chance.randrange(2, 4))])
        elif kind < 0.15:
            log.control(chance.choice(["audit.lost", "audit.settings"]), {"count": 1})
        else:
            log.add(_event(chance))
    lines = [line.decode() for number in range(1, log.segment + 1) for line in log.lines(number)]
    return log.active, [(json.loads(line), line) for line in lines]


logs: dict[int, tuple[Path, list[tuple[dict[str, Any], str]]]] = {}


def log_of(number: int) -> tuple[Path, list[tuple[dict[str, Any], str]]]:
    """One of some logs, made when it is first asked for."""
    if number not in logs:
        folder.keep()
        logs[number] = _made(number)
    return logs[number]


# -- the page, as code


def one_of(found: Any, wanted: list[Any]) -> bool:
    """Whether a value of a record is one of those, compared as a line holds them."""
    for each in wanted:
        if type(found) is bool or type(each) is bool:
            if found is each:
                return True
        elif found == each:
            return True
    return False


def values_of(field: str, record: dict[str, Any]) -> Iterator[Any]:
    """What a record has in a named field."""
    members, places, inner = _FIELDS[field]
    for place in places:
        holder = record
        for step in place:
            holder = holder.get(step) if type(holder) is dict else None  # type: ignore[assignment]
        if type(holder) is dict:
            for member in members:
                if member in holder:
                    yield from _in_field(holder[member], inner)
    if field == "actor":
        for member in inner:
            if member not in ("id", "name") and member in record:
                yield from _in_field(record[member], inner)


def _in_field(found: Any, inner: list[str]) -> Iterator[Any]:
    several = found if type(found) is list else [found]
    for each in several:
        if type(each) is dict:
            for own in inner:
                if own in each:
                    yield from each[own] if type(each[own]) is list and each is found else [each[own]]
        else:
            yield each


def at_path(found: Any, path: str) -> Iterator[Any]:
    """What stands at a dotted path."""
    if type(found) is dict:
        for own in found:
            if path == own:
                yield found[own]
                if type(found[own]) is list:
                    yield from found[own]
            elif path.startswith(f"{own}."):
                yield from at_path(found[own], path[len(own) + 1 :])
    elif type(found) is list:
        step, _, rest = path.partition(".")
        if re.fullmatch("-?[0-9]+", step) and len(step) < 12:
            try:
                item = found[int(step)]
            except IndexError:
                return
            if rest or "." in path:
                yield from at_path(item, rest)
            else:
                yield item
                if type(item) is list:
                    yield from item
        else:
            for item in found:
                if type(item) is dict:
                    yield from at_path(item, path)


def fits(record: dict[str, Any], line: str, filters: dict[str, Any]) -> bool:
    """Whether a record fits all of the filters."""
    control = filters.get("control", False)
    for name, given in filters.items():
        wanted = given if type(given) is list else [given]
        if given is None:
            continue
        if name == "type":
            fitting = [pattern for pattern in wanted if fnmatch.fnmatchcase(record["type"], pattern)]
            if not fitting:
                return False
            control = control or any(pattern.startswith("audit.") for pattern in fitting)
        elif name in ("since", "until"):
            when = record.get("time", record["ts"])
            if when < given.text if name == "since" else when >= given.text:
                return False
        elif name == "text":
            body = line[: line.rindex(',"prev":"')]
            if not any(each in body or json.dumps(each, ensure_ascii=False)[1:-1] in body for each in wanted):
                return False
        elif name == "where":
            for path, each in given.items():
                forms = [formed(item) for item in (each if type(each) is list else [each])]
                if not any(one_of(found, forms) for found in at_path(record, path)):
                    return False
        elif name == "level":
            forms = [form for item in wanted for form in _levels(formed(item))]
            if not any(one_of(found, forms) for found in values_of(name, record)):
                return False
        elif name in _FIELDS and not any(one_of(found, [*map(formed, wanted)]) for found in values_of(name, record)):
            return False
    return control or not record["type"].startswith("audit.")


def formed(given: Any) -> Any:
    """A wanted value as a line holds it."""
    return drawn.form(given, "$", ())


def _levels(given: Any) -> list[Any]:
    if type(given) is not str:
        return [given]
    low = given.lower()
    names = ("warn", "warning") if low in ("warn", "warning") else (low,)
    return [form for own in names for form in (own, own.upper(), own.capitalize())]


# -- dates


class When:
    """A time as a person writes it, and the instant that it means."""

    def __init__(self, written: Any, us: int) -> None:
        self.written = written
        moment = EPOCH + datetime.timedelta(microseconds=us)
        self.text = f"{moment.year:04d}{moment:-%m-%dT%H:%M:%S.%f}Z"


def when(choice: Choices, *, end: bool) -> When:
    """A time near the records of a log, in one of the ways to write it."""
    us = START + (choice.below(1 << 16) % 120 - 30) * 10**6
    moment = EPOCH + datetime.timedelta(microseconds=us)
    zone = datetime.timezone(datetime.timedelta(minutes=choice.of([0, 60, -210, 14 * 60])))
    there = moment.astimezone(zone)
    colon = f"{there:%z}"[:3] + ":" + f"{there:%z}"[3:]
    kind = choice.below(12)
    if kind == 0:
        day = (us // 86_400_000_000 + end) * 86_400_000_000
        return When(moment.strftime("%Y-%m-%d"), day)
    ways: list[Any] = [
        us // 10**6, us / 10**6, us // 1000, str(us // 10**6), str(us // 1000), f"{us / 10**6:.6f}", there,
        f"{moment:%Y-%m-%dT%H:%M:%SZ}", f"{there:%Y-%m-%d %H:%M:%S}{colon}", f"{moment:%Y%m%dT%H%M%S}",
        f" {moment:%Y-%m-%dt%H:%M:%S.000000} utc ",
    ]  # fmt: skip
    return When(ways[kind - 1], us)


def dates_agree(choice: Choices) -> None:
    """A time in a documented form is the instant that datetime makes of it; anything else is a QueryError."""
    now = NOW + choice.below(1 << 32) * 1000
    today = EPOCH + datetime.timedelta(microseconds=now)
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
    units = {"s": 1, "sec": 1, "m": 60, "minutes": 60, "h": 3600, "hrs": 3600, "d": 86400, "days": 86400, "w": 604800}
    unit, count = choice.of(list(units)), choice.below(1000)
    clock = datetime.timedelta(hours=choice.below(24), minutes=choice.below(60))
    written = f"{clock.seconds // 3600:02d}:{clock.seconds % 3600 // 60:02d}"
    back = choice.below(7)
    weekday = midnight - datetime.timedelta(days=back)
    day = choice.of(["", f"{weekday:%A} ", f"{weekday:%a} ".upper(), "today ", "yesterday ", "Tomorrow "])
    begins = {"": 0, "today ": 0, "yesterday ": -1, "Tomorrow ": 1}.get(day, -back)
    for text, expected in (
        (f"-{count}{unit}", today - datetime.timedelta(seconds=count * units[unit])),
        (f"{count} {unit} ago", today - datetime.timedelta(seconds=count * units[unit])),
        (f"+{count}{unit}", today + datetime.timedelta(seconds=count * units[unit])),
        (f"1d{count}{unit}", today - datetime.timedelta(days=1, seconds=count * units[unit])),
        ("now", today),
        (day + written, midnight + datetime.timedelta(days=begins) + clock),
    ):
        assert dates.micros(text, now=now) == round((expected - EPOCH) / datetime.timedelta(microseconds=1)), text
    if day:
        expected = midnight + datetime.timedelta(days=begins)
        assert dates.micros(day, now=now) == round((expected - EPOCH) / datetime.timedelta(microseconds=1)), day
        assert dates.micros(day, now=now, end=True) - dates.micros(day, now=now) == 86_400_000_000
    for given in (drawn.value(choice), choice.text(), _like_a_date(choice)):
        try:
            found = dates.micros(given, now=now, end=choice.one_in(2))
        except QueryError as error:
            assert "is no time" in str(error)
            continue
        assert dates.micros(dates.instant(given, now=now, end=False), now=now) <= found
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", dates.instant(given, now=now))


def _like_a_date(choice: Choices) -> str:
    parts = [
        "2026",
        "-",
        "11",
        "21",
        "T",
        " ",
        ":",
        "10",
        "0",
        ".",
        "5",
        "Z",
        "+",
        "01:00",
        "h",
        "d",
        "ago",
        "mon",
        "99",
        "e5",
    ]
    return "".join(choice.of(parts) for _ in range(choice.below(12)))


# -- what is checked


def filters_of(choice: Choices) -> tuple[dict[str, Any], dict[str, Any]]:
    """Filters that make sense: for the naive look, and as they are given to a query."""
    filters: dict[str, Any] = {}
    for _ in range(choice.below(3) + 1):
        kind = choice.below(16)
        if kind < 3:
            patterns = [
                *_TYPES,
                "auth.*",
                "*",
                "*.ok",
                "[ae]*",
                "[!a]*",
                "?uth.*",
                "*ec*",
                "exec.[wxy]",
                "audit.*",
                "a[",
                "]",
                "no",
            ]
            filters["type"] = _several(choice, patterns)
        elif kind < 7:
            filters[choice.of(list(_FIELDS))] = _several(choice, [item for item in _ITEMS if type(item) is not list])
        elif kind < 10:
            steps = [*_MEMBERS[:8], "details", "actor", "id", "0", "-1", "a", "a.b", "tags", "1", "name", "", "seq"]
            path = ".".join(choice.of(steps) for _ in range(1 + choice.below(3)))
            filters.setdefault("where", {})[path or "a"] = _several(choice, [i for i in _ITEMS if type(i) is not list])
        elif kind < 12:
            filters["since"] = when(choice, end=False)
        elif kind < 14:
            filters["until"] = when(choice, end=True)
        elif kind == 14:
            filters["text"] = _several(
                choice, [*_WORDS[:8], "auth", '"a":', "hash", ',"time":"', "\n", "\ud800", "custom"]
            )
        else:
            filters["control"] = True
    given = {name: each.written if isinstance(each, When) else each for name, each in filters.items()}
    return filters, given


def _several(choice: Choices, items: list[Any]) -> Any:
    return [choice.of(items) for _ in range(1 + choice.below(2))] if choice.one_in(3) else choice.of(items)


def agrees(choice: Choices) -> None:
    """What every way of asking gives is what a naive look gives."""
    path, records = log_of(choice.below(16))
    filters, given = filters_of(choice)
    expected = [record for record, line in records if fits(record, line, filters)]
    block = choice.of([1, 300, 1 << 20])
    try:
        found = [*query(path, block=block, **given)]
    except QueryError:
        assert "since" in filters
        assert "until" in filters
        assert filters["since"].text > filters["until"].text
        return
    assert found == expected, (given, [each["seq"] for each in found], [each["seq"] for each in expected])
    assert [*query(path, reverse=True, block=block, **given)] == expected[::-1]
    n, after = choice.below(6), choice.below(60)
    assert tail(path, n, **given) == (expected[-n:] if n else [])
    behind = [each for each in expected if each["seq"] > after]
    assert [*query(path, after=after, offset=n, limit=3, **given)] == behind[n : n + 3]
    assert get(path, after) == next((each for each, _ in records if each["seq"] == after), None)


def any_filter(choice: Choices) -> None:
    """Any value as any argument: a documented error, or some of the records."""
    path, records = log_of(0)
    names = [*_FIELDS, "type", "where", "text", "since", "until", "control", "after", "limit", "offset", "reverse"]
    given = {choice.of(names): drawn.value(choice) for _ in range(1 + choice.below(2))}
    if choice.one_in(3):
        given["where"] = {choice.text(): drawn.value(choice), drawn.name(choice): 1}
    kept = [record for record, _ in records]
    try:
        assert all(record in kept for record in query(path, **given))
    except QueryError as error:
        assert str(error)
    except (MemoryError, ZeroDivisionError):
        pass  # an endless list of values, or a mapping whose own code fails: the caller's own
    try:
        get(path, drawn.value(choice))
    except QueryError as error:
        assert str(error)


def target(data: bytes) -> None:
    choice = Choices(data)
    kind = choice.below(4)
    if kind < 2:
        agrees(choice)
    elif kind == 2:
        dates_agree(choice)
    else:
        any_filter(choice)


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(target, any_bytes(), drawn_anew, largest=4096)
