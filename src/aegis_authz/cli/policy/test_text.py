"""How the outcomes of policy tests and their coverage read, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from aegis_authz.cli.consoles import table_console
from aegis_authz.core.json_value import Json
from aegis_authz.lab.coverage import Coverage, percent_of
from aegis_authz.lab.identity_trial import IdentityResult
from aegis_authz.lab.trial import CaseResult, decided_data
from aegis_authz.lab.trial_problems import failure_sentence
from aegis_authz.policy.source.problems import printable


def failure_line(outcome: CaseResult | IdentityResult) -> str:
    """Where the expectation stands, what was expected and what was decided and why; "" when the test passed."""
    if outcome.passed:
        return ""
    place = f"{outcome.case.path}:{outcome.differences[0].line}: {outcome.case.name}"
    return f"{printable(place)}: {failure_sentence(outcome)}"


def outcomes_text(outcomes: Sequence[CaseResult | IdentityResult]) -> str:
    """A line for each failure and a summary."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    passed = f"{len(outcomes) - len(failed)} passed"
    summary = f"{passed}, {len(failed)} failed" if failed else passed
    return "\n".join([*map(failure_line, failed), summary])


def show_coverage(covered: Sequence[Coverage]) -> None:
    """Print a row for each document, then every rule and condition that was not tried."""
    table = Table(title="Coverage", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("policy")
    for column in ("rules reached", "conditions seen", "covered"):
        table.add_column(column, justify="right")
    for coverage in covered:
        table.add_row(*map(Text, (printable(coverage.document), *_counts([coverage]))))
    if len(covered) > 1:
        table.add_section()
        table.add_row(*map(Text, ("all", *_counts(covered))))
    console = table_console()
    console.print(table)
    for coverage in covered:
        for gap in coverage.gaps:
            line = f"{gap.path}:{gap.line}: {coverage.document} {gap.rule}: {gap.words}"
            console.print(Text(printable(line)), soft_wrap=True)


def outcomes_json(outcomes: Sequence[CaseResult | IdentityResult], covered: Sequence[Coverage] | None) -> str:
    """Everything as one JSON object; `coverage` only where it was asked for."""
    failed = sum(not outcome.passed for outcome in outcomes)
    report: dict[str, Json] = {
        "passed": len(outcomes) - failed,
        "failed": failed,
        "tests": [_outcome(outcome) for outcome in outcomes],
    }
    if covered is not None:
        report["coverage"] = {
            "percent": _rounded(percent_of(covered)),
            "policies": [_coverage(coverage) for coverage in covered],
        }
    return json.dumps(report, indent=2)


def _counts(covered: Sequence[Coverage]) -> tuple[str, str, str]:
    """Of each condition there are two things to see: that it holds, and that it does not."""
    reached, rules = sum(coverage.rules_reached for coverage in covered), sum(coverage.rules for coverage in covered)
    sightings, sides = sum(coverage.sides_seen for coverage in covered), sum(coverage.sides for coverage in covered)
    return f"{reached}/{rules}", f"{sightings}/{sides}", f"{_rounded(percent_of(covered))}%"


def _rounded(percent: float) -> float:
    """Down, so that only the whole is called 100."""
    return int(percent * 10) / 10


def _outcome(outcome: CaseResult | IdentityResult) -> Mapping[str, Json]:
    case = outcome.case
    return {
        "name": case.name,
        "file": case.path,
        "line": case.line,
        "passed": outcome.passed,
        "differences": [
            {
                "member": difference.member,
                "line": difference.line,
                "expected": difference.expected,
                "decided": difference.decided,
            }
            for difference in outcome.differences
        ],
        "decided": outcome.answer if isinstance(outcome, IdentityResult) else decided_data(outcome.decided),
    }


def _coverage(coverage: Coverage) -> Mapping[str, Json]:
    return {
        "policy": coverage.document,
        "percent": _rounded(coverage.percent),
        "rules": coverage.rules,
        "rules_reached": coverage.rules_reached,
        "condition_sides": coverage.sides,
        "condition_sides_seen": coverage.sides_seen,
        "gaps": [{"file": gap.path, "line": gap.line, "rule": gap.rule, "what": gap.words} for gap in coverage.gaps],
    }
