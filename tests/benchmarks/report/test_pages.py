"""Tables are written between the marks of a page, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.report.pages import page_with, write_page


def test_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# µ\n<!-- a -->\nold\n<!-- /a -->\nlast\n", "utf-8")
    write_page(page, "<!-- a -->", "<!-- /a -->", "| new |\n| 1 |")
    assert page.read_text("utf-8") == "# µ\n<!-- a -->\n| new |\n| 1 |\n<!-- /a -->\nlast\n"


@pytest.mark.parametrize("page", ["", "<a>\nx", "x</a>", "</a>\n<a>\n", "<a>\nx</a><a>\ny</a>", "<a>\nx</a>y</a>"])
def test_a_page_without_both_marks_once_is_an_error(page: str) -> None:
    with pytest.raises(ValueError, match="the page has no <a>"):
        page_with(page, "<a>", "</a>", "new")
