"""Clients of httpx2 whose calls go through the mesh, each with a proof of its own, redirects and retries included."""

from __future__ import annotations

import ssl
from functools import partial
from typing import Any

import httpx2

from aegis_agent.aegis import Aegis
from aegis_agent.errors import ApprovalNeeded
from aegis_agent.transports import AsyncSignedTransport, SignedTransport, client_options

_FAULTS = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)


def _ways(aegis: Aegis, proxy: str | None) -> dict[str, Any]:
    tls: ssl.SSLContext | bool = aegis.tls or True
    way = None if proxy is None else httpx2.Proxy(proxy, ssl_context=aegis.tls if proxy.startswith("https:") else None)
    return {"verify": tls, "proxy": way, "trust_env": False}


class Client(httpx2.Client):
    """An `httpx2.Client` of an agent. Takes its options, but those that say where requests go."""

    def __init__(self, aegis: Aegis, *, raises: bool = True, **options: Any) -> None:
        """With `raises` off a refusal is a response: 403 and the like, a problem document in it."""
        self.aegis = aegis
        transport: Any = SignedTransport(
            aegis, lambda proxy: httpx2.HTTPTransport(**_ways(aegis, proxy)), _FAULTS, raises
        )
        super().__init__(transport=transport, **client_options(options))

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """As of httpx2. Raises AegisError."""
        try:
            return super().send(request, **options)
        except ApprovalNeeded as error:
            error.repeat = partial(self.send, error.request, **options)
            held = error
        answer: httpx2.Response = self.aegis.answer(held)
        return answer


class AsyncClient(httpx2.AsyncClient):
    """An `httpx2.AsyncClient` of an agent. Takes its options, but those that say where requests go."""

    def __init__(self, aegis: Aegis, *, raises: bool = True, **options: Any) -> None:
        """As `Client`."""
        self.aegis = aegis
        transport: Any = AsyncSignedTransport(
            aegis, lambda proxy: httpx2.AsyncHTTPTransport(**_ways(aegis, proxy)), _FAULTS, raises
        )
        super().__init__(transport=transport, **client_options(options))

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """As of httpx2. Raises AegisError."""
        try:
            return await super().send(request, **options)
        except ApprovalNeeded as error:
            error.repeat, error.is_async = partial(self.send, error.request, **options), True
            held = error
        answer: httpx2.Response = await self.aegis.answer_async(held)
        return answer
