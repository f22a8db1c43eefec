"""What became of an approved call, in words and for programs."""

from __future__ import annotations

import pytest

from aegis_authz.core.approval import ApprovalUse, CallOutcome
from aegis_authz.core.approval_use import use_facts, use_text
from aegis_authz.core.units import Epoch

AT = Epoch(1_800_000_000.0)
OVER = Epoch(1_800_000_001.25)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (None, "outcome unknown"),
        (CallOutcome(201, OVER, True), "answered with status 201 at 2027-01-15T08:00:01.250Z"),
        (CallOutcome(503, OVER, False), "over at 2027-01-15T08:00:01.250Z, and nothing of it was sent to the tool"),
        (
            CallOutcome(0, OVER, True),
            "sent to the tool, and over at 2027-01-15T08:00:01.250Z without an answer: outcome unknown",
        ),
    ],
)
def test_a_use_reads_with_time_and_status_or_says_that_nobody_knows(outcome: CallOutcome | None, words: str) -> None:
    assert use_text(ApprovalUse(AT, outcome)) == f"let through at 2027-01-15T08:00:00.000Z, {words}"


def test_programs_read_the_same_in_members() -> None:
    assert use_facts(ApprovalUse(AT, None)) == {"time": AT, "outcome": None}
    assert use_facts(ApprovalUse(AT, CallOutcome(201, OVER, True))) == {
        "time": AT,
        "outcome": {"status": 201, "time": OVER, "was_reached": True},
    }
