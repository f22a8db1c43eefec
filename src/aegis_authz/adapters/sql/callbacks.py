"""`ports.callbacks` in SQL: of all control planes on one database, each callback is under way with one at a time."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.tables import CALLBACKS
from aegis_authz.core.callback import Callback, CallbackState
from aegis_authz.core.units import Epoch

_KEEP = 30 * 86_400
"""Seconds for which callbacks are kept that are delivered, or given up."""
_MOST_TEXT = 512
_COLUMN = CALLBACKS.c


class SqlCallbacks:
    """The table callbacks. One whose claim ran out belongs to who claims it next."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enter(self, callback: Callback) -> None:
        """Keep one, as `ports.Callbacks` says. Raises DatabaseFault."""
        insert = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        wanted = {"echo": callback.echo, "events": sorted(callback.events)}
        row = insert(CALLBACKS).values(
            id=callback.id,
            task_id=callback.task_id,
            endpoint=callback.endpoint,
            person=callback.person,
            state=callback.state.value,
            attempts=callback.attempts,
            trouble=callback.trouble[:_MOST_TEXT],
            due=0.0,
            wanted=json.dumps(wanted),
        )
        is_open = _COLUMN.state == CallbackState.WATCHING.value
        new = row.on_conflict_do_update(index_elements=["id"], set_={"wanted": row.excluded.wanted}, where=is_open)
        async with self._database.transaction() as connection:
            await connection.execute(new)

    async def watching(self) -> list[Callback]:
        """Those whose tasks are not settled, the oldest first. Raises DatabaseFault."""
        rows = select(CALLBACKS).where(_COLUMN.state == CallbackState.WATCHING.value).order_by(_COLUMN.number)
        async with self._database.reading() as connection:
            return [_callback(row) for row in await connection.execute(rows)]

    async def settle(self, callback: Callback, now: Epoch) -> None:
        """Its task is settled, and it is due. Raises DatabaseFault."""
        await self._change(callback, CallbackState.WATCHING, state=CallbackState.DUE.value, due=now)

    async def dismiss(self, callback: Callback, now: Epoch) -> None:
        """Its task is settled in a way that is not wanted. Raises DatabaseFault."""
        await self._change(callback, callback.state, state=CallbackState.UNWANTED.value, ended=now)
        async with self._database.transaction() as connection:  # a control plane runs for months
            await connection.execute(delete(CALLBACKS).where(_COLUMN.ended < now - _KEEP))

    async def claim(self, endpoint: str, now: Epoch, until: Epoch) -> Callback | None:
        """The one of that endpoint that is due longest; nobody else gets it before `until`. Raises DatabaseFault."""
        is_due = (_COLUMN.endpoint == endpoint) & (_COLUMN.state == CallbackState.DUE.value) & (_COLUMN.due <= now)
        # whoever claims at the same moment takes the next one, and waits for nobody
        first = select(_COLUMN.number).where(is_due).order_by(_COLUMN.due, _COLUMN.number).limit(1)
        claimed = (
            update(CALLBACKS)
            .where(_COLUMN.number == first.with_for_update(skip_locked=True).scalar_subquery())
            .values(attempts=_COLUMN.attempts + 1, due=until)
            .returning(*_COLUMN)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(claimed)).first()
        return None if row is None else _callback(row)

    async def next_due(self, endpoint: str) -> Epoch | None:
        """When the next one of that endpoint can be claimed. Raises DatabaseFault."""
        is_due_once = (_COLUMN.endpoint == endpoint) & (_COLUMN.state == CallbackState.DUE.value)
        async with self._database.reading() as connection:
            due = (await connection.execute(select(func.min(_COLUMN.due)).where(is_due_once))).scalar_one()
        return None if due is None else Epoch(due)

    async def complete(self, callback: Callback, now: Epoch) -> None:
        """It was delivered. Raises DatabaseFault."""
        delivered = CallbackState.DELIVERED.value
        await self._change(callback, CallbackState.DUE, state=delivered, trouble="", ended=now)
        async with self._database.transaction() as connection:
            await connection.execute(delete(CALLBACKS).where(_COLUMN.ended < now - _KEEP))

    async def postpone(self, callback: Callback, trouble: str, until: Epoch) -> None:
        """It was not, and is tried again then. Raises DatabaseFault."""
        await self._change(callback, CallbackState.DUE, trouble=trouble[:_MOST_TEXT], due=until)

    async def abandon(self, callback: Callback, trouble: str, now: Epoch) -> None:
        """It is not tried again. Raises DatabaseFault."""
        undelivered = CallbackState.UNDELIVERED.value
        await self._change(callback, callback.state, state=undelivered, trouble=trouble[:_MOST_TEXT], ended=now)

    async def end_claims(self, now: Epoch) -> None:
        """Have all that is due be so by now: what an earlier process had claimed, and was under way when it ended.

        For a database that one control plane uses alone: of several, each has claims of its own. Raises DatabaseFault.
        """
        is_claimed = (_COLUMN.state == CallbackState.DUE.value) & (_COLUMN.due > now)
        async with self._database.transaction() as connection:
            await connection.execute(update(CALLBACKS).where(is_claimed).values(due=now))

    async def _change(self, callback: Callback, of: CallbackState, **values: object) -> None:
        # what comes late, of a claim that ran out, must not undo what the next one did
        is_own = (_COLUMN.id == callback.id) & (_COLUMN.attempts == callback.attempts) & (_COLUMN.state == of.value)
        async with self._database.transaction() as connection:
            await connection.execute(update(CALLBACKS).where(is_own).values(**values))


def _callback(row: Row[Any]) -> Callback:
    wanted = json.loads(row.wanted)
    return Callback(
        task_id=row.task_id,
        endpoint=row.endpoint,
        person=row.person,
        echo=wanted["echo"],
        events=frozenset(wanted["events"]),
        state=CallbackState(row.state),
        attempts=row.attempts,
        trouble=row.trouble,
    )
