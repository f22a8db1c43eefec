"""Alerts in SQL: gathered in the transaction that enters their notices."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.tables import ALERTS, OUTBOX
from aegis_authz.core.alert import MANY, MOST_DECISIONS, Alert, Sighting
from aegis_authz.core.notice import NoticeKind, NoticeState
from aegis_authz.core.reason import Reason
from aegis_authz.core.units import Epoch
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.ports.notices import MOST_OPEN

_KEEP = 30 * 86_400
"""Seconds after their last refusal for which alerts are kept."""
_OPEN = 2 * 86_400
"""Seconds for which an alert may gather: the longest time that policies name, and a day for its channel."""
_MOST_DESTINATION = 320


@dataclass(frozen=True, slots=True)
class _Key:
    """What the refusals of one alert have in common."""

    org: str
    tenant: str
    agent: str
    reason: Reason
    destination: str

    @staticmethod
    def of(sighting: Sighting) -> _Key:
        scope, destination = sighting.scope, sighting.destination[:_MOST_DESTINATION]
        return _Key(scope.org, scope.tenant, scope.agent, sighting.reason, destination)

    @property
    def wide(self) -> _Key:
        """For what is too much of a tenant to be told by name."""
        return _Key(self.org, self.tenant, MANY, self.reason, MANY)

    def of_tenant(self, now: Epoch) -> ColumnElement[bool]:
        """The alerts of the tenant that are open; nobody asks any more for those that were not told within a while."""
        is_open = ALERTS.c.closed.is_(None) & (ALERTS.c.first > now - _OPEN)
        return (ALERTS.c.org == self.org) & (ALERTS.c.tenant == self.tenant) & is_open

    def of_alert(self, now: Epoch) -> ColumnElement[bool]:
        """The alert itself, where it is open."""
        same = (ALERTS.c.agent == self.agent) & (ALERTS.c.reason == self.reason.value)
        return self.of_tenant(now) & same & (ALERTS.c.destination == self.destination)


class SqlAlerts:
    """`ports.Alerts` in the tables alerts and outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def gather(self, sightings: Sequence[Sighting], now: Epoch) -> None:
        """Add each to an open alert, or open one, all or nothing. Raises StoreDown."""
        groups: defaultdict[_Key, list[Sighting]] = defaultdict(list)
        for sighting in sightings:
            groups[_Key.of(sighting)].append(sighting)
        async with self._transaction() as connection:
            for key, group in groups.items():
                await self._gather(connection, key, group, now)
            await connection.execute(delete(ALERTS).where(ALERTS.c.last < now - _KEEP))

    async def close(self, alert_id: str, now: Epoch) -> Alert | None:
        """The alert as it is told from now on, whoever asks; None for one that is forgotten. Raises StoreDown."""
        closing = update(ALERTS).where(ALERTS.c.id == alert_id).values(closed=func.coalesce(ALERTS.c.closed, now))
        async with self._transaction() as connection:
            row = (await connection.execute(closing.returning(*ALERTS.c))).first()
        return None if row is None else _alert(row)

    async def _gather(self, connection: AsyncConnection, key: _Key, group: Sequence[Sighting], now: Epoch) -> None:
        row = await self._open(connection, key, now)
        if row is None:
            count = select(func.count()).select_from(ALERTS).where(key.of_tenant(now))
            if (await connection.execute(count)).scalar_one() >= MOST_OPEN:
                key = key.wide
                row = await self._open(connection, key, now)
        alert_id = await self._begin(connection, key, group, now) if row is None else row.id
        if row is not None:
            await self._add(connection, row, group)
        within = max(sighting.plan.within for sighting in group)
        for place in sorted({place for sighting in group for place in sighting.plan.places}):
            await self._enter(connection, alert_id, place, Epoch(now + within))

    async def _open(self, connection: AsyncConnection, key: _Key, now: Epoch) -> Row[Any] | None:
        # locked: whoever closes it in between would tell of fewer than are added
        rows = select(ALERTS).where(key.of_alert(now)).order_by(ALERTS.c.first).limit(1).with_for_update()
        return (await connection.execute(rows)).first()

    async def _begin(self, connection: AsyncConnection, key: _Key, group: Sequence[Sighting], now: Epoch) -> str:
        parts = [key.org, key.tenant, key.agent, key.reason.value, key.destination, group[0].decision_id, now]
        alert_id = f"alt_{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"
        row = insert(ALERTS).values(
            id=alert_id,
            org=key.org,
            tenant=key.tenant,
            agent=key.agent,
            reason=key.reason.value,
            destination=key.destination,
            count=len(group),
            first=min(sighting.time for sighting in group),
            last=max(sighting.time for sighting in group),
            decisions=json.dumps([sighting.decision_id for sighting in group[:MOST_DECISIONS]]),
            closed=None,
        )
        await connection.execute(row)
        return alert_id

    async def _add(self, connection: AsyncConnection, row: Row[Any], group: Sequence[Sighting]) -> None:
        decisions = [*json.loads(row.decisions), *(sighting.decision_id for sighting in group)]
        changed = update(ALERTS).where(ALERTS.c.id == row.id)
        values = {
            "count": row._mapping["count"] + len(group),
            "first": min(row.first, *(sighting.time for sighting in group)),
            "last": max(row.last, *(sighting.time for sighting in group)),
            "decisions": json.dumps(decisions[:MOST_DECISIONS]),
        }
        await connection.execute(changed.values(**values))

    async def _enter(self, connection: AsyncConnection, alert_id: str, place: str, due: Epoch) -> None:
        enter = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        row = enter(OUTBOX).values(
            approval_id=alert_id,
            place=place,
            kind=NoticeKind.ALERT.value,
            channel=place.partition(":")[0],
            state=NoticeState.WAITING.value,
            attempts=0,
            receipt="",
            trouble="",
            due=due,
            ended=None,
        )
        await connection.execute(row.on_conflict_do_nothing())

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._database.transaction() as connection:
                yield connection
        except DatabaseFault as fault:
            raise StoreDown(f"alerts cannot be used: {fault}") from None


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        id=row.id,
        org=row.org,
        tenant=row.tenant,
        agent=row.agent,
        reason=Reason(row.reason),
        destination=row.destination,
        count=row._mapping["count"],
        first=Epoch(row.first),
        last=Epoch(row.last),
        decisions=tuple(json.loads(row.decisions)),
        closed=None if row.closed is None else Epoch(row.closed),
    )
