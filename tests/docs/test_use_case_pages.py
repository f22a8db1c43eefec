"""docs/use-cases: a page each, whose policy is the one that decides. What a page prints is held by tests/e2e."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aegis_authz.cli.demo import UseCaseName
from aegis_authz.demo.use_cases.run import USE_CASES

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "use-cases"
DOCUMENTS = (ROOT / "src" / "aegis_authz" / "demo" / "documents", ROOT / "policies")


def test_the_command_knows_every_use_case() -> None:
    assert [name.value for name in UseCaseName] == list(USE_CASES)


def test_every_use_case_has_a_page_and_a_row() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {"README", *USE_CASES}
    rows = re.findall(
        r"^\| \[`aegis demo ([a-z]+)`\]\(\1\.md\) \|", (PAGES / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert rows == list(USE_CASES)


@pytest.mark.parametrize("name", USE_CASES)
def test_the_policy_on_the_page_is_the_one_that_decides(name: str) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (PAGES / f"{name}.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    documents = [path.read_text("utf-8") for folder in DOCUMENTS for path in folder.rglob("*.yaml")]
    assert blocks
    for block in blocks:
        assert any(block in text for text in documents), block


@pytest.mark.parametrize("name", USE_CASES)
def test_the_page_names_every_rule_that_must_fire(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")
    assert USE_CASES[name].headline in page
    for rule in USE_CASES[name].alerts:
        assert f"{rule}.yml" in page
