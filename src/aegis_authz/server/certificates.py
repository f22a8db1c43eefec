"""Delta SDS: a leaf certificate for each host that Envoy opens, renewed at half of its life; others are refused.

Source: envoy/service/secret/v3/sds.proto and the delta variant of the xDS protocol. Only delta can refuse a name: an
empty state-of-the-world answer leaves a handshake without an end.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from aegis_authz.core.address import UnixAddress, read_address
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.intercept.authority import Authority, AuthorityUnreadable, Leaf, NotCertified
from aegis_authz.intercept.leaves import Allowance, Leaves
from aegis_authz.intercept.subscriptions import NAMES_METADATA, NamesOf
from aegis_authz.ports.data_plane import Clock

SDS_SERVICE: Final = "envoy.service.secret.v3.SecretDiscoveryService"

_log = logging.getLogger(__name__)
_TYPE_URL: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
_AGAIN = Seconds(5.0)
"""After so long a name is tried again that Envoy was refused, or could not be brought a new leaf of."""
_WATCH = 1.0

_Changed = None
"""In a stream's queue: the authority is another one."""


@dataclass(slots=True, eq=False)
class _Stream:
    """What one stream of Envoy's subscribes to: by name, when the next leaf is due."""

    names_of: NamesOf
    due: dict[str, Epoch] = field(default_factory=dict)
    queue: asyncio.Queue[DeltaDiscoveryRequest | None] = field(default_factory=asyncio.Queue)


class CertificateService:
    """Serves leaves of the authority that `authority` gives now; it raises AuthorityUnreadable or OSError for none."""

    def __init__(self, authority: Callable[[], Authority], leaves: Leaves, allowance: Allowance, clock: Clock) -> None:
        self._authority = authority
        self._leaves = leaves
        self._allowance = allowance
        self._clock = clock
        self._streams: set[_Stream] = set()

    @property
    def handler(self) -> grpc.GenericRpcHandler:
        """The service, for a server of grpc.aio."""
        delta = grpc.stream_stream_rpc_method_handler(
            self._delta,
            request_deserializer=DeltaDiscoveryRequest.FromString,
            response_serializer=DeltaDiscoveryResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(SDS_SERVICE, {"DeltaSecrets": delta})

    @property
    def trouble(self) -> str:
        """Why no certificate can be signed now, "" when one can."""
        try:
            self._authority()
        except (AuthorityUnreadable, OSError) as fault:
            return str(fault)
        return ""

    async def watch(self) -> None:
        """Bring every stream leaves of the new authority once it is another one; until cancelled."""
        signer = self._signer()
        while True:
            await asyncio.sleep(_WATCH)
            if (now := self._signer()) not in ("", signer):
                signer = now
                for stream in self._streams:
                    stream.queue.put_nowait(_Changed)

    def _signer(self) -> str:
        try:
            return self._authority().fingerprint
        except (AuthorityUnreadable, OSError):
            return ""

    async def _delta(
        self, requests: AsyncIterator[DeltaDiscoveryRequest], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[DeltaDiscoveryResponse]:
        # whose choice the names are is said by Envoy's configuration; a stream that does not say gets nothing for free
        metadata = dict(context.invocation_metadata() or ())
        stream = _Stream(_names_of(metadata.get(NAMES_METADATA)))
        reader = asyncio.create_task(_read(requests, stream.queue))
        self._streams.add(stream)
        nonce = 0
        try:
            while not reader.done() or not stream.queue.empty():
                names = await self._next(stream, reader)
                answer = self._answer(stream, names)
                if answer.resources or answer.removed_resources:
                    nonce += 1
                    answer.nonce = str(nonce)
                    yield answer
        finally:
            self._streams.discard(stream)
            reader.cancel()

    async def _next(self, stream: _Stream, reader: asyncio.Task[None]) -> Iterable[str]:
        """The names to be answered now: asked for, due, or all of them under a new authority."""
        wait = max(0.0, min(stream.due.values()) - self._clock.now()) if stream.due else None
        getting = asyncio.ensure_future(stream.queue.get())
        try:
            await asyncio.wait((getting, reader), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if not getting.done():
                return [name for name, due in stream.due.items() if due <= self._clock.now()]
            request = getting.result()
        finally:
            getting.cancel()
        if request is _Changed:
            return list(stream.due)
        for name in request.resource_names_unsubscribe:
            stream.due.pop(name, None)
        if request.HasField("error_detail"):
            _log.error("Envoy does not take a certificate: %s", request.error_detail.message)
        return list(request.resource_names_subscribe)  # none for an ACK

    def _answer(self, stream: _Stream, names: Iterable[str]) -> DeltaDiscoveryResponse:
        answer = DeltaDiscoveryResponse(type_url=_TYPE_URL)
        for name in names:
            now = self._clock.now()
            leaf = self._leaf(stream, name, now)
            if leaf is not None:
                answer.resources.add(name=name, version=str(leaf.starts)).resource.Pack(_secret(leaf))
                stream.due[name] = leaf.renewal
                continue
            if name not in stream.due or stream.names_of == NamesOf.CLIENTS:
                answer.removed_resources.append(name)  # the handshake fails at once
            if stream.names_of == NamesOf.CATALOGUE:
                stream.due[name] = Epoch(now + _AGAIN)
        return answer

    def _leaf(self, stream: _Stream, name: str, now: Epoch) -> Leaf | None:
        try:
            authority = self._authority()
            authority.check(name)  # first: what gets no leaf must use up nothing of what strangers may have
            if stream.names_of == NamesOf.CLIENTS and not self._allowance.take(name, now):
                _log.warning("no certificate for %.100r: clients asked for too many names", name)
                return None
            return self._leaves.leaf(authority, name, now)
        except NotCertified as fault:
            _log.warning("no certificate for %.100r: %s", name, fault)
        except (AuthorityUnreadable, OSError) as fault:
            _log.error("no certificate for %.100r: %s", name, fault)  # a sentence says all of it
        return None


class CertificateServer:
    """Serves the service on one address (`unix:/path` or `host:port`)."""

    def __init__(self, service: CertificateService, address: str, mode: int = 0o600) -> None:
        """`mode` is that of a unix socket."""
        self._address = address
        self._mode = mode
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((service.handler,))

    async def start(self) -> None:
        """Listen. Raises RuntimeError when the address is taken."""
        place = read_address(self._address)
        if isinstance(place, UnixAddress):
            Path(place.path).unlink(missing_ok=True)  # noqa: ASYNC240  # before anything is served
        mask = os.umask(0o777 & ~self._mode)  # keys pass it: from its first moment nobody else's
        try:
            if self._server.add_insecure_port(self._address) == 0:
                raise RuntimeError(f"cannot listen on {self._address}")
            await self._server.start()
        finally:
            os.umask(mask)

    async def stop(self, grace: float) -> None:
        """Accept nothing new, and end what is open after `grace` seconds."""
        await self._server.stop(grace)


def _names_of(value: str | bytes | None) -> NamesOf:
    return NamesOf.CATALOGUE if value == NamesOf.CATALOGUE.value else NamesOf.CLIENTS


async def _read(
    requests: AsyncIterator[DeltaDiscoveryRequest], queue: asyncio.Queue[DeltaDiscoveryRequest | None]
) -> None:
    async for request in requests:
        queue.put_nowait(request)


def _secret(leaf: Leaf) -> Secret:
    secret = Secret(name=leaf.name)
    secret.tls_certificate.certificate_chain.inline_bytes = leaf.certificate
    secret.tls_certificate.private_key.inline_bytes = leaf.key
    return secret
