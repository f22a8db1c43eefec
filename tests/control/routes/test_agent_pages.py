"""Agents on pages: who they are, what they may do, and how somebody stops them there."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.control_stores import LimitStores
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.testing.agent_states import MemoryFirstStart
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.store import MemoryRevocations, MemoryStore
from tests.support.people import by, person, with_people
from tests.support.token_requests import key_id, private_key, public_jwk

Client = Callable[[ControlServices, str], httpx.AsyncClient]
KEY = private_key(b"k")
TOOL = "tool: bank\nhost: bank.example\nactions: {pay: {match: POST /pay}, close: {match: POST /close}}\n"
POLICIES = {
    "bot.yaml": """\
org: acme
tenant: emea
agent: bot
allowed_tools:
  - name: bank
    actions: [pay]
    description: "<script>alert(1)</script>"
    conditions: {max_amount: 5000}
    count: 3/day
""",
    "all.yaml": """\
org: acme
tenant: "*"
agent: "*"
name: everywhere
denied_tools:
  - {name: bank, actions: [pay], conditions: {parameters: {iban: {starts_with: XX}}}}
""",
    "agents.yaml": f"""\
agents:
  acme/emea/bot: {{owner: finance, keys: [{{kty: OKP, crv: Ed25519, x: {public_jwk(KEY)["x"]}}}]}}
  acme/apac/clerk: {{}}
