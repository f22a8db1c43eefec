"""How often somebody may ask: a steady rate and a burst for each name, in bounded memory (GCRA)."""

from __future__ import annotations

from collections import OrderedDict

from aegis_authz.core.units import Monotonic

_MOST_NAMES = 10_000


class Throttle:
    """Admits `rate` a second of each name, and up to `burst` at once.

    Of very many names those that asked least lately are forgotten: a flood of names costs itself nothing new.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1 / rate
        self._tolerance = self._interval * (burst - 1)
        self._due: OrderedDict[str, float] = OrderedDict()

    def admits(self, name: str, now: Monotonic) -> bool:
        """Whether this one more is admitted; what is refused does not count."""
        due = max(self._due.get(name, 0.0), now)
        if due - now > self._tolerance:
            return False
        self._due[name] = due + self._interval
        self._due.move_to_end(name)
        if len(self._due) > _MOST_NAMES:
            self._due.popitem(last=False)
        return True
