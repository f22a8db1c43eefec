"""Editions: edited texts looked at before they are published, on a control plane as it is put together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis_authz.control.app import ControlServices
from aegis_authz.control.policies.editing import Edition, FileName, Folder
from aegis_authz.core.release import Sources
from aegis_authz.testing.releases import MemoryReleases
from tests.control.routes.test_policy_tests import PASSING, TEST

Documents = Callable[..., Sources]
POLICY, TESTS = FileName(Folder.POLICIES, "finance.yaml"), FileName(Folder.TESTS, "finance_test.yaml")


@pytest.fixture
async def served(plane: ControlServices, documents: Documents) -> ControlServices:
    await plane.publisher.publish(documents(9000), {}, "ann", "")
    return plane


def edition(releases: MemoryReleases, texts: dict[FileName, str]) -> Edition:
    return Edition(releases.current(), texts)


@pytest.mark.usefixtures("opa_binary")
async def test_an_edition_is_checked_linted_compared_and_tried(
    served: ControlServices, documents: Documents, releases: MemoryReleases
) -> None:
    text = documents(7000).policies["finance.yaml"]
    review = await served.policies.editor.review(
        edition(releases, {POLICY: text, TESTS: TEST.format(amount=8000, effect="allow")}), "ann"
    )
    assert review.problems == ()
    assert [(change.mark, change.sentence) for change in review.changes] == [
        ("~", "amount max 9000 -> amount max 7000")
    ]
    assert review.report is not None
    assert [outcome.case.name for outcome in review.report.failures] == ["a payment of 8000"]
    assert review.report.covered[0].document == "*/*/finance-agent"
    assert releases.changes()[0].revision == releases.current()


async def test_of_what_is_not_valid_the_problems_are_told_and_nothing_is_tried(
    served: ControlServices, releases: MemoryReleases
) -> None:
    review = await served.policies.editor.review(edition(releases, {POLICY: "agent: [\n"}), "ann")
    assert {problem.path for problem in review.problems} == {"finance.yaml"}
    assert (review.findings, review.changes, review.report, review.untried) == ((), (), None, "")


async def test_tests_that_cannot_be_read_are_a_problem(served: ControlServices, releases: MemoryReleases) -> None:
    review = await served.policies.editor.review(edition(releases, {TESTS: "tests: 5\n"}), "ann")
    assert {problem.path for problem in review.problems} == {"finance_test.yaml"}
    assert review.report is None


async def test_where_no_opa_is_it_is_said_that_tests_were_not_run(
    served: ControlServices, releases: MemoryReleases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_OPA_BIN", "/nonexistent/opa")
    review = await served.policies.editor.review(edition(releases, {TESTS: PASSING["finance_test.yaml"]}), "ann")
    assert (review.problems, review.report) == ((), None)
    assert "AEGIS_OPA_BIN" in review.untried


async def test_an_empty_text_takes_its_file_away_and_another_name_adds_one(
    served: ControlServices, releases: MemoryReleases
) -> None:
    new = FileName(Folder.POLICIES, "reader.yaml")
    sources, tests = await served.policies.editor.documents(
        edition(releases, {POLICY: " \n", new: "agent: reader\n", TESTS: "tests: []\n"})
    )
    assert (dict(sources.policies), [*sources.tools], dict(tests)) == (
        {"reader.yaml": "agent: reader\n"},
        ["stripe.yaml"],
        {"finance_test.yaml": "tests: []\n"},
    )


@pytest.mark.parametrize(
    "text", ["", "policies", "policies/", "other/a.yaml", "tools/a\x1b.yaml", f"tests/{'a' * 513}"]
)
def test_what_names_no_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a file is policies/NAME"):
        FileName.parse(text)


def test_a_file_is_named_as_it_is_read() -> None:
    assert FileName.parse("tests/a/b_test.yaml") == FileName(Folder.TESTS, "a/b_test.yaml")
    assert str(POLICY) == "policies/finance.yaml"
