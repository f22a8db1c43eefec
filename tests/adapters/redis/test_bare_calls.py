from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.exceptions import ResponseError

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.bare_calls import DOUBT, read_bare
from aegis_authz.adapters.redis.client import open_redis
from aegis_authz.adapters.redis.settle_script import Form, read_settled, settle_call
from aegis_authz.adapters.redis.settle_server import SettleServer
from aegis_authz.core.charge import Charging
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.limit import Count, Exceed, Limit, Per, RollingWindow
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from aegis_authz.core.units import Monotonic, Seconds
from aegis_authz.limits.charges import Sessions, charges_of
from tests.support.real_redis import RealRedis

BOT = Scope("acme", "emea", "bot")
NAMES = redis_keys.names_of(redis_keys.partition_of(BOT))
MARGIN = Seconds(60)


def settlement(jti: str = "", agent: str = "bot", life: float = 60) -> Settlement:
    now = time.time()
    scope = replace(BOT, agent=agent)
    who = Identity(
        scope, "aegis", "k", jti or secrets.token_hex(8), now, now + life, (), "", Way.AGENT_KEY, None, "", None
    )
    return Settlement(who, None, None, now, (), None, None, None)


async def settle(server: SettleServer, what: Settlement) -> Settled:
    return read_settled(await server.settle(settle_call(what, MARGIN), soon()), what)


def soon() -> Monotonic:
    return Monotonic(time.monotonic() + 10)


def test_none_replayed_are_all_clear_and_places_are_those_of_replays() -> None:
    assert read_bare(0, 3) == [SettleOutcome.CLEAR] * 3
    assert read_bare([1, 3], 3) == [SettleOutcome.REPLAYED, SettleOutcome.CLEAR, SettleOutcome.REPLAYED]


def test_nothing_said_is_a_doubt_and_an_error_is_that_of_each_call() -> None:
    assert read_bare(None, 2) == [DOUBT] * 2
    error = ResponseError("OOM")
    assert read_bare(error, 2) == [error] * 2


@pytest.mark.parametrize(
    "reply", [False, True, 1, -1, 0.0, b"0", b"OK", "", [], [0], [4], [2, 1], [1, 1], [True], [1.0], [b"1"], [[1]], {}]
)
def test_what_the_script_does_not_give_is_an_error_of_each_call(reply: object) -> None:
    told = read_bare(reply, 3)
    assert len(told) == 3
    assert all(isinstance(answer, ValueError) for answer in told)


@pytest.fixture(params=[2, 3])
async def server(real_redis: RealRedis, request: pytest.FixtureRequest) -> AsyncIterator[SettleServer]:
    """Over both protocols of Redis."""
    redis = open_redis(f"{real_redis.url}?protocol={request.param}", 4)
    server = SettleServer(redis, Seconds(0))
    server.partitions = (NAMES.partition,)
    await server.prepare()
    await asyncio.sleep(0.002)  # a token of the very millisecond in which the memory began would be refused
    yield server
    await server.close()
    await redis.aclose()


async def test_bare_calls_of_a_partition_run_one_script_and_their_replays_one_more(
    server: SettleServer, real_redis: RealRedis
) -> None:
    calls = [settlement() for _ in range(20)]
    for number, outcome in enumerate((SettleOutcome.CLEAR, SettleOutcome.REPLAYED)):
        settled = await asyncio.gather(*[settle(server, what) for what in calls])
        assert {answer.outcome for answer in settled} == {outcome}
        assert real_redis.runs_of("evalsha") == number + 1


EPOCHS = ("begun", "missing", "of another life", "after the token", "with the token")
MARKS = ("", "acme/emea/bot", "acme/emea", "token", "key")


async def test_what_is_said_of_bare_calls_together_is_said_of_each_alone(
    server: SettleServer, real_redis: RealRedis
) -> None:
    begun = real_redis.command("GET", NAMES.epoch)
    assert isinstance(begun, bytes)
    since, _, life = begun.decode().partition(" ")
    seen = set()
    for epoch, is_used, mark, quarantined in itertools.product(EPOCHS, (False, True), MARKS, (0, -1000, 60_000)):
        what = settlement()
        asked = settle_call(what, MARGIN)
        moments = (f"{asked.issued_at + 1} {life}", f"{asked.issued_at} {life}")
        epochs = dict(zip(EPOCHS, (begun, "", f"{since} {'c' * 80}", *moments), strict=True))
        mark = {"token": asked.token, "key": asked.marks[0]}.get(mark, mark)
        told = []
        for question in (asked, asked._replace(form=Form.ALONE)):
            real_redis.command("FLUSHDB")
            for command in (
                ("SET", NAMES.epoch, epochs[epoch]) if epochs[epoch] else (),
                ("SET", asked.jti, "1", "PX", 60_000) if is_used else (),
                ("HSET", NAMES.revoked, mark, "1.0 ada") if mark else (),
                ("ZADD", NAMES.quarantined, asked.now + quarantined, asked.scope) if quarantined else (),
            ):
                if command:
                    real_redis.command(*command)
            settled = read_settled(await server.settle(question, soon()), what)
            told.append((settled, real_redis.names()))
        assert told[0] == told[1], (epoch, is_used, mark, quarantined)
        seen.add(told[0][0].outcome)
    assert {outcome.value for outcome in seen} == {"clear", "replayed", "store_reset", "revoked", "quarantined"}


