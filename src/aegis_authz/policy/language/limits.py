"""The words of limits: how much, how often, how many at once and in which order calls may be made.

They stand in a rule of `allowed_tools`, or in an entry of a document's own `limits`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
    model_validator,
)

from aegis_authz.core.limit import (
    MOST_CONCURRENT,
    MOST_COUNT,
    MOST_DISTINCT,
    MOST_FLAGS,
    MOST_MICROS,
    MOST_PACE,
    MOST_RATE,
    MOST_WINDOW,
)
from aegis_authz.core.money import MICRO, micros_of
from aegis_authz.policy.language.costs import Currency
from aegis_authz.policy.language.types import LISTED, NOT_EMPTY, ONE_OR_MORE, UNIQUE, Name, Words, Zone
from aegis_authz.policy.language.validation import Part
from aegis_authz.policy.language.values import Otherwise
from aegis_authz.policy.source.problems import did_you_mean, quoted

Exceed = Literal["deny", "approval_needed", "sanitize", "observe"]
"""What becomes of a call beyond a limit, the strictest first."""
Whose = Literal["agent", "tenant"]
"""Whose calls are counted together."""

CALENDAR = ("hour", "day", "week", "month")
"""Windows that begin with the calendar of a zone; a week begins on Monday."""

_LONGEST_DAYS = MOST_WINDOW // 86_400_000
_MOST_UNITS = MOST_MICROS // MICRO
_LONGEST_PACE = MOST_PACE // 1000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])\Z")
_RATES = {"second": "s", "minute": "m", "hour": "h", "day": "d"}
_SHORT_RATES = {**{unit: unit for unit in _UNITS}, **_RATES, "sec": "s", "min": "m"}
_SHORT_BUDGET = re.compile(r"(\S+) (\S+)/(\S+)\Z")
_SHORT_COUNT = re.compile(r"([0-9]{1,12})/(\S+)\Z")


def seconds_of(duration: str) -> int:
    """How long a duration such as 24h is. Raises ValueError for any other text."""
    match = _DURATION.match(duration)
    length = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < length <= _LONGEST_DAYS * 86_400:
        raise ValueError(f"{quoted(duration)} is not a duration such as 30s, 15m, 24h or 7d, at most {_LONGEST_DAYS}d")
    return length


def _duration(value: str) -> str:
    seconds_of(value)
    return value


def _window(value: str) -> str:
    if value in CALENDAR:
        return value
    try:
        return _duration(value)
    except ValueError:
        near = did_you_mean(value, CALENDAR) if value.isalpha() else ""
        raise ValueError(
            f"{quoted(value)} is neither hour, day, week or month nor a duration such as 90m, 24h or 7d{near}"
        ) from None


def _rate_window(value: str) -> str:
    if value in _RATES:
        return value
    try:
        length = seconds_of(value)
    except ValueError:
        near = did_you_mean(value, _RATES) if value.isalpha() else ""
        raise ValueError(
            f"{quoted(value)} is neither second, minute, hour or day nor a duration such as 10s{near}"
        ) from None
    if length > _LONGEST_PACE:
        raise ValueError("a rate is spread over a day at most; write count for a longer time")
    return value


def _amount(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number such as 500 or 0.25")  # noqa: TRY004  # for pydantic
    if not 0 < value <= _MOST_UNITS:
        raise ValueError(f"must be more than 0 and at most {_MOST_UNITS}")
    try:
        return micros_of(value)
    except ValueError:
        raise ValueError("must have at most 6 decimals") from None


def _plain_parameter(value: str) -> str:
    if value.startswith("/"):
        raise ValueError("a limit is about a parameter by its name, and not by a JSON pointer")
    return value


def _times(most: int) -> tuple[PlainValidator, WithJsonSchema]:
    def whole(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("must be a whole number")  # noqa: TRY004  # pydantic wants ValueError
        if not 0 < value <= most:
            raise ValueError(f"must be more than 0 and at most {most}")
        return value

    return PlainValidator(whole), WithJsonSchema({"type": "integer", "exclusiveMinimum": 0, "maximum": most})


Duration = Annotated[str, AfterValidator(_duration)]
Window = Annotated[str, AfterValidator(_window)]
RateWindow = Annotated[str, AfterValidator(_rate_window)]
Amount = Annotated[
    int, PlainValidator(_amount), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _MOST_UNITS})
]
"""A number of units of a currency, as micro-units."""
Times = Annotated[int, *_times(MOST_COUNT)]
RateTimes = Annotated[int, *_times(MOST_RATE)]
DistinctTimes = Annotated[int, *_times(MOST_DISTINCT)]
ConcurrentTimes = Annotated[int, *_times(MOST_CONCURRENT)]
ParameterName = Annotated[Words, AfterValidator(_plain_parameter)]
FlagNames = Annotated[tuple[Name, ...], LISTED, NOT_EMPTY, UNIQUE, Field(max_length=MOST_FLAGS)]


class Limit(Part):
    """What every limit says: what becomes of a call beyond it. Left out, what its rule or entry says."""

    on_exceed: Exceed | None = None


class Windowed(Limit):
    """A limit of a window: one of the calendar in a zone, or the last so many hours."""

    per: Window
    zone: Zone | None = None

    @model_validator(mode="after")
    def _has_a_zone_with_a_calendar(self) -> Windowed:
        if self.zone is not None and self.per not in CALENDAR:
            raise ValueError(f"zone is about a window of the calendar; the last {self.per} are the same everywhere")
        return self


class OfParameter(Part):
    """What a budget sums where it is not the cost of calls: a parameter that says what is paid.

    1 of the parameter is `unit` of the currency: 0.01 where it is written in cents. `currency_parameter` is the
    parameter that names the currency of the call, which must be the budget's.
    """

    parameter: ParameterName
    unit: Amount = 1_000_000
    currency_parameter: ParameterName | None = None


def _kind_of_sum(value: object) -> str:
    return "[own]" if isinstance(value, dict | OfParameter) else "[key]"


CostOrParameter = Annotated[
    Annotated[Literal["cost"], Tag("[key]")] | Annotated[OfParameter, Tag("[own]")], Discriminator(_kind_of_sum)
]


class BudgetLimit(Windowed):
    """At most this much in a window: of what calls cost, or of what a parameter says is paid."""

    amount: Amount
    currency: Currency
    of: CostOrParameter = "cost"


class RateLimit(Limit):
    """So many calls in a time, evenly; `burst` at once, as many as `calls` unless it says otherwise."""

    calls: RateTimes
    per: RateWindow
    burst: RateTimes | None = None

    @property
    def seconds(self) -> int:
        """The length of its window."""
        return _UNITS[_RATES[self.per]] if self.per in _RATES else seconds_of(self.per)


class CountLimit(Windowed):
    """At most so many calls in a window."""

    max: Times


class DistinctLimit(Windowed):
    """At most so many different values of a parameter in a window."""

    parameter: ParameterName
    max: DistinctTimes


class ConcurrencyLimit(Limit):
    """At most so many calls under way at once; one that never ends counts for its `life`."""

    max: ConcurrentTimes
    life: Duration = "10m"


class SetFlags(Part):
    """Flags that a call which went through leaves behind, for their `life`."""

    flags: FlagNames
    life: Duration = "24h"


class FlagTerms(Part):
    """Flags that must be there, or must not; `otherwise` says what it means when that is not so."""

    flags: FlagNames
    otherwise: Otherwise = Field(default="deny", alias="else")


def budget_of(value: object) -> object:
    """What the short form `500 USD/day` stands for."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("must say of which currency and in which time, such as 500 USD/day")  # noqa: TRY004  # for pydantic
    if not isinstance(value, str):
        return value
    match = _SHORT_BUDGET.match(value)
    if match is None:
        raise ValueError(f"{quoted(value)} is not an amount, a currency and a window, such as 500 USD/day")
    return {"amount": _number(match[1]), "currency": match[2], "per": match[3]}


