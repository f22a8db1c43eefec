"""Tests that fail, told: what was expected and what was decided, and as problems of the files they are written in."""

from __future__ import annotations

import json
from collections.abc import Iterable

from aegis_authz.core.json_value import Json
from aegis_authz.lab.identity_trial import IdentityResult
from aegis_authz.lab.trial import CaseResult, decided_data
from aegis_authz.policy.source.problems import Problem, printable

_TOLD_ANYHOW = ("effect", "reason", "findings")


def trial_problems(outcomes: Iterable[CaseResult | IdentityResult]) -> list[Problem]:
    """A problem for each test that fails, where its first expectation stands that is not so; it names the test."""
    return [
        Problem(
            outcome.case.path,
            outcome.differences[0].line,
            1,
            "",
            f'the test "{printable(outcome.case.name)}" fails: {failure_sentence(outcome)}',
        )
        for outcome in outcomes
        if not outcome.passed
    ]


def failure_sentence(outcome: CaseResult | IdentityResult) -> str:
    """What a test that fails expected, and what was decided and why."""
    expected = ", ".join(f"{difference.member} {value_text(difference.expected)}" for difference in outcome.differences)
    if isinstance(outcome, IdentityResult):
        decided = ", ".join(f"{entry.member} {value_text(entry.decided)}" for entry in outcome.differences)
        detail = f" ({outcome.answer['detail']})" if outcome.answer["detail"] else ""
        return printable(f"expected {expected}; decided {decided}{detail}")
    others = (difference for difference in outcome.differences if difference.member not in _TOLD_ANYHOW)
    parts = [_decided(outcome), *(f"{difference.member} {value_text(difference.decided)}" for difference in others)]
    return printable(f"expected {expected}; decided {'; '.join(parts)}")


def value_text(value: Json) -> str:
    """A member of a decision as people read it."""
    if isinstance(value, str):
        return value
    if value is None or value == []:
        return "none"
    if isinstance(value, list):
        return ", ".join(value_text(element) for element in value)
    return json.dumps(value)


def _decided(outcome: CaseResult) -> str:
    data = decided_data(outcome.decided)
    detail = f" ({data['detail']})" if data["detail"] else ""
    return f"{data['effect']} {data['reason']}{detail}; findings {value_text(data['findings'])}"
