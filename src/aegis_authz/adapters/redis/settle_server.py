"""One server on which calls are settled: its connections, the script, its epochs, and calls that go together."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    MovedError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from aegis_authz.adapters.batching.batcher import Batcher
from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.bare_calls import DOUBT, bare_arguments, read_bare
from aegis_authz.adapters.redis.charged_calls import charged_arguments, read_charged
from aegis_authz.adapters.redis.client import fault_text, script
from aegis_authz.adapters.redis.settle_script import Form, SettleCall, script_arguments, to_ms
from aegis_authz.adapters.redis.wire import Command, RedisWire, is_stale
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Monotonic, Seconds

_POLICY = "maxmemory-policy"
_MAX_BATCH = 64
MAX_PIPELINES = 2
_REASONS = (
    (Reason.STORE_MOVING, AskError, "non local key"),  # MOVED is one, too; and of a script, when part of a slot is gone
    (Reason.STORE_MOVING, TryAgainError, "TRYAGAIN"),
    (Reason.STORE_READONLY, ReadOnlyError, "READONLY"),
    (Reason.STORE_READONLY, ReadOnlyError, "previous master is now a slave"),  # of the driver, where Sentinels watch
    (Reason.STORE_LOADING, BusyLoadingError, "LOADING"),
    (Reason.STORE_FULL, OutOfMemoryError, "OOM "),
)
"""Why Redis does not settle: the driver's error, or what stands in the text of a script's."""


class SlotMoved(Exception):
    """Another server holds the tenant's keys; nothing has run. `error` says which."""

    def __init__(self, error: MovedError) -> None:
        super().__init__(str(error))
        self.error = error


