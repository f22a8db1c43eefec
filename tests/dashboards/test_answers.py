"""What panels ask, and how series are named."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.dashboards.answers import Window, curves_of, panel_answer
from aegis_authz.dashboards.board import Panel, PanelKind, Place, Query
from aegis_authz.ports.figures import Point, Series

WINDOW = Window.until(Epoch(1_800_000_000.0), Seconds(3600.0))
SERIES = Series({"__name__": "up", "tool": "crm", "tenant": "acme/emea"}, (Point(WINDOW.end, 1.0),))


class NotedFigures:
    """Notes how it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, ...]] = []

    async def at(self, expression: str, moment: Epoch) -> Sequence[Series]:
        self.asked.append((moment,))
        return [SERIES]

    async def over(self, expression: str, start: Epoch, end: Epoch, step: Seconds) -> Sequence[Series]:
        self.asked.append((start, end, step))
        return [SERIES]


def test_a_legend_names_a_series_by_its_labels() -> None:
    [named] = curves_of(Query("up", "{{tool}}: {{ currency }}", instant=False), [SERIES])
    [plain] = curves_of(Query("up", "", instant=False), [SERIES])
    assert (named.title, plain.title) == ("crm:", "tenant=acme/emea, tool=crm")


async def test_lines_are_asked_over_time_and_tables_at_its_end() -> None:
    figures = NotedFigures()
    for kind in (PanelKind.TIME_SERIES, PanelKind.TABLE):
        panel = Panel("t", "", kind, Place(0, 0, 1, 1), "short", (Query("up", "", instant=False),))
        assert [curve.series for curve in (await panel_answer(figures, panel, WINDOW)).curves] == [SERIES]
    assert figures.asked == [(WINDOW.start, WINDOW.end, 15.0), (WINDOW.end,)]
