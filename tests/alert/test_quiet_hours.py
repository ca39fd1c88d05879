"""Quiet hours and daily times by the clock of a place, through the changes of its clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.alert.quiet_hours import parse_daily, parse_quiet_hours

NIGHT = parse_quiet_hours("22:00-07:00 Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        ("2026-11-23T20:59", False),
        ("2026-11-23T21:00", True),
        ("2026-11-24T05:59", True),
        ("2026-11-24T06:00", False),
        ("2026-07-23T20:00", True),
        ("2026-07-24T05:00", False),
    ],
)
def test_the_night_goes_by_the_clock_of_the_place(moment: str, quiet: bool) -> None:
    assert NIGHT.covers(utc(moment)) is quiet


def test_hours_of_one_day_and_without_a_time_zone() -> None:
    lunch = parse_quiet_hours("12:00 - 13:30")
    assert [lunch.covers(utc(f"2026-11-23T{at}")) for at in ("11:59", "12:00", "13:29", "13:30")] == [
        False,
        True,
        True,
        False,
    ]


def test_the_end_of_the_night_is_the_same_on_the_clock_when_the_clocks_change() -> None:
    ends = [NIGHT.end.next_after(utc(f"2026-03-{day}T22:30")) for day in (27, 28, 29)]
    assert ends == [utc("2026-03-28T06:00"), utc("2026-03-29T05:00"), utc("2026-03-30T05:00")]


@given(st.integers(1_577_836_800, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_the_next_time_is_later_and_within_a_day_and_an_hour(moment: datetime) -> None:
    for place in (NIGHT.end, parse_daily("daily"), parse_daily("daily 02:30 America/New_York")):
        assert timedelta() < place.next_after(moment) - moment <= timedelta(hours=25)
    if NIGHT.covers(moment):
        assert not NIGHT.covers(NIGHT.end.next_after(moment))


def test_a_digest_is_at_eight_where_nothing_else_is_said() -> None:
    assert parse_daily("daily").next_after(utc("2026-11-23T08:00")) == utc("2026-11-24T08:00")
    assert parse_daily("Daily 07:30 Europe/Berlin").next_after(utc("2026-11-23T03:00")) == utc("2026-11-23T06:30")


@pytest.mark.parametrize("text", ["22-7", "22:00-24:00", "22:00-22:00", "22:00-07:00 Mars/Olympus", "22:00-07:00 ../x"])
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Europe/Berlin|same time"):
        parse_quiet_hours(text)


@pytest.mark.parametrize("text", ["weekly", "true", "daily 8:00", "daily 08:00 Mars/Olympus"])
def test_a_digest_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Europe/Berlin"):
        parse_daily(text)
