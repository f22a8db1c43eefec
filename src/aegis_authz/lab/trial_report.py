"""What became of policy tests, and how much of the documents they try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aegis_authz.lab.cases import Case
from aegis_authz.lab.coverage import Coverage, coverage_of
from aegis_authz.lab.identity_cases import IdentityCase
from aegis_authz.lab.identity_coverage import identity_coverage
from aegis_authz.lab.identity_trial import IdentityResult, identities_tried
from aegis_authz.lab.trial import CaseResult, tried
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import Loaded


@dataclass(frozen=True, slots=True)
class TrialReport:
    """Outcomes in order of the tests, and the coverage of each document, none where that was not looked at."""

    outcomes: tuple[CaseResult | IdentityResult, ...]
    covered: tuple[Coverage, ...]

    @property
    def failures(self) -> tuple[CaseResult | IdentityResult, ...]:
        """The tests that fail."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)


def trial_report(
    bench: Workbench, cases: Sequence[Case], identity_cases: Sequence[IdentityCase], *, covers: bool
) -> TrialReport:
    """Try tests of calls on a bench, and tests of identity against its documents; `covers` looks at coverage, too.

    Raises LabError, Refused.
    """
    identities = bench.loaded.identities
    outcomes: list[CaseResult | IdentityResult] = [*tried(bench, cases), *identities_tried(identities, identity_cases)]
    if not covers:
        return TrialReport(tuple(outcomes), ())
    explanations = bench.explain([case.call for case in cases])
    of_calls = coverage_of(bench.loaded.loaded_policies, explanations)
    return TrialReport(tuple(outcomes), (*of_calls, *identity_coverage(identities, identity_cases)))


def identity_report(loaded: Loaded, cases: Sequence[IdentityCase], *, covers: bool) -> TrialReport:
    """The same of tests of identity alone, which need no bench: no rule is reached by them."""
    outcomes = tuple(identities_tried(loaded.identities, cases))
    if not covers:
        return TrialReport(outcomes, ())
    return TrialReport(
        outcomes, (*coverage_of(loaded.loaded_policies, ()), *identity_coverage(loaded.identities, cases))
    )
