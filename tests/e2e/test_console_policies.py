"""Policies and the playground in a real browser on a real mesh: what is published on a page, the next call meets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS
from tests.support.browser import (
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
FILE = "policies/finance-agent.yaml"
PHONE = {"width": 390, "height": 844}
HOSTILE = '# </textarea><script>window.pwned = 1</script><img src=x onerror="window.pwned = 1">\n'


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def readers(mesh: DemoMesh) -> None:
    for name, role in (("polly", "owner"), ("rita", "viewer")):
        await mesh.aegis("people", "add", name, "--name", name.title(), "--role", role, "--dir", str(mesh.state))


async def pay(agent: Agent, amount: float) -> Reply:
    return await agent.call("finance-agent", "POST", PAYMENTS, {"amount": amount, "payee": "x"})


async def look(page: Page, axe: str, name: str, folder: Path) -> None:
    """Look at a page as it is, and on a phone: light enough, accessible, and nothing of it markup that should not be."""
    assert await weight(page) <= MOST_BYTES, name
    assert await problems(page, axe) == [], name
    assert await marks(page) == {}, name
    await picture(page, name, folder)
    usual = page.viewport_size
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a mapping of these two
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} scrolls sideways on a phone"
    if usual is not None:
        await page.set_viewport_size(usual)


async def test_an_edit_is_looked_at_published_met_by_the_next_call_and_rolled_back(
    mesh: DemoMesh, agent: Agent, control: str, browser: Browser, tmp_path: Path
) -> None:
    axe = axe_core()
    assert (await pay(agent, 11001)).reason == "POLICY_DENIED"
    async with visit(browser, control) as polly:
        page = await polly.page()
        await sign_in_by_link(mesh, page, "polly")
        await page.get_by_role("link", name="Policies", exact=True).click()
        await expect(page.get_by_text("as served").first).to_be_visible()
        await look(page, axe, "policies-served", tmp_path)
        await page.get_by_role("link", name="Read the documents").click()
        served = page.url.rsplit("/", 1)[1]
        await look(page, axe, "policy-revision", tmp_path)
        await page.get_by_role("link", name=f"Edit {FILE}").click()
        text = page.get_by_label(FILE)
        await text.fill((await text.input_value()).replace("max_amount: 10000", "max_amount: 12000"))
        await page.get_by_label("Why").fill("the quarter ends")
        await page.get_by_role("button", name="Look at what it does").click()
        await expect(page.locator("#review")).to_contain_text("amount max 10000 -> amount max 12000")
        await look(page, axe, "policy-edit", tmp_path)
        assert (await pay(agent, 11002)).reason == "POLICY_DENIED"
        await text.fill(HOSTILE + await text.input_value())
        await page.get_by_role("button", name="Look at what it does").click()
        await expect(text).to_have_value(re.compile("window.pwned"))
        assert await marks(page) == {}
        await page.get_by_role("button", name="Publish").click()
        await expect(page.locator("main h1")).to_contain_text("served")
        await expect(page.get_by_text("the quarter ends")).to_be_visible()
        published = page.url.rsplit("/", 1)[1]
        assert published != served
        assert (await pay(agent, 11003)).reason == "APPROVAL_NEEDED"
        await page.get_by_role("link", name="What it changed").click()
        await expect(page.get_by_role("cell", name="amount max 10000 -> amount max 12000")).to_be_visible()
        await page.get_by_text("Line by line").click()
        await look(page, axe, "policy-changes", tmp_path)
        await page.goto(f"/policies/{served}")
        await page.get_by_label("Why").fill("it has ended")
        await page.get_by_role("button", name="Roll back to this revision").click()
        await expect(page.locator("main h1")).to_contain_text("served")
        assert (await pay(agent, 11004)).reason == "POLICY_DENIED"
        await page.goto("/policies")
        await expect(page.get_by_role("row").filter(has_text="rolled back")).to_contain_text("it has ended")
        assert await page.evaluate("window.pwned") is None
        assert polly.complaints == []


async def test_a_viewer_tries_a_call_with_the_keyboard_and_follows_it_to_the_line_that_decided(
    mesh: DemoMesh, control: str, browser: Browser, tmp_path: Path
) -> None:
    axe = axe_core()
    async with visit(browser, control, color_scheme="dark") as rita:
        page = await rita.page()
        await sign_in_by_link(mesh, page, "rita")
        await page.goto("/playground?agent=acme/emea/finance-agent&action=stripe-payments/create_payment")
        call = page.get_by_label("The call, as policy tests write it")
        await call.fill((await call.input_value()).replace("amount: 1\n", "amount: 7000\n"))
        await call.press("Tab")
        await expect(page.locator(":focus")).to_have_text("Explain")
        await page.keyboard.press("Enter")
        answer = page.locator("#answer")
        await expect(answer).to_contain_text("approval_needed")
        await expect(answer).to_contain_text("seen 7000")
        await look(page, axe, "playground-answer", tmp_path)
        await answer.get_by_role("link", name="line 12").first.click()
        await expect(page.locator("li:target")).to_contain_text("approval_needed_over")
        assert await page.get_by_role("link", name="Edit it").count() == 0
        await page.goto("/policies")
        await page.get_by_role("link", name="Read the documents").click()
        await page.get_by_role("button", name="Run the tests").click()
        await expect(page.locator("#outcomes")).to_be_visible()
        await look(page, axe, "policy-tests", tmp_path)
        assert rita.complaints == []
