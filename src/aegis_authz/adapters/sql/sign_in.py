"""`ports.sign_in` in SQL."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Row, case, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.people import require_person
from aegis_authz.adapters.sql.tables import API_KEYS, CERTIFICATES, CODES, FAILURES, PEOPLE, SESSIONS, SIGN_IN_PLACES
from aegis_authz.core.person import RoleBinding
from aegis_authz.core.sign_in import (
    FAILURES_LEAK,
    FAILURES_LIFE,
    PLACE_LIFE,
    ApiKey,
    CertificateKind,
    CertificateName,
    Failures,
    Session,
)
from aegis_authz.core.units import Epoch
from aegis_authz.ports.people import PersonConflict, PersonUnknown


class SqlSignIn:
    """Hashes of passwords, sessions, API keys and codes, and how often signing in failed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set_password(self, person_id: str, password_hash: str) -> None:
        """Keep this instead. Raises PersonUnknown, DatabaseFault."""
        async with self._database.transaction() as connection:
            await require_person(connection, person_id)
            await connection.execute(update(PEOPLE).where(PEOPLE.c.id == person_id).values(password_hash=password_hash))

    async def password_hash(self, person_id: str) -> str:
        """What was set. Raises PersonUnknown, DatabaseFault."""
        columns = select(PEOPLE.c.password_hash).where(PEOPLE.c.id == person_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(columns)).first()
        if row is None:
            raise PersonUnknown(f"there is no {person_id}")
        return str(row.password_hash)

    async def open_session(self, session: Session) -> None:
        """Keep a session. Raises PersonUnknown, DatabaseFault."""
        async with self._database.transaction() as connection:
            await require_person(connection, session.person_id)
            await connection.execute(delete(SESSIONS).where(SESSIONS.c.expires <= session.created))
            await connection.execute(
                insert(SESSIONS).values(
                    hash=session.hash,
                    person_id=session.person_id,
                    created=session.created,
                    expires=session.expires,
                )
            )

    async def session(self, session_hash: str) -> Session | None:
        """The session of that hash. Raises DatabaseFault."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(SESSIONS).where(SESSIONS.c.hash == session_hash))).first()
        return None if row is None else Session(row.hash, row.person_id, Epoch(row.created), Epoch(row.expires))

    async def end_session(self, session_hash: str) -> None:
        """Forget it, if there is one. Raises DatabaseFault."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(SESSIONS).where(SESSIONS.c.hash == session_hash))

    async def end_sessions(self, person_id: str) -> None:
        """Forget all of a person. Raises DatabaseFault."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(SESSIONS).where(SESSIONS.c.person_id == person_id))

    async def add_key(self, key: ApiKey) -> None:
        """Keep a key. Raises PersonUnknown, DatabaseFault."""
        async with self._database.transaction() as connection:
            await require_person(connection, key.person_id)
            await connection.execute(
                insert(API_KEYS).values(
                    id=key.id,
                    hash=key.hash,
                    person_id=key.person_id,
                    label=key.label,
                    roles=" ".join(str(binding) for binding in key.roles),
                    created=key.created,
                    expires=key.expires,
                    is_revoked=key.is_revoked,
                )
            )

    async def key(self, key_id: str) -> ApiKey | None:
        """The key of that id. Raises DatabaseFault."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(API_KEYS).where(API_KEYS.c.id == key_id))).first()
        return None if row is None else _key(row)

    async def keys(self) -> list[ApiKey]:
        """All of them, the newest first. Raises DatabaseFault."""
        columns = select(API_KEYS).order_by(API_KEYS.c.created.desc(), API_KEYS.c.id)
        async with self._database.reading() as connection:
            return [_key(row) for row in await connection.execute(columns)]

    async def revoke_key(self, key_id: str) -> bool:
        """End it. Raises DatabaseFault."""
        is_live = (API_KEYS.c.id == key_id) & (API_KEYS.c.is_revoked.is_(False))
        async with self._database.transaction() as connection:
            return (await connection.execute(update(API_KEYS).where(is_live).values(is_revoked=True))).rowcount == 1

    async def put_code(self, code_hash: str, person_id: str, expires: Epoch) -> None:
        """Keep a code, instead of those of before. Raises DatabaseFault."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(CODES).where(CODES.c.person_id == person_id))
            await connection.execute(insert(CODES).values(hash=code_hash, person_id=person_id, expires=expires))

    async def add_code(self, code_hash: str, person_id: str, now: Epoch, expires: Epoch) -> None:
        """Keep a code beside those of before. Raises DatabaseFault."""
        is_over = (CODES.c.person_id == person_id) & (CODES.c.expires <= now)
        async with self._database.transaction() as connection:
            await connection.execute(delete(CODES).where(is_over))
            await connection.execute(insert(CODES).values(hash=code_hash, person_id=person_id, expires=expires))

    async def end_codes(self, person_id: str) -> None:
        """Forget all codes of a person. Raises DatabaseFault."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(CODES).where(CODES.c.person_id == person_id))

    async def take_code(self, code_hash: str, now: Epoch) -> str | None:
        """Whose code it is, which it is no more. Raises DatabaseFault."""
        taken = delete(CODES).where(CODES.c.hash == code_hash).returning(CODES.c.person_id, CODES.c.expires)
        async with self._database.transaction() as connection:
            row = (await connection.execute(taken)).first()
        return None if row is None or row.expires <= now else str(row.person_id)

    async def add_certificate(self, person_id: str, name: CertificateName) -> None:
        """Note that certificates of this name are the person's. Raises PersonUnknown, PersonConflict, DatabaseFault."""
        async with self._database.transaction() as connection:
            await require_person(connection, person_id)
            holder = select(CERTIFICATES.c.person_id).where(_is_certificate(name))
            row = (await connection.execute(holder)).first()
            if row is not None and row.person_id == person_id:
                return
            values = {"kind": name.kind.value, "value": name.value, "person_id": person_id}
            try:
                await connection.execute(insert(CERTIFICATES).values(**values))
            except IntegrityError:
                raise PersonConflict(f"that {name.kind.value} is another person's") from None

    async def remove_certificate(self, person_id: str, name: CertificateName) -> bool:
        """Forget that. Raises DatabaseFault."""
        own = _is_certificate(name) & (CERTIFICATES.c.person_id == person_id)
        async with self._database.transaction() as connection:
            return (await connection.execute(delete(CERTIFICATES).where(own))).rowcount == 1

    async def certificates(self, person_id: str) -> list[CertificateName]:
        """The names of the person's certificates, in order. Raises DatabaseFault."""
        own = select(CERTIFICATES).where(CERTIFICATES.c.person_id == person_id)
        async with self._database.reading() as connection:
            rows = await connection.execute(own.order_by(CERTIFICATES.c.kind, CERTIFICATES.c.value))
            return [CertificateName(CertificateKind(row.kind), row.value) for row in rows]

    async def certificate_holders(self, names: Collection[CertificateName]) -> frozenset[str]:
        """Whose certificates of any of these names are. Raises DatabaseFault."""
        if not names:
            return frozenset()
        columns = select(CERTIFICATES.c.person_id).where(or_(*map(_is_certificate, names)))
        async with self._database.reading() as connection:
            return frozenset((await connection.execute(columns)).scalars())

    async def failures(self, name: str) -> Failures:
        """How often in a row signing in has failed for that name. Raises DatabaseFault."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(FAILURES).where(FAILURES.c.name == name))).first()
        return Failures(0.0, Epoch(0.0)) if row is None else Failures(row.failures, Epoch(row.last))

    async def note_failure(self, name: str, now: Epoch) -> None:
        """Count one more. Raises DatabaseFault."""
        enter = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        first = enter(FAILURES).values(name=name, failures=1.0, last=now)
        left = FAILURES.c.failures - (now - FAILURES.c.last) / FAILURES_LEAK
        more = {"failures": case((left > 0.0, left), else_=0.0) + 1.0, "last": now}
        async with self._database.transaction() as connection:
            # whoever tries names without end fills no disk
            await connection.execute(delete(FAILURES).where(FAILURES.c.last < now - FAILURES_LIFE))
            await connection.execute(first.on_conflict_do_update(index_elements=[FAILURES.c.name], set_=more))

    async def note_place(self, person_id: str, network: str, now: Epoch) -> None:
        """Keep that the person has signed in from there. Raises PersonUnknown, DatabaseFault."""
        place = SIGN_IN_PLACES.c
        is_same = (place.person_id == person_id) & (place.network == network)
        async with self._database.transaction() as connection:
            await require_person(connection, person_id)
            is_old = (place.person_id == person_id) & (place.last <= now - PLACE_LIFE)
            await connection.execute(delete(SIGN_IN_PLACES).where(is_old | is_same))
            await connection.execute(insert(SIGN_IN_PLACES).values(person_id=person_id, network=network, last=now))

    async def has_place(self, person_id: str, network: str, now: Epoch) -> bool:
        """Whether the person has signed in from there within PLACE_LIFE. Raises DatabaseFault."""
        place = SIGN_IN_PLACES.c
        is_place = (place.person_id == person_id) & (place.network == network) & (place.last > now - PLACE_LIFE)
        async with self._database.reading() as connection:
            return (await connection.execute(select(place.last).where(is_place))).first() is not None

    async def forget_failures(self, name: str) -> None:
        """Begin from none. Raises DatabaseFault."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(FAILURES).where(FAILURES.c.name == name))


def _is_certificate(name: CertificateName) -> ColumnElement[bool]:
    return (CERTIFICATES.c.kind == name.kind.value) & (CERTIFICATES.c.value == name.value)


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        row.id,
        row.hash,
        row.person_id,
        row.label,
        tuple(RoleBinding.parse(text) for text in row.roles.split()),
        Epoch(row.created),
        Epoch(row.expires),
        row.is_revoked,
    )
