"""Decisions and audit in a real browser on a real mesh: a call is watched as it comes, and its record is proven."""

from __future__ import annotations

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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(mesh: DemoMesh, control: str, browser: Browser) -> list[Any]:
    """The cookies of an owner who signed in by a link."""
    await mesh.aegis("people", "add", "otto", "--name", "Otto", "--role", "owner", "--dir", str(mesh.state))
    async with visit(browser, control) as otto:
        await sign_in_by_link(mesh, await otto.page(), "otto")
        return list(await otto.context.cookies())


async def pay(agent: Agent, amount: float, payee: str = "ACME") -> Reply:
    return await agent.call("finance-agent", "POST", PAYMENTS, {"amount": amount, "payee": payee})


async def test_a_call_is_watched_as_it_comes_opened_to_why_and_its_record_is_proven(
    agent: Agent, control: str, browser: Browser, owner: list[Any], tmp_path: Path
) -> None:
    axe = axe_core()
    async with visit(browser, control, owner) as otto:
        page = await otto.page()
        await page.goto("/decisions")
        await expect(page.locator("[data-connection]")).to_have_text("Live")
        refused = await agent.call("finance-agent", "DELETE", f"{PAYMENTS}/1", {})
        paid = await pay(agent, 101)
        held = await pay(agent, 8801)
        for reply in (refused, paid, held):
            await expect(page.locator(f'a[href="/decisions/{reply.decision_id}"]')).to_be_visible()
        assert await problems(page, axe) == []
        await picture(page, "decisions", tmp_path)
        await page.locator(f'a[href="/decisions/{held.decision_id}"]').click()
        await expect(page.locator("#standing")).to_contain_text("proven")
        await expect(page.get_by_text("8801", exact=True).first).to_be_visible()
        await expect(page.get_by_role("link", name="its timeline")).to_be_visible()
        assert await problems(page, axe) == []
        assert await weight(page) <= MOST_BYTES
        await picture(page, "decision", tmp_path)
        await page.get_by_role("link", name=held.approval_id).click()
        await page.get_by_role("link", name="What was recorded of it").click()
        await expect(page.locator("table")).to_contain_text("which was held")
        await page.go_back()
        await page.get_by_role("link", name=held.decision_id).click()
        await page.get_by_role("button", name="Try this call in the playground").click()
        await expect(page).to_have_url(f"{control}/playground")
        await expect(page.locator("main")).to_contain_text("8801")
        assert otto.complaints == []


async def test_a_filter_keeps_the_list_live_and_lets_nothing_else_in(
    agent: Agent, control: str, browser: Browser, owner: list[Any]
) -> None:
    async with visit(browser, control, owner) as otto:
        page = await otto.page()
        await page.goto("/decisions")
        await page.get_by_label("Answer").select_option("approval_needed")
        await page.get_by_role("button", name="Filter").click()
        await expect(page.locator("[data-connection]")).to_have_text("Live")
        paid = await pay(agent, 102)
        held = await pay(agent, 8802)
        await expect(page.locator(f'a[href="/decisions/{held.decision_id}"]')).to_be_visible()
        assert await page.locator(f'a[href="/decisions/{paid.decision_id}"]').count() == 0
        assert "effect=approval_needed" in page.url
        assert otto.complaints == []


async def test_an_auditor_finds_a_record_reads_its_timeline_and_proves_all_logs(
    agent: Agent, control: str, browser: Browser, owner: list[Any], tmp_path: Path
) -> None:
    axe, held = axe_core(), await pay(agent, 8803)
    async with visit(browser, control, owner) as otto:
        page = await otto.page()
        await page.goto("/audit")
        await page.get_by_role("button", name="Verify every record now").click()
        await expect(page.locator("#proof")).to_contain_text("No record was altered, removed, moved or added")
        assert await problems(page, axe) == []
        await picture(page, "audit", tmp_path)
        await page.get_by_label("Approval", exact=True).fill(held.approval_id)
        await page.get_by_role("button", name="Filter").click()
        await page.get_by_role("link", name="The timeline of this approval").click()
        await expect(page.locator("table")).to_contain_text("which was held")
        assert await problems(page, axe) == []
        await picture(page, "audit-timeline", tmp_path)
        assert otto.complaints == []


async def test_whatever_an_agent_writes_stays_text_and_pages_fit_a_phone_in_the_dark(
    agent: Agent, control: str, browser: Browser, owner: list[Any], tmp_path: Path
) -> None:
    replies = [await pay(agent, 103 + number, text) for number, text in enumerate(HOSTILE)]
    async with visit(browser, control, owner, viewport=PHONE, color_scheme="dark") as otto:
        page = await otto.page()
        paths = ["/decisions", "/audit", *(f"/decisions/{reply.decision_id}" for reply in replies)]
        for path in paths:
            await page.goto(path)
            assert await marks(page) == {}, path
            assert await page.evaluate("window.pwned") is None, path
            assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        await picture(page, "decision-phone-dark", tmp_path)
        assert otto.complaints == []
