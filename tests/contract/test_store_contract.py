"""One suite for the store: the memory twin, a real Redis and a real Redis Cluster must behave alike."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from aegis_authz.adapters.redis.approval_outcomes import RedisApprovalOutcomes
from aegis_authz.adapters.redis.approval_states import RedisApprovalStates
from aegis_authz.adapters.redis.approvals import RedisApprovals
from aegis_authz.adapters.redis.revocations import RedisRevocations
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.core.approval import (
    MOST_WAITING_OF_AGENT,
    MOST_WAITING_OF_TENANT,
    Approval,
    ApprovalConflict,
    ApprovalNotFound,
    ApprovalProof,
    ApprovalRequest,
    ApprovalState,
    CallOutcome,
)
from aegis_authz.core.grant import Grant, Narrowing
from aegis_authz.core.identity import Identity, Override, Proof, Way
from aegis_authz.core.revocation import Revocation, Revoked, RevokedKind
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import GrantUse, Settled, Settlement, SettleOutcome
from aegis_authz.core.units import Digest, Jti, Seconds
from aegis_authz.ports.control_plane import Revocations
from aegis_authz.ports.data_plane import ApprovalOutcomes, Approvals, ApprovalStates, Store
from aegis_authz.testing.store import MemoryRevocations, MemoryStore
from tests.support.real_cluster import RealCluster, until_fit
from tests.support.real_redis import RealRedis

BOT = Scope("acme", "emea", "bot")
SERVERS = {"redis": "real_redis", "cluster": "shared_cluster"}


class MovableClock:
    """The system's time, moved on by hand."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass
class Contract:
    store: Store
    approvals: Approvals
    clock: MovableClock
    forget: Callable[[], Awaitable[None]]
    start_again: Callable[[], Awaitable[None]]
    revocations: Revocations
    states: ApprovalStates
    outcomes: ApprovalOutcomes

    def identity(self, agent: str = "bot", tenant: str = "emea", jti: str = "") -> Identity:
        now = self.clock.now()
        return Identity(
            Scope("acme", tenant, agent),
            "aegis",
            "k",
            jti or secrets.token_hex(8),
            now,
            now + 60,
            (),
            "",
            Way.TOKEN,
            None,
            "",
            None,
        )

    async def settle(
        self,
        identity: Identity | None = None,
        claims: Override | None = None,
        opens: ApprovalRequest | None = None,
        grants: tuple[Narrowing, ...] = (),
        resumes: str | None = None,
        calls: int = 1,
    ) -> Settled:
        who, uses = identity or self.identity(), tuple(GrantUse(grant, calls) for grant in grants)
        return await self.store.settle(
            Settlement(who, claims, opens, self.clock.now(), uses, None, None, resumes), time.monotonic() + 5
        )

    def grant(self, calls: int, life: float = 600.0) -> Narrowing:
        now = self.clock.now()
        return Narrowing(secrets.token_hex(16), now, now + life, 0, calls, {"stripe": {"pay": {}}}, "")

    def request(
        self, digest: str = "d1", agent: str = "bot", tenant: str = "emea", basis: str = "b1"
    ) -> ApprovalRequest:
        now = self.clock.now()
        return ApprovalRequest(
            id=self.store.approval_id(Scope("acme", tenant, agent), secrets.token_hex(16)),
            scope=Scope("acme", tenant, agent),
            tool="stripe",
            action="pay",
            parameters={"amount": 7000},
            digest=digest,
            revision="r1",
            policies=("p",),
            groups=("finance",),
            requested_at=now,
            expires_at=now + 900,
            besides={"request": "POST api.stripe.example/v1/payments"},
            basis=basis,
            decision_id="d-1",
            approvals=1,
            confirm=(),
            notify=(),
            proof=ApprovalProof.ANY,
            session="s-1",
        )

    async def listed(self, *states: ApprovalState) -> list[Approval]:
        """All approvals kept in these states, none for any, page by page."""
        approvals, after = list[Approval](), ""
        while True:
            page = await self.approvals.page(states or list(ApprovalState), 2, after)
            approvals += page.approvals
            assert page.unreadable == ()
            if not page.after:
                return approvals
            after = page.after

    async def approved(self, request: ApprovalRequest) -> Override:
        await self.settle(self.identity(request.scope.agent, request.scope.tenant), opens=request)
        await self.approvals.decide(request.id, ApprovalState.APPROVED, "alice", self.clock.now())
        return Override(request.id, request.scope, request.digest, request.basis, "o", request.expires_at)


@pytest.fixture(params=["memory", "redis", "cluster"])
async def contract(request: pytest.FixtureRequest) -> AsyncIterator[Contract]:
    clock = MovableClock()
    if request.param == "memory":
        memory = MemoryStore(clock, 60, for_tests=True)

        async def forget() -> None:
            memory.forget_everything()

        async def keep() -> None:
            memory.start_again()

        yield Contract(memory, memory, clock, forget, keep, MemoryRevocations(memory), memory, memory)
        return
    server: RealRedis | RealCluster = request.getfixturevalue(SERVERS[request.param])
    store, approvals = RedisStore(server.url, clock, 0, 60), RedisApprovals(server.url, clock)
    revocations, states = RedisRevocations(server.url), RedisApprovalStates(server.url)
    outcomes = RedisApprovalOutcomes(server.url)

    async def flush() -> None:
        server.command("FLUSHALL")

    async def start_again() -> None:
        server.command("SAVE")
        server.kill()
        server.start()
        await asyncio.sleep(0.01)  # the loop has yet to see that the connections ended

    server.command("FLUSHALL")
    await until_fit(store)
    await asyncio.sleep(0.002)  # a token of the very millisecond in which the memory began would be refused
    yield Contract(store, approvals, clock, flush, start_again, revocations, states, outcomes)
    await store.close()
    await approvals.close()
    await revocations.close()
    await states.close()
    await outcomes.close()


