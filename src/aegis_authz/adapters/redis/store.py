"""The store port over Redis: one script, one round trip; calls that arrive together share a pipeline."""

from __future__ import annotations

import asyncio
from typing import Protocol

from redis.exceptions import RedisError, ResponseError

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import fault_text, open_redis
from aegis_authz.adapters.redis.cluster_settling import ClusterSettling
from aegis_authz.adapters.redis.settle_script import SettleCall, read_settled, settle_call
from aegis_authz.adapters.redis.settle_server import MAX_PIPELINES, SettleServer, SlotMoved, reason_of
from aegis_authz.adapters.redis.slot_map import read_cluster_url
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settled, Settlement
from aegis_authz.core.units import ApprovalId, Monotonic, Seconds
from aegis_authz.ports.data_plane import Clock, StoreDown

JTI_MARGIN = Seconds(60.0)
"""How long a used token is remembered beyond its expiry: clocks differ, and a token is taken within their skew."""
_PROBE_TIMEOUT = 0.5
_IN_CLUSTER = "it is a node of a cluster, which has to be named as one: cluster://host:port"


class _Settling(Protocol):
    """Where calls are settled. Every method may raise RedisError and OSError."""

    async def settle(self, call: SettleCall, deadline: Monotonic) -> object:
        """What became of the call, or the script's answer. Raises Refused, TimeoutError."""
        ...

    async def prepare(self) -> tuple[str, ...]:
        """Make ready what can be; a sentence for each server that is not, unless it is all of them."""
        ...

    async def close(self) -> None:
        """Wait for what is under way and close the connections."""
        ...


class RedisStore:
    """`ports.Store` over Redis: one server, or a cluster, where each tenant's calls go to the master of its slot.

    A used token is remembered for its whole life and `jti_margin` seconds, from its first use on; the margin must
    exceed the difference between any two clocks of the mesh. `clock_skew` is how far the clock of who issues tokens may
    be ahead of Redis: so long are tokens refused after the memory began, and what is further ahead is not settled.
    Needs no start: the first call or `ready` prepares Redis.
    """

    def __init__(self, url: str, clock: Clock, clock_skew: Seconds, jti_margin: Seconds = JTI_MARGIN) -> None:
        place = read_cluster_url(url)
        self._settling: _Settling = (
            _OneServer(url, clock_skew) if place is None else ClusterSettling(place, clock_skew, MAX_PIPELINES + 1)
        )
        self._clock = clock
        self._clock_skew = clock_skew
        self._jti_margin = jti_margin
        self._absent: tuple[str, ...] = ()

    @property
    def absent(self) -> tuple[str, ...]:
        """Servers that could not be used when last looked at, while others could: a sentence for each."""
        return self._absent

    async def ready(self) -> None:
        """Make sure that Redis answers, knows the script, forgets nothing by itself, and has its epochs.

        Raises StoreDown with a sentence for a person. After a Redis that evicts was seen, calls are refused too until
        it was looked at again and found fit. Of a cluster it is enough that one master can be used: `absent` names the
        others.
        """
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                self._absent = await self._settling.prepare()
        except (RedisError, OSError) as fault:
            raise StoreDown(f"Redis cannot be used: {fault_text(fault)}") from None

    def approval_id(self, scope: Scope, token: str) -> ApprovalId:
        """The id of a new approval, as `ports.Store` says: it names the partition."""
        return redis_keys.approval_id(scope, token)

    async def settle(self, settlement: Settlement, deadline: Monotonic) -> Settled:
        """Settle one call. Raises Refused as `ports.Store` says."""
        if deadline <= self._clock.monotonic():
            raise Refused(Reason.STORE_TIMEOUT, "no time was left to ask")
        if settlement.spending.issued_at > settlement.now + self._clock_skew:
            raise Refused(Reason.CREDENTIAL_NOT_YET_VALID, "issued further ahead than the replay memory reckons with")
        call = settle_call(settlement, self._jti_margin)
        try:
            reply = await self._settling.settle(call, deadline)
            return read_settled(reply, settlement)
        except TimeoutError:
            raise Refused(Reason.STORE_TIMEOUT, "no answer in time") from None
        except ValueError:
            raise Refused(Reason.STORE_UNAVAILABLE, "an unreadable answer") from None
        except (RedisError, OSError) as fault:
            raise Refused(reason_of(fault), fault_text(fault)) from None

    async def close(self) -> None:
        """Wait for what is under way and close the connections."""
        await self._settling.close()


class _OneServer:
    """`_Settling` on one server."""

    def __init__(self, url: str, clock_skew: Seconds) -> None:
        self._redis = open_redis(url, max_connections=MAX_PIPELINES + 1)
        self._server = SettleServer(self._redis, clock_skew)
        self._server.partitions = redis_keys.ALL_PARTITIONS

    async def settle(self, call: SettleCall, deadline: Monotonic) -> object:
        """What became of the call, or the script's answer."""
        try:
            return await self._server.settle(call, deadline)
        except SlotMoved:
            raise Refused(Reason.STORE_UNAVAILABLE, _IN_CLUSTER) from None

    async def prepare(self) -> tuple[str, ...]:
        """Make it ready."""
        await self._server.prepare()
        if not self._server.has_begun_all:
            raise ResponseError(_IN_CLUSTER)
        return ()

    async def close(self) -> None:
        """Wait for what is under way and close the connections."""
        await self._server.close()
        await self._redis.aclose()
