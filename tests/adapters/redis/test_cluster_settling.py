from __future__ import annotations

import asyncio
import itertools
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.limits import RedisLimits
from aegis_authz.adapters.redis.reservations import RedisReservations
from aegis_authz.adapters.redis.revocations import RedisRevocations
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.adapters.system import SystemClock
from aegis_authz.commands.secrets import MeshAddresses, make_mesh_secrets
from aegis_authz.core.charge import Adjustment, Charging, Excess
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.limit import Count, Exceed, Limit, Per, RollingWindow
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from aegis_authz.limits.charges import Sessions, charges_of
from aegis_authz.ports.data_plane import StoreDown
from tests.support.authority import Authority
from tests.support.real_cluster import MASTERS, ClusterNode, RealCluster, running_cluster, until_fit

LIMIT = Limit("l", "p", "n", Per.TENANT, Exceed.DENY, (), None, Count(5, RollingWindow(3_600_000)))


@pytest.fixture
async def store(shared_cluster: RealCluster) -> AsyncIterator[RedisStore]:
    shared_cluster.command("FLUSHALL")
    opened = RedisStore(shared_cluster.url, SystemClock(), 0, 60)
    await until_fit(opened)
    await asyncio.sleep(0.002)  # a token of the very millisecond in which the memory began would be refused
    yield opened
    await opened.close()


def tenants(count: int) -> list[Scope]:
    return [Scope("acme", f"t{number}", "bot") for number in range(count)]


def tenant_of(cluster: RealCluster, node: ClusterNode) -> Scope:
    """A tenant whose keys that master holds."""
    scopes = (Scope("acme", f"t{number}", "bot") for number in itertools.count())
    return next(scope for scope in scopes if cluster.master_of(epoch_of(scope)) is node)


def epoch_of(scope: Scope) -> str:
    return redis_keys.epoch(redis_keys.partition_of(scope))


def settlement(scope: Scope, limits: Sequence[Limit] = (), name: str = "") -> Settlement:
    now, jti = time.time(), name or secrets.token_hex(8)
    who = Identity(scope, "aegis", "k", jti, now, now + 60, (), "", Way.TOKEN, None, "", None)
    charging = None
    if limits:
        charges = charges_of(limits, {}, scope, Sessions("", "", ""), None, now)
        charging = Charging(jti, charges, 60_000, is_held_when_over=True)
    return Settlement(who, None, None, now, (), charging, None, None)


async def settle(store: RedisStore, call: Settlement, seconds: float = 5.0) -> Settled:
    return await store.settle(call, time.monotonic() + seconds)


async def until_absent(store: RedisStore, node: ClusterNode) -> None:
    """Wait until the store says that it cannot use this master and no other."""
    async with asyncio.timeout(30):
        while [text.partition(" holds ")[0] for text in store.absent] != [node.address]:
            with suppress(StoreDown):  # a busy machine answers late
                await store.ready()


async def refusal(store: RedisStore, call: Settlement, seconds: float = 5.0) -> Refused:
    with pytest.raises(Refused) as caught:
        await settle(store, call, seconds)
    return caught.value


async def reset(cluster: RealCluster) -> None:
    """What an operator says who knows what was lost."""
    limits = RedisLimits(cluster.url)
    await limits.declare_counted()
    await limits.close()


def reads(node: ClusterNode) -> int:
    """How often the node read from a socket so far."""
    facts = node.command("INFO", "stats")
    assert isinstance(facts, dict)
    return int(facts["total_reads_processed"])


async def test_tenants_of_all_masters_settle_and_each_token_is_good_once(store: RedisStore) -> None:
    calls = [settlement(scope) for scope in tenants(200)]
    first = await asyncio.gather(*(settle(store, call) for call in calls))
    second = await asyncio.gather(*(settle(store, call) for call in calls))
    assert {settled.outcome for settled in first} == {SettleOutcome.CLEAR}
    assert {settled.outcome for settled in second} == {SettleOutcome.REPLAYED}
    assert store.absent == ()


async def test_calls_that_arrive_together_are_one_batch_for_each_master(
    store: RedisStore, shared_cluster: RealCluster
) -> None:
    await asyncio.gather(*(settle(store, settlement(scope)) for scope in tenants(60)))
    before = [reads(node) for node in shared_cluster.masters]
    await asyncio.gather(*(settle(store, settlement(scope)) for scope in tenants(60)))
    assert all(reads(node) - count < 10 for node, count in zip(shared_cluster.masters, before, strict=True))


