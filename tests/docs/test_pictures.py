"""The pictures of the pages: no label lies over the edge of a box, or over a box it does not belong to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
OVERVIEW = (DOCS / "overview.svg").read_text("utf-8")
PICTURES = [DOCS / "architecture.svg", DOCS / "overview.svg"]
LETTER = 0.6
"""Width of a letter as a share of its size, on average no less than in DejaVu Sans, the widest of the usual fonts."""
_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of the picture."""

    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Area) -> bool:
        apart = self.right <= other.left or other.right <= self.left
        return not apart and not (self.bottom <= other.top or other.bottom <= self.top)

    def holds(self, other: Area) -> bool:
        within = self.left <= other.left and other.right <= self.right
        return within and self.top <= other.top and other.bottom <= self.bottom


def boxes(root: ElementTree.Element) -> Iterator[Area]:
    for box in root.iter(f"{_SVG}rect"):
        if "room" in box.get("class", "").split():
            x, y, width, height = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
            yield Area(x, y, x + width, y + height)


def labels(root: ElementTree.Element, text: str) -> Iterator[tuple[str, str, Area]]:
    """Text, class and place of each label."""
    sizes = dict(re.findall(r"\.([a-z]+)\{[^}]*font-size:([\d.]+)px", text))
    for label in root.iter(f"{_SVG}text"):
        size = float(sizes[label.attrib["class"]])
        words = label.text or ""
        width = len(words) * size * LETTER
        share = {"middle": 0.5, "end": 1.0}.get(label.get("text-anchor", ""), 0.0)
        left, base = float(label.attrib["x"]) - width * share, float(label.attrib["y"])
        yield words, label.attrib["class"], Area(left, base - size * 0.8, left + width, base + size * 0.2)


def misplaced(text: str) -> list[str]:
    """The labels that lie where they must not: `name` and `inside` belong into one box, all others into none."""
    root = ElementTree.fromstring(text)  # noqa: S314  # our own pictures
    rooms = list(boxes(root))
    wrong = []
    for words, kind, area in labels(root, text):
        touched = [room for room in rooms if room.touches(area)]
        belongs = 1 if kind in ("name", "inside") else 0
        if len(touched) != belongs or not all(room.holds(area) for room in touched):
            wrong.append(words)
    return wrong


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_no_label_lies_over_a_box(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("<text") > 10
    assert misplaced(text) == []


@pytest.mark.parametrize(
    ("label", "longer"),
    [
        ("only what was allowed,", "only what was allowed, redacted where policy says"),
        ("signed policy bundle", "signed policy bundle, from a file"),
    ],
)
def test_a_label_over_the_edge_of_a_box_is_noticed(label: str, longer: str) -> None:
    assert misplaced(OVERVIEW.replace(label, longer, 1)) == [longer]