async def test_a_token_is_good_once(contract: Contract) -> None:
    identity = contract.identity()
    assert (await contract.settle(identity)).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(identity)).outcome is SettleOutcome.REPLAYED


async def test_of_many_at_the_same_moment_exactly_one_is_clear(contract: Contract) -> None:
    identity = contract.identity()
    outcomes = [settled.outcome for settled in await asyncio.gather(*(contract.settle(identity) for _ in range(50)))]
    assert outcomes.count(SettleOutcome.CLEAR) == 1
    assert outcomes.count(SettleOutcome.REPLAYED) == 49


async def test_the_same_jti_of_another_tenant_or_issuer_is_another_token(contract: Contract) -> None:
    first = contract.identity(tenant="emea", jti="j")
    for identity in (first, contract.identity(tenant="apac", jti="j"), replace(first, issuer="other")):
        assert (await contract.settle(identity)).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(first)).outcome is SettleOutcome.REPLAYED


def proven(identity: Identity, jti: str, key: str = "key", age: float = 0.0) -> Identity:
    """The same token, bound to a key, with a proof of that age."""
    return replace(identity, way=Way.BOUND, proof=Proof(jti, key, identity.issued_at - age, 65))


async def test_a_bound_token_is_good_again_and_each_proof_of_it_once(contract: Contract) -> None:
    token = contract.identity()
    first, second = proven(token, "p1"), proven(token, "p2")
    for identity, outcome in (
        (first, SettleOutcome.CLEAR),
        (first, SettleOutcome.REPLAYED),
        (second, SettleOutcome.CLEAR),
        (second, SettleOutcome.REPLAYED),
    ):
        assert (await contract.settle(identity)).outcome is outcome


async def test_a_proof_and_a_token_of_one_id_are_two(contract: Contract) -> None:
    token = contract.identity(jti="same")
    for identity in (token, proven(token, "same"), proven(token, "same", "another key")):
        assert (await contract.settle(identity)).outcome is SettleOutcome.CLEAR


async def test_a_proof_older_than_the_memory_is_refused_whatever_the_age_of_its_token(contract: Contract) -> None:
    token = contract.identity()
    older = proven(token, "p1", age=3600)
    assert (await contract.settle(older)).outcome is SettleOutcome.STORE_RESET
    assert (await contract.settle(older)).outcome is SettleOutcome.REPLAYED
    old_token = replace(token, issued_at=token.issued_at - 3600)
    fresh = replace(proven(old_token, "p2"), proof=Proof("p2", "key", contract.clock.now(), 65))
    assert (await contract.settle(fresh)).outcome is SettleOutcome.CLEAR


async def test_a_proof_is_remembered_for_as_long_as_it_could_be_taken(contract: Contract) -> None:
    proof = proven(contract.identity(), "p1")
    await contract.settle(proof)
    contract.clock.ahead = 64.0
    assert (await contract.settle(proof)).outcome is SettleOutcome.REPLAYED


async def test_of_many_copies_of_one_proof_exactly_one_is_clear(contract: Contract) -> None:
    proof = proven(contract.identity(), "p1")
    settled = await asyncio.gather(*(contract.settle(proof) for _ in range(64)))
    assert [one.outcome for one in settled].count(SettleOutcome.CLEAR) == 1


async def test_a_token_older_than_the_memory_is_refused_and_spent(contract: Contract) -> None:
    old = replace(contract.identity(), issued_at=contract.clock.now() - 30)
    assert (await contract.settle(old)).outcome is SettleOutcome.STORE_RESET
    assert (await contract.settle(old)).outcome is SettleOutcome.REPLAYED


async def test_after_data_loss_older_tokens_are_refused_and_newer_ones_pass(contract: Contract) -> None:
    first, second = contract.identity(), contract.identity()
    await contract.settle(first)
    await contract.forget()
    assert (await contract.settle(first)).outcome is SettleOutcome.STORE_RESET
    assert (await contract.settle(first)).outcome is SettleOutcome.REPLAYED
    assert (await contract.settle(second)).outcome is SettleOutcome.STORE_RESET
    contract.clock.ahead += 1
    assert (await contract.settle(contract.identity())).outcome is SettleOutcome.CLEAR


async def test_after_a_restart_with_all_data_older_tokens_are_refused_and_newer_ones_pass(contract: Contract) -> None:
    used, unused = contract.identity(), contract.identity()
    assert (await contract.settle(used)).outcome is SettleOutcome.CLEAR
    await contract.start_again()
    assert (await contract.settle(unused)).outcome is SettleOutcome.STORE_RESET
    assert (await contract.settle(used)).outcome is SettleOutcome.REPLAYED
    contract.clock.ahead += 1
    assert (await contract.settle(contract.identity())).outcome is SettleOutcome.CLEAR


