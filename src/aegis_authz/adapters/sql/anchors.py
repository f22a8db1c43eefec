"""`ports.RecordAnchors` in SQL. The database itself refuses to alter an anchor (see its migration)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.tables import RECORD_ANCHORS
from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor, Head
from aegis_authz.core.units import Epoch

_APPEND_LOCK = 0x6165676A  # the advisory lock of who anchors, among several control planes
_COLUMNS = RECORD_ANCHORS.c


class SqlRecordAnchors:
    """The table record_anchors, of which the newest row of each log is remembered: rows are only ever added."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._newest: dict[tuple[str, str, str], Head] = {}
        self._number = 0

    async def append(self, at: Epoch, heads: Sequence[Head]) -> list[Anchor]:
        """Keep those that are not the newest of their log already. Raises DatabaseFault."""
        async with self._database.transaction() as connection:
            if self._database.dialect == "postgresql":  # SQLite has one writer by itself
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_APPEND_LOCK})")
            await self._catch_up(connection)
            last = (await connection.execute(select(RECORD_ANCHORS).order_by(_COLUMNS.number.desc()).limit(1))).first()
            number, previous = (0, FIRST_PREVIOUS) if last is None else (last.number, last.hash)
            written: list[Anchor] = []
            for head in heads:
                if self._newest.get(head.log) != head:
                    anchor = Anchor.after(number, previous, at, head)
                    await connection.execute(insert(RECORD_ANCHORS).values(**_values(anchor)))
                    number, previous = anchor.number, anchor.hash
                    written.append(anchor)
            return written

    async def anchors(self, after: int, limit: int) -> list[Anchor]:
        """At most `limit` anchors whose number is above `after`, in their order. Raises DatabaseFault."""
        rows = select(RECORD_ANCHORS).where(_COLUMNS.number > after).order_by(_COLUMNS.number).limit(limit)
        async with self._database.reading() as connection:
            return [_anchor(row) for row in await connection.execute(rows)]

    async def newest(self) -> list[Head]:
        """The head that was kept last of each log. Raises DatabaseFault."""
        async with self._database.reading() as connection:
            await self._catch_up(connection)
        return list(self._newest.values())

    async def _catch_up(self, connection: AsyncConnection) -> None:
        """Remember what was added since the last time."""
        rows = select(RECORD_ANCHORS).where(_COLUMNS.number > self._number).order_by(_COLUMNS.number)
        if not self._number:  # all rows: seconds, once there are millions, which nobody should wait for every minute
            last = select(func.max(_COLUMNS.number)).group_by(_COLUMNS.place, _COLUMNS.writer, _COLUMNS.first)
            rows = rows.where(_COLUMNS.number.in_(last))
        for row in await connection.execute(rows):
            if row.number > self._number:  # else one who read at the same time has remembered more
                head = _anchor(row).head
                self._newest.pop(head.log, None)
                self._newest[head.log], self._number = head, row.number


def _values(anchor: Anchor) -> dict[str, object]:
    head = anchor.head
    return {
        "number": anchor.number,
        "at": anchor.at,
        "place": head.place,
        "writer": head.writer,
        "first": head.first,
        "size": head.size,
        "note": head.note,
        "previous": anchor.previous,
        "hash": anchor.hash,
    }


def _anchor(row: Row[Any]) -> Anchor:
    head = Head(row.place, row.writer, row.first, row.size, row.note)
    return Anchor(row.number, Epoch(row.at), head, row.previous, row.hash)
