"""Shapes of SVG as text. What they look like is said by classes, so that a page's stylesheet colours them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LETTER = 0.6
"""Width of a letter as a share of its size, on average no less than in DejaVu Sans, the widest of the usual fonts."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of the picture, in its units."""

    x: float
    y: float
    width: float
    height: float

    def within(self, left: float, top: float, right: float, bottom: float) -> Area:
        """What is left of it inside these margins."""
        return Area(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)


def number(value: float) -> str:
    """A coordinate: a tenth is fine enough."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def rectangle(area: Area, css: str, title: str = "") -> str:
    """A rectangle; who points at it reads the title."""
    place = f'x="{number(area.x)}" y="{number(area.y)}" width="{number(area.width)}" height="{number(area.height)}"'
    return f'<rect class="{css}" {place}>{_title(title)}</rect>' if title else f'<rect class="{css}" {place}/>'


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    """A straight line."""
    ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f'<line class="{css}" {ends}/>'


def path(points: Sequence[tuple[float, float]], css: str, title: str = "") -> str:
    """A line through the points; a single one is a dot."""
    if len(points) == 1:
        x, y = points[0]
        return f'<circle class="{css} dash-dot" cx="{number(x)}" cy="{number(y)}" r="2">{_title(title)}</circle>'
    way = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return f'<polyline class="{css}" points="{way}">{_title(title)}</polyline>'


def surface(points: Sequence[tuple[float, float]], bottom: float, css: str) -> str:
    """What lies between a line through the points and `bottom`."""
    corners = [(points[0][0], bottom), *points, (points[-1][0], bottom)]
    way = " ".join(f"{number(x)},{number(y)}" for x, y in corners)
    return f'<polygon class="{css}" points="{way}"/>'


def label(x: float, y: float, text: str, css: str, room: float, size: float) -> str:
    """A text that takes at most so much `room`, shortened where it would take more."""
    short = shortened(text, room, size)
    inside = f"{_title(text)}{escape(short)}" if short != text else escape(short)
    return f'<text class="{css}" x="{number(x)}" y="{number(y)}">{inside}</text>'


def shortened(text: str, room: float, size: float) -> str:
    """The text as far as there is room for it."""
    most = max(1, int(room / (size * LETTER)))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""
