"""The store port over Redis: one script, one round trip; calls that arrive together share a pipeline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from redis.exceptions import NoScriptError, RedisError, ResponseError

from aegis_authz.adapters import redis_keys
from aegis_authz.adapters.redis_client import open_redis, said, script
from aegis_authz.core.approval import ApprovalNotFound, ApprovalRequest, partition_of
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from aegis_authz.ports import Clock, StoreDown
from aegis_authz.wire.approval_document import approval_to_text

_OUTCOMES = {outcome.value.encode(): outcome for outcome in SettleOutcome}
_KEEP_APPROVALS_MS = 86_400_000
_MAX_BATCH = 64
_MAX_PIPELINES = 2
_PROBE_TIMEOUT = 0.5

Arguments = tuple[str | bytes | int, ...]


@dataclass(frozen=True, slots=True)
class _Waiting:
    arguments: Arguments
    answer: asyncio.Future[Settled]
    deadline: float


class RedisStore:
    """`ports.Store` over Redis.

    A used token is remembered for its whole life and `jti_margin` seconds, from its first use on; the margin must
    exceed the difference between any two clocks of the mesh. Needs no start: the first call or `ready` prepares Redis.
    """

    def __init__(self, url: str, clock: Clock, jti_margin: float) -> None:
        self._redis = open_redis(url, max_connections=_MAX_PIPELINES + 1)
        self._clock = clock
        self._jti_margin = jti_margin
        self._text = script("settle.lua")
        self._begin = script("begin.lua")
        self._sha = ""
        self._waiting: list[_Waiting] = []
        self._pipelines: set[asyncio.Task[None]] = set()
        self._flush_is_due = False

    async def ready(self) -> None:
        """Make sure that Redis answers, knows the script, forgets nothing by itself, and has its epochs.

        Raises StoreDown with a sentence for a person. After a Redis that evicts was seen, calls are refused too until
        it was looked at again and found fit.
        """
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                await self._prepare()
        except (RedisError, OSError) as fault:
            raise StoreDown(f"Redis cannot be used: {said(fault)}") from None

    async def settle(self, settlement: Settlement, deadline: float) -> Settled:
        """Settle one call. Raises Refused as `ports.Store` says."""
        loop = asyncio.get_running_loop()
        if deadline <= self._clock.monotonic():
            raise Refused(Reason.STORE_TIMEOUT, "no time was left to ask")
        waiting = _Waiting(self._arguments(settlement), loop.create_future(), deadline)
        self._waiting.append(waiting)
        if not self._flush_is_due:
            self._flush_is_due = True
            loop.call_soon(self._flush)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiting.answer
        except TimeoutError:
            raise Refused(Reason.STORE_TIMEOUT, "no answer in time") from None

    async def close(self) -> None:
        """Wait for what is under way and close the connections."""
        self._flush()
        while self._pipelines:
            await asyncio.gather(*self._pipelines, return_exceptions=True)
        await self._redis.aclose()

    async def _prepare(self) -> None:
        policy = await self._eviction()
        if policy != "noeviction":
            self._sha = ""  # no call is settled before this was looked at again
            raise ResponseError(f"maxmemory-policy is {policy!r}, must be 'noeviction': it would forget used tokens")
        if not await self._redis.exists(redis_keys.epoch(redis_keys.ALL_PARTITIONS[-1])):  # the last one written
            pipeline = self._redis.pipeline(transaction=False)
            for partition in redis_keys.ALL_PARTITIONS:
                pipeline.eval(self._begin, 1, redis_keys.epoch(partition))
            await pipeline.execute()
        self._sha = await self._redis.script_load(self._text)

    async def _eviction(self) -> object:
        """What Redis does when its memory is full."""
        try:
            return (await self._redis.config_get("maxmemory-policy")).get("maxmemory-policy")
        except ResponseError:  # hosted servers close CONFIG; INFO tells it too
            return (await self._redis.info("memory")).get("maxmemory_policy")

    def _flush(self) -> None:
        self._flush_is_due = False
        while self._waiting and len(self._pipelines) < _MAX_PIPELINES:
            batch, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
            # a call that gave up while it waited must not have its token spent behind its back
            batch = [waiting for waiting in batch if not waiting.answer.done()]
            if batch:
                pipeline = asyncio.get_running_loop().create_task(self._send(batch))
                self._pipelines.add(pipeline)
                pipeline.add_done_callback(self._pipeline_done)

    def _pipeline_done(self, pipeline: asyncio.Task[None]) -> None:
        self._pipelines.discard(pipeline)
        self._flush()

    async def _send(self, batch: list[_Waiting]) -> None:
        replies: list[object]
        try:
            async with asyncio.timeout_at(max(waiting.deadline for waiting in batch)):
                replies = await self._ask([waiting.arguments for waiting in batch])
        except TimeoutError:
            replies = [Refused(Reason.STORE_TIMEOUT, "no answer in time") for _ in batch]
        except (RedisError, OSError) as fault:
            replies = [Refused(Reason.STORE_UNAVAILABLE, said(fault)) for _ in batch]
        except Exception as fault:  # noqa: BLE001  # a bug: handed on to every call that waits
            replies = [fault] * len(batch)
        for waiting, reply in zip(batch, replies, strict=True):
            _resolve(waiting.answer, reply)

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
        pipeline = self._redis.pipeline(transaction=False)
        for arguments in calls:
            pipeline.execute_command("EVALSHA", self._sha, *arguments)
        replies: list[object] = await pipeline.execute(raise_on_error=False)
        return replies

    def _arguments(self, settlement: Settlement) -> Arguments:
        """What EVALSHA takes after the script's name; the layout is that of settle.lua."""
        identity = settlement.identity
        partition = partition_of(identity.org, identity.tenant)
        keys: Arguments = (
            redis_keys.epoch(partition),
            redis_keys.jti(identity.org, identity.tenant, identity.issuer, identity.jti),
            redis_keys.revoked(partition),
        )
        arguments: Arguments = (
            _ms(identity.issued_at),
            _ms(identity.expires_at - identity.issued_at + self._jti_margin),
            identity.scope,
            _ms(settlement.now),
        )
        if settlement.claims is not None:
            claims = settlement.claims
            keys += (_claimed_key(claims.approval_id, partition),)
            arguments += ("claim", claims.digest, claims.revision)
        if settlement.opens is not None:
            keys += _open_keys(settlement.opens)
            arguments += ("open", *_open_arguments(settlement.opens))
        return (len(keys), *keys, *arguments)


