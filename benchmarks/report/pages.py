"""What a benchmark writes into a page: all that stands between two marks."""

from __future__ import annotations

from pathlib import Path


def page_with(page: str, start: str, end: str, content: str) -> str:
    """The text of a page with `content` on the lines between two marks.

    Raises ValueError where it has not each of them once, in this order.
    """
    before, first, rest = page.partition(f"{start}\n")
    _, last, after = rest.partition(end)
    if not (first and last) or start in rest or end in before + after:
        raise ValueError(f"the page has no {start} ... {end}, or several")
    return f"{before}{start}\n{content}\n{end}{after}"


def write_page(path: Path, start: str, end: str, content: str) -> None:
    """Write it so. Raises OSError, ValueError."""
    path.write_text(page_with(path.read_text("utf-8"), start, end, content), "utf-8")
