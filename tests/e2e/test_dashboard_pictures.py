"""The five use cases on a mesh that a real Prometheus scrapes: every panel of every dashboard has data and is drawn.

With AEGIS_WRITE_DOCS the pictures are written for docs/observability.md (`make docs-dashboards`).
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

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
from aegis_authz.local.documents import dashboard_folder, example_documents
from tests.support.prometheus import Prometheus, prometheus

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "images" / "dashboards"
LIFE = 90
"""Samples, one a second, for which the mesh is used, so that lines are more than dots."""
BOARDS = [read_board(path.read_text("utf-8")) for path in sorted(dashboard_folder().glob("*.json"))]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    """A Prometheus that has scraped a mesh while the use cases were played."""
    receiver, folder = SpanReceiver(), tmp_path_factory.mktemp("prometheus")
    async with traced_mesh(tmp_path_factory.mktemp("mesh"), example_documents(), receiver) as mesh:
        target = mesh.metrics.removeprefix("http://").partition("/")[0]
        with prometheus(folder, free_port(), configuration(target)) as running:
            agent = agent_of(mesh)
            try:
                for use_case in USE_CASES.values():
                    await play(use_case, mesh, agent, receiver)
                while not await asyncio.to_thread(running.value_count, f"count_over_time(aegis_workers[1h]) > {LIFE}"):
                    await more_of_it(mesh, agent)
            finally:
                await agent.close()
            await asyncio.to_thread(running.await_samples, "rate(aegis_decisions_total[1m]) > 0")
            yield running


async def more_of_it(mesh: DemoMesh, agent: Agent) -> None:
    """Another day of two of the use cases: patients are read, and the bill of a model runs away; and a replay."""
    await mesh.aegis("limits", "reset", "--dir", str(mesh.state), "--note", "another day")
    for name in ("healthcare", "saas"):
        await USE_CASES[name].chapter(mesh, agent)
    token = agent.tokens.mint("finance-agent")
    for _ in range(2):
        await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 4200}, token=token)


def configuration(target: str) -> str:
    """That of the mesh's Prometheus: our rules, and the authorizers each second."""
    rules = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yaml"))
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "aegis-authz", "static_configs": [{"targets": [target]}]}],
        }
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])
async def test_every_panel_has_data_and_is_drawn(server: Prometheus, board: Board) -> None:
    figures = PrometheusFigures(server.url)
    window = Window.until(Epoch(time.time()), Seconds(await began(server)))
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


async def began(server: Prometheus) -> float:
    """How long ago the first sample was taken, in seconds."""
    [series] = await asyncio.to_thread(lambda: server.ask("query", query="aegis_workers[1h]")["result"])
    return time.time() - float(series["values"][0][0])


def assert_drawn(picture: str, answers: Sequence[PanelAnswer]) -> None:
    """Each panel is a group of the picture that holds its title and a shape of what it shows."""
    groups = picture.split('<g role="group"')[1:]
    assert len(groups) == len(answers)
    for group, answer in zip(groups, answers, strict=True):
        assert f">{answer.panel.title}" in group
        assert "dash-c0" in group or "dash-head" in group, answer.panel.title
