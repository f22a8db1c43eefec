"""Spend as charts: bars in order, and where each is drawn. Whole numbers; the page draws them as SVG."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aegis_authz.evidence.spend import Dimension, SpendRow

DAY = 86_400
BY = (Dimension.TENANT, Dimension.AGENT, Dimension.TOOL, Dimension.DAY)
"""What rows of charts are added up by."""

_MOST_BARS = 12
"""Bars of one chart; whatever is less is one more bar together."""
_WIDTH, _ROW, _BAR_TOP, _BAR = 480, 40, 20, 12
_DAYS_HEIGHT, _DAYS_TOP = 160, 20


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A bar's place, in units of the drawing."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One value. `micros` are all, `unsettled` the part that is estimated; each is drawn in a place of its own."""

    label: str
    micros: int
    unsettled: int
    calls: int
    settled_at: Rectangle
    estimated_at: Rectangle


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of one currency by one dimension; `others` is how many values the last bar is of, 0 where it is one."""

    by: Dimension
    currency: str
    bars: tuple[Bar, ...]
    others: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class CurrencySheet:
    """All that was spent in one currency: by day, tenant, agent and tool."""

    currency: str
    micros: int
    unsettled: int
    calls: int
    charts: tuple[Chart, ...]


@dataclass(frozen=True, slots=True)
class _Total:
    micros: int
    unsettled: int
    calls: int

    def __add__(self, other: _Total) -> _Total:
        return _Total(self.micros + other.micros, self.unsettled + other.unsettled, self.calls + other.calls)


_NOTHING = _Total(0, 0, 0)


def first_day(now: float, days: int) -> float:
    """The beginning (UTC) of the first of so many days, of which today is the last."""
    return float((int(now) // DAY - days + 1) * DAY)


def sheets_of(rows: Sequence[SpendRow], since: float, days: int) -> list[CurrencySheet]:
    """The charts of rows that are added up by `BY`, for so many days from `since` on, a sheet a currency."""
    return [_sheet(currency, rows, since, days) for currency in sorted({row.currency for row in rows})]


def _sheet(currency: str, rows: Sequence[SpendRow], since: float, days: int) -> CurrencySheet:
    own = [row for row in rows if row.currency == currency]
    total = sum(map(_total, own), _NOTHING)
    charts = (
        _days_chart(currency, own, since, days),
        *(_values_chart(currency, own, dimension) for dimension in BY if dimension is not Dimension.DAY),
    )
    return CurrencySheet(currency, total.micros, total.unsettled, total.calls, charts)


def _total(row: SpendRow) -> _Total:
    return _Total(row.micros, row.unsettled, row.calls)


def _totals(rows: Sequence[SpendRow], dimension: Dimension) -> dict[str, _Total]:
    totals: dict[str, _Total] = {}
    for row in rows:
        value = row.key[BY.index(dimension)]
        totals[value] = totals.get(value, _NOTHING) + _total(row)
    return totals


def _values_chart(currency: str, rows: Sequence[SpendRow], dimension: Dimension) -> Chart:
    ranked = sorted(_totals(rows, dimension).items(), key=lambda entry: (-entry[1].micros, entry[0]))
    others = len(ranked) - _MOST_BARS if len(ranked) > _MOST_BARS + 1 else 0
    if others:
        rest = sum((total for _, total in ranked[_MOST_BARS:]), _NOTHING)
        ranked = [*ranked[:_MOST_BARS], (f"{others} others", rest)]
    most = max((total.micros for _, total in ranked), default=0)
    bars = tuple(_lying(label, total, most, number) for number, (label, total) in enumerate(ranked))
    return Chart(dimension, currency, bars, others, _WIDTH, len(bars) * _ROW)


def _lying(label: str, total: _Total, most: int, number: int) -> Bar:
    length = _scaled(total.micros, most, _WIDTH)
    estimated = _scaled(total.unsettled, most, _WIDTH)
    y = number * _ROW + _BAR_TOP
    return Bar(
        label,
        total.micros,
        total.unsettled,
        total.calls,
        Rectangle(0, y, length - estimated, _BAR),
        Rectangle(length - estimated, y, estimated, _BAR),
    )


def _days_chart(currency: str, rows: Sequence[SpendRow], since: float, days: int) -> Chart:
    totals = _totals(rows, Dimension.DAY)
    series = [(name, totals.get(name, _NOTHING)) for name in _days(since, days)]
    most = max((total.micros for _, total in series), default=0)
    bars = tuple(_standing(name, total, most, number, days) for number, (name, total) in enumerate(series))
    return Chart(Dimension.DAY, currency, bars, 0, _WIDTH, _DAYS_TOP + _DAYS_HEIGHT)


def _days(since: float, days: int) -> Iterator[str]:
    for number in range(days):
        yield time.strftime("%Y-%m-%d", time.gmtime(since + number * DAY))


def _standing(label: str, total: _Total, most: int, number: int, days: int) -> Bar:
    left, right = number * _WIDTH // days, (number + 1) * _WIDTH // days
    width = max(1, right - left - (1 if days <= _WIDTH // 4 else 0))
    height = _scaled(total.micros, most, _DAYS_HEIGHT)
    estimated = _scaled(total.unsettled, most, _DAYS_HEIGHT)
    top = _DAYS_TOP + _DAYS_HEIGHT - height
    return Bar(
        label,
        total.micros,
        total.unsettled,
        total.calls,
        Rectangle(left, top + estimated, width, height - estimated),
        Rectangle(left, top, width, estimated),
    )


def _scaled(micros: int, most: int, length: int) -> int:
    """The length of an amount; one that is more than nothing is seen."""
    return 0 if micros <= 0 or most <= 0 else max(1, micros * length // most)
