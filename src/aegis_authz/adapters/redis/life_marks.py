"""A mark in every partition: the life of its server in which something is so, and no longer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, cast

from redis.asyncio import Redis

from aegis_authz.adapters.redis.servers import Master, Servers, answers
from aegis_authz.adapters.redis.wire import life_of

KeyOf = Callable[[str], str]
"""The mark's key in a partition."""


class LifeMarks:
    """Sets and reads the marks. Every method may raise what `Servers` raises."""

    def __init__(self, servers: Servers, key_of: KeyOf) -> None:
        self._servers = servers
        self._key_of = key_of

    async def are_set(self) -> bool:
        """Whether all partitions are marked with the life that their server is in."""
        for master in await self._servers.masters():
            if not await self._are_set_at(master):
                return False
        return True

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

    async def _are_set_at(self, master: Master) -> bool:
        life = await life_at(master.redis)
        # all of them: a slot that went and came back, all between two looks, has lost its mark and no other
        questions = [(key, _getting(key)) for key in map(self._key_of, master.partitions)]
        return all(mark == life.encode() for mark in answers(await self._servers.ask_each(questions)))


async def life_at(redis: Redis) -> str:
    """The life of one server."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.execute_command("INFO", "server", NEVER_DECODE=True)
    pipeline.execute_command("INFO", "replication", NEVER_DECODE=True)
    return life_of([_text(reply) for reply in await pipeline.execute()])


async def life_of_all(servers: Servers) -> str:
    """The life of the one server, or of all masters together."""
    lives = sorted([await life_at(master.redis) for master in await servers.masters()])
    return lives[0] if len(lives) == 1 else hashlib.sha256(" ".join(lives).encode()).hexdigest()[:40]


def _setting(key: str, life: str) -> Callable[[Redis], Any]:
    return lambda redis: redis.set(key, life)


def _getting(key: str) -> Callable[[Redis], Any]:
    return lambda redis: redis.get(key)


def _text(reply: object) -> bytes:
    """What INFO said, which the driver takes apart, put together again."""
    if isinstance(reply, bytes):
        return reply
    facts = cast(dict[str, object], reply) if isinstance(reply, dict) else {}
    return "".join(f"{name}:{value}\n" for name, value in facts.items()).encode()
