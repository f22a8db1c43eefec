"""The five use cases on a mesh that a real Prometheus scrapes: every panel of every dashboard has data and is drawn.

With AEGIS_WRITE_DOCS the pictures are written for docs/observability.md (`make docs-dashboards`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from aegis_authz.adapters.prometheus import PrometheusFigures
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.dashboards.answers import PanelAnswer, Window, board_answers
from aegis_authz.dashboards.board import Board, read_board
from aegis_authz.dashboards.picture import board_picture
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.run import agent_of
from aegis_authz.demo.scenario import PAYMENTS
from aegis_authz.demo.use_cases.play import play
from aegis_authz.demo.use_cases.run import USE_CASES, traced_mesh
from aegis_authz.demo.use_cases.span_receiver import SpanReceiver
from aegis_authz.local.documents import dashboard_folder, example_documents, prometheus_rules
from aegis_authz.local.mesh_facts import read_facts
from tests.support.browser import chromium, picture, visit
from tests.support.prometheus import Prometheus, program

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "images" / "dashboards"
LIFE = 18
"""Samples, one in five seconds, for which the mesh is used, so that lines are more than dots."""
BOARDS = [read_board(path.read_text("utf-8")) for path in sorted(dashboard_folder().glob("*.json"))]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoMesh]:
    """A mesh whose Prometheus has scraped it while the use cases were played."""
    program("prometheus")  # from the user's cache, where there is none on PATH
    receiver = SpanReceiver()
    async with traced_mesh(
        tmp_path_factory.mktemp("mesh"), example_documents(), receiver, ("--observability",)
    ) as running:
        agent, server = agent_of(running), Prometheus(read_facts(running.state).prometheus)
        try:
            for use_case in USE_CASES.values():
                await play(use_case, running, agent, receiver)
            while not await asyncio.to_thread(server.value_count, f"count_over_time(aegis_workers[1h]) > {LIFE}"):
                await more_of_it(running, agent)
        finally:
            await agent.close()
        yield running


async def more_of_it(mesh: DemoMesh, agent: Agent) -> None:
    """Another day of two of the use cases: patients are read, and the bill of a model runs away; and a replay."""
    await mesh.aegis("limits", "reset", "--dir", str(mesh.state), "--note", "another day")
    for name in ("healthcare", "saas"):
        await USE_CASES[name].chapter(mesh, agent)
    token = agent.tokens.mint("finance-agent")
    for _ in range(2):
        await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 4200}, token=token)


@pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])
async def test_every_panel_has_data_and_is_drawn(mesh: DemoMesh, board: Board) -> None:
    server = Prometheus(read_facts(mesh.state).prometheus)
    figures = PrometheusFigures(server.url)
    window = Window.until(Epoch(time.time()), Seconds(await asyncio.to_thread(age, server)))
    try:
        answers = await board_answers(figures, board, window)
    finally:
        await figures.close()
    assert [answer.panel.title for answer in answers if not answer.curves] == []
    picture = board_picture(board, answers, window)
    assert "No data" not in picture
    assert_drawn(picture, answers)
    if os.environ.get("AEGIS_WRITE_DOCS"):
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / f"{board.uid}.svg").write_text(picture, "utf-8")


@pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])
async def test_the_console_shows_it_filled_to_whoever_is_signed_in(mesh: DemoMesh, board: Board) -> None:
    async with mesh.owner() as client:
        page = await client.get(f"/dashboards/{board.uid}")
        nobody = await client.get(f"/dashboards/{board.uid}", headers={"authorization": ""})
    assert (page.status_code, nobody.status_code) == (200, 401)
    assert "No data" not in page.text
    assert page.text.count('<svg class="dash"') == len(board.panels)
    assert all(f">{panel.title}" in page.text for panel in board.panels)


async def test_in_a_browser_it_is_seen_by_day_and_night_and_on_a_phone(mesh: DemoMesh, tmp_path: Path) -> None:
    bearer = {"authorization": f"Bearer {mesh.admin_token}"}
    async with chromium() as browser, visit(browser, mesh.control, extra_http_headers=bearer) as owner:
        page = await owner.page()
        await page.goto("/dashboards")
        await page.get_by_role("link", name="Aegis: SOC").click()
        await expect(page.get_by_role("heading", name="Aegis: SOC")).to_be_visible()
        assert await page.get_by_role("img").count() == len(
            next(each for each in BOARDS if each.uid == "aegis-soc").panels
        )
        await picture(page, "dashboards", tmp_path)
        for look in ("dark", "light"):
            await page.emulate_media(color_scheme=look)  # type: ignore[arg-type]  # a name of a scheme
            await page.set_viewport_size({"width": 390, "height": 844})
            assert (
                await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
            )
        assert owner.complaints == []


async def test_every_process_with_figures_is_scraped_and_nobody_is_named(mesh: DemoMesh) -> None:
    server = Prometheus(read_facts(mesh.state).prometheus)
    up = await asyncio.to_thread(lambda: server.ask("query", query="up")["result"])
    jobs = {series["metric"]["job"]: series["value"][1] for series in up}
    assert jobs == {"aegis-authz": "1", "aegis-control": "1", "prometheus": "1"}
    names = await asyncio.to_thread(lambda: server.ask("label/__name__/values"))
    assert "aegis_control_store_up" in names and not [name for name in names if name.startswith("aegis_oversight_")]
    rules = await asyncio.to_thread(lambda: server.ask("rules")["groups"])
    texts = [path.read_text("utf-8") for path in prometheus_rules().glob("*.yaml")]
    written = sum(text.count("- alert: ") + text.count("- record: ") for text in texts)
    assert sum(len(group["rules"]) for group in rules) == written > 0


def age(server: Prometheus) -> float:
    """How long ago the first sample was taken, in seconds."""
    [series] = server.ask("query", query="aegis_workers[1h]")["result"]
    return time.time() - float(series["values"][0][0])


def assert_drawn(picture: str, answers: Sequence[PanelAnswer]) -> None:
    """Each panel is a group of the picture that holds its title and a shape of what it shows."""
    groups = picture.split('<g role="group"')[1:]
    assert len(groups) == len(answers)
    for group, answer in zip(groups, answers, strict=True):
        assert f">{answer.panel.title}" in group
        assert "dash-c0" in group or "dash-head" in group, answer.panel.title
