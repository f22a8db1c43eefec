"""Whether a series of samples stays flat, by a trend that a few odd samples cannot bend. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

MOST_LIKELY_CHANCE = 2.58
"""Standard deviations of Kendall's statistic: less than this a series without any trend shows once in 200."""
_LEAST_SAMPLES = 6


@dataclass(frozen=True, slots=True)
class Allowance:
    """How far a series may rise over a run: by this share of its median or by `floor` in its own unit, if more."""

    share: float
    floor: float


@dataclass(frozen=True, slots=True)
class Trend:
    """What a series does over a run.

    `middle` is its median and `rise` how much the line through it climbs from the first to the last sample, both in
    its own unit; `drifts` whether that is a drift.
    """

    middle: float
    rise: float
    drifts: bool

    @property
    def share(self) -> float:
        """The rise as a share of the median, infinity for a series that is mostly 0."""
        return self.rise / self.middle if self.middle else math.copysign(math.inf, self.rise) if self.rise else 0.0


def trend(times: Sequence[float], values: Sequence[float], allowance: Allowance) -> Trend:
    """The trend of `values` taken at `times` (seconds, ascending).

    It drifts when it rises by more than is allowed and chance would hardly order the samples so. What falls does not
    drift: nothing is used up. Raises ValueError for fewer than six samples, or as many times as values there are not.
    """
    if len(values) < _LEAST_SAMPLES:
        raise ValueError(f"{len(values)} samples show no trend, it takes {_LEAST_SAMPLES}")
    pairs = list(combinations(zip(times, values, strict=True), 2))
    slope = median((late - early) / (then - first) for (first, early), (then, late) in pairs)
    middle = median(values)
    # a staircase has more level pairs than steps, so its median slope is 0: what its ends say counts as well
    rise = max(slope * (times[-1] - times[0]), _between_ends(values), key=abs)
    is_much = rise > max(allowance.share * abs(middle), allowance.floor)
    return Trend(middle, rise, is_much and _kendall(values) > MOST_LIKELY_CHANCE)


def _between_ends(values: Sequence[float]) -> float:
    third = len(values) // 3
    return median(values[-third:]) - median(values[:third])


def _kendall(values: Sequence[float]) -> float:
    """The Mann-Kendall statistic in standard deviations, ties allowed for; positive for what rises."""
    signs = sum((late > early) - (late < early) for early, late in combinations(values, 2))
    ties = sum(_weight(count) for count in Counter(values).values())
    variance = (_weight(len(values)) - ties) / 18
    return (signs - math.copysign(1, signs)) / math.sqrt(variance) if signs else 0.0


def _weight(count: int) -> float:
    return count * (count - 1) * (2 * count + 5)
