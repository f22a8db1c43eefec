"""Panels as shapes: what is drawn of lines, figures, bars and tables."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.dashboards.answers import Curve, PanelAnswer, Window
from aegis_authz.dashboards.board import Panel, PanelKind, Place, Query
from aegis_authz.dashboards.panels import panel_shapes
from aegis_authz.dashboards.shapes import Area
from aegis_authz.ports.figures import Point, Series

WINDOW = Window.until(Epoch(1_800_000_000.0), Seconds(600.0))
HOSTILE = '<script>alert("x")</script>&'


def curve(title: str, *values: float, first: float = 1_799_999_500.0, **labels: str) -> Curve:
    points = tuple(Point(Epoch(first + 5 * number), value) for number, value in enumerate(values))
    return Curve(title, Series(labels, points))


def drawn(kind: PanelKind, *curves: Curve, unit: str = "short", title: str = "Spend") -> str:
    panel = Panel(title, "", kind, Place(0, 0, 12, 8), unit, (Query("up", "", instant=False),))
    shapes = "".join(panel_shapes(PanelAnswer(panel, curves), WINDOW, Area(0, 0, 592, 264)))
    ElementTree.fromstring(f"<svg>{shapes}</svg>")  # noqa: S314  # our own
    return shapes


def texts(shapes: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(f"<svg>{shapes}</svg>").iter("text")]  # noqa: S314  # our own


@pytest.mark.parametrize("kind", PanelKind)
def test_a_panel_without_data_says_so(kind: PanelKind) -> None:
    assert texts(drawn(kind)) == ["Spend", "No data"]


@pytest.mark.parametrize("kind", PanelKind)
def test_no_name_of_an_agent_is_more_than_text(kind: PanelKind) -> None:
    shapes = drawn(kind, curve(HOSTILE, 1.0, agent=HOSTILE), title=HOSTILE)
    assert "<script" not in shapes


def test_each_series_is_a_line_with_its_newest_value_in_the_legend() -> None:
    shapes = drawn(PanelKind.TIME_SERIES, curve("allow", 1, 2, 3), curve("deny", 0, 0.5, 0.25), unit="reqps")
    assert len(re.findall(r"<polyline", shapes)) == 2
    assert {"allow  3 req/s", "deny  0.25 req/s"} <= set(texts(shapes))


def test_a_line_breaks_where_nothing_was_measured() -> None:
    parted = Curve(
        "up", Series({}, (*curve("", 1, 2).series.points, *curve("", 2, 1, first=1_799_999_800.0).series.points))
    )
    assert len(re.findall(r"<polyline", drawn(PanelKind.TIME_SERIES, parted))) == 2


def test_a_legend_that_is_too_long_counts_the_rest() -> None:
    shapes = drawn(PanelKind.TIME_SERIES, *(curve(f"a-tool-with-a-name-{number}", 1, 2) for number in range(30)))
    [rest] = [text for text in texts(shapes) if text.startswith("and ")]
    entries = [text for text in texts(shapes) if text.startswith("a-tool")]
    assert len(entries) + int(rest.removeprefix("and ")) == 30


def test_a_figure_is_the_newest_value() -> None:
    assert "54.3 %" in texts(drawn(PanelKind.STAT, curve("", 0.1, 0.543), unit="percentunit"))


def test_bars_are_ordered_and_a_share_is_of_the_whole() -> None:
    shapes = drawn(PanelKind.BAR_GAUGE, curve("low", 0.25), curve("high", 0.5), unit="percentunit")
    assert texts(shapes)[1:] == ["high", "50 %", "low", "25 %"]
    widths = [float(width) for width in re.findall(r'dash-fill dash-c0" [^>]*width="([\d.]+)"', shapes)]
    ground = [float(width) for width in re.findall(r'dash-ground" [^>]*width="([\d.]+)"', shapes)]
    assert widths == [ground[0] / 2, ground[0] / 4]


def test_a_table_has_a_row_a_series_and_counts_those_that_do_not_fit() -> None:
    rows = [curve("", float(number), tool=f"tool-{number}", tenant="acme/emea") for number in range(40)]
    shown = texts(drawn(PanelKind.TABLE, *rows))
    assert shown[1:7] == ["tenant", "tool", "value", "acme/emea", "tool-39", "39"]
    listed = sum(1 for text in shown if text.startswith("tool-"))
    assert f"and {40 - listed} more" in shown
