"""The outbox of a control plane as an SQLite file: on disk before anything is sent, and there after a power cut."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from aegis_authz.core.notice import Notice, NoticeKind, NoticeState
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.ports.data_plane import StoreDown

_VERSION = 1
_KEEP = 30 * 86_400
"""Seconds for which notices are kept that are delivered, or given up."""
_TABLE = """
CREATE TABLE IF NOT EXISTS notices (
    approval_id TEXT NOT NULL,
    place TEXT NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    receipt TEXT NOT NULL,
    trouble TEXT NOT NULL,
    due REAL NOT NULL,
    ended REAL,
    PRIMARY KEY (approval_id, place, kind)
)
"""
_NOTICE = "approval_id, place, kind, state, attempts, receipt, trouble"
_CLAIM = f"""
UPDATE notices SET
    attempts = attempts + 1,
    due = ?,
    receipt = coalesce((
        SELECT former.receipt FROM notices AS former
        WHERE former.approval_id = notices.approval_id AND former.place = notices.place AND former.kind = 'held'
    ), '')
WHERE rowid = (
    SELECT rowid FROM notices WHERE channel = ? AND state = 'waiting' AND due <= ? ORDER BY due, rowid LIMIT 1
)
RETURNING {_NOTICE}
"""  # noqa: S608  # names of columns
_KEY = "approval_id = ? AND place = ? AND kind = ?"
Result = TypeVar("Result")


class SqliteOutbox:
    """`ports.Outbox` in one file, which one process uses. What an earlier one had claimed is due again at once."""

    def __init__(self, path: Path, now: Epoch) -> None:
        """Open the file, and make it where there is none. Raises OSError, also for the file of a newer version."""
        try:
            path.touch(mode=0o600)
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._prepare(now)
        except sqlite3.Error as fault:
            raise OSError(f"{path} cannot be used as an outbox: {fault}") from None
        self._turn = asyncio.Lock()

    def _prepare(self, now: Epoch) -> None:
        database = self._database
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 2000"):
            database.execute(f"PRAGMA {pragma}")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}, and this program knows {_VERSION}")
        database.execute(_TABLE)
        database.execute("CREATE INDEX IF NOT EXISTS waiting ON notices (channel, state, due)")
        database.execute("CREATE INDEX IF NOT EXISTS ends ON notices (ended)")
        database.execute(f"PRAGMA user_version = {_VERSION}")
        database.execute("UPDATE notices SET due = ? WHERE state = 'waiting' AND due > ?", (now, now))
        _forget(database, now)

    async def enter(self, approval_id: ApprovalId, place: str, kind: NoticeKind, now: Epoch) -> bool:
        """Keep a notice to be delivered; returns whether it is new. Raises StoreDown."""
        row = (approval_id, place, kind.value, place.partition(":")[0], now)
        text = (
            "INSERT OR IGNORE INTO notices (approval_id, place, kind, channel, state, attempts, receipt, trouble, due) "
            "VALUES (?, ?, ?, ?, 'waiting', 0, '', '', ?)"
        )

        def insert(database: sqlite3.Connection) -> bool:
            is_new = database.execute(text, row).rowcount == 1
            if is_new:  # a control plane runs for months
                _forget(database, now)
            return is_new

        return await self._do(insert)

    async def claim(self, channel: str, now: Epoch, until: Epoch) -> Notice | None:
        """The notice of that kind of channel that is due longest, as `ports.Outbox` says. Raises StoreDown."""
        rows = await self._do(lambda database: database.execute(_CLAIM, (until, channel, now)).fetchall())
        return _notice(rows[0]) if rows else None

    async def complete(self, notice: Notice, receipt: str, now: Epoch) -> None:
        """It was delivered. Raises StoreDown."""
        await self._change(notice, "state = 'delivered', receipt = ?, trouble = '', ended = ?", receipt, now)

    async def postpone(self, notice: Notice, trouble: str, until: Epoch) -> None:
        """It was not, and is tried again then. Raises StoreDown."""
        await self._change(notice, "trouble = ?, due = ?", trouble, until)

    async def abandon(self, notice: Notice, trouble: str, now: Epoch) -> None:
        """It is not tried again. Raises StoreDown."""
        await self._change(notice, "state = 'undelivered', trouble = ?, ended = ?", trouble, now)

    async def unsettled(self) -> list[Notice]:
        """The notices of held calls that were delivered, and after which no other came yet. Raises StoreDown."""
        return await self._listed(
            "state = 'delivered' AND kind = 'held' AND NOT EXISTS (SELECT 1 FROM notices AS later WHERE "
            "later.approval_id = notices.approval_id AND later.place = notices.place AND later.kind = 'settled') "
            "ORDER BY rowid"
        )

    async def undelivered(self, limit: int) -> list[Notice]:
        """What could not be delivered, the newest first. Raises StoreDown."""
        return await self._listed("state = 'undelivered' ORDER BY ended DESC, rowid DESC LIMIT ?", limit)

    async def close(self) -> None:
        """Close the file."""
        async with self._turn:
            self._database.close()

    async def _listed(self, condition: str, *arguments: object) -> list[Notice]:
        text = f"SELECT {_NOTICE} FROM notices WHERE {condition}"  # noqa: S608  # texts of this file
        rows = await self._do(lambda database: database.execute(text, arguments).fetchall())
        return [_notice(row) for row in rows]

    async def _change(self, notice: Notice, changes: str, *arguments: object) -> None:
        text = f"UPDATE notices SET {changes} WHERE {_KEY}"  # noqa: S608  # texts of this file
        key = (notice.approval_id, notice.place, notice.kind.value)
        await self._do(lambda database: database.execute(text, (*arguments, *key)))

    async def _do(self, step: Callable[[sqlite3.Connection], Result]) -> Result:
        async with self._turn:
            try:
                return await asyncio.to_thread(step, self._database)
            except sqlite3.Error as fault:
                raise StoreDown(f"the outbox cannot be used: {fault}") from None


def _forget(database: sqlite3.Connection, now: Epoch) -> None:
    database.execute("DELETE FROM notices WHERE ended < ?", (now - _KEEP,))


def _notice(row: tuple[str, str, str, str, int, str, str]) -> Notice:
    approval_id, place, kind, state, attempts, receipt, trouble = row
    return Notice(ApprovalId(approval_id), place, NoticeKind(kind), NoticeState(state), attempts, receipt, trouble)
