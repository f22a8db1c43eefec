"""A person reads a held call on a page and decides it there."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.record import ApprovalRecord, ApprovalStep
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.record_log import MemoryRecordLog
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import HELD, hold
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock(), 60, for_tests=True)


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices], store: MemoryStore) -> ControlServices:
    return new_plane(approvals=store)


async def decide(browser: httpx.AsyncClient, name: str = "ann", **fields: str) -> httpx.Response:
    page = (await browser.get(f"/approvals/{HELD}", headers=by(name))).text
    (seal,) = re.findall(r'name="seal" value="([0-9a-f]{64})"', page)
    return await browser.post(f"/approvals/{HELD}", data={"seal": seal, **fields}, headers=by(name))


async def test_what_waits_is_listed_and_leads_to_its_page(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(plane, "ann") as browser:
        listing = await browser.get("/approvals")
        page = await browser.get(f"/approvals/{HELD}")
        style = await browser.get("/console/assets/style.css", headers={"authorization": ""})
    assert f'href="/approvals/{HELD}"' in listing.text
    assert "acme/emea/finance-agent wants to run create_payment on stripe-payments" in page.text
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    for answer in (listing, page):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in f"{policy};"
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        # under no-referrer a browser says of our own forms that their origin is null (Fetch, "append Origin")
        assert answer.headers["referrer-policy"] == "same-origin"


async def hold_many(store: MemoryStore, count: int) -> None:
    """Hold so many calls of another tenant, twenty of each agent, and after them the usual one."""
    for number in range(count):
        bot = Scope("acme", "apac", f"bot{number // 20}")
        await hold(store, f"apr_{number:034x}", life=1000, jti=f"j{number}", agent=bot)
    await hold(store)


async def test_what_waits_is_listed_however_much_waits_in_another_tenant(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold_many(store, 220)
    async with client(with_people(plane, person("eva", "approver@acme/emea")), "eva") as browser:
        listing = (await browser.get("/approvals")).text
    assert HELD in listing
    assert "bot0" not in listing


async def test_of_more_than_a_page_holds_those_that_expire_first_are_listed(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold_many(store, 210)
    async with client(plane, "ann") as browser:
        listing = (await browser.get("/approvals")).text
        last = (await browser.get("/approvals?page=5")).text
        behind = (await browser.get("/approvals?page=6")).text
    assert listing.count('<a href="/approvals/apr_') == 50
    assert HELD in listing
    assert "211 in all." in listing
    assert 'href="/approvals?page=2" rel="next"' in listing
    assert (last.count('<a href="/approvals/apr_'), 'rel="next"' in last) == (11, False)
    assert "Nothing like this waits for you." in behind


async def test_a_filter_stays_in_the_address_of_each_page_and_of_the_live_updates(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold_many(store, 70)
    async with client(plane, "ann") as browser:
        tenant = (await browser.get("/approvals?tenant=acme/apac")).text
        agent = (await browser.get("/approvals?tenant=acme/apac&agent=bot1")).text
        nobody = (await browser.get('/approvals?agent="><script>')).text
        refused = (await browser.get("/approvals?page=0")).status_code
    assert "70 in all." in tenant
    assert 'href="/approvals?tenant=acme%2Fapac&amp;page=2" rel="next"' in tenant
    assert ("20 in all." in agent, HELD in agent, "bot0" in agent) == (True, False, False)
    assert 'sse-connect="/approvals/events?tenant=acme%2Fapac&amp;agent=bot1"' in agent
    assert "Nothing like this waits for you." in nobody
    assert '"><script>' not in nobody
    assert refused == 400


async def test_a_call_is_approved_on_its_page_and_passes_once(
    plane: ControlServices, store: MemoryStore, client: Client, records: MemoryRecordLog
) -> None:
    await hold(store)
    async with client(plane, "ann") as browser:
        answer = await decide(browser, verdict="approve", note="invoice 1181")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals/{HELD}")
        page = (await browser.get(f"/approvals/{HELD}")).text
    assert "Approved by ann." in page
    assert "<form" not in page
    assert (await store.get(HELD)).state is ApprovalState.APPROVED
    kept = [record for record in records.records if isinstance(record, ApprovalRecord)]
    assert [(record.step, record.by, record.note) for record in kept] == [
        (ApprovalStep.APPROVED, "ann", "invoice 1181")
    ]


async def test_a_denial_without_a_reason_is_told_on_the_page_with_the_call(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(plane, "ann") as browser:
        answer = await decide(browser, verdict="deny", note=" ")
        assert (answer.status_code, "a denial needs a reason" in answer.text) == (409, True)
        assert '<pre id="call">' in answer.text
        assert (await decide(browser, verdict="deny", note="not this payee")).status_code == 303
    assert (await store.get(HELD)).state is ApprovalState.DENIED


async def test_each_verdict_is_in_the_change_log_of_its_tenant(
    new_plane: Callable[..., ControlServices], store: MemoryStore, client: Client
) -> None:
    kept = MemoryPeople(for_tests=True)
    await hold(store)
    async with client(new_plane(approvals=store, people=kept), "ann") as browser:
        await decide(browser, verdict="deny", note=" ")
        await decide(browser, verdict="approve", note="invoice 1181")
        await browser.post(f"/v1/approvals/{HELD}/cancel", json={"note": "paid already"})
    acts = [line.act for line in await kept.lines(0, 99)]
    assert [(act.person, act.action, act.subject, act.domain, act.reason) for act in acts] == [
        ("ann", "approvals:deny", HELD, "acme/emea", ""),
        ("ann", "approvals:deny", HELD, "acme/emea", "this was not done"),
        ("ann", "approvals:approve", HELD, "acme/emea", "invoice 1181"),
        ("ann", "approvals:cancel", HELD, "acme/emea", "paid already"),
    ]


async def test_what_must_be_typed_is_typed_on_the_page(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store, confirm=("amount",))
    async with client(plane, "ann") as browser:
        wrong = await decide(browser, verdict="approve", **{"value amount": "700"})
        assert (wrong.status_code, "type the value of amount" in wrong.text) == (409, True)
        assert (await decide(browser, verdict="approve", **{"value amount": "7000"})).status_code == 303


async def test_a_form_without_the_seal_of_the_page_decides_nothing(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(plane, "ann") as browser:
        answer = await browser.post(f"/approvals/{HELD}", data={"verdict": "approve", "seal": "0" * 64})
        odd = await decide(browser, verdict="maybe")
    assert (answer.status_code, "open the page again" in answer.text) == (403, True)
    assert odd.status_code == 400
    assert (await store.get(HELD)).state is ApprovalState.PENDING


async def test_who_is_nobody_or_of_another_tenant_reads_a_page_that_says_so(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    plane = with_people(plane, person("hal", "approver@acme/apac"))
    async with client(plane, "hal") as browser:
        assert HELD not in (await browser.get("/approvals")).text
        other = await browser.get(f"/approvals/{HELD}")
        missing = await browser.get("/approvals/apr_00ff")
        nobody = await browser.get("/approvals", headers=by("who"))
    assert (other.status_code, nobody.status_code) == (404, 401)
    assert (other.text, other.status_code) == (missing.text, missing.status_code)
    for answer in (other, nobody):
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


PASSWORD = "correct horse battery staple"


@pytest.fixture
async def signed_up(new_plane: Callable[..., ControlServices], store: MemoryStore) -> ControlServices:
    """A control plane at which ivy, an approver, has set a password."""
    kept = MemoryPeople(for_tests=True)
    plane = new_plane(approvals=store, people=kept)
    ivy = person("ivy", "approver@acme/emea", groups=("finance",))
    await kept.add(Account(ivy, is_disabled=False, created=1.0))
    code, _ = await plane.people.door.sign_in.make_code("ivy")
    await plane.people.door.sign_in.set_password(code, "ivy", PASSWORD, "")
    return plane


async def test_a_person_signs_in_on_a_page_and_decides_in_that_session(
    signed_up: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(signed_up, "") as browser:
        del browser.headers["authorization"]
        nobody = await browser.get(f"/approvals/{HELD}")
        assert (nobody.status_code, f'href="/approvals/sign-in?to={HELD}"' in nobody.text) == (401, True)
        form = await browser.get(f"/approvals/sign-in?to={HELD}")
        assert f'action="/approvals/sign-in?to={HELD}"' in form.text
        answer = await browser.post(f"/approvals/sign-in?to={HELD}", data={"person": "ivy", "password": PASSWORD})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals/{HELD}")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        page = (await browser.get(f"/approvals/{HELD}")).text
        (seal,) = re.findall(r'name="seal" value="([0-9a-f]{64})"', page)
        unsealed = await browser.post(f"/approvals/{HELD}", data={"verdict": "approve", "note": ""})
        assert unsealed.status_code == 403
        decided = await browser.post(f"/approvals/{HELD}", data={"seal": seal, "verdict": "approve", "note": ""})
        assert decided.status_code == 303
    assert (await store.get(HELD)).decided_by == "ivy"


async def test_a_wrong_password_opens_nothing_and_another_site_signs_nobody_in(
    signed_up: ControlServices, client: Client
) -> None:
    async with client(signed_up, "") as browser:
        del browser.headers["authorization"]
        wrong = await browser.post("/approvals/sign-in", data={"person": "ivy", "password": "wrong"})
        foreign = await browser.post(
            "/approvals/sign-in",
            data={"person": "ivy", "password": PASSWORD},
            headers={"origin": "https://evil.example"},
        )
        elsewhere = await browser.get("/approvals/sign-in?to=https://evil.example")
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    assert wrong.headers["content-type"] == "text/html; charset=utf-8"
    assert (foreign.status_code, "set-cookie" in foreign.headers) == (403, False)
    assert elsewhere.status_code == 400


async def test_forms_are_taken_from_where_people_reach_the_pages(
    new_plane: Callable[..., ControlServices], store: MemoryStore, client: Client, settings: ControlSettings
) -> None:
    await hold(store)
    apart = settings.model_copy(update={"people_url": "https://people.acme.example"})
    async with client(new_plane(approvals=store, settings=apart), "ann") as browser:
        browser.headers["origin"] = settings.public_url
        assert (await decide(browser, verdict="approve")).status_code == 403
        browser.headers["origin"] = "https://people.acme.example"
        assert (await decide(browser, verdict="approve")).status_code == 303


async def test_the_page_says_what_differs_from_the_last_call_like_it_and_what_the_agent_asked_lately(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store, parameters={"amount": 7000, "payee": "ACME"})
    now = Epoch(SystemClock().now())
    await store.decide(HELD, ApprovalState.APPROVED, "ben", now)
    later, foreign = f"apr_0a{2:032x}", f"apr_0a{3:032x}"
    await hold(store, later, jti="j2", parameters={"amount": 9000, "payee": "ACME"})
    await hold(store, foreign, jti="j3", agent=Scope("globex", "emea", "finance-agent"))
    async with client(plane, "ann") as browser:
        page = (await browser.get(f"/approvals/{later}")).text
    assert "<del><code>7000</code></del>" in page
    assert "<ins><code>9000</code></ins>" in page
    assert "<del><code>&#34;ACME" not in page
    assert page.count(f'href="/approvals/{HELD}"') == 2  # the last like it, and in the list of what was asked
    assert "Approved by ben." in page
    assert foreign not in page
