"""A dashboard of Grafana's JSON, as far as the dashboards of deploy/grafana use it.

Source: grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.json_value import Json
from aegis_authz.core.units import Seconds

COLUMNS = 24
"""Into so many columns Grafana divides the width of a dashboard."""
_SPAN = re.compile(r"now-(\d{1,4})([smhd])\Z")
_UNIT_SECONDS: Mapping[str, float] = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class BoardProblem(ValueError):
    """A dashboard is not what this reader understands; the message says where."""


class PanelKind(Enum):
    """The kinds of panels that are drawn."""

    STAT = "stat"
    TIME_SERIES = "timeseries"
    BAR_GAUGE = "bargauge"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel is: columns from the left, rows from the top, and how many of each it takes."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Query:
    """A query of Prometheus. `legend` names its series, with `{{label}}` for a label's value, "" for their labels."""

    expression: str
    legend: str
    instant: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel; `unit` is Grafana's name of it."""

    title: str
    description: str
    kind: PanelKind
    place: Place
    unit: str
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard, the panels in reading order; `span` is how much of the past it shows."""

    uid: str
    title: str
    description: str
    span: Seconds
    panels: tuple[Panel, ...]


def read_board(text: str) -> Board:
    """The dashboard in this JSON. Raises BoardProblem."""
    try:
        document = json.loads(text)
    except ValueError as fault:
        raise BoardProblem(f"no JSON: {fault}") from None
    where = "the dashboard"
    board = _object(document, where)
    title = _text(board, "title", where)
    listed = board.get("panels")
    if not isinstance(listed, list) or not listed:
        raise BoardProblem(f"{title}: no panels")
    panels = [_panel(_object(entry, f"{title}: panel {number}"), title) for number, entry in enumerate(listed)]
    return Board(
        uid=_text(board, "uid", title),
        title=title,
        description=str(board.get("description", "")),
        span=_span(board, title),
        panels=tuple(sorted(panels, key=lambda panel: (panel.place.y, panel.place.x))),
    )


def _span(board: Mapping[str, Json], title: str) -> Seconds:
    time = _object(board.get("time"), f"{title}: time")
    match = _SPAN.match(str(time.get("from", "")))
    if match is None or time.get("to") != "now":
        raise BoardProblem(f"{title}: time is not from now-NUMBER[smhd] to now")
    return Seconds(int(match[1]) * _UNIT_SECONDS[match[2]])


def _panel(panel: Mapping[str, Json], board: str) -> Panel:
    title = _text(panel, "title", f"{board}: a panel")
    where = f"{board}: {title}"
    try:
        kind = PanelKind(panel.get("type"))
    except ValueError:
        raise BoardProblem(f"{where}: panels of type {panel.get('type')!r} are not drawn") from None
    config = _object(panel.get("fieldConfig"), f"{where}: fieldConfig")
    defaults = _object(config.get("defaults"), f"{where}: fieldConfig.defaults")
    targets = panel.get("targets")
    if not isinstance(targets, list) or not targets:
        raise BoardProblem(f"{where}: no targets")
    return Panel(
        title=title,
        description=str(panel.get("description", "")),
        kind=kind,
        place=_place(_object(panel.get("gridPos"), f"{where}: gridPos"), where),
        unit=str(defaults.get("unit", "short")),
        queries=tuple(_query(_object(target, f"{where}: a target"), where) for target in targets),
    )


def _place(grid: Mapping[str, Json], where: str) -> Place:
    numbers = [grid.get(name) for name in ("x", "y", "w", "h")]
    whole = [number for number in numbers if isinstance(number, int) and not isinstance(number, bool)]
    if len(whole) != len(numbers):
        raise BoardProblem(f"{where}: gridPos is not x, y, w and h in whole numbers")
    x, y, width, height = whole
    if min(x, y) < 0 or min(width, height) < 1 or x + width > COLUMNS:
        raise BoardProblem(f"{where}: gridPos is beyond the {COLUMNS} columns")
    return Place(x, y, width, height)


def _query(target: Mapping[str, Json], where: str) -> Query:
    legend = target.get("legendFormat", "")
    return Query(_text(target, "expr", where), legend if isinstance(legend, str) else "", bool(target.get("instant")))


def _object(value: Json, where: str) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise BoardProblem(f"{where} is no object")
    return value


def _text(document: Mapping[str, Json], name: str, where: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise BoardProblem(f"{where}: {name} is no text")
    return value
