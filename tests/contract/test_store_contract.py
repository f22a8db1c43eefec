"""One suite for the store: the memory twin and a real Redis must behave alike."""

from __future__ import annotations

import asyncio
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis as redis_py

from aegis_authz.adapters.memory_store import MemoryStore
from aegis_authz.adapters.redis_approvals import RedisApprovals
from aegis_authz.adapters.redis_revocations import RedisRevocations
from aegis_authz.adapters.redis_store import RedisStore
from aegis_authz.core.approval import ApprovalConflict, ApprovalNotFound, ApprovalRequest, ApprovalState, approval_id
from aegis_authz.core.identity import Identity, Override
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from aegis_authz.ports import Approvals, Store, StoreDown


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
    revoke: Callable[[str, str, str, str, float], Awaitable[None]]
    restore: Callable[[str, str, str], Awaitable[bool]]

    def identity(self, agent: str = "bot", tenant: str = "emea", jti: str = "") -> Identity:
        now = self.clock.now()
        return Identity("acme", tenant, agent, "aegis", "k", jti or secrets.token_hex(8), now, now + 60, ())

    async def settle(
        self, identity: Identity | None = None, claims: Override | None = None, opens: ApprovalRequest | None = None
    ) -> Settled:
        who = identity or self.identity()
        return await self.store.settle(Settlement(who, claims, opens, self.clock.now()), time.monotonic() + 5)

    def request(self, digest: str = "d1", agent: str = "bot", tenant: str = "emea", revision: str = "r1") -> ApprovalRequest:
        now = self.clock.now()
        return ApprovalRequest(
            id=approval_id("acme", tenant, secrets.token_hex(16)),
            org="acme",
            tenant=tenant,
            agent=agent,
            tool="stripe",
            action="pay",
            parameters={"amount": 7000},
            digest=digest,
            revision=revision,
            policies=("p",),
            groups=("finance",),
            requested_at=now,
            expires_at=now + 900,
        )

    async def approved(self, request: ApprovalRequest) -> Override:
        await self.settle(self.identity(request.agent, request.tenant), opens=request)
        await self.approvals.decide(request.id, ApprovalState.APPROVED, "alice", self.clock.now())
        return Override(request.id, request.scope, request.digest, request.revision, "o", request.expires_at)


