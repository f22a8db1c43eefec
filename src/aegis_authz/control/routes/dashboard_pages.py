"""The dashboards of deploy/grafana as pages, for whoever reads the records of the whole mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.control.gate import Authentication, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages.dashboards import SPANS, dashboard_page, no_dashboards_page
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.core.units import Seconds
from aegis_authz.dashboards.answers import Window, board_answers
from aegis_authz.dashboards.board import Board
from aegis_authz.people.permissions import Permission
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.figures import Figures, FiguresFault

Minutes = Annotated[str, Query(pattern=f"^({'|'.join(map(str, SPANS))})?$")]


@dataclass(frozen=True, slots=True)
class Dashboards:
    """The boards, in the order in which they are named, and where their figures are."""

    boards: Sequence[Board]
    figures: Figures


def dashboard_page_routes(
    dashboards: Dashboards | None, clock: Clock, authentication: Authentication
) -> list[APIRouter]:
    """`/dashboards`; None where no Prometheus is set up."""
    people = people_router(authentication)
    # no panel tells tenants apart for its reader: whoever sees one sees all of the mesh
    reads = needs(Permission.READ_RECORDS)

    @people.get("/dashboards", include_in_schema=False, dependencies=[reads])
    async def lead_to_dashboard(request: Request) -> Response:
        """Lead to the first of the dashboards, or say how to have them."""
        if dashboards is None:
            return no_dashboards_page(frame_of(request))
        return RedirectResponse(f"/dashboards/{dashboards.boards[0].uid}", status_code=303)

    @people.get("/dashboards/{uid}", include_in_schema=False, dependencies=[reads])
    async def show_dashboard(uid: str, request: Request, minutes: Minutes = "") -> Response:
        """Show a dashboard with what Prometheus answers now."""
        if dashboards is None:
            raise HttpProblem(404, "no Prometheus is set up here")
        board = next((each for each in dashboards.boards if each.uid == uid), None)
        if board is None:
            raise HttpProblem(404, "there is no such dashboard")
        span = Seconds(int(minutes) * 60.0) if minutes else board.span
        window = Window.until(clock.now(), span)
        try:
            answers = await board_answers(dashboards.figures, board, window)
        except FiguresFault as fault:
            raise HttpProblem(503, str(fault)) from None
        return dashboard_page(dashboards.boards, board, answers, window, round(span / 60), frame_of(request))

    return [people]
