"""The console in a real browser, on a real mesh: what a newcomer does, what a viewer cannot, and how each page is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from aegis_authz.control.pages.frame import SECTIONS
from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS
from tests.support.browser import (
    HOSTILE,
    MOST_BYTES,
    axe_core,
    marks,
    picture,
    problems,
    sign_in_by_link,
    sign_in_link,
    visit,
    weight,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
PEOPLE = {
    "amy": ("approver@acme/emea", "--group", "finance-approvers"),
    "vera": ("viewer@acme/emea",),
    "oskar": ("owner", "--group", "finance-approvers"),
}
ADDRESSES = tuple(section.href for section in SECTIONS)
_PATIENCE = 120_000
PHONE = {"width": 390, "height": 844}
Cookies = Mapping[str, list[Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def people(mesh: DemoMesh) -> None:
    for name, (role, *more) in PEOPLE.items():
        await mesh.aegis("people", "add", name, "--name", name.title(), "--role", role, *more, "--dir", str(mesh.state))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cookies(mesh: DemoMesh, control: str, browser: Browser) -> Cookies:
    """Those of everybody, who each signed in by a link."""
    jar: dict[str, list[Any]] = {}
    for name in PEOPLE:
        async with visit(browser, control) as somebody:
            await sign_in_by_link(mesh, await somebody.page(), name)
            assert somebody.complaints == []
            jar[name] = list(await somebody.context.cookies())
    return jar


async def pay(agent: Agent, amount: float, payee: str = "x") -> Reply:
    return await agent.call("finance-agent", "POST", PAYMENTS, {"amount": amount, "payee": payee})


async def test_a_newcomer_opens_the_link_sees_a_call_arrive_approves_it_and_finds_its_record(
    mesh: DemoMesh, agent: Agent, control: str, browser: Browser, tmp_path: Path
) -> None:
    url = await sign_in_link(mesh, "oskar")
    async with httpx.AsyncClient(trust_env=False) as preview:
        assert (await preview.get(url)).status_code == 200  # a chat looks at what is pasted into it
    async with visit(browser, control) as newcomer:
        page = await newcomer.page()
        await page.goto(url)
        await picture(page, "sign-in", tmp_path)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("[data-connection]")).to_have_text("Live")
        held = await pay(agent, 7401, "ACME")
        entry = page.locator(f'a[href="/approvals/{held.approval_id}"]')
        await expect(entry).to_be_visible()
        await picture(page, "approvals", tmp_path)
        await entry.click()
        await expect(page.locator("#call")).to_contain_text("7401")
        await page.get_by_label("Reason").fill("invoice 1181")
        await page.get_by_role("button", name="Approve").click()
        await expect(page.locator("#outcome")).to_contain_text("Approved by oskar")
        passed = await pay(agent, 7401, "ACME")
        assert (passed.status, passed.reason) == (201, "APPROVED")
        record = agent.record(passed.decision_id)
        assert record is not None
        assert record["approved_by"] == "oskar"
        await page.goto("/decisions")
        await page.locator(f'a[href="/decisions/{passed.decision_id}"]').click(timeout=_PATIENCE)
        await expect(page.locator("main")).to_contain_text("APPROVED")
        await picture(page, "decision", tmp_path)
        await page.goto(f"/approvals/{held.approval_id}")
        await expect(page.locator("#outcome")).to_contain_text("let through")
        again = await pay(agent, 9402, "ACME")
        await page.goto(f"/approvals/{again.approval_id}")
        await expect(page.locator("ins").first).to_have_text("9402")
        await expect(page.locator("del").first).to_have_text("7401")
        await picture(page, "approval", tmp_path)
        assert newcomer.complaints == []
    async with visit(browser, control) as thief:
        page = await thief.page()
        await page.goto(url)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("#problem")).to_be_visible()
        assert await thief.context.cookies() == []


async def test_a_viewer_sees_no_held_call_and_decides_none(
    agent: Agent, control: str, browser: Browser, cookies: Cookies
) -> None:
    held = await pay(agent, 7403)
    async with visit(browser, control, cookies["vera"]) as vera:
        page = await vera.page()
        for path in ("/approvals", f"/approvals/{held.approval_id}", "/approvals/batch"):
            await page.goto(path)
            await expect(page.locator("#problem")).to_contain_text("may not do this")
            assert await page.get_by_role("button", name="Approve").count() == 0
        assert await page.get_by_role("link", name="Approvals", exact=True).count() == 0
    assert (await pay(agent, 7403)).reason == "APPROVAL_NEEDED"


async def test_the_second_of_two_clicks_decides_nothing(
    agent: Agent, control: str, browser: Browser, cookies: Cookies
) -> None:
    held = await pay(agent, 7404)
    async with visit(browser, control, cookies["amy"]) as amy, visit(browser, control, cookies["oskar"]) as oskar:
        first, second = await amy.page(), await oskar.page()
        for page in (first, second):
            await page.goto(f"/approvals/{held.approval_id}")
        await first.get_by_role("button", name="Approve").click()
        await expect(first.locator("#outcome")).to_contain_text("Approved by amy")
        await second.get_by_role("button", name="Approve").click()
        await expect(second.locator("#refusal")).to_contain_text("cannot be decided any more")
        assert (amy.complaints, oskar.complaints) == ([], [])


async def test_a_call_is_decided_by_keyboard_alone(
    agent: Agent, control: str, browser: Browser, cookies: Cookies
) -> None:
    held = await pay(agent, 7405)
    async with visit(browser, control, cookies["amy"]) as amy:
        page = await amy.page()
        await page.goto("/approvals")
        await page.keyboard.press("Tab")
        await expect(page.locator(":focus")).to_have_text("Skip to the page")
        await page.keyboard.press("Enter")
        for _ in range(60):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.getAttribute('href')") == f"/approvals/{held.approval_id}":
                break
        await page.keyboard.press("Enter")
        await expect(page.locator("#call")).to_contain_text("7405")
        for _ in range(60):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.name") == "note":
                break
        await page.keyboard.type("not now")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await expect(page.locator(":focus")).to_have_text("Deny")
        await page.keyboard.press("Enter")
        await expect(page.locator("#outcome")).to_contain_text("Denied by amy")
        assert amy.complaints == []


async def test_whatever_an_agent_writes_stays_text_on_every_page(
    agent: Agent, control: str, browser: Browser, cookies: Cookies
) -> None:
    async with visit(browser, control, cookies["oskar"]) as oskar:
        page, live = await oskar.page(), await oskar.page()
        await live.goto("/approvals")
        for number, text in enumerate(HOSTILE):
            held = await pay(agent, 7410 + number, text)
            await page.goto(f"/approvals/{held.approval_id}")
            shown = json.loads(await page.locator("#call").inner_text())
            assert shown["parameters"]["payee"] == text
            assert await marks(page) == {}
            await page.get_by_label("Reason").fill(f"no: {number}")
            await page.get_by_role("button", name="Deny").click()
            await expect(page.locator("#outcome")).to_contain_text("Denied by oskar")
        for address in ADDRESSES:
            await page.goto(address)
            assert await marks(page) == {}, address
            assert await page.evaluate("window.pwned") is None, address
        assert await marks(live) == {}
        assert await live.evaluate("window.pwned") is None
        assert oskar.complaints == []


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_page_is_light_and_accessible_in_light_and_dark_and_on_a_phone(
    control: str, browser: Browser, cookies: Cookies, tmp_path: Path, address: str
) -> None:
    axe, name = axe_core(), address.strip("/").replace("/", "-")
    for look, options in {
        "light": {"color_scheme": "light"},
        "dark": {"color_scheme": "dark"},
        "phone": {"viewport": PHONE, "has_touch": True},
    }.items():
        async with visit(browser, control, cookies["oskar"], **options) as oskar:
            page = await oskar.page()
            await page.goto(address)
            assert await weight(page) <= MOST_BYTES
            assert await problems(page, axe) == []
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{address} scrolls sideways, {look}"
            if name != "spend":  # nothing is spent here: test_costs.py shows it
                await picture(page, name if look == "light" else f"{name}-{look}", tmp_path)
            assert oskar.complaints == []


async def test_the_pages_of_a_call_are_accessible_and_narrow_enough_for_a_phone(
    agent: Agent, control: str, browser: Browser, cookies: Cookies, tmp_path: Path
) -> None:
    axe, held = axe_core(), await pay(agent, 7440, "a" * 200)
    async with visit(browser, control, cookies["amy"], viewport=PHONE, color_scheme="dark") as amy:
        page = await amy.page()
        for path in (f"/approvals/{held.approval_id}", "/approvals/batch", f"/approvals/{held.approval_id}/standing"):
            await page.goto(path)
            assert await problems(page, axe) == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        await page.goto(f"/approvals/{held.approval_id}")
        await picture(page, "approval-phone-dark", tmp_path)
        await page.goto("/approvals/sign-out")
        assert await problems(page, axe) == []
        await page.get_by_role("button", name="Sign out").click()
        await page.goto("/approvals")
        await expect(page.locator("#problem")).to_contain_text("You are not signed in")
        assert await problems(page, axe) == []


async def test_times_are_in_the_readers_zone_with_the_exact_one_on_hover_and_pages_work_without_a_script(
    agent: Agent, control: str, browser: Browser, cookies: Cookies
) -> None:
    held = await pay(agent, 7441)
    path = f"/approvals/{held.approval_id}"
    async with visit(browser, control, cookies["oskar"], timezone_id="Asia/Tokyo", locale="en-GB") as oskar:
        page = await oskar.page()
        await page.goto(path)
        time = page.locator("dd time").first
        exact = str(await time.get_attribute("title"))
        assert exact.endswith(" UTC")
        assert await time.inner_text() != exact
    async with visit(browser, control, cookies["oskar"], java_script_enabled=False) as oskar:
        page = await oskar.page()
        await page.goto(path)
        assert (await page.locator("dd time").first.inner_text()).endswith(" UTC")
        await page.get_by_label("Reason").fill("no")
        await page.get_by_role("button", name="Deny").click()
        assert "Denied by oskar" in await page.locator("#outcome").inner_text()
