"""How far the memory of limits was begun, in SQL: a control plane that joins others takes no Redis for a new one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.tables import BEGINNINGS
from aegis_authz.ports.database import DatabaseFault

_LIMITS = "limits"
_FINISHED = ""


class SqlFirstStart:
    """`ports.FirstStart` in a row of the table beginnings."""

    def __init__(self, database: BlockingDatabase) -> None:
        self._database = database

    def life(self) -> str | None:
        """The life of the store in which it was begun, "" once it was finished, None before. Raises OSError."""
        with _on(self._database.reading()) as connection:
            row = connection.execute(select(BEGINNINGS.c.life).where(BEGINNINGS.c.name == _LIMITS)).first()
        return None if row is None else str(row.life)

    def begin(self, life: str) -> None:
        """It is begun in this life of the store. Raises OSError."""
        self._keep(life)

    def finish(self) -> None:
        """It was begun. Raises OSError."""
        self._keep(_FINISHED)

    def _keep(self, life: str) -> None:
        with _on(self._database.transaction()) as connection:
            keep_beginning(connection, life)


def keep_beginning(connection: Connection, life: str) -> None:
    """The memory of limits is begun in that life of the store, "" for finished."""
    enter = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = enter(BEGINNINGS).values(name=_LIMITS, life=life)
    connection.execute(row.on_conflict_do_update(index_elements=[BEGINNINGS.c.name], set_={"life": life}))


@contextmanager
def _on(begun: AbstractContextManager[Connection]) -> Iterator[Connection]:
    try:
        with begun as connection:
            yield connection
    except DatabaseFault as fault:
        raise OSError(str(fault)) from None
