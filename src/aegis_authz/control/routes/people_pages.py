"""The pages on which people are looked at, invited and changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.pages import Form, Pages
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.pages.people import (
    STATES,
    NewPerson,
    PeopleFilter,
    PeopleList,
    PersonSheet,
    code_page,
    people_page,
    person_page,
)
from aegis_authz.control.people.appointing import Appointer, NotAppointed
from aegis_authz.control.routes.people import PersonId, link_url
from aegis_authz.core.person import Person, Role, RoleBinding
from aegis_authz.people.permissions import Permission, may_somewhere
from aegis_authz.ports.people import Account, PersonConflict, PersonUnknown

Name = Annotated[str, Query(max_length=200)]
State = Annotated[str, Query(pattern=f"^({'|'.join(STATES)})?$")]
RoleName = Annotated[str, Query(alias="role", pattern=f"^({'|'.join(role.value for role in Role)})?$")]
PageNumber = Annotated[int, Query(ge=1, le=100_000)]
Verb = Literal["change", "disable", "enable", "code", "link", "confirm"]
_VERBS: tuple[Verb, ...] = ("change", "disable", "enable", "code", "link", "confirm")
_EVERYBODY, _NO_FIELDS = PeopleFilter("", "", "", 1), NewPerson()
_NO_REASON = "say why: the reason is kept in the change log"


class FormRefused(Exception):
    """What a form says cannot be done; the message is fit to show."""


_REFUSALS = (NotAppointed, PersonConflict, FormRefused)


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pages of people, as one caller sees them."""

    appointer: Appointer
    pages: Pages
    caller: Caller
    request: Request

    async def listing(
        self,
        choice: PeopleFilter,
        new: NewPerson = _NO_FIELDS,
        refusal: str = "",
    ) -> Response:
        """The list, of whom the caller may see."""
        person = self.caller.person
        accounts = await self.appointer.visible(person, Permission.READ_PEOPLE)
        may_invite = may_somewhere(person, Permission.APPOINT_PEOPLE)
        seal = self.pages.seal_of(("people", "add"), person, self.request) if may_invite else ""
        content = PeopleList(accounts, await self.appointer.sponsors(), choice, seal, new, refusal)
        return people_page(content, 409 if refusal else 200, frame_of(self.request))

    async def sheet(self, account: Account, refusal: str = "") -> Response:
        """One person, with forms where the caller may appoint them."""
        verbs = _VERBS if await self._may_appoint(account) else ()
        seals: dict[str, str] = {verb: self.seal(verb, account) for verb in verbs}
        content = PersonSheet(account, await self.appointer.sponsors(), seals, refusal)
        return person_page(content, 409 if refusal else 200, frame_of(self.request))

    async def visible(self, person_id: str) -> Account:
        """One whom the caller may see. Raises PersonUnknown, also where the caller may not."""
        accounts = await self.appointer.visible(self.caller.person, Permission.READ_PEOPLE)
        for account in accounts:
            if account.person.id == person_id:
                return account
        raise PersonUnknown(f"there is no {person_id}")

    def seal(self, verb: Verb, account: Account) -> str:
        """What a form must bring back: it is about the person as that page shows them, so that nobody's change is
        undone by one who has not seen it.
        """
        return self.pages.seal_of(_words(verb, account), self.caller.person, self.request)

    async def act(self, verb: Verb, account: Account, form: Form) -> Response:
        """Do what a form asks. Raises NotAppointed, PersonConflict, FormRefused."""
        caller, person, note = self.caller.person, account.person, form.text("note")
        if not note:
            raise FormRefused(_NO_REASON)
        if verb == "disable" and form.text("confirm") != person.id:
            raise FormRefused(f"to revoke them, type {person.id} into the field above the reason")
        if verb in ("code", "link"):
            return await self._code(verb, person, note)
        if verb == "confirm":
            await self.appointer.confirm(caller, person.id, note)
        else:
            after = person if verb in ("disable", "enable") else _person(person.id, form)
            is_disabled = verb == "disable" or (verb == "change" and account.is_disabled)
            await self.appointer.change(caller, after, is_disabled, note)
        return RedirectResponse(f"/people/{quote(person.id)}", status_code=303)

    async def _code(self, verb: Verb, person: Person, note: str) -> Response:
        caller, frame = self.caller.person, frame_of(self.request)
        if verb == "code":
            code, expires = await self.appointer.code(caller, person.id, note)
            return code_page(person.id, code, "", expires, frame)
        code, expires = await self.appointer.sign_in_link(caller, person.id, note)
        return code_page(person.id, "", link_url(self.pages, person.id, code), expires, frame)

    async def _may_appoint(self, account: Account) -> bool:
        try:
            await self.appointer.account(self.caller.person, account.person.id)
        except PersonUnknown:
            return False
        return True


