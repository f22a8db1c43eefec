"""`ports.people` in SQL."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.tables import ADDRESSES, MEMBERSHIPS, PEOPLE, SPONSORS
from aegis_authz.core.person import Person, RoleBinding
from aegis_authz.core.units import Epoch
from aegis_authz.ports.people import Account, PersonConflict, PersonUnknown

_GROUP, _ROLE = "group", "role"


class SqlPeople:
    """Accounts in the tables people, memberships and addresses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, account: Account) -> None:
        """Keep a new one. Raises PersonConflict, DatabaseFault."""
        person = account.person
        async with self._database.transaction() as connection:
            try:
                await connection.execute(
                    insert(PEOPLE).values(
                        id=person.id,
                        name=person.name,
                        is_disabled=account.is_disabled,
                        created=account.created,
                        password_hash="",
                    )
                )
            except IntegrityError:
                raise PersonConflict(f"there is a {person.id} already") from None
            await _enter(connection, person)

    async def replace(self, account: Account) -> None:
        """Keep this instead of the one with its id. Raises PersonUnknown, DatabaseFault."""
        person = account.person
        async with self._database.transaction() as connection:
            await require_person(connection, person.id)
            await connection.execute(
                update(PEOPLE).where(PEOPLE.c.id == person.id).values(name=person.name, is_disabled=account.is_disabled)
            )
            await connection.execute(delete(MEMBERSHIPS).where(MEMBERSHIPS.c.person_id == person.id))
            await _enter(connection, person)

    async def account(self, person_id: str) -> Account:
        """The account of that id. Raises PersonUnknown, DatabaseFault."""
        async with self._database.reading() as connection:
            return _only(await _accounts(connection, PEOPLE.c.id == person_id))

    async def accounts(self) -> list[Account]:
        """All of them, in order of id. Raises DatabaseFault."""
        async with self._database.reading() as connection:
            return await _accounts(connection, PEOPLE.c.id.is_not(None))

    async def link(self, person_id: str, channel: str, address: str) -> None:
        """Note where the person is in a channel. Raises PersonUnknown, PersonConflict, DatabaseFault."""
        async with self._database.transaction() as connection:
            await require_person(connection, person_id)
            own = (ADDRESSES.c.person_id == person_id) & (ADDRESSES.c.channel == channel)
            await connection.execute(delete(ADDRESSES).where(own))
            if not address:
                return
            values = {"person_id": person_id, "channel": channel, "address": address}
            try:
                await connection.execute(insert(ADDRESSES).values(**values))
            except IntegrityError:
                raise PersonConflict(f"that address in {channel} is another person's") from None

    async def at_address(self, channel: str, address: str) -> Account:
        """Whose address it is. Raises PersonUnknown, DatabaseFault."""
        place = (ADDRESSES.c.channel == channel) & (ADDRESSES.c.address == address)
        async with self._database.reading() as connection:
            holders = select(ADDRESSES.c.person_id).where(place)
            return _only(await _accounts(connection, PEOPLE.c.id.in_(holders)))

    async def addresses(self, channel: str) -> dict[str, str]:
        """The address of each person who has one in the channel. Raises DatabaseFault."""
        columns = select(ADDRESSES.c.person_id, ADDRESSES.c.address).where(ADDRESSES.c.channel == channel)
        async with self._database.transaction() as connection:
            return {row.person_id: row.address for row in await connection.execute(columns)}

    async def add_sponsor(self, person_id: str, sponsor: str) -> None:
        """Note that this one answers for the person, too. Raises PersonUnknown, DatabaseFault."""
        pair = (SPONSORS.c.person_id == person_id) & (SPONSORS.c.sponsor == sponsor)
        async with self._database.transaction() as connection:
            await require_person(connection, person_id)
            await connection.execute(delete(SPONSORS).where(pair))
            await connection.execute(insert(SPONSORS).values(person_id=person_id, sponsor=sponsor))

    async def forget_sponsors(self, person_id: str) -> None:
        """Note that nobody else answers for the person any more. Raises DatabaseFault."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(SPONSORS).where(SPONSORS.c.person_id == person_id))

    async def sponsors(self) -> dict[str, frozenset[str]]:
        """Who answers for each person for whom somebody else does. Raises DatabaseFault."""
        sponsors: dict[str, set[str]] = {}
        async with self._database.reading() as connection:
            for person_id, sponsor in await connection.execute(select(SPONSORS.c.person_id, SPONSORS.c.sponsor)):
                sponsors.setdefault(person_id, set()).add(sponsor)
        return {person_id: frozenset(names) for person_id, names in sponsors.items()}


async def require_person(connection: AsyncConnection, person_id: str) -> None:
    """Raises PersonUnknown unless there is one of that id."""
    if (await connection.execute(select(PEOPLE.c.id).where(PEOPLE.c.id == person_id))).first() is None:
        raise PersonUnknown(f"there is no {person_id}")


async def _enter(connection: AsyncConnection, person: Person) -> None:
    values = [(_GROUP, group) for group in sorted(person.groups)]
    values += [(_ROLE, text) for text in dict.fromkeys(str(binding) for binding in person.roles)]
    rows = [{"person_id": person.id, "kind": kind, "value": value} for kind, value in values]
    if rows:
        await connection.execute(insert(MEMBERSHIPS), rows)


async def _accounts(connection: AsyncConnection, condition: ColumnElement[bool]) -> list[Account]:
    rows = (await connection.execute(select(PEOPLE).where(condition).order_by(PEOPLE.c.id))).all()
    ids = [row.id for row in rows]
    memberships: dict[str, list[tuple[str, str]]] = {person_id: [] for person_id in ids}
    columns = select(MEMBERSHIPS).where(MEMBERSHIPS.c.person_id.in_(ids)).order_by(MEMBERSHIPS.c.value)
    for person_id, kind, value in await connection.execute(columns):
        memberships[person_id].append((kind, value))
    return [
        Account(_person(row.id, row.name, memberships[row.id]), row.is_disabled, Epoch(row.created)) for row in rows
    ]


def _person(person_id: str, name: str, memberships: Iterable[tuple[str, str]]) -> Person:
    held = list(memberships)
    return Person(
        person_id,
        name,
        frozenset(value for kind, value in held if kind == _GROUP),
        tuple(RoleBinding.parse(value) for kind, value in held if kind == _ROLE),
    )


def _only(accounts: list[Account]) -> Account:
    if not accounts:
        raise PersonUnknown("there is nobody of that name")
    return accounts[0]