async def test_a_tenant_in_motion_is_refused_and_all_others_pass(
    store: RedisStore, shared_cluster: RealCluster
) -> None:
    await reset(shared_cluster)
    scope = tenants(1)[0]
    key, source = epoch_of(scope), shared_cluster.master_of(epoch_of(scope))
    target = next(node for node in shared_cluster.masters if node is not source)
    used = settlement(scope, [LIMIT])
    assert (await settle(store, used)).accounts[0].used == 1
    shared_cluster.begin_move(key, target)
    assert (await refusal(store, settlement(scope))).reason is Reason.STORE_MOVING
    source.command("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)
    for call in (used, settlement(scope), settlement(scope, [LIMIT])):
        assert (await refusal(store, call)).reason is Reason.STORE_MOVING
    rest = [entry for entry in tenants(60) if epoch_of(entry) != key]
    settled = await asyncio.gather(*(settle(store, settlement(entry)) for entry in rest))
    assert {entry.outcome for entry in settled} == {SettleOutcome.CLEAR}
    shared_cluster.finish_move(key, target)
    # whoever has the keys now did not remember all that while: its memory begins, and nothing counts as remembered
    assert (await settle(store, used)).outcome is SettleOutcome.STORE_RESET
    await asyncio.sleep(0.002)
    lost = await settle(store, settlement(scope, [LIMIT]))
    assert (lost.outcome, lost.accounts[0].excess) == (SettleOutcome.LIMIT_EXCEEDED, Excess.LOST)
    assert (await settle(store, settlement(scope))).outcome is SettleOutcome.CLEAR
    await reset(shared_cluster)
    assert (await settle(store, settlement(scope, [LIMIT]))).accounts[0].used == 2, "what was charged has moved, too"


async def test_nothing_is_given_back_of_a_slot_of_which_a_part_has_moved(
    store: RedisStore, shared_cluster: RealCluster
) -> None:
    await reset(shared_cluster)
    scope = tenants(1)[0]
    reservations = RedisReservations(shared_cluster.url)
    assert (await settle(store, settlement(scope, [LIMIT], "not made"))).accounts[0].used == 1
    key, source = epoch_of(scope), shared_cluster.master_of(epoch_of(scope))
    target = next(node for node in shared_cluster.masters if node is not source)
    shared_cluster.begin_move(key, target)
    sums = list(source.command("KEYS", "*:limit:*"))  # type: ignore[attr-defined]
    assert len(sums) == 1
    source.command("MIGRATE", "127.0.0.1", target.port, sums[0], 0, 5000)
    back = Adjustment(gives_back=True, cost=None)
    with pytest.raises(StoreDown):
        await reservations.adjust(scope, "not made", back)
    shared_cluster.finish_move(key, target)
    assert await reservations.adjust(scope, "not made", back)
    assert not await reservations.adjust(scope, "not made", back)
    await reset(shared_cluster)
    while (await settle(store, settlement(scope))).outcome is not SettleOutcome.CLEAR:
        pass
    assert (await settle(store, settlement(scope, [LIMIT]))).accounts[0].used == 1
    await reservations.close()


async def test_of_a_master_that_hangs_its_tenants_alone_are_refused(
    store: RedisStore, shared_cluster: RealCluster
) -> None:
    hung, *others = shared_cluster.masters
    theirs, ours = tenant_of(shared_cluster, hung), [tenant_of(shared_cluster, node) for node in others]
    hung.pause()
    try:
        assert (await refusal(store, settlement(theirs), 0.05)).reason is Reason.STORE_TIMEOUT
        for _ in range(5):
            settled = await asyncio.gather(*(settle(store, settlement(scope), 1) for scope in ours))
            assert {entry.outcome for entry in settled} == {SettleOutcome.CLEAR}
        await until_absent(store, hung)
    finally:
        hung.go_on()
        shared_cluster.agree()
    await asyncio.sleep(0.002)
    assert (await settle(store, settlement(theirs))).outcome is SettleOutcome.CLEAR


async def test_of_a_master_that_is_gone_its_tenants_alone_are_refused(
    store: RedisStore, shared_cluster: RealCluster
) -> None:
    gone, *others = shared_cluster.masters
    theirs, ours = tenant_of(shared_cluster, gone), [tenant_of(shared_cluster, node) for node in others]
    gone.kill()
    try:
        await asyncio.sleep(0.01)  # the loop has yet to see that the connections ended
        assert (await refusal(store, settlement(theirs))).reason is Reason.STORE_UNAVAILABLE
        settled = await asyncio.gather(*(settle(store, settlement(scope)) for scope in ours))
        assert {entry.outcome for entry in settled} == {SettleOutcome.CLEAR}
        await until_absent(store, gone)
        another = RedisStore(shared_cluster.url, SystemClock(), 0, 60)  # a worker that starts meanwhile
        assert (await settle(another, settlement(ours[0]))).outcome is SettleOutcome.CLEAR
        assert (await refusal(another, settlement(theirs))).reason is Reason.STORE_UNAVAILABLE
        await another.close()
    finally:
        gone.start()
        shared_cluster.agree()
    # it is back with nothing: what was used may be used again, and what is older than its memory is refused
    assert (await settle(store, settlement(theirs))).outcome is SettleOutcome.STORE_RESET
    await until_fit(store)
    await asyncio.sleep(0.002)
    assert (await settle(store, settlement(theirs))).outcome is SettleOutcome.CLEAR


async def test_a_cluster_that_is_gone_is_not_ready_and_settles_nothing() -> None:
    store = RedisStore("cluster://127.0.0.1:1", SystemClock(), 0, 60)
    with pytest.raises(StoreDown, match="Redis cannot be used"):
        await store.ready()
    assert (await refusal(store, settlement(tenants(1)[0]))).reason is Reason.STORE_UNAVAILABLE
    await store.close()


async def test_one_master_that_forgets_by_itself_settles_nothing(
    store: RedisStore, shared_cluster: RealCluster
) -> None:
    evicting, other, _ = shared_cluster.masters
    evicting.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        await until_absent(store, evicting)
        assert "noeviction" in store.absent[0]
        theirs = await refusal(store, settlement(tenant_of(shared_cluster, evicting)))
        assert theirs.reason is Reason.STORE_UNAVAILABLE
        call = settlement(tenant_of(shared_cluster, other))
        assert (await settle(store, call)).outcome is SettleOutcome.CLEAR
    finally:
        evicting.command("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_a_node_of_a_cluster_that_is_named_as_a_server_of_its_own_is_refused(shared_cluster: RealCluster) -> None:
    node = shared_cluster.masters[0]
    store = RedisStore(f"redis://{node.address}", SystemClock(), 0, 60)
    with pytest.raises(StoreDown, match="cluster://host:port"):
        await store.ready()
    refused = await refusal(store, settlement(tenant_of(shared_cluster, shared_cluster.masters[1])))
    assert (refused.reason, "cluster://host:port" in refused.detail) == (Reason.STORE_UNAVAILABLE, True)
    await store.close()


async def test_the_user_that_aegis_init_makes_may_all_that_is_needed(
    shared_cluster: RealCluster, tmp_path: Path
) -> None:
    shared_cluster.command("FLUSHALL")
    addresses = MeshAddresses(shared_cluster.url, "http://control:7400", tmp_path / "opa.token")
    make_mesh_secrets(tmp_path, addresses, for_images=False)
    url = (tmp_path / "authz" / "redis.url").read_text().strip()
    _, name, *rules = (tmp_path / "redis" / "users.acl").read_text().splitlines()[-1].split(" ")
    shared_cluster.command("ACL", "SETUSER", name, *rules)
    store, limits, revocations = RedisStore(url, SystemClock(), 0, 60), RedisLimits(url), RedisRevocations(url)
    try:
        await until_fit(store)
        await limits.declare_counted()
        assert await limits.is_counted()
        await revocations.declare_whole()
        assert await revocations.list() == []
        await asyncio.sleep(0.002)
        assert (await settle(store, settlement(tenants(1)[0], [LIMIT]))).accounts[0].used == 1
    finally:
        for opened in (store, limits, revocations):
            await opened.close()
        shared_cluster.command("ACL", "DELUSER", name)


@asynccontextmanager
async def behind_tls(binary: Path, tls: ssl.SSLContext) -> AsyncIterator[list[str]]:
    """A cluster that clients reach by TLS: the addresses of relays, which the nodes announce as their own."""
    nodes: list[ClusterNode] = []

    def relay_to(number: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", nodes[number].port)
            await asyncio.gather(pump(reader, back), pump(there, writer))

        return relay

    relays = [await asyncio.start_server(relay_to(number), "127.0.0.1", 0, ssl=tls) for number in range(MASTERS)]
    ports = [relay.sockets[0].getsockname()[1] for relay in relays]
    with running_cluster(binary, ports) as cluster:
        nodes += cluster.masters
        yield [f"127.0.0.1:{port}" for port in ports]
    for relay in relays:
        relay.close()
        await relay.wait_closed()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_every_node_is_asked_by_tls_and_has_to_prove_its_name(redis_binary: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    name = x509.IPAddress(ip_address("127.0.0.1"))
    async with behind_tls(redis_binary, authority.context(name)) as addresses:
        store = RedisStore(f"clusters://{addresses[0]}?ssl_ca_certs={authority.file}", SystemClock(), 0, 60)
        await until_fit(store)
        await asyncio.sleep(0.002)
        settled = await asyncio.gather(*(settle(store, settlement(scope)) for scope in tenants(20)))
        assert {entry.outcome for entry in settled} == {SettleOutcome.CLEAR}
        await store.close()
        for wrong in (f"clusters://{addresses[0]}", f"cluster://{addresses[0]}"):  # of nobody we know; in the clear
            unfit = RedisStore(wrong, SystemClock(), 0, 60)
            with pytest.raises(StoreDown):
                await unfit.ready()
            await unfit.close()
