"""Values as Grafana's units write them, as far as the dashboards of deploy/grafana use these."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from aegis_authz.core.units import Epoch

_THOUSANDS = ("", " K", " Mil", " Bil", " Tri")
_BYTES = (" B", " KiB", " MiB", " GiB", " TiB")
_BELOW_A_SECOND = ((1e-3, 1e3, " ms"), (0.0, 1e6, " µs"))
_ABOVE = ((86_400.0, " days"), (3_600.0, " hours"), (60.0, " mins"))
_MINUTES, _DAY = 600.0, 86_400.0
"""Up to how many seconds marks need their second, and up to how many no date."""
_DIGITS = 3
"""Significant digits, as many as fit beside an axis."""


def value_text(value: float, unit: str) -> str:
    """The value in this unit of Grafana's; one that is not known is written as `short`."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    return _WRITERS.get(unit, _short)(value)


def time_text(moment: Epoch, span: float) -> str:
    """A moment beside a time axis of so many seconds, in UTC."""
    form = "%H:%M:%S" if span <= _MINUTES else "%H:%M" if span <= _DAY else "%m-%d %H:%M"
    return datetime.fromtimestamp(moment, UTC).strftime(form)


def _digits(value: float) -> str:
    """Up to three significant digits, without an exponent and without zeros at the end."""
    if not value:
        return "0"
    places = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(places, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(value: float, base: float, suffixes: Sequence[str]) -> str:
    place = 0
    while abs(value) >= base and place < len(suffixes) - 1:
        value, place = value / base, place + 1
    return f"{_digits(value)}{suffixes[place]}"


def _short(value: float) -> str:
    return _scaled(value, 1000.0, _THOUSANDS)


def _bytes(value: float) -> str:
    return _scaled(value, 1024.0, _BYTES)


def _share(value: float) -> str:
    return f"{_digits(value * 100)} %"


def _seconds(value: float) -> str:
    size = abs(value)
    if size == 0 or 1 <= size < _ABOVE[-1][0]:
        return f"{_digits(value)} s"
    if size < 1:
        factor, suffix = next((factor, suffix) for least, factor, suffix in _BELOW_A_SECOND if size >= least)
        return f"{_digits(value * factor)}{suffix}"
    length, suffix = next(each for each in _ABOVE if size >= each[0])
    return f"{_digits(value / length)}{suffix}"


_WRITERS: Mapping[str, Callable[[float], str]] = MappingProxyType(
    {
        "short": _short,
        "bytes": _bytes,
        "percentunit": _share,
        "s": _seconds,
        "reqps": lambda value: f"{_short(value)} req/s",
        "cps": lambda value: f"{_short(value)} c/s",
    }
)
