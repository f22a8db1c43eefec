"""Certificates by delta SDS, asked for as Envoy asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import grpc
import pytest
from cryptography import x509
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from aegis_authz.core.units import Epoch, Monotonic, Seconds
from aegis_authz.intercept.authority import Authority, AuthorityUnreadable, new_authority
from aegis_authz.intercept.leaves import Allowance, Leaves
from aegis_authz.intercept.subscriptions import NAMES_METADATA, NamesOf
from aegis_authz.server.certificates import SDS_SERVICE, CertificateService

PATIENCE = 10.0
START = Epoch(1_800_000_000.0)


@dataclass
class Time:
    """A clock that a test sets."""

    at: Epoch = START

    def now(self) -> Epoch:
        return self.at

    def monotonic(self) -> Monotonic:
        return Monotonic(self.at)


@dataclass
class Serving:
    """A service on a socket."""

    place: str
    service: CertificateService
    time: Time
    authority: list[Authority] = field(default_factory=list)

    def ask(self, names_of: str, *names: str) -> Stream:
        return Stream(self.place, names_of, names)


class Stream:
    """One stream of Envoy's."""

    def __init__(self, place: str, names_of: str, names: tuple[str, ...]) -> None:
        self._place, self._metadata, self._names = place, ((NAMES_METADATA, names_of),), names

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self._place)
        call = self._channel.stream_stream(
            f"/{SDS_SERVICE}/DeltaSecrets",
            request_serializer=DeltaDiscoveryRequest.SerializeToString,
            response_deserializer=DeltaDiscoveryResponse.FromString,
        )
        self._call = call(metadata=self._metadata)
        await self._call.write(DeltaDiscoveryRequest(resource_names_subscribe=self._names))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.cancel()
        await self._channel.close()

    async def next(self) -> tuple[dict[str, x509.Certificate], list[str]]:
        """What is served, and what is refused."""
        async with asyncio.timeout(PATIENCE):
            answer = await self._call.read()
        await self._call.write(DeltaDiscoveryRequest(response_nonce=answer.nonce))
        served: dict[str, x509.Certificate] = {}
        for resource in answer.resources:
            secret = Secret()
            assert resource.resource.Unpack(secret)
            assert secret.tls_certificate.private_key.inline_bytes.startswith(b"-----BEGIN PRIVATE KEY")
            served[resource.name] = x509.load_pem_x509_certificate(
                secret.tls_certificate.certificate_chain.inline_bytes
            )
        return served, list(answer.removed_resources)


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[Serving]:
    clock = Time()
    authorities = [new_authority(START)]

    def authority() -> Authority:
        if not authorities:
            raise AuthorityUnreadable("the key is gone")
        return authorities[0]

    service = CertificateService(authority, Leaves(100, Seconds(100.0)), Allowance(2, 2), clock)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((service.handler,))
    place = f"unix:{tmp_path / 's'}"
    server.add_insecure_port(place)
    await server.start()
    watch = asyncio.create_task(service.watch())
    yield Serving(place, service, clock, authorities)
    watch.cancel()
    await server.stop(None)


async def test_a_host_gets_a_leaf_that_the_authority_signed(serving: Serving) -> None:
    async with serving.ask(NamesOf.CATALOGUE.value, "a.example") as stream:
        served, refused = await stream.next()
    assert refused == []
    signer = x509.load_pem_x509_certificate(serving.authority[0].certificate)
    served["a.example"].verify_directly_issued_by(signer)


async def test_two_streams_get_one_leaf(serving: Serving) -> None:
    async with serving.ask("catalogue", "a.example") as one, serving.ask("catalogue", "a.example") as two:
        assert (await one.next())[0] == (await two.next())[0]


@pytest.mark.parametrize("name", ["A.example", "-", "10.0.0.1", ""])
async def test_what_is_no_host_in_lower_case_is_refused_at_once(serving: Serving, name: str) -> None:
    async with serving.ask("clients", name) as stream:
        assert await stream.next() == ({}, [name])


async def test_clients_are_bounded_and_the_catalogue_is_not(serving: Serving) -> None:
    for name, is_served in (("a.example", True), ("b.example", True), ("c.example", False), ("a.example", True)):
        async with serving.ask("clients", name) as stream:
            served, refused = await stream.next()
        assert (name in served, refused) == (is_served, [] if is_served else [name])
    async with serving.ask("catalogue", "c.example", "d.example") as stream:
        served, refused = await stream.next()
    assert (served.keys(), refused) == ({"c.example", "d.example"}, [])


async def test_names_that_get_no_leaf_use_up_nothing(serving: Serving) -> None:
    serving.authority[0] = new_authority(START, ("example",))
    for name in ("A.example", "10.0.0.1", "a.elsewhere", "b.elsewhere"):
        async with serving.ask("clients", name) as stream:
            assert await stream.next() == ({}, [name])
    for name in ("a.example", "b.example"):
        async with serving.ask("clients", name) as stream:
            served, _ = await stream.next()
        assert name in served


async def test_a_stream_that_does_not_say_whose_names_it_has_is_bounded(serving: Serving) -> None:
    for name in ("a.example", "b.example", "c.example"):
        async with serving.ask("", name) as stream:
            served, _ = await stream.next()
        assert (name in served) == (name != "c.example")


async def test_a_leaf_is_renewed_at_half_of_its_life(serving: Serving) -> None:
    serving.time.at = Epoch(START + 1)
    async with serving.ask("catalogue", "a.example") as stream:
        first, _ = await stream.next()
        serving.time.at = Epoch(START + 52)
        async with serving.ask("catalogue", "a.example") as other:
            second, _ = await other.next()
    assert first != second


async def test_everybody_gets_leaves_of_a_new_authority(serving: Serving) -> None:
    async with serving.ask("catalogue", "a.example") as stream:
        await stream.next()
        serving.authority[0] = new_authority(START)
        served, _ = await stream.next()
    served["a.example"].verify_directly_issued_by(x509.load_pem_x509_certificate(serving.authority[0].certificate))


async def test_without_a_key_nobody_gets_a_certificate(serving: Serving) -> None:
    serving.authority.clear()
    assert serving.service.trouble == "the key is gone"
    async with serving.ask("catalogue", "a.example") as stream:
        assert await stream.next() == ({}, ["a.example"])
