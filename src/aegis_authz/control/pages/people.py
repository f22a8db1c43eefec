"""The pages of people: who there is, what they may, and how that is changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.templates import address, page_of
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.person import Role
from aegis_authz.core.units import Epoch
from aegis_authz.notices.words import ascii_line
from aegis_authz.ports.people import Account

_ON_PAGE = 50
STATES = ("active", "disabled")
"""How people stand, in words."""


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """What a list of people shows: part of an id or a name, a state and a role ("" for all), and which page, from 1."""

    name: str
    state: str
    role: str
    page: int

    def keeps(self, account: Account) -> bool:
        """Whether the person is in the list."""
        person = account.person
        return (
            self.name.lower() in f"{person.id} {person.name}".lower()
            and self.state in ("", _state(account))
            and (not self.role or any(binding.role.value == self.role for binding in person.roles))
        )

    def href(self, page: int) -> str:
        """The address of another page of the same list."""
        words = {"name": self.name, "state": self.state, "role": self.role, "page": "" if page == 1 else page}
        return address("/people", words)


@dataclass(frozen=True, slots=True)
class NewPerson:
    """What was typed into the form of a new person, so that it is there still where it was refused."""

    id: str = ""
    name: str = ""
    roles: str = ""
    groups: str = ""


@dataclass(frozen=True, slots=True)
class PeopleList:
    """What the list shows. `seal` is that of the form of a new person, "" for who may appoint nobody."""

    accounts: Sequence[Account]
    sponsors: Mapping[str, Collection[str]]
    choice: PeopleFilter
    seal: str
    new: NewPerson
    refusal: str = ""


def people_page(content: PeopleList, status: int, frame: Frame) -> Response:
    """The list of people, and the form of a new one."""
    choice = content.choice
    matching = [account for account in content.accounts if choice.keeps(account)]
    start = (choice.page - 1) * _ON_PAGE
    return page_of(
        "people.html",
        status,
        frame,
        rows=[_row(account, content.sponsors) for account in matching[start : start + _ON_PAGE]],
        total=len(matching),
        filters=[
            {"name": "name", "label": "Name holds", "value": choice.name},
            {"name": "state", "label": "State", "value": choice.state, "choices": STATES},
            {"name": "role", "label": "Role", "value": choice.role, "choices": [role.value for role in Role]},
        ],
        before=choice.href(choice.page - 1) if choice.page > 1 else "",
        after=choice.href(choice.page + 1) if len(matching) > start + _ON_PAGE else "",
        seal=content.seal,
        new=content.new,
        refusal=ascii_line(content.refusal),
        roles=[role.value for role in Role],
        most_note=MOST_NOTE,
    )


@dataclass(frozen=True, slots=True)
class PersonSheet:
    """What the page of one person shows. `seals` are those of the forms by verb, none for who may not appoint them."""

    account: Account
    sponsors: Mapping[str, Collection[str]]
    seals: Mapping[str, str]
    refusal: str = ""


def person_page(sheet: PersonSheet, status: int, frame: Frame) -> Response:
    """One person, and the forms by which that person is changed."""
    return page_of(
        "person.html",
        status,
        frame,
        person=_row(sheet.account, sheet.sponsors),
        created=sheet.account.created,
        seals=sheet.seals,
        refusal=ascii_line(sheet.refusal),
        roles=[role.value for role in Role],
        most_note=MOST_NOTE,
    )


def code_page(person_id: str, code: str, url: str, expires_at: Epoch, frame: Frame) -> Response:
    """A code for a password, or the URL of a sign-in link, as it is shown this one time."""
    content: dict[str, object] = {"person": ascii_line(person_id), "code": code, "url": url, "expires_at": expires_at}
    return page_of("person_code.html", 200, frame, **content)


def _row(account: Account, sponsors: Mapping[str, Collection[str]]) -> dict[str, object]:
    person = account.person
    return {
        "id": person.id,
        "name": ascii_line(person.name),
        "roles": [str(binding) for binding in person.roles],
        "groups": sorted(person.groups),
        "state": _state(account),
        "is_disabled": account.is_disabled,
        "sponsors": sorted(sponsors.get(person.id, ())),
    }


def _state(account: Account) -> str:
    return STATES[account.is_disabled]
