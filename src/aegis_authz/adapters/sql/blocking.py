"""The control plane's database for ports whose calls block: their callers ask in threads of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from aegis_authz.adapters.sql.database import (
    UNICODE,
    begin_writing,
    database_faults,
    make_file,
    prepare_reader,
    prepare_sqlite,
    read_url,
    require_driver,
    upgrade,
)

_PATIENCE = 10
"""Seconds for a connection to a server: a thread waits no longer."""


class BlockingDatabase:
    """The database at a URL, as `Database` has it, for threads."""

    def __init__(self, url: str) -> None:
        """Raises DatabaseFault for a URL that is none."""
        self._url = read_url(url, {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"})
        with require_driver():
            self._engine = _engine(self._url)
            self._readers = _readers(self._url, self._engine)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def migrate(self) -> None:
        """Make the tables, or bring those of an older version up to date. Raises DatabaseFault."""
        make_file(self._url)
        with self.transaction() as connection:
            upgrade(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction: kept when the block ends, undone when it raises. Raises DatabaseFault."""
        with database_faults(self._url), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """All as it is at one moment, for reading alone: it waits for no writer. Raises DatabaseFault."""
        with database_faults(self._url), self._readers.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()
        self._readers.dispose()


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        arguments = {**UNICODE, "connect_timeout": _PATIENCE}
        return create_engine(url, pool_pre_ping=True, pool_size=3, max_overflow=3, connect_args=arguments)
    engine = create_engine(url, pool_size=1, max_overflow=0)
    event.listen(engine, "connect", prepare_sqlite)
    event.listen(engine, "begin", begin_writing)
    return engine


def _readers(url: URL, writers: Engine) -> Engine:
    if url.get_backend_name() != "sqlite":
        return writers.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    engine = create_engine(url, pool_size=2, max_overflow=2)
    event.listen(engine, "connect", prepare_reader)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine
