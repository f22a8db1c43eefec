"""When to start what is cheaper together: at once while little comes, a window apart while much does."""

from __future__ import annotations

import math

_MEMORY = 0.05  # seconds over which the rate is felt


class Cadence:
    """Starts of what is cheaper together: `window` seconds apart when much comes, at once when little does.

    Much is when `worth` or more are expected within a window. `now` is in seconds of the event loop's clock everywhere.
    """

    __slots__ = ("_at", "_began", "_felt", "_much", "_window")

    def __init__(self, window: float, worth: float) -> None:
        self._window = window
        self._much = worth * _MEMORY / window if window > 0 else math.inf
        self._felt = 0.0  # how many came, those of long ago forgotten (an exponentially weighted average)
        self._at = -math.inf
        self._began = -math.inf

    def came(self, now: float) -> None:
        """One more came."""
        self._felt = self._felt * math.exp((self._at - now) / _MEMORY) + 1.0
        self._at = now

    def began(self, now: float) -> None:
        """A start."""
        self._began = now

    def next_start(self, now: float) -> float:
        """When to start next: not after `now` unless it pays to wait."""
        if self._felt < self._much:
            return now
        return self._began + self._window
