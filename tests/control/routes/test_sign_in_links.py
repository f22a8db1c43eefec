"""A link signs its person in once, by a form: looking at it uses nothing up."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.units import Epoch
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]


@pytest.fixture
def kept() -> MemoryPeople:
    return MemoryPeople(for_tests=True)


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices], kept: MemoryPeople) -> ControlServices:
    return new_plane(people=kept)


async def hire(kept: MemoryPeople, *roles: str, name: str = "eve") -> None:
    await kept.add(Account(person(name, *roles), is_disabled=False, created=Epoch(1.0)))


async def link(browser: httpx.AsyncClient, name: str, caller: str) -> httpx.Response:
    return await browser.post(f"/v1/people/{name}/sign-in-link", json={"note": "first day"}, headers=by(caller))


async def use(browser: httpx.AsyncClient, path: str, **headers: str) -> httpx.Response:
    """What a browser does with the form of that page."""
    page = await browser.get(path, headers={"authorization": ""})
    assert page.status_code == 200
    assert "<script" not in page.text
    fields = dict(re.findall(r'type="hidden" name="(person|code)" value="([^"]*)"', page.text))
    return await browser.post("/console/sign-in", data=fields, headers={"authorization": "", **headers})


async def test_a_link_signs_its_person_in_however_often_it_was_looked_at_and_only_once(
    plane: ControlServices, kept: MemoryPeople, client: Client
) -> None:
    await hire(kept, "approver@acme/emea")
    async with client(plane, "ann") as browser:
        path = (await link(browser, "eve", "ann")).json()["url"]
        for _ in range(3):
            assert "Sign in as eve" in (await browser.get(path)).text
        answer = await use(browser, path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "httponly" in answer.headers["set-cookie"].lower()
        browser.headers.pop("authorization")
        assert (await browser.get("/v1/session")).json()["person"]["id"] == "eve"
        browser.cookies.clear()
        again = await use(browser, path)
    assert again.status_code == 401
    assert "set-cookie" not in again.headers
    acts = [(line.act.person, line.act.action, line.act.subject) for line in await kept.lines(0, 99)]
    assert acts == [("ann", "people:sign-in-link", "eve"), ("eve", "sessions:open", "eve")]


async def test_a_link_is_not_taken_from_another_site(
    plane: ControlServices, kept: MemoryPeople, client: Client
) -> None:
    await hire(kept, "viewer@acme/emea")
    async with client(plane, "ann") as browser:
        path = (await link(browser, "eve", "ann")).json()["url"]
        assert (await use(browser, path, origin="https://evil.example")).status_code == 403
        assert (await use(browser, path, **{"sec-fetch-site": "cross-site"})).status_code == 403
        assert (await use(browser, path)).status_code == 303


async def test_a_link_leads_to_where_people_reach_the_pages_and_forms_are_taken(
    new_plane: Callable[..., ControlServices], settings: ControlSettings, kept: MemoryPeople, client: Client
) -> None:
    await hire(kept, "viewer@acme/emea")
    elsewhere = settings.model_copy(update={"people_url": "https://people.example"})
    async with client(new_plane(settings=elsewhere, people=kept), "ann") as browser:
        url = (await link(browser, "eve", "ann")).json()["url"]
        assert url.startswith("https://people.example/console/sign-in?person=eve&code=")
        assert (await use(browser, url, origin="https://people.example")).status_code == 303


async def test_a_link_is_made_by_whoever_may_appoint_that_person_alone(
    plane: ControlServices, kept: MemoryPeople, client: Client
) -> None:
    await hire(kept, "viewer@acme/emea")
    people = [person("oli", "owner@acme/emea"), person("gus", "owner@globex"), person("vic", "viewer")]
    async with client(with_people(plane, *people), "ann") as browser:
        assert (await link(browser, "eve", "oli")).status_code == 200
        assert (await link(browser, "eve", "gus")).status_code == 404
        assert (await link(browser, "eve", "vic")).status_code == 403
        assert (await link(browser, "eve", "nobody")).status_code == 401
        assert (await link(browser, "nina", "ann")).status_code == 404
        assert (await link(browser, "bootstrap-owner", "ann")).status_code == 404
    assert await kept.sponsors() == {"eve": frozenset({"oli"})}


async def test_links_are_made_at_a_rate_of_each_caller(
    plane: ControlServices, kept: MemoryPeople, client: Client
) -> None:
    await hire(kept, "viewer@acme/emea")
    async with client(plane, "ann") as browser:
        answers = [(await link(browser, "eve", "ann")).status_code for _ in range(12)]
        assert (answers[0], answers[-1]) == (200, 429)
        assert (await link(browser, "eve", "bob")).status_code == 200


async def test_a_link_that_is_worth_nothing_is_a_page_that_says_so_and_nobody_is_kept_out_by_many(
    plane: ControlServices, kept: MemoryPeople, client: Client
) -> None:
    await hire(kept, "viewer@acme/emea")
    async with client(plane, "ann") as browser:
        path = (await link(browser, "eve", "ann")).json()["url"]
        answers = [await use(browser, f"/console/sign-in?person=eve&code={number}") for number in range(14)]
        assert answers[0].status_code == 401
        assert "text/html" in answers[0].headers["content-type"]
        assert answers[-1].status_code == 429
        assert (await use(browser, path)).status_code == 303
    assert [line.act.action for line in await kept.lines(0, 99)] == ["people:sign-in-link", "sessions:open"]


async def test_to_disable_a_person_ends_the_links_and_codes_that_are_open(
    plane: ControlServices, kept: MemoryPeople, client: Client
) -> None:
    await hire(kept, "viewer@acme/emea")
    async with client(plane, "ann") as browser:
        code = (await browser.post("/v1/people/eve/code", json={"note": "lost it"})).json()["code"]
        path = (await link(browser, "eve", "ann")).json()["url"]
        for disabled in (True, False):  # and to let them in again is no leave for who found a link meanwhile
            body = {"name": "Eve", "roles": ["viewer@acme/emea"], "groups": [], "disabled": disabled, "note": "left"}
            assert (await browser.put("/v1/people/eve", json=body)).status_code == 200
        assert (await use(browser, path)).status_code == 401
        answer = await browser.post("/v1/password", json={"person": "eve", "code": code, "password": "a" * 8 + "Zq7!"})
        assert answer.status_code == 401


async def test_the_first_owner_is_made_by_a_link_of_the_admin_token_when_it_is_used(
    plane: ControlServices, kept: MemoryPeople, client: Client, keys: Keys
) -> None:
    async with client(plane, keys.admin_token) as browser:
        assert (await link(browser, "owner", "ann")).status_code == 404  # another owner names somebody there is
        first, second = [(await link(browser, "owner", keys.admin_token)).json()["url"] for _ in range(2)]
        assert await kept.accounts() == []
        assert (await use(browser, first)).status_code == 303
        assert (await use(browser, second)).status_code == 401  # there is somebody by now
    (account,) = await kept.accounts()
    assert (account.person.id, [str(role) for role in account.person.roles]) == ("owner", ["owner"])


@pytest.mark.parametrize("name", ['"><script>alert(1)</script>', "eve\u202e", "<b>"])
async def test_whatever_a_link_says_is_text_on_its_page(plane: ControlServices, client: Client, name: str) -> None:
    async with client(plane, "nobody") as browser:
        page = await browser.get("/console/sign-in", params={"person": name, "code": name})
    assert "<script" not in page.text
    assert page.text.count("<b>") == 1
    assert page.text.count("<input") == 2
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
