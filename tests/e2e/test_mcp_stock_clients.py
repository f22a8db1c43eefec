"""Refusals end no session of the official clients: Python 1.x and 2.x, TypeScript 1.x and 2.x, through a real mesh."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.run import agent_of
from aegis_authz.demo.tools import DemoTools
from tests.support.conformance_suite import Suite, free_port
from tests.support.token_relay import TokenRelay

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="the TypeScript clients are on npm alone"),
]

PYTHON_1 = """
import asyncio, json, sys
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

async def main():
    async with streamable_http_client(sys.argv[1]) as (read, write, _), ClientSession(read, write) as client:
        await client.initialize()
        return [(await client.call_tool("test_simple_text", {"refuse": n == 1})).isError for n in range(3)]

print(json.dumps(asyncio.run(main())))
"""
PYTHON_2 = """
import asyncio, json, sys
from mcp import Client

async def main():
    async with Client(sys.argv[1], mode="legacy") as client:
        return [(await client.call_tool("test_simple_text", {"refuse": n == 1})).is_error for n in range(3)]

print(json.dumps(asyncio.run(main())))
"""
TYPESCRIPT = """
const [Client, Transport] = await Promise.all(IMPORTS);
const client = new Client({ name: "test", version: "1" });
await client.connect(new Transport(new URL(process.argv[2])));
const errors = [];
for (const n of [0, 1, 2]) {
  const result = await client.callTool({ name: "test_simple_text", arguments: { refuse: n === 1 } });
  errors.push(Boolean(result.isError));
}
console.log(JSON.stringify(errors));
process.exit(0);
"""
TYPESCRIPT_1 = TYPESCRIPT.replace(
    "IMPORTS",
    """[
  import("@modelcontextprotocol/sdk/client/index.js").then((module) => module.Client),
  import("@modelcontextprotocol/sdk/client/streamableHttp.js").then((module) => module.StreamableHTTPClientTransport),
]""",
)
TYPESCRIPT_2 = TYPESCRIPT.replace(
    "IMPORTS",
    """[
  import("@modelcontextprotocol/client").then((module) => module.Client),
  import("@modelcontextprotocol/client").then((module) => module.StreamableHTTPClientTransport),
]""",
)
SECONDS = 60


@dataclass
class World:
    """A relay that gives no token, so that the mesh refuses, to what a test wants refused."""

    suite: Suite
    url: str
    refused: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    suite, port = Suite.in_cache(), free_port()
    suite.install()
    suite.install_clients()
    mesh, refused = DemoMesh(tmp_path_factory.mktemp("clients"), DemoTools()), list[str]()
    mesh.policies.mkdir(parents=True)
    mesh.catalogue.mkdir(parents=True)
    rules = "allowed_tools: [{name: everything, actions: ['*']}]"
    (mesh.policies / "suite.yaml").write_text(f"org: acme\ntenant: emea\nagent: suite\n{rules}\n")
    relay = TokenRelay(lambda head, body: "")
    async with suite.server(port), relay.serving():
        tool = f"tool: everything\nhost: 127.0.0.1:{relay.port}\nupstream: http://127.0.0.1:{port}/mcp\nmcp: {{}}\n"
        (mesh.catalogue / "everything.yaml").write_text(tool)
        try:
            await mesh.up()
            relay.upstream = int(mesh.proxy.rpartition(":")[2])
            agent = agent_of(mesh)
            await agent.close()

            def token(head: bytes, body: bytes) -> str:
                compact = body.replace(b" ", b"")
                for mark in (b"notifications/initialized", b'"refuse":true'):
                    if mark in compact:
                        refused.append(mark.decode())
                        return ""
                if head.startswith(b"GET "):
                    refused.append("GET")
                    return ""
                return agent.tokens.mint("suite")

            relay.token = token
            yield World(suite, f"http://127.0.0.1:{relay.port}/mcp", refused)
        finally:
            await mesh.down()


@pytest.mark.parametrize("client", ["python 1", "python 2", "typescript 1", "typescript 2"])
async def test_a_refused_notification_stream_or_call_ends_no_session(world: World, client: str, tmp_path: Path) -> None:
    world.refused.clear()
    scripts = {
        "python 1": PYTHON_1,
        "python 2": PYTHON_2,
        "typescript 1": TYPESCRIPT_1,
        "typescript 2": TYPESCRIPT_2,
    }
    program = world.suite.program(client, scripts[client], tmp_path)
    environment = world.suite.environment(client)
    process = await asyncio.create_subprocess_exec(
        *program, world.url, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(SECONDS):
        printed, complained = await process.communicate()
    assert printed, complained.decode()
    assert json.loads(printed.splitlines()[-1]) == [False, True, False]
    assert {"notifications/initialized", '"refuse":true'} <= set(world.refused)
