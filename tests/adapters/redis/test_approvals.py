from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from aegis_authz.adapters.redis import client as redis_client
from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.approvals import RedisApprovals
from aegis_authz.adapters.redis.revocations import RedisRevocations
from aegis_authz.adapters.system import SystemClock
from aegis_authz.approvals.document import approval_to_text
from aegis_authz.core.approval import ApprovalNotFound, ApprovalPage, ApprovalProof, ApprovalRequest, ApprovalState
from aegis_authz.core.revocation import Revocation, Revoked
from aegis_authz.core.scope import Scope
from aegis_authz.ports.data_plane import StoreDown
from tests.support.fail_closed.impostors import redis_replying
from tests.support.fail_closed.mesh import listening
from tests.support.real_redis import RealRedis

Desk = tuple[RedisApprovals, RedisRevocations]
BOT = Scope("acme", "emea", "bot")
EVERY, NOTHING = list(ApprovalState), ApprovalPage((), (), "")
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
    scope = BOT if name.startswith(f"apr_{redis_keys.partition_of(BOT)}") else Scope("acme", "spoilt", "bot")
    texts = (scope, "stripe", "pay")
    request = ApprovalRequest(
        name,
        *texts,
        {"amount": 7000},
        "d1",
        "r1",
        ("p",),
        ("finance",),
        now,
        now + 900,
        {},
        "b1",
        "d-1",
        1,
        (),
        (),
        ApprovalProof.ANY,
        "",
    )
    expires = str(int(request.expires_at * 1000))
    fields = {"state": "pending", "expires_at": expires, "document": approval_to_text(request).decode(), **changed}
    real_redis.command("HSET", redis_keys.approval(name), *(word for pair in fields.items() for word in pair))
    real_redis.command("ZADD", redis_keys.approvals(redis_keys.partition_of(scope)), expires, name)


ACTS: list[Callable[[Desk], Awaitable[object]]] = [
    lambda desk: desk[0].page(EVERY, 50, ""),
    lambda desk: desk[0].get(HELD),
    lambda desk: desk[0].decide(HELD, ApprovalState.APPROVED, "alice", time.time()),
    lambda desk: desk[1].revoke(Revocation(Revoked.agent(BOT), "alice", time.time())),
    lambda desk: desk[1].restore(Revoked.agent(BOT)),
    lambda desk: desk[1].list(),
    lambda desk: desk[1].is_whole(),
    lambda desk: desk[1].declare_whole(),
]


