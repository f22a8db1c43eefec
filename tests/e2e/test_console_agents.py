"""Agents, spend and people in a real browser on a real mesh: an agent is stopped on its page, and a person invited."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

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
    visit,
    weight,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
PHONE = {"width": 390, "height": 844}
BOT = "/agents/acme/emea/finance-agent"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(mesh: DemoMesh, control: str, browser: Browser) -> list[Any]:
    """The cookies of an owner who signed in by a link."""
    await mesh.aegis("people", "add", "olga", "--name", "Olga", "--role", "owner", "--dir", str(mesh.state))
    async with visit(browser, control) as olga:
        await sign_in_by_link(mesh, await olga.page(), "olga")
        return list(await olga.context.cookies())


async def pay(agent: Agent) -> Reply:
    return await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 100, "payee": "ACME"})


async def goes_on(agent: Agent) -> None:
    """Wait until the agent's calls pass again: what is revoked is in the bundle, too, until the next one is active."""
    async with asyncio.timeout(60):
        while (await pay(agent)).status != 201:
            await asyncio.sleep(0.1)


async def test_an_agent_is_revoked_on_its_page_and_its_next_call_is_refused_until_it_is_restored(
    agent: Agent, control: str, browser: Browser, owner: list[Any], tmp_path: Path
) -> None:
    assert (await pay(agent)).status == 201
    async with visit(browser, control, owner) as olga:
        page = await olga.page()
        await page.goto("/agents?name=finance")
        await page.locator(f'a[href="{BOT}"]').click()
        rights = page.get_by_role("region", name="Effective rights")
        await expect(rights.get_by_role("row").filter(has_text="create_payment")).to_contain_text("at most 10000")
        await picture(page, "agent", tmp_path)
        form = page.locator(f'form[action="{BOT}/revoke"]')
        await form.get_by_label("To confirm").fill("finance-agent")
        await form.get_by_label("Reason").fill("a test")
        try:
            await form.get_by_role("button", name="Revoke it").click()
            await expect(page.get_by_role("heading", level=1)).to_contain_text("revoked")
            assert (await pay(agent)).reason == "REVOKED"
        finally:
            await page.goto(BOT)
            form = page.locator(f'form[action="{BOT}/restore"]')
            await form.get_by_label("Reason").fill("the test is over")
            await form.get_by_role("button", name="Restore it").click()
            await expect(page.get_by_role("heading", level=1)).to_contain_text("active")
        await goes_on(agent)
        assert olga.complaints == []


async def test_a_quarantine_is_made_and_ended_on_the_page_of_an_agent(
    agent: Agent, control: str, browser: Browser, owner: list[Any]
) -> None:
    async with visit(browser, control, owner) as olga:
        page = await olga.page()
        await page.goto(BOT)
        form = page.locator(f'form[action="{BOT}/quarantine"]')
        await form.get_by_label("Minutes").fill("5")
        await form.get_by_label("Reason").fill("a test")
        await form.get_by_role("button").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("quarantined")
        try:
            assert (await pay(agent)).reason == "QUARANTINED"
        finally:
            form = page.locator(f'form[action="{BOT}/release"]')
            await form.get_by_label("Reason").fill("the test is over")
            await form.get_by_role("button").click()
            await expect(page.get_by_role("heading", level=1)).to_contain_text("active")
        await goes_on(agent)
        assert olga.complaints == []


async def test_a_person_is_invited_by_a_link_and_revoked_whatever_the_name_holds(
    control: str, browser: Browser, owner: list[Any], tmp_path: Path
) -> None:
    async with visit(browser, control, owner) as olga, visit(browser, control) as guest:
        page, theirs = await olga.page(), await guest.page()
        await page.goto("/people")
        form = page.locator('form[action="/people"][method="post"]')
        await form.get_by_label("Id,").fill("ivy")
        await form.get_by_label("Name", exact=True).fill(HOSTILE[0])
        await form.get_by_label("Roles").fill("viewer@acme/emea")
        await form.get_by_label("Reason").fill("joins")
        await form.get_by_role("button", name="Invite").click()
        await expect(page.locator("#code")).to_be_visible()
        await page.get_by_role("link", name="Back to ivy").click()
        assert await marks(page) == {}
        form = page.locator('form[action="/people/ivy/link"]')
        await form.get_by_label("Reason").fill("first day")
        await form.get_by_role("button").click()
        link = await page.locator("#link").inner_text()
        await theirs.goto(link)
        await theirs.get_by_role("button", name="Sign in").click()
        await expect(theirs.get_by_text("Signed in as ivy")).to_be_visible()
        await theirs.goto("/agents")
        await expect(theirs.locator(f'a[href="{BOT}"]')).to_be_visible()
        assert await theirs.get_by_role("link", name="People", exact=True).count() == 0
        await page.goto("/people/ivy")
        await picture(page, "person", tmp_path)
        form = page.locator('form[action="/people/ivy/disable"]')
        await form.get_by_label("To confirm").fill("ivy")
        await form.get_by_label("Reason").fill("left")
        await form.get_by_role("button").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("disabled")
        await theirs.goto("/agents")
        await expect(theirs.locator("#problem")).to_contain_text("You are not signed in")
        assert await page.evaluate("window.pwned") is None
        assert (olga.complaints, guest.complaints) == ([], [])


async def test_the_pages_of_one_agent_and_one_person_are_light_and_accessible_everywhere(
    control: str, browser: Browser, owner: list[Any], tmp_path: Path
) -> None:
    axe = axe_core()
    looks: dict[str, dict[str, Any]] = {"dark": {"color_scheme": "dark"}, "phone": {"viewport": PHONE}}
    for look, options in looks.items():
        async with visit(browser, control, owner, **options) as olga:
            page = await olga.page()
            for path in (BOT, "/agents/acme/emea/stranger", "/people/olga", "/spend?agent=acme/emea/finance-agent"):
                await page.goto(path)
                assert await weight(page) <= MOST_BYTES
                assert await problems(page, axe) == [], path
                wide = await page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert wide <= 0, f"{path} scrolls sideways, {look}"
            await page.goto(BOT)
            await picture(page, f"agent-{look}", tmp_path)
            assert olga.complaints == []
