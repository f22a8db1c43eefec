"""Limits, from the call to the answer: what is charged, refused, held, redacted and recorded."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from envoy.service.auth.v3 import external_auth_pb2

from aegis_authz.core.approval import ApprovalProof, ApprovalState, Unattended
from aegis_authz.core.breaker import Breaker, Breakers
from aegis_authz.core.catalogue import Action, BodyFormat, Catalogue, OperationTerms
from aegis_authz.core.decision import ApprovalTerms, Decision, InjectCredential, Redact, Target
from aegis_authz.core.effect import Effect
from aegis_authz.core.limit import (
    Budget,
    CalendarWindow,
    Concurrency,
    Count,
    Distinct,
    Exceed,
    Flags,
    Limit,
    OfParameter,
    Per,
    Period,
    Rate,
    RollingWindow,
    Terms,
)
from aegis_authz.core.reason import Reason
from aegis_authz.core.settlement import Settled, Settlement
from aegis_authz.testing.store import MemoryStore
from aegis_authz.wire.envoy.answer import Answer
from tests.check.test_pipeline import HELD, SNAPSHOT, STRIPE, World, decision, message, payment, token

DAY = CalendarWindow(Period.DAY, "UTC")
BUDGET = Budget(10_000_000_000, "USD", DAY, OfParameter("amount", 1_000_000, ""))
NUMBERS = itertools.count()
FIVE_OPERATIONS = OperationTerms(5, {}, True)
REDACTION = {"kind": "redact", "target": "response", "detectors": ["us_ssn"], "fields": []}


def limit(terms: Terms, exceed: Exceed = Exceed.DENY, name: str = "cap") -> Limit:
    approval = (
        ApprovalTerms(("finance",), 900, 1, (), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE)
        if exceed is Exceed.APPROVAL_NEEDED
        else None
    )
    obligations = (REDACTION,) if exceed is Exceed.SANITIZE else ()
    return Limit(name, "acme/emea/bot", name, Per.AGENT, exceed, obligations, approval, terms)


@dataclass
class Limited(World):
    """A pipeline whose store counts, under a snapshot of these limits, which each decision meets."""

    limits: tuple[Limit, ...] = ()
    breakers: Breakers = SNAPSHOT.breakers
    judged: Decision = field(default_factory=decision)
    time: float = 1_800_000_000.0

    def __post_init__(self) -> None:
        self.store = MemoryStore(self, 60, for_tests=True)
        self.store._memory.began = 0
        limits = {entry.id: entry for entry in self.limits}
        self.snapshots = [replace(SNAPSHOT, limits=limits, breakers=self.breakers)]
        self.answers = [replace(self.judged, limits=tuple(limits))]

    def now(self) -> float:
        return self.time

    async def settle(self, settlement: Settlement, deadline: float) -> Settled:
        self.settled.append(settlement)
        return await self.store.settle(settlement, deadline)

    async def pay(self, amount: Any = 1, **headers: bytes) -> Answer:
        headers["x_aegis_token"] = token(jti=f"j{next(NUMBERS)}")
        return await self.check(payment(json.dumps({"amount": amount}).encode(), **headers), seconds=5)

    @property
    def reason(self) -> Reason:
        return self.records[-1].reason


async def reasons(world: Limited, *amounts: Any, **headers: bytes) -> list[str]:
    for amount in amounts:
        await world.pay(amount, **headers)
    return [record.reason.value for record in world.records[-len(amounts) :]]


async def test_a_budget_of_a_parameter_lets_through_what_is_left_to_the_unit() -> None:
    world = Limited(limits=(limit(BUDGET),))
    assert await reasons(world, 4000, 6000, 0.000001) == ["ALLOWED", "ALLOWED", "BUDGET_EXCEEDED"]
    charge = world.records[-1].charges[0]
    assert (charge.used, charge.left, charge.amount, charge.currency) == (10_000_000_000, 0, 1, "USD")
    assert (charge.excess, charge.on_exceed, charge.kind) == ("over", "deny", "budget")


async def test_a_refusal_tells_the_limit_and_when_to_come_back() -> None:
    world = Limited(limits=(limit(BUDGET, name="spend"),))
    await world.pay(9999.5)
    answer = await world.pay(1)
    assert (answer.status, answer.effect) == (429, Effect.DENY)
    until_midnight = 86_400 - 1_800_000_000 % 86_400
    assert answer.client_headers["retry-after"] == str(until_midnight)
    problem = json.loads(answer.body)
    assert problem["limits"] == [
        {
            "limit": "spend",
            "kind": "budget",
            "per": "agent",
            "currency": "USD",
            "used": "9999.50",
            "left": "0.50",
            "of": "10000.00",
            "on_exceed": "deny",
            "resets_at": 1_800_000_000 + until_midnight,
        }
    ]
    assert problem["retry_after"] == until_midnight
    assert problem["detail"] == (
        "pay on stripe was refused: The call would spend more than the budget that is left. Of the limit spend 9999.50 "
        "USD of 10000.00 USD are used, 0.50 USD left, until 2027-01-16T00:00:00Z. Retry after "
        f"{until_midnight} seconds with a fresh token."
    )


async def test_what_never_fits_is_not_worth_another_try() -> None:
    world = Limited(limits=(limit(BUDGET),))
    answer = await world.pay(10_001)
    assert world.reason is Reason.BUDGET_EXCEEDED
    assert "retry-after" not in answer.client_headers
    assert json.loads(answer.body)["detail"].endswith("Do not retry this call as it is.")


async def test_a_tool_result_of_mcp_tells_the_limits_too() -> None:
    world = Limited(limits=(limit(Count(1, DAY)),))

    def call(name: str) -> bytes:
        body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": name, "arguments": {}}}
        headers = {"x-aegis-token": token(jti=f"m{next(NUMBERS)}")}
        return message("github.example", "/mcp", json.dumps(body).encode(), headers)

    await world.check(call("a"), seconds=5)
    answer = await world.check(call("b"), seconds=5)
    facts = json.loads(answer.body)["result"]["_meta"]["aegis"]
    assert (answer.status, facts["reason"]) == (200, "COUNT_EXCEEDED")
    assert facts["retry_after"] == int(answer.client_headers["retry-after"]) > 1
    assert facts["limits"][0]["used"] == 1


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (Rate(1, 1000, 1), "RATE_LIMITED"),
        (Count(1, RollingWindow(60_000)), "COUNT_EXCEEDED"),
        (Concurrency(1, 60_000), "CONCURRENCY_EXCEEDED"),
        (Flags(("paid",), (), ("paid",), 60_000), "FLAG_SET"),
    ],
)
async def test_each_kind_of_limit_refuses_with_its_own_reason(terms: Terms, reason: str) -> None:
    assert await reasons(Limited(limits=(limit(terms),)), 1, 1) == ["ALLOWED", reason]


async def test_a_new_value_over_the_most_different_ones_is_refused_and_an_old_one_passes() -> None:
    world = Limited(limits=(limit(Distinct("amount", 2, DAY)),))
    assert await reasons(world, 1, 2, 3, 2, 1) == ["ALLOWED", "ALLOWED", "COUNT_EXCEEDED", "ALLOWED", "ALLOWED"]


async def test_a_required_flag_is_one_of_the_session() -> None:
    world = Limited(limits=(limit(Flags((), ("tested",), (), 60_000)),))
    assert await reasons(world, 1) == ["FLAG_MISSING"]
    setting = replace(world, limits=(limit(Flags(("tested",), (), (), 60_000)),))
    setting.store = world.store
    assert await reasons(setting, 1, x_aegis_session=b"s1") == ["ALLOWED"]
    assert await reasons(world, 1, x_aegis_session=b"s2") == ["FLAG_MISSING"]
    assert await reasons(world, 1, x_aegis_session=b"s1") == ["ALLOWED"]


async def test_no_agent_is_rid_of_a_flag_by_naming_another_session() -> None:
    world = Limited(limits=(limit(Flags(("read",), (), ("read",), 60_000)),))
    assert await reasons(world, 1, x_aegis_session=b"s1") == ["ALLOWED"]
    assert await reasons(world, 1, x_aegis_session=b"s2") == ["FLAG_SET"]


async def test_the_strictest_of_all_limits_decides() -> None:
    count = Count(1, DAY)
    mild, strict = limit(count, Exceed.OBSERVE, "mild"), limit(count, Exceed.DENY, "strict")
    assert await reasons(Limited(limits=(mild, strict)), 1, 1) == ["ALLOWED", "COUNT_EXCEEDED"]
    assert await reasons(Limited(limits=(mild,)), 1, 1) == ["ALLOWED", "ALLOWED"]


async def test_a_call_over_an_observed_limit_passes_and_says_so_in_its_record() -> None:
    world = Limited(limits=(limit(Count(1, DAY), Exceed.OBSERVE),))
    await reasons(world, 1, 1)
    charge = world.records[-1].charges[0]
    assert (charge.used, charge.left, charge.excess, charge.on_exceed) == (2, 0, "over", "observe")


async def test_a_call_over_a_limit_that_sanitizes_is_redacted() -> None:
    world = Limited(limits=(limit(Count(1, DAY), Exceed.SANITIZE),))
    assert await reasons(world, 1, 1) == ["ALLOWED", "SANITIZED"]
    assert world.records[-1].obligations == (Redact(Target.RESPONSE, ("us_ssn",), ()),)


@pytest.mark.parametrize("judged", [HELD, decision()])
async def test_a_call_whose_obligations_cannot_be_met_is_neither_held_nor_charged(judged: Decision) -> None:
    unmet = replace(judged, obligations=(InjectCredential("authorization", "absent", "Bearer "),))
    world = Limited(limits=(limit(BUDGET), limit(Concurrency(1, 60_000), name="one")), judged=unmet)
    assert await reasons(world, 9999) == ["OBLIGATION_UNMET"]
    assert (world.settled[-1].opens, world.settled[-1].charging) == (None, None)
    world.answers = [decision()]
    assert await reasons(world, 1) == ["ALLOWED"]


@pytest.mark.parametrize("judged", [HELD, decision()])
async def test_a_call_whose_operations_cannot_be_redacted_is_neither_held_nor_charged(judged: Decision) -> None:
    redacted = replace(judged, obligations=(Redact(Target.REQUEST, (), ("/variables/a",)),))
    world = Limited(limits=(limit(Count(9, DAY)),), judged=redacted)
    listed = Action("pay", "POST", ("v1", "payments"), (), True, (BodyFormat.GRAPHQL,), FIVE_OPERATIONS)
    tool = replace(STRIPE, actions=(listed,))
    world.snapshots = [replace(entry, catalogue=Catalogue.of((tool,))) for entry in world.snapshots]
    await world.check(payment(b'[{"query": "{ a }"}, {"query": "{ b }"}]'), seconds=5)
    assert (world.reason, world.records[-1].detail) == (
        Reason.OBLIGATION_UNMET,
        "members of a batch would have to be redacted",
    )
    assert (world.settled[-1].opens, world.settled[-1].charging) == (None, None)


async def test_a_call_over_its_limit_waits_for_an_approval_and_is_charged_when_it_passes() -> None:
    world = Limited(limits=(limit(Count(1, DAY), Exceed.APPROVAL_NEEDED),))
    assert await reasons(world, 1, 2, 2) == ["ALLOWED", "APPROVAL_NEEDED", "APPROVAL_NEEDED"]
    request = world.settled[-2].opens
    assert request is not None
    assert request.groups == ("finance",)
    assert world.records[-1].charges[0].used == 1
    await world.store.decide(request.id, ApprovalState.APPROVED, "ada", world.time)
    assert await reasons(world, 2, 2) == ["APPROVED", "APPROVAL_NEEDED"]
    passed = world.records[-2]
    assert (passed.approved_by, passed.charges[0].used, passed.charges[0].excess) == ("ada", 2, "over")


HELD_FOR_LONG = replace(
    HELD,
    approval=ApprovalTerms(("board", "finance"), 3600, 2, ("amount",), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE),
)


async def test_who_approves_a_held_call_may_approve_of_its_limits_too_and_the_strictest_terms_hold() -> None:
    world = Limited(limits=(limit(Count(1, DAY), Exceed.APPROVAL_NEEDED),), judged=HELD_FOR_LONG)
    assert await reasons(world, 1) == ["APPROVAL_NEEDED"]
    opened = world.settled[-1].opens
    assert opened is not None
    assert (opened.groups, opened.expires_at - opened.requested_at) == (("finance",), 900)
    assert (opened.approvals, opened.confirm) == (2, ("amount",))


async def test_a_held_call_that_nobody_may_let_over_its_limit_is_denied_and_spends_its_token() -> None:
    held = replace(HELD, approval=ApprovalTerms(("board",), 900, 1, (), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE))
    world = Limited(limits=(limit(Count(1, DAY), Exceed.APPROVAL_NEEDED),), judged=held)
    assert await reasons(world, 1) == ["POLICY_DENIED"]
    assert (world.records[-1].policies, world.records[-1].charges) == (("p1",), ())
    assert (world.settled[-1].charging, world.settled[-1].opens) == (None, None)
    assert "no group" in world.records[-1].detail


async def test_a_held_call_within_limits_that_deny_is_approved_by_whom_policy_says() -> None:
    world = Limited(limits=(limit(Count(1, DAY)),), judged=HELD_FOR_LONG)
    assert await reasons(world, 1) == ["APPROVAL_NEEDED"]
    opened = world.settled[-1].opens
    assert opened is not None
    assert opened.groups == ("board", "finance")


async def test_different_values_add_nothing_that_was_not_there_before() -> None:
    world = Limited(limits=(limit(Distinct("amount", 1, DAY)),))
    assert await reasons(world, 1, 1) == ["ALLOWED", "ALLOWED"]
    assert [(record.charges[0].amount, record.charges[0].reached) for record in world.records] == [(0, 0)] * 2


async def test_a_call_within_its_limits_opens_no_approval() -> None:
    world = Limited(limits=(limit(Count(1, DAY), Exceed.APPROVAL_NEEDED),))
    await world.pay()
    page = await world.store.page(list(ApprovalState), 5, "")
    assert page.approvals == ()


async def test_a_held_call_is_charged_when_it_was_approved_and_not_before() -> None:
    world = Limited(limits=(limit(Count(1, DAY)),), judged=HELD)
    assert await reasons(world, 1) == ["APPROVAL_NEEDED"]
    assert world.records[-1].charges[0].used == 0
    opened = world.settled[-1].opens
    assert opened is not None
    await world.store.decide(opened.id, ApprovalState.APPROVED, "ada", world.time)
    assert await reasons(world, 1, 1) == ["APPROVED", "COUNT_EXCEEDED"]


@pytest.mark.parametrize("amount", [0, -5, 1e300, 4_000_000_001])
async def test_a_call_whose_amount_cannot_be_charged_is_refused_and_spends_its_token(amount: Any) -> None:
    world = Limited(limits=(limit(BUDGET),))
    assert await reasons(world, amount) == ["CHARGE_INVALID"]
    assert len(world.settled) == 1


@pytest.mark.parametrize("terms", [replace(BUDGET, of=OfParameter("gone", 1, "")), Distinct("gone", 1, DAY)])
async def test_a_charged_parameter_that_is_missing_is_never_free(terms: Terms) -> None:
    assert await reasons(Limited(limits=(limit(terms),)), 1) == ["CHARGE_INVALID"]


async def test_a_call_without_a_price_does_not_pass_a_budget_of_cost() -> None:
    assert await reasons(Limited(limits=(limit(replace(BUDGET, of=None)),)), 1) == ["CHARGE_INVALID"]


async def test_a_limit_that_the_snapshot_does_not_have_denies() -> None:
    world = Limited()
    world.answers = [replace(decision(), limits=("gone",))]
    assert await reasons(world, 1) == ["LIMIT_UNKNOWN"]


async def test_two_sessions_on_one_call_are_refused() -> None:
    world = Limited(limits=(limit(Count(5, DAY)),))
    request = external_auth_pb2.CheckRequest.FromString(payment(x_aegis_token=token(jti="twice"), x_aegis_session=b"a"))
    request.attributes.request.http.header_map.headers.add(key="x-aegis-session", raw_value=b"b")
    await world.check(request.SerializeToString(), seconds=5)
    assert world.reason is Reason.AMBIGUOUS_HEADERS


async def test_what_may_have_been_forgotten_counts_as_used_until_its_window_is_over() -> None:
    world = Limited(limits=(limit(Count(5, DAY)),))
    world.store._memory.began = 1_800_000_000_000 - 5_000
    assert await reasons(world, 1) == ["LIMIT_LOST"]
    world.time += 86_400
    assert await reasons(world, 1) == ["CREDENTIAL_EXPIRED"]
    world.time -= 86_400
    await world.store.declare_counted()
    assert await reasons(world, 1) == ["ALLOWED"]


async def test_a_refused_call_is_charged_nothing_and_counts_at_the_breaker() -> None:
    breakers = Breakers.by({"acme/*/*": (Breaker("b", "p", 2, None, 60_000, 900_000),)})
    world = Limited(
        limits=(limit(Count(5, DAY)),), breakers=breakers, judged=decision(Effect.DENY, Reason.POLICY_DENIED)
    )
    assert await reasons(world, 1, 1, 1) == ["POLICY_DENIED", "POLICY_DENIED", "QUARANTINED"]
    assert [record.quarantined_until for record in world.records] == [0, 1_800_000_900, 1_800_000_900]
    answer = await world.pay()
    assert (answer.status, answer.client_headers["retry-after"]) == (429, "900")
    assert all(record.charges == () for record in world.records)


async def test_a_limit_that_refuses_does_not_count_at_the_breaker() -> None:
    breakers = Breakers.by({"acme/emea/bot": (Breaker("b", "p", 1, 1, 60_000, 900_000),)})
    world = Limited(limits=(limit(Count(1, DAY)),), breakers=breakers)
    assert await reasons(world, 1, 1, 1) == ["ALLOWED", "COUNT_EXCEEDED", "COUNT_EXCEEDED"]


async def test_a_forbidden_domain_counts_by_itself() -> None:
    breakers = Breakers.by({"acme/emea/bot": (Breaker("b", "p", None, 1, 60_000, 900_000),)})
    world = Limited(breakers=breakers, judged=decision(Effect.DENY, Reason.POLICY_DENIED))
    assert await reasons(world, 1, 1) == ["POLICY_DENIED", "POLICY_DENIED"]
    world.answers = [decision(Effect.DENY, Reason.EGRESS_DENIED)]
    assert await reasons(world, 1, 1) == ["EGRESS_DENIED", "QUARANTINED"]


async def test_operators_hear_of_a_limit_that_is_nearly_used_up_and_of_a_quarantine(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = Limited(limits=(limit(BUDGET, name="spend"),))
    await reasons(world, 7000, 1500, 1000, 500)
    told = [record.getMessage() for record in caplog.records if "the limit" in record.getMessage()]
    assert told == [
        f"the limit spend of acme/emea/bot is used by acme/emea/bot to {percent} %" for percent in (80, 100)
    ]
    breakers = Breakers.by({"acme/*/*": (Breaker("b", "p", 1, None, 60_000, 900_000),)})
    await reasons(Limited(breakers=breakers, judged=decision(Effect.DENY, Reason.POLICY_DENIED)), 1, 1)
    assert [record.getMessage() for record in caplog.records if "quarantined" in record.getMessage()] == [
        "acme/emea/bot is quarantined: decision d-1"
    ]
