"""Draws the house from its import contract: docs/architecture.svg, and the rows of docs/architecture.md.

`make docs-architecture` writes both; tests/docs/test_architecture_page.py holds them to the tree. Floors, rooms and
rules are those of [tool.importlinter] in pyproject.toml; an arrow is a room that imports another, as import-linter sees
it.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "aegis_authz"
PICTURE = ROOT / "docs" / "architecture.svg"
PAGE = ROOT / "docs" / "architecture.md"
ROWS = re.compile(r"(<!-- rooms: written by make docs-architecture -->\n).*?(<!-- end of rooms -->)", re.DOTALL)

WIDTH, MARGIN, GUTTER = 1180, 24, 150
BOX, GAP, SIDE = 102, 36, 22
HEAD = 64
LETTER = 0.6
"""Width of a letter as a share of its size: more than any of the fonts needs."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room of the house: a child of the package."""

    name: str
    purpose: str
    inside: tuple[str, ...]
    imports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class House:
    """All floors from the top down, and what the contract says besides."""

    floors: tuple[tuple[Room, ...], ...]
    rules: tuple[str, ...]

    def rooms(self) -> Iterator[Room]:
        for floor in self.floors:
            yield from floor

    def depth(self) -> Mapping[str, int]:
        """The number of each room's floor, 0 at the top."""
        return {room.name: number for number, floor in enumerate(self.floors) for room in floor}

    def crossing(self, boundary: int) -> tuple[int, int]:
        """How many arrows go down, and how many go up, through the line below floor number `boundary`."""
        depth = self.depth()
        pairs = [(depth[room.name], depth[target]) for room in self.rooms() for target in room.imports]
        down = sum(source <= boundary < target for source, target in pairs)
        return down, sum(target <= boundary < source for source, target in pairs)


