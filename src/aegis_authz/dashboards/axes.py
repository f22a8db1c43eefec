"""Where the marks of an axis stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 5.0, 10.0)
_CLOCK_STEPS = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0)
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Axis:
    """From where to where an axis goes, and the values of its marks, all of them within."""

    low: float
    high: float
    marks: tuple[float, ...]

    def share(self, value: float) -> float:
        """How far along the axis a value is, 0 to 1 from end to end."""
        return (value - self.low) / (self.high - self.low)


def value_axis(values: Sequence[float], most: int) -> Axis:
    """An axis for these values, from 0 or below, with at most so many marks at round values."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    if low == high:
        high = 1.0
    step = _round_step((high - low) / (most - 1))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(first * step, last * step, tuple(number * step for number in range(first, last + 1)))


def time_axis(start: float, end: float, most: int) -> Axis:
    """An axis from `start` to `end`, in epoch seconds, with at most so many marks at full minutes, hours or days."""
    span = end - start
    step = next((step for step in _CLOCK_STEPS if span / step <= most), _DAY * math.ceil(span / _DAY / most))
    first = math.ceil(start / step)
    return Axis(start, end, tuple(number * step for number in range(first, math.floor(end / step) + 1)))


def _round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is no less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in _STEPS if factor * power >= least * (1 - 1e-9))
