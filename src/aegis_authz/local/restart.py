"""When a process that died is started again: exponential back-off, forgotten once it has been stable."""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_DELAY = 0.1
LAST_DELAY = 10.0
STABLE_AFTER = 10.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a process died in a row. `restarts` counts all, `streak` those without a stable time between."""

    restarts: int
    streak: int

    def died(self, lived: float) -> Backoff:
        """The state after a death; `lived` is how many seconds the process had run."""
        streak = 1 if lived >= STABLE_AFTER else self.streak + 1
        return replace(self, restarts=self.restarts + 1, streak=streak)

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start."""
        return min(FIRST_DELAY * 2.0 ** max(self.streak - 1, 0), LAST_DELAY)


NEVER_DIED = Backoff(0, 0)
