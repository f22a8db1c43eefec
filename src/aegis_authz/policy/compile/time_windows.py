"""Time windows, turned into what Rego compares: minutes of a day, days of the week and the calendar."""

from __future__ import annotations

from aegis_authz.core.json_value import Json
from aegis_authz.policy.compile.comparisons import Check
from aegis_authz.policy.language.operators import OPERATORS, Operand, words_with
from aegis_authz.policy.language.values import WEEKDAYS, TimeRule, TimeWindow
from aegis_authz.policy.source.reader import Location

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FIRST, _LAST = "0000-01-01", "9999-12-31"


def time_checks(rule: TimeRule, at: Location) -> tuple[Check, ...]:
    """The checks of a time rule that stands at `at`, one for each word of it."""
    checks = []
    for word in words_with(Operand.WINDOWS):
        windows: tuple[TimeWindow, ...] | None = getattr(rule, OPERATORS[word].field)
        if windows is not None:
            compiled: list[Json] = [_window(window) for window in windows]
            checks.append(Check(word, [*map(window_text, windows)], rule.otherwise, {"windows": compiled}, (*at, word)))
    return tuple(checks)


def window_text(window: TimeWindow) -> str:
    """The window's name, or its own words."""
    if window.name is not None:
        return window.name
    days = ",".join(window.weekdays) if window.weekdays is not None else ""
    span = f"{window.since or ''}..{window.until or ''}" if window.since or window.until else ""
    return " ".join(part for part in (days, window.hours, span, window.zone) if part)


def _window(window: TimeWindow) -> Json:
    start, end = window.hours.split("-")
    weekdays = WEEKDAYS if window.weekdays is None else window.weekdays
    return {
        "zone": window.zone,
        "weekdays": [full for short, full in zip(WEEKDAYS, _DAYS, strict=True) if short in weekdays],
        "from": _minutes(start),
        "to": _minutes(end),
        "first": window.since or _FIRST,
        "last": window.until or _LAST,
        "holidays": sorted(window.holidays),
    }


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
