"""The console begins at the first page of its reader, and its problems say what to do next."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from aegis_authz.control.app import ControlServices
from aegis_authz.control.pages.frame import SECTIONS
from tests.support.people import person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]


@pytest.mark.parametrize("role", ["owner", "auditor@acme", "approver@acme/emea", "viewer@acme/emea"])
async def test_a_reader_is_led_to_the_first_page_that_is_theirs(
    plane: ControlServices, client: Client, role: str
) -> None:
    reader = person("eve", role)
    mine = [section.href for section in SECTIONS if section.is_for(reader)]
    async with client(with_people(plane, reader), "eve") as browser:
        answer = await browser.get("/")
    if mine:
        assert (answer.status_code, answer.headers["location"]) == (303, mine[0])
    else:
        assert (answer.status_code, "Nothing is here for you yet." in answer.text) == (200, True)


async def test_whoever_is_nobody_is_asked_to_sign_in(plane: ControlServices, client: Client) -> None:
    async with client(plane, "nobody") as browser:
        answer = await browser.get("/")
    assert answer.status_code == 401
    assert 'href="/approvals/sign-in"' in answer.text


async def test_a_problem_says_who_reads_it_and_where_to_go(plane: ControlServices, client: Client) -> None:
    async with client(with_people(plane, person("vic", "viewer@acme/emea")), "vic") as browser:
        answer = await browser.get("/approvals")
    assert answer.status_code == 403
    assert "Signed in as vic" in answer.text
    assert 'href="/oversight"' not in answer.text
    assert "Somebody with that role can do it" in answer.text


@pytest.mark.parametrize(("name", "kind"), [("htmx.min.js", "text/javascript"), ("icon.svg", "image/svg+xml")])
async def test_assets_are_for_everyone_and_of_their_own_type(
    plane: ControlServices, client: Client, name: str, kind: str
) -> None:
    async with client(plane, "nobody") as browser:
        answer = await browser.get(f"/console/assets/{name}")
        none = await browser.get("/console/assets/checksums.txt")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert none.status_code == 404
