"""The pages on which the dashboards are seen where no Grafana is: each panel drawn from what Prometheus answers."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from starlette.responses import Response

from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.templates import page_of
from aegis_authz.dashboards.answers import PanelAnswer, Window
from aegis_authz.dashboards.board import Board
from aegis_authz.dashboards.picture import panel_picture

SPANS = (15, 60, 360, 1440, 10_080)
"""For how many minutes there are choices."""


def dashboard_page(
    boards: Sequence[Board], board: Board, answers: Sequence[PanelAnswer], window: Window, minutes: int, frame: Frame
) -> Response:
    """A board with all of its panels, for this window of so many minutes."""
    usual = round(board.span / 60)
    return page_of(
        "dashboard.html",
        200,
        frame,
        boards=[{"title": each.title, "href": f"/dashboards/{each.uid}"} for each in boards],
        board=board,
        href=f"/dashboards/{board.uid}",
        minutes=minutes,
        until=window.end,
        filters=[
            {
                "name": "minutes",
                "label": f"Minutes (any: {usual})",
                "value": "" if minutes == usual else str(minutes),
                "choices": [str(span) for span in SPANS],
            }
        ],
        panels=[
            # the drawing escapes every text that it writes (tests/dashboards/test_panels.py)
            {"width": answer.panel.place.width, "picture": Markup(panel_picture(answer, window, number))}  # noqa: S704  # as said
            for number, answer in enumerate(answers)
        ],
    )


def no_dashboards_page(frame: Frame) -> Response:
    """What is said where no Prometheus is set up."""
    return page_of("dashboards_none.html", 200, frame)
