"""Boards as pictures: every panel at its place, words for who does not see it, colours of the page."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.dashboards.answers import Curve, PanelAnswer, Window
from aegis_authz.dashboards.board import Board, read_board
from aegis_authz.dashboards.picture import board_picture, panel_picture
from aegis_authz.ports.figures import Point, Series

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
BOARDS = [read_board(path.read_text("utf-8")) for path in FILES]
WINDOW = Window.until(Epoch(1_800_000_000.0), Seconds(600.0))
_SVG = "{http://www.w3.org/2000/svg}"


def answers(board: Board) -> list[PanelAnswer]:
    points = (Point(Epoch(1_799_999_900.0), 1.0), Point(Epoch(1_799_999_905.0), 2.0))
    return [PanelAnswer(panel, [Curve("a", Series({"tool": "t"}, points))]) for panel in board.panels]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_every_panel_is_where_its_dashboard_has_it_and_covers_no_other(board: Board) -> None:
    root = ElementTree.fromstring(board_picture(board, answers(board), WINDOW))  # noqa: S314  # our own
    boxes = [box for box in root.iter(f"{_SVG}rect") if box.get("class") == "dash-panel"]
    areas = [tuple(float(box.attrib[name]) for name in ("x", "y", "width", "height")) for box in boxes]
    assert len(areas) == len(board.panels)
    for number, (x, y, width, height) in enumerate(areas):
        assert x + width <= float(root.attrib["width"]) and y + height <= float(root.attrib["height"])
        for a, b, c, d in areas[number + 1 :]:
            assert x + width <= a or a + c <= x or y + height <= b or b + d <= y


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_every_panel_has_a_title_that_is_read_aloud(board: Board) -> None:
    root = ElementTree.fromstring(board_picture(board, answers(board), WINDOW))  # noqa: S314  # our own
    titles = {title.attrib.get("id"): title.text for title in root.iter(f"{_SVG}title")}
    for group, panel in zip(root.iter(f"{_SVG}g"), board.panels, strict=True):
        said = titles[group.attrib["aria-labelledby"]]
        assert said is not None and said.startswith(panel.title) and panel.description in said


def test_a_panel_by_itself_names_no_colour_and_loads_nothing() -> None:
    [answer, *_] = answers(BOARDS[0])
    picture = panel_picture(answer, WINDOW, 3)
    assert 'aria-labelledby="dash-3"' in picture and 'id="dash-3"' in picture
    assert "style" not in picture and "href" not in picture and "#" not in picture


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_the_picture_of_the_docs_shows_every_panel_with_data(board: Board) -> None:
    """What `make docs-dashboards` wrote: a panel that was added or renamed since has to be drawn anew."""
    text = (ROOT / "docs" / "images" / "dashboards" / f"{board.uid}.svg").read_text("utf-8")
    root = ElementTree.fromstring(text)  # noqa: S314  # our own
    titles = [group.findtext(f"{_SVG}title") or "" for group in root.iter(f"{_SVG}g")]
    assert [title.partition(". ")[0] for title in titles] == [panel.title for panel in board.panels]
    assert "No data" not in text and "prefers-color-scheme:dark" in text
