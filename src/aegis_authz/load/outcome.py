"""What came of a load: how many calls were answered rightly, refused, wrongly or not at all, and how fast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of vegeta.

    `offered` is calls a second, None in a closed loop. `seconds` is from the first call to the last right answer.
    `refused` counts by reason the calls turned away for load or a fault (503, 429); `wrong` the answers that were
    not due, an allow in place of a denial among them; `failed` the calls without an answer. `faults` tells the
    wrong and the failed apart, in words. `latencies` are the seconds of the right answers, ascending; in an open
    loop counted from when the call was to be sent, so that a server that stalls does not hide the calls it held up.
    """

    offered: float | None
    seconds: float
    sent: int
    right: int
    refused: Mapping[str, int]
    wrong: int
    failed: int
    faults: Mapping[str, int]
    latencies: tuple[float, ...]

    @property
    def achieved(self) -> float:
        """Right answers a second."""
        return self.right / self.seconds if self.seconds else 0.0

    @property
    def turned_away(self) -> int:
        """All refused calls."""
        return sum(self.refused.values())

    def quantile(self, share: float) -> float:
        """The latency in milliseconds that this share of the right answers did not exceed; NaN without any."""
        return quantile_ms(self.latencies, share)


def quantile_ms(latencies: Sequence[float], share: float) -> float:
    """The milliseconds that this share of latencies, seconds in ascending order, did not exceed; NaN without any."""
    if not latencies:
        return math.nan
    # rounded, or 0.9 x 10 would be a little more than 9
    rank = math.ceil(round(share * len(latencies), 9))
    return latencies[max(rank, 1) - 1] * 1000
