"""The signer before a mesh that judges each proof by the letter."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from aegis_authz.agent.mesh import MOST_BODY
from aegis_authz.agent.serving import ListenFault, Listening, serving
from aegis_authz.agent.signer import Signer
from tests.support.agent_mesh import SmallMesh, calling, new_key, signing, small_mesh

NOBODY = 65534


@pytest_asyncio.fixture
async def mesh() -> AsyncIterator[SmallMesh]:
    async with small_mesh() as running:
        yield running


@pytest_asyncio.fixture
async def signer(mesh: SmallMesh) -> AsyncIterator[Listening]:
    async with signing(mesh) as listening:
        yield listening


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


async def raw(listening: Listening, request: bytes) -> bytes:
    """The whole answer to a request written by hand."""
    host, _, port = listening.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_each_request_has_a_proof_of_its_own(
    mesh: SmallMesh, signer: Listening, http: aiohttp.ClientSession
) -> None:
    for number in range(5):
        async with http.post(f"{signer.url}/github/mcp?n={number}", json={"n": number}) as response:
            assert (response.status, response.headers["x-tool"], await response.json(content_type=None)) == (
                *(200, "yes"),
                {"n": number},
            )
    assert mesh.refusals == []
    assert mesh.tokens_issued == 1
    assert [call["target"] for call in mesh.passed] == [f"/github/mcp?n={number}" for number in range(5)]


async def test_a_client_may_take_it_for_its_proxy(
    mesh: SmallMesh, signer: Listening, http: aiohttp.ClientSession
) -> None:
    async with http.get("http://Tool.example:80/a%2Fb/c?d=%20e", proxy=signer.url) as response:
        assert response.status == 200
    (call,) = mesh.passed
    assert call["target"] == "http://tool.example/a%2Fb/c?d=%20e"
    assert call["headers"]["host"] == "tool.example"


async def test_a_url_is_judged_as_it_was_written(mesh: SmallMesh, signer: Listening) -> None:
    own = signer.address.encode()
    answer = await raw(signer, b"GET http://tool.example?q=a+b%7E HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    answer = await raw(signer, b"GET http://" + own + b"/github/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert [call["target"] for call in mesh.passed] == ["http://tool.example/?q=a+b%7E", "/github/x"]


async def test_a_stream_of_events_passes_event_by_event(
    mesh: SmallMesh, signer: Listening, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{signer.url}/github/events") as response:
        assert response.headers["content-type"] == "text/event-stream"
        assert await response.content.readuntil(b"\n\n") == b"data: 1\n\n"
        mesh.gate.set()
        assert await response.content.read() == b"data: 2\n\n"


async def test_a_client_that_goes_takes_its_call_with_it(
    mesh: SmallMesh, signer: Listening, http: aiohttp.ClientSession
) -> None:
    response = await http.get(f"{signer.url}/github/events")
    await response.content.readuntil(b"\n\n")
    response.close()
    await asyncio.wait_for(mesh.cancelled.wait(), 10)


async def test_an_answer_that_is_cut_stays_cut(mesh: SmallMesh, signer: Listening, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{signer.url}/github/cut") as response:
        with pytest.raises(aiohttp.ClientError):
            await response.read()


async def test_an_answer_passes_byte_for_byte_and_redirects_are_the_clients_to_follow(
    signer: Listening, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{signer.url}/github/packed") as response:
        assert (response.headers["content-encoding"], await response.read()) == ("gzip", b"\x1f\x8bnot really gzip")
    async with http.get(f"{signer.url}/github/elsewhere", allow_redirects=False) as response:
        assert (response.status, response.headers["location"]) == (307, "http://tool.example/next")
    async with http.get(f"{signer.url}/github/denied") as response:
        assert (response.status, await response.json()) == (403, {"reason": "POLICY_DENIED"})
    async with http.head(f"{signer.url}/github/x") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_a_clients_own_credentials_are_replaced_and_the_rest_passes(
    mesh: SmallMesh, signer: Listening, http: aiohttp.ClientSession
) -> None:
    headers = {
        "x-aegis-token": "mine",
        "x-aegis-proof": "mine",
        "proxy-authorization": "Basic bWluZQ==",
        "x-aegis-approval": "granted",
        "te": "trailers",
        "connection": "keep-alive, x-hop",
        "x-hop": "1",
        "authorization": "Bearer tool-key",
    }
    async with http.get(f"{signer.url}/github/x", headers=headers) as response:
        assert response.status == 200
    passed = mesh.passed[0]["headers"]
    assert len(passed.getall("x-aegis-token")) == 1
    assert (passed["x-aegis-approval"], passed["authorization"]) == ("granted", "Bearer tool-key")
    assert not {"proxy-authorization", "te", "x-hop"} & {name.lower() for name in passed}


@pytest.mark.parametrize("length", [MOST_BODY, MOST_BODY + 1])
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_body_is_held_up_to_what_the_mesh_judges(
    mesh: SmallMesh, signer: Listening, http: aiohttp.ClientSession, length: int, is_chunked: bool
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * length

    data = chunks() if is_chunked else io.BytesIO(b"x" * length)
    async with http.post(f"{signer.url}/github/x", data=data) as response:
        if length > MOST_BODY:
            assert (response.status, (await response.json(content_type=None))["reason"]) == (413, "BODY_TOO_LARGE")
        else:
            assert (response.status, len(await response.read())) == (200, length)


async def test_a_client_that_waits_for_leave_to_send_gets_it(signer: Listening) -> None:
    head = b"POST /github/x HTTP/1.1\r\nHost: " + signer.address.encode()
    request = head + b"\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n{}"
    answer = await raw(signer, request)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


@pytest.mark.parametrize(
    ("request_text", "status", "reason"),
    [
        ("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443", 400, "NOT_A_CALL"),
        ("GET https://api.example/ HTTP/1.1\r\nHost: api.example", 400, "NOT_A_CALL"),
        ("GET /github/x HTTP/1.1\r\nHost: evil.example", 403, "FROM_A_PAGE"),
        ("GET /github/x HTTP/1.1\r\nHost: {own}\r\nOrigin: http://evil.example", 403, "FROM_A_PAGE"),
        ("GET /github/x HTTP/1.1\r\nHost: {own}\r\nOrigin: null", 403, "FROM_A_PAGE"),
        ("GET /github/x HTTP/1.1\r\nHost: {own}\r\nSec-Fetch-Site: cross-site", 403, "FROM_A_PAGE"),
        ("GET http://tool.example/x HTTP/1.1\r\nHost: tool.example\r\nOrigin: http://evil.example", 403, "FROM_A_PAGE"),
        ("OPTIONS * HTTP/1.1\r\nHost: {own}", 400, "NOT_A_CALL"),
    ],
)
async def test_what_is_no_call_of_a_program_goes_nowhere(
    mesh: SmallMesh, signer: Listening, request_text: str, status: int, reason: str
) -> None:
    text = f"{request_text.replace('{own}', signer.address)}\r\nConnection: close\r\n\r\n"
    answer = await raw(signer, text.encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["reason"] == reason
    assert mesh.passed == []


@pytest.mark.parametrize("url", ["http://tool.example:99999/", "http://tool.example:x/", "http://[::1/", "http://"])
async def test_what_is_no_url_goes_nowhere_and_is_no_error_of_ours(
    mesh: SmallMesh, signer: Listening, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answer = await raw(signer, f"GET {url} HTTP/1.1\r\nHost: tool.example\r\nConnection: close\r\n\r\n".encode())
    # by the HTTP parser, before there is a request that a reason could be for
    assert answer.partition(b" ")[2].startswith(b"400 ")
    assert mesh.passed == []
    assert [record.levelno for record in caplog.records if record.levelno > logging.INFO] == []
    assert url not in caplog.text


async def test_a_process_of_another_user_is_refused(mesh: SmallMesh) -> None:
    key = new_key()
    mesh.enrol(key)
    # root can become somebody else; without it, the signer is somebody else's
    stranger, owner = (NOBODY, os.getuid()) if os.getuid() == 0 else (None, os.getuid() + 1)
    async with calling(mesh, key) as caller, serving(Signer(caller, owner), "127.0.0.1:0") as listening:
        child = await asyncio.create_subprocess_exec(
            *("curl", "-sS", f"{listening.url}/github/x"), stdout=asyncio.subprocess.PIPE, user=stranger, cwd="/"
        )
        answer, _ = await child.communicate()
    assert json.loads(answer)["reason"] == "CALLER_FOREIGN"
    assert mesh.passed == []


async def test_a_unix_socket_is_its_users_alone(mesh: SmallMesh, tmp_path: Path) -> None:
    path = tmp_path / "signer.sock"
    async with signing(mesh, f"unix:{path}") as listening:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert listening.url == ""
        connector = aiohttp.UnixConnector(str(path))
        async with (
            aiohttp.ClientSession(connector=connector) as http,
            http.get("http://anything/github/x") as response,
        ):
            assert response.status == 200
    assert not path.exists()


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "10.0.0.1:80", "example.com:80", "7070", "127.0.0.1:70000"])
async def test_it_serves_this_machine_alone(mesh: SmallMesh, listen: str) -> None:
    with pytest.raises(ListenFault):
        async with signing(mesh, listen):
            pytest.fail("it listens")


async def test_a_port_that_is_taken_is_named(mesh: SmallMesh) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        with pytest.raises(ListenFault, match=f"cannot listen on {address}: Address already in use"):
            async with signing(mesh, address):
                pytest.fail("it listens")


async def test_without_a_token_a_model_reads_why(
    mesh: SmallMesh, signer: Listening, http: aiohttp.ClientSession
) -> None:
    mesh.is_away = True
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x"}}
    async with http.post(f"{signer.url}/github/mcp", json=message) as response:
        answer = await response.json()
    assert "issued no token" in answer["result"]["content"][0]["text"]
    mesh.is_away = False
    async with http.post(f"{signer.url}/github/mcp", json=message) as response:
        assert response.headers["x-tool"] == "yes"


async def test_a_mesh_that_is_gone_is_named(http: aiohttp.ClientSession) -> None:
    async with small_mesh() as mesh:
        key = new_key()
        mesh.enrol(key)
        async with calling(mesh, key) as caller:
            await caller._token()
            caller.mesh = type(caller.mesh)("http://127.0.0.1:9", "http://127.0.0.1:9")
            signer = Signer(caller, os.getuid())
            async with (
                serving(signer, "127.0.0.1:0") as listening,
                http.get(f"{listening.url}/github/x") as response,
            ):
                answer = await response.json(content_type=None)
    assert (response.status, answer["reason"]) == (502, "MESH_UNREACHABLE")
    assert "http://127.0.0.1:9" in answer["detail"]
