"""The memory twin of alerts: one object, one process, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aegis_authz.core.alert import MANY, MOST_DECISIONS, Alert, Sighting
from aegis_authz.core.units import Epoch
from aegis_authz.ports.notices import MOST_OPEN
from aegis_authz.testing.outbox import MemoryOutbox
from aegis_authz.testing.warning import warn_outside_tests


@dataclass
class _Row:
    alert: Alert

    @property
    def is_open(self) -> bool:
        return self.alert.closed is None

    def is_of(self, sighting: Sighting, agent: str, destination: str) -> bool:
        alert, scope = self.alert, sighting.scope
        names = (alert.org, alert.tenant, alert.agent, alert.reason, alert.destination)
        return self.is_open and names == (scope.org, scope.tenant, agent, sighting.reason, destination)


class MemoryAlerts:
    """`ports.Alerts` in one process's memory, with their notices in `outbox`."""

    def __init__(self, outbox: MemoryOutbox, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self._outbox = outbox
        self._rows: list[_Row] = []

    async def gather(self, sightings: Sequence[Sighting], now: Epoch) -> None:
        """Add each to an open alert, or open one."""
        for sighting in sightings:
            row = self._row(sighting, now)
            alert = row.alert
            row.alert = replace(
                alert,
                count=alert.count + 1,
                first=min(alert.first, sighting.time),
                last=max(alert.last, sighting.time),
                decisions=(*alert.decisions, sighting.decision_id)[:MOST_DECISIONS],
            )
            for place in sighting.plan.places:
                self._outbox.enter_alert(row.alert.id, place, Epoch(now + sighting.plan.within))

    async def close(self, alert_id: str, now: Epoch) -> Alert | None:
        """The alert as it is told from now on."""
        row = next((row for row in self._rows if row.alert.id == alert_id), None)
        if row is None:
            return None
        if row.alert.closed is None:
            row.alert = replace(row.alert, closed=now)
        return row.alert

    def _row(self, sighting: Sighting, now: Epoch) -> _Row:
        scope, agent, destination = sighting.scope, sighting.scope.agent, sighting.destination
        row = self._open(sighting, agent, destination)
        tenants = [(row.alert.org, row.alert.tenant) for row in self._rows if row.is_open]
        if row is None and tenants.count((scope.org, scope.tenant)) >= MOST_OPEN:
            agent = destination = MANY
            row = self._open(sighting, MANY, MANY)
        if row is None:
            name = f"alt_{len(self._rows)}"
            time, reason = sighting.time, sighting.reason
            row = _Row(Alert(name, scope.org, scope.tenant, agent, reason, destination, 0, time, time, (), None))
            self._rows.append(row)
        return row

    def _open(self, sighting: Sighting, agent: str, destination: str) -> _Row | None:
        return next((row for row in self._rows if row.is_of(sighting, agent, destination)), None)