def read_house() -> House:
    """The house as pyproject.toml and the tree say."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (contract for contract in contracts if contract["id"] == "one-way")
    floors = [re.split(r"\s*[|:]\s*", layer.strip().strip("()")) for layer in layers["layers"]]
    names = [name for floor in floors for name in floor]
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    rooms = {name: _room(name, names, graph) for name in names}
    rules = tuple(contract["name"] for contract in contracts)
    return House(tuple(tuple(rooms[name] for name in floor) for floor in floors), rules)


def _room(name: str, names: Sequence[str], graph: grimp.ImportGraph) -> Room:
    place = ROOT / "src" / PACKAGE / name
    inside = sorted(path.parent.name for path in place.glob("*/__init__.py"))
    imports = (
        target
        for target in names
        if target != name
        and graph.direct_import_exists(importer=f"{PACKAGE}.{name}", imported=f"{PACKAGE}.{target}", as_packages=True)
    )
    return Room(name, _purpose(place), tuple(inside), tuple(imports))


def _purpose(place: Path) -> str:
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text("utf-8")))
    if text is None:
        raise ValueError(f"{file} does not say what the room is for")
    return text.splitlines()[0]


# --- the page ---------------------------------------------------------------------------------------------------------


def page_with_rows(page: str, house: House) -> str:
    """The page with the rooms and rules of today. Raises ValueError for a page without a place for them."""
    rows = ["| room | what it is for | rooms inside | imports |", "|---|---|---|---|"]
    for floor in house.floors:
        rows += [
            f"| **{room.name}** | {room.purpose} | {', '.join(room.inside)} | {', '.join(room.imports)} |"
            for room in floor
        ]
    rules = [f"- {rule}." for rule in house.rules]
    text = "\n".join([*rows, "", "The contracts that import-linter holds:", "", *rules, ""])
    written, times = ROWS.subn(lambda match: match[1] + text + match[2], page)
    if times != 1:
        raise ValueError("the page has no place for the rooms")
    return written


# --- the picture ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Box:
    """Where a room is drawn."""

    room: Room
    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


STYLE = """
  <style>
    .floor{fill:#f3f6f9}.room{fill:#fff;stroke:#3d5166;stroke-width:1.3}.name{font-weight:600;font-size:15px;fill:#14212e}
    .inside{font-size:11.5px;fill:#4a6076}.count{font-size:11.5px;fill:#4a6076}.title{font-size:19px;font-weight:600;fill:#14212e}
    .arrow{fill:none;stroke:#7f97b0;stroke-width:1;opacity:.55;marker-end:url(#tip)}.back{stroke:#c0392b;opacity:1;stroke-width:2}
  </style>"""
TIP = """
  <defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="6" markerHeight="6" orient="auto">\
<path d="M0 1L10 5L0 9z" fill="#7f97b0"/></marker></defs>"""


def picture(house: House) -> str:
    """The house as SVG: floors from top to bottom, rooms as boxes, every import as an arrow behind them."""
    boxes = {box.room.name: box for box in _boxes(house)}
    height = HEAD + len(house.floors) * (BOX + GAP) - GAP + MARGIN
    arrows = sum(len(room.imports) for room in house.rooms())
    title = f"{len(boxes)} rooms on {len(house.floors)} floors; {arrows} arrows, each a room that imports another"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="DejaVu Sans, sans-serif">',
        f"  <title>{escape(title)}</title>{STYLE}{TIP}",
        f'  <rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'  <text class="title" x="{MARGIN}" y="38">{escape(title)}</text>',
        *(_floor(number) for number in range(len(house.floors))),
        *_arrows(house, boxes),
        *(_drawn(box) for box in boxes.values()),
        *_boundaries(house),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _top(floor: int) -> float:
    return HEAD + floor * (BOX + GAP)


def _boxes(house: House) -> Iterator[Box]:
    usable = WIDTH - MARGIN - GUTTER - 2 * SIDE
    for number, floor in enumerate(house.floors):
        width = min(300.0, (usable - SIDE * (len(floor) - 1)) / len(floor))
        left = MARGIN + SIDE + (usable - width * len(floor) - SIDE * (len(floor) - 1)) / 2
        for place, room in enumerate(floor):
            yield Box(room, left + place * (width + SIDE), _top(number), width)


def _floor(number: int) -> str:
    width = WIDTH - MARGIN - GUTTER
    return f'  <rect class="floor" x="{MARGIN}" y="{_top(number) - 9:g}" width="{width}" height="{BOX + 18}" rx="10"/>'


def _arrows(house: House, boxes: Mapping[str, Box]) -> Iterator[str]:
    depth = house.depth()
    for box in boxes.values():
        for place, target in enumerate(box.room.imports):
            end = boxes[target]
            start = box.x + box.width * (place + 1) / (len(box.room.imports) + 1)
            importers = [name for name in boxes if target in boxes[name].room.imports]
            goal = end.x + end.width * (importers.index(box.room.name) + 1) / (len(importers) + 1)
            kind = "arrow" if depth[target] >= depth[box.room.name] else "arrow back"
            below = box.y + BOX
            bend = (end.y - below) / 2
            path = f"M{start:.0f} {below:.0f}C{start:.0f} {below + bend:.0f} {goal:.0f} {end.y - bend:.0f} {goal:.0f} {end.y:.0f}"
            yield f'  <path class="{kind}" d="{path}"/>'


def _drawn(box: Box) -> str:
    lines = list(_lines(box))
    step = 17
    first = box.y + BOX / 2 - step * (len(lines) - 1) / 2 + 5
    parts = [f'  <rect class="room" x="{box.x:.1f}" y="{box.y:g}" width="{box.width:.1f}" height="{BOX}" rx="8"/>']
    for number, (kind, text, size) in enumerate(lines):
        if len(text) * size * LETTER > box.width or len(lines) * step > BOX:
            raise ValueError(f"{text!r} does not fit into the box of {box.room.name}")
        parts.append(
            f'  <text class="{kind}" x="{box.middle:.1f}" y="{first + number * step:.1f}" text-anchor="middle">'
            f"{escape(text)}</text>"
        )
    return "\n".join(parts)


def _lines(box: Box) -> Iterator[tuple[str, str, float]]:
    """Class, text and size of each line in a box: its name, and the rooms inside in as many lines as they need."""
    yield "name", box.room.name, 15
    size, line = 11.5, ""
    for name in box.room.inside:
        longer = f"{line} · {name}" if line else name
        if line and len(longer) * size * LETTER > box.width - 8:
            yield "inside", line, size
            longer = name
        line = longer
    if line:
        yield "inside", line, size


def _boundaries(house: House) -> Iterator[str]:
    """Beside each line between two floors: how many arrows cross it, down and up."""
    for number in range(len(house.floors) - 1):
        down, up = house.crossing(number)
        y = _top(number) + BOX + GAP / 2
        x = WIDTH - GUTTER + 14
        yield f'  <text class="count" x="{x}" y="{y + 4:g}">{down} down, {up} back</text>'


def main() -> None:
    """Write the picture and the rows."""
    house = read_house()
    PICTURE.write_text(picture(house), "utf-8")
    PAGE.write_text(page_with_rows(PAGE.read_text("utf-8"), house), "utf-8")


if __name__ == "__main__":
    main()
