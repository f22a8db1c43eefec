"""HTTP to other machines: a name is resolved once, and one that leads back to this machine is not connected to.

Who controls a name's DNS, or a URL that is read from a stranger's answer, would else reach whatever listens on our
loopback. A URL that says loopback itself is taken at its word; `refuse_inside` takes none, nor a private network.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

from aegis_authz.core.address import is_loopback, says_loopback

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host and port, best first. Raises OSError, ValueError."""

Refusal = Callable[[str, str], str]
"""Why nothing is sent to a host at one of its addresses, "" where it is."""
_TRANSLATED = ip_network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last four bytes


def refuse_here(host: str, address: str) -> str:
    """Refuse this machine, unless the host says so."""
    if says_loopback(host) or not _is_here(address):
        return ""
    return "leads to this machine itself, which its URL does not say"


def refuse_inside(host: str, address: str) -> str:
    """Refuse all that is not the internet: this machine, private and link-local networks, whatever the host says."""
    place = _plain(address)
    return "" if place.is_global and not place.is_multicast else "leads to a network inside, which nobody has allowed"


def refuse_nothing(host: str, address: str) -> str:
    """For what somebody has named and allowed, wherever it is."""
    return ""


async def resolve(host: str, port: int) -> list[str]:
    """The addresses that the system knows for a name. Raises OSError, ValueError."""
    entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in entries))


class ElsewhereTransport(httpx.AsyncBaseTransport):
    """Connects to the addresses of a host, none of which is refused: this machine is, unless the host says so.

    What was looked at is what is connected to: nothing is resolved a second time. No connection is kept, for it is the
    certificate's name that makes one another host's.
    """

    def __init__(
        self,
        resolver: Resolver = resolve,
        authorities: ssl.SSLContext | None = None,
        refusal: Refusal = refuse_here,
    ) -> None:
        """Servers are verified by these authorities, those of httpx where there are none."""
        limits = httpx.Limits(max_connections=16, max_keepalive_connections=0)
        verify = True if authorities is None else authorities
        self._http = httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=limits)
        self._resolver = resolver
        self._refusal = refusal

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it to the first address that can be connected to. Raises httpx.TransportError, OSError, ValueError."""
        host = request.url.raw_host.decode("ascii").rstrip(".").lower()
        addresses = await self._addresses(host, request)
        for last, address in enumerate(addresses, 1 - len(addresses)):
            try:
                return await self._http.handle_async_request(_to(address, host, request))
            except httpx.ConnectError:
                if last == 0:
                    raise
        raise httpx.ConnectError(f"{host} has no address", request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _addresses(self, host: str, request: httpx.Request) -> list[str]:
        default = 443 if request.url.scheme == "https" else 80
        addresses = await self._resolver(host, request.url.port or default)
        for address in addresses:
            why = self._refusal(host, address)
            if why:
                raise httpx.ConnectError(f"{host} {why}", request=request)
        return addresses


async def bounded_content(answer: httpx.Response, most_bytes: int) -> bytes:
    """The body of a streamed answer, as it was sent. Raises httpx.ReadError for one that is compressed, or too long."""
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise httpx.ReadError("answers compressed without being asked to")
    content = bytearray()
    async for chunk in answer.aiter_raw():
        content += chunk
        if len(content) > most_bytes:
            raise httpx.ReadError(f"answers more than {most_bytes} bytes")
    return bytes(content)


def _to(address: str, host: str, request: httpx.Request) -> httpx.Request:
    """The same request, its host header included, to this address; TLS still asks for the host's certificate."""
    extensions = {**request.extensions, "sni_hostname": host}
    url = request.url.copy_with(host=address)
    return httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)


def _is_here(text: str) -> bool:
    address = _plain(text)
    return address.is_unspecified or is_loopback(str(address))  # the unspecified address connects to loopback


def _plain(text: str) -> IPv4Address | IPv6Address:
    """The address that is connected to in the end: one of IPv6 may hold one of IPv4."""
    address = ip_address(text.partition("%")[0])
    if not isinstance(address, IPv6Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
