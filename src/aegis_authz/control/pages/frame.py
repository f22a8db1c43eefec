"""What is around every page: which sections its reader may see, which is open, and who is signed in."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from aegis_authz.control.gate import Reach
from aegis_authz.core.person import WHOLE_MESH, Person
from aegis_authz.notices.words import ascii_line
from aegis_authz.people.permissions import Permission, may, may_somewhere


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the navigation: shown to whoever has its permission as far as its page demands it."""

    title: str
    href: str
    permission: Permission
    reach: Reach

    def is_for(self, person: Person) -> bool:
        """Whether the person may open it."""
        if self.reach is Reach.EACH:
            return may_somewhere(person, self.permission)
        return may(person, self.permission, WHOLE_MESH)


SECTIONS = (
    Section("Approvals", "/approvals", Permission.READ_APPROVALS, Reach.EACH),
    Section("Decisions", "/decisions", Permission.READ_RECORDS, Reach.EACH),
    Section("Policies", "/policies", Permission.READ_POLICIES, Reach.MESH),
    Section("Playground", "/playground", Permission.READ_POLICIES, Reach.MESH),
    Section("Agents", "/agents", Permission.READ_AGENTS, Reach.EACH),
    Section("Spend", "/spend", Permission.READ_SPEND, Reach.EACH),
    Section("Audit", "/audit", Permission.READ_RECORDS, Reach.EACH),
    Section("Oversight", "/oversight", Permission.READ_APPROVALS, Reach.EACH),
    Section("Dashboards", "/dashboards", Permission.READ_RECORDS, Reach.MESH),
    Section("People", "/people", Permission.READ_PEOPLE, Reach.EACH),
)
"""In the order of the navigation; the first that a reader may open is where they begin."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame of a page says; `open` is the address of the section that the page is in, "" for none."""

    reader: str
    sections: tuple[Section, ...]
    open: str


NOBODY = Frame("", (), "")
"""The frame for whoever is not signed in."""


def frame_of(request: Request) -> Frame:
    """The frame for whoever asks for this page."""
    person = getattr(request.state, "person", None)
    return frame_for(person, request.url.path) if isinstance(person, Person) else NOBODY


def frame_for(person: Person, path: str) -> Frame:
    """The frame for this person of the page at that path."""
    sections = tuple(section for section in SECTIONS if section.is_for(person))
    around = [section.href for section in sections if path == section.href or path.startswith(f"{section.href}/")]
    return Frame(ascii_line(person.id), sections, max(around, key=len, default=""))


def first_page(person: Person) -> str:
    """Where this person begins, "" where there is nothing for them."""
    return next((section.href for section in SECTIONS if section.is_for(person)), "")


def is_of_pages(path: str) -> bool:
    """Whether a path is one of pages, so that its problems are pages as well."""
    folders = {section.href for section in SECTIONS} | {"/approvals", "/console"}
    return path == "/" or any(path == folder or path.startswith(f"{folder}/") for folder in folders)