async def test_after_a_restart_no_earlier_grant_counts_for_its_use_may_be_forgotten(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    waiting = await contract.settle(opens=contract.request(digest="d2"))
    await contract.start_again()
    await contract.settle()
    contract.clock.ahead += 1
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVAL_EXPIRED
    again = await contract.settle(opens=contract.request())
    assert (again.outcome, again.approval_id == override.approval_id) == (SettleOutcome.OPENED, False)
    joined = await contract.settle(opens=contract.request(digest="d2"))
    assert (joined.outcome, joined.approval_id) == (SettleOutcome.OPENED, waiting.approval_id)
    await contract.approvals.decide(again.approval_id, ApprovalState.APPROVED, "alice", contract.clock.now())
    assert (await contract.settle(opens=contract.request())).outcome is SettleOutcome.APPROVED


async def test_a_revoked_agent_is_refused_until_restored(contract: Contract) -> None:
    now = round(contract.clock.now(), 3)
    await contract.revocations.revoke(Revocation(BOT_TARGET, "alice of finance", now))
    assert await contract.revocations.list() == [Revocation(BOT_TARGET, "alice of finance", now)]
    spent = contract.identity()
    assert (await contract.settle(spent)).outcome is SettleOutcome.REVOKED
    assert (await contract.settle(contract.identity(agent="other"))).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(contract.identity(tenant="apac"))).outcome is SettleOutcome.CLEAR
    assert await contract.revocations.restore(BOT_TARGET)
    assert not await contract.revocations.restore(BOT_TARGET)
    assert await contract.revocations.list() == []
    assert (await contract.settle()).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(spent)).outcome is SettleOutcome.REPLAYED


BOT_TARGET = Revoked.agent(BOT)


@pytest.mark.parametrize("kind", [RevokedKind.TENANT, RevokedKind.KEY, RevokedKind.TOKEN])
async def test_a_revoked_tenant_key_or_token_is_refused_and_no_other(contract: Contract, kind: RevokedKind) -> None:
    first, second = contract.identity(), contract.identity()
    proof = Proof(Jti("p1"), "the-key", first.issued_at, Seconds(60))
    bound = replace(first, proof=proof)
    name = {RevokedKind.TENANT: "", RevokedKind.KEY: "the-key", RevokedKind.TOKEN: first.jti}[kind]
    target = Revoked(kind, BOT.org, BOT.tenant, name)
    await contract.revocations.revoke(Revocation(target, "alice", round(contract.clock.now(), 3)))
    assert (await contract.settle(bound)).outcome is SettleOutcome.REVOKED
    untouched = SettleOutcome.REVOKED if kind is RevokedKind.TENANT else SettleOutcome.CLEAR
    assert (await contract.settle(second)).outcome is untouched
    assert (await contract.settle(contract.identity(tenant="apac"))).outcome is SettleOutcome.CLEAR
    assert [entry.target for entry in await contract.revocations.list()] == [target]
    assert await contract.revocations.restore(target)
    assert (await contract.settle()).outcome is SettleOutcome.CLEAR


async def test_a_call_is_refused_when_an_agent_that_acts_in_it_is_revoked(contract: Contract) -> None:
    helper = Revoked.agent(Scope("acme", "emea", "helper"))
    await contract.revocations.revoke(Revocation(helper, "alice", round(contract.clock.now(), 3)))
    for actors, outcome in (
        (("acme/emea/helper",), SettleOutcome.REVOKED),
        (("spiffe://acme/planner", "acme/emea/helper"), SettleOutcome.REVOKED),
        (("acme/emea/helper-2", "acme/emea helper", "first"), SettleOutcome.CLEAR),
    ):
        bound = Proof(Jti(secrets.token_hex(8)), "the-key", contract.clock.now(), Seconds(60))
        assert (await contract.settle(replace(contract.identity(), actors=actors))).outcome is outcome
        assert (await contract.settle(replace(contract.identity(), actors=actors, proof=bound))).outcome is outcome
    assert await contract.revocations.restore(helper)


async def test_a_call_is_refused_when_a_key_that_narrowed_its_token_is_revoked(contract: Contract) -> None:
    key = Revoked(RevokedKind.KEY, "acme", "emea", "k" * 43)
    await contract.revocations.revoke(Revocation(key, "alice", round(contract.clock.now(), 3)))
    first, last = contract.grant(5), contract.grant(5)
    for chain, outcome in (
        ((replace(first, by="k" * 43), last), SettleOutcome.REVOKED),
        ((replace(first, by="l" * 43), replace(last, by="k" * 43)), SettleOutcome.REVOKED),
        ((replace(first, by="l" * 43), last), SettleOutcome.CLEAR),
    ):
        bound = Proof(Jti(secrets.token_hex(8)), "the-key", contract.clock.now(), Seconds(60))
        who = replace(contract.identity(), proof=bound, grant=Grant(Digest("d"), chain))
        assert (await contract.settle(who)).outcome is outcome
    assert await contract.revocations.restore(key)


async def test_a_store_that_may_have_forgotten_revocations_says_so(contract: Contract) -> None:
    assert not await contract.revocations.is_whole()
    await contract.revocations.declare_whole()
    assert await contract.revocations.is_whole()
    await contract.start_again()
    assert not await contract.revocations.is_whole()
    await contract.start_again()  # after what was told again, and before that is said
    await contract.revocations.declare_whole()
    assert not await contract.revocations.is_whole()
    await contract.revocations.declare_whole()
    assert await contract.revocations.is_whole()


async def test_a_held_call_opens_one_approval_however_often_it_is_repeated(contract: Contract) -> None:
    first = await contract.settle(opens=contract.request())
    second = await contract.settle(opens=contract.request())
    other = await contract.settle(opens=contract.request(digest="d2"))
    assert first.outcome is second.outcome is SettleOutcome.OPENED
    assert first.approval_id == second.approval_id != other.approval_id
    assert first.approval_expires_at == second.approval_expires_at
    assert {held.request.digest for held in await contract.listed(ApprovalState.PENDING)} == {"d1", "d2"}