def _number(text: str) -> object:
    """The amount of a short form as a number; what is none stays a text and is refused as one."""
    if re.match(r"-?[0-9]{1,18}\Z", text):
        return int(text)
    return float(text) if re.match(r"-?[0-9]{1,15}\.[0-9]{1,18}\Z", text) else text


def rate_of(value: object) -> object:
    """What the short form `3/s` stands for."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("must say in which time, such as 3/s")  # noqa: TRY004  # for pydantic
    if not isinstance(value, str):
        return value
    match = _SHORT_COUNT.match(value)
    if match is None or match[2] not in _SHORT_RATES:
        raise ValueError(f"{quoted(value)} is not a number of calls and a time, such as 3/s, 100/min or 1000/h")
    words = {unit: word for word, unit in _RATES.items()}
    return {"calls": int(match[1]), "per": words[_SHORT_RATES[match[2]]]}


def count_of(value: object) -> object:
    """What the short form `100/day` stands for."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("must say in which time, such as 100/day")  # noqa: TRY004  # for pydantic
    if not isinstance(value, str):
        return value
    match = _SHORT_COUNT.match(value)
    if match is None:
        raise ValueError(f"{quoted(value)} is not a number of calls and a window, such as 100/day")
    return {"max": int(match[1]), "per": match[2]}


def concurrency_of(value: object) -> object:
    """What a number alone stands for."""
    return {"max": value} if isinstance(value, int) and not isinstance(value, bool) else value


def flags_of(value: object) -> object:
    """What a list alone stands for."""
    return {"flags": value} if isinstance(value, list) else value


Budgets = Annotated[tuple[Annotated[BudgetLimit, BeforeValidator(budget_of)], ...], ONE_OR_MORE, NOT_EMPTY]
Rates = Annotated[tuple[Annotated[RateLimit, BeforeValidator(rate_of)], ...], ONE_OR_MORE, NOT_EMPTY]
Counts = Annotated[tuple[Annotated[CountLimit, BeforeValidator(count_of)], ...], ONE_OR_MORE, NOT_EMPTY]
Distincts = Annotated[tuple[DistinctLimit, ...], ONE_OR_MORE, NOT_EMPTY]

COUNTED = ("budget", "rate_limit", "count", "distinct", "concurrency")
"""The words that count something and may be exceeded."""
ORDERED = ("sets", "requires", "unless")
"""The words about the order of calls."""
LIMIT_WORDS = (*COUNTED, *ORDERED)


class Limited(Part):
    """What a rule that allows and an entry of `limits` both may say. `per` says whose calls count together."""

    budget: Budgets | None = None
    rate_limit: Rates | None = None
    count: Counts | None = None
    distinct: Distincts | None = None
    concurrency: Annotated[ConcurrencyLimit, BeforeValidator(concurrency_of)] | None = None
    sets: Annotated[SetFlags, BeforeValidator(flags_of)] | None = None
    requires: Annotated[FlagTerms, BeforeValidator(flags_of)] | None = None
    unless: Annotated[FlagTerms, BeforeValidator(flags_of)] | None = None
    on_exceed: Exceed | None = None
    per: Whose | None = None

    @property
    def is_limited(self) -> bool:
        """Whether it limits anything."""
        return any(getattr(self, word) is not None for word in LIMIT_WORDS)
