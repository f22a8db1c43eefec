"""The store port over Redis: one script, one round trip; calls that arrive together share a pipeline."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

from redis.exceptions import BusyLoadingError, NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

from aegis_authz.adapters.batching.batcher import Batcher
from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import fault_text, open_redis, script
from aegis_authz.adapters.redis.settle_script import Arguments, of_life, read_settled, settle_arguments, to_ms
from aegis_authz.adapters.redis.wire import LIFE, Command, RedisWire, life_of
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settled, Settlement
from aegis_authz.core.units import ApprovalId, Monotonic, Seconds
from aegis_authz.ports.data_plane import Clock, StoreDown

JTI_MARGIN = Seconds(60.0)
"""How long a used token is remembered beyond its expiry: clocks differ, and a token is taken within their skew."""
_MAX_BATCH = 64
_MAX_PIPELINES = 2
_REASONS = (
    (Reason.STORE_READONLY, ReadOnlyError, "READONLY"),
    (Reason.STORE_READONLY, ReadOnlyError, "previous master is now a slave"),  # of the driver, where Sentinels watch
    (Reason.STORE_LOADING, BusyLoadingError, "LOADING"),
    (Reason.STORE_FULL, OutOfMemoryError, "OOM "),
)
"""Why Redis does not settle: the driver's error, or what stands in the text of a script's."""
_PROBE_TIMEOUT = 0.5


class RedisStore:
    """`ports.Store` over Redis.

    A used token is remembered for its whole life and `jti_margin` seconds, from its first use on; the margin must
    exceed the difference between any two clocks of the mesh. `clock_skew` is how far the clock of who issues tokens may
    be ahead of Redis: so long are tokens refused after the memory began, and what is further ahead is not settled.
    Needs no start: the first call or `ready` prepares Redis.
    """

    def __init__(self, url: str, clock: Clock, clock_skew: Seconds, jti_margin: Seconds = JTI_MARGIN) -> None:
        self._redis = open_redis(url, max_connections=_MAX_PIPELINES + 1)
        self._wire = RedisWire(self._redis)
        self._clock = clock
        self._clock_skew = clock_skew
        self._jti_margin = jti_margin
        self._text = script("settle.lua")
        self._begin = script("begin.lua")
        self._name = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()
        self._sha = ""
        self._batcher: Batcher[Arguments, object] = Batcher(self._send, _MAX_BATCH, _MAX_PIPELINES)

    async def ready(self) -> None:
        """Make sure that Redis answers, knows the script, forgets nothing by itself, and has its epochs.

        Raises StoreDown with a sentence for a person. After a Redis that evicts was seen, calls are refused too until
        it was looked at again and found fit.
        """
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                await self._prepare()
        except (RedisError, OSError) as fault:
            raise StoreDown(f"Redis cannot be used: {fault_text(fault)}") from None

    def approval_id(self, scope: Scope, token: str) -> ApprovalId:
        """The id of a new approval, as `ports.Store` says: it names the partition."""
        return redis_keys.approval_id(scope, token)

    async def settle(self, settlement: Settlement, deadline: Monotonic) -> Settled:
        """Settle one call. Raises Refused as `ports.Store` says."""
        if deadline <= self._clock.monotonic():
            raise Refused(Reason.STORE_TIMEOUT, "no time was left to ask")
        if settlement.identity.spending.issued_at > settlement.now + self._clock_skew:
            raise Refused(Reason.CREDENTIAL_NOT_YET_VALID, "issued further ahead than the replay memory reckons with")
        arguments = settle_arguments(settlement, self._jti_margin)
        try:
            reply = await self._batcher.ask(arguments, deadline)
            return read_settled(reply, settlement)
        except TimeoutError:
            raise Refused(Reason.STORE_TIMEOUT, "no answer in time") from None
        except ValueError:
            raise Refused(Reason.STORE_UNAVAILABLE, "an unreadable answer") from None

    async def close(self) -> None:
        """Wait for what is under way and close the connections."""
        await self._batcher.drain()
        await self._wire.close()
        await self._redis.aclose()

    async def _prepare(self) -> None:
        policy = await self._eviction()
        if policy != "noeviction":
            self._sha = ""  # no call is settled before this was looked at again
            raise ResponseError(f"maxmemory-policy is {policy!r}, must be 'noeviction': it would forget used tokens")
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(redis_keys.epoch(redis_keys.ALL_PARTITIONS[-1]))  # the last one written
        pipeline.script_exists(self._name)
        epoch, script_flags = await pipeline.execute()
        life = await self._life()
        if not isinstance(epoch, bytes) or epoch.partition(b" ")[2] != life.encode():
            begun = self._redis.pipeline(transaction=False)
            for partition in redis_keys.ALL_PARTITIONS:
                begun.eval(self._begin, 1, redis_keys.epoch(partition), life, to_ms(self._clock_skew))
            await begun.execute()
        # never without need: older servers keep every SCRIPT LOAD in their append-only file
        self._sha = self._name if list(script_flags) == [True] else await self._redis.script_load(self._text)

    async def _life(self) -> str:
        """The life of the server that is reached now."""
        lives: list[str] = []

        def compose(life: str) -> Sequence[Command]:
            lives.append(life)
            return LIFE

        if life_of(await self._wire.ask(compose)) != lives[0]:
            raise ResponseError("the server is another, or has another role")
        return lives[0]

    async def _eviction(self) -> object:
        """What Redis does when its memory is full."""
        try:
            return (await self._redis.config_get("maxmemory-policy")).get("maxmemory-policy")
        except ResponseError:  # hosted servers close CONFIG; INFO tells it too
            return (await self._redis.info("memory")).get("maxmemory_policy")

    async def _send(self, calls: list[Arguments], deadline: Monotonic) -> Sequence[object]:
        try:
            async with asyncio.timeout_at(deadline):
                replies = await self._ask(calls)
        except TimeoutError:
            return [Refused(Reason.STORE_TIMEOUT, "no answer in time") for _ in calls]
        except (RedisError, OSError) as fault:
            return [Refused(_reason(fault), fault_text(fault)) for _ in calls]
        return [_outcome(reply) for reply in replies]

    async def _ask(self, calls: list[Arguments]) -> list[object]:
        if not self._sha:
            await self._prepare()
        replies = await self._evaluate(calls)
        unknown = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:  # Redis was restarted or its scripts were flushed; nothing of these calls has run
            await self._prepare()
            for index, reply in zip(unknown, await self._evaluate([calls[index] for index in unknown]), strict=True):
                replies[index] = reply
        return replies

    async def _evaluate(self, calls: list[Arguments]) -> list[object]:
        def compose(life: str) -> Sequence[Command]:
            return [("EVALSHA", self._sha, *of_life(arguments, life, self._clock_skew)) for arguments in calls]

        return await self._wire.ask(compose)


def _outcome(reply: object) -> object:
    return Refused(_reason(reply), fault_text(reply)) if isinstance(reply, RedisError) else reply


def _reason(fault: Exception) -> Reason:
    for reason, kind, words in _REASONS:
        if isinstance(fault, kind) or words in str(fault):
            return reason
    return Reason.STORE_UNAVAILABLE
