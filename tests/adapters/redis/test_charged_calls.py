"""Calls that are charged together: the answers and the keys of the same calls one after the other."""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.bare_calls import DOUBT
from aegis_authz.adapters.redis.charged_calls import charged_arguments, read_charged
from aegis_authz.adapters.redis.client import open_redis, script
from aegis_authz.adapters.redis.settle_script import Form, SettleCall, read_settled, settle_call
from aegis_authz.adapters.redis.settle_server import SettleServer
from aegis_authz.core.charge import Charge, Charging, Excess, Fixed, Pace, Sum
from aegis_authz.core.limit import Count, Exceed, Limit, Per, RollingWindow
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from aegis_authz.core.units import Monotonic, Seconds
from tests.contract.test_plain_charges import EXAMPLES, LENGTH, MARGIN, SCOPES, SLACK, Call, Side, held, settlement
from tests.support.real_redis import RealRedis

NAMES = redis_keys.names_of(redis_keys.partition_of(SCOPES[0]))
TOGETHER: Counter[str] = Counter()
LIMIT = Limit("lim", "p", "n", Per.AGENT, Exceed.DENY, (), None, Count(1, RollingWindow(1)))


class Group(Side):
    """A database in which calls that go together are settled together."""

    def settle_together(self, calls: list[SettleCall]) -> list[object]:
        """What is said of each."""
        count, *rest = charged_arguments(calls, self._life)
        assert isinstance(count, int)
        return list(read_charged(self.client.register_script(script("charged.lua"))(rest[:count], rest[count:]), calls))


def play(sides: tuple[Group, Side], parts: list[list[Call]], memory: str) -> None:
    group, alone = sides
    now = int(time.time() * 1000) // LENGTH * LENGTH + LENGTH // 2
    number = 0
    for side in sides:
        side.begin(now - 2 * LENGTH if memory == "counted" else now - 100, memory)
    for part in parts:
        questions = []
        for call in part:
            now += call.step
            questions.append(settlement(number, call, now))
            number += 1
        asked = [(question, settle_call(question, MARGIN)) for question in questions]
        together = [pair for pair in asked if pair[1].form is Form.CHARGED]
        later = [question for question, call in asked if call.form is Form.ALONE]
        if together:
            for (question, _), answer in zip(
                together, group.settle_together([call for _, call in together]), strict=True
            ):
                TOGETHER.update(["doubt" if answer == DOUBT else "together"])
                if answer == DOUBT:
                    later.append(question)
                else:
                    assert read_settled(answer, question) == alone.settle(question), question
        for question in later:
            settled = group.settle(question), alone.settle(question)
            assert settled[0] == settled[1], question
            if (
                settled[0].outcome is SettleOutcome.STORE_RESET
            ):  # the memory begins by the clock of Redis, a moment apart
                group.client.copy(NAMES.epoch, NAMES.epoch, destination_db=1, replace=True)
        first, second = held(group.client), held(alone.client)
        assert first.keys() == second.keys()
        for name, (value, life) in first.items():
            assert value == second[name][0], name
            assert abs(life - second[name][1]) < SLACK, name


def play_many(server: RealRedis, examples: int) -> None:
    sides = Group(server, 0, lambda arguments: arguments), Side(server, 1, lambda arguments: arguments)

    @settings(max_examples=examples, deadline=None, derandomize=True, phases=(Phase.generate,))
    @given(EXAMPLES, st.integers(1, 7))
    def agree(example: tuple[list[Call], str], size: int) -> None:
        calls, memory = example
        play(sides, [calls[at : at + size] for at in range(0, len(calls), size)], memory)

    try:
        agree()
    finally:
        for side in sides:
            side.client.close()


def test_what_is_charged_together_is_what_is_charged_one_by_one(real_redis: RealRedis) -> None:
    TOGETHER.clear()
    play_many(real_redis, 40)
    assert min(TOGETHER["doubt"], TOGETHER["together"]) > 20


@pytest.mark.slow
def test_what_is_charged_together_is_what_is_charged_one_by_one_in_every_case(real_redis: RealRedis) -> None:
    play_many(real_redis, 300)


