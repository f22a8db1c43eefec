"""The terms of one limit: from what is written to the value of the core, and how people are told of it."""

from __future__ import annotations

from aegis_authz.core.json_value import Json
from aegis_authz.core.limit import (
    Budget,
    CalendarWindow,
    Concurrency,
    Count,
    Distinct,
    Flags,
    OfParameter,
    Period,
    Rate,
    RollingWindow,
    Terms,
    Window,
)
from aegis_authz.core.money import decimal_text
from aegis_authz.core.units import Micros, Millis
from aegis_authz.policy.language.limits import (
    CALENDAR,
    BudgetLimit,
    ConcurrencyLimit,
    CountLimit,
    DistinctLimit,
    FlagTerms,
    RateLimit,
    SetFlags,
    Windowed,
    seconds_of,
)

LimitTerms = BudgetLimit | RateLimit | CountLimit | DistinctLimit | ConcurrencyLimit | SetFlags | FlagTerms
"""One limit as it is written."""

_DEFAULT_ZONE = "UTC"
_DEFAULT_LIFE = Millis(86_400_000)
_SPANS = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second"))


def terms_of(word: str, words: LimitTerms) -> Terms:
    """The value of the core of what a word says."""
    match words:
        case BudgetLimit():
            return Budget(Micros(words.amount), words.currency, _window(words), _summed(words))
        case RateLimit():
            per = Millis(words.seconds * 1000)
            return Rate(words.calls, per, words.calls if words.burst is None else words.burst)
        case CountLimit():
            return Count(words.max, _window(words))
        case DistinctLimit():
            return Distinct(words.parameter, words.max, _window(words))
        case ConcurrencyLimit():
            return Concurrency(words.max, _millis(words.life))
        case SetFlags():
            return Flags(_sorted(words.flags), (), (), _millis(words.life))
        case FlagTerms():
            flags = _sorted(words.flags)
            return Flags((), flags if word == "requires" else (), flags if word == "unless" else (), _DEFAULT_LIFE)


def basis_of(terms: Terms) -> list[Json]:
    """What is counted, without how much of it is allowed."""
    match terms:
        case Rate(_, per, _):
            return ["rate", per]
        case Budget(_, currency, window, of):
            if of is None:
                return ["budget", currency, *_window_data(window)]
            money: list[Json] = [currency, of.parameter, of.micros, of.currency_parameter]
            return ["sum", *money, *_window_data(window)]
        case Count(_, window):
            return ["count", *_window_data(window)]
        case Distinct(parameter, _, window):
            return ["distinct", parameter, *_window_data(window)]
        case Concurrency():
            return ["concurrency"]
        case Flags(sets, requires, unless, _):
            return ["flags", [*sets], [*requires], [*unless]]


def size(terms: Terms) -> int:
    """How much is allowed, to tell limits apart that count the same."""
    match terms:
        case Rate(calls, _, burst):
            return calls * 1_000_000_000 + burst
        case Budget(amount, _, _, _):
            return amount
        case Count(most, _) | Distinct(_, most, _) | Concurrency(most, _):
            return most
        case Flags():
            return 0


def phrase(terms: Terms) -> str:
    """The terms in a few words, as refusals and explanations name them."""
    match terms:
        case Rate(calls, per, burst):
            at_once = "" if burst == calls else f", {burst} at once"
            return f"{_calls(calls)} {_per(per)}{at_once}"
        case Budget(amount, currency, window, of):
            subject = "" if of is None else f" of {of.parameter}"
            return f"{decimal_text(amount)} {currency}{subject} {_within(window)}"
        case Count(most, window):
            return f"{_calls(most)} {_within(window)}"
        case Distinct(parameter, most, window):
            return f"{most} different {parameter} {_within(window)}"
        case Concurrency(most, _):
            return f"{_calls(most)} at once"
        case Flags(sets, requires, unless, life):
            words = [f"sets {', '.join(sets)} for {span(life)}"] if sets else []
            words += [f"requires {', '.join(requires)}"] if requires else []
            return "; ".join([*words, *([f"unless {', '.join(unless)}"] if unless else [])])


def span(length: Millis) -> str:
    """A length of time in words: `90 minutes`."""
    for unit, name in _SPANS:
        if length % unit == 0:
            number = length // unit
            return f"{number} {name}" if number == 1 else f"{number} {name}s"
    return f"{length} ms"


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{number} calls"


def _per(length: Millis) -> str:
    words = span(length)
    return f"a {words[2:]}" if words.startswith("1 ") else f"in {words}"


def _within(window: Window) -> str:
    if isinstance(window, RollingWindow):
        return f"in {span(window.length)}"
    zone = "" if window.zone == _DEFAULT_ZONE else f" of {window.zone}"
    return f"a {window.period.value}{zone}"


def _window(words: Windowed) -> Window:
    if words.per in CALENDAR:
        return CalendarWindow(Period(words.per), words.zone or _DEFAULT_ZONE)
    return RollingWindow(_millis(words.per))


def _window_data(window: Window) -> list[Json]:
    return [window.length] if isinstance(window, RollingWindow) else [window.period.value, window.zone]


def _summed(words: BudgetLimit) -> OfParameter | None:
    if isinstance(words.of, str):
        return None
    return OfParameter(words.of.parameter, Micros(words.of.unit), words.of.currency_parameter or "")


def _millis(duration: str) -> Millis:
    return Millis(seconds_of(duration) * 1000)


def _sorted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names))
