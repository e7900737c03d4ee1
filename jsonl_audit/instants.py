"""Points in time: the one form that lies on disk, and what callers write instead.

On disk an instant is RFC 3339 in UTC with six digits, always 27 characters, so that comparing bytes compares time.
In memory it is an int: microseconds since 1970.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone

__all__ = ["INSTANT", "from_event", "from_number", "from_text", "is_instant", "micros", "stamp", "text"]

INSTANT = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
_STRICT = re.compile(INSTANT)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICRO = timedelta(microseconds=1)
_LOWEST = -62135596800 * 10**6  # 0001-01-01
_HIGHEST = 253402300800 * 10**6 - 1  # the last microsecond of 9999
MILLISECONDS_FROM = 10**11  # a number from here on counts milliseconds, below it seconds (docs/format.md)
_NUMBERS = 10**15  # more milliseconds than there are up to the year 9999

_seconds: dict[int, str] = {}
_days: set[str] = set()


def text(us: int) -> str:
    """The form on disk of `us` microseconds since 1970; outside the years 1 to 9999 of the nearest second.

    >>> text(1_000_000)
    '1970-01-01T00:00:01.000000Z'
    """
    second = us // 1_000_000
    return "%s%06dZ" % (_seconds.get(second) or _head(second), us - second * 1_000_000)  # noqa: UP031 - the quickest


def _head(second: int) -> str:
    """All but the fraction of an instant; the last ones asked for are kept, since time is asked for in order."""
    if not _LOWEST <= second * 1_000_000 <= _HIGHEST:
        return "0001-01-01T00:00:00." if second < 0 else "9999-12-31T23:59:59."
    if len(_seconds) >= 64:
        _seconds.clear()
    moment = _EPOCH + timedelta(seconds=second)
    head = _seconds[second] = f"{moment.year:04d}{moment:-%m-%dT%H:%M:%S.}"
    return head


def stamp(us: int) -> str:
    """The form of `us` in the name of a sealed segment.

    >>> stamp(1_000_000)
    '19700101T000001000000Z'
    """
    return text(us).replace("-", "").replace(":", "").replace(".", "")


def is_instant(value: object) -> bool:
    """Whether `value` is an instant in the form on disk, of a day that exists.

    >>> is_instant("2026-02-28T00:00:00.000000Z"), is_instant("2026-02-30T00:00:00.000000Z")
    (True, False)
    """
    if not isinstance(value, str) or _STRICT.fullmatch(value) is None:
        return False
    day = value[:10]
    if day in _days:
        return True
    try:
        date(int(day[:4]), int(day[5:7]), int(day[8:]))
    except ValueError:
        return False
    if len(_days) >= 4096:
        _days.clear()
    _days.add(day)
    return True


def micros(instant: str) -> int:
    """Microseconds since 1970 of an instant in the form on disk.

    >>> micros("1970-01-01T00:00:01.000000Z")
    1000000
    """
    return (datetime.fromisoformat(instant[:26]).replace(tzinfo=timezone.utc) - _EPOCH) // _MICRO


def from_text(value: str) -> tuple[int, bool] | None:
    """Microseconds of an RFC 3339 text, and whether they say it exactly; None if it is no RFC 3339.

    >>> from_text("1970-01-01T01:00:01+01:00")
    (1000000, True)
    >>> from_text("1970-01-01T00:00:00.0000019Z")
    (1, False)
    """
    found = _RFC3339.fullmatch(value)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zulu, sign, ahead, minutes = found.groups()
    fraction = fraction or ""
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=timezone.utc)
        shift = 0 if zulu else (int(ahead) * 60 + int(minutes)) * (-60 if sign == "+" else 60)
        if not zulu and (int(ahead) > 23 or int(minutes) > 59):
            return None
    except ValueError:
        return None
    us = (moment - _EPOCH) // _MICRO + shift * 1_000_000 + int(fraction[:6].ljust(6, "0"))
    if not _LOWEST <= us <= _HIGHEST:
        return None
    return us, not fraction[6:].strip("0")


def from_number(value: float) -> int | None:
    """Microseconds of an epoch number: seconds, from 10^11 on milliseconds; None if it is no instant.

    >>> from_number(1.5), from_number(1_700_000_000_000)
    (1500000, 1700000000000000)
    """
    if not -_NUMBERS < value < _NUMBERS:  # NaN is neither
        return None
    scale = 1_000 if abs(value) >= MILLISECONDS_FROM else 1_000_000
    us = value * scale if isinstance(value, int) else round(value * scale)
    return us if _LOWEST <= us <= _HIGHEST else None


def from_event(value: object) -> tuple[str, bool] | None:
    """The form on disk of a caller's `time`, `ts` or `timestamp`, and whether it says the whole; None if no instant.

    A naive datetime is local time, as Python has it. A text without a zone is no instant: guessing is not evidence.

    >>> from_event("2026-11-21T10:11:12Z")
    ('2026-11-21T10:11:12.000000Z', True)
    >>> from_event("yesterday") is None
    True
    """
    try:
        return _from_event(value)
    except Exception:  # noqa: BLE001 - a number or a time zone whose own code fails
        return None


def _from_event(value: object) -> tuple[str, bool] | None:
    if isinstance(value, str):
        found = from_text(value)
        return None if found is None else (text(found[0]), found[1])
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        us = from_number(value)
        return None if us is None else (text(us), True)
    if isinstance(value, datetime):
        us = (value.astimezone(timezone.utc) - _EPOCH) // _MICRO
        return text(us), not getattr(value, "nanosecond", 0)
    return None
