"""Times as people write them: ISO, epoch numbers, `yesterday`, `2h ago`; each becomes an instant.

A text without a zone is UTC, as everything in a log is; a naive `datetime` is local time, as Python has it.
"""

from __future__ import annotations

import re
import time
from datetime import date, datetime, timedelta, timezone
from typing import Any

from jsonl_audit import instants
from jsonl_audit.errors import QueryError
from jsonl_audit.forms import shown

__all__ = ["instant", "micros"]

ACCEPTED = (
    "write a date (2026-11-21), a date and time (2026-11-21T10:11:12Z, 2026-11-21 10:11, with +01:00 behind it where "
    "it is not UTC), seconds or milliseconds since 1970, now, today, yesterday, tomorrow, a weekday, 10:30, "
    "or how long ago (-2h, 90m, 3d, 1w, 1d12h, 2 hours ago)"
)
_DAY = 86_400 * 10**6
_FIRST_DAY = date(1970, 1, 1).toordinal()
_LAST = (date.max.toordinal() + 1 - _FIRST_DAY) * _DAY - 1
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NEAR = {"today": 0, "yesterday": -1, "tomorrow": 1}
_CLOCK = r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(z|utc|gmt|[+-]\d\d(?::?\d\d)?)?"
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[t\s]\s*(?:" + _CLOCK + r"))?", re.ASCII)
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)(?:t(\d\d)(\d\d)(\d\d)?()(z)?)?", re.ASCII)
_NAMED = re.compile(r"(?:([a-z]+)(?:\s+|t)?)??(?:" + _CLOCK + r")?", re.ASCII)
_YEAR = re.compile(r"(?:19|20)\d\d", re.ASCII)  # as a number of seconds it would be an hour of 1970, silently
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_SPAN = re.compile(r"([+-])?\s*((?:\d+(?:\.\d+)?\s*[a-z]+\s*)+?)(\s+ago)?", re.ASCII)
_PIECE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.ASCII)
_UNITS = {
    name: seconds * 10**6
    for seconds, names in (
        (1, ("s", "sec", "secs", "second", "seconds")),
        (60, ("m", "min", "mins", "minute", "minutes")),
        (3_600, ("h", "hr", "hrs", "hour", "hours")),
        (86_400, ("d", "day", "days")),
        (604_800, ("w", "wk", "wks", "week", "weeks")),
    )
    for name in names
}


def instant(value: Any, *, end: bool = False, now: int | None = None) -> str:
    """The instant that `value` means, in the form that lies on disk; see :func:`micros`.

    >>> instant("2026-11-21 10:11"), instant("2026-11-21T11:11:00.5+01:00")
    ('2026-11-21T10:11:00.000000Z', '2026-11-21T10:11:00.500000Z')
    >>> instant("2026-11-21"), instant("2026-11-21", end=True)
    ('2026-11-21T00:00:00.000000Z', '2026-11-22T00:00:00.000000Z')
    """
    return instants.text(micros(value, end=end, now=now))


def micros(value: Any, *, end: bool = False, now: int | None = None) -> int:
    """Microseconds since 1970 of what `value` means.

    :param value: a text, a number since the epoch (seconds, from 10^11 on milliseconds), a datetime or a date.
    :param end: a day without a time of day means its end, not its beginning.
    :param now: what "now" is, in microseconds since 1970; the clock's by default.

    Raises QueryError for what is no time.

    >>> micros("-2h", now=10_000_000_000), micros("1d 12 hours ago", now=150_000_000_000)
    (2800000000, 20400000000)
    """
    if isinstance(value, datetime):
        try:
            return _known(instants.from_event(value), value)
        except (OverflowError, OSError, ValueError):
            raise _nonsense(value) from None
    if isinstance(value, date):
        return _of_day(value, end)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _checked(instants.from_number(value), value)
    if not isinstance(value, str):
        raise _nonsense(value)
    current = time.time_ns() // 1000 if now is None else now
    us = _from_text(value.strip().lower(), value, end, current) if len(value) < 100 else None
    return _checked(us, value)


def _from_text(text: str, given: str, end: bool, now: int) -> int | None:
    found = _DATE.fullmatch(text) or _COMPACT.fullmatch(text)
    if found is not None:
        year, month, day, *clock = found.groups()
        return _at(_day(int(year), int(month), int(day), given), clock, end, given)
    if _NUMBER.fullmatch(text):
        if text.startswith("-"):
            raise _nonsense(given, f"did you mean {text}h or {text}d? ")
        if _YEAR.fullmatch(text):
            raise _nonsense(given, f"did you mean {text}-01-01? ")
        return instants.from_number(float(text) if "." in text else int(text[:20]))
    if text == "now":
        return now
    found = _NAMED.fullmatch(text)
    if found is not None and text:
        name, *clock = found.groups()
        day = _named_day(name, now)
        if day is not None:
            return _at(day, clock, end, given)
    found = _SPAN.fullmatch(text)
    if found is not None:
        sign, pieces, ago = found.groups()
        if sign == "+" and ago:
            return None
        span = 0.0
        for number, unit in _PIECE.findall(pieces):
            if unit not in _UNITS or len(number) > 15:
                raise _nonsense(given)
            span += float(number) * _UNITS[unit]
        return now + round(span) * (1 if sign == "+" else -1)
    return None


def _named_day(name: str | None, now: int) -> date | None:
    """The day (UTC) of a word; without a word, today. A weekday is the newest such day, today included."""
    today = (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=now)).date()
    if name is None:
        return today
    if name in _NEAR:
        return today + timedelta(days=_NEAR[name])
    for number, weekday in enumerate(_WEEKDAYS):
        if name in (weekday, weekday[:3]):
            return today - timedelta(days=(today.weekday() - number) % 7)
    return None


def _day(year: int, month: int, day: int, given: str) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise _nonsense(given, "there is no such day; ") from None


def _at(day: date, clock: list[Any], end: bool, given: str) -> int:
    hour, minute, second, fraction, zone = clock
    if hour is None:
        return _of_day(day, end)
    if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 59:
        raise _nonsense(given, "there is no such time of day; ")
    us = _of_day(day, False) + ((int(hour) * 60 + int(minute)) * 60 + int(second or 0)) * 10**6
    us += int((fraction or "")[:6].ljust(6, "0"))
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        if int(digits[:2]) > 23 or int(digits[2:]) > 59:
            raise _nonsense(given, "there is no such zone; ")
        ahead = (int(digits[:2]) * 60 + int(digits[2:])) * 60 * 10**6
        us -= ahead if zone[0] == "+" else -ahead
    return us


def _of_day(day: date, end: bool) -> int:
    return min((day.toordinal() - _FIRST_DAY + end) * _DAY, _LAST)


def _known(found: tuple[str, bool] | None, given: Any) -> int:
    if found is None:
        raise _nonsense(given)
    return instants.micros(found[0])


def _checked(us: int | None, given: Any) -> int:
    if us is None or instants.micros(instants.text(us)) != us:
        raise _nonsense(given)
    return us


def _nonsense(given: Any, hint: str = "") -> QueryError:
    return QueryError(f"{shown(given):.60} is no time: {hint}{ACCEPTED}", actual=given)
