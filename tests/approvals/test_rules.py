"""Who may decide an approval, and where it stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aegis_authz.approvals.rules import TRANSITIONS, VERDICTS, require_verdict, standing
from aegis_authz.core.approval import Approval, ApprovalConflict, ApprovalRequest, ApprovalState
from aegis_authz.core.scope import Scope

EXPIRY = 1900.0
HELD = Approval(
    ApprovalRequest(
        id="apr_1",
        scope=Scope("acme", "emea", "bot"),
        tool="stripe",
        action="pay",
        parameters={"amount": 7000},
        digest="d",
        revision="r",
        policies=("p",),
        groups=("finance",),
        requested_at=1000.0,
        expires_at=EXPIRY,
        besides={"request": "POST api.stripe.example/v1/payments"},
        basis="b1",
        decision_id="d-1",
        approvals=1,
        confirm=(),
        notify=(),
    ),
    ApprovalState.PENDING,
    "",
    None,
)


def test_every_state_has_its_steps_and_only_two_lead_on() -> None:
    assert set(TRANSITIONS) == set(ApprovalState)
    assert {state for state, steps in TRANSITIONS.items() if steps} == {ApprovalState.PENDING, ApprovalState.APPROVED}
    assert all(ApprovalState.PENDING not in steps for steps in TRANSITIONS.values())


def test_every_verdict_is_a_step_of_a_pending_approval() -> None:
    assert TRANSITIONS[ApprovalState.PENDING] >= VERDICTS


@pytest.mark.parametrize("verdict", [state for state in ApprovalState if state in VERDICTS])
def test_a_person_may_give_every_verdict(verdict: ApprovalState) -> None:
    require_verdict(HELD, verdict, "alice")


@pytest.mark.parametrize("step", [state for state in ApprovalState if state not in VERDICTS])
def test_what_is_no_verdict_is_refused(step: ApprovalState) -> None:
    with pytest.raises(ApprovalConflict, match=f"not made {step.value}"):
        require_verdict(HELD, step, "alice")


@pytest.mark.parametrize("state", [state for state in ApprovalState if state is not ApprovalState.PENDING])
def test_what_is_decided_is_not_decided_again(state: ApprovalState) -> None:
    with pytest.raises(ApprovalConflict, match=f"is {state.value} and cannot be decided any more"):
        require_verdict(replace(HELD, state=state), ApprovalState.APPROVED, "alice")


@pytest.mark.parametrize("verdict", [state for state in ApprovalState if state in VERDICTS])
@pytest.mark.parametrize("by", ["bot", " Bot\n", "acme/emea/bot", "ACME/EMEA/BOT"])
def test_the_requester_may_not_decide(by: str, verdict: ApprovalState) -> None:
    with pytest.raises(ApprovalConflict, match="its own requester"):
        require_verdict(HELD, verdict, by)


@pytest.mark.parametrize("by", ["", " ", "\t\n"])
def test_a_verdict_needs_a_name(by: str) -> None:
    with pytest.raises(ApprovalConflict, match="needs a name"):
        require_verdict(HELD, ApprovalState.APPROVED, by)


@pytest.mark.parametrize("state", ApprovalState)
def test_an_approval_expires_at_its_very_time_when_its_state_can(state: ApprovalState) -> None:
    approval = replace(HELD, state=state)
    expired = ApprovalState.EXPIRED if ApprovalState.EXPIRED in TRANSITIONS[state] else state
    assert standing(approval, EXPIRY - 0.001).state is state
    assert standing(approval, EXPIRY).state is expired
