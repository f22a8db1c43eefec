"""Where the HTTP/2 host listens. What it serves is told by tests/contract/test_host_contract.py."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aegis_authz.server.grpc.framing import OK
from aegis_authz.server.grpc.host import GrpcHost
from aegis_authz.server.http2 import frames
from aegis_authz.server.http2.host import Http2Host
from aegis_authz.wire.envoy.ext_authz import CHECK_METHOD
from aegis_authz.wire.envoy.ext_proc import BODY_SERVICE
from tests.support.frame_peer import Dial


async def echo(message: bytes, traceparent: str, time_left: float | None, gone: asyncio.Event) -> bytes:
    return message


async def echo_each(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for message in messages:
        yield message


def host_at(address: str) -> Http2Host:
    return Http2Host(address, echo, echo_each, echo_each)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_it_listens_on_tcp(dial: Dial) -> None:
    address = f"127.0.0.1:{free_port()}"
    host = host_at(address)
    await host.start()
    peer = await dial(address)
    peer.request(1, CHECK_METHOD, b"over TCP")
    answer = await peer.answer(1)
    assert (answer.status, answer.messages) == (OK, [b"over TCP"])
    await host.stop(0)


async def test_an_address_that_is_taken_is_a_fault_to_show() -> None:
    address = f"127.0.0.1:{free_port()}"
    first = host_at(address)
    await first.start()
    with pytest.raises(RuntimeError, match=f"cannot listen on {address}"):
        await host_at(address).start()
    await first.stop(0)


async def test_a_folder_that_is_not_there_is_a_fault_to_show(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cannot listen on unix:"):
        await host_at(f"unix:{tmp_path}/nowhere/authz.sock").start()


@pytest.mark.parametrize("kind", [Http2Host, GrpcHost])
async def test_a_socket_may_be_for_a_group_as_well(address: str, kind: type[Http2Host | GrpcHost]) -> None:
    path = Path(address.removeprefix("unix:"))
    for mode in (0o600, 0o660):
        host = kind(address, echo, echo_each, echo_each, mode)
        await host.start()
        assert stat.S_IMODE(path.stat().st_mode) == mode
        await host.stop(0)


async def test_a_socket_left_behind_is_taken_over_and_is_for_its_owner_alone(address: str, dial: Dial) -> None:
    path = Path(address.removeprefix("unix:"))
    path.touch()
    host = host_at(address)
    await host.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    peer = await dial(address)
    peer.request(1, CHECK_METHOD, b"")
    assert (await peer.answer(1)).status == OK
    await host.stop(0)


async def test_a_host_that_never_started_stops() -> None:
    await host_at("unix:/nowhere").stop(0)


async def test_a_host_that_stops_says_goodbye_to_who_is_idle(address: str, dial: Dial) -> None:
    host = host_at(address)
    await host.start()
    peer = await dial(address)
    await peer.so_far()
    await asyncio.wait_for(host.stop(60), 5)
    assert [heard.kind for heard in await peer.hung_up()] == [frames.GOAWAY]


async def test_a_host_that_stops_waits_for_a_body_that_is_still_coming(address: str, dial: Dial) -> None:
    host = host_at(address)
    await host.start()
    peer = await dial(address)
    peer.begin(1, CHECK_METHOD)
    await peer.so_far()
    stopping = asyncio.ensure_future(host.stop(60))
    while (await peer.frame()).kind != frames.GOAWAY:
        pass
    peer.body(1, b"\0\0\0\0\x04late", ended=True)
    assert (await peer.answer(1)).messages == [b"late"]
    await asyncio.wait_for(stopping, 5)


async def test_a_host_that_stops_waits_for_who_reads_slowly(address: str, dial: Dial) -> None:
    host = host_at(address)
    await host.start()
    peer = await dial(address)
    peer.say(frames.settings({frames.INITIAL_WINDOW_SIZE: 3}))
    peer.request(1, CHECK_METHOD, b"slowly")
    await peer.so_far()
    stopping = asyncio.ensure_future(host.stop(60))
    while (await peer.frame()).kind != frames.GOAWAY:
        pass
    peer.say(frames.window_update(1, 1_000))
    assert (await peer.answer(1)).messages == [b"slowly"]
    await asyncio.wait_for(stopping, 5)


async def test_streams_that_outlast_the_grace_see_their_handler_closed_before_the_host_is_gone(
    address: str, dial: Dial
) -> None:
    closed = False

    async def noted(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        nonlocal closed
        try:
            async for message in messages:
                yield message
        finally:
            await asyncio.sleep(0)
            closed = True

    host = Http2Host(address, echo, noted, noted)
    await host.start()
    peer = await dial(address)
    peer.begin(1, f"/{BODY_SERVICE}/Process")
    await peer.so_far()
    await asyncio.wait_for(host.stop(0), 5)
    assert closed
    assert not any(heard.flags & frames.END_STREAM for heard in await peer.hung_up() if heard.kind == frames.HEADERS)
