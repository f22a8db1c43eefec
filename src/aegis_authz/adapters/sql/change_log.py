"""`ports.change_log` in SQL. The database itself refuses to alter a line (see the first migration)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, Select, insert, select

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.tables import CHANGE_LOG
from aegis_authz.core.change_line import FIRST_PREVIOUS, Act, ChangeLine
from aegis_authz.core.units import Epoch

_APPEND_LOCK = 0x61656768  # the advisory lock of who appends, among several control planes


class SqlChangeLog:
    """The table change_log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, act: Act) -> ChangeLine:
        """Write an act after all that are there. Raises DatabaseFault."""
        async with self._database.transaction() as connection:
            if self._database.dialect == "postgresql":  # SQLite has one writer by itself
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_APPEND_LOCK})")
            last = (await connection.execute(_newest_first().limit(1))).first()
            number, previous = (0, FIRST_PREVIOUS) if last is None else (last.number, last.hash)
            line = ChangeLine.after(number, previous, act)
            await connection.execute(
                insert(CHANGE_LOG).values(
                    number=line.number,
                    at=act.at,
                    person=act.person,
                    action=act.action,
                    subject=act.subject,
                    domain=act.domain,
                    reason=act.reason,
                    previous=line.previous,
                    hash=line.hash,
                )
            )
            return line

    async def lines(self, after: int, limit: int) -> list[ChangeLine]:
        """At most `limit` lines whose number is above `after`, in their order. Raises DatabaseFault."""
        columns = select(CHANGE_LOG).where(CHANGE_LOG.c.number > after).order_by(CHANGE_LOG.c.number).limit(limit)
        async with self._database.reading() as connection:
            return [_line(row) for row in await connection.execute(columns)]

    async def latest(self, before: int | None, limit: int) -> list[ChangeLine]:
        """At most `limit` lines whose number is below `before`, the newest first. Raises DatabaseFault."""
        columns = _newest_first() if before is None else _newest_first().where(CHANGE_LOG.c.number < before)
        async with self._database.reading() as connection:
            return [_line(row) for row in await connection.execute(columns.limit(limit))]


def _newest_first() -> Select[Any]:
    return select(CHANGE_LOG).order_by(CHANGE_LOG.c.number.desc())


def _line(row: Row[Any]) -> ChangeLine:
    act = Act(Epoch(row.at), row.person, row.action, row.subject, row.domain, row.reason)
    return ChangeLine(row.number, act, row.previous, row.hash)
