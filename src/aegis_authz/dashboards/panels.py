"""Panels of dashboards as shapes: lines over time, a figure, bars, a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from aegis_authz.core.units import Epoch
from aegis_authz.dashboards.answers import Curve, PanelAnswer, Window, labels_of
from aegis_authz.dashboards.axes import Axis, time_axis, value_axis
from aegis_authz.dashboards.board import Panel, PanelKind
from aegis_authz.dashboards.shapes import LETTER, Area, label, line, path, rectangle, surface
from aegis_authz.dashboards.units import time_text, value_text
from aegis_authz.ports.figures import Point

SMALL, USUAL, LARGE = 10.0, 12.0, 28.0
"""Sizes of letters: beside axes and in tables, titles, a figure."""
COLOURS = 8
"""So many classes of colours there are: dash-c0 and on."""
_HEAD, _EDGE = 26.0, 10.0
_MARK_ROOM, _ROW = 74.0, 15.0
_BAR_ROW = 30.0
_GAP = 1.6
"""A line breaks where so many steps are between two points."""
_NO_DATA = "No data"
_ValueOf = Callable[[float], str]


def panel_shapes(answer: PanelAnswer, window: Window, area: Area) -> Iterator[str]:
    """A panel inside this area, its title above what it shows."""
    panel = answer.panel
    yield rectangle(area, "dash-panel")
    yield label(area.x + _EDGE, area.y + 18, panel.title, "dash-title", area.width - 2 * _EDGE, USUAL)
    inside = area.within(_EDGE, _HEAD, _EDGE, _EDGE)
    if answer.curves:
        yield from _KINDS[panel.kind](answer.curves, panel, window, inside)
    else:
        middle = inside.y + inside.height / 2
        yield label(inside.x + inside.width / 2, middle, _NO_DATA, "dash-empty", inside.width, USUAL)


def _figure(curves: Sequence[Curve], panel: Panel, window: Window, area: Area) -> Iterator[str]:
    """The newest value, large, over what it was before."""
    points = curves[0].series.points
    across = Axis(window.start, window.end, ())
    up = value_axis([point.value for point in points], 2)
    for part in _parts(points, window, across, up, area.within(0, area.height / 2, 0, 0)):
        if len(part) > 1:
            yield surface(part, area.y + area.height, "dash-area dash-c0")
        yield path(part, "dash-line dash-c0")
    text = value_text(curves[0].series.last, panel.unit)
    size = LARGE if len(text) * LARGE * LETTER <= area.width else LARGE / 2
    css = "dash-figure" if size == LARGE else "dash-figure dash-long"
    yield label(area.x + area.width / 2, area.y + LARGE, text, css, area.width, size)


def _lines(curves: Sequence[Curve], panel: Panel, window: Window, area: Area) -> Iterator[str]:
    """A line a series, with both axes and a legend."""
    legend = list(_legend(curves, panel, area))
    rows = max((row for row, *_ in legend), default=0) + 1
    plot = area.within(_MARK_ROOM, 4, 8, 20 + rows * _ROW)
    up = value_axis([point.value for curve in curves for point in curve.series.points], 5)
    across = time_axis(window.start, window.end, max(2, int(plot.width / 90)))
    yield from _value_marks(up, plot, lambda value: value_text(value, panel.unit))
    for mark in across.marks:
        x = plot.x + across.share(mark) * plot.width
        text = time_text(Epoch(mark), window.span)
        yield label(x, plot.y + plot.height + 14, text, "dash-mark dash-middle", plot.width, SMALL)
    for number, curve in enumerate(curves):
        colour = f"dash-c{number % COLOURS}"
        for part in _parts(curve.series.points, window, across, up, plot):
            if len(part) > 1:
                yield surface(part, plot.y + plot.height, f"dash-area {colour}")
            yield path(part, f"dash-line {colour}", curve.title)
    for row, x, key, text in legend:
        y = area.y + area.height - (rows - row) * _ROW + 11
        if key is not None:
            yield rectangle(Area(x, y - 5, 10, 3), f"dash-fill dash-c{key % COLOURS}")
        yield label(x + 14, y, text, "dash-mark", area.x + area.width - x - 14, SMALL)


def _value_marks(up: Axis, plot: Area, text_of: _ValueOf) -> Iterator[str]:
    for mark in up.marks:
        y = plot.y + (1 - up.share(mark)) * plot.height
        yield line(plot.x, y, plot.x + plot.width, y, "dash-grid")
        yield label(plot.x - 6, y + 3, text_of(mark), "dash-mark dash-end", _MARK_ROOM - 6, SMALL)


def _legend(curves: Sequence[Curve], panel: Panel, area: Area) -> Iterator[tuple[int, float, int | None, str]]:
    """Row, place, number of the series and text of each entry, in two rows at most; the rest is counted."""
    row, x = 0, area.x
    for number, curve in enumerate(curves):
        text = f"{curve.title or panel.title}  {value_text(curve.series.last, panel.unit)}"
        width = 14 + len(text) * SMALL * LETTER + 12
        if x > area.x and x + width > area.x + area.width - 60:
            row, x = row + 1, area.x
        if row > 1:
            yield 1, area.x + area.width - 60, None, f"and {len(curves) - number}"
            return
        yield row, x, number, text
        x += width


def _parts(
    points: Sequence[Point], window: Window, across: Axis, up: Axis, plot: Area
) -> Iterator[list[tuple[float, float]]]:
    """The points in the plot, divided where some are missing."""
    part: list[tuple[float, float]] = []
    last = None
    for point in points:
        if last is not None and point.time - last > _GAP * window.step:
            yield part
            part = []
        share = min(1.0, max(0.0, up.share(point.value)))
        part.append((plot.x + across.share(point.time) * plot.width, plot.y + (1 - share) * plot.height))
        last = point.time
    yield part


def _bars(curves: Sequence[Curve], panel: Panel, _: Window, area: Area) -> Iterator[str]:
    """A bar a series, the longest first; of a share, the whole width is the whole."""
    ordered = sorted(curves, key=lambda curve: -curve.series.last)
    most = max(1.0 if panel.unit == "percentunit" else 0.0, ordered[0].series.last) or 1.0
    rows = _row_count(len(ordered), area, _BAR_ROW)
    for number, curve in enumerate(ordered[:rows]):
        y, text = area.y + number * _BAR_ROW, value_text(curve.series.last, panel.unit)
        room = area.width - len(text) * SMALL * LETTER - 12
        yield label(area.x, y + 10, curve.title or "(none)", "dash-mark", room, SMALL)
        yield label(area.x + area.width, y + 10, text, "dash-mark dash-end", area.width, SMALL)
        bar = Area(area.x, y + 14, area.width, 9)
        yield rectangle(bar, "dash-ground")
        share = min(1.0, max(0.0, curve.series.last / most))
        yield rectangle(Area(bar.x, bar.y, bar.width * share, bar.height), "dash-fill dash-c0")
    yield from _rest(len(ordered) - rows, area)


def _table(curves: Sequence[Curve], panel: Panel, _: Window, area: Area) -> Iterator[str]:
    """A row a series: its labels, and its value at the end."""
    columns = sorted({name for curve in curves for name, _ in labels_of(curve.series)})
    widths = _widths(curves, columns, panel, area.width)
    rows = _row_count(len(curves), area.within(0, _ROW, 0, 0), _ROW)
    heads = [*columns, "value"]
    ordered = sorted(curves, key=lambda curve: -curve.series.last)
    for number, cells in enumerate([heads, *(_cells(curve, columns, panel) for curve in ordered[:rows])]):
        x, y = area.x, area.y + number * _ROW + 10
        for cell, width in zip(cells[:-1], widths, strict=True):
            yield label(x, y, cell, "dash-mark" if number else "dash-head", width - 6, SMALL)
            x += width
        css = "dash-mark dash-end" if number else "dash-head dash-end"
        yield label(area.x + area.width, y, cells[-1], css, area.width - (x - area.x), SMALL)
        yield line(area.x, y + 4, area.x + area.width, y + 4, "dash-grid")
    yield from _rest(len(curves) - rows, area)


def _cells(curve: Curve, columns: Sequence[str], panel: Panel) -> list[str]:
    return [*(curve.series.labels.get(name, "") for name in columns), value_text(curve.series.last, panel.unit)]


def _widths(curves: Sequence[Curve], columns: Sequence[str], panel: Panel, width: float) -> list[float]:
    """How wide the columns of labels are: as their texts, shortened alike where all of them are too wide."""
    values = max(5, *(len(value_text(curve.series.last, panel.unit)) for curve in curves))
    room = width - values * SMALL * LETTER - 6
    longest = [max(len(name), *(len(curve.series.labels.get(name, "")) for curve in curves)) for name in columns]
    wanted = [length * SMALL * LETTER + 10 for length in longest]
    share = min(1.0, room / sum(wanted)) if wanted else 1.0
    return [each * share for each in wanted]


def _row_count(count: int, area: Area, height: float) -> int:
    """How many of so many rows fit; one less where the rest has to be counted."""
    fit = max(1, int(area.height / height))
    return count if count <= fit else max(1, fit - 1)


def _rest(count: int, area: Area) -> Iterator[str]:
    if count > 0:
        yield label(area.x, area.y + area.height, f"and {count} more", "dash-mark", area.width, SMALL)


_KINDS: Mapping[PanelKind, Callable[[Sequence[Curve], Panel, Window, Area], Iterator[str]]] = MappingProxyType(
    {
        PanelKind.STAT: _figure,
        PanelKind.TIME_SERIES: _lines,
        PanelKind.BAR_GAUGE: _bars,
        PanelKind.TABLE: _table,
    }
)