def charged(
    most: int = 1000, agent: int = 0, jti: str = "", count: int = 1, life: int = 60, reserve: int = 3_600_000
) -> Settlement:
    """A call that is charged one of a sum and one of a pace."""
    now = time.time()
    what = settlement(0, Call(0, agent, (), is_held=False, is_repeated=False), int(now * 1000))
    who = replace(what.identity, jti=jti or secrets.token_hex(8), expires_at=what.identity.issued_at + life)
    day = Fixed(int(now // 86_400 * 86_400_000), int((now // 86_400 + 1) * 86_400_000))
    measures = (Sum(count, most, day, True), Pace(1000, 1000, 1000, count))
    charges = tuple(
        Charge(replace(LIMIT, id=f"lim-{place}"), str(who.scope), measure) for place, measure in enumerate(measures)
    )
    return replace(what, identity=who, charging=Charging(secrets.token_hex(8), charges, reserve, True))


def read(reply: object, calls: int = 2) -> list[object]:
    return list(read_charged(reply, [settle_call(charged(), MARGIN)] * calls))


def packed(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}d", *numbers)


def test_numbers_are_those_of_each_call_and_a_call_without_any_is_a_doubt() -> None:
    assert read(packed(1, 0, -1, -1)) == [[b"clear", [1, 0]], DOUBT]
    assert read(None) == [DOUBT] * 2
    error = ResponseError("OOM")
    assert read(error) == [error] * 2


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        0,
        [],
        "x",
        packed(1, 0, 1),
        packed(1, 0, 1, 0, 1),
        packed(1, 0.5, 1, 0.5),
        struct.pack("<4d", *[float("nan")] * 4),
        struct.pack("<4d", *[float("inf")] * 4),
    ],
)
def test_what_the_script_does_not_give_is_an_error_of_each_call(reply: object) -> None:
    told = read(reply)
    assert len(told) == 2
    assert all(isinstance(answer, ValueError) for answer in told)


@pytest.mark.parametrize("numbers", [(-1.0, 3.0), (-2.0, -2.0), (1001.0, 0.0)])
def test_numbers_that_cannot_be_how_charges_stand_are_never_an_allow(numbers: tuple[float, float]) -> None:
    what = charged()
    (answer,) = read(packed(*numbers), calls=1)
    with pytest.raises(ValueError, match="charge"):
        read_settled(answer, what)


@pytest.fixture
async def server(real_redis: RealRedis) -> AsyncIterator[SettleServer]:
    redis = open_redis(real_redis.url, 4)
    server = SettleServer(redis, Seconds(0))
    server.partitions = (NAMES.partition,)
    await server.prepare()
    life = str(real_redis.command("GET", NAMES.epoch), "ascii").partition(" ")[2]
    real_redis.command("SET", redis_keys.counted(NAMES.partition), life)
    await asyncio.sleep(0.002)  # a token of the very millisecond in which the memory began would be refused
    yield server
    await server.close()
    await redis.aclose()


async def settle(server: SettleServer, *calls: Settlement) -> list[Settled]:
    async def settled(what: Settlement) -> Settled:
        return read_settled(
            await server.settle(settle_call(what, Seconds(MARGIN)), Monotonic(time.monotonic() + 10)), what
        )

    return list(await asyncio.gather(*map(settled, calls)))


async def test_calls_that_go_together_run_one_script_and_none_is_lost(
    server: SettleServer, real_redis: RealRedis
) -> None:
    settled = await settle(server, *[charged(count=2) for _ in range(30)])
    assert {answer.outcome for answer in settled} == {SettleOutcome.CLEAR}
    assert [answer.accounts[0].used for answer in settled] == list(range(2, 62, 2))
    assert real_redis.runs_of("evalsha") == 1
    assert len([name for name in real_redis.names() if ":reserved:" in name]) == 30


async def test_a_limit_holds_whoever_comes_together(server: SettleServer) -> None:
    for _ in range(5):
        settled = await settle(server, *[charged(most=70) for _ in range(20)])
        assert all(answer.accounts[0].used <= 70 for answer in settled)
    outcomes = Counter(answer.outcome for answer in await settle(server, *[charged(most=110) for _ in range(64)]))
    assert outcomes == {SettleOutcome.CLEAR: 40, SettleOutcome.LIMIT_EXCEEDED: 24}


