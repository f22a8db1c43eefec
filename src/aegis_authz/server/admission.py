"""How many checks may be under way: as many as are answered in time, and no more.

Additive increase, multiplicative decrease (Chiu and Jain, 1989), steered by how long checks take: a queue that
grows shows as time long before it shows as a fault. It is their moving average that counts, so that one slow check,
or a machine that stops for a moment, turns nobody away. Beyond the limit a check is refused at once, which costs a
fraction of judging it, so that those admitted still get their answer in time.
"""

from __future__ import annotations

from aegis_authz.core.units import Monotonic

LEAST_CONCURRENT = 24
"""Checks that always may be under way: what one worker answers in time on two slow cores (docs/performance.md)."""
SHARE_OF_BUDGET = 0.75
"""What of a check's time it may take on average; the rest is for one admitted when the queue is as long as it gets."""
_CUT = 0.85
_WEIGHT = 0.05  # of one check in the average


class Admission:
    """Between `least` and `most` checks at once; fewer when checks take longer than `target` seconds on average."""

    __slots__ = ("_cut_at", "_least", "_limit", "_most", "_target", "_usual", "under_way")

    @classmethod
    def within(cls, most: int, budget: float) -> Admission:
        """At most `most` checks, each answered within `budget` seconds."""
        return cls(min(LEAST_CONCURRENT, most), most, budget * SHARE_OF_BUDGET)

    def __init__(self, least: int, most: int, target: float) -> None:
        self.under_way = 0
        self._least = least
        self._most = most
        self._target = target
        self._limit = float(max(least, min(most, 2 * least)))
        self._usual = 0.0
        self._cut_at = Monotonic(float("-inf"))

    @property
    def limit(self) -> int:
        """How many may be under way now."""
        return int(self._limit)

    @property
    def is_full(self) -> bool:
        """Whether none may begin now."""
        return self.under_way >= self._limit

    def enter(self) -> bool:
        """Whether one more may begin. Every check that did says `leave`."""
        if self.is_full:
            return False
        self.under_way += 1
        return True

    def leave(self, began: Monotonic, now: Monotonic) -> None:
        """A check ended that had begun at `began`."""
        busy = 2 * self.under_way >= self._limit
        self.under_way -= 1
        self._usual += (now - began - self._usual) * _WEIGHT
        if self._usual <= self._target:
            if busy:
                self._limit = min(self._most, self._limit + 1 / self._limit)
        elif began > self._cut_at:  # those that began before the last cut say nothing of what it did
            self._cut_at = now
            self._limit = max(self._least, self._limit * _CUT)
