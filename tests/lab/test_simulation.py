"""Many calls under a draft, and against what there is, on a real OPA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.commands.lab import bench_of
from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.lab.call_sources import PlacedCall
from aegis_authz.lab.calls import CallContext, TriedCall
from aegis_authz.lab.opa import LabError, LabOpa, lab_opa
from aegis_authz.lab.simulation import Flip, flips, limited, simulated, simulated_under, summary_of
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import Loaded, load
from tests.support.tried_policies import POLICIES, TOOLS


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def loaded(policies: str = POLICIES) -> Loaded:
    return load({"agents.yaml": policies}, {"tools.yaml": TOOLS})


def payments(*amounts: float, payee: str = "ACME") -> list[PlacedCall]:
    calls = [
        TriedCall(
            agent="acme/emea/payer", tool="payments-api", action="pay", parameters={"amount": one, "payee": payee}
        )
        for one in amounts
    ]
    return [PlacedCall(call, "calls.yaml", number) for number, call in enumerate(calls, start=1)]


def changes(opa: LabOpa, calls: list[PlacedCall], right: str, changed: str) -> list[Flip]:
    """What changes when the draft says this instead."""
    assert right in POLICIES
    bench = Workbench(loaded(POLICIES.replace(right, changed)), opa)
    after = simulated(bench, calls)
    return flips(simulated_under(bench, loaded().compiled, calls), after)


def test_calls_are_decided_in_order(opa: LabOpa) -> None:
    found = simulated(Workbench(loaded(), opa), payments(1, 1000, 2))

    assert [(one.placed.line, one.effect) for one in found] == [(1, Effect.ALLOW), (2, Effect.DENY), (3, Effect.ALLOW)]


def test_no_calls_are_decided_without_asking(opa: LabOpa) -> None:
    assert simulated(Workbench(loaded(), opa), []) == []


def test_thousands_of_calls_are_decided(opa: LabOpa) -> None:
    found = simulated(Workbench(loaded(), opa), payments(*range(2001)))

    assert summary_of(found).effects == {"allow": 101, "deny": 1900}


def test_effects_and_reasons_are_counted(opa: LabOpa) -> None:
    bench = Workbench(loaded(), opa)

    summary = summary_of(simulated(bench, [*payments(500, 1, 600), *payments(1, payee="Initech")]))

    assert summary.calls == 4
    assert list(summary.effects.items()) == [("allow", 1), ("approval_needed", 1), ("deny", 2)]
    assert list(summary.reasons.items()) == [("POLICY_DENIED", 2), ("ALLOWED", 1), ("APPROVAL_NEEDED", 1)]


def test_a_lower_limit_is_stricter(opa: LabOpa) -> None:
    [flip] = changes(opa, payments(10, 60, 200), "max_amount: 100", "max_amount: 50")

    assert (flip.after.placed.line, flip.direction) == (2, "stricter")
    assert (flip.before.effect, flip.after.effect) == (Effect.ALLOW, Effect.DENY)
    assert flip.members == ("effect", "reason")


def test_a_higher_limit_is_milder(opa: LabOpa) -> None:
    [flip] = changes(opa, payments(10, 60, 200), "max_amount: 100", "max_amount: 500")

    assert (flip.after.placed.line, flip.direction) == (3, "milder")


def test_other_approvers_are_a_change_of_neither_direction(opa: LabOpa) -> None:
    [flip] = changes(opa, payments(10, payee="Initech"), "groups: [finance]", "groups: [anybody]")

    assert (flip.direction, flip.members) == ("other", ("approval",))


def test_a_lost_redaction_is_a_change(opa: LabOpa) -> None:
    call = TriedCall(agent="acme/emea/reader", tool="records-api", action="read")

    [flip] = changes(opa, [PlacedCall(call, "calls.yaml", 1)], ", fields: [/notes]", "")

    assert (flip.direction, flip.members) == ("other", ("obligations",))


def test_another_name_of_a_document_changes_nothing(opa: LabOpa) -> None:
    assert changes(opa, payments(10, 200), "name: paying", "name: spending") == []


LIMITED = POLICIES.replace("approval: {groups: [finance]}", "approval: {groups: [finance]}\n    count: 2/hour", 1)
HELD = LIMITED.replace("count: 2/hour", "count: {max: 2, per: hour, on_exceed: approval_needed}")
BROKEN = POLICIES.replace("name: paying", "name: paying\nbreaker: {refusals: 2, within: 60s, quarantine: 15m}", 1)


@pytest.fixture(scope="module")
def counting(opa_binary: Path, redis_binary: Path) -> Iterator[Workbench]:
    with bench_of(loaded(), plays_sequences=True) as bench:
        yield bench


def at(minute: int, amount: float = 5) -> PlacedCall:
    (placed,) = payments(amount)
    time = f"2026-03-02T10:{minute:02}:00Z"
    return replace(placed, call=placed.call.model_copy(update={"context": CallContext(time=time)}))


def counted(bench: Workbench, text: str, calls: list[PlacedCall]) -> list[str]:
    return [call.reason for call in simulated_under(bench, loaded(text).compiled, calls, counts=True)]


def test_limits_are_counted_in_the_order_of_times_and_told_in_the_order_of_calls(counting: Workbench) -> None:
    calls = [at(59), at(1), at(30), at(31, amount=1000)]
    assert counted(counting, LIMITED, calls) == ["COUNT_EXCEEDED", "ALLOWED", "ALLOWED", "POLICY_DENIED"]


def test_each_simulation_begins_with_nothing_used(counting: Workbench) -> None:
    for _ in range(2):
        assert counted(counting, LIMITED, [at(1), at(2)]) == ["ALLOWED", "ALLOWED"]


def test_beyond_a_limit_whoever_the_rule_names_is_asked(counting: Workbench) -> None:
    *_, last = simulated_under(counting, loaded(HELD).compiled, [at(1), at(2), at(3)], counts=True)
    assert (last.effect, last.reason) == (Effect.APPROVAL_NEEDED, "APPROVAL_NEEDED")
    assert isinstance(last.decided, Decision)
    assert last.decided.approval is not None
    assert last.decided.approval.groups == ("finance",)


def test_breakers_count_refusals(counting: Workbench) -> None:
    calls = [at(1, amount=1000), at(1, amount=1000), at(2), at(40)]
    reasons = ["POLICY_DENIED", "POLICY_DENIED", "QUARANTINED", "ALLOWED"]
    assert counted(counting, BROKEN, calls) == reasons


def test_without_counting_it_is_known_how_many_calls_meet_a_limit(opa: LabOpa) -> None:
    decided = simulated(Workbench(loaded(LIMITED), opa), [at(1), at(2), at(3), at(4, amount=1000)])
    assert ([call.reason for call in decided][:3], limited(decided)) == (["ALLOWED"] * 3, 3)
    assert limited(simulated(Workbench(loaded(), opa), [at(1)])) == 0


def test_a_bench_without_a_store_counts_nothing(opa: LabOpa) -> None:
    with pytest.raises(LabError, match="no store"):
        simulated(Workbench(loaded(), opa), [at(1)], counts=True)
