"""The servers that hold our keys: one, or the masters of a Redis Cluster, each with its slots."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from redis.asyncio import Redis
from redis.exceptions import AskError, MovedError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import open_redis
from aegis_authz.adapters.redis.slot_map import ClusterPlace, SlotMap, address_of, read_cluster_url, read_slots
from aegis_authz.adapters.redis.wire import RedisWire

Result = TypeVar("Result")
Question = Callable[[Redis], Awaitable[Any]]
"""Gives one command, whose keys are all in one slot, to a client or a pipeline."""

_LOOK_TIMEOUT = 0.5
_MOST_LOOKED_AT = 3
_MOST_ROUNDS = 20
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Master:
    """A server that takes writes: its `host:port` ("" for the only one), a client, and the partitions that it holds."""

    name: str
    redis: Redis
    partitions: tuple[str, ...]


class Servers(Protocol):
    """Where commands are sent by what they are about. Every method may raise RedisError and OSError.

    Nothing is sent twice that may have run.
    """

    @property
    def is_one(self) -> bool:
        """Whether one server holds all, so that a command may be about keys of several partitions."""
        ...

    async def ask(self, key: str, question: Question) -> Any:
        """The reply to one command about that key."""
        ...

    async def ask_each(self, questions: Sequence[tuple[str, Question]]) -> list[Any]:
        """The replies to many commands in their order, error replies among them, in one round trip to each server."""
        ...

    async def delete(self, groups: Sequence[Sequence[str]]) -> None:
        """Delete keys, those of a group in one slot. Of a fault some may be gone."""
        ...

    async def masters(self) -> Sequence[Master]:
        """Who holds which partitions at present: looked at, not remembered."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


def open_servers(url: str, max_connections: int) -> Servers:
    """The servers at an URL of `open_redis` or of a cluster, with so many connections each. Raises RedisUrlUnusable."""
    place = read_cluster_url(url)
    if place is None:
        return OneServer(open_redis(url, max_connections))
    return ClusterServers(place, max_connections)


