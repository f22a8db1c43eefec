"""One way to open Redis for all adapters: no silent retries, short waits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AskError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from aegis_authz.ports.data_plane import StoreDown

_INCLUDE = re.compile(r"^-- @include ([a-z_]+\.lua)$", re.MULTILINE)
_SENTINEL = "sentinel://"
_SENTINEL_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([1-9][0-9]{0,4})\Z")
_CONNECT_TIMEOUT = 0.5
_ANSWER_TIMEOUT = 2.0
_NO_NOTICES = MaintNotificationsConfig(enabled=False)
"""With notices of maintenance the driver does not see that a server hung up, and hands out dead connections."""


class RedisUrlUnusable(ValueError):
    """An URL that names no Redis; the message shows nothing of it, for it may hold a password."""


def open_redis(url: str, max_connections: int) -> Redis:
    """A client for `url`: `unix:///path`, `redis://host:port/0`, or `sentinel://host:port,host:port/service`.

    Of a service that Sentinels watch, whoever is its master when a connection is opened is used. Nothing is sent twice:
    a write whose answer was lost is reported lost, not repeated. Whoever finds all connections in use waits for one,
    as long as its own deadline lets it. Raises RedisUrlUnusable.
    """
    if url.startswith(_SENTINEL):
        return Redis.from_pool(_sentinel_pool(url.removeprefix(_SENTINEL), max_connections))
    try:
        pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
            url,
            max_connections=max_connections,
            timeout=None,
            socket_connect_timeout=_CONNECT_TIMEOUT,
            # Whoever asks has a deadline of its own, and a timer for each answer costs more than reading it.
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            maint_notifications_config=_NO_NOTICES,
        )
    except ValueError:
        raise RedisUrlUnusable(
            "redis is none of redis://host:port/0, rediss://, unix:///path, sentinel://, cluster:// and clusters://"
        ) from None
    return Redis.from_pool(pool)


class _WatchedPool(SentinelConnectionPool, BlockingConnectionPool):
    """A bounded pool whose callers wait for a connection; it closes what it asked the Sentinels by, too."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close all connections, or when another master was found, those that are not in use."""
        await super().disconnect(inuse_connections)
        if inuse_connections:  # else whoever asks the Sentinels at the same moment would be cut off
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose()


def _sentinel_pool(place: str, max_connections: int) -> SentinelConnectionPool:
    credentials, _, rest = place.rpartition("@")
    hosts, _, service = rest.partition("/")
    addresses = [_SENTINEL_ADDRESS.match(host) for host in hosts.split(",")]
    if not service or None in addresses:
        raise RedisUrlUnusable("a Redis that Sentinels watch is sentinel://[user:password@]host:port,host:port/service")
    user, _, password = map(unquote, credentials.partition(":"))
    waits = {"socket_connect_timeout": _CONNECT_TIMEOUT, "retry": Retry(NoBackoff(), 0)}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # the driver types neither of the two
        [(match[1].strip("[]"), int(match[2])) for match in addresses if match is not None],
        sentinel_kwargs={**waits, "socket_timeout": _CONNECT_TIMEOUT},
    )
    return _WatchedPool(  # type: ignore[no-untyped-call]  # as above
        service,
        sentinel,
        max_connections=max_connections,
        timeout=None,
        username=user or None,
        password=password or None,
        socket_timeout=None,  # as above: whoever asks has a deadline of its own
        health_check_interval=0,
        maint_notifications_config=_NO_NOTICES,
        **waits,
    )


def script(name: str) -> str:
    """The text of a Lua script that lies beside this module, with the text of those that it includes."""
    text = Path(__file__).with_name(name).read_text("utf-8")
    return _INCLUDE.sub(lambda line: script(line[1]), text)


def fault_text(fault: Exception) -> str:
    """What may be told of a driver's fault: Redis' own error texts name commands and limits, never values.

    Of every other fault only its kind, because the text may hold an address.
    """
    is_address = isinstance(fault, AskError)
    return str(fault)[:200] if isinstance(fault, ResponseError) and not is_address else type(fault).__name__


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Talk to Redis for the control plane: at most two seconds, every fault of the driver as StoreDown."""
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            yield
    except (RedisError, OSError) as fault:
        raise StoreDown(f"Redis cannot be used: {fault_text(fault)}") from None