async def test_of_copies_of_a_token_one_is_charged(server: SettleServer) -> None:
    for number in range(1, 6):
        settled = await settle(server, *[charged(jti=f"copy-{number}") for _ in range(20)])
        outcomes = Counter(answer.outcome for answer in settled)
        assert outcomes == {SettleOutcome.CLEAR: 1, SettleOutcome.REPLAYED: 19}
        assert max(answer.accounts[0].used for answer in settled if answer.accounts) == number


async def test_what_is_in_the_way_of_one_call_spends_nothing_of_its_mates(
    server: SettleServer, real_redis: RealRedis
) -> None:
    real_redis.command("HSET", NAMES.revoked, str(SCOPES[1]), "1.0 ada")
    settled = await settle(server, *[charged(agent=place % 2) for place in range(20)])
    assert [answer.outcome for answer in settled] == [SettleOutcome.CLEAR, SettleOutcome.REVOKED] * 10
    assert sorted(answer.accounts[0].used for answer in settled[::2]) == list(range(1, 11))


async def test_a_memory_that_was_lost_is_begun_and_charges_nothing(server: SettleServer, real_redis: RealRedis) -> None:
    calls = [charged() for _ in range(3)]
    real_redis.command("FLUSHALL")
    assert {answer.outcome for answer in await settle(server, *calls)} == {SettleOutcome.STORE_RESET}
    assert not [name for name in real_redis.names() if ":limit:" in name or ":reserved:" in name]


async def test_a_call_that_fits_to_the_last_passes_and_none_beyond_it(server: SettleServer) -> None:
    settled = await settle(server, *[charged(most=10, count=count) for count in (3, 3, 3, 3, 1, 1)])
    assert [answer.outcome is SettleOutcome.CLEAR for answer in settled] == [True, True, True, False, True, False]
    assert [answer.accounts[0].used for answer in settled] == [3, 6, 9, 10, 10, 10]
    assert [answer.accounts[0].left for answer in settled if answer.outcome is SettleOutcome.CLEAR] == [7, 4, 1, 0]


async def test_tokens_and_reservations_are_kept_for_their_own_spans(
    server: SettleServer, real_redis: RealRedis
) -> None:
    spans = {60: 3_600_000, 6000: 1_800_000, 600: 7_200_000}
    calls = [charged(life=life, reserve=reserve) for life, reserve in spans.items()]
    await settle(server, *calls)
    assert real_redis.runs_of("evalsha") == 1
    for what, (life, reserve) in zip(calls, spans.items(), strict=True):
        asked = settle_call(what, MARGIN)
        assert asked.plain is not None
        for name, span in ((asked.jti, (life + MARGIN) * 1000), (asked.plain.reserved, reserve)):
            assert span - SLACK < int(str(real_redis.command("PTTL", name))) <= span


async def test_calls_that_nothing_is_charged_pass_together_as_alone(server: SettleServer) -> None:
    nothing = Charging("d-1", (), 0, True)
    for size in (1, 3):
        calls = [replace(charged(), charging=nothing) for _ in range(size)]
        assert [answer.outcome for answer in await settle(server, *calls)] == [SettleOutcome.CLEAR] * size
        assert [answer.outcome for answer in await settle(server, *calls)] == [SettleOutcome.REPLAYED] * size


async def test_a_count_of_another_life_may_be_forgotten(server: SettleServer, real_redis: RealRedis) -> None:
    real_redis.command("SET", redis_keys.counted(NAMES.partition), "c" * 80)
    settled = await settle(server, *[charged() for _ in range(3)])
    assert {(answer.outcome, answer.accounts[0].excess) for answer in settled} == {
        (SettleOutcome.LIMIT_EXCEEDED, Excess.LOST)
    }


async def test_a_redis_that_forgot_the_script_is_told_it_again(server: SettleServer, real_redis: RealRedis) -> None:
    real_redis.command("SCRIPT", "FLUSH")
    settled = await settle(server, *[charged() for _ in range(3)])
    assert [answer.accounts[0].used for answer in settled] == [1, 2, 3]
