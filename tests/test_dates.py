"""Times as people write them become the instants that they mean, and nothing else does."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsonl_audit import QueryError, instants
from jsonl_audit.reader.dates import instant, micros

NOW = 1_795_255_872_000_000  # Saturday, 2026-11-21T10:11:12Z


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("2026-11-21", "2026-11-21T00:00:00"),
        ("20261121", "2026-11-21T00:00:00"),
        ("20261121T101112Z", "2026-11-21T10:11:12"),
        ("2026-1-2", "2026-01-02T00:00:00"),
        ("2026-11-21T10:11:12Z", "2026-11-21T10:11:12"),
        ("2026-11-21t10:11:12z", "2026-11-21T10:11:12"),
        ("2026-11-21 10:11", "2026-11-21T10:11:00"),
        ("2026-11-21 10:11:12", "2026-11-21T10:11:12"),
        ("2026-11-21 10:11:12 UTC", "2026-11-21T10:11:12"),
        ("2026-11-21T10:11:12+01:00", "2026-11-21T09:11:12"),
        ("2026-11-21T10:11:12 -0530", "2026-11-21T15:41:12"),
        ("2026-11-21 10:11+02", "2026-11-21T08:11:00"),
        ("1795255872", "2026-11-21T10:11:12"),
        ("1795255872.5", "2026-11-21T10:11:12.5"),
        ("1795255872000", "2026-11-21T10:11:12"),
        ("now", "2026-11-21T10:11:12"),
        ("today", "2026-11-21T00:00:00"),
        ("Yesterday", "2026-11-20T00:00:00"),
        ("tomorrow", "2026-11-22T00:00:00"),
        ("yesterday 14:30", "2026-11-20T14:30:00"),
        ("10:30", "2026-11-21T10:30:00"),
        ("saturday", "2026-11-21T00:00:00"),
        ("sun", "2026-11-15T00:00:00"),
        ("friday 9:00", "2026-11-20T09:00:00"),
        ("-2h", "2026-11-21T08:11:12"),
        ("2h", "2026-11-21T08:11:12"),
        ("2h ago", "2026-11-21T08:11:12"),
        ("2 hours ago", "2026-11-21T08:11:12"),
        ("90m", "2026-11-21T08:41:12"),
        ("30s", "2026-11-21T10:10:42"),
        ("3d", "2026-11-18T10:11:12"),
        ("1w", "2026-11-14T10:11:12"),
        ("1d12h", "2026-11-19T22:11:12"),
        ("1.5h", "2026-11-21T08:41:12"),
        ("+1h", "2026-11-21T11:11:12"),
        ("  3d  ", "2026-11-18T10:11:12"),
    ],
)
def test_what_is_written_means_an_instant(written: str, means: str) -> None:
    whole, _, fraction = means.partition(".")
    assert instant(written, now=NOW) == f"{whole}.{fraction.ljust(6, '0')}Z"


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("2026-11-21", "2026-11-22T00:00:00"),
        ("20261121", "2026-11-22T00:00:00"),
        ("yesterday", "2026-11-21T00:00:00"),
        ("today", "2026-11-22T00:00:00"),
        ("friday", "2026-11-21T00:00:00"),
        (date(2026, 11, 21), "2026-11-22T00:00:00"),
        ("yesterday 14:30", "2026-11-20T14:30:00"),
        ("2026-11-21T00:00", "2026-11-21T00:00:00"),
        ("now", "2026-11-21T10:11:12"),
        ("-2h", "2026-11-21T08:11:12"),
    ],
)
def test_a_day_as_an_end_includes_that_day_and_a_moment_does_not_move(written: str | date, means: str) -> None:
    assert instant(written, end=True, now=NOW) == f"{means}.000000Z"


def test_the_last_day_of_the_calendar_has_an_end() -> None:
    assert instant("9999-12-31", end=True) == "9999-12-31T23:59:59.999999Z"


def test_a_datetime_with_a_zone_is_that_moment_and_a_naive_one_is_local_time() -> None:
    moment = datetime(2026, 11, 21, 10, 11, 12, 5, tzinfo=timezone(timedelta(hours=1)))
    assert instant(moment) == "2026-11-21T09:11:12.000005Z"
    naive = datetime(2026, 11, 21, 10, 11, 12)  # noqa: DTZ001
    assert micros(naive) == round(naive.timestamp() * 10**6)


@pytest.mark.parametrize(("number", "second"), [(5, 5), (1.25, 1), (-5, -5), (1_795_255_872_000, 1_795_255_872)])
def test_a_number_counts_seconds_and_from_ten_to_the_eleventh_on_milliseconds(number: float, second: int) -> None:
    assert micros(number) // 10**6 == second


class Unshowable:
    """Its repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "nonsense",
    [
        "", " ", "x", "ago", "-", "2x", "2h 3x", "h2", "2026-13-01", "2026-02-30", "25:00", "10:61", "2026-11-21 24:00",
        "2026-11-21T10:11:12+25:00", "-5", "1e5", "99999999999999999999", "-99999999999w", "yesterdayish", "+2h ago",
        "٣d", "2026-11-21T", "T10:00", None, True, [], float("nan"), float("inf"), 10**30, b"2026", "9" * 10_000,
        "1d" * 5_000, object(), "2026", "1999",
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_words_that_help(nonsense: object) -> None:
    with pytest.raises(QueryError, match="is no time: ") as caught:
        micros(nonsense)
    assert "-2h" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_nonsense_that_cannot_be_shown_is_refused_all_the_same() -> None:
    for nonsense in (10**5000, Unshowable()):
        with pytest.raises(QueryError, match="is no time: "):
            micros(nonsense)


@given(st.text(max_size=40))
def test_any_text_is_an_instant_or_a_query_error(text: str) -> None:
    try:
        found = instant(text, now=NOW)
    except QueryError:
        return
    assert instants.is_instant(found)


@given(st.integers(0, 4 * 10**15))
def test_an_instant_as_it_lies_on_disk_means_itself(us: int) -> None:
    assert micros(instants.text(us)) == us
