"""The list of what is revoked, in SQL: it outlives Redis, and all control planes have the same."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.tables import REVOCATIONS
from aegis_authz.core.revocation import Revocation, Revoked
from aegis_authz.core.units import Epoch
from aegis_authz.ports.control_plane import RevocationListFault
from aegis_authz.ports.database import DatabaseFault


class SqlRevocationList:
    """`ports.RevocationList` in the table revocations."""

    def __init__(self, database: BlockingDatabase) -> None:
        """Reads nothing yet: `refresh` does."""
        self._database = database
        self._turn = threading.Lock()  # else what was read before could be kept after what was read later
        self._current: tuple[Revocation, ...] = ()

    @property
    def current(self) -> tuple[Revocation, ...]:
        """What was read last."""
        return self._current

    def refresh(self) -> None:
        """Read what is kept by now. Raises RevocationListFault, and then `current` is as it was."""
        with self._turn:
            with self._on(self._database.reading()) as connection:
                current = _read(connection)
            self._current = current

    def add(self, revocation: Revocation) -> None:
        """Keep one more, instead of the one of the same target. Raises RevocationListFault."""
        with self._turn:
            with self._on(self._database.transaction()) as connection:
                keep_revocation(connection, revocation)
                current = _read(connection)
            self._current = current  # now that it is committed: what is not, nobody is told to read again

    def remove(self, targets: Iterable[Revoked]) -> None:
        """Keep these no longer. Raises RevocationListFault."""
        marks = [target.mark for target in targets]
        with self._turn:
            with self._on(self._database.transaction()) as connection:
                connection.execute(delete(REVOCATIONS).where(REVOCATIONS.c.mark.in_(marks)))
                current = _read(connection)
            self._current = current

    @contextmanager
    def _on(self, begun: AbstractContextManager[Connection]) -> Iterator[Connection]:
        try:
            with begun as connection:
                yield connection
        except (DatabaseFault, ValueError) as fault:
            raise RevocationListFault(f"what is revoked cannot be read or kept: {fault}") from None


def keep_revocation(connection: Connection, revocation: Revocation) -> None:
    """Keep one more, instead of the one of the same target."""
    enter = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = {"person": revocation.by, "at": revocation.at}
    row = enter(REVOCATIONS).values(mark=revocation.target.mark, **values)
    connection.execute(row.on_conflict_do_update(index_elements=[REVOCATIONS.c.mark], set_=values))


def _read(connection: Connection) -> tuple[Revocation, ...]:
    rows = connection.execute(select(REVOCATIONS).order_by(REVOCATIONS.c.at, REVOCATIONS.c.mark))
    return tuple(Revocation(Revoked.parse(row.mark), row.person, Epoch(row.at)) for row in rows)