class RealRedis:
    """A real Redis on a unix socket."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.socket = folder / "r.sock"
        self.url = f"unix://{self.socket}"
        self._arguments = [str(binary), "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(folder)]
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self.process = subprocess.Popen([*self._arguments, "--loglevel", "warning"], stdout=subprocess.DEVNULL)
        client = redis_py.Redis(unix_socket_path=str(self.socket))
        async with asyncio.timeout(10):
            while not self._pings(client):
                await asyncio.sleep(0.01)
        client.close()

    @staticmethod
    def _pings(client: redis_py.Redis) -> bool:
        try:
            return bool(client.ping())
        except redis_py.ConnectionError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def command(self, *words: str) -> object:
        client = redis_py.Redis(unix_socket_path=str(self.socket))
        try:
            return client.execute_command(*words)
        finally:
            client.close()


@pytest.fixture
async def real_redis(redis_binary: Path, tmp_path: Path) -> AsyncIterator[RealRedis]:
    server = RealRedis(redis_binary, tmp_path)
    await server.start()
    yield server
    server.kill()


@pytest.fixture
async def redis_store(real_redis: RealRedis) -> AsyncIterator[RedisStore]:
    store = RedisStore(real_redis.url, MovableClock(), 60)
    await store.ready()
    yield store
    await store.close()


@pytest.fixture(params=["memory", "redis"])
async def contract(request: pytest.FixtureRequest, redis_binary: Path, tmp_path: Path) -> AsyncIterator[Contract]:
    clock = MovableClock()
    if request.param == "memory":
        memory = MemoryStore(clock, 60)

        async def forget() -> None:
            memory.forget_everything()

        yield Contract(memory, memory, clock, forget, memory.revoke, memory.restore)
        return
    server = RealRedis(redis_binary, tmp_path)
    await server.start()
    store, approvals, revocations = RedisStore(server.url, clock, 60), RedisApprovals(server.url, clock), RedisRevocations(server.url)

    async def flush() -> None:
        server.command("FLUSHALL")

    await store.ready()
    yield Contract(store, approvals, clock, flush, revocations.revoke, revocations.restore)
    await store.close()
    await approvals.close()
    await revocations.close()
    server.kill()


async def test_a_token_is_good_once(contract: Contract) -> None:
    identity = contract.identity()
    assert (await contract.settle(identity)).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(identity)).outcome is SettleOutcome.REPLAYED


async def test_of_many_at_the_same_moment_exactly_one_is_clear(contract: Contract) -> None:
    identity = contract.identity()
    outcomes = [settled.outcome for settled in await asyncio.gather(*(contract.settle(identity) for _ in range(50)))]
    assert outcomes.count(SettleOutcome.CLEAR) == 1
    assert outcomes.count(SettleOutcome.REPLAYED) == 49


async def test_the_same_jti_of_another_tenant_or_agent_issuer_is_another_token(contract: Contract) -> None:
    assert (await contract.settle(contract.identity(tenant="emea", jti="j"))).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(contract.identity(tenant="apac", jti="j"))).outcome is SettleOutcome.CLEAR


async def test_after_data_loss_older_tokens_are_refused_and_newer_ones_pass(contract: Contract) -> None:
    first, second = contract.identity(), contract.identity()
    await contract.settle(first)
    await contract.forget()
    assert (await contract.settle(first)).outcome is SettleOutcome.STORE_RESET
    assert (await contract.settle(second)).outcome is SettleOutcome.STORE_RESET
    contract.clock.ahead += 1
    assert (await contract.settle(contract.identity())).outcome is SettleOutcome.CLEAR


async def test_a_revoked_agent_is_refused_until_restored(contract: Contract) -> None:
    await contract.revoke("acme", "emea", "bot", "alice", contract.clock.now())
    spent = contract.identity()
    assert (await contract.settle(spent)).outcome is SettleOutcome.REVOKED
    assert (await contract.settle(contract.identity(agent="other"))).outcome is SettleOutcome.CLEAR
    assert await contract.restore("acme", "emea", "bot")
    assert not await contract.restore("acme", "emea", "bot")
    assert (await contract.settle()).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(spent)).outcome is SettleOutcome.REPLAYED


async def test_a_held_call_opens_one_approval_however_often_it_is_repeated(contract: Contract) -> None:
    first = await contract.settle(opens=contract.request())
    second = await contract.settle(opens=contract.request())
    other = await contract.settle(opens=contract.request(digest="d2"))
    assert first.outcome is second.outcome is SettleOutcome.OPENED
    assert first.approval_id == second.approval_id != other.approval_id
    assert first.approval_expires_at == pytest.approx(second.approval_expires_at, abs=0.002)
    assert {held.request.digest for held in await contract.approvals.list(ApprovalState.PENDING)} == {"d1", "d2"}


async def test_what_the_approver_sees_is_what_was_asked(contract: Contract) -> None:
    request = contract.request()
    await contract.settle(opens=request)
    held = await contract.approvals.get(request.id)
    assert (held.request, held.state, held.decided_by, held.decided_at) == (request, ApprovalState.PENDING, "", None)


async def test_an_approval_is_used_once(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.CLEAR
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.APPROVAL_USED
    assert (await contract.approvals.get(override.approval_id)).state is ApprovalState.USED


async def test_of_many_uses_at_the_same_moment_exactly_one_is_clear(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    outcomes = [s.outcome for s in await asyncio.gather(*(contract.settle(claims=override) for _ in range(20)))]
    assert outcomes.count(SettleOutcome.CLEAR) == 1


@pytest.mark.parametrize("changed", ["digest", "revision"])
async def test_an_approval_for_another_call_is_a_mismatch_and_stays_unused(contract: Contract, changed: str) -> None:
    override = await contract.approved(contract.request())
    values = {"approval_id": override.approval_id, "scope": override.scope, "digest": "d1", "revision": "r1", "jti": "o"}
    wrong = Override(**{**values, changed: "x"}, expires_at=override.expires_at)
    assert (await contract.settle(claims=wrong)).outcome is SettleOutcome.APPROVAL_MISMATCH
    assert (await contract.settle(claims=override)).outcome is SettleOutcome.CLEAR


async def test_another_agent_cannot_use_an_approval(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    stolen = await contract.settle(contract.identity(agent="thief"), claims=override)
    assert stolen.outcome is SettleOutcome.APPROVAL_MISMATCH
    elsewhere = await contract.settle(contract.identity(tenant="apac"), claims=override)
    assert elsewhere.outcome in (SettleOutcome.APPROVAL_MISMATCH, SettleOutcome.APPROVAL_NOT_GRANTED)


async def test_what_was_not_granted_cannot_be_used(contract: Contract) -> None:
    request = contract.request()
    await contract.settle(opens=request)
    pending = Override(request.id, request.scope, "d1", "r1", "o", request.expires_at)
    assert (await contract.settle(claims=pending)).outcome is SettleOutcome.APPROVAL_NOT_GRANTED
    await contract.approvals.decide(request.id, ApprovalState.DENIED, "alice", contract.clock.now())
    assert (await contract.settle(claims=pending)).outcome is SettleOutcome.APPROVAL_NOT_GRANTED
    unknown = Override("apr_nothing", request.scope, "d1", "r1", "o", request.expires_at)
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


@pytest.mark.parametrize("by", ["bot", "acme/emea/bot", ""])
async def test_the_requester_cannot_approve_itself(contract: Contract, by: str) -> None:
    request = contract.request()
    await contract.settle(opens=request)
    with pytest.raises(ApprovalConflict, match="requester"):
        await contract.approvals.decide(request.id, ApprovalState.APPROVED, by, contract.clock.now())


@pytest.mark.parametrize("unknown", ["apr_00" + "0" * 32, "apr_zz", "", "x" * 500])
async def test_an_unknown_approval_is_not_found(contract: Contract, unknown: str) -> None:
    with pytest.raises(ApprovalNotFound):
        await contract.approvals.get(unknown)


async def test_a_refused_token_opens_and_uses_nothing(contract: Contract) -> None:
    override = await contract.approved(contract.request())
    spent = contract.identity()
    await contract.settle(spent)
    assert (await contract.settle(spent, claims=override)).outcome is SettleOutcome.REPLAYED
    assert (await contract.settle(spent, opens=contract.request(digest="d9"))).outcome is SettleOutcome.REPLAYED
    assert (await contract.approvals.get(override.approval_id)).state is ApprovalState.APPROVED
    assert [held.request.digest for held in await contract.approvals.list(ApprovalState.PENDING)] == []


def settlement(agent: str = "bot") -> Settlement:
    # a little ahead: right after data loss a token of the very same millisecond would be refused
    now = time.time() + 0.05
    return Settlement(Identity("acme", "emea", agent, "aegis", "k", secrets.token_hex(8), now, now + 60, ()), None, None, now)


async def reason_of(store: RedisStore, seconds: float = 5) -> Reason | None:
    try:
        settled = await store.settle(settlement(), time.monotonic() + seconds)
    except Refused as refused:
        return refused.reason
    assert settled.outcome is SettleOutcome.CLEAR
    return None


async def test_a_redis_that_dies_is_unavailable_and_back_at_once_when_it_returns(redis_store: RedisStore, real_redis: RealRedis) -> None:
    assert await reason_of(redis_store) is None
    real_redis.kill()
    assert await reason_of(redis_store) is Reason.STORE_UNAVAILABLE
    with pytest.raises(StoreDown):
        await redis_store.ready()
    await real_redis.start()
    first = await redis_store.settle(settlement(), time.monotonic() + 5)
    assert first.outcome is SettleOutcome.STORE_RESET  # it came back empty
    assert await reason_of(redis_store) is None


async def test_a_redis_that_hangs_costs_its_time_and_no_more(redis_store: RedisStore, real_redis: RealRedis) -> None:
    assert real_redis.process is not None
    real_redis.process.send_signal(signal.SIGSTOP)
    assert await reason_of(redis_store, 0.05) is Reason.STORE_TIMEOUT
    real_redis.process.send_signal(signal.SIGCONT)
    assert await reason_of(redis_store) is None


async def test_a_redis_without_memory_is_unavailable(redis_store: RedisStore, real_redis: RealRedis) -> None:
    real_redis.command("CONFIG", "SET", "maxmemory", "1kb")
    assert await reason_of(redis_store) is Reason.STORE_UNAVAILABLE


async def test_a_redis_that_forgot_the_script_is_told_again(redis_store: RedisStore, real_redis: RealRedis) -> None:
    real_redis.command("SCRIPT", "FLUSH")
    assert await reason_of(redis_store) is None


async def test_a_redis_that_evicts_is_not_ready(real_redis: RealRedis) -> None:
    real_redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    store = RedisStore(real_redis.url, MovableClock(), 60)
    with pytest.raises(StoreDown, match="noeviction"):
        await store.ready()
    await store.close()


async def test_all_keys_but_epochs_expire(redis_store: RedisStore, real_redis: RealRedis) -> None:
    await redis_store.settle(settlement(), time.monotonic() + 5)
    keys = real_redis.command("KEYS", "*")
    assert isinstance(keys, list)
    lasting = [key for key in keys if real_redis.command("TTL", key.decode()) == -1]
    assert lasting
    assert all(key.endswith(b":epoch") for key in lasting)
