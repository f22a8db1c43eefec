"""A closed-loop HTTP/1.1 load: each connection sends its next request when the answer to the last has come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import httptools


@dataclass
class Load:
    """What a round saw. `latencies` are seconds, one a call; `wrong` counts answers other than the expected."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    wrong: int = 0

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return (len(self.latencies) - self.wrong) / self.seconds

    def quantile(self, share: float) -> float:
        """The latency below which that share of the calls stayed, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000


async def drive(port: int, requests: Iterator[bytes], connections: int, seconds: float, status: int) -> Load:
    """Send `requests` over `connections` connections to 127.0.0.1:`port` for `seconds`; each must be answered `status`.

    Ends early when the requests run out. Raises OSError when a connection fails.
    """
    loop, load = asyncio.get_running_loop(), Load()
    started = loop.time()
    clients = [
        (await loop.create_connection(lambda: _Client(requests, started + seconds, status, load), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.done for client in clients))
    load.seconds = loop.time() - started
    return load


class _Client(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], until: float, status: int, load: Load) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._until = until
        self._status = status
        self._load = load
        self._sent = 0.0
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the proxy closed the connection"))

    def on_message_complete(self) -> None:
        self._load.latencies.append(time.perf_counter() - self._sent)
        self._load.wrong += self._parser.get_status_code() != self._status
        self._parser = httptools.HttpResponseParser(self)
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None or asyncio.get_running_loop().time() > self._until:
            if not self.done.done():
                self.done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)
