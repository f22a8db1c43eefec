"""The dashboards as pages: who sees them, what they show, and what is said where nothing can be shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import httpx
import pytest

from aegis_authz.control.app import ControlServices
from aegis_authz.control.routes.dashboard_pages import Dashboards
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.dashboards.board import read_board
from aegis_authz.local.documents import dashboard_folder
from aegis_authz.ports.figures import FiguresFault, Point, Series
from tests.support.people import person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
BOARDS = [read_board(path.read_text("utf-8")) for path in sorted(dashboard_folder().glob("*.json"))]
HOSTILE = "<script>alert(1)</script>"


class MadeFigures:
    """Answers each expression with the same series, or says that Prometheus is away; notes from when to when."""

    def __init__(self) -> None:
        self.is_away = False
        self.spans: set[float] = set()

    async def at(self, expression: str, moment: Epoch) -> Sequence[Series]:
        if self.is_away:
            raise FiguresFault("Prometheus cannot be asked: ConnectError")
        return [Series({"tool": HOSTILE, "tenant": "acme/emea"}, (Point(moment, 3.0),))]

    async def over(self, expression: str, start: Epoch, end: Epoch, step: Seconds) -> Sequence[Series]:
        self.spans.add(end - start)
        return await self.at(expression, end)


@pytest.fixture
def figures() -> MadeFigures:
    return MadeFigures()


@pytest.fixture
def seen(plane: ControlServices, figures: MadeFigures) -> ControlServices:
    return replace(plane, dashboards=Dashboards(BOARDS, figures))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
async def test_whoever_reads_the_records_of_the_mesh_sees_every_panel(
    seen: ControlServices, client: Client, board: object
) -> None:
    assert isinstance(board, type(BOARDS[0]))
    async with client(with_people(seen, person("aud", "auditor")), "aud") as browser:
        page = await browser.get(f"/dashboards/{board.uid}")
    assert page.status_code == 200
    assert page.text.count('<svg class="dash"') == len(board.panels)
    assert all(f">{panel.title}" in page.text for panel in board.panels)


async def test_a_page_holds_no_script_no_style_and_no_place_elsewhere(seen: ControlServices, client: Client) -> None:
    async with client(with_people(seen, person("aud", "auditor")), "aud") as browser:
        page = await browser.get("/dashboards/aegis-soc")
    assert HOSTILE not in page.text and "&lt;script&gt;" in page.text
    assert " style=" not in page.text and "<style" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize("role", ["auditor@acme/emea", "viewer", "approver@acme"])
async def test_a_reader_of_one_tenant_or_without_records_sees_none(
    seen: ControlServices, client: Client, role: str
) -> None:
    async with client(with_people(seen, person("eve", role)), "eve") as browser:
        pages = [await browser.get(path) for path in ("/dashboards", "/dashboards/aegis-soc")]
    assert [page.status_code for page in pages] == [403, 403]


async def test_the_first_of_them_is_led_to_and_the_time_is_chosen(
    seen: ControlServices, figures: MadeFigures, client: Client
) -> None:
    async with client(with_people(seen, person("aud", "auditor")), "aud") as browser:
        first = await browser.get("/dashboards")
        assert (await browser.get("/dashboards/aegis-sre?minutes=15")).status_code == 200
        assert figures.spans == {900.0}
        refused = [await browser.get(f"/dashboards/{rest}") for rest in ("aegis-sre?minutes=7", "nothing")]
    assert (first.status_code, first.headers["location"]) == (303, "/dashboards/aegis-finops")
    assert [answer.status_code for answer in refused] == [400, 404]


async def test_a_prometheus_that_is_away_is_said(seen: ControlServices, figures: MadeFigures, client: Client) -> None:
    figures.is_away = True
    async with client(with_people(seen, person("aud", "auditor")), "aud") as browser:
        page = await browser.get("/dashboards/aegis-soc")
    assert page.status_code == 503 and "Prometheus cannot be asked" in page.text


async def test_where_there_is_no_prometheus_it_is_said_how_to_have_it(plane: ControlServices, client: Client) -> None:
    async with client(with_people(plane, person("aud", "auditor")), "aud") as browser:
        page, board = await browser.get("/dashboards"), await browser.get("/dashboards/aegis-soc")
    assert page.status_code == 200 and "aegis up --observability" in page.text
    assert board.status_code == 404
