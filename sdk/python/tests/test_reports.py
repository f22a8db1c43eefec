"""What a program is told beside the text of a model."""

from __future__ import annotations

import json

from aegis_agent import AegisDenied, AegisUnavailable, ApprovalNeeded
from aegis_agent.errors import Refusal, Standing
from aegis_agent.reports import report

REFUSAL = Refusal("BUDGET_EXCEEDED", "It was refused.", "d1", 429, "later", 60.0)


def test_a_denial_says_when_it_may_be_tried_again() -> None:
    assert report(AegisDenied(REFUSAL)) == {
        "error": "AegisDenied",
        "sentence": "It was refused.",
        "reason": "BUDGET_EXCEEDED",
        "decision_id": "d1",
        "retryable": True,
        "retry_after": 60.0,
    }


def test_a_held_call_names_its_approval() -> None:
    held = report(ApprovalNeeded(REFUSAL, "apr_1", 17.0, lambda _: Standing("pending", "", 0)))
    assert (held["error"], held["approval_id"], held["expires_at"]) == ("ApprovalNeeded", "apr_1", 17.0)


def test_it_is_json() -> None:
    assert json.loads(json.dumps(report(AegisUnavailable("no mesh")))) == {
        "error": "AegisUnavailable",
        "sentence": "no mesh",
    }
