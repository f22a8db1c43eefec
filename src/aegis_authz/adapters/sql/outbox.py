"""The outbox in SQL: of all control planes on one database, each notice is under way with one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, case, delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.tables import OUTBOX
from aegis_authz.core.notice import Notice, NoticeKind, NoticeState
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.ports.database import DatabaseFault

_KEEP = 30 * 86_400
"""Seconds for which notices are kept that are delivered, or given up."""
_MOST_TEXT = 512
_LATER = OUTBOX.alias("later")
_FORMER = OUTBOX.alias("former")


class SqlOutbox:
    """`ports.Outbox` in the table outbox. A notice whose claim ran out belongs to who claims it next."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enter(self, approval_id: ApprovalId, place: str, kind: NoticeKind, now: Epoch) -> bool:
        """Keep a notice to be delivered; returns whether it is new. Raises StoreDown."""
        is_new = await self.restore(Notice(approval_id, place, kind, NoticeState.WAITING, 0, "", ""), now, None)
        if is_new:  # a control plane runs for months
            async with self._on(self._database.transaction) as connection:
                await connection.execute(delete(OUTBOX).where(OUTBOX.c.ended < now - _KEEP))
        return is_new

    async def restore(self, notice: Notice, due: Epoch, ended: Epoch | None) -> bool:
        """Keep a notice as it stands, unless it is there; returns whether it was not. Raises StoreDown."""
        enter = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        row = enter(OUTBOX).values(
            approval_id=notice.subject,
            place=notice.place,
            kind=notice.kind.value,
            channel=notice.channel,
            state=notice.state.value,
            attempts=notice.attempts,
            receipt=notice.receipt,
            trouble=notice.trouble[:_MOST_TEXT],
            due=due,
            ended=ended,
        )
        new = row.on_conflict_do_nothing().returning(OUTBOX.c.number)
        async with self._on(self._database.transaction) as connection:
            return (await connection.execute(new)).first() is not None

    async def claim(self, channel: str, now: Epoch, until: Epoch) -> Notice | None:
        """The notice of that kind of channel that is due longest, as `ports.Outbox` says. Raises StoreDown."""
        async with self._on(self._database.transaction) as connection:
            row = (await connection.execute(_claim_statement(), {"of": channel, "at": now, "until": until})).first()
        return None if row is None else _notice(row)

    async def next_due(self, channel: str) -> Epoch | None:
        """When the next notice of that kind of channel can be claimed. Raises StoreDown."""
        first = select(func.min(OUTBOX.c.due)).where((OUTBOX.c.channel == channel) & _is(NoticeState.WAITING))
        async with self._on(self._database.reading) as connection:
            due = (await connection.execute(first)).scalar_one()
        return None if due is None else Epoch(due)

    async def complete(self, notice: Notice, receipt: str, now: Epoch) -> None:
        """It was delivered. Raises StoreDown."""
        await self._change(notice, state=NoticeState.DELIVERED.value, receipt=receipt, trouble="", ended=now)

    async def postpone(self, notice: Notice, trouble: str, until: Epoch) -> None:
        """It was not, and is tried again then. Raises StoreDown."""
        await self._change(notice, trouble=trouble[:_MOST_TEXT], due=until)

    async def abandon(self, notice: Notice, trouble: str, now: Epoch) -> None:
        """It is not tried again. Raises StoreDown."""
        await self._change(notice, state=NoticeState.UNDELIVERED.value, trouble=trouble[:_MOST_TEXT], ended=now)

    async def unsettled(self) -> list[Notice]:
        """The notices of held calls that were delivered, and after which no other came yet. Raises StoreDown."""
        later = _LATER.c
        is_settled = exists().where(
            (later.approval_id == OUTBOX.c.approval_id)
            & (later.place == OUTBOX.c.place)
            & (later.kind == NoticeKind.SETTLED.value)
        )
        is_held = _is(NoticeState.DELIVERED) & (OUTBOX.c.kind == NoticeKind.HELD.value)
        return await self._notices(select(OUTBOX).where(is_held & ~is_settled).order_by(OUTBOX.c.number))

    async def undelivered(self, limit: int) -> list[Notice]:
        """What could not be delivered, the newest first. Raises StoreDown."""
        newest = select(OUTBOX).where(_is(NoticeState.UNDELIVERED))
        return await self._notices(newest.order_by(OUTBOX.c.ended.desc(), OUTBOX.c.number.desc()).limit(limit))

    async def end_claims(self, now: Epoch) -> None:
        """Have all due by now that an earlier process had claimed, and that was under way when it ended.

        For a database that one control plane uses alone: of several, each has claims of its own. Raises StoreDown.
        """
        is_claimed = _is(NoticeState.WAITING) & (OUTBOX.c.due > now) & (OUTBOX.c.attempts > 0)
        async with self._on(self._database.transaction) as connection:
            await connection.execute(update(OUTBOX).where(is_claimed).values(due=now))

    async def _notices(self, rows: Select[Any]) -> list[Notice]:
        async with self._on(self._database.reading) as connection:
            return [_notice(row) for row in await connection.execute(rows)]

    async def _change(self, notice: Notice, **values: object) -> None:
        column = OUTBOX.c
        is_same = (column.approval_id == notice.subject) & (column.place == notice.place)
        is_same &= column.kind == notice.kind.value
        # what comes late, of a claim that ran out, must not undo what the next one did
        is_own = is_same & (column.attempts == notice.attempts) & _is(NoticeState.WAITING)
        async with self._on(self._database.transaction) as connection:
            await connection.execute(update(OUTBOX).where(is_own).values(**values))

    @asynccontextmanager
    async def _on(
        self, begin: Callable[[], AbstractAsyncContextManager[AsyncConnection]]
    ) -> AsyncIterator[AsyncConnection]:
        try:
            async with begin() as connection:
                yield connection
        except DatabaseFault as fault:
            raise StoreDown(f"the outbox cannot be used: {fault}") from None


@cache
def _claim_statement() -> ReturningUpdate[Any]:
    """Made once: to make it costs more than to run it."""
    is_due = (OUTBOX.c.channel == bindparam("of")) & _is(NoticeState.WAITING) & (OUTBOX.c.due <= bindparam("at"))
    # whoever claims at the same moment takes the next one, and waits for nobody
    first = select(OUTBOX.c.number).where(is_due).order_by(_is_alert(), OUTBOX.c.due, OUTBOX.c.number).limit(1)
    return (
        update(OUTBOX)
        .where(OUTBOX.c.number == first.with_for_update(skip_locked=True).scalar_subquery())
        .values(attempts=OUTBOX.c.attempts + 1, due=bindparam("until"), receipt=func.coalesce(_receipt(), ""))
        .returning(*OUTBOX.c)
    )


def _is(state: NoticeState) -> ColumnElement[bool]:
    return OUTBOX.c.state == state.value


def _is_alert() -> ColumnElement[int]:
    return case((OUTBOX.c.kind == NoticeKind.ALERT.value, 1), else_=0)


def _receipt() -> ColumnElement[str]:
    """What the channel gave for the message that said the call is held."""
    former = _FORMER.c
    is_former = (
        (former.approval_id == OUTBOX.c.approval_id)
        & (former.place == OUTBOX.c.place)
        & (former.kind == NoticeKind.HELD.value)
    )
    return select(former.receipt).where(is_former).scalar_subquery()


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        row.approval_id,
        row.place,
        NoticeKind(row.kind),
        NoticeState(row.state),
        row.attempts,
        row.receipt,
        row.trouble,
    )
