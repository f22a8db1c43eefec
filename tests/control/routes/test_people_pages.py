"""People on pages: who sees whom, and how somebody is invited, changed and revoked there."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import httpx
import pytest

from aegis_authz.control.app import ControlServices
from aegis_authz.control.people.appointing import Appointer
from aegis_authz.core.person import Person
from aegis_authz.testing.people import MemoryPeople
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
ROOT, EMEA, AUDITOR = person("root", "owner"), person("emea", "owner@acme/emea"), person("checker", "auditor@acme/emea")


@pytest.fixture
def kept() -> MemoryPeople:
    return MemoryPeople(for_tests=True)


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices], kept: MemoryPeople) -> ControlServices:
    services = with_people(new_plane(people=kept), ROOT, EMEA, AUDITOR, person("vic", "viewer"))
    appointer: Appointer = services.people.appointer
    await appointer.add(ROOT, Person("zoe", "Zoe <b>Z</b>", frozenset({"finance"}), EMEA.roles), "new")
    await appointer.add(ROOT, person("far", "approver@acme/apac"), "new")
    return services


def seal_of(page: str, action: str) -> str:
    (seal,) = re.findall(rf'action="{action}">.*?name="seal" value="([0-9a-f]{{64}})"', page, re.DOTALL)
    return str(seal)


async def do(browser: httpx.AsyncClient, person_id: str, verb: str, **fields: str) -> httpx.Response:
    page = (await browser.get(f"/people/{person_id}")).text
    seal = seal_of(page, f"/people/{person_id}/{verb}")
    return await browser.post(f"/people/{person_id}/{verb}", data={"seal": seal, **fields})


async def invite(browser: httpx.AsyncClient, **fields: str) -> httpx.Response:
    seal = seal_of((await browser.get("/people")).text, "/people")
    return await browser.post("/people", data={"seal": seal, **fields})


async def test_people_are_listed_to_who_may_look_where_all_their_roles_are(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "root") as browser:
        whole = (await browser.get("/people")).text
        some = (await browser.get("/people?name=zo&role=owner&state=active")).text
        none = (await browser.get("/people?state=disabled")).text
    assert 'href="/people/far"' in whole
    assert "Zoe &lt;b&gt;Z&lt;/b&gt;" in whole
    assert "far" not in re.sub("<form.*?</form>", "", some, flags=re.DOTALL)
    assert "Nobody is there." in none
    async with client(plane, "checker") as browser:
        page = (await browser.get("/people")).text
        assert "zoe" in page
        assert "far" not in page
        assert "Invite a person" not in page
        sheet = (await browser.get("/people/zoe")).text
        assert 'class="panel"' not in sheet
        assert (await browser.get("/people/far")).status_code == 404
    async with client(plane, "vic") as browser:
        assert (await browser.get("/people")).status_code == 403


async def test_a_person_is_invited_by_a_code_that_is_shown_once(
    plane: ControlServices, client: Client, kept: MemoryPeople
) -> None:
    async with client(plane, "root") as browser:
        answer = await invite(
            browser, id="yan", name="Yan", roles="viewer, approver@acme/emea", groups="finance", note="joins"
        )
        assert answer.status_code == 200
        (code,) = re.findall(r'<pre id="code">([^<]+)</pre>', answer.text)
        assert answer.headers["cache-control"] == "no-store"
        assert code not in (await browser.get("/people/yan")).text
    account = await kept.account("yan")
    assert [str(role) for role in account.person.roles] == ["viewer", "approver@acme/emea"]
    assert account.person.groups == {"finance"}
    assert (await kept.lines(0, 99))[-1].act.action == "people:add"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"id": "Yan", "name": "Yan", "note": "joins"}, "a person's id must be"),
        ({"id": "yan", "name": "Yan", "roles": "king", "note": "joins"}, "must be one of viewer"),
        ({"id": "zoe", "name": "Zoe", "note": "joins"}, "zoe"),
        ({"id": "yan", "name": "Yan"}, "say why"),
    ],
)
async def test_a_form_that_cannot_be_says_why_and_keeps_what_was_typed(
    plane: ControlServices, client: Client, kept: MemoryPeople, fields: dict[str, str], sentence: str
) -> None:
    async with client(plane, "root") as browser:
        answer = await invite(browser, **fields)
    assert answer.status_code == 409
    (refusal,) = re.findall(r'<p id="refusal"[^>]*>([^<]+)</p>', answer.text)
    assert sentence in unescape(refusal)
    assert f'value="{fields["name"]}"' in answer.text
    assert len(await kept.accounts()) == 2


async def test_nobody_gives_a_role_beyond_their_own_domain(plane: ControlServices, client: Client) -> None:
    async with client(plane, "emea") as browser:
        answer = await invite(browser, id="yan", name="Yan", roles="owner", note="joins")
        assert (answer.status_code, "may not give these roles" in answer.text) == (409, True)
        assert (await browser.post("/people/far/disable", data={})).status_code == 404


async def test_roles_are_changed_and_a_person_is_revoked_and_let_in_again(
    plane: ControlServices, client: Client, kept: MemoryPeople
) -> None:
    async with client(plane, "root") as browser:
        answer = await do(browser, "zoe", "change", name="Zoe", roles="auditor@acme", groups="", note="moves")
        assert (answer.status_code, answer.headers["location"]) == (303, "/people/zoe")
        person = (await kept.account("zoe")).person
        assert ([str(role) for role in person.roles], person.groups, person.name) == (["auditor@acme"], set(), "Zoe")
        wrong = await do(browser, "zoe", "disable", note="left", confirm="zo")
        assert (wrong.status_code, "type zoe" in wrong.text) == (409, True)
        assert (await do(browser, "zoe", "disable", note="left", confirm="zoe")).status_code == 303
        assert (await kept.account("zoe")).is_disabled
        assert (await do(browser, "zoe", "change", name="Zo", roles="", groups="", note="typo")).status_code == 303
        assert (await kept.account("zoe")).is_disabled, "a change lets nobody in again"
        assert (await do(browser, "zoe", "enable", note="back")).status_code == 303
    assert not (await kept.account("zoe")).is_disabled
    acts = [(line.act.action, line.act.subject, line.act.reason) for line in await kept.lines(0, 99)]
    assert [act for act in acts if act[1] == "zoe"][1:3] == [
        ("people:appoint", "zoe", "auditor@acme: moves"),
        ("people:disable", "zoe", "left"),
    ]


async def test_whoever_was_let_in_by_the_owner_of_a_part_is_confirmed_by_somebody_else(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "emea") as browser:
        await invite(browser, id="yan", name="Yan", roles="approver@acme/emea", note="joins")
        assert "not confirmed" in (await browser.get("/people/yan")).text
        own = await do(browser, "yan", "confirm", note="I know them")
        assert (own.status_code, "confirmed by somebody else" in own.text) == (409, True)
    async with client(plane, "root") as browser:
        assert (await do(browser, "yan", "confirm", note="seen in person")).status_code == 303
        assert "not confirmed" not in (await browser.get("/people/yan")).text


async def test_a_link_and_a_code_by_which_a_person_signs_in_are_made(plane: ControlServices, client: Client) -> None:
    async with client(plane, "root") as browser:
        link = (await do(browser, "zoe", "link", note="new phone")).text
        code = (await do(browser, "zoe", "code", note="forgot it")).text
    (url,) = re.findall(r'<pre id="link">([^<]+)</pre>', link)
    assert unescape(url).startswith("http://127.0.0.1:7000/console/sign-in?person=zoe&code=")
    assert "aegis login zoe --code" in code


async def test_a_form_about_a_person_who_was_changed_meanwhile_is_refused(
    plane: ControlServices, client: Client, kept: MemoryPeople
) -> None:
    async with client(plane, "root") as browser:
        seal = seal_of((await browser.get("/people/zoe")).text, "/people/zoe/change")
        await do(browser, "zoe", "change", name="Zoe", roles="auditor@acme", groups="", note="moves")
        late = {"seal": seal, "name": "Zoe", "roles": "owner", "groups": "", "note": "stale"}
        assert (await browser.post("/people/zoe/change", data=late)).status_code == 403
        assert (await browser.post("/people/zoe/change", data=late, headers=by("emea"))).status_code == 404
    assert [str(role) for role in (await kept.account("zoe")).person.roles] == ["auditor@acme"]
