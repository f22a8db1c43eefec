"""The releases port in SQL: one history for all control planes on the database, and what its last line serves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Column, Connection, Row, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.tables import POLICY_CHANGES, POLICY_RELEASES, PROPOSALS
from aegis_authz.core.json_value import Json
from aegis_authz.core.proposal import ProposalConflict, ProposalState
from aegis_authz.core.release import (
    REVISION,
    Change,
    ChangeKind,
    ReleaseConflict,
    ReleasesFault,
    RevisionUnknown,
    Sources,
)
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import NO_REVISION, Epoch, Revision
from aegis_authz.encoding.narrowing import mapping, text
from aegis_authz.ports.database import DatabaseFault

_CHANGE_LOCK = 0x6165676A  # the advisory lock of who publishes, among several control planes


class SqlReleases:
    """`ports.Releases` in the tables policy_releases and policy_changes."""

    def __init__(self, database: BlockingDatabase) -> None:
        self._database = database

    def current(self) -> Revision:
        with self._on(self._database.reading()) as connection:
            return _current(connection)

    def bundle(self, revision: Revision) -> bytes:
        bundle: bytes = self._read(POLICY_RELEASES.c.bundle, revision)
        return bundle

    def digest(self, revision: Revision) -> str:
        return str(self._read(POLICY_RELEASES.c.digest, revision))

    def sources(self, revision: Revision) -> Sources:
        try:
            stored = mapping(json.loads(self._read(POLICY_RELEASES.c.documents, revision)), "documents")
            return Sources(_texts(stored["policies"], "policies"), _texts(stored["tools"], "tools"))
        except (KeyError, ValueError) as fault:
            raise ReleasesFault(f"the documents of {revision}: {fault}") from None

    def tests(self, revision: Revision) -> Mapping[str, str]:
        stored = self._read(POLICY_RELEASES.c.tests, revision)
        try:
            return {} if stored is None else _texts(json.loads(stored), "tests")
        except ValueError as fault:
            raise ReleasesFault(f"the tests of {revision}: {fault}") from None

    def keep_tests(self, revision: Revision, tests: Mapping[str, str]) -> None:
        self.digest(revision)
        release = update(POLICY_RELEASES).where(POLICY_RELEASES.c.revision == revision)
        with self._on(self._database.transaction()) as connection:
            connection.execute(release.values(tests=json.dumps(dict(tests)) if tests else None))

    def keep(self, revision: Revision, bundle: bytes, sources: Sources) -> None:
        if REVISION.match(revision) is None:
            raise ValueError("not a revision")
        with self._on(self._database.transaction()) as connection:
            keep_release(connection, revision, bundle, sources)

    def resign(self, revision: Revision, bundle: bytes) -> None:
        digest = hashlib.sha256(bundle).hexdigest()
        if self.digest(revision) == digest:
            return
        signed = update(POLICY_RELEASES).where(POLICY_RELEASES.c.revision == revision)
        with self._on(self._database.transaction()) as connection:
            connection.execute(signed.values(bundle=bundle, digest=digest))

    def activate(self, change: Change) -> None:
        self.digest(change.revision)
        with self._on(self._database.transaction()) as connection:
            _append_next(connection, change)

    def activate_proposal(self, change: Change, proposal_id: str, confirmed_by: str) -> None:
        self.digest(change.revision)
        is_waiting = (PROPOSALS.c.id == proposal_id) & (PROPOSALS.c.state == ProposalState.WAITING.value)
        published = {"state": ProposalState.PUBLISHED.value, "decided_by": confirmed_by}
        with self._on(self._database.transaction()) as connection:
            _append_next(connection, change)
            if connection.execute(update(PROPOSALS).where(is_waiting).values(**published)).rowcount != 1:
                raise ProposalConflict("the proposal waits no more: look at it again")

    def note(self, change: Change) -> None:
        with self._on(self._database.transaction()) as connection:
            lock_changes(connection)
            append_change(connection, change)

    def changes(self) -> list[Change]:
        newest_first = select(POLICY_CHANGES).order_by(POLICY_CHANGES.c.number.desc())
        with self._on(self._database.reading()) as connection:
            rows = connection.execute(newest_first).all()
        try:
            return [_change(row) for row in rows]
        except ValueError as fault:
            raise ReleasesFault(f"the history of publications: {fault}") from None

    def _read(self, column: Column[Any], revision: Revision) -> Any:
        with self._on(self._database.reading()) as connection:
            row = connection.execute(select(column).where(POLICY_RELEASES.c.revision == revision)).first()
        if row is None:
            raise RevisionUnknown(revision)
        return row[0]

    @contextmanager
    def _on(self, begun: AbstractContextManager[Connection]) -> Iterator[Connection]:
        try:
            with begun as connection:
                yield connection
        except DatabaseFault as fault:
            raise ReleasesFault(str(fault)) from None


def lock_changes(connection: Connection) -> None:
    """Wait for one's turn among all who change what is served, until the transaction ends."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer by itself
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CHANGE_LOCK})")


def keep_release(connection: Connection, revision: Revision, bundle: bytes, sources: Sources) -> None:
    """Store a revision; one that is there already stays as it is."""
    enter = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    documents = json.dumps({"policies": dict(sources.policies), "tools": dict(sources.tools)})
    digest = hashlib.sha256(bundle).hexdigest()
    row = enter(POLICY_RELEASES).values(revision=revision, documents=documents, bundle=bundle, digest=digest)
    connection.execute(row.on_conflict_do_nothing())


def append_change(connection: Connection, change: Change) -> None:
    """Write a line after all that are there; `lock_changes` comes first."""
    last = connection.execute(select(func.max(POLICY_CHANGES.c.number))).scalar_one()
    connection.execute(insert(POLICY_CHANGES).values(number=(last or 0) + 1, **_row(change)))


def _append_next(connection: Connection, change: Change) -> None:
    """Write a line that changes what is served. Raises ReleaseConflict where another one came before it."""
    lock_changes(connection)
    current = _current(connection)
    if current != change.previous:
        raise ReleaseConflict(f"{current} was published meanwhile: look at it, and publish again")
    append_change(connection, change)


def _current(connection: Connection) -> Revision:
    column = POLICY_CHANGES.c
    about_documents = select(column.revision).where(column.agent.is_(None)).order_by(column.number.desc()).limit(1)
    row = connection.execute(about_documents).first()
    return NO_REVISION if row is None else Revision(row.revision)


def _row(change: Change) -> dict[str, object]:
    return {
        "at": change.time,
        "kind": change.kind.value,
        "revision": change.revision,
        "previous": change.previous,
        "person": change.by,
        "reason": change.message,
        "agent": None if change.agent is None else str(change.agent),
    }


def _change(row: Row[Any]) -> Change:
    return Change(
        kind=ChangeKind(row.kind),
        revision=Revision(row.revision),
        previous=Revision(row.previous),
        by=row.person,
        time=Epoch(row.at),
        message=row.reason,
        agent=None if row.agent is None else Scope.parse(row.agent),
    )


def _texts(data: Json, label: str) -> Mapping[str, str]:
    return {path: text(content, path) for path, content in mapping(data, label).items()}