def _claimed_key(approval_id: str, partition: str) -> str:
    """The approval's key, or one that never exists when the id cannot be one of this tenant's."""
    try:
        key = redis_keys.approval(approval_id)
    except ApprovalNotFound:
        return redis_keys.nothing(partition)
    return key if key.startswith(f"aegis:{{{partition}}}:") else redis_keys.nothing(partition)


def _open_keys(request: ApprovalRequest) -> Arguments:
    return (
        redis_keys.approval(request.id),
        redis_keys.pending(request.org, request.tenant, request.agent, request.digest, request.revision),
        redis_keys.approvals(partition_of(request.org, request.tenant)),
    )


def _open_arguments(request: ApprovalRequest) -> Arguments:
    text = approval_to_text(request)
    return (request.digest, request.revision, request.id, text, _ms(request.expires_at), _KEEP_APPROVALS_MS)


def _resolve(answer: asyncio.Future[Settled], reply: object) -> None:
    if answer.done():
        return
    if isinstance(reply, RedisError):
        answer.set_exception(Refused(Reason.STORE_UNAVAILABLE, said(reply)))
    elif isinstance(reply, Exception):
        answer.set_exception(reply)
    else:
        try:
            answer.set_result(_settled(reply))
        except ValueError:
            answer.set_exception(Refused(Reason.STORE_UNAVAILABLE, "an unreadable answer"))


def _settled(reply: object) -> Settled:
    if not isinstance(reply, list) or len(reply) != 3 or not all(isinstance(part, bytes) for part in reply):
        raise ValueError("not three texts")
    outcome = _OUTCOMES.get(reply[0])
    if outcome is None or (outcome is SettleOutcome.OPENED) != (reply[1] != b""):
        raise ValueError("not a known outcome")
    return Settled(outcome, reply[1].decode(), int(reply[2]) / 1000)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
