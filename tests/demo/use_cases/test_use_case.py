"""What a use case lacks when its evidence does, each gap by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aegis_authz.demo.use_cases.use_case import Outcome
from tests.support.made_outcome import OUTCOME


def with_evidence(**changes: object) -> Outcome:
    return replace(OUTCOME, evidence=replace(OUTCOME.evidence, **changes))  # type: ignore[arg-type]  # its own members


def test_nothing_is_missing_where_all_is_there() -> None:
    assert OUTCOME.gaps() == []


@pytest.mark.parametrize(
    ("outcome", "gap"),
    [
        (
            replace(OUTCOME, rows=[replace(OUTCOME.rows[0], ok=False)]),
            "pay 50,000: expected deny X, got deny POLICY_DENIED",
        ),
        (with_evidence(is_intact=False, verdict="TAMPERED"), "the records are not intact: TAMPERED"),
        (with_evidence(spans=[]), "pay 50,000: no span that says POLICY_DENIED"),
        (with_evidence(panels=[]), "no panel of a dashboard shows what happened"),
        (with_evidence(alerts=[]), "the rule denied does not fire"),
        (with_evidence(movements=[]), "aegis_calls_total went up by 0, and 1 decisions were recorded"),
        (
            with_evidence(events=[{**OUTCOME.evidence.events[0], "detail": "SSN 078-05-1120"}]),
            "a record or a span holds 078-05-1120",
        ),
    ],
)
def test_what_is_missing_is_told(outcome: Outcome, gap: str) -> None:
    assert outcome.gaps() == [gap]


def test_a_call_without_a_record_is_told() -> None:
    assert "pay 50,000: no record" in with_evidence(events=[]).gaps()
