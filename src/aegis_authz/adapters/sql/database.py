"""One database of the control plane: opened, brought up to date, and asked in transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from aegis_authz.ports.database import DatabaseFault

MIGRATIONS = Path(__file__).parent / "migrations"
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
_BUSY_MS = 10_000
_MIGRATION_LOCK = 0x61656769  # the advisory lock that replicas of a control plane take in turn


class Database:
    """The database at a URL: `sqlite:///path`, or `postgresql://user@host/name`. A password is given as PGPASSWORD or
    in a passfile, as libpq takes it, better than in the URL.
    """

    def __init__(self, url: str) -> None:
        """Raises DatabaseFault for a URL that is none."""
        self._url = _read(url)
        self._engine = _engine(self._url)
        self._readers = _readers(self._url, self._engine)
        self._open: ContextVar[AsyncConnection | None] = ContextVar("open transaction", default=None)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    async def migrate(self) -> None:
        """Make the tables, or bring those of an older version up to date, all or nothing.

        Raises DatabaseFault, for a database of a newer version as well: it is left as it is.
        """
        self._make_file()
        async with self.transaction() as connection:
            if self.dialect == "postgresql":
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            await connection.run_sync(_upgrade, self._shown)

    def _make_file(self) -> None:
        """Make the file of SQLite, which would give it to everyone to read: it holds hashes of passwords."""
        if self.dialect == "sqlite" and self._url.database:
            try:
                Path(self._url.database).touch(mode=0o600)
            except OSError as fault:
                raise DatabaseFault(f"the database {self._shown}: {fault.strerror}") from None

    def require_file(self) -> None:
        """Raises DatabaseFault where the file of SQLite is not there: to look into it would make it, for everyone to
        read.
        """
        if self.dialect == "sqlite" and not Path(self._url.database or "").is_file():
            raise DatabaseFault(f"the database {self._shown} is not there: no control plane has started with it")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: kept when the block ends, undone when it raises. Raises DatabaseFault.

        One within another is a part of it.
        """
        joined = self._open.get()
        if joined is not None:
            yield joined
            return
        with self._faults():
            async with self._engine.begin() as connection:
                token = self._open.set(connection)
                try:
                    yield connection
                finally:
                    self._open.reset(token)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """All as it is at one moment, for reading alone: it waits for no writer, and none waits for it.

        One within a transaction is a part of it and reads what that has written. Raises DatabaseFault.
        """
        joined = self._open.get()
        if joined is not None:
            yield joined
            return
        with self._faults():
            async with self._readers.begin() as connection:
                yield connection

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as fault:
            # the statement and its values are in the text of a DBAPIError; the driver's words alone are not secret
            words = str(fault.orig) if isinstance(fault, DBAPIError) else type(fault).__name__
            raise DatabaseFault(f"the database {self._shown}: {words}") from None

    async def close(self) -> None:
        """Give all connections back."""
        await asyncio.shield(self._engine.dispose())
        await asyncio.shield(self._readers.dispose())

    @property
    def _shown(self) -> str:
        return self._url.render_as_string(hide_password=True)


def _read(text: str) -> URL:
    try:
        url = make_url(text)
        driver = _DRIVERS[url.drivername]
    except (ArgumentError, KeyError):
        raise DatabaseFault("the database must be sqlite:///path or postgresql://user@host/name") from None
    if url.drivername == "sqlite" and not url.database:
        raise DatabaseFault("the database must be a file: what is in memory alone is gone with the process")
    return url.set(drivername=driver)


def _engine(url: URL) -> AsyncEngine:
    try:
        if url.get_backend_name() != "sqlite":
            return create_async_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=5)
        # one connection: SQLite has one writer, and a process that waits for itself waits in vain
        engine = create_async_engine(url, pool_size=1, max_overflow=0)
    except (ModuleNotFoundError, NoSuchModuleError) as fault:
        raise DatabaseFault(f"{fault}: install aegis-authz[postgres]") from None
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _readers(url: URL, writers: AsyncEngine) -> AsyncEngine:
    """Connections on which one transaction sees one moment, and writes nothing."""
    if url.get_backend_name() != "sqlite":
        # of the same pool
        return writers.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    engine = create_async_engine(url, pool_size=2, max_overflow=2)
    event.listen(engine.sync_engine, "connect", _prepare_reader)
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _prepare_reader(connection: Any, record: object) -> None:
    _prepare_sqlite(connection, record)
    connection.execute("PRAGMA query_only=ON").close()


def _prepare_sqlite(connection: Any, _: object) -> None:
    # the driver begins no transaction by itself: `_begin_sqlite` does, before the first look
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # at once for writing: a transaction that looks first and writes then could not be told from one that lost
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def migrations() -> Config:
    """Where alembic finds the migrations."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _upgrade(connection: Connection, name: str) -> None:
    config = migrations()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
    if unknown:
        raise DatabaseFault(
            f"the database {name} is of a newer version of Aegis (it is at {', '.join(sorted(unknown))}): "
            "start that version, or restore a backup of before"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
