"""Transports for httpx and httpx2, which have one shape: each request is signed, and leads into the mesh.

A transport sees every hop of a redirect and every retry, after all that a client adds; a hook or an `auth` would not
see where a request goes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

from aegis_agent.aegis import Aegis
from aegis_agent.answers import is_refusal, refusal_error
from aegis_agent.errors import AegisError, AegisUnavailable, ApprovalNeeded
from aegis_agent.idempotency import require_key


class Request(Protocol):
    """A request of either library."""

    method: str
    url: Any
    headers: Any

    def read(self) -> bytes:
        """The whole body."""

    async def aread(self) -> bytes:
        """The whole body."""


OpenTransport = Callable[[str | None], Any]
"""Makes a transport of the library: through a forward proxy, or straight to the mesh (None)."""


class Transports:
    """The library's own transports, one for each way into the mesh. A child process gets new ones: a connection that
    two processes write to is nobody's."""

    def __init__(self, aegis: Aegis, open_transport: OpenTransport) -> None:
        self._aegis = aegis
        self._open = open_transport
        self._process = os.getpid()
        self._opened: dict[str | None, Any] = {}
        self._of_parents: list[Any] = []  # referred to, so that nothing closes what the parent uses

    def transport(self, url: str) -> Any:
        """The one for this URL. Raises AegisUnavailable, ValueError."""
        if self._process != os.getpid():
            self._of_parents.append(self._opened)
            self._opened, self._process = {}, os.getpid()
        proxy = self._aegis.proxy_for(url)
        if proxy not in self._opened:
            self._opened.setdefault(proxy, self._open(proxy))  # of two threads the first
        return self._opened[proxy]

    def all(self) -> list[Any]:
        """Those that are open in this process."""
        return list(self._opened.values()) if self._process == os.getpid() else []


class SignedTransport:
    """The transport of a synchronous client."""

    def __init__(
        self, aegis: Aegis, open_transport: OpenTransport, faults: tuple[type[Exception], ...], raises: bool
    ) -> None:
        """`faults` are the library's for a mesh that does not answer; with `raises` a refusal is an exception."""
        self._aegis = aegis
        self._transports = Transports(aegis, open_transport)
        self._faults = faults
        self._raises = raises

    def handle_request(self, request: Request) -> Any:
        """Sign the request and send it to the mesh. Raises AegisError."""
        url, body = str(request.url), request.read()
        transport = self._transports.transport(url)
        request.headers.update(self._aegis.headers(request.method, url, body))
        require_key(request.method, request.headers)
        try:
            response = transport.handle_request(request)
        except self._faults as fault:
            raise _unreachable(url, fault) from fault
        if self._raises and is_refusal(response.headers):
            response.read()
            response.close()
            raise _error(self._aegis, request, response)
        return response

    def close(self) -> None:
        """Close the connections."""
        for transport in self._transports.all():
            transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncSignedTransport:
    """The transport of an asynchronous client."""

    def __init__(
        self, aegis: Aegis, open_transport: OpenTransport, faults: tuple[type[Exception], ...], raises: bool
    ) -> None:
        """As `SignedTransport`."""
        self._aegis = aegis
        self._transports = Transports(aegis, open_transport)
        self._faults = faults
        self._raises = raises

    async def handle_async_request(self, request: Request) -> Any:
        """Sign the request and send it to the mesh. Raises AegisError."""
        url, body = str(request.url), await request.aread()
        transport = self._transports.transport(url)
        request.headers.update(await self._aegis.headers_async(request.method, url, body))
        require_key(request.method, request.headers)
        try:
            response = await transport.handle_async_request(request)
        except self._faults as fault:
            raise _unreachable(url, fault) from fault
        if self._raises and is_refusal(response.headers):
            await response.aread()
            await response.aclose()
            raise _error(self._aegis, request, response)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._transports.all():
            await transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def client_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """A client's options, without those that would lead requests elsewhere than into the mesh. Raises TypeError."""
    for name in ("transport", "mounts", "proxy", "app", "verify", "cert"):
        if name in options:
            raise TypeError(f"{name} is not an option here: requests go into the mesh, and Aegis says how")
    return dict(options)


def _unreachable(url: str, fault: Exception) -> AegisUnavailable:
    return AegisUnavailable(f"the mesh does not answer for {url.partition('?')[0]}: {fault or type(fault).__name__}")


def _error(aegis: Aegis, request: Request, response: Any) -> AegisError:
    error = refusal_error(response.status_code, response.headers, response.content, aegis.standing)
    if isinstance(error, ApprovalNeeded):
        error.request = request
    return error