def answers(replies: Sequence[Any]) -> Sequence[Any]:
    """The replies, none of which is an error. Raises the first that is."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


class OneServer:
    """`Servers` where there is one."""

    is_one = True

    def __init__(self, redis: Redis) -> None:
        self._masters = (Master("", redis, redis_keys.ALL_PARTITIONS),)
        self._redis = redis
        self._wire = RedisWire(redis)

    async def ask(self, key: str, question: Question) -> Any:
        """The reply to one command."""
        return await question(self._redis)

    async def ask_each(self, questions: Sequence[tuple[str, Question]]) -> list[Any]:
        """The replies to all."""
        pipeline = self._redis.pipeline(transaction=False)
        for _, question in questions:
            question(pipeline)
        return list(await pipeline.execute(raise_on_error=False))

    async def delete(self, groups: Sequence[Sequence[str]]) -> None:
        """Delete keys, by a quarter of what a pipeline of the driver costs: it is done for most calls with limits."""
        answers(await self._wire.ask(lambda _: [("DEL", *keys) for keys in groups]))

    async def masters(self) -> Sequence[Master]:
        """The one, which holds all."""
        return self._masters

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.close()
        await self._redis.aclose()


@dataclass(frozen=True, slots=True)
class _Target:
    address: str
    is_asking: bool
    """Whether the slot is on its way to that server, which takes it when it is told so."""


class ClusterServers:
    """`Servers` of a Redis Cluster.

    Where a slot has moved (MOVED, ASK) or is on the move (TRYAGAIN) nothing has run, and the command is sent again,
    for a second or so. A connection that fails is reported, and makes us look for who took over.
    """

    is_one = False

    def __init__(self, place: ClusterPlace, max_connections: int) -> None:
        self._place = place
        self._max_connections = max_connections
        self._clients: dict[str, Redis] = {}
        self._under_way: set[asyncio.Task[Any]] = set()
        self._map: SlotMap | None = None
        self._look: asyncio.Task[SlotMap] | None = None

    async def ask(self, key: str, question: Question) -> Any:
        """The reply to one command."""
        (reply,) = answers(await self.ask_each([(key, question)]))
        return reply

    async def ask_each(self, questions: Sequence[tuple[str, Question]]) -> list[Any]:
        """The replies to all, each from the master of its key."""
        replies: dict[int, Any] = {}
        slots = await self.slots()
        targets = {place: _Target(slots.master_of(key), False) for place, (key, _) in enumerate(questions)}
        for _ in range(_MOST_ROUNDS):
            replies |= await self._round(questions, targets)
            again = [place for place in targets if isinstance(replies[place], AskError | TryAgainError)]
            if not again:
                break
            if any(isinstance(replies[place], TryAgainError) for place in again):
                await asyncio.sleep(_PAUSE)
            slots = await self.slots()
            targets = {
                place: await self._next(questions[place][0], replies[place], targets[place].address) for place in again
            }
        return [replies[place] for place in range(len(questions))]

    async def delete(self, groups: Sequence[Sequence[str]]) -> None:
        """Delete keys, each group from the master of its slot."""
        answers(await self.ask_each([(keys[0], _deletion(keys)) for keys in groups]))

    async def masters(self) -> Sequence[Master]:
        """The masters of our partitions, as the cluster says now. Raises ClusterDownError where one has none."""
        partitions = (await self.look()).partitions()
        return [Master(address, self.client(address), names) for address, names in partitions.items()]

    async def slots(self) -> SlotMap:
        """Who serves which slots, as far as is known."""
        return self._map or await self.look()

    async def look(self) -> SlotMap:
        """Ask the cluster who serves which slots; those who ask at the same time share the answer."""
        return await asyncio.shield(self._looking())

    def learn(self, moved: MovedError, teller: str) -> None:
        """Know from now on what the server at that address said: that another serves a slot. Raises RedisError."""
        if self._map is not None:
            self._map = self._map.after_move(moved.slot_id, _target_of(moved, teller))

    def client(self, address: str) -> Redis:
        """The client of one node."""
        if address not in self._clients:
            self._clients[address] = open_redis(self._place.url(address), self._max_connections)
        return self._clients[address]

    async def aclose(self) -> None:
        """Close the connections."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()

    async def _next(self, key: str, error: AskError | TryAgainError, teller: str) -> _Target:
        """Where to send again what was answered so."""
        if isinstance(error, MovedError):
            self.learn(error, teller)
        elif isinstance(error, AskError):
            return _Target(_target_of(error, teller), True)
        return _Target((await self.slots()).master_of(key), False)

    async def _round(
        self, questions: Sequence[tuple[str, Question]], targets: Mapping[int, _Target]
    ) -> Mapping[int, Any]:
        groups: dict[_Target, list[int]] = {}
        for place, target in targets.items():
            groups.setdefault(target, []).append(place)
        try:
            replies = await asyncio.gather(
                *(self._send(target, [questions[place][1] for place in places]) for target, places in groups.items()),
                return_exceptions=True,
            )
            for reply in replies:
                if isinstance(reply, BaseException):
                    raise reply
        except BaseException:
            # also when cancelled: who does not answer may not be the master any more
            self._looking()
            raise
        return {
            place: reply
            for places, group in zip(groups.values(), replies, strict=True)
            if isinstance(group, list)
            for place, reply in zip(places, group, strict=True)
        }

    async def _send(self, target: _Target, questions: Sequence[Question]) -> list[Any]:
        pipeline = self.client(target.address).pipeline(transaction=False)
        for question in questions:
            if target.is_asking:
                pipeline.execute_command("ASKING")
            question(pipeline)
        replies = list(await pipeline.execute(raise_on_error=False))
        return replies[1::2] if target.is_asking else replies

    def _looking(self) -> asyncio.Task[SlotMap]:
        if self._look is None or self._look.done():
            self._look = self._begin(self._looked())
        return self._look

    def _begin(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # there may be nobody left who waits for it

    async def _looked(self) -> SlotMap:
        """The first answer: of some masters, or where none of them answers, of the nodes that the settings name."""
        masters = [] if self._map is None else list({address for _, _, address in self._map.ranges})
        faults: list[Exception] = []
        for addresses in (random.sample(masters, min(len(masters), _MOST_LOOKED_AT)), self._place.nodes):
            # they are asked at once, for one that hangs must not hide those that do not
            for answer in asyncio.as_completed([self._begin(self._slots_by(address)) for address in addresses]):
                try:
                    slots = await answer
                except (RedisError, OSError, ValueError) as fault:
                    faults.append(fault)
                    continue
                self._map = slots
                self._forget_all_but({entry[2] for entry in slots.ranges})
                return slots
        kinds = ", ".join(sorted({type(fault).__name__ for fault in faults}))
        raise RedisConnectionError(f"no node of the cluster tells who serves what: {kinds}")

    async def _slots_by(self, address: str) -> SlotMap:
        async with asyncio.timeout(_LOOK_TIMEOUT):
            client: Any = self.client(address)  # the driver does not type what gives commands by name
            reply: object = await client.execute_command("CLUSTER", "SLOTS")
        return read_slots(reply, address)

    def _forget_all_but(self, addresses: set[str]) -> None:
        for address in self._clients.keys() - addresses - set(self._place.nodes):
            self._begin(self._clients.pop(address).aclose())


def _deletion(keys: Sequence[str]) -> Question:
    return lambda redis: redis.delete(*keys)


def _target_of(error: AskError, teller: str) -> str:
    try:
        return address_of(error.host, error.port, teller)
    except ValueError:
        raise RedisConnectionError("a slot is said to be at what is no address") from None
