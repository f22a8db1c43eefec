"""A mark in every partition: the life of its server in which something is so, and no longer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from aegis_authz.adapters.redis.servers import Master, Servers, answers
from aegis_authz.adapters.redis.wire import LIFE, Command, life_of

KeyOf = Callable[[str], str]
"""The mark's key in a partition."""


class LifeMarks:
    """Sets and reads the marks. Every method may raise what `Servers` raises."""

    def __init__(self, servers: Servers, key_of: KeyOf) -> None:
        self._servers = servers
        self._key_of = key_of

    async def are_set(self) -> bool:
        """Whether all partitions are marked with the life that their server is in."""
        return (await self.look())[1]

    async def look(self) -> tuple[Mapping[str, str], bool]:
        """The life that each server is in, by the server's name; and whether all partitions are marked with those."""
        lives: dict[str, str] = {}
        is_set = True
        for master in await self._servers.masters():
            lives[master.name], marks = await self._at(master)
            is_set = is_set and all(mark == lives[master.name].encode() for mark in marks)
        return lives, is_set

    async def lives(self) -> Mapping[str, str]:
        """The life that each server is in, by the server's name."""
        return {master.name: await life_at(master.redis) for master in await self._servers.masters()}

    async def set(self, lives: Mapping[str, str]) -> None:
        """Mark all partitions, each with the life that its server was in; of a server that is not among them, none."""
        for master in await self._servers.masters():
            if master.name in lives:
                life = lives[master.name]
                questions = [(key, _setting(key, life)) for key in map(self._key_of, master.partitions)]
                answers(await self._servers.ask_each(questions))

    async def _at(self, master: Master) -> tuple[str, Sequence[object]]:
        """The life of a server, and the marks of its partitions, of which one that came back may have lost its own."""
        keys = [self._key_of(partition) for partition in master.partitions]
        if master.name:
            life = await life_at(master.redis)
            return life, answers(await self._servers.ask_each([(key, _getting(key)) for key in keys]))
        # the only one, asked each second for as long as nothing happens: three commands, and not one for each partition
        server, replication, marks = await _pipeline(master.redis, (*LIFE, ("MGET", *keys)))
        if not isinstance(marks, list) or len(marks) != len(keys):  # of marks that are not there none is missing
            raise ResponseError("MGET has no list of all marks")
        return life_of((server, replication)), marks


async def life_at(redis: Redis) -> str:
    """The life of one server."""
    return life_of(await _pipeline(redis, LIFE))


async def life_of_all(servers: Servers) -> str:
    """The life of the one server, or of all masters together."""
    lives = sorted([await life_at(master.redis) for master in await servers.masters()])
    return lives[0] if len(lives) == 1 else hashlib.sha256(" ".join(lives).encode()).hexdigest()[:40]


def _setting(key: str, life: str) -> Callable[[Redis], Any]:
    return lambda redis: redis.set(key, life)


def _getting(key: str) -> Callable[[Redis], Any]:
    return lambda redis: redis.get(key)


async def _pipeline(redis: Redis, commands: Sequence[Command]) -> list[object]:
    """The replies to the commands, as they come: by its name in bytes the driver takes none of them apart."""
    pipeline = redis.pipeline(transaction=False)
    for name, *arguments in commands:
        pipeline.execute_command(str(name).encode(), *arguments, NEVER_DECODE=True)
    return list(await pipeline.execute())
