"""The parts of the calendar, where clocks change and where they do not."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.charge import Fixed
from aegis_authz.core.limit import CalendarWindow, Period
from aegis_authz.limits.windows import fixed_window

HOURS = 3_600_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("period", "zone", "now", "starts_at", "hours"),
    [
        (Period.DAY, "UTC", "2026-05-01T23:59:59+00:00", "2026-05-01T00:00:00+00:00", 24),
        (Period.DAY, "Europe/Berlin", "2026-05-01T22:00:00+00:00", "2026-05-02T00:00:00+02:00", 24),
        # the clock is put forward on 29 March 2026 and back on 25 October 2026
        (Period.DAY, "Europe/Berlin", "2026-03-29T12:00:00+02:00", "2026-03-29T00:00:00+01:00", 23),
        (Period.DAY, "Europe/Berlin", "2026-10-25T23:59:59+01:00", "2026-10-25T00:00:00+02:00", 25),
        (Period.WEEK, "Europe/Berlin", "2026-10-25T23:59:59+01:00", "2026-10-19T00:00:00+02:00", 169),
        (Period.MONTH, "Europe/Berlin", "2026-03-31T23:59:59+02:00", "2026-03-01T00:00:00+01:00", 743),
        (Period.MONTH, "UTC", "2028-02-29T00:00:00+00:00", "2028-02-01T00:00:00+00:00", 696),
        (Period.MONTH, "UTC", "2026-12-31T23:59:59+00:00", "2026-12-01T00:00:00+00:00", 744),
        (Period.HOUR, "Asia/Kathmandu", "2026-05-01T00:10:00+00:00", "2026-05-01T05:00:00+05:45", 1),
        # the hour from two to three comes twice, and is two hours
        (Period.HOUR, "Europe/Berlin", "2026-10-25T00:30:00+00:00", "2026-10-25T02:00:00+02:00", 1),
        (Period.HOUR, "Europe/Berlin", "2026-10-25T01:30:00+00:00", "2026-10-25T02:00:00+01:00", 1),
        # Cairo puts its clock forward at midnight: the day begins at one
        (Period.DAY, "Africa/Cairo", "2026-04-24T12:00:00+03:00", "2026-04-24T01:00:00+03:00", 23),
    ],
)
def test_a_moment_lies_in_its_part_of_the_calendar(
    period: Period, zone: str, now: str, starts_at: str, hours: int
) -> None:
    window = fixed_window(CalendarWindow(period, zone), at(now))
    assert window == Fixed(at(starts_at), at(starts_at) + hours * HOURS)


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "Asia/Beirut"]
)
MOMENTS = st.integers(at("2020-01-01T00:00:00+00:00"), at("2036-01-01T00:00:00+00:00"))


@given(st.sampled_from(Period), ZONES, MOMENTS)
def test_every_moment_lies_in_exactly_its_window(period: Period, zone: str, now: int) -> None:
    calendar = CalendarWindow(period, zone)
    window = fixed_window(calendar, now)
    assert window.starts_at <= now < window.ends_at
    assert fixed_window(calendar, window.ends_at).starts_at >= window.ends_at - HOURS // 2
    if period is not Period.HOUR:
        assert fixed_window(calendar, window.starts_at) == window
        assert fixed_window(calendar, window.ends_at).starts_at == window.ends_at
        assert fixed_window(calendar, window.ends_at - 1) == window


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Havana", "Australia/Lord_Howe"])
def test_the_days_of_a_year_follow_each_other_without_a_gap(zone: str) -> None:
    calendar, now, windows = CalendarWindow(Period.DAY, zone), at("2026-01-01T12:00:00+00:00"), list[Fixed]()
    for _ in range(370):
        windows.append(fixed_window(calendar, now))
        now = windows[-1].ends_at
    assert all(before.ends_at == after.starts_at for before, after in pairwise(windows))
    dates = [
        datetime.fromtimestamp(window.starts_at / 1000, UTC).astimezone(ZoneInfo(zone)).date() for window in windows
    ]
    assert len(set(dates)) == 370