async def test_the_same_call_of_another_agent_or_tenant_is_held_by_itself(contract: Contract) -> None:
    requests = [
        contract.request(),
        contract.request(agent="other"),
        contract.request(tenant="apac"),
    ]
    for request in requests:
        opened = await contract.settle(contract.identity(request.scope.agent, request.scope.tenant), opens=request)
        assert opened.approval_id == request.id
    assert {held.request.id for held in await contract.listed()} == {request.id for request in requests}


async def test_an_approval_is_found_by_the_id_its_store_names(contract: Contract) -> None:
    named = contract.store.approval_id(BOT, secrets.token_hex(16))
    assert named != contract.store.approval_id(BOT, secrets.token_hex(16))
    assert re.fullmatch("[a-z0-9_]{1,100}", named)  # in a URL and in a token
    await contract.settle(opens=replace(contract.request(), id=named))
    assert (await contract.approvals.get(named)).request.scope == BOT


async def test_approvals_are_listed_by_pages_those_that_expire_last_first(contract: Contract) -> None:
    ids = []
    for digest in ("d1", "d2", "d3", "d4", "d5"):
        contract.clock.ahead += 1
        ids.append((await contract.settle(opens=contract.request(digest=digest))).approval_id)
    assert [held.request.id for held in await contract.listed()] == ids[::-1]