async def test_a_token_is_good_once_in_bare_calls_and_others_side_by_side(server: SettleServer) -> None:
    limit = Limit("lim", "p", "n", Per.AGENT, Exceed.DENY, (), None, Count(1000, RollingWindow(60_000)))
    for _ in range(10):
        bare = settlement()
        charges = charges_of((limit,), {}, BOT, Sessions("", "", ""), None, bare.now)
        calls = [
            replace(bare, charging=Charging(secrets.token_hex(8), charges, 0, is_held_when_over=True))
            if place % 3
            else bare
            for place in range(48)
        ]
        outcomes = [settled.outcome for settled in await asyncio.gather(*[settle(server, what) for what in calls])]
        assert outcomes.count(SettleOutcome.CLEAR) == 1
        assert outcomes.count(SettleOutcome.REPLAYED) == 47


async def test_copies_of_a_token_in_doubt_pass_once(server: SettleServer, real_redis: RealRedis) -> None:
    real_redis.command("ZADD", NAMES.quarantined, 1, str(BOT))  # over long since, as the script finds
    for _ in range(10):
        what = settlement()
        outcomes = [settled.outcome for settled in await asyncio.gather(*[settle(server, what) for _ in range(48)])]
        assert outcomes.count(SettleOutcome.CLEAR) == 1
        assert outcomes.count(SettleOutcome.REPLAYED) == 47


async def test_a_token_is_remembered_for_its_own_life_whatever_its_mates_live(
    server: SettleServer, real_redis: RealRedis
) -> None:
    calls = [settlement(life=life) for life in (60, 600, 6)]
    await asyncio.gather(*[settle(server, what) for what in calls])
    for what, life in zip(calls, (60, 600, 6), strict=True):
        left = int(str(real_redis.command("PTTL", settle_call(what, MARGIN).jti)))
        assert (life + 55) * 1000 < left <= (life + 60) * 1000


async def test_a_token_without_a_life_harms_no_mate(server: SettleServer) -> None:
    odd = replace(settlement(), identity=replace(settlement().identity, expires_at=time.time() - 3600))
    answers = await asyncio.gather(
        *[settle(server, what) for what in (settlement(), odd, settlement())], return_exceptions=True
    )
    assert isinstance(answers[1], Refused)
    assert [answer.outcome for answer in answers[::2] if isinstance(answer, Settled)] == [SettleOutcome.CLEAR] * 2


async def test_closing_lets_calls_in_doubt_finish(server: SettleServer, real_redis: RealRedis) -> None:
    real_redis.command("HSET", NAMES.revoked, str(BOT), "1.0 ada")
    calls = [asyncio.create_task(settle(server, settlement())) for _ in range(200)]
    await asyncio.sleep(0)
    await server.close()
    assert all(task.done() for task in calls)
    assert {(await task).outcome for task in calls} == {SettleOutcome.REVOKED}


async def test_one_revoked_call_has_its_mates_settled_alone(server: SettleServer, real_redis: RealRedis) -> None:
    real_redis.command("HSET", NAMES.revoked, "acme/emea/cat", "1.0 ada")
    await settle(server, settlement())
    assert real_redis.runs_of("evalsha") == 1
    settled = await asyncio.gather(*[settle(server, settlement(agent=name)) for name in ("bot", "cat") * 20])
    assert [answer.outcome for answer in settled] == [SettleOutcome.CLEAR, SettleOutcome.REVOKED] * 20
    assert real_redis.runs_of("evalsha") == 42


async def test_marks_of_every_call_are_looked_at(server: SettleServer, real_redis: RealRedis) -> None:
    calls = []
    for number in range(5):
        what = settlement(agent=f"bot-{number}")
        who = replace(what.identity, key_id=f"k-{number}", actors=(f"acme/of-{number}/actor",))
        calls.append(replace(what, identity=who))
    for what in calls:
        asked = settle_call(what, MARGIN)
        assert len(asked.marks) == 3  # its key, its actor and the tenant of that
        for mark in (asked.scope, asked.token, *asked.marks):
            real_redis.command("DEL", NAMES.revoked)
            real_redis.command("HSET", NAMES.revoked, mark, "1.0 ada")
            fresh = [replace(each, resumes=secrets.token_hex(4)) for each in calls]  # each uses up something new
            settled = await asyncio.gather(*[settle(server, each) for each in fresh])
            refused = [
                each.identity
                for each, answer in zip(calls, settled, strict=True)
                if answer.outcome is SettleOutcome.REVOKED
            ]
            assert refused == [what.identity], mark


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_token_older_than_the_memory_is_refused_whatever_comes_with_it(
    server: SettleServer, place: int
) -> None:
    calls = [settlement() for _ in range(3)]
    who = calls[place].identity
    calls[place] = replace(calls[place], identity=replace(who, issued_at=who.issued_at - 30))
    outcomes = [settled.outcome for settled in await asyncio.gather(*[settle(server, what) for what in calls])]
    assert outcomes.pop(place) is SettleOutcome.STORE_RESET
    assert outcomes == [SettleOutcome.CLEAR] * 2


async def test_a_redis_that_forgot_the_scripts_is_told_them_again(server: SettleServer, real_redis: RealRedis) -> None:
    real_redis.command("SCRIPT", "FLUSH")
    what = settlement()
    assert (await settle(server, what)).outcome is SettleOutcome.CLEAR
    real_redis.command("SCRIPT", "FLUSH")
    real_redis.command("HSET", NAMES.revoked, str(BOT), "1.0 ada")
    assert (await settle(server, settlement())).outcome is SettleOutcome.REVOKED
