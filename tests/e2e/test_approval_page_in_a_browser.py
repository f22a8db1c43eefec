"""A person in a real browser: signs in, reads a held payment of a running mesh, and decides it once."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS
from tests.support.browser import HOSTILE, visit

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
PASSWORD = "correct horse battery staple"
MARKUP = 'script:not([src^="/console/assets/"]), img, svg, iframe'
"""What no page holds, however an agent names what it calls."""


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def people(mesh: DemoMesh, control: str) -> None:
    """Ann, who decides, and vic, who looks; each with a password."""
    people = (("ann", "approver@acme/emea", "--group", "finance-approvers"), ("vic", "viewer@acme/emea"))
    for name, role, *more in people:
        words = ("people", "add", name, "--name", name.title(), "--role", role, *more, "--json")
        code = json.loads(await mesh.aegis(*words, "--dir", str(mesh.state)))["code"]
        async with httpx.AsyncClient(base_url=control, trust_env=False) as client:
            body = {"code": code, "person": name, "password": PASSWORD}
            assert (await client.post("/v1/password", json=body)).status_code == 200


async def sign_in(page: Page, name: str, to: str) -> None:
    await page.goto(f"/approvals/{to}".rstrip("/"))
    await page.get_by_role("link", name="Sign in").click()
    await page.get_by_label("Who you are").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


async def pay(agent: Agent, amount: float, payee: str = "x") -> Reply:
    return await agent.call("finance-agent", "POST", PAYMENTS, {"amount": amount, "payee": payee})


async def call_on(page: Page) -> dict[str, Any]:
    """The call as the browser shows it."""
    shown: dict[str, Any] = json.loads(await page.locator("#call").inner_text())
    return shown


async def test_a_person_signs_in_approves_and_only_the_first_click_counts(
    mesh: DemoMesh, agent: Agent, control: str, browser: Browser
) -> None:
    held = await pay(agent, 6301)
    async with visit(browser, control) as ann:
        page = await ann.page()
        await sign_in(page, "ann", held.approval_id)
        assert page.url.endswith(f"/approvals/{held.approval_id}")
        assert (await call_on(page))["parameters"] == {"amount": 6301, "payee": "x"}
        second = await ann.page()
        await second.goto(f"/approvals/{held.approval_id}")
        await page.get_by_label("Reason").fill("invoice 1181")
        await page.get_by_role("button", name="Approve").click()
        assert "Approved by ann" in await page.locator("#outcome").inner_text()
        assert await page.get_by_role("button", name="Approve").count() == 0
        await second.get_by_role("button", name="Approve").click()
        assert "cannot be decided any more" in await second.locator("#refusal").inner_text()
        assert ann.complaints == []
    passed = await pay(agent, 6301)
    assert (passed.status, passed.reason) == (201, "APPROVED")
    record = agent.record(passed.decision_id)
    assert record is not None
    assert record["approved_by"] == "ann"


async def test_a_viewer_reads_no_held_call_and_decides_nothing(agent: Agent, control: str, browser: Browser) -> None:
    held = await pay(agent, 6302)
    async with visit(browser, control) as vic:
        page = await vic.page()
        await sign_in(page, "vic", held.approval_id)
        assert "may not do this" in await page.locator("#problem").inner_text()
        assert await page.locator("#call").count() == 0
        assert await page.get_by_role("button", name="Approve").count() == 0
        assert vic.complaints == []
    assert (await pay(agent, 6302)).reason == "APPROVAL_NEEDED"


async def test_whatever_an_agent_writes_stays_text(agent: Agent, control: str, browser: Browser) -> None:
    async with visit(browser, control) as ann:
        page = await ann.page()
        await sign_in(page, "ann", "")
        for number, payee in enumerate(HOSTILE):
            held = await pay(agent, 6310 + number, payee)
            await page.goto(f"/approvals/{held.approval_id}")
            assert (await call_on(page))["parameters"]["payee"] == payee
            assert await page.locator(MARKUP).count() == 0
            assert await page.locator("form").count() == 1
            assert await page.evaluate("window.pwned") is None
            await page.goto(f"/approvals/{held.approval_id}/standing")
            assert await page.locator(MARKUP).count() == 0
            assert await page.evaluate("window.pwned") is None
            await page.goto(f"/approvals/{held.approval_id}")
            await page.get_by_label("Reason").fill(f"no: {number}")
            await page.get_by_role("button", name="Deny").click()
            assert "Denied by ann" in await page.locator("#outcome").inner_text()
        await page.goto("/oversight")
        assert "ann" in await page.locator("table").first.inner_text()
        assert ann.complaints == []
