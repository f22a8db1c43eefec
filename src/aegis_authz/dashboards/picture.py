"""Boards and their panels as pictures: each panel where its dashboard has it, with what it means in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from aegis_authz.dashboards.answers import PanelAnswer, Window
from aegis_authz.dashboards.board import COLUMNS, Board, Place
from aegis_authz.dashboards.panels import LARGE, SMALL, USUAL, panel_shapes
from aegis_authz.dashboards.shapes import Area, label

_COLUMN, _ROW, _GAP = 50.0, 34.0, 8.0
"""Sizes of a cell of the grid, and what lies between two panels."""
_TOP = 44.0
_LIGHT = ("#ffffff", "#f5f7fa", "#cbd4de", "#15202b", "#4d5d6c")
_DARK = ("#10171f", "#18222d", "#33424f", "#e6edf3", "#a9b8c6")
_NAMES = ("page", "panel", "line", "text", "quiet")
LIGHT_COLOURS = ("#0b57a4", "#b3541e", "#2e7d4f", "#7a4fb5", "#8a6d00", "#a3231f", "#007a87", "#5d6770")
DARK_COLOURS = ("#7db8f5", "#f0a06c", "#84d6a2", "#c4a5f0", "#e3c65b", "#ff9d97", "#6fd3de", "#b4bec8")


def panel_picture(answer: PanelAnswer, window: Window, number: int) -> str:
    """A panel by itself, to stand inside a page that colours the classes `dash-...`; `number` makes its ids its own."""
    place = answer.panel.place
    area = Area(0, 0, place.width * _COLUMN - _GAP, place.height * _ROW - _GAP)
    name = f"dash-{number}"
    head = f'<svg class="dash" viewBox="0 0 {area.width:g} {area.height:g}" role="img" aria-labelledby="{name}">'
    return "\n".join([head, _title(answer, name), *panel_shapes(answer, window, area), "</svg>"])


def board_picture(board: Board, answers: Sequence[PanelAnswer], window: Window) -> str:
    """The whole board as a file of its own, light or dark as its reader has it."""
    rows = max(answer.panel.place.y + answer.panel.place.height for answer in answers)
    width, height = COLUMNS * _COLUMN + _GAP, rows * _ROW + _TOP + _GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dash" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" aria-labelledby="board">'
    )
    title = f'<title id="board">{escape(f"{board.title}. {board.description}")}</title>'
    ground = f'<rect class="dash-page" width="{width:g}" height="{height:g}"/>'
    name = label(_GAP + 2, 28, board.title, "dash-board", width - 2 * _GAP, 18.0)
    parts = [part for number, answer in enumerate(answers) for part in _placed(answer, window, number)]
    return "\n".join([head, title, f"<style>{_style()}</style>", ground, name, *parts, "</svg>", ""])


def _placed(answer: PanelAnswer, window: Window, number: int) -> Iterator[str]:
    yield f'<g role="group" aria-labelledby="dash-{number}">'
    yield _title(answer, f"dash-{number}")
    yield from panel_shapes(answer, window, _area(answer.panel.place))
    yield "</g>"


def _area(place: Place) -> Area:
    left, top = _GAP + place.x * _COLUMN, _TOP + place.y * _ROW
    return Area(left, top, place.width * _COLUMN - _GAP, place.height * _ROW - _GAP)


def _title(answer: PanelAnswer, name: str) -> str:
    panel = answer.panel
    words = f"{panel.title}. {panel.description}" if panel.description else panel.title
    return f'<title id="{name}">{escape(words)}</title>'


def _style() -> str:
    light = _colours(_LIGHT, LIGHT_COLOURS)
    dark = _colours(_DARK, DARK_COLOURS)
    numbers = range(len(LIGHT_COLOURS))
    return (
        f"svg{{{light}font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}}"
        f"@media (prefers-color-scheme:dark){{svg{{{dark}}}}}"
        ".dash-page{fill:var(--page)}.dash-panel,.dash-ground{fill:var(--panel)}.dash-panel{stroke:var(--line)}"
        ".dash-ground{fill:var(--line)}text{fill:var(--text)}"
        ".dash-board{font-size:18px;font-weight:600}"
        f".dash-title{{font-size:{USUAL:g}px;font-weight:600}}.dash-mark{{font-size:{SMALL:g}px;fill:var(--quiet)}}"
        f".dash-head{{font-size:{SMALL:g}px;font-weight:600}}.dash-figure{{font-size:{LARGE:g}px;text-anchor:middle}}"
        f".dash-long{{font-size:{LARGE / 2:g}px}}"
        f".dash-empty{{font-size:{USUAL:g}px;fill:var(--quiet);text-anchor:middle}}"
        ".dash-end{text-anchor:end}.dash-middle{text-anchor:middle}.dash-grid{stroke:var(--line)}"
        ".dash-line{fill:none;stroke-width:1.5}.dash-area{opacity:.12}"
        + "".join(f".dash-c{n}{{--c:var(--c{n})}}" for n in numbers)
        + ".dash-line{stroke:var(--c)}.dash-area,.dash-fill,.dash-dot{fill:var(--c)}"
    )


def _colours(names: Sequence[str], colours: Sequence[str]) -> str:
    plain = "".join(f"--{name}:{colour};" for name, colour in zip(_NAMES, names, strict=True))
    return plain + "".join(f"--c{number}:{colour};" for number, colour in enumerate(colours))
