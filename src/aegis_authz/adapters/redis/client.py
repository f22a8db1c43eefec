"""One way to open Redis for all adapters: no silent retries, short waits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from aegis_authz.ports.data_plane import StoreDown

_INCLUDE = re.compile(r"^-- @include ([a-z_]+\.lua)$", re.MULTILINE)
_CONNECT_TIMEOUT = 0.5
_ANSWER_TIMEOUT = 2.0


def open_redis(url: str, max_connections: int) -> Redis:
    """A client for `url` (`unix:///path` or `redis://host:port/0`).

    Nothing is sent twice: a write whose answer was lost is reported lost, not repeated. Whoever finds all connections
    in use waits for one, as long as its own deadline lets it. Raises ValueError for an URL of another kind.
    """
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=None,
        socket_connect_timeout=_CONNECT_TIMEOUT,
        # Whoever asks has a deadline of its own, and a timer for each answer costs more than reading it.
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )
    return Redis.from_pool(pool)


def script(name: str) -> str:
    """The text of a Lua script that lies beside this module, with the text of those that it includes."""
    text = Path(__file__).with_name(name).read_text("utf-8")
    return _INCLUDE.sub(lambda line: script(line[1]), text)


def fault_text(fault: Exception) -> str:
    """What may be told of a driver's fault: Redis' own error texts name commands and limits, never values.

    Of every other fault only its kind, because the text may hold an address.
    """
    return str(fault)[:200] if isinstance(fault, ResponseError) else type(fault).__name__


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Talk to Redis for the control plane: at most two seconds, every fault of the driver as StoreDown."""
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            yield
    except (RedisError, OSError) as fault:
        raise StoreDown(f"Redis cannot be used: {fault_text(fault)}") from None
