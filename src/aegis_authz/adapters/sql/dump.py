"""All rows of the database as JSON, and back: for backups, and for the way from SQLite to PostgreSQL."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, LargeBinary, Table, func, insert, select, text

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.tables import APPROVAL_HISTORY, CALLBACKS, METADATA, OUTBOX
from aegis_authz.ports.database import DatabaseFault

Rows = Mapping[str, list[dict[str, Any]]]
"""Rows by table; every value is one of JSON, bytes in base64."""


async def dump(database: Database) -> tuple[str, Rows]:
    """The revision of the tables, and all rows, as they were at one moment. Raises DatabaseFault, also for a database
    that no control plane has made yet.
    """
    database.require_file()
    async with database.reading() as connection:
        rows = {
            table.name: [_to_json(row) for row in (await connection.execute(select(table))).mappings()]
            for table in METADATA.sorted_tables
        }
        return await connection.run_sync(_revision), rows


async def load(database: Database, revision: str, rows: Rows) -> None:
    """Put the rows into a database that has none yet, all or nothing.

    Raises DatabaseFault, also for a database that is in use, and for rows of another revision of the tables.
    """
    await database.migrate()
    async with database.transaction() as connection:
        own = await connection.run_sync(_revision)
        if own != revision:
            raise DatabaseFault(f"the backup is of tables {revision}, this version has {own}: restore it with its own")
        for table in METADATA.sorted_tables:
            if (await connection.execute(select(func.count()).select_from(table))).scalar_one():
                raise DatabaseFault("the database is in use already: a backup is restored into an empty one")
        if rows.keys() != METADATA.tables.keys():
            raise DatabaseFault("the backup does not hold the tables that it should")
        for table in METADATA.sorted_tables:
            if rows[table.name]:
                await connection.execute(insert(table), [_from_json(table, row) for row in rows[table.name]])
        if database.dialect == "postgresql":
            for table in (OUTBOX, APPROVAL_HISTORY, CALLBACKS):  # their numbers go on after those that were put in
                sequence = f"pg_get_serial_sequence('{table.name}', 'number')"
                last = f"(SELECT coalesce(max(number), 0) + 1 FROM {table.name})"  # noqa: S608  # a name of ours
                await connection.execute(text(f"SELECT setval({sequence}, {last}, false)"))


def _to_json(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        str(name): base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
        for name, value in row.items()
    }


def _from_json(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    blobs = {column.name for column in table.columns if isinstance(column.type, LargeBinary)}
    return {name: base64.b64decode(value) if name in blobs else value for name, value in row.items()}


def _revision(connection: Connection) -> str:
    return str(MigrationContext.configure(connection).get_current_revision())
