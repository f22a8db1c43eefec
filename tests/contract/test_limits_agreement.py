"""Whatever is charged and settled, in whatever order and at whatever time: the memory twin and a real Redis say the same.

And what both say is right: no limit that denies is exceeded by a unit, nothing left is below nothing, and no key is kept
longer than its life.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.approvals import RedisApprovals
from aegis_authz.adapters.redis.limits import RedisLimits
from aegis_authz.adapters.redis.reservations import RedisReservations
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.core.approval import ApprovalProof, ApprovalRequest, ApprovalState, Unattended
from aegis_authz.core.breaker import Breaker, Tally
from aegis_authz.core.charge import Adjustment, Charging, Excess, Slot
from aegis_authz.core.decision import ApprovalTerms
from aegis_authz.core.identity import Identity, Way
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
from aegis_authz.core.money import Money
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from aegis_authz.limits.charges import Sessions, charges_of
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.testing.store import MemoryStore
from tests.support.real_redis import RealRedis

RESERVE = 10**12
"""Milliseconds that no example outlives."""
AGES = 10_000_000.0
"""Seconds: a margin that no example outlives."""

HOUR, ROLL = CalendarWindow(Period.HOUR, "Europe/Berlin"), RollingWindow(10_007)
TERMS: list[Terms] = [
    Rate(3, 1000, 3),
    Rate(7, 60_000, 1),
    Budget(10_000_000, "USD", HOUR, OfParameter("amount", 1_000_000, "")),
    Budget(10_000_000, "USD", ROLL, OfParameter("amount", 1_000_000, "")),
    Budget(9_000_000, "USD", ROLL, None),
    Count(3, HOUR),
    Count(3, ROLL),
    Distinct("payee", 2, HOUR),
    Distinct("payee", 2, ROLL),
    Concurrency(2, 5_000),
    Flags(("seen",), (), (), 20_000),
    Flags((), ("seen",), (), 20_000),
    Flags((), (), ("seen",), 20_000),
]
SEEN: Counter[object] = Counter()


def limit(number: int, exceed: Exceed) -> Limit:
    terms = TERMS[number]
    approval = (
        ApprovalTerms((), 900, 1, (), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE)
        if exceed is Exceed.APPROVAL_NEEDED
        else None
    )
    per = Per.TENANT if number % 2 else Per.AGENT
    return Limit(f"l{number}{exceed.value}", "p", f"l{number}", per, exceed, (), approval, terms)


EXCEEDS = st.sampled_from([Exceed.DENY] * 5 + list(Exceed))
LIMITS = st.lists(st.tuples(st.integers(0, len(TERMS) - 1), EXCEEDS), min_size=1, max_size=3, unique=True)
AMOUNTS = st.sampled_from([1, 2.5, 0.000001, 4, 11])
PAYEES = st.sampled_from(["a", "b", "c", ["a", "d"]])
AGENTS = st.sampled_from(["bot", "bot", "cat"])
SESSIONS = st.builds(Sessions, st.sampled_from(["", "s1", "s2"]), st.just(""), st.sampled_from(["", "", "t1"]))
CALL = st.tuples(st.just("call"), AGENTS, LIMITS, AMOUNTS, PAYEES, SESSIONS)
REFUSED = st.tuples(st.just("refused"), AGENTS, st.booleans())
WAIT = st.tuples(st.just("wait"), st.sampled_from([0.05, 0.34, 1.0, 5.0, 10.1, 61.0, 3600.0]))
GRANT = st.tuples(st.just("grant"))
LOSE = st.tuples(st.just("lose"))
SETTLE = st.tuples(
    st.just("settle"), st.integers(1, 3), st.sampled_from(["back", "same", "confirm", 0, 1_500_000, 5_000_000])
)
REPEATED = st.tuples(CALL, st.integers(2, 5)).map(lambda pair: [pair[0]] * pair[1])
APPROVED = CALL.map(lambda call: [call, call, ("grant",), call, call])
SETTLED = st.tuples(CALL, SETTLE).map(lambda pair: [pair[0], (*pair[1][:1], 1, *pair[1][2:]), pair[0], pair[0]])
VALUES = st.lists(
    st.tuples(st.just("call"), AGENTS, st.just([(7, Exceed.DENY), (8, Exceed.DENY)]), AMOUNTS, PAYEES, SESSIONS),
    min_size=3,
    max_size=5,
)
STEPS = st.one_of(
    CALL.map(lambda step: [step]),
    REPEATED,
    REPEATED,
    APPROVED,
    CALL.map(lambda call: [("lose",), call, call, call]),
    SETTLED,
    SETTLED,
    VALUES,
    st.lists(SETTLE, min_size=1, max_size=3),
    REFUSED.map(lambda step: [step] * 3),
    WAIT.map(lambda step: [step]),
    st.sampled_from([[("lose",)], [("wait", 0.05)], [("wait", 10.1)], [("reset",)]]),
)
EXAMPLES = st.lists(STEPS, min_size=3, max_size=20).map(lambda groups: [step for group in groups for step in group])
BREAKERS = (Breaker("b", "p", 3, None, 10_000, 30_000), Breaker("d", "p", None, 2, 60_000, 5_000))


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
class Play:
    """One example, played on both sides."""

    server: RealRedis
    clock: SteppedClock
    twin: MemoryStore
    store: RedisStore
    limits: RedisLimits
    approvals: RedisApprovals
    reservations: RedisReservations
    passed: list[Charging] = field(default_factory=list)
    opened: list[ApprovalRequest] = field(default_factory=list)

    async def run(self, steps: list[tuple[object, ...]]) -> None:
        for number, step in enumerate(steps):
            self.clock.step(0.003)
            match step:
                case ("wait", float() as seconds):
                    self.clock.step(seconds)
                case ("grant",):
                    await self._grant()
                case ("lose",):
                    self.opened.clear()
                    self.twin.forget_everything()
                    self.server.command("FLUSHALL")
                case ("reset",):
                    await self.twin.declare_counted()
                    await until_up(self.store.ready)
                    await until_up(self.limits.declare_counted)
                    self._begin_together()  # a store that is prepared begins its memory, should it have lost it
                case ("settle", int() as ago, word):
                    await self._settle(ago, word)
                case _:
                    settlement = self._settlement(number, step)
                    answers = [await side.settle(settlement, time.monotonic() + 10) for side in (self.twin, self.store)]
                    assert answers[0] == answers[1], (number, step)
                    self._judge(answers[0], settlement)
                    if answers[0].outcome is SettleOutcome.STORE_RESET:
                        self._begin_together()

    async def _settle(self, ago: int, word: object) -> None:
        """Tell both what became of one of the last calls that passed: once or again."""
        if len(self.passed) < ago:
            return
        charging, scope = self.passed[-ago], Scope("acme", "emea", "bot")
        if word == "confirm" and not any(isinstance(charge.measure, Slot) for charge in charging.charges):
            for side in (self.twin, self.reservations):
                await side.confirm([(scope, charging.decision_id)])
            return
        adjustment = Adjustment(word == "back", word if isinstance(word, int) else None)
        answers = [
            await side.adjust(scope, charging.decision_id, adjustment) for side in (self.twin, self.reservations)
        ]
        assert answers[0] == answers[1], charging
        SEEN["settled", word if answers[0] else "nothing"] += 1

    def _begin_together(self) -> None:
        """The memory begins by the clock of Redis, which stands behind that of the examples."""
        key = redis_keys.epoch(redis_keys.partition_of(Scope("acme", "emea", "bot")))
        moment, _, _ = str(self.server.command("GET", key).decode()).partition(" ")
        self.twin.memory.epochs["acme/emea"] = int(moment)

    def _settlement(self, number: int, step: tuple[object, ...]) -> Settlement:
        now = self.clock.now()
        who = Identity(
            Scope("acme", "emea", str(step[1])),
            "aegis",
            "k",
            str(number),
            now,
            now + 60,
            (),
            "",
            Way.TOKEN,
            None,
            "",
            None,
        )
        if step[0] == "refused":
            return Settlement(who, None, None, now, (), None, Tally(BREAKERS, bool(step[2])), None)
        _, _, chosen, amount, payee, sessions = step
        assert isinstance(chosen, list) and isinstance(sessions, Sessions)
        limits = [limit(*pair) for pair in chosen]
        parameters = {"amount": amount, "payee": payee}
        charges = charges_of(limits, parameters, who.scope, sessions, Money(3_000_000, "USD"), now)
        opens = None
        if any(entry.on_exceed is Exceed.APPROVAL_NEEDED for entry in limits):
            opens = self._request(number, who.scope, str(step[2:]))
        return Settlement(who, None, opens, now, (), Charging(f"d-{number}", charges, RESERVE, True), None, None)

    def _request(self, number: int, scope: Scope, digest: str) -> ApprovalRequest:
        now = self.clock.now()
        name = redis_keys.approval_id(scope, f"{number:032x}")
        terms = (("p",), ("finance",), now, now + 900, {}, "b1", "d-1", 1, (), ())
        return ApprovalRequest(
            name, scope, "stripe", "pay", {"amount": 7000}, digest, "r1", *terms, ApprovalProof.ANY, ""
        )

    async def _grant(self) -> None:
        if self.opened:
            for side in (self.twin, self.approvals):
                approval = await side.get(self.opened[-1].id)
                if approval.state is ApprovalState.PENDING:
                    await side.decide(self.opened[-1].id, ApprovalState.APPROVED, "alice", self.clock.now())

    def _judge(self, settled: Settled, settlement: Settlement) -> None:
        SEEN[settled.outcome] += 1
        if settlement.opens is not None and settled.approval_id == settlement.opens.id:
            self.opened.append(settlement.opens)
        if settlement.charging is None or not settled.accounts:
            return
        passes = settled.outcome in (SettleOutcome.CLEAR, SettleOutcome.APPROVED)
        if passes:
            self.passed.append(settlement.charging)
        for charge, account in zip(settlement.charging.charges, settled.accounts, strict=True):
            kind = type(charge.measure).__name__.lower()
            SEEN[kind, account.excess] += 1
            assert account.left >= 0
            assert passes or account.excess is not Excess.LOST or account.left == 0
            if passes and charge.limit.on_exceed is Exceed.DENY:
                assert account.excess is Excess.WITHIN
                assert account.used <= account.of or kind == "marks"


async def until_up(prepare: Callable[[], Awaitable[None]]) -> None:
    """A busy machine answers late."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await prepare()
            except StoreDown:
                continue


