"""Whether anything was committed, by what the database counts of its transactions: it reads no table."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from aegis_authz.adapters.sql.database import Database
from aegis_authz.ports.database import DatabaseFault

_SNAPSHOT = "SELECT pg_current_snapshot()::text"
"""Which transactions of the server are over and which are not. The same text is the same content: a transaction that
writes has a number, which is under way before its commit and is not after it.
"""


class SqlCommitMarks:
    """`ports.CommitMarks` of a database. A file of SQLite is asked without a thread: that takes microseconds, and waits
    for nobody.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None

    async def read(self) -> object:
        """A value that is another once anything was committed since it was read last. Raises DatabaseFault."""
        path = self._database.file
        return await self._database.ask(_SNAPSHOT) if path is None else self._version(path)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _version(self, path: Path) -> object:
        """What SQLite counts up for a connection when another commits (sqlite.org/pragma.html#pragma_data_version)."""
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=0)
            return self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as fault:
            self.close()
            raise DatabaseFault(f"the database {path}: {fault}") from None
