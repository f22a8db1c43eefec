"""The frame shows each reader the sections that are theirs, and marks the open one."""

from __future__ import annotations

import pytest

from aegis_authz.control.gate import Reach
from aegis_authz.control.pages.frame import SECTIONS, Section, first_page, frame_for, is_of_pages
from aegis_authz.core.person import Role
from aegis_authz.people.permissions import PERMISSIONS, Permission
from tests.support.people import person


@pytest.mark.parametrize("role", list(Role))
def test_the_navigation_holds_what_the_role_may_read(role: Role) -> None:
    reader = person("eve", f"{role.value}@acme/emea")
    shown = frame_for(reader, "/").sections
    assert shown == tuple(
        entry for entry in SECTIONS if entry.reach is Reach.EACH and role in PERMISSIONS[entry.permission]
    )
    assert first_page(reader) == (shown[0].href if shown else "")


def test_a_section_of_the_whole_mesh_is_for_nobody_of_a_tenant() -> None:
    section = Section("Keys", "/keys", Permission.ROTATE_KEYS, Reach.MESH)
    assert section.is_for(person("eve", "owner"))
    assert not section.is_for(person("eve", "owner@acme"))


@pytest.mark.parametrize(
    ("path", "section"),
    [
        ("/approvals", "/approvals"),
        ("/approvals/apr_1", "/approvals"),
        ("/approvalsx", ""),
        ("/", ""),
    ],
)
def test_the_section_that_a_page_is_in_is_marked(path: str, section: str) -> None:
    assert frame_for(person("eve", "owner"), path).open == section


def test_problems_are_pages_where_pages_are_and_documents_elsewhere() -> None:
    assert all(map(is_of_pages, ["/", *(section.href for section in SECTIONS), "/approvals/x", "/console/assets/x"]))
    assert not any(map(is_of_pages, ["/v1/approvals", "/approvalsx", "/healthz", "/console.css"]))
