from __future__ import annotations

from dataclasses import replace

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ApprovalStep, DecisionRecord, OutcomeRecord, Record, RedactionRecord
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.evidence.timeline import calls_of, timeline
from tests.support.made_records import APPROVAL, DENIED, approval_step

HELD = replace(
    DENIED,
    decision_id="held",
    time=1000.0,
    total_ms=500.0,
    effect=Effect.APPROVAL_NEEDED,
    reason=Reason.APPROVAL_NEEDED,
    approval_id=APPROVAL,
)
APPROVED = approval_step(HELD, ApprovalStep.APPROVED, 42.5, "ann", "invoice 4711")
USED = replace(
    HELD, decision_id="used", time=1060.0, effect=Effect.SANITIZE, reason=Reason.SANITIZED, approved_by="ann"
)
REDACTED = RedactionRecord("used", 1060.75, "response", {"us_ssn": 1}, "done")
OVER = OutcomeRecord("used", 1061.0, 201, "via_upstream", (), True, 0, 0, 1.0, 2.0, None)


def stored(*records: Record) -> list[StoredRecord]:
    return [StoredRecord("authz-0/00000001.jsonl", number, each, "") for number, each in enumerate(records, start=1)]


def test_a_trail_tells_who_asked_who_decided_what_used_it_and_what_became_of_it() -> None:
    steps = timeline(APPROVAL, stored(OVER, USED, APPROVED, REDACTED, HELD))
    assert [(step.at, step.after, step.sentence) for step in steps] == [
        (
            1000.5,
            0.0,
            "acme/emea/finance-agent asked for stripe-payments create_payment, which was held (APPROVAL_NEEDED)",
        ),
        (1042.5, 42.0, "approved by ann: invoice 4711"),
        (1060.5, 60.0, "acme/emea/finance-agent called stripe-payments create_payment: sanitize, approved by ann"),
        (1060.75, 60.25, "the response was redacted: done"),
        (1061.0, 60.5, "the call was over: status 201, it reached the tool"),
    ]
    assert [step.stored.number for step in steps] == [5, 3, 2, 4, 1]


def test_a_trail_that_nobody_decided_ends_with_its_expiry() -> None:
    expired = replace(APPROVED, step=ApprovalStep.EXPIRED, by="", note="", time=1900.0)
    assert [step.sentence for step in timeline(APPROVAL, stored(HELD, expired))][-1] == "expired"


def test_a_call_that_was_refused_in_spite_of_the_approval_says_why() -> None:
    refused: DecisionRecord = replace(USED, effect=Effect.DENY, reason=Reason.POLICY_DENIED)
    assert timeline(APPROVAL, stored(refused))[0].sentence.endswith("create_payment: deny (POLICY_DENIED)")


def test_the_calls_of_an_approval_are_those_that_it_let_through() -> None:
    other = replace(USED, decision_id="other", approval_id="apr_other")
    assert calls_of(APPROVAL, stored(HELD, APPROVED, USED, other, OVER)) == ["used"]


def test_lines_that_cannot_be_read_are_no_steps() -> None:
    assert timeline(APPROVAL, [StoredRecord("f", 1, None, "damaged")]) == []
