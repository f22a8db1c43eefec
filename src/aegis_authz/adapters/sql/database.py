"""One database of the control plane: opened, brought up to date, and asked in transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
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
UNICODE = {"client_encoding": "utf8"}
"""What connections to PostgreSQL speak: of a database of SQL_ASCII they would give bytes for texts, also to SQLAlchemy,
which fails at that before anybody can say what is wrong.
"""
_MIGRATION_LOCK = 0x61656769  # the advisory lock that replicas of a control plane take in turn


class Database:
    """The database at a URL: `sqlite:///path`, or `postgresql://user@host/name`. A password is given as PGPASSWORD or
    in a passfile, as libpq takes it, better than in the URL.
    """

    def __init__(self, url: str) -> None:
        """Raises DatabaseFault for a URL that is none."""
        self._url = read_url(url, _DRIVERS)
        self._engine = _engine(self._url)
        self._readers = _readers(self._url, self._engine)
        self._open: ContextVar[AsyncConnection | None] = ContextVar("open transaction", default=None)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @property
    def file(self) -> Path | None:
        """The file of SQLite, None for a server."""
        return Path(self._url.database or "") if self.dialect == "sqlite" else None

    async def migrate(self) -> None:
        """Make the tables, or bring those of an older version up to date, all or nothing.

        Raises DatabaseFault, for a database of a newer version as well: it is left as it is.
        """
        make_file(self._url)
        async with self.transaction() as connection:
            await connection.run_sync(upgrade)

    def require_file(self) -> None:
        """Raises DatabaseFault where the file of SQLite is not there: to look into it would make it, for everyone to
        read.
        """
        if self.file is not None and not self.file.is_file():
            file = self._url.render_as_string(hide_password=True)
            raise DatabaseFault(f"the database {file} is not there: no control plane has started with it")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: kept when the block ends, undone when it raises. Raises DatabaseFault.

        One within another is a part of it.
        """
        joined = self._open.get()
        if joined is not None:
            yield joined
            return
        with database_faults(self._url):
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
        with database_faults(self._url):
            async with self._readers.begin() as connection:
                yield connection

    async def ask(self, question: str) -> object:
        """The one value that the statement gives, in no transaction. Raises DatabaseFault."""
        with database_faults(self._url):
            async with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                return (await connection.exec_driver_sql(question)).scalar_one()

    async def close(self) -> None:
        """Give all connections back."""
        await asyncio.shield(self._engine.dispose())
        await asyncio.shield(self._readers.dispose())


@contextmanager
def database_faults(url: URL) -> Iterator[None]:
    """What the driver raises in the block, as a DatabaseFault that tells no secret."""
    try:
        yield
    except (SQLAlchemyError, OSError) as fault:
        # the statement and its values are in the text of a DBAPIError; the driver's words alone are not secret
        words = str(fault.orig) if isinstance(fault, DBAPIError) else type(fault).__name__
        raise DatabaseFault(f"the database {url.render_as_string(hide_password=True)}: {words}") from None


@contextmanager
def require_driver() -> Iterator[None]:
    """What is missing to make an engine in the block, as a DatabaseFault that says what to install."""
    try:
        yield
    except (ModuleNotFoundError, NoSuchModuleError) as fault:
        raise DatabaseFault(f"{fault}: install aegis-authz[postgres]") from None


def read_url(text: str, drivers: Mapping[str, str]) -> URL:
    """A URL of a database, with the driver for its kind. Raises DatabaseFault."""
    try:
        url = make_url(text)
        driver = drivers[url.drivername]
    except (ArgumentError, KeyError):
        raise DatabaseFault("the database must be sqlite:///path or postgresql://user@host/name") from None
    if url.drivername == "sqlite" and not url.database:
        raise DatabaseFault("the database must be a file: what is in memory alone is gone with the process")
    return url.set(drivername=driver)


def _engine(url: URL) -> AsyncEngine:
    with require_driver():
        if url.get_backend_name() != "sqlite":
            return create_async_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=5, connect_args=UNICODE)
        # one connection: SQLite has one writer, and a process that waits for itself waits in vain
        engine = create_async_engine(url, pool_size=1, max_overflow=0)
    event.listen(engine.sync_engine, "connect", prepare_sqlite)
    event.listen(engine.sync_engine, "begin", begin_writing)
    return engine


def _readers(url: URL, writers: AsyncEngine) -> AsyncEngine:
    """Connections on which one transaction sees one moment, and writes nothing."""
    if url.get_backend_name() != "sqlite":
        # of the same pool
        return writers.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    engine = create_async_engine(url, pool_size=2, max_overflow=2)
    event.listen(engine.sync_engine, "connect", prepare_reader)
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def prepare_reader(connection: Any, record: object) -> None:
    """Have a new connection of SQLite write nothing."""
    prepare_sqlite(connection, record)
    connection.execute("PRAGMA query_only=ON").close()


def prepare_sqlite(connection: Any, _: object) -> None:
    """Have a new connection of SQLite wait for others, and lose nothing that it says is kept."""
    # the driver begins no transaction by itself: `begin_writing` does, before the first look
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin_writing(connection: Connection) -> None:
    """Begin a transaction of SQLite."""
    # at once for writing: a transaction that looks first and writes then could not be told from one that lost
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def migrations() -> Config:
    """Where alembic finds the migrations."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def make_file(url: URL) -> None:
    """Make the file of SQLite, which would give it to everyone to read: it holds hashes of passwords.

    Raises DatabaseFault.
    """
    if url.get_backend_name() == "sqlite" and url.database:
        with database_faults(url):
            Path(url.database).touch(mode=0o600)


def upgrade(connection: Connection) -> None:
    """Bring the tables up to date, in the transaction that is open. Raises DatabaseFault."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        _require_encoding(connection)
    name, config = connection.engine.url.render_as_string(hide_password=True), migrations()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
    if unknown:
        raise DatabaseFault(
            f"the database {name} is of a newer version of Aegis (it is at {', '.join(sorted(unknown))}): "
            "start that version, or restore a backup of before"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _require_encoding(connection: Connection) -> None:
    """Raises DatabaseFault for a database that takes bytes for texts."""
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding == "SQL_ASCII":
        name = connection.engine.url.render_as_string(hide_password=True)
        raise DatabaseFault(
            f"the database {name} has the encoding SQL_ASCII, which knows no characters: make one by "
            "CREATE DATABASE ... TEMPLATE template0 ENCODING 'UTF8'"
        )
