from __future__ import annotations

import socket
from dataclasses import replace

import httpx
import pytest

from aegis_authz.core.catalogue import Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.local.stand_in import echo_app, echo_ports

HTTP = Tool("pay", "pay.example", None, "http://127.0.0.1:9", (), "", "", None, False, False, NO_INTERFACE)


async def send(method: str, target: str, body: bytes = b"") -> httpx.Response:
    transport = httpx.ASGITransport(echo_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://tool") as client:
        return await client.request(method, target, content=body, headers={"authorization": "Bearer secret"})


@pytest.mark.parametrize(
    ("method", "target", "body", "echo"),
    [
        ("POST", "/v1/pay?a=1", b'{"amount":1}', {"path": "/v1/pay", "query": "a=1", "body": {"amount": 1}}),
        ("DELETE", "/v1/pay/7", b"", {"path": "/v1/pay/7"}),
        ("PUT", "/", b"\xff text", {"path": "/", "body": "\ufffd text"}),
    ],
)
async def test_what_arrives_is_answered_but_for_the_headers(
    method: str, target: str, body: bytes, echo: dict[str, object]
) -> None:
    answer = await send(method, target, body)
    assert (answer.status_code, answer.json()) == (200, {"echo": {"method": method, **echo}})
    assert "secret" not in answer.text


async def test_it_says_when_it_is_ready() -> None:
    assert (await send("GET", "/readyz")).text == "ready"


def test_http_tools_on_this_machine_are_stood_in_for_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as probe:
        busy, free = taken.getsockname()[1], probe.getsockname()[1]
        probe.close()
        tools = [
            replace(HTTP, name="free", upstream=f"http://localhost:{free}"),
            replace(HTTP, name="again", upstream=f"http://127.0.0.1:{free}"),
            replace(HTTP, name="busy", upstream=f"http://127.0.0.1:{busy}"),
            replace(HTTP, name="mcp", upstream="http://127.0.0.1:9", mcp_endpoint="/mcp"),
            replace(HTTP, name="far", upstream="http://10.0.0.1:9"),
            replace(HTTP, name="tls", upstream="https://127.0.0.1:9"),
            replace(HTTP, name="default", upstream=""),
        ]
        assert echo_ports(tools) == [free]
