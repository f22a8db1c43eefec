"""Everything together: what is invalid, the order, the pages, and a large set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aegis_authz.policy.lint.codes import CODES
from aegis_authz.policy.lint.run import linted
from tests.support.linting import DETECTORS, NOW, TOOL, codes, document, findings
from tests.support.work import calls_made

PAGES = Path(__file__).resolve().parents[3] / "docs" / "lint"
_BLOCK = re.compile(r"```yaml\n# (policy|tool|mended|mended tool)\n(.*?)```", re.DOTALL)


def _blocks(code: str) -> dict[str, str]:
    return dict(_BLOCK.findall((PAGES / f"{code}.md").read_text("utf-8")))


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == {*CODES, "README"}


@pytest.mark.parametrize("code", CODES)
def test_the_example_of_a_page_has_this_finding_and_no_other(code: str) -> None:
    blocks = _blocks(code)
    assert set(codes(blocks["policy"], blocks.get("tool", TOOL))) == {code}


@pytest.mark.parametrize("code", CODES)
def test_the_mended_example_has_none(code: str) -> None:
    blocks = _blocks(code)
    assert {"mended", "mended tool"} & blocks.keys()
    tools = blocks.get("mended tool", blocks.get("tool", TOOL))
    assert codes(blocks.get("mended", blocks["policy"]), tools) == []


@pytest.mark.parametrize("code", CODES)
def test_the_table_of_pages_says_what_the_code_says(code: str) -> None:
    row = next(line for line in (PAGES / "README.md").read_text("utf-8").splitlines() if f"({code}.md)" in line)
    assert CODES[code].summary in row
    assert f"| {CODES[code].severity}" in row


def test_problems_of_loading_are_errors_and_hide_the_rest() -> None:
    found = findings("agent: a\nallowed_tools: [{name: nothing, actions: ['*']}]\n---\nagent: b\nbudget: 5\n")
    assert {(one.code, one.severity) for one in found} == {("invalid", "error")}
    assert len(found) == 2


def test_findings_read_with_place_severity_code_and_excerpt() -> None:
    (finding,) = findings("agent: a\n", "")
    assert str(finding).splitlines() == [
        "p.yaml:1:1: note missing-owner: says no owner; name who answers for it with owner: ...",
        "  1 | agent: a",
        "    | ^^^^^",
    ]
    assert finding.page == "docs/lint/missing-owner.md"


def test_the_order_is_that_of_files_and_places_whatever_order_they_are_given_in() -> None:
    texts = {
        f"{name}.yaml": f"agent: {name}\nallowed_tools: [{{name: stripe-payments, actions: ['*']}}]\n" for name in "cab"
    }
    there = linted(texts, {"t.yaml": TOOL}, DETECTORS, NOW)
    back = linted(dict(reversed(texts.items())), {"t.yaml": TOOL}, DETECTORS, NOW)
    assert there == back
    assert [(one.problem.path[0], one.problem.line) for one in there] == [
        (name, line) for name in "abc" for line in (1, 2)
    ]


@pytest.mark.parametrize("agent", ["agent-{}", '"*"'])
def test_the_work_grows_as_the_documents_do(agent: str) -> None:
    rules = "allowed_tools:\n  - {name: stripe-payments, actions: [create_payment], conditions: {max_amount: %d}}\n"

    def work(documents: int) -> int:
        texts = {
            f"{number}.yaml": document(rules % number, agent=agent.format(number), more=f"name: n{number}\n")
            for number in range(documents)
        }
        return calls_made(lambda: linted(texts, {"t.yaml": TOOL}, DETECTORS, NOW))

    assert work(200) < 6 * work(50)
