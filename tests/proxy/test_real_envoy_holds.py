"""How long the real Envoy keeps a request open for its authorizer, beside the limit of the check itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from aegis_authz.config.authz import Budget
from aegis_authz.core.approval import MOST_HOLD_WITHOUT_BODY
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.units import Seconds
from aegis_authz.proxy import connection
from tests.proxy.conftest import TIMEOUT, Authorizer, Proxy, Starter, ToolServer, read_message, tool

pytestmark = pytest.mark.asyncio(loop_scope="session")

URL = "http://pay.example/v1/payments"
HEAD = f"POST {URL} HTTP/1.1\r\nhost: pay.example\r\n".encode()
REQUEST_TIMEOUT = 1.0


class PatientAuthorizer(Authorizer):
    """Answers once the test has decided."""

    def __init__(self, socket: Path) -> None:
        super().__init__(socket)
        self.verdict = asyncio.Event()

    async def _check(self, message: bytes, context: grpc.aio.ServicerContext) -> bytes:
        answer = await super()._check(message, context)
        await self.verdict.wait()
        return answer


@asynccontextmanager
async def held(
    envoys: Starter, server: ToolServer, folder: Path, name: str
) -> AsyncIterator[tuple[Proxy, PatientAuthorizer]]:
    """An Envoy that keeps requests open for 20 seconds, and waits one second for the arrival of each."""
    patch = pytest.MonkeyPatch()
    patch.setattr(connection, "_REQUEST_TIMEOUT", timedelta(seconds=REQUEST_TIMEOUT))
    upstream = f"http://127.0.0.1:{server.port}"
    catalogue = Catalogue.of((tool("pay", "pay.example", upstream),)).holding({"pay": Seconds(20.0)})
    try:
        async with (
            PatientAuthorizer(folder / f"{name}.sock").serving() as authorizer,
            envoys.running(name, catalogue, authorizer.place) as proxy,
        ):
            yield proxy, authorizer
    finally:
        patch.undo()


@pytest.mark.parametrize(
    "parts",
    [(b"content-length: 2\r\n\r\n{}",), (b"transfer-encoding: chunked\r\n\r\n2\r\n{", b"}\r\n0\r\n\r\n")],
    ids=["at once", "in two parts"],
)
async def test_a_request_whose_body_has_come_waits_longer_than_envoy_waits_for_one(
    envoys: Starter, server: ToolServer, short_folder: Path, parts: tuple[bytes, ...]
) -> None:
    async with held(envoys, server, short_folder, f"body{len(parts)}") as (proxy, authorizer):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
        writer.write(HEAD)
        for part in parts:
            writer.write(part)
            await writer.drain()
        answer = asyncio.create_task(read_message(reader))
        done, _ = await asyncio.wait([answer], timeout=1.5 * REQUEST_TIMEOUT)
        assert not done, "it was given up"
        authorizer.verdict.set()
        assert " 200 " in (await asyncio.wait_for(answer, TIMEOUT)).line
        writer.close()


async def test_a_request_without_a_body_is_given_up_by_the_limit_for_its_arrival(
    envoys: Starter, server: ToolServer, short_folder: Path
) -> None:
    async with held(envoys, server, short_folder, "bodiless") as (proxy, authorizer):
        assert (await proxy.get(URL)).status == 504
        assert (len(authorizer.checks), server.seen) == (1, [])


async def test_what_has_no_body_is_held_so_short_that_its_answer_is_there_before() -> None:
    decisions = 2 * max(1.0, Budget().check_timeout_ms / 1000)
    assert MOST_HOLD_WITHOUT_BODY + decisions < connection._REQUEST_TIMEOUT.total_seconds()
