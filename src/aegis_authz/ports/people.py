"""Where people are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aegis_authz.core.person import Person
from aegis_authz.core.units import Epoch


@dataclass(frozen=True, slots=True)
class Account:
    """A person as kept. One that is disabled keeps its name in what it did, and may nothing any more."""

    person: Person
    is_disabled: bool
    created: Epoch


class PeopleStore(Protocol):
    """Accounts, and where their people are in which channels (`slack`, `email`). May raise DatabaseFault."""

    async def add(self, account: Account) -> None:
        """Keep a new one. Raises PersonConflict when its id is taken, by one that is disabled as well."""
        ...

    async def replace(self, account: Account) -> None:
        """Keep this instead of the one with its id; `created` stays. Raises PersonUnknown."""
        ...

    async def account(self, person_id: str) -> Account:
        """The account of that id. Raises PersonUnknown."""
        ...

    async def accounts(self) -> list[Account]:
        """All of them, in order of id."""
        ...

    async def link(self, person_id: str, channel: str, address: str) -> None:
        """Note where the person is in a channel, instead of what was noted; "" forgets it.

        Raises PersonUnknown, and PersonConflict when the address is another person's.
        """
        ...

    async def at_address(self, channel: str, address: str) -> Account:
        """Whose address it is. Raises PersonUnknown."""
        ...

    async def addresses(self, channel: str) -> dict[str, str]:
        """The address of each person who has one in the channel, by the person's id."""
        ...

    async def add_sponsor(self, person_id: str, sponsor: str) -> None:
        """Note that this one answers for the person, too. Raises PersonUnknown."""
        ...

    async def forget_sponsors(self, person_id: str) -> None:
        """Note that nobody else answers for the person any more."""
        ...

    async def sponsors(self) -> dict[str, frozenset[str]]:
        """Who answers for each person for whom somebody else does, by the person's id."""
        ...


class PersonConflict(Exception):
    """The id or the address is another's; the message is fit to show."""


class PersonUnknown(Exception):
    """Nobody of that id or address is kept."""