""",
}
BOT = "/agents/acme/emea/bot"


@pytest.fixture
def kept() -> MemoryPeople:
    return MemoryPeople(for_tests=True)


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices], kept: MemoryPeople) -> ControlServices:
    store = MemoryStore(SystemClock(), 60, for_tests=True)
    limits = LimitStores(store, store, MemoryFirstStart(for_tests=True), store)
    services = new_plane(revocations=MemoryRevocations(store), limits=limits, people=kept)
    await services.publisher.publish(Sources(POLICIES, {"bank.yaml": TOOL}), {}, "ann", "")
    return with_people(
        services,
        person("eva", "viewer@acme/emea"),
        person("pia", "policy_admin@acme/emea"),
        person("app", "approver@acme/emea"),
    )


async def do(browser: httpx.AsyncClient, verb: str, **fields: str) -> httpx.Response:
    """Fill the form of that verb in, as the page shows it."""
    page = (await browser.get(BOT)).text
    (seal,) = re.findall(rf'action="{BOT}/{verb}">.*?name="seal" value="([0-9a-f]{{64}})"', page, re.DOTALL)
    return await browser.post(f"{BOT}/{verb}", data={"seal": seal, **fields})


async def test_agents_are_listed_with_their_state_and_found_by_name_and_state(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "ann") as browser:
        everybody = (await browser.get("/agents")).text
        clerks = (await browser.get("/agents?name=clerk")).text
        revoked = (await browser.get("/agents?state=revoked")).text
        assert (await browser.get("/agents?state=odd")).status_code == 400
    assert 'href="/agents/acme/emea/bot"' in everybody
    assert 'href="/agents/acme/apac/clerk"' in everybody
    assert "bot" not in re.sub("<form.*?</form>", "", clerks, flags=re.DOTALL)
    assert 'value="clerk"' in clerks
    assert "No such agent." in revoked
    assert '<a href="/agents" aria-current="page">' in everybody


async def test_a_reader_of_one_tenant_sees_its_agents_alone(plane: ControlServices, client: Client) -> None:
    async with client(plane, "eva") as browser:
        listing = (await browser.get("/agents")).text
        assert (await browser.get("/agents/acme/apac/clerk")).status_code == 403
        page = unescape((await browser.get(BOT)).text)
    assert "acme/emea/bot" in listing
    assert "apac" not in listing
    assert '<form class="panel"' not in page
    assert "amount: at most 5000" in page
    assert "denied by <strong>everywhere</strong>" in page
    assert "iban" not in page, "what a document for other tenants holds is read by who reads all policies"


async def test_what_an_agent_may_do_is_a_table_of_rules_with_their_places(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "ann") as browser:
        answer = await browser.get(BOT)
    page = answer.text
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "bot.yaml:5" in page
    assert "iban: starting with XX" in page
    assert "no rule lists it" in page
    assert "limits: 3 calls a day (bank)" in page
    assert key_id(KEY) in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


async def test_a_page_leads_its_reader_only_where_they_may_go(plane: ControlServices, client: Client) -> None:
    links = {}
    for name in ("eva", "app", "pia"):
        async with client(plane, name) as browser:
            page = (await browser.get(BOT)).text
            paths = re.findall(r'href="(/(?:decisions|spend)\?agent=acme/emea/bot)"', page)
            links[name] = {path.partition("?")[0] for path in paths}
            for path in paths:
                assert (await browser.get(path)).status_code == 200, (name, path)
    assert links == {"eva": {"/spend"}, "app": {"/decisions"}, "pia": {"/decisions", "/spend"}}


async def test_limits_are_shown_to_who_may_see_them(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as browser:
        assert "3 calls a day (bank)<div" in (await browser.get(BOT)).text
    async with client(plane, "app") as browser:
        assert "You may not see limits here." in (await browser.get(BOT)).text


async def test_an_agent_is_revoked_and_restored_with_a_reason_that_the_change_log_keeps_once(
    plane: ControlServices, client: Client, kept: MemoryPeople
) -> None:
    async with client(plane, "pia") as browser:
        answer = await do(browser, "revoke", note="it leaks", confirm="bot")
        assert (answer.status_code, answer.headers["location"]) == (303, BOT)
        page = (await browser.get(BOT)).text
        assert "Restore it" in page
        assert "revoked" in page
        assert (await do(browser, "restore", note="mended")).status_code == 303
        assert "Revoke it" in (await browser.get(BOT)).text
    acts = [line.act for line in await kept.lines(0, 99)]
    assert [(act.person, act.action, act.subject, act.domain, act.reason) for act in acts] == [
        ("pia", "agents:revoke", "acme/emea/bot", "acme/emea", "it leaks"),
        ("pia", "agents:restore", "acme/emea/bot", "acme/emea", "mended"),
    ]


async def test_an_agent_is_quarantined_for_some_minutes_and_released(plane: ControlServices, client: Client) -> None:
    async with client(plane, "pia") as browser:
        assert (await do(browser, "quarantine", note="odd calls", minutes="0")).status_code == 400
        assert (await do(browser, "quarantine", note="odd calls", minutes="5")).status_code == 303
        [entry] = await plane.limits.list()
        assert (str(entry.scope), entry.by, round(entry.until - entry.since)) == ("acme/emea/bot", "pia", 300)
        assert (await do(browser, "release", note="seen")).status_code == 303
    assert await plane.limits.list() == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [({"confirm": "bot"}, "say why"), ({"note": "it leaks", "confirm": "bott"}, "type its name")],
)
async def test_a_form_that_lacks_something_stops_nobody_and_says_what(
    plane: ControlServices, client: Client, kept: MemoryPeople, fields: dict[str, str], sentence: str
) -> None:
    async with client(plane, "ann") as browser:
        answer = await do(browser, "revoke", **fields)
    assert answer.status_code == 409
    assert sentence in answer.text
    assert await plane.revoker.list() == []
    assert await kept.lines(0, 99) == []


async def test_what_is_done_already_is_told_on_the_page(
    plane: ControlServices, client: Client, kept: MemoryPeople
) -> None:
    async with client(plane, "ann") as browser:
        await do(browser, "revoke", note="it leaks", confirm="bot")
        page = (await browser.get(BOT)).text
        (seal,) = re.findall(rf'action="{BOT}/restore">.*?value="([0-9a-f]{{64}})"', page, re.DOTALL)
        assert (await do(browser, "restore", note="mended")).status_code == 303
        again = await browser.post(f"{BOT}/restore", data={"seal": seal, "note": "mended"})
    assert (again.status_code, "is not revoked" in again.text) == (409, True)
    assert (await kept.lines(0, 99))[-1].act.reason == "this was not done"


async def test_a_form_of_another_page_person_or_site_stops_nobody(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as browser:
        page = (await browser.get(BOT)).text
        (seal,) = re.findall(rf'action="{BOT}/revoke">.*?value="([0-9a-f]{{64}})"', page, re.DOTALL)
        fields = {"seal": seal, "note": "x", "confirm": "bot"}
        for path, headers in (
            ("/agents/acme/apac/clerk/revoke", {}),
            (f"{BOT}/quarantine", {}),
            (f"{BOT}/revoke", by("bob")),
            (f"{BOT}/revoke", {"origin": "https://evil.example"}),
        ):
            answer = await browser.post(path, data={**fields, "confirm": "clerk", "minutes": "5"}, headers=headers)
            assert answer.status_code == 403, path
    async with client(plane, "eva") as browser:
        assert (await browser.post(f"{BOT}/revoke", data=fields)).status_code == 403
    assert await plane.revoker.list() == []


async def test_an_agent_is_opened_by_its_name(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as browser:
        answer = await browser.get("/agents/open?agent=acme/emea/stranger")
        assert (answer.status_code, answer.headers["location"]) == (303, "/agents/acme/emea/stranger")
        assert "Every call" not in (await browser.get("/agents/open?agent=odd")).text
        assert (await browser.get("/agents/open?agent=odd")).status_code == 400
        page = (await browser.get("/agents/acme/emea/stranger")).text
    assert "everywhere" in page


async def test_an_agent_can_be_revoked_while_redis_is_away(
    new_plane: Callable[..., ControlServices], client: Client
) -> None:
    plane = new_plane()
    async with client(plane, "ann") as browser:
        answer = await do(browser, "revoke", note="it leaks", confirm="bot")
        assert answer.status_code == 503
        assert "Restore it" in (await browser.get(BOT)).text
