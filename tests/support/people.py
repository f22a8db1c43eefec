"""People for tests of routes: whoever bears the name of one is that person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request

from aegis_authz.control.app import ControlServices
from aegis_authz.control.gate import Authentication, Proven
from aegis_authz.control.http import bearer_of
from aegis_authz.control.people.signing_in import PeopleStores
from aegis_authz.core.person import Person, RoleBinding
from aegis_authz.testing.people import MemoryPeople


def person(person_id: str, *roles: str, groups: tuple[str, ...] = ()) -> Person:
    """A person of these roles, each as `RoleBinding.parse` reads it."""
    return Person(person_id, person_id.title(), frozenset(groups), tuple(RoleBinding.parse(role) for role in roles))


def memory_people(kept: MemoryPeople | None = None) -> PeopleStores:
    """Stores of people that forget everything at the end."""
    kept = MemoryPeople(for_tests=True) if kept is None else kept
    return PeopleStores(kept, kept, kept, kept)


OWNERS = tuple(person(name, "owner", groups=("finance",)) for name in ("ann", "bob", "finance-agent"))


def by(person_id: str) -> Mapping[str, str]:
    """The header that a person of a test sends."""
    return {"authorization": f"Bearer {person_id}"}


class ScriptedPeople:
    """Authentication by name, of these people alone; `usual` is asked about all else."""

    def __init__(self, usual: Authentication, *people: Person) -> None:
        self._usual = usual
        self._people = {entry.id: entry for entry in people}

    async def proven(self, request: Request) -> Proven | None:
        """The person of the name that is borne."""
        name = bearer_of(request).decode("utf-8", "replace")
        person = self._people.get(name)
        return await self._usual.proven(request) if person is None else Proven(person, "")

    async def note(self, person: Person, action: str, subject: str, domain: str, reason: str) -> None:
        """Write what a person does to the usual change log."""
        await self._usual.note(person, action, subject, domain, reason)


def with_people(services: ControlServices, *people: Person) -> ControlServices:
    """The same services, for these people as well."""
    return replace(services, authentication=ScriptedPeople(services.authentication, *people))
