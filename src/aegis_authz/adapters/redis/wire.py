"""Commands to Redis in one write, their replies in order: what redis-py's pipeline does, without its bookkeeping."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

Command = tuple[str | bytes | int, ...]


LIFE: tuple[Command, ...] = (("INFO", "server"), ("INFO", "replication"))
"""What a server is asked to know its life."""
_RUN_ID = re.compile(rb"^run_id:([0-9a-f]{40})\r?$", re.MULTILINE)
_REPLICATION_ID = re.compile(rb"^master_replid:([0-9a-f]{40})\r?$", re.MULTILINE)
_LIFE_SECONDS = 1.0


@dataclass(slots=True)
class _Line:
    connection: AbstractConnection
    life: str
    looked_at: float


class RedisWire:
    """A few connections of its own, opened as `redis` opens them (address, password, TLS), kept and used again.

    It holds as many as are asked at a time; whoever asks bounds that. Each knows the life of the server it leads to,
    asked when it was opened and again with what is sent when a second has passed: behind an address, or by a change of
    role, another life can begin while the connection lasts.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._idle: list[_Line] = []

    async def ask(self, compose: Callable[[str], Sequence[Command]], *, is_look: bool = False) -> list[object]:
        """The replies to what `compose` makes for the server's life, its error replies as ResponseErrors among them.

        With `is_look` the life is asked for with them, whenever it was last. Nothing is sent twice. Raises RedisError
        or OSError when not all replies came, or when they came from a server in another life; the commands may have
        run.
        """
        line = self._idle.pop() if self._idle else self._new()
        try:
            await self._open(line)
            now = asyncio.get_running_loop().time()
            look = LIFE if is_look or now - line.looked_at >= _LIFE_SECONDS else ()
            commands = compose(line.life)
            replies = await _exchange(line.connection, [*look, *commands])
            if look:
                if life_of(replies[: len(look)]) != line.life:
                    raise RedisConnectionError("the server is another, or has another role")
                line.looked_at = now
        except BaseException:
            # also when cancelled: a late reply must not meet the next command
            await line.connection.disconnect(nowait=True)
            raise
        if any(map(is_stale, replies)):
            await line.connection.disconnect(nowait=True)
            await self.close()  # all of them lead to the server of before
        else:
            self._idle.append(line)
        return replies[len(look) :]

    async def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            await self._idle.pop().connection.disconnect()

    async def _open(self, line: _Line) -> None:
        connection = line.connection
        if connection.is_connected and await connection.can_read():
            await connection.disconnect()  # nobody asked for anything: Redis hung up
        if connection.is_connected and line.life:
            return
        await connection.connect()  # type: ignore[no-untyped-call]
        line.looked_at = asyncio.get_running_loop().time()
        line.life = life_of(await _exchange(connection, LIFE))

    def _new(self) -> _Line:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return _Line(connection, "", 0.0)


def is_stale(reply: object) -> bool:
    """Whether a script did nothing because its caller has yet to see that the server is another (marks.lua)."""
    return isinstance(reply, ResponseError) and str(reply).startswith("STALE ")


def life_of(replies: Sequence[object]) -> str:
    """A name for the time in which one process serves one history: its run id and its replication id, in hex.

    Takes the replies to `LIFE`. Raises ResponseError when they do not tell.
    """
    texts = [reply if isinstance(reply, bytes) else b"" for reply in replies]
    ids = [pattern.search(text) for pattern, text in zip((_RUN_ID, _REPLICATION_ID), texts, strict=True)]
    if None in ids:
        raise ResponseError(
            "INFO does not tell run_id and master_replid: it cannot be seen whether tokens were forgotten"
        )
    return b"".join(match[1] for match in ids if match is not None).decode()


async def _exchange(connection: AbstractConnection, commands: Sequence[Command]) -> list[object]:
    packed = b"".join([_packed(command) for command in commands])
    await connection.send_packed_command(packed, check_health=False)
    return [await _reply(connection) for _ in commands]


def _packed(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # its stub allows tuples of one alone
    return packed


async def _reply(connection: AbstractConnection) -> object:
    try:
        reply: object = await connection.read_response()
    except ResponseError as error:
        return error
    return reply
