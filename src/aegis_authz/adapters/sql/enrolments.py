"""The enrolments port in SQL: a code is good once, at whichever control plane it is shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, Insert, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.tables import ENROLLED_KEYS, INVITATIONS
from aegis_authz.core.enrolment import NOBODY_ENROLLED, Enrolled, EnrolledKey, Invitation
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.ports.control_plane import EnrolmentsFault
from aegis_authz.ports.database import DatabaseFault


class SqlEnrolments:
    """`ports.Enrolments` in the tables enrolled_keys and invitations."""

    def __init__(self, database: BlockingDatabase) -> None:
        """Reads nothing yet: `refresh` does."""
        self._database = database
        self._turn = threading.Lock()  # else what was read before could be kept after what was read later
        self._current = NOBODY_ENROLLED

    @property
    def current(self) -> Enrolled:
        """What was read last."""
        return self._current

    def refresh(self) -> None:
        """Read what is kept by now. Raises EnrolmentsFault, and then `current` is as it was."""
        with self._turn:
            with self._on(self._database.reading()) as connection:
                enrolled = _read(connection)
            if enrolled != self._current:  # else all that was worked out from it still holds
                self._current = enrolled

    def invite(self, invitation: Invitation, now: Epoch) -> None:
        """Keep one more code, and forget those whose time is over. Raises EnrolmentsFault."""
        with self._turn:
            with self._on(self._database.transaction()) as connection:
                connection.execute(delete(INVITATIONS).where(INVITATIONS.c.expires <= now))
                keep_enrolled(connection, Enrolled((invitation,), ()))
                enrolled = _read(connection)
            self._current = enrolled  # now that it is committed: what is not, nobody is told to read again

    def enrol(self, invitation: Invitation, key: EnrolledKey) -> bool:
        """Keep the key and use the code up; False where either is used already. Raises EnrolmentsFault."""
        used = delete(INVITATIONS).where(INVITATIONS.c.digest == invitation.digest).returning(INVITATIONS.c.digest)
        with self._turn:
            with self._on(self._database.transaction()) as connection:
                new = _key_row(connection, key).returning(ENROLLED_KEYS.c.raw_key)
                if connection.execute(new).first() is None or connection.execute(used).first() is None:
                    connection.rollback()
                    return False
                enrolled = _read(connection)
            self._current = enrolled
            return True

    @contextmanager
    def _on(self, begun: AbstractContextManager[Connection]) -> Iterator[Connection]:
        try:
            with begun as connection:
                yield connection
        except (DatabaseFault, ValueError) as fault:
            raise EnrolmentsFault(f"what is enrolled cannot be read or kept: {fault}") from None


def keep_enrolled(connection: Connection, enrolled: Enrolled) -> None:
    """Keep these beside what is kept; what is there already stays as it is."""
    for key in enrolled.keys:
        connection.execute(_key_row(connection, key))
    for invitation in enrolled.invitations:
        row = _enter(connection, INVITATIONS).values(
            digest=invitation.digest,
            agent=str(invitation.agent),
            person=invitation.by,
            expires=invitation.expires_at,
        )
        connection.execute(row.on_conflict_do_nothing())


def _key_row(connection: Connection, key: EnrolledKey) -> Insert:
    values = {"raw_key": key.raw_key.hex(), "agent": str(key.agent), "at": key.enrolled_at, "person": key.invited_by}
    return _enter(connection, ENROLLED_KEYS).values(**values).on_conflict_do_nothing()


def _enter(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _read(connection: Connection) -> Enrolled:
    invitations = connection.execute(select(INVITATIONS).order_by(INVITATIONS.c.expires, INVITATIONS.c.digest))
    keys = connection.execute(select(ENROLLED_KEYS).order_by(ENROLLED_KEYS.c.at, ENROLLED_KEYS.c.raw_key))
    return Enrolled(
        tuple(Invitation(row.digest, Scope.parse(row.agent), row.person, Epoch(row.expires)) for row in invitations),
        tuple(
            EnrolledKey(Scope.parse(row.agent), bytes.fromhex(row.raw_key), Epoch(row.at), row.person) for row in keys
        ),
    )
