"""What calls cost, as charts that can be read by everybody."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.control_stores import LimitStores
from aegis_authz.control.app import ControlServices
from aegis_authz.control.spend.charts import BY
from aegis_authz.core.release import Sources
from aegis_authz.evidence.spend import Dimension, SpendRow
from aegis_authz.testing.agent_states import MemoryFirstStart
from aegis_authz.testing.store import MemoryStore
from tests.support.people import person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
TOOL = "tool: bank\nhost: bank.example\ncost: {fixed: 0.5, currency: EUR}\nactions: {pay: {match: POST /pay}}\n"
POLICY = """\
org: acme
tenant: emea
agent: bot
allowed_tools: [{name: bank, actions: [pay], budget: 5 EUR/day, rate_limit: 3/s}]
"""


def spent(by: Sequence[Dimension], since: float) -> list[SpendRow]:
    """Records of three agents in two tenants, scripted."""
    today = "2027-01-15"
    assert tuple(by) == BY
    return [
        SpendRow(("acme/emea", "acme/emea/bot", "bank", today), "EUR", 3, 1_500_000, 500_000, 0),
        SpendRow(("acme/emea", "acme/emea/<b>bot", "<script>", today), "EUR", 1, 250_000, 0, 0),
        SpendRow(("acme/apac", "acme/apac/clerk", "mail", today), "USD", 1, 90_000, 90_000, 0),
    ]


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices]) -> ControlServices:
    store = MemoryStore(SystemClock(), 60, for_tests=True)
    services = new_plane(limits=LimitStores(store, store, MemoryFirstStart(for_tests=True), store))
    await services.publisher.publish(Sources({"bot.yaml": POLICY}, {"bank.yaml": TOOL}), {}, "ann", "")
    people = (person("eva", "viewer@acme/emea"), person("app", "approver"))
    return with_people(replace(services, spend=spent), *people)


def drawings(page: str) -> list[ET.Element]:
    return [ET.fromstring(text) for text in re.findall(r"<svg class=\"chart\".*?</svg>", page, re.DOTALL)]  # noqa: S314  # our own


async def test_every_chart_has_a_title_a_description_and_its_figures_as_a_table(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "ann") as browser:
        answer = await browser.get("/spend")
    page, charts = answer.text, drawings(answer.text)
    assert len(charts) == 8, "two currencies by day, tenant, agent and tool"
    for chart in charts:
        title, desc = (chart.find(name) for name in ("title", "desc"))
        assert title is not None
        assert desc is not None
        assert chart.attrib["aria-labelledby"] == f"{title.attrib['id']} {desc.attrib['id']}"
        assert title.text
        assert desc.text
        assert "style" not in {name for part in chart.iter() for name in part.attrib}
    assert page.count("The same as a table") == 8
    assert "1.75 EUR" in page
    assert "0.09 USD" in page
    assert "Of it 0.50 EUR is estimated" in page
    assert len(page) < 300_000


async def test_names_that_an_agent_controls_are_text(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as browser:
        page = (await browser.get("/spend")).text
    assert "<script>" not in re.sub(r"<script src=\"[^\"]*\" defer></script>", "", page)
    assert "<b>bot" not in page
    assert "&lt;script&gt;" in page


async def test_a_reader_of_one_tenant_sees_what_it_spends_alone(plane: ControlServices, client: Client) -> None:
    async with client(plane, "eva") as browser:
        page = (await browser.get("/spend")).text
        other = (await browser.get("/spend?tenant=acme/apac")).text
    assert "1.75 EUR" in page
    assert "apac" not in page
    assert "USD" not in page
    assert "Nothing was spent." in other
    async with client(plane, "app") as browser:
        assert (await browser.get("/spend")).status_code == 403


async def test_a_filter_is_kept_in_the_address_and_in_its_form(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as browser:
        page = (await browser.get("/spend?tool=mail&days=7")).text
        assert (await browser.get("/spend?days=8")).status_code == 400
        assert (await browser.get("/spend?agent=odd")).status_code == 400
    assert '<option value="mail" selected>' in page
    assert '<option value="7" selected>' in page
    assert "0.09 USD" in page
    assert "EUR" not in page


async def test_what_is_left_of_budgets_is_shown_of_who_spends_most_and_of_the_agent_that_is_chosen(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "ann") as browser:
        whole = (await browser.get("/spend?tenant=acme/emea&tool=bank")).text
        chosen = (await browser.get("/spend?agent=acme/emea/bot")).text
    assert "5.00 EUR" in whole
    assert "3 calls a second" not in whole
    assert "Limits of acme/emea/bot and what is left" in chosen
    assert chosen.count("<meter") == 2
