"""What a panel shows: the answers to its queries, and the time they are of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.dashboards.board import Board, Panel, PanelKind, Query
from aegis_authz.ports.figures import METRIC, Figures, Series

_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MOST_STEPS = 240
"""Points of a line: about as many as a panel has units of width."""
_LEAST_STEP = 5.0
"""Seconds; Prometheus is seldom asked to look more often."""


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when a board is looked at, and the time between two points of a line."""

    start: Epoch
    end: Epoch
    step: Seconds

    @property
    def span(self) -> Seconds:
        """How long it is."""
        return Seconds(self.end - self.start)

    @staticmethod
    def until(end: Epoch, span: Seconds) -> Window:
        """The window of so much time before `end`."""
        step = max(_LEAST_STEP, span / _MOST_STEPS)
        return Window(Epoch(end - span), end, Seconds(step))


@dataclass(frozen=True, slots=True)
class Curve:
    """A series with the name that the panel gives it."""

    title: str
    series: Series


@dataclass(frozen=True, slots=True)
class PanelAnswer:
    """A panel with all series of its queries."""

    panel: Panel
    curves: Sequence[Curve]


def curves_of(query: Query, series: Sequence[Series]) -> Iterator[Curve]:
    """The series of a query's answer by their names: Grafana's `legendFormat`, else their labels."""
    for each in series:
        if query.legend:
            yield Curve(_named(query.legend, each.labels), each)
        else:
            yield Curve(", ".join(f"{name}={value}" for name, value in labels_of(each)), each)


def _named(legend: str, labels: Mapping[str, str]) -> str:
    return _LABEL.sub(lambda match: labels.get(match[1], ""), legend).strip()


def labels_of(series: Series) -> list[tuple[str, str]]:
    """Its labels by name, the name of the metric left out."""
    return sorted((name, value) for name, value in series.labels.items() if name != METRIC)


async def panel_answer(figures: Figures, panel: Panel, window: Window) -> PanelAnswer:
    """What the queries of a panel answer for this window. Raises FiguresFault."""
    curves: list[Curve] = []
    for query in panel.queries:
        if query.instant or panel.kind in (PanelKind.TABLE, PanelKind.BAR_GAUGE):
            series = await figures.at(query.expression, window.end)
        else:
            series = await figures.over(query.expression, window.start, window.end, window.step)
        curves.extend(curves_of(query, series))
    return PanelAnswer(panel, curves)


async def board_answers(figures: Figures, board: Board, window: Window) -> list[PanelAnswer]:
    """What all panels of a board answer, in reading order. Raises FiguresFault."""
    return [await panel_answer(figures, panel, window) for panel in board.panels]
