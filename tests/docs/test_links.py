"""Every link between the pages of the repository leads somewhere."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]:\s+(\S+)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_INDEX = re.compile(r"^- \[[^\]]+\]\(([^)]+)\): \S.*\.$")


def pages() -> list[Path]:
    """The pages that are in the repository, and llms.txt."""
    tracked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md", "llms.txt"]
    listed = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).exists()]


def anchors(text: str) -> set[str]:
    """What `#...` may name: each heading as GitHub writes it."""
    headings = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def dead(page: Path, text: str) -> Iterator[str]:
    """The links of the page that lead nowhere."""
    for match in _LINK.finditer(_CODE.sub("", text)):
        target = match[1] or match[2]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if (
            not place.is_relative_to(ROOT)
            or not place.exists()
            or (anchor and place.suffix == ".md" and anchor not in anchors(place.read_text("utf-8") if path else text))
        ):
            yield target


def test_every_relative_link_leads_somewhere() -> None:
    found = {page.relative_to(ROOT).as_posix(): list(dead(page, page.read_text("utf-8"))) for page in pages()}
    assert len(found) > 40
    assert {page: links for page, links in found.items() if links} == {}


def test_a_link_that_leads_nowhere_is_noticed() -> None:
    text = "# A b!\n[1](README.md) [2](nowhere.md) [3](#a-b) [4](#c) [5](https://x.example) `[6](no.md)` [7](../..)\n"
    assert list(dead(ROOT / "README.md", text)) == ["nowhere.md", "#c", "../.."]


def test_the_index_for_programs_has_its_form_and_names_every_page_of_docs() -> None:
    """llmstxt.org: a title, a summary as a quotation, sections of links with a sentence each."""
    text = (ROOT / "llms.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line]
    assert lines[0].startswith("# ")
    assert lines[1].startswith("> ")
    entries = [line for line in lines if line.startswith("- ")]
    assert [line for line in entries if not _INDEX.match(line)] == []
    linked = {match[1] for line in entries if (match := _INDEX.match(line))}
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= linked
