"""`aegis mcp proxy` and `wrap`: the official client over stdio, a mesh that judges proofs, the official server over stdio."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from aegis_authz.agent.mesh import MeshAddress
from aegis_authz.commands.faults import Unable
from aegis_authz.commands.mcp import endpoint
from tests.support.agent_mesh import AGENT, SmallMesh, new_key, small_mesh

AEGIS = (sys.executable, "-m", "aegis_authz.cli")
SERVER = Path(__file__).parents[1] / "support" / "stdio_mcp_server.py"


@asynccontextmanager
async def wrapped() -> AsyncIterator[str]:
    """`aegis mcp wrap` around a server over stdio; gives its URL."""
    command = (*AEGIS, "mcp", "wrap", "--listen", "127.0.0.1:0", "--", sys.executable, str(SERVER))
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    line = (await asyncio.wait_for(process.stderr.readline(), 60)).decode()
    matched = re.fullmatch(r"upstream: (http://127\.0\.0\.1:\d+/mcp)\n", line)
    assert matched is not None, line
    try:
        yield matched[1]
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0


def proxy_words(mesh: SmallMesh, folder: Path) -> list[str]:
    """`aegis mcp proxy` as an agent that this mesh knows."""
    key = new_key()
    mesh.enrol(key)
    path = folder / "key.pem"
    path.touch(0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    places = ["--key", str(path), "--agent", str(AGENT), "--control", mesh.url, "--mesh", mesh.url]
    return ["-m", "aegis_authz.cli", "mcp", "proxy", "notes/mcp", *places]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_stdio_client_calls_a_stdio_server_through_the_mesh(mode: str, tmp_path: Path) -> None:
    steps: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(done)

    async with small_mesh() as mesh, wrapped() as upstream:
        mesh.upstream = upstream
        words = proxy_words(mesh, tmp_path)
        async with Client(StdioServerParameters(command=sys.executable, args=words), mode=mode) as client:
            assert "write_note" in {tool.name for tool in (await client.list_tools()).tools}
            for number in (1, 2):
                noted = await client.call_tool("write_note", {"text": f"line\n{number}"})
                assert getattr(noted.content[0], "text", "").split()[0] == str(number)
            await client.call_tool("count", {"to": 2}, progress_callback=progress)
        assert steps == [1, 2]
        assert mesh.refusals == []
        methods = [call["method"] for call in mesh.passed]
        assert (methods[-1] == "DELETE") == (mode == "legacy")
        if mode != "legacy":
            named = [call["headers"].get("mcp-name") for call in mesh.passed]
            assert [name for name in named if name] == ["write_note", "write_note", "count"]


async def spoken(mesh: SmallMesh, folder: Path, *lines: str) -> list[dict[str, object]]:
    """What `aegis mcp proxy` prints for these lines."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *proxy_words(mesh, folder), stdin=pipe, stdout=pipe)
    printed, _ = await asyncio.wait_for(process.communicate("".join(f"{line}\n" for line in lines).encode()), 60)
    assert process.returncode == 0
    return [json.loads(line) for line in printed.splitlines()]


async def test_whatever_goes_wrong_the_client_gets_an_answer_and_can_go_on(tmp_path: Path) -> None:
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    async with small_mesh() as mesh:
        (answer,) = await spoken(mesh, tmp_path, request)  # the tool of this mesh echoes: no answer to a request
        assert answer["error"] == {"code": -32603, "message": "the answer has status 200 and is no JSON-RPC message"}
        mesh.upstream = f"{mesh.url}/v1/nowhere"  # refuses, for it sees no proof of itself
        wrong, refused = await spoken(mesh, tmp_path, "no json", request)
        assert (wrong["id"], refused["id"]) == (None, 1)
        mesh.is_away = True
        (away,) = await spoken(mesh, tmp_path, request)
        assert "issued no token" in json.dumps(away)


@pytest.mark.parametrize(
    ("server", "called"),
    [
        ("github/mcp", ("http://r/github/mcp", False)),
        ("http://github.mcp.example/mcp", ("http://github.mcp.example/mcp", True)),
        ("https://mcp.vendor.example:443/v1/mcp", ("http://mcp.vendor.example/v1/mcp", True)),
        ("http://127.0.0.1:9004/mcp?project=a", ("http://127.0.0.1:9004/mcp?project=a", True)),
    ],
)
def test_a_server_is_named_by_its_url_or_by_its_route(server: str, called: tuple[str, bool]) -> None:
    assert endpoint(server, MeshAddress("http://p", "http://r")) == called


@pytest.mark.parametrize("server", ["ftp://a/", "http:///mcp", "http://a/mcp#x", "http://a:x/"])
def test_what_is_no_endpoint_is_refused(server: str) -> None:
    with pytest.raises(Unable):
        endpoint(server, MeshAddress("http://p", "http://r"))


async def aegis(folder: Path, *words: str) -> tuple[int | None, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*AEGIS, *words, cwd=folder, stdout=pipe, stderr=pipe)
    printed, complained = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, printed.decode(), complained.decode()


async def test_servers_of_a_client_are_imported_and_what_is_written_is_good_to_publish(tmp_path: Path) -> None:
    async with wrapped() as url:
        command = {"command": sys.executable, "args": [str(SERVER)], "env": {"NOTES_KEY": "secret"}}
        servers = {"notes": command, "remote": {"url": url}, "gone": {"command": "no-such-server"}}
        governed = {"command": "/usr/bin/aegis", "args": ["mcp", "proxy", "x/mcp"]}
        (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {**servers, "led": governed}}))
        imports = ("mcp", "import", "mcp.json", "--agent", "acme/dev/assistant", "--out", ".", "--owner", "me")
        code, printed, complained = await aegis(tmp_path, *imports)
    assert code == 1  # one did not answer
    assert "gone does not list its tools" in complained
    assert "notes: 4 tools, 1 of them read-only by their own words" in printed
    assert f"run   aegis mcp wrap --listen 127.0.0.1:9101 -- {sys.executable} {SERVER}" in printed
    assert "notes: set NOTES_KEY where it is wrapped" in complained
    assert {path.name for path in (tmp_path / "tools").iterdir()} == {"notes.yaml", "remote.yaml"}
    assert "secret" not in printed + complained + (tmp_path / "tools" / "notes.yaml").read_text()
    folders = ("--policies", "agents", "--tools", "tools")
    for check in (("validate",), ("lint", "--strict"), ("test",)):
        code, printed, complained = await aegis(tmp_path, "policy", *check, *folders)
        assert code == 0, printed + complained
    code, _, complained = await aegis(tmp_path, *imports)
    assert (code, "nothing is overwritten" in complained) == (2, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [("{}", "names no server"), ("{", "line 1"), ('{"mcpServers": {"x": {"command": "no-such"}}}', "does not list")],
)
async def test_settings_from_which_nothing_can_be_imported_say_why(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text(text)
    code, _, complained = await aegis(tmp_path, "mcp", "import", "mcp.json", "--agent", "acme/dev/assistant")
    assert (code, why in complained) == (2, True)
    assert not (tmp_path / "policies").exists()
