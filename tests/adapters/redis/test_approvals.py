from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from aegis_authz.adapters.redis import client as redis_client
from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.approvals import RedisApprovals
from aegis_authz.adapters.redis.revocations import RedisRevocations
from aegis_authz.adapters.system import SystemClock
from aegis_authz.approvals.document import approval_to_text
from aegis_authz.core.approval import ApprovalNotFound, ApprovalRequest, ApprovalState
from aegis_authz.core.scope import Scope
from aegis_authz.ports.data_plane import StoreDown
from tests.support.real_redis import RealRedis

Desk = tuple[RedisApprovals, RedisRevocations]
BOT = Scope("acme", "emea", "bot")
HELD = redis_keys.approval_id(BOT, "0" * 32)


@pytest.fixture
async def desk(real_redis: RealRedis) -> AsyncIterator[Desk]:
    approvals, revocations = RedisApprovals(real_redis.url, SystemClock()), RedisRevocations(real_redis.url)
    yield approvals, revocations
    await approvals.close()
    await revocations.close()


def remember(real_redis: RealRedis, name: str, **changed: str) -> None:
    """Put a pending approval into Redis as settle.lua does."""
    now = time.time()
    texts = (BOT, "stripe", "pay")
    request = ApprovalRequest(
        name, *texts, {"amount": 7000}, "d1", "r1", ("p",), ("finance",), now, now + 900, {}, "b1", "d-1"
    )
    expires = str(int(request.expires_at * 1000))
    fields = {"state": "pending", "expires_at": expires, "document": approval_to_text(request).decode(), **changed}
    real_redis.command("HSET", redis_keys.approval(name), *(word for pair in fields.items() for word in pair))
    real_redis.command("ZADD", redis_keys.approvals(redis_keys.partition_of(BOT)), expires, name)


ACTS: list[Callable[[Desk], Awaitable[object]]] = [
    lambda desk: desk[0].list(None),
    lambda desk: desk[0].get(HELD),
    lambda desk: desk[0].decide(HELD, ApprovalState.APPROVED, "alice", time.time()),
    lambda desk: desk[1].revoke(BOT, "alice", time.time()),
    lambda desk: desk[1].restore(BOT),
    lambda desk: desk[1].list(),
]


@pytest.mark.parametrize("act", ACTS, ids=["list", "get", "decide", "revoke", "restore", "revocations"])
async def test_a_redis_that_died_or_hangs_is_told_and_never_waited_for(
    desk: Desk, real_redis: RealRedis, act: Callable[[Desk], Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_client, "_ANSWER_TIMEOUT", 0.05)
    real_redis.pause()
    with pytest.raises(StoreDown, match="TimeoutError"):
        await act(desk)
    real_redis.kill()
    with pytest.raises(StoreDown, match="ConnectionError"):
        await act(desk)


async def test_more_approvers_than_connections_wait_for_their_turn(desk: Desk, real_redis: RealRedis) -> None:
    names = [redis_keys.approval_id(BOT, secrets.token_hex(16)) for _ in range(20)]
    for name in names:
        remember(real_redis, name)
    found = await asyncio.gather(*(desk[0].list(ApprovalState.PENDING) for _ in range(20)))
    assert all({held.request.id for held in listed} == set(names) for listed in found)


async def test_after_a_restart_of_redis_the_same_desk_works_on(desk: Desk, real_redis: RealRedis) -> None:
    assert await desk[0].list(None) == []
    real_redis.kill()
    real_redis.start()
    await asyncio.sleep(0.01)  # starting it held up the event loop, which has yet to see that the connection ended
    remember(real_redis, HELD)
    decided = await desk[0].decide(HELD, ApprovalState.DENIED, "alice", time.time())
    assert (decided.state, decided.decided_by) == (ApprovalState.DENIED, "alice")


async def test_an_approval_forgotten_by_redis_is_neither_listed_nor_found(desk: Desk, real_redis: RealRedis) -> None:
    remember(real_redis, HELD)
    real_redis.command("DEL", redis_keys.approval(HELD))
    assert await desk[0].list(None) == []
    with pytest.raises(ApprovalNotFound):
        await desk[0].decide(HELD, ApprovalState.APPROVED, "alice", time.time())


@pytest.mark.parametrize("changed", [{"state": "granted"}, {"document": "{"}, {"document": "{}"}, {"decided_at": "x"}])
async def test_an_approval_that_cannot_be_read_is_named_and_not_decided(
    desk: Desk, real_redis: RealRedis, changed: dict[str, str]
) -> None:
    remember(real_redis, HELD, **changed)
    for act in ACTS[:3]:
        with pytest.raises(StoreDown, match=HELD):
            await act(desk)


async def test_a_revocation_that_cannot_be_read_is_named(desk: Desk, real_redis: RealRedis) -> None:
    real_redis.command("HSET", redis_keys.revoked(redis_keys.partition_of(BOT)), "acme/emea/bot", "once upon a time")
    with pytest.raises(StoreDown, match="acme/emea/bot"):
        await desk[1].list()


async def test_revocations_of_all_tenants_are_listed_newest_first(desk: Desk) -> None:
    for number, tenant in enumerate(("emea", "apac", "amer")):
        await desk[1].revoke(Scope("acme", tenant, "bot"), f"approver {number}", 1000.5 + number)
    listed = [(str(revocation.scope), revocation.by, revocation.at) for revocation in await desk[1].list()]
    assert listed == [
        ("acme/amer/bot", "approver 2", 1002.5),
        ("acme/apac/bot", "approver 1", 1001.5),
        ("acme/emea/bot", "approver 0", 1000.5),
    ]
