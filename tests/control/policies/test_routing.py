from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest

from aegis_authz.control.app import ControlServices
from aegis_authz.control.policies.routing import RouteKeeper
from aegis_authz.control.policies.status_board import StatusBoard
from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.json_value import Json
from aegis_authz.core.release import RevisionUnknown, Sources
from aegis_authz.core.units import Revision

PATIENCE = 5.0

Client = Callable[[ControlServices, str], httpx.AsyncClient]


class StillClock:
    def now(self) -> float:
        return 100.0

    def monotonic(self) -> float:
        return 100.0


class ShownRoutes:
    """Remembers what it is told to show; refuses with `fault` while there is one."""

    def __init__(self) -> None:
        self.upstreams: list[str] = []
        self.attempts = 0
        self.fault: Exception | None = None

    def show(self, catalogue: Catalogue) -> None:
        self.attempts += 1
        if self.fault is not None:
            raise self.fault
        self.upstreams.append(catalogue.by_name["pay"].upstream)


def catalogue_of(revision: Revision) -> Catalogue:
    if not revision.startswith("r"):
        raise RevisionUnknown(revision)
    return Catalogue.of(
        (
            Tool(
                "pay",
                "pay.example",
                None,
                f"http://{revision}.example",
                (),
                "/mcp",
                "",
                None,
                False,
                False,
                NO_INTERFACE,
            ),
        )
    )


def report(instance: str, revision: str) -> dict[str, Json]:
    return {"labels": {"instance": instance}, "bundles": {"aegis": {"name": "aegis", "active_revision": revision}}}


@pytest.fixture
def board() -> StatusBoard:
    return StatusBoard(StillClock())


@pytest.fixture
def routes() -> ShownRoutes:
    return ShownRoutes()


@pytest.fixture
def keeper(board: StatusBoard, routes: ShownRoutes) -> RouteKeeper:
    return RouteKeeper(board, catalogue_of, routes, first_delay=0.001)


async def test_routes_are_those_of_the_revision_opa_runs(
    keeper: RouteKeeper, board: StatusBoard, routes: ShownRoutes
) -> None:
    await keeper.follow()
    assert (routes.upstreams, keeper.current) == ([], "")
    for revision in ("r1", "r1", "r2"):
        board.hear(report("a", revision))
        await keeper.follow()
    assert (routes.upstreams, keeper.current) == (["http://r1.example", "http://r2.example"], "r2")


async def test_a_revision_that_opa_refused_moves_no_route(
    keeper: RouteKeeper, board: StatusBoard, routes: ShownRoutes
) -> None:
    board.hear(report("a", "r1"))
    await keeper.follow()
    board.hear(report("a", "r1") | {"bundles": {"aegis": {"active_revision": "r1", "code": "bundle_error"}}})
    await keeper.follow()
    assert routes.upstreams == ["http://r1.example"]


async def test_of_several_opas_the_most_decide_and_none_before_they_lead(
    keeper: RouteKeeper, board: StatusBoard, routes: ShownRoutes
) -> None:
    for instance in "abc":
        board.hear(report(instance, "r1"))
    await keeper.follow()
    for instance, upstreams in (("a", 1), ("b", 2), ("c", 2)):
        board.hear(report(instance, "r2"))
        await keeper.follow()
        assert len(routes.upstreams) == upstreams
    assert keeper.current == "r2"


@pytest.mark.parametrize("fault", [OSError("disk full"), ValueError("no such place")])
async def test_routes_that_cannot_be_written_are_tried_again_at_the_next_report(
    keeper: RouteKeeper, board: StatusBoard, routes: ShownRoutes, fault: Exception
) -> None:
    board.hear(report("a", "r1"))
    routes.fault = fault
    await keeper.follow()
    assert keeper.current == ""
    assert "r1" in keeper.trouble and str(fault) in keeper.trouble
    routes.fault = None
    await keeper.follow()
    assert (keeper.current, keeper.trouble) == ("r1", "")


@pytest.mark.usefixtures("following")
async def test_routes_that_cannot_be_written_are_tried_again_without_any_report(
    keeper: RouteKeeper, board: StatusBoard, routes: ShownRoutes
) -> None:
    routes.fault = OSError("disk full")
    board.hear(report("a", "r1"))
    async with asyncio.timeout(PATIENCE):
        while routes.attempts < 3:
            await asyncio.sleep(0)
        routes.fault = None
        await keeper.until(Revision("r1"), PATIENCE)
    assert (routes.upstreams, keeper.trouble) == (["http://r1.example"], "")


async def test_what_opa_runs_again_after_all_is_no_trouble_any_more(
    keeper: RouteKeeper, board: StatusBoard, routes: ShownRoutes
) -> None:
    board.hear(report("a", "r1"))
    await keeper.follow()
    routes.fault = OSError("disk full")
    board.hear(report("a", "r2"))
    await keeper.follow()
    assert keeper.trouble
    board.hear(report("a", "r1"))
    await keeper.follow()
    assert (keeper.current, keeper.trouble) == ("r1", "")


async def test_a_revision_nobody_published_here_changes_nothing(
    keeper: RouteKeeper, board: StatusBoard, routes: ShownRoutes
) -> None:
    board.hear(report("a", "unheard-of"))
    await keeper.follow()
    assert (routes.upstreams, keeper.current) == ([], "")


async def test_a_control_plane_whose_routes_are_not_written_is_not_ready(
    keeper: RouteKeeper, board: StatusBoard, routes: ShownRoutes, plane: ControlServices, client: Client
) -> None:
    plane.publisher.start(lambda: Sources({}, {}))
    board.hear(report("a", "r1"))
    routes.fault = OSError("/secret/path is full")
    async with client(replace(plane, keeper=keeper), "") as anyone:
        assert (await anyone.get("/readyz")).status_code == 200  # nobody tried yet
        await keeper.follow()
        refused = await anyone.get("/readyz")
        routes.fault = None
        await keeper.follow()
        assert (await anyone.get("/readyz")).status_code == 200
    assert refused.status_code == 503
    assert "routes" in refused.json()["detail"] and "secret" not in refused.text


@pytest.fixture
async def following(keeper: RouteKeeper) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keeper.watch())
        yield
        task.cancel()


@pytest.mark.usefixtures("following")
async def test_a_publisher_can_wait_for_the_routes(keeper: RouteKeeper, board: StatusBoard) -> None:
    async with asyncio.timeout(PATIENCE):
        waiting = asyncio.create_task(keeper.until(Revision("r1"), PATIENCE))
        await asyncio.sleep(0)
        board.hear(report("a", "r1"))
        await waiting
    assert keeper.current == "r1"


async def test_who_waits_in_vain_goes_on_in_time(keeper: RouteKeeper) -> None:
    async with asyncio.timeout(PATIENCE):
        await keeper.until(Revision("r1"), 0.01)
    assert keeper.current == ""