async def test_once_granted_the_same_call_goes_through_once_and_is_then_held_anew(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    repeated = await contract.settle(opens=contract.request())
    assert (repeated.outcome, repeated.approval_id) == (SettleOutcome.APPROVED, override.approval_id)
    assert (await contract.approvals.get(override.approval_id)).state is ApprovalState.USED
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVAL_USED
    again = await contract.settle(opens=contract.request())
    assert (again.outcome, again.approval_id == override.approval_id) == (SettleOutcome.OPENED, False)


async def test_a_request_that_was_kept_open_goes_on_once_without_another_token(contract: Contract) -> None:
    who = contract.identity()
    opened = await contract.settle(who, opens=contract.request())
    await contract.approvals.decide(opened.approval_id, ApprovalState.APPROVED, "alice", contract.clock.now())
    assert (await contract.settle(who, opens=contract.request())).outcome is SettleOutcome.REPLAYED
    resumed = await contract.settle(who, opens=contract.request(), resumes="d-1")
    assert (resumed.outcome, resumed.approval_id) == (SettleOutcome.APPROVED, opened.approval_id)
    assert (await contract.settle(who, opens=contract.request(), resumes="d-1")).outcome is SettleOutcome.REPLAYED


async def test_a_request_that_was_kept_open_while_its_agent_was_revoked_or_the_store_forgot_does_not_go_on(
    contract: Contract,
) -> None:
    who = contract.identity()
    opened = await contract.settle(who, opens=contract.request())
    await contract.approvals.decide(opened.approval_id, ApprovalState.APPROVED, "alice", contract.clock.now())
    await contract.forget()
    await contract.settle()  # the memory begins again
    late = await contract.settle(who, opens=contract.request(), resumes="d-1")
    assert late.outcome is SettleOutcome.STORE_RESET


async def test_how_approvals_stand_is_told_in_the_order_of_their_names(contract: Contract) -> None:
    first = await contract.settle(opens=contract.request("d1"))
    second = await contract.settle(opens=contract.request("d2"))
    unknown = contract.request("d3").id
    await contract.approvals.decide(second.approval_id, ApprovalState.DENIED, "alice", contract.clock.now())
    names = [second.approval_id, unknown, first.approval_id]
    assert [*await contract.states.states(names)] == [ApprovalState.DENIED, None, ApprovalState.PENDING]


async def test_what_was_used_by_its_token_does_not_go_through_again_by_itself(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVED
    assert (await contract.settle(opens=contract.request())).outcome is SettleOutcome.OPENED


async def test_of_many_repetitions_at_the_same_moment_exactly_one_goes_through(contract: Contract) -> None:
    await contract.approved(contract.request())
    outcomes = [
        s.outcome for s in await asyncio.gather(*(contract.settle(opens=contract.request()) for _ in range(20)))
    ]
    assert outcomes.count(SettleOutcome.APPROVED) == 1


@pytest.mark.parametrize("change", [{"agent": "other"}, {"digest": "d2"}, {"tenant": "apac"}])
async def test_a_grant_is_for_its_very_call_of_its_agent(contract: Contract, change: dict[str, str]) -> None:
    await contract.approved(contract.request())
    other = contract.request(**change)
    opened = await contract.settle(contract.identity(other.scope.agent, other.scope.tenant), opens=other)
    assert (opened.outcome, opened.approval_id) == (SettleOutcome.OPENED, other.id)


async def test_a_grant_whose_time_is_over_lets_nothing_through(contract: Contract) -> None:
    await contract.approved(contract.request())
    contract.clock.ahead += 901
    assert (await contract.settle(opens=contract.request())).outcome is SettleOutcome.OPENED


async def test_an_agent_has_a_bounded_number_of_calls_that_wait(contract: Contract) -> None:
    for number in range(MOST_WAITING_OF_AGENT):
        opened = await contract.settle(opens=contract.request(digest=f"n{number}"))
        assert opened.outcome is SettleOutcome.OPENED
    assert (await contract.settle(opens=contract.request(digest="more"))).outcome is SettleOutcome.APPROVALS_FULL
    joined = await contract.settle(opens=contract.request(digest="n0"))
    assert joined.outcome is SettleOutcome.OPENED  # the same call again waits already
    other = contract.request(agent="other", digest="more")
    assert (await contract.settle(contract.identity("other"), opens=other)).outcome is SettleOutcome.OPENED
    await contract.approvals.decide(joined.approval_id, ApprovalState.DENIED, "alice", contract.clock.now())
    assert (await contract.settle(opens=contract.request(digest="more"))).outcome is SettleOutcome.OPENED


async def test_a_tenant_has_a_bounded_number_of_calls_that_wait(contract: Contract) -> None:
    for number in range(MOST_WAITING_OF_TENANT):
        request = contract.request(agent=f"a{number // MOST_WAITING_OF_AGENT}", digest=f"n{number}")
        await contract.settle(contract.identity(request.scope.agent), opens=request)
    full = contract.request(agent="late")
    assert (await contract.settle(contract.identity("late"), opens=full)).outcome is SettleOutcome.APPROVALS_FULL
    elsewhere = contract.request(agent="late", tenant="apac")
    assert (await contract.settle(contract.identity("late", "apac"), opens=elsewhere)).outcome is SettleOutcome.OPENED
    contract.clock.ahead += 901  # what nobody decided waits no more
    assert (await contract.settle(contract.identity("late"), opens=contract.request(agent="late"))).outcome is (
        SettleOutcome.OPENED
    )


@pytest.mark.parametrize("verdict", [ApprovalState.DENIED, ApprovalState.CANCELLED])
async def test_once_refused_the_same_call_opens_a_new_approval(contract: Contract, verdict: ApprovalState) -> None:
    first = await contract.settle(opens=contract.request())
    decided = await contract.approvals.decide(first.approval_id, verdict, "alice", contract.clock.now())
    assert (decided.state, decided.decided_by) == (verdict, "alice")
    assert await contract.approvals.get(first.approval_id) == decided
    assert (await contract.settle(opens=contract.request())).approval_id != first.approval_id


async def test_what_the_approver_sees_is_what_was_asked(contract: Contract) -> None:
    request = contract.request()
    await contract.settle(opens=request)
    held = await contract.approvals.get(request.id)
    assert (held.request, held.state, held.decided_by, held.decided_at) == (request, ApprovalState.PENDING, "", None)


async def test_an_approval_is_used_once(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVED
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVAL_USED
    assert (await contract.approvals.get(override.approval_id)).state is ApprovalState.USED


async def test_an_approval_says_when_it_was_used_and_what_became_of_the_call_once_that_is_known(
    contract: Contract,
) -> None:
    override = await contract.approved(contract.request())
    assert (await contract.approvals.get(override.approval_id)).use is None
    began = int(contract.clock.now() * 1000) / 1000
    assert (await contract.settle(claims=override)).former_use is None
    unknown = (await contract.settle(claims=override)).former_use
    assert unknown is not None and unknown.outcome is None
    assert began <= unknown.time <= contract.clock.now()
    outcome = CallOutcome(201, 1_800_000_000.125, True)
    assert await contract.outcomes.conclude(override.approval_id, outcome)
    known = await contract.settle(claims=override)
    assert (known.outcome, known.former_use) == (SettleOutcome.APPROVAL_USED, replace(unknown, outcome=outcome))
    assert (await contract.approvals.get(override.approval_id)).use == known.former_use


async def test_the_first_outcome_of_a_call_counts_and_an_approval_that_is_not_used_has_none(
    contract: Contract,
) -> None:
    override, outcome = await contract.approved(contract.request()), CallOutcome(0, 1_800_000_000.0, False)
    assert not await contract.outcomes.conclude(override.approval_id, outcome)
    forgotten = contract.store.approval_id(BOT, secrets.token_hex(16))
    assert not await contract.outcomes.conclude(forgotten, outcome)
    with pytest.raises(ApprovalNotFound):
        await contract.approvals.get(forgotten)
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVED
    assert await contract.outcomes.conclude(override.approval_id, outcome)
    assert not await contract.outcomes.conclude(override.approval_id, CallOutcome(200, 1_800_000_001.0, True))
    use = (await contract.approvals.get(override.approval_id)).use
    assert use is not None and use.outcome == outcome


async def test_what_became_of_a_call_is_told_for_that_very_call_of_that_agent_alone(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVED
    await contract.outcomes.conclude(override.approval_id, CallOutcome(200, 1_800_000_000.0, True))
    for identity, digest in ((contract.identity("other"), "d1"), (contract.identity(), "d2")):
        strange = await contract.settle(identity, claims=replace(override, digest=Digest(digest)))
        assert (strange.outcome, strange.former_use) == (SettleOutcome.APPROVAL_USED, None)


async def test_of_many_uses_at_the_same_moment_exactly_one_passes(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    outcomes = [s.outcome for s in await asyncio.gather(*(contract.settle(claims=override) for _ in range(20)))]
    assert outcomes.count(SettleOutcome.APPROVED) == 1


async def test_an_approval_for_another_call_is_a_mismatch_and_stays_unused(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    wrong = replace(override, digest="x")
    assert (await contract.settle(claims=wrong)).outcome is SettleOutcome.APPROVAL_MISMATCH
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVED


async def test_a_grant_is_stale_once_what_judges_is_another(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    later = replace(override, basis="b2")
    assert (await contract.settle(claims=later)).outcome is SettleOutcome.APPROVAL_STALE
    assert (await contract.approvals.get(override.approval_id)).state is ApprovalState.APPROVED
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVED


@pytest.mark.parametrize("is_granted", [False, True])
async def test_a_call_that_is_judged_by_something_else_now_is_held_anew_for_good(
    contract: Contract, is_granted: bool
) -> None:
    stale = contract.request()
    if is_granted:
        override = await contract.approved(stale)
    else:
        await contract.settle(opens=stale)
        override = Override(stale.id, stale.scope, stale.digest, stale.basis, "o", stale.expires_at)
    anew = contract.request(basis="b2")
    opened = await contract.settle(opens=anew)
    assert (opened.outcome, opened.approval_id) == (SettleOutcome.REOPENED, anew.id)
    assert (await contract.approvals.get(stale.id)).state is ApprovalState.STALE
    # also when what judges becomes again what it was: never two approvals of one call
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVAL_STALE
    with pytest.raises(ApprovalConflict, match="stale"):
        await contract.approvals.decide(stale.id, ApprovalState.APPROVED, "alice", contract.clock.now())
    again = await contract.settle(opens=contract.request(basis="b2"))
    assert (again.outcome, again.approval_id) == (SettleOutcome.OPENED, anew.id)


async def test_a_stale_call_that_waits_leaves_its_place_to_the_new_one(contract: Contract) -> None:
    for number in range(MOST_WAITING_OF_AGENT):
        await contract.settle(opens=contract.request(digest=f"n{number}"))
    anew = await contract.settle(opens=contract.request(digest="n0", basis="b2"))
    assert anew.outcome is SettleOutcome.REOPENED
    assert (await contract.settle(opens=contract.request(digest="more"))).outcome is SettleOutcome.APPROVALS_FULL


async def test_who_granted_an_approval_is_told_when_it_is_used(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    used = await contract.settle(claims=override)
    assert (used.outcome, used.approval_id, used.granted_by) == (SettleOutcome.APPROVED, override.approval_id, "alice")
    await contract.approved(contract.request(digest="d2"))
    repeated = await contract.settle(opens=contract.request(digest="d2"))
    assert (repeated.outcome, repeated.granted_by) == (SettleOutcome.APPROVED, "alice")


async def test_another_agent_cannot_use_an_approval(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    stolen = await contract.settle(contract.identity(agent="thief"), claims=override)
    assert stolen.outcome is SettleOutcome.APPROVAL_MISMATCH
    elsewhere = await contract.settle(contract.identity(tenant="apac"), claims=override)
    assert elsewhere.outcome is SettleOutcome.APPROVAL_NOT_GRANTED
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVED


async def test_what_was_not_granted_cannot_be_used(contract: Contract) -> None:
    request = contract.request()
    await contract.settle(opens=request)
    pending = Override(request.id, request.scope, "d1", "b1", "o", request.expires_at)
    assert (await contract.settle(claims=pending)).outcome is SettleOutcome.APPROVAL_NOT_GRANTED
    await contract.approvals.decide(request.id, ApprovalState.DENIED, "alice", contract.clock.now())
    assert (await contract.settle(claims=pending)).outcome is SettleOutcome.APPROVAL_NOT_GRANTED
    unknown = Override("apr_nothing", request.scope, "d1", "b1", "o", request.expires_at)
    assert (await contract.settle(claims=unknown)).outcome is SettleOutcome.APPROVAL_NOT_GRANTED


async def test_an_approval_expires_pending_or_granted(contract: Contract) -> None:
    granted = await contract.approved(contract.request())
    waiting = contract.request(digest="d2")
    await contract.settle(opens=waiting)
    contract.clock.ahead += 901
    assert (await contract.settle(claims=granted)).outcome is SettleOutcome.APPROVAL_EXPIRED
    assert (await contract.approvals.get(waiting.id)).state is ApprovalState.EXPIRED
    with pytest.raises(ApprovalConflict, match="expired"):
        await contract.approvals.decide(waiting.id, ApprovalState.APPROVED, "alice", contract.clock.now())
    assert (await contract.settle(opens=contract.request(digest="d2"))).approval_id != waiting.id


async def test_a_decision_is_made_once(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    with pytest.raises(ApprovalConflict, match="approved"):
        await contract.approvals.decide(override.approval_id, ApprovalState.DENIED, "bob", contract.clock.now())
    assert (await contract.approvals.get(override.approval_id)).decided_by == "alice"


async def test_of_many_decisions_at_the_same_moment_exactly_one_is_made(contract: Contract) -> None:
    opened = await contract.settle(opens=contract.request())
    verdicts = [ApprovalState.APPROVED, ApprovalState.DENIED] * 8

    async def decide(number: int, verdict: ApprovalState) -> ApprovalState | None:
        try:
            now = contract.clock.now()
            return (await contract.approvals.decide(opened.approval_id, verdict, f"approver {number}", now)).state
        except ApprovalConflict:
            return None

    made = [state for state in await asyncio.gather(*(decide(*pair) for pair in enumerate(verdicts))) if state]
    assert len(made) == 1
    assert (await contract.approvals.get(opened.approval_id)).state is made[0]


async def test_what_needs_two_people_is_granted_by_the_second_and_says_who_they_are(contract: Contract) -> None:
    request = replace(contract.request(), approvals=2)
    await contract.settle(opens=request)
    first = await contract.approvals.decide(request.id, ApprovalState.APPROVED, "alice", contract.clock.now())
    assert (first.state, first.approved_by, first.decided_by) == (ApprovalState.PENDING, ("alice",), "")
    assert await contract.approvals.get(request.id) == first
    assert (await contract.settle(opens=request)).outcome is SettleOutcome.OPENED
    with pytest.raises(ApprovalConflict, match="alice has approved"):
        await contract.approvals.decide(request.id, ApprovalState.APPROVED, "alice", contract.clock.now())
    second = await contract.approvals.decide(request.id, ApprovalState.APPROVED, "bob", contract.clock.now())
    assert (second.state, second.approved_by, second.decided_by) == (
        ApprovalState.APPROVED,
        ("alice", "bob"),
        "alice, bob",
    )
    assert await contract.approvals.get(request.id) == second
    assert (await contract.settle(opens=request)).granted_by == "alice, bob"


@pytest.mark.parametrize("needed", [1, 2, 5])
async def test_32_approvers_at_the_same_moment_make_one_decision(contract: Contract, needed: int) -> None:
    request = replace(contract.request(), approvals=needed)
    await contract.settle(opens=request)

    async def approve(number: int) -> ApprovalState | None:
        try:
            by = f"approver-{number}"
            return (await contract.approvals.decide(request.id, ApprovalState.APPROVED, by, contract.clock.now())).state
        except ApprovalConflict:
            return None

    states = await asyncio.gather(*map(approve, range(32)))
    assert states.count(ApprovalState.APPROVED) == 1
    assert states.count(ApprovalState.PENDING) == needed - 1
    assert states.count(None) == 32 - needed
    kept = await contract.approvals.get(request.id)
    assert len(set(kept.approved_by)) == needed
    outcomes = [(await contract.settle(opens=request)).outcome for _ in range(3)]
    assert outcomes == [SettleOutcome.APPROVED, SettleOutcome.OPENED, SettleOutcome.OPENED]


async def test_a_decision_without_a_name_is_not_made(contract: Contract) -> None:
    opened = await contract.settle(opens=contract.request())
    with pytest.raises(ApprovalConflict, match="needs a name"):
        await contract.approvals.decide(opened.approval_id, ApprovalState.APPROVED, " ", contract.clock.now())


@pytest.mark.parametrize("step", [ApprovalState.PENDING, ApprovalState.EXPIRED, ApprovalState.USED])
async def test_nobody_can_decide_what_is_no_verdict(contract: Contract, step: ApprovalState) -> None:
    opened = await contract.settle(opens=contract.request())
    with pytest.raises(ApprovalConflict, match=f"not made {step.value}"):
        await contract.approvals.decide(opened.approval_id, step, "alice", contract.clock.now())
    assert (await contract.approvals.get(opened.approval_id)).state is ApprovalState.PENDING


async def test_a_cancelled_approval_cannot_be_used(contract: Contract) -> None:
    request = contract.request()
    await contract.settle(opens=request)
    await contract.approvals.decide(request.id, ApprovalState.CANCELLED, "alice", contract.clock.now())
    override = Override(request.id, request.scope, request.digest, request.basis, "o", request.expires_at)
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVAL_NOT_GRANTED


async def test_what_was_granted_can_be_taken_back_until_it_is_used(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    now = contract.clock.now()
    back = await contract.approvals.decide(override.approval_id, ApprovalState.CANCELLED, "bob", now)
    assert (back.state, back.decided_by) == (ApprovalState.CANCELLED, "bob")
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVAL_NOT_GRANTED
    assert (await contract.settle(opens=contract.request())).outcome is SettleOutcome.OPENED
    used = await contract.approved(contract.request(digest="d2"))
    await contract.settle(claims=used)
    with pytest.raises(ApprovalConflict, match="is used"):
        await contract.approvals.decide(used.approval_id, ApprovalState.CANCELLED, "bob", now)


async def test_what_ran_out_is_told_until_it_is_kept_as_expired(contract: Contract) -> None:
    began = contract.clock.now()
    granted = await contract.approved(contract.request())
    waiting, denied = contract.request(digest="d2"), contract.request(digest="d3")
    for request in (waiting, denied):
        await contract.settle(opens=request)
    await contract.approvals.decide(denied.id, ApprovalState.DENIED, "alice", contract.clock.now())
    now = contract.clock.now()
    assert await contract.approvals.overdue(began, now, 9) == ([], now)
    contract.clock.ahead += 901
    now = contract.clock.now()
    overdue, until = await contract.approvals.overdue(began, now, 9)
    states = {approval.request.id: (approval.state, approval.decided_by) for approval in overdue}
    assert states == {
        granted.approval_id: (ApprovalState.APPROVED, "alice"),
        waiting.id: (ApprovalState.PENDING, ""),
    }
    assert until == now
    await contract.approvals.expire(waiting.id, now)
    assert [approval.request.id for approval in (await contract.approvals.overdue(began, now, 9))[0]] == [
        granted.approval_id
    ]
    assert [held.request.id for held in await contract.listed(ApprovalState.EXPIRED)] == [waiting.id]
    pending = Override(waiting.id, waiting.scope, waiting.digest, waiting.basis, "o", waiting.expires_at)
    assert (await contract.settle(claims=pending)).outcome is SettleOutcome.APPROVAL_EXPIRED


async def test_the_names_of_what_ends_in_a_while_are_told_in_every_state(contract: Contract) -> None:
    began = contract.clock.now()
    granted = await contract.approved(contract.request())
    waiting = contract.request(digest="d2")
    await contract.settle(opens=waiting)
    end = began + 10_000
    names, until = await contract.approvals.ending(began, end, 9)
    assert (set(names), until) == ({granted.approval_id, waiting.id}, end)
    first, place = await contract.approvals.ending(began, end, 1)
    assert len(first) == 1
    assert place < end
    assert (await contract.approvals.ending(end, end + 1, 9)) == ([], end + 1)


async def test_what_has_not_run_out_is_not_kept_as_expired(contract: Contract) -> None:
    opened = await contract.settle(opens=contract.request())
    await contract.approvals.expire(opened.approval_id, contract.clock.now())
    assert (await contract.approvals.get(opened.approval_id)).state is ApprovalState.PENDING


@pytest.mark.parametrize("unknown", ["apr_00" + "0" * 32, "apr_zz", "", "x" * 500])
async def test_an_unknown_approval_is_not_found(contract: Contract, unknown: str) -> None:
    with pytest.raises(ApprovalNotFound):
        await contract.approvals.get(unknown)
    with pytest.raises(ApprovalNotFound):
        await contract.approvals.decide(unknown, ApprovalState.APPROVED, "alice", contract.clock.now())


async def test_a_refused_token_opens_and_uses_nothing(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    spent = contract.identity()
    await contract.settle(spent)
    assert (await contract.settle(spent, claims=override)).outcome is SettleOutcome.REPLAYED
    assert (await contract.settle(spent, opens=contract.request(digest="d9"))).outcome is SettleOutcome.REPLAYED
    assert (await contract.approvals.get(override.approval_id)).state is ApprovalState.APPROVED
    assert [held.request.digest for held in await contract.listed(ApprovalState.PENDING)] == []


async def test_a_grant_lets_through_as_many_calls_as_it_counts(contract: Contract) -> None:
    grant = contract.grant(2)
    outcomes = [(await contract.settle(grants=(grant,))).outcome for _ in range(4)]
    assert outcomes == [SettleOutcome.CLEAR] * 2 + [SettleOutcome.GRANT_USED_UP] * 2
    assert (await contract.settle()).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(grants=(contract.grant(1),))).outcome is SettleOutcome.CLEAR


async def test_of_a_batch_a_grant_counts_each_call_and_lets_none_through_that_holds_more_than_are_left(
    contract: Contract,
) -> None:
    parent, child = contract.grant(9), contract.grant(5)
    assert (await contract.settle(grants=(parent, child), calls=3)).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(grants=(parent, child), calls=3)).outcome is SettleOutcome.GRANT_USED_UP
    assert (await contract.settle(grants=(parent, child), calls=2)).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(grants=(parent, child))).outcome is SettleOutcome.GRANT_USED_UP
    assert (await contract.settle(grants=(parent,), calls=4)).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(grants=(parent,))).outcome is SettleOutcome.GRANT_USED_UP


async def test_a_grant_is_counted_for_its_tenant_whichever_agent_calls(contract: Contract) -> None:
    grant = contract.grant(1)
    assert (await contract.settle(contract.identity("other"), grants=(grant,))).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(grants=(grant,))).outcome is SettleOutcome.GRANT_USED_UP
    assert (await contract.settle(contract.identity(tenant="apac"), grants=(grant,))).outcome is SettleOutcome.CLEAR


async def test_a_call_under_a_nested_grant_is_counted_by_all_of_the_chain_or_by_none(contract: Contract) -> None:
    parent, child, sibling = contract.grant(3), contract.grant(2), contract.grant(3)
    for _ in range(2):
        assert (await contract.settle(grants=(parent, child))).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(grants=(parent, child))).outcome is SettleOutcome.GRANT_USED_UP
    assert (await contract.settle(grants=(parent, sibling))).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(grants=(parent, sibling))).outcome is SettleOutcome.GRANT_USED_UP
    assert (await contract.settle(grants=(sibling,))).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(grants=(sibling,))).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(grants=(sibling,))).outcome is SettleOutcome.GRANT_USED_UP


async def test_of_many_calls_at_once_no_more_pass_than_the_grant_counts(contract: Contract) -> None:
    grant = contract.grant(7)
    settled = await asyncio.gather(*(contract.settle(grants=(grant,)) for _ in range(64)))
    assert Counter(answer.outcome for answer in settled) == {SettleOutcome.CLEAR: 7, SettleOutcome.GRANT_USED_UP: 57}


async def test_a_call_that_waits_for_a_person_is_counted_when_it_passes(contract: Contract) -> None:
    grant, request = contract.grant(1), contract.request()
    for _ in range(2):
        opened = await contract.settle(opens=request, grants=(grant,))
        assert opened.outcome is SettleOutcome.OPENED
    await contract.approvals.decide(request.id, ApprovalState.APPROVED, "alice", contract.clock.now())
    again = contract.request()
    assert (await contract.settle(opens=again, grants=(grant,))).outcome is SettleOutcome.APPROVED
    assert (await contract.settle(grants=(grant,))).outcome is SettleOutcome.GRANT_USED_UP


async def test_a_grant_that_is_used_up_uses_no_approval_up(contract: Contract) -> None:
    grant = contract.grant(1)
    override = await contract.approved(contract.request())
    assert (await contract.settle(grants=(grant,))).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(claims=override, grants=(grant,))).outcome is SettleOutcome.GRANT_USED_UP
    assert (await contract.settle(opens=contract.request("d2"), grants=(grant,))).outcome is SettleOutcome.GRANT_USED_UP
    assert await contract.listed(ApprovalState.PENDING) == []
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVED


async def test_a_refused_call_uses_nothing_of_a_grant(contract: Contract) -> None:
    grant, spent = contract.grant(1), contract.identity()
    await contract.settle(spent)
    assert (await contract.settle(spent, grants=(grant,))).outcome is SettleOutcome.REPLAYED
    missing = Override("apr_" + "0" * 34, BOT, "d1", "b1", "o", contract.clock.now() + 60)
    assert (await contract.settle(claims=missing, grants=(grant,))).outcome is SettleOutcome.APPROVAL_NOT_GRANTED
    assert (await contract.settle(grants=(grant,))).outcome is SettleOutcome.CLEAR


async def test_a_count_that_may_have_been_lost_counts_for_nothing(contract: Contract) -> None:
    grant = contract.grant(5)
    assert (await contract.settle(grants=(grant,))).outcome is SettleOutcome.CLEAR
    await contract.start_again()
    await contract.settle()
    contract.clock.ahead += 10
    assert (await contract.settle()).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(grants=(grant,))).outcome is SettleOutcome.STORE_RESET
    assert (await contract.settle(grants=(contract.grant(5),))).outcome is SettleOutcome.CLEAR