async def play(server: RealRedis, steps: list[tuple[object, ...]]) -> None:
    server.command("FLUSHALL")
    clock = SteppedClock()
    store = RedisStore(server.url, clock, 0, AGES)
    await until_up(store.ready)
    limits = RedisLimits(server.url)
    await until_up(limits.declare_counted)
    twin = MemoryStore(clock, AGES, for_tests=True)
    await twin.declare_counted()
    approvals, reservations = RedisApprovals(server.url, clock), RedisReservations(server.url)
    try:
        await Play(server, clock, twin, store, limits, approvals, reservations).run(steps)
    finally:
        for opened in (store, limits, approvals, reservations):
            await opened.close()
    for name in server.names():
        if not name.endswith((":epoch", ":counted")):
            assert int(str(server.command("PTTL", name))) > 0, name


def test_the_memory_twin_and_redis_agree_about_limits(real_redis: RealRedis) -> None:
    play_many(real_redis, 40)


@pytest.mark.slow
def test_the_memory_twin_and_redis_agree_about_limits_in_every_case(real_redis: RealRedis) -> None:
    SEEN.clear()
    play_many(real_redis, 400)
    kinds = {"sum", "pace", "member", "slot"}
    assert {(kind, excess) for kind in kinds for excess in (Excess.WITHIN, Excess.OVER, Excess.LOST)} <= set(SEEN)
    assert {("marks", excess) for excess in (Excess.WITHIN, Excess.FLAG_MISSING, Excess.FLAG_SET)} <= set(SEEN)
    outcomes = {SettleOutcome.LIMIT_EXCEEDED, SettleOutcome.QUARANTINED, SettleOutcome.APPROVED, SettleOutcome.OPENED}
    assert outcomes <= set(SEEN)
    assert {("settled", word) for word in ("back", "same", 0, 1_500_000, 5_000_000, "nothing")} <= set(SEEN)


def play_many(server: RealRedis, examples: int) -> None:
    with asyncio.Runner() as runner:

        @settings(max_examples=examples, deadline=None, derandomize=True, phases=(Phase.generate,))
        @given(EXAMPLES)
        def agree(steps: list[tuple[object, ...]]) -> None:
            runner.run(play(server, steps))

        agree()
