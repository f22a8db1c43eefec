"""Commands to Redis in one write, their replies in order: what redis-py's pipeline does, without its bookkeeping."""

from __future__ import annotations

from collections.abc import Sequence

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

Command = tuple[str | bytes | int, ...]


class RedisWire:
    """A few connections of its own, opened as `redis` opens them (address, password, TLS), kept and used again.

    It holds as many as are asked at a time; whoever asks bounds that.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._idle: list[AbstractConnection] = []

    async def ask(self, commands: Sequence[Command]) -> list[object]:
        """The replies to `commands`, an error reply of Redis as a ResponseError among them.

        Nothing is sent twice. Raises RedisError or OSError when not all replies came; the commands may have run.
        """
        packed = b"".join([_packed(command) for command in commands])
        connection = self._idle.pop() if self._idle else self._new()
        try:
            if connection.is_connected and await connection.can_read():
                await connection.disconnect()  # nobody asked for anything: Redis hung up
            await connection.connect()  # type: ignore[no-untyped-call]
            await connection.send_packed_command(packed, check_health=False)
            replies = [await _reply(connection) for _ in commands]
        except BaseException:
            # also when cancelled: a late reply must not meet the next command
            await connection.disconnect(nowait=True)
            raise
        self._idle.append(connection)
        return replies

    async def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            await self._idle.pop().disconnect()

    def _new(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return connection


def _packed(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # its stub allows tuples of one alone
    return packed


async def _reply(connection: AbstractConnection) -> object:
    try:
        reply: object = await connection.read_response()
    except ResponseError as error:
        return error
    return reply
