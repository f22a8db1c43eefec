"""The parts of the calendar, in their time zones: which one a moment lies in, exact where clocks change.

A day is 23 or 25 hours long where its clock is put forward or back, and begins at the first midnight of its date. An
hour of the clock that comes twice is two hours.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from aegis_authz.core.charge import Fixed, Rolling, Span
from aegis_authz.core.limit import CalendarWindow, Period, Window
from aegis_authz.core.units import Millis

QUARTER = 900_000
"""Milliseconds in which no part of the calendar begins: since 1972 offsets and their changes are multiples of it."""
_HOUR = 3600


def span_of(window: Window, now: Millis) -> Span:
    """What a window counts over at a moment."""
    return fixed_window(window, now) if isinstance(window, CalendarWindow) else Rolling(window.length)


def fixed_window(window: CalendarWindow, now: Millis) -> Fixed:
    """The window of the calendar that a moment lies in."""
    return _window_at(window.period.value, window.zone, now // QUARTER)


@lru_cache(maxsize=1024)  # by texts, whose hashes are remembered
def _window_at(name: str, place: str, quarter: int) -> Fixed:
    period, moment, zone = Period(name), quarter * QUARTER // 1000, ZoneInfo(place)
    local = datetime.fromtimestamp(moment, zone)
    if period is Period.HOUR:
        offset = int((local.utcoffset() or timedelta()).total_seconds())
        starts_at = (moment + offset) // _HOUR * _HOUR - offset
        return Fixed(Millis(starts_at * 1000), Millis((starts_at + _HOUR) * 1000))
    first = _first(period, local.date())
    starts_at, ends_at = _midnight(first, zone), _midnight(_next(period, first), zone)
    if moment < starts_at:  # a clock that was put back over midnight: the new date had begun before
        first, ends_at = _first(period, first - timedelta(days=1)), starts_at
        starts_at = _midnight(first, zone)
    elif moment >= ends_at:
        starts_at, ends_at = ends_at, _midnight(_next(period, _next(period, first)), zone)
    return Fixed(Millis(starts_at * 1000), Millis(ends_at * 1000))


def _first(period: Period, day: date) -> date:
    """The first day of the week or month, or the day itself."""
    if period is Period.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period is Period.MONTH else day


def _next(period: Period, first: date) -> date:
    if period is Period.WEEK:
        return first + timedelta(days=7)
    if period is Period.MONTH:
        return _first(period, first + timedelta(days=31))
    return first + timedelta(days=1)


def _midnight(day: date, zone: ZoneInfo) -> int:
    # the first of two midnights, and where a change of clocks left it out, the moment of the change (PEP 495)
    return int(datetime(day.year, day.month, day.day, tzinfo=zone, fold=0).astimezone(UTC).timestamp())
