"""The routes of people: who there is, what they may, and where they are in channels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path

from aegis_authz.api.people import (
    AddressRequest,
    CertificateAnswer,
    CertificateRequest,
    CertificatesAnswer,
    CodeAnswer,
    NewPersonRequest,
    PeopleAnswer,
    PersonAnswer,
    PersonRequest,
    ReasonRequest,
    SignInLinkAnswer,
)
from aegis_authz.control.gate import Asker, Authentication, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages import Pages
from aegis_authz.control.people.appointing import Appointer
from aegis_authz.core.person import Person, RoleBinding
from aegis_authz.core.sign_in import CertificateKind, CertificateName
from aegis_authz.people.permissions import Permission

LINK_PATH = "/console/sign-in"
"""The page of a link by which a person signs in."""
PersonId = Annotated[str, Path(max_length=128, description="The person's id.")]
Channel = Annotated[str, Path(pattern="^[a-z][a-z0-9-]{0,31}$", description="A channel, such as `slack`.")]


def link_url(pages: Pages, person_id: str, code: str) -> str:
    """The URL at which that person signs in by a code, as people reach it: forms are taken from there alone."""
    return pages.url(f"{LINK_PATH}?{urlencode({'person': person_id, 'code': code})}")


def person_routes(appointer: Appointer, authentication: Authentication, pages: Pages) -> list[APIRouter]:
    """Everything under `/v1/people`, for those who may."""
    people = people_router(authentication)
    appoint = needs(Permission.APPOINT_PEOPLE, Reach.EACH, is_logged=False)

    @people.get("/v1/people", dependencies=[needs(Permission.READ_PEOPLE, Reach.EACH)])
    async def list_people(caller: Asker) -> PeopleAnswer:
        """List the people whose roles are all where the caller may look."""
        accounts = await appointer.visible(caller.person, caller.permission)
        sponsors = await appointer.sponsors()
        people = [PersonAnswer.of(account.person, disabled=account.is_disabled) for account in accounts]
        shown = (person.model_copy(update={"sponsors": _names(sponsors, person.id)}) for person in people)
        return PeopleAnswer(people=tuple(shown))

    @people.post("/v1/people", dependencies=[appoint])
    async def add_person(body: NewPersonRequest, caller: Asker) -> CodeAnswer:
        """Add a person; the answer holds the code by which that person sets a password."""
        person = _person(body.id, body.name, body.groups, body.roles)
        code, expires = await appointer.add(caller.person, person, body.note)
        return CodeAnswer(person=person.id, code=code, expires_at=expires)

    @people.put("/v1/people/{person_id}", dependencies=[appoint])
    async def change_person(person_id: PersonId, body: PersonRequest, caller: Asker) -> PersonAnswer:
        """Replace name, groups and roles, and disable or enable."""
        person = _person(person_id, body.name, body.groups, body.roles)
        account = await appointer.change(caller.person, person, body.disabled, body.note)
        return PersonAnswer.of(account.person, disabled=account.is_disabled)

    @people.post("/v1/people/{person_id}/code", dependencies=[appoint])
    async def make_code(person_id: PersonId, body: ReasonRequest, caller: Asker) -> CodeAnswer:
        """Make another code for a password; those before are worth nothing any more."""
        code, expires = await appointer.code(caller.person, person_id, body.note)
        return CodeAnswer(person=person_id, code=code, expires_at=expires)

    @people.post("/v1/people/{person_id}/sign-in-link", dependencies=[appoint])
    async def make_sign_in_link(person_id: PersonId, body: ReasonRequest, caller: Asker) -> SignInLinkAnswer:
        """Make a link by which a person signs in on a page, once, within minutes.

        The first owner is made by one, of the admin token, while there is nobody yet.
        """
        code, expires = await appointer.sign_in_link(caller.person, person_id, body.note)
        return SignInLinkAnswer(person=person_id, url=link_url(pages, person_id, code), expires_at=expires)

    @people.post("/v1/people/{person_id}/confirm", status_code=204, dependencies=[appoint])
    async def confirm_person(person_id: PersonId, body: ReasonRequest, caller: Asker) -> None:
        """Say that a person whom the owner of a part let in is in nobody's hand but their own.

        Their password, codes, sessions and API keys end: whoever let them in may know them.
        """
        await appointer.confirm(caller.person, person_id, body.note)

    @people.put("/v1/people/{person_id}/addresses/{channel}", status_code=204, dependencies=[appoint])
    async def link_person(person_id: PersonId, channel: Channel, body: AddressRequest, caller: Asker) -> None:
        """Note where the person is in a channel: who decides there is that person."""
        await appointer.link(caller.person, person_id, channel, body.address, body.note)

    return [people, _certificate_routes(appointer, authentication)]


def _certificate_routes(appointer: Appointer, authentication: Authentication) -> APIRouter:
    people = people_router(authentication)
    appoint = needs(Permission.APPOINT_PEOPLE, Reach.EACH, is_logged=False)

    @people.get("/v1/people/{person_id}/certificates", dependencies=[appoint])
    async def list_certificates(person_id: PersonId, caller: Asker) -> CertificatesAnswer:
        """List by which client certificates a person is told."""
        names = await appointer.certificates(caller.person, person_id)
        return CertificatesAnswer(certificates=tuple(CertificateAnswer.of(name) for name in names))

    @people.post("/v1/people/{person_id}/certificates", status_code=204, dependencies=[appoint])
    async def add_certificate(person_id: PersonId, body: CertificateRequest, caller: Asker) -> None:
        """Tell a person by client certificates of this name."""
        await appointer.add_certificate(caller.person, person_id, _certificate(body), body.note)

    @people.post("/v1/people/{person_id}/certificates/remove", status_code=204, dependencies=[appoint])
    async def remove_certificate(person_id: PersonId, body: CertificateRequest, caller: Asker) -> None:
        """Tell a person by client certificates of this name no more."""
        if not await appointer.remove_certificate(caller.person, person_id, _certificate(body), body.note):
            raise HttpProblem(404, "the person has no such certificate")

    return people


def _names(sponsors: Mapping[str, Collection[str]], person_id: str) -> tuple[str, ...]:
    return tuple(sorted(sponsors.get(person_id, ())))


def _certificate(body: CertificateRequest) -> CertificateName:
    try:
        return CertificateName(CertificateKind(body.kind), body.value)
    except ValueError as fault:
        raise HttpProblem(400, str(fault)) from None


def roles_of(words: list[str]) -> tuple[RoleBinding, ...]:
    """The roles that a request names. Raises HttpProblem with 400."""
    try:
        return tuple(RoleBinding.parse(word) for word in dict.fromkeys(words))
    except ValueError as fault:
        raise HttpProblem(400, f"roles: {fault}") from None


def _person(person_id: str, name: str, groups: list[str], roles: list[str]) -> Person:
    bindings = roles_of(roles)
    try:
        return Person(person_id, name, frozenset(groups), bindings)
    except ValueError as fault:
        raise HttpProblem(400, str(fault)) from None
