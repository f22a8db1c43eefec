from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hiredis
import pytest
from redis.crc import key_slot
from redis.exceptions import RedisError, ResponseError, TryAgainError

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.servers import Question, Servers, answers, open_servers
from tests.support.real_cluster import ClusterNode, RealCluster, running_cluster
from tests.support.real_redis import RealRedis

KEYS = [f"aegis:{{{partition}}}:test" for partition in redis_keys.ALL_PARTITIONS]


@pytest.fixture
async def servers(shared_cluster: RealCluster) -> AsyncIterator[Servers]:
    shared_cluster.command("FLUSHALL")
    opened = open_servers(shared_cluster.url, 2)
    yield opened
    await opened.aclose()


@pytest.fixture
def own_cluster(redis_binary: Path) -> Iterator[RealCluster]:
    with running_cluster(redis_binary) as cluster:
        yield cluster


def setting(key: str, value: str) -> Question:
    return lambda redis: redis.set(key, value)


def getting(key: str) -> Question:
    return lambda redis: redis.get(key)


def both(*keys: str) -> Question:
    return lambda redis: redis.mget(keys)


class ScriptedNode:
    """A node of a cluster that answers as it is told: a Redis before 7 cannot leave out how another is reached."""

    def __init__(self) -> None:
        self.answers: dict[bytes, bytes] = {}
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands = hiredis.Reader()
        while data := await reader.read(65536):
            commands.feed(data)
            while isinstance(command := commands.gets(), list):
                writer.write(self.answers.get(command[0], b"+OK\r\n"))
            await writer.drain()
        writer.close()


@pytest.fixture
async def scripted_nodes() -> AsyncIterator[tuple[ScriptedNode, ScriptedNode]]:
    nodes = (ScriptedNode(), ScriptedNode())
    servers = [await asyncio.start_server(node.serve, "127.0.0.1", 0) for node in nodes]
    for node, server in zip(nodes, servers, strict=True):
        node.port = server.sockets[0].getsockname()[1]
    yield nodes
    for server in servers:
        server.close()
        await server.wait_closed()


def another_than(cluster: RealCluster, key: str) -> ClusterNode:
    return next(node for node in cluster.masters if node is not cluster.master_of(key))


async def test_each_command_runs_on_the_master_of_its_key(servers: Servers, shared_cluster: RealCluster) -> None:
    answers(await servers.ask_each([(key, setting(key, key)) for key in KEYS]))
    for key in (KEYS[0], KEYS[7], KEYS[63]):
        assert shared_cluster.master_of(key).command("GET", key) == key.encode()
        assert await servers.ask(key, getting(key)) == key.encode()


async def test_replies_come_in_order_with_errors_among_them(servers: Servers) -> None:
    questions = [(key, setting(key, str(number))) for number, key in enumerate(KEYS)]
    answers(await servers.ask_each(questions))
    asked = [(key, getting(key)) for key in reversed(KEYS)]
    asked[3] = (asked[3][0], lambda redis: redis.hgetall(KEYS[60]))
    replies = await servers.ask_each(asked)
    assert isinstance(replies[3], ResponseError)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        answers(replies)
    del replies[3], asked[3]
    assert replies == [str(KEYS.index(key)).encode() for key, _ in asked]
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await servers.ask(KEYS[60], lambda redis: redis.hgetall(KEYS[60]))


async def test_all_partitions_have_a_master(servers: Servers, shared_cluster: RealCluster) -> None:
    masters = await servers.masters()
    assert {master.name for master in masters} <= {node.address for node in shared_cluster.masters}
    assert sorted(name for master in masters for name in master.partitions) == sorted(redis_keys.ALL_PARTITIONS)


async def test_a_slot_that_moved_is_found_where_it_went(servers: Servers, shared_cluster: RealCluster) -> None:
    key = KEYS[11]
    await servers.ask(key, setting(key, "1"))
    target = another_than(shared_cluster, key)
    shared_cluster.move(key, target)
    assert await servers.ask(key, getting(key)) == b"1"
    await servers.ask(key, setting(key, "2"))
    assert target.command("GET", key) == b"2"
    masters = {master.name: master for master in await servers.masters()}
    assert redis_keys.ALL_PARTITIONS[11] in masters[target.address].partitions


@pytest.mark.parametrize("kind", [b"MOVED", b"ASK"])
@pytest.mark.parametrize("host", [b"", b"?", b"127.0.0.1"])
async def test_where_no_node_says_how_another_is_reached_it_is_where_that_one_is(
    scripted_nodes: tuple[ScriptedNode, ScriptedNode], kind: bytes, host: bytes
) -> None:
    source, target = scripted_nodes
    source.answers[b"CLUSTER"] = b"*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n_\r\n:%d\r\n$1\r\na\r\n" % source.port
    source.answers[b"GET"] = b"-%s %d %s:%d\r\n" % (kind, key_slot(KEYS[0].encode()), host, target.port)
    target.answers[b"GET"] = b"$4\r\nhere\r\n"
    servers = open_servers(f"cluster://127.0.0.1:{source.port}", 2)
    assert await servers.ask(KEYS[0], getting(KEYS[0])) == b"here"
    await servers.aclose()


