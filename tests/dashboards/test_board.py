"""Dashboards as they are read: ours, and those that are not understood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.dashboards.board import BoardProblem, PanelKind, Query, read_board

FILES = sorted((Path(__file__).resolve().parents[2] / "deploy/grafana/dashboards").glob("*.json"))


def document(**changes: Any) -> dict[str, Any]:
    panel = {
        "title": "Spend",
        "type": "timeseries",
        "gridPos": {"x": 0, "y": 4, "w": 12, "h": 8},
        "fieldConfig": {"defaults": {"unit": "reqps"}},
        "targets": [{"expr": "up", "legendFormat": "{{job}}"}],
    }
    return {"uid": "b", "title": "B", "time": {"from": "now-6h", "to": "now"}, "panels": [{**panel, **changes}]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_of_our_dashboards_is_read_whole(path: Path) -> None:
    board, listed = read_board(path.read_text("utf-8")), json.loads(path.read_text("utf-8"))["panels"]
    assert {panel.title for panel in board.panels} == {panel["title"] for panel in listed}
    assert sum(len(panel.queries) for panel in board.panels) == sum(len(panel["targets"]) for panel in listed)
    assert board.span == 3600.0


def test_panels_are_in_reading_order_with_what_they_ask() -> None:
    written = document()
    written["panels"].append({**written["panels"][0], "title": "First", "gridPos": {"x": 0, "y": 0, "w": 6, "h": 4}})
    first, second = read_board(json.dumps(written)).panels
    assert (first.title, second.title) == ("First", "Spend")
    assert second.kind is PanelKind.TIME_SERIES and second.unit == "reqps"
    assert second.queries == (Query("up", "{{job}}", instant=False),)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"type": "heatmap"}, "B: Spend: panels of type 'heatmap' are not drawn"),
        ({"gridPos": {"x": 20, "y": 0, "w": 6, "h": 4}}, "B: Spend: gridPos is beyond the 24 columns"),
        ({"gridPos": {"x": 0, "y": 0, "w": True, "h": 4}}, "gridPos is not x, y, w and h in whole numbers"),
        ({"targets": []}, "B: Spend: no targets"),
        ({"targets": [{"expr": ""}]}, "B: Spend: expr is no text"),
        ({"fieldConfig": None}, "B: Spend: fieldConfig is no object"),
    ],
)
def test_a_panel_that_is_not_understood_is_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(BoardProblem, match="B: Spend") as raised:
        read_board(json.dumps(document(**changes)))
    assert problem in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"title": "B"}', '{"title": "B", "panels": []}'])
def test_what_is_no_dashboard_is_refused(text: str) -> None:
    with pytest.raises(BoardProblem):
        read_board(text)


def test_a_time_that_is_not_understood_is_refused() -> None:
    with pytest.raises(BoardProblem, match="time is not from now"):
        read_board(json.dumps({**document(), "time": {"from": "now/d", "to": "now"}}))
