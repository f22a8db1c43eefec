from __future__ import annotations

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import REASONS, Reason, Retry
from aegis_authz.telemetry.fault_parts import FAULT_PARTS


def test_every_fault_of_a_part_is_a_denial() -> None:
    assert {REASONS[reason].effect for reason in FAULT_PARTS} == {Effect.DENY}


def test_what_a_policy_or_a_caller_is_the_cause_of_is_no_fault_of_a_part() -> None:
    assert FAULT_PARTS.keys().isdisjoint({Reason.POLICY_DENIED, Reason.CREDENTIAL_EXPIRED, Reason.BUDGET_EXCEEDED})


def test_what_may_be_repeated_later_is_the_fault_of_a_part_or_a_limit_that_says_so() -> None:
    later = {reason for reason, spec in REASONS.items() if spec.retry is Retry.LATER and spec.effect is Effect.DENY}
    told_elsewhere = later - FAULT_PARTS.keys()
    assert {reason.name for reason in told_elsewhere} <= {
        *("QUARANTINED", "RATE_LIMITED", "BUDGET_EXCEEDED", "COUNT_EXCEEDED", "CONCURRENCY_EXCEEDED"),
        *("FLAG_MISSING", "FLAG_SET", "APPROVALS_FULL", "APPROVAL_NOT_GRANTED", "CREDENTIAL_NOT_YET_VALID"),
        *("COST_UNKNOWN", "GRANT_USED_UP", "APPROVAL_UNATTENDED", "RESPONSE_WITHHELD"),
    }