async def test_a_slot_that_is_at_no_address_is_told(scripted_nodes: tuple[ScriptedNode, ScriptedNode]) -> None:
    node, _ = scripted_nodes
    node.answers[b"CLUSTER"] = b"*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n_\r\n:%d\r\n$1\r\na\r\n" % node.port
    node.answers[b"GET"] = b"-MOVED 5 a/b:1\r\n"
    servers = open_servers(f"cluster://127.0.0.1:{node.port}", 2)
    with pytest.raises(RedisError, match="no address"):
        await servers.ask(KEYS[0], getting(KEYS[0]))
    await servers.aclose()


async def test_a_key_of_a_slot_in_motion_is_asked_for_where_it_is(
    servers: Servers, shared_cluster: RealCluster
) -> None:
    stays, goes = KEYS[12], KEYS[12] + ":gone"
    answers(await servers.ask_each([(key, setting(key, key)) for key in (stays, goes)]))
    source, target = shared_cluster.master_of(stays), another_than(shared_cluster, stays)
    shared_cluster.begin_move(stays, target)
    source.command("MIGRATE", "127.0.0.1", target.port, goes, 0, 5000)
    replies = await servers.ask_each([(key, getting(key)) for key in (stays, goes, stays)])
    assert replies == [stays.encode(), goes.encode(), stays.encode()]
    with pytest.raises(TryAgainError):  # one key here and one there: nobody can run that
        await servers.ask(stays, both(stays, goes))
    waiting = asyncio.create_task(servers.ask(stays, both(stays, goes)))
    await asyncio.sleep(0)
    await asyncio.to_thread(shared_cluster.finish_move, stays, target)
    assert await waiting == [stays.encode(), goes.encode()]


async def test_one_that_hangs_hides_no_other(servers: Servers, shared_cluster: RealCluster) -> None:
    await servers.masters()
    hung = shared_cluster.master_of(KEYS[0])
    others = [key for key in KEYS if shared_cluster.master_of(key) is not hung]
    hung.pause()
    try:
        async with asyncio.timeout(2):
            for _ in range(5):
                assert len(await servers.masters()) >= 2
            assert await servers.ask_each([(key, getting(key)) for key in others]) == [None] * len(others)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await servers.ask(KEYS[0], getting(KEYS[0]))
    finally:
        hung.go_on()
        shared_cluster.agree()
    assert await servers.ask(KEYS[0], getting(KEYS[0])) is None


async def test_a_cluster_of_which_no_node_answers_says_so() -> None:
    servers = open_servers("cluster://127.0.0.1:1,127.0.0.1:2", 2)
    with pytest.raises(RedisError, match=r"no node of the cluster tells who serves what: ConnectionError"):
        await servers.ask(KEYS[0], getting(KEYS[0]))
    await servers.aclose()


async def test_one_server_holds_everything(real_redis: RealRedis) -> None:
    servers = open_servers(real_redis.url, 2)
    (master,) = await servers.masters()
    assert (master.name, master.partitions) == ("", redis_keys.ALL_PARTITIONS)
    answers(await servers.ask_each([(key, setting(key, key)) for key in KEYS]))
    assert await servers.ask(KEYS[5], getting(KEYS[5])) == KEYS[5].encode()
    await servers.aclose()


async def test_every_node_is_told_the_password(shared_cluster: RealCluster) -> None:
    shared_cluster.command("ACL", "SETUSER", "mesh", "on", ">p@ss/word", "~*", "+@all")
    servers = open_servers(shared_cluster.url.replace("://", "://mesh:p%40ss%2Fword@"), 2)

    try:
        for master in await servers.masters():
            assert await master.redis.acl_whoami() == "mesh"
    finally:
        await servers.aclose()
        shared_cluster.command("ACL", "DELUSER", "mesh")


@pytest.mark.slow
async def test_who_took_over_is_found(own_cluster: RealCluster) -> None:
    key = KEYS[3]
    servers = open_servers(own_cluster.url, 2)
    await servers.ask(key, setting(key, "1"))
    replicas = own_cluster.add_replicas()
    first = own_cluster.master_of(key)
    first.command("WAIT", 1, 10_000)
    first.kill()
    faults = 0
    async with asyncio.timeout(30):
        while True:
            try:
                async with asyncio.timeout(1):
                    reply = await servers.ask(key, getting(key))
                break
            except (RedisError, OSError):  # told, not waited out
                faults += 1
                await asyncio.sleep(0.05)
    assert (reply, faults > 0) == (b"1", True)
    assert {master.name for master in await servers.masters()} & {node.address for node in replicas}
    await servers.aclose()


async def test_keys_are_deleted_each_on_the_master_of_its_slot(servers: Servers) -> None:
    others = [f"{key}:other" for key in KEYS]
    kept = [f"{key}:kept" for key in KEYS]
    answers(await servers.ask_each([(key, setting(key, key)) for key in (*KEYS, *others, *kept)]))
    await servers.delete([*zip(KEYS, others, strict=True)])
    replies = await servers.ask_each([(key, getting(key)) for key in (*KEYS, *others, *kept)])
    assert replies == [*[None] * (2 * len(KEYS)), *map(str.encode, kept)]


async def test_a_key_that_cannot_be_deleted_is_an_error(real_redis: RealRedis) -> None:
    alone = open_servers(real_redis.url, 2)
    real_redis.command("ACL", "SETUSER", "default", "-del")
    with pytest.raises(ResponseError):
        await alone.delete([("a",)])
    real_redis.command("ACL", "SETUSER", "default", "+del")
    await alone.delete([("a",)])
    await alone.aclose()
