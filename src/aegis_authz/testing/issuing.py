"""What issuing keeps, in memory: twins of the single uses in Redis and of the journal on disk."""

from __future__ import annotations

from aegis_authz.core.issuance import Issuance
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.ports.data_plane import Clock
from aegis_authz.testing.warning import warn_outside_tests


class MemorySingleUses:
    """`ports.SingleUses` in memory."""

    def __init__(self, clock: Clock, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self._clock = clock
        self._holders: dict[tuple[str, str], tuple[str, Epoch]] = {}

    async def claim(self, kind: str, name: str, life: Seconds, holder: str) -> str:
        """Who holds it from now on."""
        now = self._clock.now()
        holders = {place: pair for place, pair in self._holders.items() if pair[1] > now}
        first, _ = holders.setdefault((kind, name), (holder, Epoch(now + life)))
        self._holders = holders
        return first


class MemoryJournal:
    """`ports.Journal` in memory."""

    def __init__(self, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self.lines: list[Issuance] = []

    async def write(self, issuance: Issuance) -> None:
        """Keep the line."""
        self.lines.append(issuance)
