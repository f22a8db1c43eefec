"""Where calls are settled in a Redis Cluster: each on the master of its tenant's slot, and batches by master."""

from __future__ import annotations

import asyncio

from redis.exceptions import RedisError

from aegis_authz.adapters.redis.client import fault_text
from aegis_authz.adapters.redis.servers import ClusterServers, Master
from aegis_authz.adapters.redis.settle_script import SettleCall
from aegis_authz.adapters.redis.settle_server import SettleServer, SlotMoved
from aegis_authz.adapters.redis.slot_map import ClusterPlace, SlotMap
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Monotonic, Seconds

_PREPARE_TIMEOUT = 0.3  # seconds; less than all of a probe, so that one that hangs hides no other


class ClusterSettling:
    """Settles each call on one server; what is wrong with another is nothing to it."""

    def __init__(self, place: ClusterPlace, clock_skew: Seconds, max_connections: int) -> None:
        self._cluster = ClusterServers(place, max_connections)
        self._clock_skew = clock_skew
        self._servers: dict[str, SettleServer] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def settle(self, call: SettleCall, deadline: Monotonic) -> object:
        """What became of the call, or the script's answer, from where the slot has moved when it has.

        A slot that moves again meanwhile is one in motion. Raises Refused, TimeoutError, RedisError, OSError.
        """
        key = call.names.epoch
        address = (await self._slots(deadline)).master_of(key)
        try:
            return await self._server(address).settle(call, deadline)
        except SlotMoved as moved:
            self._cluster.learn(moved.error, address)
        try:
            return await self._server((await self._slots(deadline)).master_of(key)).settle(call, deadline)
        except SlotMoved:
            raise Refused(Reason.STORE_MOVING, "two servers say of each other that they hold the tenant") from None

    async def prepare(self) -> tuple[str, ...]:
        """Make ready what can be; a sentence for each master that is not. Raises what the last says if all are not."""
        masters = await self._cluster.masters()
        self._forget_all_but({master.name for master in masters})
        faults = await asyncio.gather(*map(self._prepare, masters), return_exceptions=True)
        absent, last = [], None
        for master, fault in zip(masters, faults, strict=True):
            if isinstance(fault, RedisError | OSError):
                last = fault
                absent.append(f"{master.name} holds {len(master.partitions)} of 64 partitions: {fault_text(fault)}")
            elif fault is not None:
                raise fault
        if last is not None and len(absent) == len(masters):
            raise last
        return tuple(absent)

    async def close(self) -> None:
        """Wait for what is under way and close the connections."""
        for server in self._servers.values():
            await server.close()
        await asyncio.gather(*self._closing)
        await self._cluster.aclose()

    async def _prepare(self, master: Master) -> None:
        server = self._server(master.name)
        server.partitions = master.partitions
        async with asyncio.timeout(_PREPARE_TIMEOUT):
            await server.prepare()

    async def _slots(self, deadline: Monotonic) -> SlotMap:
        async with asyncio.timeout_at(deadline):
            return await self._cluster.slots()

    def _server(self, address: str) -> SettleServer:
        client, server = self._cluster.client(address), self._servers.get(address)
        if server is not None and server.redis is client:
            return server
        if server is not None:  # the cluster has left that address, and come back to it
            self._end(server)
        self._servers[address] = SettleServer(client, self._clock_skew)
        return self._servers[address]

    def _forget_all_but(self, addresses: set[str]) -> None:
        for address in self._servers.keys() - addresses:
            self._end(self._servers.pop(address))

    def _end(self, server: SettleServer) -> None:
        task = asyncio.create_task(server.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
