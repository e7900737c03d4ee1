"""Points in time: 27 characters on disk, and every way in which callers write them."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsonl_audit import instants

UTC = datetime.timezone.utc
FIRST, LAST = -62135596800 * 10**6, 253402300800 * 10**6 - 1


def text_of(value: Any) -> str | None:
    found = instants.from_event(value)
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("given", "on_disk"),
    [
        ("2026-11-21T10:11:12Z", "2026-11-21T10:11:12.000000Z"),
        ("2026-11-21t10:11:12z", "2026-11-21T10:11:12.000000Z"),
        ("2026-11-21 10:11:12.5Z", "2026-11-21T10:11:12.500000Z"),
        ("2026-11-21T10:11:12,123Z", "2026-11-21T10:11:12.123000Z"),
        ("2026-11-21T11:11:12+01:00", "2026-11-21T10:11:12.000000Z"),
        ("2026-11-20T23:11:12.000001-11:00", "2026-11-21T10:11:12.000001Z"),
        ("2026-11-21T10:11:12-00:00", "2026-11-21T10:11:12.000000Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.000000Z"),
        (1_700_000_000, "2023-11-14T22:13:20.000000Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.250000Z"),
        (1_700_000_000_250, "2023-11-14T22:13:20.250000Z"),
        (1_700_000_000_250.5, "2023-11-14T22:13:20.250500Z"),
        (10**11 - 1, "5138-11-16T09:46:39.000000Z"),
        (10**11, "1973-03-03T09:46:40.000000Z"),
        (-(10**11), "1966-10-31T14:13:20.000000Z"),
        (datetime.datetime(2026, 11, 21, 10, 11, 12, 5, UTC), "2026-11-21T10:11:12.000005Z"),
        (
            datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.timezone(datetime.timedelta(hours=-3))),
            "2026-11-21T13:00:00.000000Z",
        ),
    ],
)
def test_what_a_caller_writes_for_an_instant_becomes_the_one_form(given: Any, on_disk: str) -> None:
    assert instants.from_event(given) == (on_disk, True)
    assert instants.is_instant(on_disk)


@pytest.mark.parametrize(
    "given",
    [
        "", "yesterday", "2026-11-21", "2026-11-21T10:11:12", "2026-11-21T10:11Z", "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T23:59:60Z", "2026-11-21T10:11:12+24:00",
        "2026-11-21T10:11:12+01:60", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", " 2026-11-21T10:11:12Z",
        "2026-11-21T10:11:12Z\n", "2026-11-21T10:11:12.Z", "２026-11-21T10:11:12Z", "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00", "1700000000", True, False, None, [], {}, b"2026-11-21T10:11:12Z",
        math.nan, math.inf, -math.inf, 1e306, -1e306, 1e15, 10**15, 10**5000, -(10**5000), 1j,
        datetime.date(2026, 11, 21),
    ],
    ids=lambda given: str(type(given).__name__) if isinstance(given, int) else repr(given),
)  # fmt: skip
def test_what_is_no_instant_is_not_guessed_at(given: Any) -> None:
    assert instants.from_event(given) is None


def test_digits_past_the_microsecond_are_known_to_be_cut_off() -> None:
    assert instants.from_event("2026-11-21T10:11:12.123456789Z") == ("2026-11-21T10:11:12.123456Z", False)
    assert instants.from_event("2026-11-21T10:11:12.123456000Z") == ("2026-11-21T10:11:12.123456Z", True)
    assert instants.from_event("2026-11-21T10:11:12." + "9" * 400 + "Z") == ("2026-11-21T10:11:12.999999Z", False)


def test_a_naive_datetime_is_local_time() -> None:
    naive = datetime.datetime.fromisoformat("2026-07-01T12:00:00")
    assert text_of(naive) == text_of(naive.astimezone(UTC))


def test_a_datetime_with_nanoseconds_is_known_to_be_cut_off() -> None:
    class Finer(datetime.datetime):
        """What a library with nanoseconds hands out."""

        nanosecond = 7

    assert instants.from_event(Finer(2026, 11, 21, tzinfo=UTC)) == ("2026-11-21T00:00:00.000000Z", False)


def test_a_time_with_ideas_of_its_own_is_no_instant() -> None:
    class Zone(datetime.tzinfo):
        def utcoffset(self, _: datetime.datetime | None) -> datetime.timedelta:
            raise RuntimeError("no offset")

        dst = utcoffset

        def tzname(self, _: datetime.datetime | None) -> str:
            return "none"

    class Odd(float):
        def __mul__(self, other: Any) -> Any:
            raise RuntimeError("no product")

    assert instants.from_event(datetime.datetime(2026, 11, 21, tzinfo=Zone())) is None
    assert text_of(Odd(1.5)) in (None, "1970-01-01T00:00:01.500000Z")
    for year in (1, 9999):  # whatever the local zone is
        edge = datetime.datetime.fromisoformat(f"{year:04}-01-01T00:00:00")
        assert text_of(edge) is None or instants.is_instant(text_of(edge))


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T10:11:12.123456Z\n", "2026-02-29T00:00:00.000000Z", "2026-11-21T10:11:12.12345Z",
        "0000-01-01T00:00:00.000000Z",
        "2026-11-21T10:11:60.123456Z", "2026-11-21 10:11:12.123456Z", "2026-00-21T10:11:12.123456Z", "", None, 5,
    ],
)  # fmt: skip
def test_only_27_characters_of_a_day_that_exists_are_an_instant(text: Any) -> None:
    assert not instants.is_instant(text)


@given(st.integers(FIRST, LAST))
def test_text_and_microseconds_say_the_same(us: int) -> None:
    text = instants.text(us)
    assert len(text) == 27
    assert instants.is_instant(text)
    assert instants.micros(text) == us
    assert instants.from_text(text) == (us, True)


@given(st.integers(FIRST, LAST), st.integers(FIRST, LAST))
def test_the_order_of_texts_is_the_order_of_time(one: int, other: int) -> None:
    assert (instants.text(one) < instants.text(other)) == (one < other)
    assert (instants.stamp(one) < instants.stamp(other)) == (one < other)


@given(st.integers())
def test_a_clock_that_says_anything_gives_an_instant(us: int) -> None:
    assert instants.is_instant(instants.text(us))
    if us < FIRST:
        assert instants.text(us).startswith("0001-01-01T00:00:00.")
    if us > LAST:
        assert instants.text(us).startswith("9999-12-31T23:59:59.")


@given(st.datetimes(timezones=st.timezones() | st.just(UTC)))
def test_an_aware_datetime_is_its_own_instant(moment: datetime.datetime) -> None:
    text = text_of(moment)
    if text is not None:
        assert datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) == moment.astimezone(UTC)


@given(st.floats() | st.integers(), st.booleans())
def test_any_number_is_an_instant_or_none(number: float, negative: bool) -> None:
    text = text_of(-number if negative else number)
    assert text is None or instants.is_instant(text)
