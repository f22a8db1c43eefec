"""A real Redis Cluster on loopback: three masters, formed by commands; a test that wants replicas adds them."""

from __future__ import annotations

import asyncio
import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis
from redis.crc import key_slot

from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.ports.data_plane import StoreDown
from tests.support.redis_process import RedisProcess

MASTERS = 3
SLOTS = 16384
_START_SECONDS = 30
_NODE_TIMEOUT_MS = 1000


class ClusterNode(RedisProcess):
    """One redis-server of a cluster, without files; `options` are further command line options."""

    def __init__(self, binary: Path, folder: Path, options: tuple[str, ...] = ()) -> None:
        folder.mkdir()
        self.port = _free_port()
        self.address = f"127.0.0.1:{self.port}"
        fixed = (
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(folder),
        )
        in_cluster = (
            *("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"),
            *("--cluster-node-timeout", str(_NODE_TIMEOUT_MS), "--cluster-replica-validity-factor", "0"),
            *("--repl-diskless-sync-delay", "0", "--repl-diskless-sync", "yes"),
        )
        command_line = (str(binary), *fixed, *in_cluster, "--loglevel", "warning", *options)
        super().__init__(command_line, lambda: redis.Redis(port=self.port))


class RealCluster:
    """Three masters with a third of the slots each; they announce the ports in `announced`, their own without."""

    def __init__(self, binary: Path, folder: Path, announced: Sequence[int] = (0,) * MASTERS) -> None:
        self._binary, self._folder = binary, folder
        self.masters = [
            ClusterNode(binary, folder / f"m{number}", ("--cluster-announce-port", str(port)))
            for number, port in enumerate(announced)
        ]
        self.nodes = list(self.masters)
        self._is_formed = False

    @property
    def url(self) -> str:
        """The URL of the settings."""
        return f"cluster://{','.join(node.address for node in self.masters)}"

    def start(self) -> None:
        """Start the masters, empty or with what they saved, and return once all agree. Raises TimeoutError."""
        for node in self.masters:
            node.start()
        if not self._is_formed:
            self._form()
        self.agree()

    def _form(self) -> None:
        for number, node in enumerate(self.masters):
            first, last = SLOTS * number // MASTERS, SLOTS * (number + 1) // MASTERS
            node.command("CLUSTER", "ADDSLOTS", *range(first, last))
            node.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            self._meet(node)
        self._is_formed = True

    def add_replicas(self) -> list[ClusterNode]:
        """A replica of each master, in their order, that has all it needs to take over."""
        replicas = []
        for number, master in enumerate(self.masters):
            node = ClusterNode(self._binary, self._folder / f"r{number}")
            node.start()
            self.nodes.append(node)
            self._meet(node)
            name = master.command("CLUSTER", "MYID")
            wait_for(lambda node=node, name=name: _done(node, "CLUSTER", "REPLICATE", name))  # type: ignore[misc]
            wait_for(lambda node=node: b"master_link_status:up" in _bytes(node.command("INFO", "replication")))  # type: ignore[misc]
            replicas.append(node)
        return replicas

    def agree(self) -> None:
        """Wait until every node that runs sees a whole cluster, and the same one."""
        wait_for(lambda: all(self._is_whole(node) for node in self.nodes if node.process is not None))

    def master_of(self, key: str) -> ClusterNode:
        """The master that serves the key's slot, as the nodes that run agree."""
        slot = key_slot(key.encode())
        running = next(node for node in self.nodes if node.process is not None)
        for first, last, master, *_ in running.command("CLUSTER", "SLOTS"):  # type: ignore[attr-defined]
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == master[1])
        raise LookupError(f"nobody serves slot {slot}")

    def move(self, key: str, target: ClusterNode, keys_at_once: int = 10) -> None:
        """Move the key's slot to another master, as redis-cli does: some keys at a time."""
        self.begin_move(key, target)
        self.finish_move(key, target, keys_at_once)

    def begin_move(self, key: str, target: ClusterNode) -> None:
        """Declare the slot as moving; nothing is moved yet."""
        slot, source = key_slot(key.encode()), self.master_of(key)
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", _name(source))
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", _name(target))

    def finish_move(self, key: str, target: ClusterNode, keys_at_once: int = 10) -> None:
        """Move the keys of a slot that is declared as moving, and say who serves it from now on."""
        slot, source = key_slot(key.encode()), self.master_of(key)
        name = _name(target)
        while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, keys_at_once):
            assert isinstance(keys, list)
            source.command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source, *self.nodes):
            if node.process is not None and node.command("ROLE")[0] == b"master":  # type: ignore[index]
                node.command("CLUSTER", "SETSLOT", slot, "NODE", name)
        wait_for(lambda: self.master_of(key) is target)

    def command(self, *words: str) -> None:
        """One command to each master."""
        for node in self.masters:
            node.command(*words)

    def names(self, pattern: str) -> set[bytes]:
        """The names of all keys of that pattern."""
        return {name for node in self.masters for name in node.command("KEYS", pattern)}  # type: ignore[attr-defined]

    def kill(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            node.kill()

    def _meet(self, node: ClusterNode) -> None:
        node.command("CLUSTER", "MEET", "127.0.0.1", self.masters[0].port)

    def _is_whole(self, node: ClusterNode) -> bool:
        facts = _bytes(node.command("CLUSTER", "INFO"))
        return all(
            fact in facts
            for fact in (
                b"cluster_state:ok",
                b"cluster_slots_ok:%d\r" % SLOTS,
                b"cluster_known_nodes:%d\r" % len(self.nodes),
                b"cluster_size:%d\r" % MASTERS,
            )
        )


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until something is so. Raises TimeoutError."""
    until = time.monotonic() + _START_SECONDS
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError("the cluster does not come to that")
        time.sleep(0.01)


async def until_fit(store: RedisStore) -> None:
    """Wait until the store can use every master: a busy machine answers late."""
    async with asyncio.timeout(_START_SECONDS):
        while True:
            with suppress(StoreDown):
                await store.ready()
                if not store.absent:
                    return


@contextmanager
def running_cluster(binary: Path, announced: Sequence[int] = (0,) * MASTERS) -> Iterator[RealCluster]:
    """A cluster that runs for a while."""
    with tempfile.TemporaryDirectory(prefix="aegis-cluster-") as folder:
        cluster = RealCluster(binary, Path(folder), announced)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.kill()


@pytest.fixture(scope="module")
def shared_cluster(redis_binary: Path) -> Iterator[RealCluster]:
    """One for all tests of a file: forming one takes some seconds."""
    with running_cluster(redis_binary) as cluster:
        yield cluster


def _free_port() -> int:
    """A port that is free, and the one 10,000 above it, by which nodes talk to each other."""
    while True:
        port = random.randrange(20_000, 30_000)  # noqa: S311  # no secret
        try:
            with socket.create_server(("127.0.0.1", port)), socket.create_server(("127.0.0.1", port + 10_000)):
                return port
        except OSError:
            continue


def _done(node: ClusterNode, *words: str | int | object) -> bool:
    try:
        return node.command(*words) == b"OK"  # type: ignore[arg-type]
    except redis.ResponseError:  # the node has yet to hear of the other
        return False


def _name(node: ClusterNode) -> str:
    return _bytes(node.command("CLUSTER", "MYID")).decode()


def _bytes(reply: object) -> bytes:
    """What a server said as text, which the driver takes apart at times, in one piece."""
    if isinstance(reply, dict):
        return "".join(f"{name}:{value}\r\n" for name, value in reply.items()).encode()
    return reply if isinstance(reply, bytes) else b""
