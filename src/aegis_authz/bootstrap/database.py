"""The control plane's database: where it is, who has it, opened and brought up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from aegis_authz.adapters.files.process_lock import ProcessLock
from aegis_authz.adapters.sql.database import Database
from aegis_authz.config.control import ControlSettings

DATABASE_FILE = "control.db"


def database_url(settings: ControlSettings) -> str:
    """Where the database is."""
    return settings.database or f"sqlite:///{settings.state.resolve() / DATABASE_FILE}"


def database_file(settings: ControlSettings) -> Path | None:
    """The file of a database of SQLite, None for one of PostgreSQL."""
    url = make_url(database_url(settings))
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def hold_places(settings: ControlSettings, stack: AsyncExitStack) -> None:
    """Keep every other control plane from this state folder, and from this database where it is one of SQLite.

    Raises PlaceBusy, OSError.
    """
    stack.callback(ProcessLock(settings.state / "lock", str(settings.state)).close)
    file = database_file(settings)
    if file is not None:
        place = f"{file}: several of them share a PostgreSQL, not a file of SQLite"
        stack.callback(ProcessLock(file.with_name(f"{file.name}.lock"), place).close)


@asynccontextmanager
async def open_database(settings: ControlSettings) -> AsyncIterator[Database]:
    """The settings' database, until the block ends. Raises DatabaseFault."""
    database = Database(database_url(settings))
    try:
        await database.migrate()
        yield database
    finally:
        await database.close()
