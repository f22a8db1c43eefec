from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.lab.cases import cases_of
from aegis_authz.lab.opa import lab_opa
from aegis_authz.lab.trial_report import identity_report, trial_report
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import Loaded, load
from tests.support.tried_policies import POLICIES, TESTS, TOOLS


@pytest.fixture(scope="module")
def bench(opa_binary: Path) -> Iterator[Workbench]:
    with lab_opa(opa_binary) as opa:
        yield Workbench(load({"agents.yaml": POLICIES}, {"tools.yaml": TOOLS}), opa)


def test_tests_that_fail_are_told_and_coverage_only_where_it_is_looked_at(bench: Workbench) -> None:
    cases = cases_of({"a_test.yaml": TESTS.replace("effect: sanitize\n", "effect: deny\n")}, bench.loaded)
    plain, covering = (trial_report(bench, cases, (), covers=covers) for covers in (False, True))
    assert [outcome.case.line for outcome in plain.failures] == [outcome.case.line for outcome in covering.failures]
    assert len(plain.failures) == 1
    assert (plain.covered, [coverage.document for coverage in covering.covered]) == ((), ["paying", "reading"])


def test_without_tests_of_calls_no_rule_is_reached() -> None:
    loaded: Loaded = load({"agents.yaml": POLICIES}, {"tools.yaml": TOOLS})
    report = identity_report(loaded, (), covers=True)
    assert {coverage.rules_reached for coverage in report.covered} == {0}
    assert identity_report(loaded, (), covers=False).covered == ()