@pytest.mark.parametrize(
    "act",
    ACTS,
    ids=["list", "get", "decide", "revoke", "restore", "revocations", "is whole", "declare whole"],
)
async def test_a_redis_that_died_or_hangs_is_told_and_never_waited_for(
    desk: Desk, real_redis: RealRedis, act: Callable[[Desk], Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk[1].is_whole()  # what is declared whole is the life that was asked
    real_redis.pause()
    monkeypatch.setattr(redis_client, "_ANSWER_TIMEOUT", 0.05)
    with pytest.raises(StoreDown, match="TimeoutError"):
        await act(desk)
    monkeypatch.setattr(redis_client, "_ANSWER_TIMEOUT", 20.0)
    real_redis.kill()
    with pytest.raises(StoreDown, match="ConnectionError"):
        await act(desk)


async def test_more_approvers_than_connections_wait_for_their_turn(desk: Desk, real_redis: RealRedis) -> None:
    names = [redis_keys.approval_id(BOT, secrets.token_hex(16)) for _ in range(20)]
    for name in names:
        remember(real_redis, name)
    found = await asyncio.gather(*(desk[0].page([ApprovalState.PENDING], 50, "") for _ in range(20)))
    assert all({held.request.id for held in page.approvals} == set(names) for page in found)


async def test_after_a_restart_of_redis_the_same_desk_works_on(desk: Desk, real_redis: RealRedis) -> None:
    assert await desk[0].page(EVERY, 50, "") == NOTHING
    real_redis.kill()
    real_redis.start()
    await asyncio.sleep(0.01)  # starting it held up the event loop, which has yet to see that the connection ended
    remember(real_redis, HELD)
    decided = await desk[0].decide(HELD, ApprovalState.DENIED, "alice", time.time())
    assert (decided.state, decided.decided_by) == (ApprovalState.DENIED, "alice")


async def test_an_approval_forgotten_by_redis_is_neither_listed_nor_found(desk: Desk, real_redis: RealRedis) -> None:
    remember(real_redis, HELD)
    real_redis.command("DEL", redis_keys.approval(HELD))
    assert await desk[0].page(EVERY, 50, "") == NOTHING
    with pytest.raises(ApprovalNotFound):
        await desk[0].decide(HELD, ApprovalState.APPROVED, "alice", time.time())


@pytest.mark.parametrize("changed", [{"state": "granted"}, {"document": "{"}, {"document": "{}"}, {"decided_at": "x"}])
async def test_an_approval_that_cannot_be_read_is_named_and_not_decided(
    desk: Desk, real_redis: RealRedis, changed: dict[str, str]
) -> None:
    remember(real_redis, HELD, **changed)
    for act in ACTS[1:3]:
        with pytest.raises(StoreDown, match=HELD):
            await act(desk)


def spoil(real_redis: RealRedis, name: str, how: str) -> None:
    key = redis_keys.approval(name)
    match how:
        case "no document":
            real_redis.command("HDEL", key, "document")
        case "another state":
            real_redis.command("HSET", key, "state", "pending\x00")
        case "no JSON":
            real_redis.command("HSET", key, "document", "{")
        case "huge":
            real_redis.command("HSET", key, "document", "x" * 5_000_000)
        case "no hash":
            real_redis.command("DEL", key)
            real_redis.command("SET", key, "x")
        case "a name that is none":
            real_redis.command("ZADD", redis_keys.approvals("00"), "+inf", "\x1b[2J")
        case "no index":
            index = redis_keys.approvals(redis_keys.partition_of(Scope("acme", "spoilt", "bot")))
            real_redis.command("DEL", index)
            real_redis.command("SET", index, "x")


@pytest.mark.parametrize(
    "how", ["no document", "another state", "no JSON", "huge", "no hash", "a name that is none", "no index"]
)
async def test_what_is_spoilt_for_one_tenant_does_not_keep_the_others_from_being_listed(
    desk: Desk, real_redis: RealRedis, how: str
) -> None:
    spoilt = redis_keys.approval_id(Scope("acme", "spoilt", "bot"), "1" * 32)
    assert redis_keys.partition_of(BOT) != redis_keys.partition_of(Scope("acme", "spoilt", "bot"))
    for name in (HELD, spoilt):
        remember(real_redis, name)
    spoil(real_redis, spoilt, how)
    page = await desk[0].page(EVERY, 50, "")
    assert HELD in [held.request.id for held in page.approvals]
    assert set(page.unreadable) <= {spoilt}
    overdue, _ = await desk[0].overdue(0.0, time.time() + 1000, 50)
    assert HELD in [held.request.id for held in overdue]


@pytest.mark.parametrize("reply", [b"*0\r\n", b"*1\r\n*0\r\n", b"_\r\n", b"+OK\r\n"])
async def test_a_reply_without_every_index_is_not_taken_for_nothing_overdue(tmp_path: Path, reply: bytes) -> None:
    async with listening(tmp_path / "redis.sock", redis_replying({b"EVAL": reply})):
        approvals = RedisApprovals(f"unix://{tmp_path}/redis.sock", SystemClock())
        with pytest.raises(StoreDown, match="no list of all indexes"):
            await approvals.overdue(0.0, time.time(), 50)
        await approvals.close()


async def test_a_page_reads_no_more_than_it_shows(desk: Desk, real_redis: RealRedis) -> None:
    names = {redis_keys.approval_id(BOT, secrets.token_hex(16)) for _ in range(25)}
    for name in names:
        remember(real_redis, name)
    before = real_redis.runs_of("hgetall")
    listed, after = list[str](), ""
    for _ in range(3):
        page = await desk[0].page(EVERY, 10, after)
        assert len(page.approvals) <= 10
        listed += [held.request.id for held in page.approvals]
        after = page.after
    assert (set(listed), len(listed), after) == (names, 25, "")
    assert real_redis.runs_of("hgetall") - before == 25


async def test_what_is_spoilt_around_an_approval_does_not_keep_it_from_ending(
    desk: Desk, real_redis: RealRedis
) -> None:
    remember(real_redis, HELD)
    for key in (redis_keys.pending(BOT, "d1"), *redis_keys.waiting(BOT)):
        real_redis.command("RPUSH", key, "x")
    await desk[0].expire(HELD, time.time() + 1000)
    assert (await desk[0].page([ApprovalState.EXPIRED], 9, "")).approvals[0].request.id == HELD


async def test_a_place_that_is_none_is_refused(desk: Desk) -> None:
    for place in ("x", "1", "-", "1-\n", "1-A"):
        with pytest.raises(ValueError, match="place"):
            await desk[0].page(EVERY, 1, place)


async def test_a_revocation_that_cannot_be_read_is_named(desk: Desk, real_redis: RealRedis) -> None:
    real_redis.command("HSET", redis_keys.revoked(redis_keys.partition_of(BOT)), "acme/emea/bot", "once upon a time")
    with pytest.raises(StoreDown, match="acme/emea/bot"):
        await desk[1].list()


async def test_revocations_of_all_tenants_are_listed_newest_first(desk: Desk) -> None:
    for number, tenant in enumerate(("emea", "apac", "amer")):
        target = Revoked.agent(Scope("acme", tenant, "bot"))
        await desk[1].revoke(Revocation(target, f"approver {number}", 1000.5 + number))
    listed = [(revocation.target.mark, revocation.by, revocation.at) for revocation in await desk[1].list()]
    assert listed == [
        ("acme/amer/bot", "approver 2", 1002.5),
        ("acme/apac/bot", "approver 1", 1001.5),
        ("acme/emea/bot", "approver 0", 1000.5),
    ]
