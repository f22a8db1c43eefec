"""Whatever happens, in whatever order: the memory twin and a real Redis say the same."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.approvals import RedisApprovals
from aegis_authz.adapters.redis.revocations import RedisRevocations
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.core.approval import (
    Approval,
    ApprovalConflict,
    ApprovalNotFound,
    ApprovalProof,
    ApprovalRequest,
    ApprovalState,
)
from aegis_authz.core.grant import Narrowing
from aegis_authz.core.identity import Identity, Override, Proof, Way
from aegis_authz.core.revocation import Revocation, Revoked
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import GrantUse, Settled, Settlement, SettleOutcome
from aegis_authz.ports.control_plane import Revocations
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.testing.store import MemoryRevocations, MemoryStore
from tests.support.real_redis import RealRedis

BOT = Scope("acme", "emea", "bot")

AGES = 10_000_000.0
"""Seconds: older than any memory, and a margin that no example outlives."""

SEEN: Counter[SettleOutcome] = Counter()

AGENTS = st.tuples(st.sampled_from(["emea", "apac"]), st.sampled_from(["bot", "other"]))
KINDS = st.sampled_from(["fresh"] * 8 + ["used", "old", "proof"])  # of a token
CALLS = st.tuples(st.sampled_from(["d1", "d2"]), st.sampled_from(["b1", "b1", "b2"]))
NUMBERS = st.sampled_from([0, 0, 0, 1, 2])  # of an approval, from the newest back
OPEN = st.tuples(st.just("open"), AGENTS, KINDS, CALLS, st.sampled_from([5.0, 60.0, 900.0]))
SPOILS = st.sampled_from([""] * 6 + ["agent", "tenant", "digest", "basis"])
CLAIM = st.tuples(st.just("claim"), KINDS, NUMBERS, SPOILS)
APPROVE = st.tuples(st.just("decide"), NUMBERS, st.just(ApprovalState.APPROVED), st.just("alice"))
DECIDE = st.tuples(st.just("decide"), NUMBERS, st.sampled_from(ApprovalState), st.sampled_from(["alice", "bot", ""]))
WAIT = st.tuples(st.just("wait"), st.sampled_from([0.5, 10.0, 600.0]))
GRANTED = st.lists(
    st.tuples(st.just("granted"), AGENTS, KINDS, st.sampled_from([0, 1, 2, 3, 4])), min_size=1, max_size=4
)
STEPS = st.one_of(
    st.tuples(st.tuples(st.just("call"), AGENTS, KINDS)),
    GRANTED,
    st.tuples(OPEN, APPROVE, st.tuples(st.just("open under"), AGENTS, CALLS)),
    st.tuples(OPEN),
    st.tuples(OPEN, APPROVE, CLAIM, CLAIM),
    st.tuples(OPEN, APPROVE, WAIT, CLAIM),
    st.tuples(CLAIM, DECIDE),
    st.tuples(OPEN, APPROVE, OPEN),
    AGENTS.map(lambda agent: tuple(("open", agent, "fresh", (f"f{number}", "b1"), 60.0) for number in range(21))),
    st.tuples(st.tuples(st.just("revoke"), AGENTS)),
    st.tuples(st.tuples(st.just("restore"), AGENTS)),
    st.tuples(WAIT),
    st.tuples(st.tuples(st.just("lose everything"))),
)
EXPIRED: list[tuple[object, ...]] = [
    ("open", ("emea", "bot"), "fresh", ("d1", "b1"), 5.0),
    ("decide", 0, ApprovalState.APPROVED, "alice"),
    ("wait", 10.0),
    ("claim", "fresh", 0, ""),
]
USED_UP: list[tuple[object, ...]] = [("granted", ("emea", "bot"), "fresh", 2)] * 3
EXAMPLES = st.lists(STEPS, min_size=3, max_size=15).map(lambda groups: [step for group in groups for step in group])


class SteppedClock:
    """A clock that stands still between steps and runs ahead of real time at each."""

    def __init__(self) -> None:
        self._time = time.time()

    def now(self) -> float:
        return self._time

    def monotonic(self) -> float:
        return time.monotonic()

    def step(self, seconds: float) -> None:
        self._time = max(self._time, time.time()) + seconds


@dataclass
class Side:
    """One of the two stores."""

    store: MemoryStore | RedisStore
    approvals: MemoryStore | RedisApprovals
    revocations: Revocations
    lose: Callable[[], Awaitable[object]]


async def listed(side: Side) -> list[Approval]:
    """All approvals of a side, page by page."""
    approvals, after = list[Approval](), ""
    while True:
        page = await side.approvals.page(list(ApprovalState), 3, after)
        approvals += page.approvals
        if not page.after:
            return approvals
        after = page.after


@dataclass
class Play:
    """One example, played on both sides."""

    sides: tuple[Side, Side]
    clock: SteppedClock
    opened: list[ApprovalRequest] = field(default_factory=list)

    async def run(self, steps: list[tuple[object, ...]]) -> None:
        for number, step in enumerate(steps):
            self.clock.step(0.01)
            answers = [await self._do(side, number, step) for side in self.sides]
            assert answers[0] == answers[1], step
        lists = [(await listed(side), await side.revocations.list()) for side in self.sides]
        assert lists[0] == lists[1]

    async def _do(self, side: Side, number: int, step: tuple[object, ...]) -> object:
        match step:
            case ("call", agent, kind):
                return await self._settle(side, number, agent, kind)
            case ("granted", agent, kind, links):
                return await self._settle(side, number, agent, kind, grants=self._chain(links))
            case ("open under", agent, call):
                opens = self._request(number, agent, call, 60.0)
                return await self._settle(side, number, agent, "fresh", opens=opens, grants=self._chain(3))
            case ("open", agent, kind, call, life):
                return await self._settle(side, number, agent, kind, opens=self._request(number, agent, call, life))
            case ("claim", kind, which, spoilt):
                agent, override = self._override(which, spoilt)
                return await self._settle(side, number, agent, kind, claims=override)
            case ("decide", which, to, by):
                return await self._decide(side, which, to, by)
            case ("revoke", (tenant, agent)):
                target = Revoked.agent(Scope("acme", tenant, agent))
                return await side.revocations.revoke(Revocation(target, "alice", self.clock.now()))
            case ("restore", (tenant, agent)):
                return await side.revocations.restore(Revoked.agent(Scope("acme", tenant, agent)))
            case ("wait", seconds) if side is self.sides[0]:
                return self.clock.step(seconds)
            case ("lose everything",):
                await side.lose()
        return None

    async def _settle(
        self,
        side: Side,
        number: int,
        agent: tuple[str, str],
        kind: str,
        claims: Override | None = None,
        opens: ApprovalRequest | None = None,
        grants: tuple[Narrowing, ...] = (),
    ) -> Settled:
        jti = "used" if kind in ("used", "proof") else str(number)
        issued = self.clock.now() - (AGES if kind == "old" else 0)
        who = Identity(Scope("acme", *agent), "aegis", "k", jti, issued, issued + 60, (), "", Way.TOKEN, None, "", None)
        if kind == "proof":
            who = replace(who, way=Way.BOUND, proof=Proof("used", "key", issued, 60))
        uses = tuple(GrantUse(grant, number % 2 + 1) for grant in grants)
        settled = await side.store.settle(
            Settlement(who, claims, opens, self.clock.now(), uses, None, None, None), time.monotonic() + 10
        )
        SEEN[settled.outcome] += 1
        if opens is not None and opens.id == settled.approval_id and opens not in self.opened:
            self.opened.append(opens)
        return settled

    def _chain(self, links: int) -> tuple[Narrowing, ...]:
        """Some of three grants that all count: of the second and third the first is the parent. One is old."""
        now = self.clock.now()
        first, second, third, old = (
            Narrowing(f"grant-{place}".ljust(16, "x"), now - age, now + 1e9, 0, most, {}, "")
            for place, (most, age) in enumerate(((4, 0), (2, 0), (3, 0), (4, AGES)))
        )
        return ((), (first,), (first, second), (first, third), (first, old))[links]

    async def _decide(self, side: Side, which: int, to: ApprovalState, by: str) -> object:
        if which >= len(self.opened):
            return None
        try:
            return await side.approvals.decide(self.opened[-1 - which].id, to, by, self.clock.now())
        except (ApprovalConflict, ApprovalNotFound, StoreDown) as fault:
            return type(fault), str(fault)

    def _request(self, number: int, agent: tuple[str, str], call: tuple[str, str], life: float) -> ApprovalRequest:
        name, now = redis_keys.approval_id(Scope("acme", *agent), f"{number:032x}"), self.clock.now()
        what = (Scope("acme", *agent), "stripe", "pay")
        digest, basis = call
        terms = (("p",), ("finance",), now, now + life, {}, basis, "d-1", 1, (), ())
        return ApprovalRequest(name, *what, {"amount": 7000}, digest, "r1", *terms, ApprovalProof.ANY, "")

    def _override(self, which: int, spoilt: str) -> tuple[tuple[str, str], Override]:
        """An override for the approval opened so many steps ago, and the agent that shows it."""
        if which >= len(self.opened):
            return ("emea", "bot"), Override(redis_keys.approval_id(BOT, "f" * 32), BOT, "d1", "b1", "o", 0)
        held = self.opened[-1 - which]
        tenant = "other" if spoilt == "tenant" else held.scope.tenant
        agent = "thief" if spoilt == "agent" else held.scope.agent
        digest, basis = (getattr(held, name) if spoilt != name else "spoilt" for name in ("digest", "basis"))
        override = Override(held.id, held.scope, digest, basis, "o", held.expires_at)
        return (tenant, agent), override


_PATIENCE = 30.0


async def is_ready(store: RedisStore) -> bool:
    try:
        await store.ready()
    except StoreDown:
        return False
    return True


async def play(server: RealRedis, steps: list[tuple[object, ...]]) -> None:
    server.command("FLUSHALL")
    clock = SteppedClock()
    twin, store = MemoryStore(clock, AGES, for_tests=True), RedisStore(server.url, clock, 0, AGES)
    approvals, revocations = RedisApprovals(server.url, clock), RedisRevocations(server.url)

    async def forget() -> None:
        twin.forget_everything()

    async def flush() -> None:
        server.command("FLUSHALL")

    async with asyncio.timeout(_PATIENCE):
        while not await is_ready(store):  # a machine that does other things as well may take longer than a probe waits
            await asyncio.sleep(0.05)
    sides = (
        Side(twin, twin, MemoryRevocations(twin), forget),
        Side(store, approvals, revocations, flush),
    )
    try:
        await Play(sides, clock).run(steps)
    finally:
        for opened in (store, approvals, revocations):
            await opened.close()


def test_the_memory_twin_and_redis_agree(real_redis: RealRedis) -> None:
    with asyncio.Runner() as runner:

        @settings(max_examples=200, deadline=None, derandomize=True)
        @given(EXAMPLES)
        @example(EXPIRED)
        @example(USED_UP)
        def agree(steps: list[tuple[object, ...]]) -> None:
            runner.run(play(real_redis, steps))

        SEEN.clear()
        agree()
    of_limits = {SettleOutcome.LIMIT_EXCEEDED, SettleOutcome.QUARANTINED}  # test_limits_agreement.py
    assert set(SEEN) == set(SettleOutcome) - of_limits, "the examples must reach every outcome"
