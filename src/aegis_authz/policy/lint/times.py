"""Lints of time windows: windows in which no moment lies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from aegis_authz.policy.language.operators import OPERATORS, Direction, Operand, words_with
from aegis_authz.policy.language.values import WEEKDAYS, TimeWindow
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import CONTEXT, Ground
from aegis_authz.policy.source.places import inside
from aegis_authz.policy.source.problems import quoted

_MOST_DAYS = 3660
_EFFECTS = {Direction.MEMBERSHIP: "it allows nothing", Direction.NEGATIVE: "it excludes nothing"}
_WORDS = [(word, _EFFECTS[OPERATORS[word].direction]) for word in words_with(Operand.WINDOWS)]


def time_findings(ground: Ground) -> Iterator[Finding]:
    """Each window without a moment; one that is defined is told of where it is defined."""
    never: dict[str, str] = {}
    for rule in ground.rules():
        time = rule.rule.conditions.context.time
        for word, effect in _WORDS if time is not None else ():
            for position, window in enumerate(getattr(time, word) or ()):
                why = _never(window, ground.now)
                at = (*CONTEXT, "time", word, position)
                if why is None:
                    continue
                if isinstance(rule.raw(at), str) and window.name is not None:
                    never[window.name] = f"{why}, and whatever uses it means no moment"
                else:
                    yield finding_of("time-never", rule.problem(at, f"{why}: {effect}"))
    for source in ground.beside:
        defined = inside(source.value, ("define", "time_windows"))
        for name in defined if isinstance(defined, dict) else ():
            if name in never:
                problem = source.problem(("define", "time_windows", name), never[name], on_key=True)
                yield finding_of("time-never", problem)


def _never(window: TimeWindow, now: datetime) -> str | None:
    """Why no moment from `now` on, or none at all, lies in the window."""
    until = None if window.until is None else date.fromisoformat(window.until)
    if window.since is not None and until is not None:
        day = date.fromisoformat(window.since)
        if (until - day).days < _MOST_DAYS and not any(_is_open(window, candidate) for candidate in _days(day, until)):
            return f"no day from {window.since} until {window.until} is one of its weekdays and no holiday"
    if until is not None and now.astimezone(ZoneInfo(window.zone)).date() > until:
        name = f"{quoted(window.name)} " if window.name else ""
        return f"the window {name}ended on {until.isoformat()}"
    return None


def _is_open(window: TimeWindow, day: date) -> bool:
    weekdays = WEEKDAYS if window.weekdays is None else window.weekdays
    return WEEKDAYS[day.weekday()] in weekdays and day.isoformat() not in window.holidays


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
