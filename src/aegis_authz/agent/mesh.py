"""Calls into the mesh: each with the agent's token and a proof made for it alone."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from aegis_authz.agent.proof import ProofKey
from aegis_authz.agent.refusals import Cause, Unforwarded
from aegis_authz.agent.tokens import TokenFault

MOST_BODY = 1_048_576
"""Bytes of a request that the mesh judges; a proof is made over all of them, so they are held until they are there."""

_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("proxy-authenticate", "proxy-authorization", "content-length", "expect", "host"),
    }
)
_OURS = frozenset({"x-aegis-token", "x-aegis-proof"})
"""Headers that say who calls: the signer's alone. The client's own would make two credentials of one."""

_CONNECT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class MeshAddress:
    """Where the mesh takes calls: its forward proxy, and the base URL of its reverse routes (no slash at the end)."""

    proxy: str
    reverse: str


@dataclass(frozen=True, slots=True)
class MeshCall:
    """A request to be judged. `url` is absolute; `is_forward` sends it through the forward proxy."""

    method: str
    url: str
    is_forward: bool
    headers: tuple[tuple[str, str], ...]
    body: bytes


class MeshCaller:
    """Sends calls as the agent whose key and token it has."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        mesh: MeshAddress,
        key: ProofKey,
        token: Callable[[], Awaitable[str]],
    ) -> None:
        self.mesh = mesh
        self._session = session
        self._key = key
        self._token = token

    async def tunnel_headers(self, target: str) -> dict[str, str]:
        """What a CONNECT to `host:port` carries. Raises TokenFault, and ValueError for what is no host and port."""
        token = await self._token()
        proof = self._key.proof("CONNECT", f"https://{target}/", token, b"")
        return {"proxy-authorization": f"Bearer {token}", "x-aegis-proof": proof}

    @asynccontextmanager
    async def call(self, call: MeshCall) -> AsyncIterator[aiohttp.ClientResponse]:
        """The mesh's answer, its body unread. Raises Unforwarded when there is none."""
        headers = CIMultiDict((name, value) for name, value in call.headers if name.lower() not in _OURS)
        try:
            token = await self._token()
        except TokenFault as fault:
            raise Unforwarded(Cause.TOKEN_UNAVAILABLE, f"Not sent: {fault}. It may be repeated later.") from None
        try:
            url = URL(call.url, encoded=True)  # what was signed is what is sent, letter by letter
            where = self.mesh.proxy if call.is_forward else str(url.origin())
            headers["x-aegis-proof"] = self._key.proof(call.method, call.url, token, call.body)
        except ValueError:
            raise Unforwarded(Cause.NOT_A_CALL, "The URL is none that the mesh could judge.") from None
        headers["x-aegis-token"] = token
        try:
            response = await self._session.request(
                call.method,
                url,
                headers=headers,
                data=call.body or None,
                proxy=self.mesh.proxy if call.is_forward else None,
                allow_redirects=False,  # the client follows, and each hop is a call with a proof of its own
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
            why = str(fault) or type(fault).__name__
            raise Unforwarded(Cause.MESH_UNREACHABLE, f"The mesh at {where} does not answer: {why}.") from None
        async with response:
            yield response


def mesh_session(authorities: Path | None = None) -> aiohttp.ClientSession:
    """A session that adds nothing of its own to calls: no cookies, no proxies of the environment, no decompression.

    Servers are verified by these certificate authorities, else by the system's. Raises OSError for a file of none.
    """
    connector = None
    if authorities is not None:
        try:
            connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=authorities))
        except OSError as fault:  # that of ssl names no file
            raise OSError(f"{authorities}: no certificate authorities: {fault.strerror or fault}") from None
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        trust_env=False,
        read_bufsize=2**16,
    )


def end_to_end(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The headers that are for the other end (RFC 9110 section 7.6.1), in their order, repeated ones included."""
    pairs = tuple(headers)
    hop_names = {
        word.strip().lower() for name, value in pairs if name.lower() == "connection" for word in value.split(",")
    }
    return tuple((name, value) for name, value in pairs if name.lower() not in _HOP_BY_HOP | hop_names)
