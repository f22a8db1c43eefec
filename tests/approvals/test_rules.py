"""Who may decide an approval, and where it stands."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from aegis_authz.approvals.rules import (
    ACTORS,
    STEPS,
    TRANSITIONS,
    VERDICTS,
    Actor,
    Event,
    decided,
    require_approver,
    require_confirmation,
    require_step,
    standing,
)
from aegis_authz.core.approval import (
    ApprovalConflict,
    ApprovalForbidden,
    ApprovalState,
)
from aegis_authz.core.person import Person
from aegis_authz.people.permissions import BOOTSTRAP_OWNER
from tests.support.held_calls import EXPIRY, HELD, REQUEST

PENDING, APPROVED, DENIED, CANCELLED = (
    ApprovalState.PENDING,
    ApprovalState.APPROVED,
    ApprovalState.DENIED,
    ApprovalState.CANCELLED,
)


def person(name: str, *groups: str) -> Person:
    return Person(name, name, frozenset(groups), ())


ANN, BEN = person("ann", "finance"), person("ben", "board", "staff")


def test_the_table_says_of_every_state_and_event_what_comes_of_it() -> None:
    steps = {
        f"{state.value} {event.value}": STEPS[(state, event)].value
        for state, event in product(ApprovalState, Event)
        if (state, event) in STEPS
    }
    assert steps == {
        "pending approval": "approved",
        "pending denial": "denied",
        "pending cancellation": "cancelled",
        "pending expiry": "expired",
        "pending change": "stale",
        "approved use": "used",
        "approved cancellation": "cancelled",
        "approved expiry": "expired",
        "approved change": "stale",
    }
    assert len(STEPS) == len(steps)


def test_every_event_has_one_who_makes_it_happen_and_people_make_three() -> None:
    assert set(ACTORS) == set(Event)
    assert {event for event, actor in ACTORS.items() if actor is Actor.PERSON} == {
        Event.APPROVAL,
        Event.DENIAL,
        Event.CANCELLATION,
    }
    assert frozenset((APPROVED, DENIED, CANCELLED)) == VERDICTS


def test_every_state_has_its_steps_and_only_two_lead_on() -> None:
    assert set(TRANSITIONS) == set(ApprovalState)
    assert {state for state, steps in TRANSITIONS.items() if steps} == {PENDING, APPROVED}
    assert all(PENDING not in steps for steps in TRANSITIONS.values())
    assert TRANSITIONS[PENDING] >= VERDICTS


@pytest.mark.parametrize(("state", "to"), list(product(ApprovalState, ApprovalState)))
def test_a_verdict_is_a_step_of_the_table_or_refused(state: ApprovalState, to: ApprovalState) -> None:
    approval = replace(HELD, state=state)
    if to in VERDICTS and to in TRANSITIONS[state]:
        assert decided(approval, to, "ann", 1500.0).state is to
        return
    words = "and cannot be decided any more" if to in VERDICTS else f"not made {to.value}"
    for step in (lambda: require_step(approval, to, "ann"), lambda: decided(approval, to, "ann", 1500.0)):
        with pytest.raises(ApprovalConflict, match=words):
            step()


@pytest.mark.parametrize("by", ["", " ", "\t\n", "ann\nben"])
def test_a_verdict_needs_one_name(by: str) -> None:
    with pytest.raises(ApprovalConflict, match="needs a name"):
        require_step(HELD, APPROVED, by)


@pytest.mark.parametrize("to", sorted(VERDICTS, key=lambda state: state.value))
def test_members_of_one_of_the_groups_may_decide_and_nobody_else(to: ApprovalState) -> None:
    for member in (ANN, BEN):
        require_approver(HELD, to, member)
    for stranger in (person("eve"), person("eve", "staff"), person("eve", "finance-x")):
        with pytest.raises(ApprovalForbidden, match="in none of the groups that may decide this: finance, board"):
            require_approver(HELD, to, stranger)
    require_approver(replace(HELD, request=replace(REQUEST, groups=())), to, person("eve"))
    require_approver(HELD, to, person("eve"), holds_every_group=True)


@pytest.mark.parametrize("to", sorted(VERDICTS, key=lambda state: state.value))
@pytest.mark.parametrize("name", ["bot", "dora@acme.example", "planner", "clerk@acme.example"])
def test_nobody_decides_a_call_that_is_made_for_them_or_through_them(name: str, to: ApprovalState) -> None:
    for groups in (("finance",), ()):
        approval = replace(HELD, request=replace(REQUEST, groups=groups))
        for everything in (False, True):
            with pytest.raises(ApprovalForbidden, match="its own requester"):
                require_approver(approval, to, person(name, "finance"), everything)


def test_what_needs_two_is_pending_after_the_first_and_granted_by_both() -> None:
    both = replace(HELD, request=replace(REQUEST, approvals=2))
    first = decided(both, APPROVED, "ann", 1500.0)
    assert (first.state, first.approved_by, first.decided_by) == (PENDING, ("ann",), "")
    second = decided(first, APPROVED, "ben", 1501.0)
    assert (second.state, second.approved_by, second.decided_by) == (APPROVED, ("ann", "ben"), "ann, ben")
    assert second.decided_at == 1501.0


def test_the_same_person_approves_once() -> None:
    first = decided(replace(HELD, request=replace(REQUEST, approvals=2)), APPROVED, "ann", 1500.0)
    with pytest.raises(ApprovalConflict, match=r"ann has approved apr_[0-9]* already; somebody else must, too"):
        decided(first, APPROVED, "ann", 1501.0)
    with pytest.raises(ApprovalConflict, match="already"):
        require_approver(first, APPROVED, ANN)
    require_approver(first, DENIED, ANN)


@pytest.mark.parametrize("holds_every_group", [False, True])
def test_the_admin_token_is_none_of_several_people(holds_every_group: bool) -> None:
    both = replace(HELD, request=replace(REQUEST, approvals=2, groups=()))
    with pytest.raises(ApprovalForbidden, match="takes 2 people, and the admin token proves nobody"):
        require_approver(both, APPROVED, BOOTSTRAP_OWNER, holds_every_group)
    require_approver(both, DENIED, BOOTSTRAP_OWNER, holds_every_group)
    require_approver(replace(HELD, request=replace(REQUEST, groups=())), APPROVED, BOOTSTRAP_OWNER, holds_every_group)


def test_one_denial_is_enough() -> None:
    first = decided(replace(HELD, request=replace(REQUEST, approvals=2)), APPROVED, "ann", 1500.0)
    denied = decided(first, DENIED, "ben", 1501.0)
    assert (denied.state, denied.decided_by) == (DENIED, "ben")


def test_what_cannot_be_undone_is_typed() -> None:
    request = replace(REQUEST, confirm=("payee", "amount", "lines"))
    require_confirmation(request, {"payee": "ACME", "amount": "7000", "lines": '[1, "b"]'})
    for typed in ({}, {"payee": "ACME"}, {"payee": "acme", "amount": "7000", "lines": '[1, "b"]'}):
        with pytest.raises(ApprovalConflict, match="type the value of"):
            require_confirmation(request, typed)
    with pytest.raises(ApprovalConflict, match="the call has no iban"):
        require_confirmation(replace(REQUEST, confirm=("iban",)), {"iban": ""})


@pytest.mark.parametrize("state", ApprovalState)
def test_an_approval_expires_at_its_very_time_when_its_state_can(state: ApprovalState) -> None:
    approval = replace(HELD, state=state)
    expired = ApprovalState.EXPIRED if ApprovalState.EXPIRED in TRANSITIONS[state] else state
    assert standing(approval, EXPIRY - 0.001).state is state
    assert standing(approval, EXPIRY).state is expired