def people_page_routes(appointer: Appointer, authentication: Authentication, pages: Pages) -> list[APIRouter]:
    """`/people` and what is below."""
    people = people_router(authentication, takes_forms=True)
    reads = needs(Permission.READ_PEOPLE, Reach.EACH)
    appoints = needs(Permission.APPOINT_PEOPLE, Reach.EACH, is_logged=False)

    @people.get("/people", include_in_schema=False, dependencies=[reads])
    async def list_people_on_page(
        caller: Asker,
        request: Request,
        name: Name = "",
        state: State = "",
        role: RoleName = "",
        page: PageNumber = 1,
    ) -> Response:
        """List the people whose roles are all where the caller may look."""
        return await _Pages(appointer, pages, caller, request).listing(PeopleFilter(name.strip(), state, role, page))

    @people.post("/people", include_in_schema=False, dependencies=[appoints])
    async def invite_person_on_page(caller: Asker, request: Request) -> Response:
        """Add a person; the page shows the code by which that person sets a password, once."""
        form = await Form.read(request)
        pages.require_seal_of(form, ("people", "add"), caller.person, request)
        new = NewPerson(*(form.text(field) for field in ("id", "name", "roles", "groups")))
        try:
            note = form.text("note")
            if not note:
                raise FormRefused(_NO_REASON)
            code, expires = await appointer.add(caller.person, _person(new.id, form), note)
        except _REFUSALS as refusal:
            return await _Pages(appointer, pages, caller, request).listing(_EVERYBODY, new, str(refusal))
        return code_page(new.id, code, "", expires, frame_of(request))

    @people.get("/people/{person_id}", include_in_schema=False, dependencies=[reads])
    async def show_person_page(person_id: PersonId, caller: Asker, request: Request) -> Response:
        """Show one person."""
        views = _Pages(appointer, pages, caller, request)
        return await views.sheet(await views.visible(person_id))

    @people.post("/people/{person_id}/{verb}", include_in_schema=False, dependencies=[appoints])
    async def change_person_on_page(person_id: PersonId, verb: Verb, caller: Asker, request: Request) -> Response:
        """Change, disable, enable or confirm a person, or make a code; why not is told on the page."""
        views = _Pages(appointer, pages, caller, request)
        account = await appointer.account(caller.person, person_id)
        form = await Form.read(request)
        pages.require_seal_of(form, _words(verb, account), caller.person, request)
        try:
            return await views.act(verb, account, form)
        except _REFUSALS as refusal:
            return await views.sheet(account, str(refusal))

    return [people]


def _words(verb: Verb, account: Account) -> tuple[str, ...]:
    person = account.person
    roles, groups = map(str, person.roles), sorted(person.groups)
    return ("people", verb, person.id, person.name, str(account.is_disabled), " ".join(roles), " ".join(groups))


def _person(person_id: str, form: Form) -> Person:
    """The person that a form describes. Raises FormRefused."""
    try:
        roles = tuple(RoleBinding.parse(word) for word in dict.fromkeys(_listed(form, "roles")))
        return Person(person_id, form.text("name"), frozenset(_listed(form, "groups")), roles)
    except ValueError as fault:
        raise FormRefused(str(fault)) from None


def _listed(form: Form, field: str) -> list[str]:
    return [word for word in form.text(field).replace(",", " ").split() if word]
