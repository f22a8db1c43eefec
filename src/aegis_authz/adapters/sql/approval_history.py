"""`ports.approval_history` in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects import postgresql, sqlite

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.tables import APPROVAL_HISTORY
from aegis_authz.core.approval_event import ApprovalEvent, ApprovalEventKind, HistoryLine
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Epoch, Seconds

_MOST_REASON = 512


class SqlApprovalHistory:
    """The table approval_history."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, event: ApprovalEvent) -> bool:
        """Keep an event; returns whether it is new. Raises DatabaseFault."""
        enter = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        row = enter(APPROVAL_HISTORY).values(
            approval_id=event.approval_id,
            org=event.scope.org,
            tenant=event.scope.tenant,
            agent=event.scope.agent,
            tool=event.tool,
            action=event.action,
            policies=list(event.policies),
            groups=list(event.groups),
            event=event.kind.value,
            person=event.person,
            channel=event.channel,
            reason=event.reason[:_MOST_REASON],
            at=event.at,
            seconds=event.seconds,
        )
        new = row.on_conflict_do_nothing().returning(APPROVAL_HISTORY.c.number)
        async with self._database.transaction() as connection:
            return (await connection.execute(new)).first() is not None

    async def lines(self, since: Epoch, until: Epoch, after: int, limit: int) -> list[HistoryLine]:
        """At most `limit` events of that time, numbered above `after`. Raises DatabaseFault."""
        column = APPROVAL_HISTORY.c
        is_sought = (column.at >= since) & (column.at < until) & (column.number > after)
        rows = select(APPROVAL_HISTORY).where(is_sought).order_by(column.number).limit(limit)
        async with self._database.reading() as connection:
            return [_line(row) for row in await connection.execute(rows)]


def _line(row: Row[Any]) -> HistoryLine:
    event = ApprovalEvent(
        approval_id=ApprovalId(row.approval_id),
        scope=Scope(row.org, row.tenant, row.agent),
        tool=row.tool,
        action=row.action,
        policies=tuple(row.policies),
        groups=tuple(row.groups),
        kind=ApprovalEventKind(row.event),
        person=row.person,
        channel=row.channel,
        reason=row.reason,
        at=Epoch(row.at),
        seconds=Seconds(row.seconds),
    )
    return HistoryLine(row.number, event)
