"""One way to open Redis for all adapters: no silent retries, short waits."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_CONNECT_TIMEOUT = 0.5


def open_redis(url: str, max_connections: int) -> Redis:
    """A client for `url` (`unix:///path` or `redis://host:port/0`).

    Nothing is sent twice: a write whose answer was lost is reported lost, not repeated.
    """
    client: Redis = Redis.from_url(
        url,
        max_connections=max_connections,
        socket_connect_timeout=_CONNECT_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )
    return client


def script(name: str) -> str:
    """The text of a Lua script that lies beside this module."""
    return Path(__file__).with_name(name).read_text("utf-8")
