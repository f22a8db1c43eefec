"""People for tests of routes: whoever bears the name of one is that person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request

from aegis_authz.control.app import ControlServices
from aegis_authz.control.gate import Authentication
from aegis_authz.control.http import bearer_of
from aegis_authz.core.person import Person, RoleBinding


def person(person_id: str, *roles: str, groups: tuple[str, ...] = ()) -> Person:
    """A person of these roles, each as `RoleBinding.parse` reads it."""
    return Person(person_id, person_id.title(), frozenset(groups), tuple(RoleBinding.parse(role) for role in roles))


OWNERS = tuple(person(name, "owner", groups=("finance",)) for name in ("ann", "bob", "finance-agent"))


def by(person_id: str) -> Mapping[str, str]:
    """The header that a person of a test sends."""
    return {"authorization": f"Bearer {person_id}"}


class ScriptedPeople:
    """Authentication by name, of these people alone; `usual` is asked about all else."""

    def __init__(self, usual: Authentication, *people: Person) -> None:
        self._usual = usual
        self._people = {entry.id: entry for entry in people}

    async def person(self, request: Request) -> Person | None:
        """The person of the name that is borne."""
        name = bearer_of(request).decode("utf-8", "replace")
        return self._people.get(name) or await self._usual.person(request)


def with_people(services: ControlServices, *people: Person) -> ControlServices:
    """The same services, for these people as well."""
    return replace(services, authentication=ScriptedPeople(services.authentication, *people))
