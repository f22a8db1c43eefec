"""docs/console.md has every page of the console, with its picture as the test took it."""

from __future__ import annotations

import re
from pathlib import Path

from aegis_authz.control.pages.frame import SECTIONS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "console.md").read_text("utf-8")
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_BYTES = 400_000


def test_every_section_of_the_console_has_a_row() -> None:
    rows = re.findall(r"^\| ([A-Z][a-z ]+) \| `(/[a-z-]+)` \|", PAGE, re.MULTILINE)
    assert rows == [(section.title, section.href) for section in SECTIONS]


def test_every_section_has_its_picture() -> None:
    pictures = set(re.findall(r"!\[[^\]]+\]\((images/console/[a-z-]+\.png)\)", PAGE))
    assert {f"images/console/{section.href.strip('/')}.png" for section in SECTIONS} <= pictures
    assert {str(path.relative_to(DOCS)) for path in (DOCS / "images" / "console").glob("*.png")} <= pictures
    for name in pictures:
        content = (DOCS / name).read_bytes()
        assert content.startswith(_PNG), name
        assert len(content) < _MOST_BYTES, name