class SettleServer:
    """Settles calls on one server. Needs no start: the first call, or `prepare`, prepares it.

    `partitions` are those that it holds, as far as is known: their memories are begun before a call meets them.
    """

    def __init__(self, redis: Redis, clock_skew: Seconds) -> None:
        self.partitions: tuple[str, ...] = ()
        self.redis = redis
        self._clock_skew = clock_skew
        self._wire = RedisWire(redis)
        self._begin = script("begin.lua")
        self._texts = (script("settle.lua"), script("bare.lua"), script("charged.lua"))
        self._name, self._bare_name, self._charged_name = map(_name_of, self._texts)
        self._is_fit = False
        self._begun: tuple[str, frozenset[str]] = ("", frozenset())
        self._calls = 0
        self._batcher: Batcher[SettleCall, object] = Batcher(self._send, _MAX_BATCH, MAX_PIPELINES)

    @property
    def has_begun_all(self) -> bool:
        """Whether the memories of all its partitions were begun when it was prepared, none of which was elsewhere."""
        return self._begun[1].issuperset(self.partitions)

    async def settle(self, call: SettleCall, deadline: Monotonic) -> object:
        """What became of the call, or the script's answer. Raises Refused, SlotMoved, TimeoutError."""
        self._calls += 1
        try:
            answer = await self._batcher.ask(call, deadline)
            if answer is DOUBT:  # in another batch, so that those of this one do not wait for it
                answer = await self._batcher.ask(call._replace(form=Form.ALONE), deadline)
            return answer
        finally:
            self._calls -= 1

    async def prepare(self) -> None:
        """Make sure that it forgets nothing by itself, knows the scripts, and has begun the memories of its partitions.

        Raises RedisError, OSError. After a server that evicts was seen, calls are refused until it was looked at again
        and found fit.
        """
        life, (config, flags, *epochs) = await self._look()
        policy = await self._eviction(config)
        if policy != "noeviction":
            self._is_fit = False  # no call is settled before this was looked at again
            raise ResponseError(f"maxmemory-policy is {policy!r}, must be 'noeviction': it would forget used tokens")
        if isinstance(flags, Exception):
            raise flags
        await self._begin_memories(life, epochs)
        if flags != [1] * len(self._texts):  # never without need: older servers keep each in their append-only file
            for text in self._texts:
                await self.redis.script_load(text)
        self._is_fit = True

    async def close(self) -> None:
        """Wait for what is under way and close the connections of calls."""
        while self._calls:  # one in doubt is asked for again
            await self._batcher.drain()
            await asyncio.sleep(0)
        await self._wire.close()

    async def _look(self) -> tuple[str, Sequence[object]]:
        """The life of the server that is reached now, and of it the policy of eviction, whether it knows the scripts,
        and the epoch of the partition that is begun last, where there are any: one round trip each second.
        """
        lives: list[str] = []

        def compose(life: str) -> Sequence[Command]:
            lives.append(life)
            epochs = [("GET", redis_keys.epoch(partition)) for partition in self.partitions[-1:]]
            return [
                ("CONFIG", "GET", _POLICY),
                ("SCRIPT", "EXISTS", self._name, self._bare_name, self._charged_name),
                *epochs,
            ]

        replies = await self._wire.ask(compose, is_look=True)
        return lives[0], replies

    async def _begin_memories(self, life: str, epochs: Sequence[object]) -> None:
        partitions = frozenset(self.partitions)
        in_life = all(isinstance(epoch, bytes) and epoch.partition(b" ")[2] == life.encode() for epoch in epochs)
        if in_life and self._begun[0] == life and partitions <= self._begun[1]:
            return
        begun = self.redis.pipeline(transaction=False)
        for partition in self.partitions:
            begun.eval(self._begin, 1, redis_keys.epoch(partition), life, to_ms(self._clock_skew))
        replies = await begun.execute(raise_on_error=False)
        for reply in replies:
            if isinstance(reply, Exception) and not isinstance(reply, AskError | TryAgainError):
                raise reply
        # of what moves meanwhile the memory is begun where it goes, by the first call at the latest
        pairs = zip(self.partitions, replies, strict=True)
        self._begun = (life, frozenset(name for name, reply in pairs if not isinstance(reply, Exception)))

    async def _eviction(self, config: object) -> object:
        """What Redis does when its memory is full, by its reply to CONFIG GET. Raises RedisError, OSError."""
        if isinstance(config, ResponseError):  # hosted servers close CONFIG; INFO tells it too
            return (await self.redis.info("memory")).get("maxmemory_policy")
        facts = [*config.items()] if isinstance(config, dict) else [config]  # as RESP3 has it, and as RESP2
        policy = next((list(fact)[1] for fact in facts if isinstance(fact, list | tuple) and len(fact) == 2), None)
        return policy.decode("ascii", "replace") if isinstance(policy, bytes) else policy

    async def _send(self, calls: list[SettleCall], deadline: Monotonic) -> Sequence[object]:
        try:
            async with asyncio.timeout_at(deadline):
                replies = await self._ask(calls)
        except TimeoutError:
            return [Refused(Reason.STORE_TIMEOUT, "no answer in time") for _ in calls]
        except (RedisError, OSError) as fault:
            return [Refused(reason_of(fault), fault_text(fault)) for _ in calls]
        return [_outcome(reply) for reply in replies]

    async def _ask(self, calls: list[SettleCall]) -> list[object]:
        if not self._is_fit:
            await self.prepare()
        replies = await self._evaluate(calls)
        unknown = any(isinstance(reply, NoScriptError) for reply in replies)
        if unknown:  # Redis was restarted or its scripts were flushed
            await self.prepare()
        # nothing of these calls has run
        repeats = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError) or is_stale(reply)]
        if repeats:
            for at, reply in zip(repeats, await self._evaluate([calls[at] for at in repeats]), strict=True):
                replies[at] = reply
        return replies

    async def _evaluate(self, calls: list[SettleCall]) -> list[object]:
        groups: dict[object, list[int]] = {}  # the places of calls that go together, and of each other by itself
        for place, call in enumerate(calls):
            name = place if call.form is Form.ALONE else (call.form, call.names.partition)
            groups.setdefault(name, []).append(place)
        parts = [[calls[place] for place in places] for places in groups.values()]
        replies = await self._wire.ask(lambda life: [self._command(part, life) for part in parts])
        answers: list[object] = [None] * len(calls)
        for places, part, reply in zip(groups.values(), parts, replies, strict=True):
            for place, answer in zip(places, _read(part, reply), strict=True):
                answers[place] = answer
        return answers

    def _command(self, calls: list[SettleCall], life: str) -> Command:
        match _form_of(calls):
            case Form.BARE:
                return ("EVALSHA", self._bare_name, *bare_arguments(calls, life))
            case Form.CHARGED:
                return ("EVALSHA", self._charged_name, *charged_arguments(calls, life))
            case Form.ALONE:
                return ("EVALSHA", self._name, *script_arguments(calls[0], life, self._clock_skew))


def _form_of(calls: list[SettleCall]) -> Form:
    """How calls that go together are settled: one that is charged is cheaper alone, and in doubt less often."""
    form = calls[0].form
    return Form.ALONE if form is Form.CHARGED and len(calls) == 1 else form


def _read(calls: list[SettleCall], reply: object) -> Sequence[object]:
    match _form_of(calls):
        case Form.BARE:
            return read_bare(reply, len(calls))
        case Form.CHARGED:
            return read_charged(reply, calls)
        case Form.ALONE:
            return (reply,)


def _name_of(text: str) -> str:
    """The name of a script for EVALSHA."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def reason_of(fault: Exception) -> Reason:
    """Why a call is refused that met this fault of the driver."""
    for reason, kind, words in _REASONS:
        if isinstance(fault, kind) or words in str(fault):
            return reason
    return Reason.STORE_UNAVAILABLE


def _outcome(reply: object) -> object:
    if isinstance(reply, MovedError):
        return SlotMoved(reply)
    return Refused(reason_of(reply), fault_text(reply)) if isinstance(reply, RedisError) else reply
