"""Stock clients, each in an environment of its own made from the registry, before a running mesh."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.serving import serving
from aegis_authz.demo.tools import DemoTools
from tests.clients.servers import http_app, mcp_app
from tests.clients.stream_servers import payments, ticker
from tests.support.descriptors import descriptor_set
from tests.support.registry_clients import node_clients, python_clients

HERE = Path(__file__).parent
PYTHON = (
    *("mcp>=1.30,<2", "openai", "stripe", "requests", "slack_sdk", "PyGithub"),
    *("aiohttp", "boto3", "grpcio", "websockets", "httpx", "gql[requests]"),
)
"""Clients that can stand beside each other; `mcp` 2 stands in our own environment."""
NODE = ("@modelcontextprotocol/sdk@1.32.2", "@modelcontextprotocol/client@2.4.0", "undici@7.16.0", "axios@1.21.1")


@pytest.fixture(scope="session")
def python() -> Path:
    """The Python of an environment with the stock clients of Python."""
    return python_clients(*PYTHON)


@pytest.fixture(scope="session")
def node() -> Path:
    """A folder with the stock clients of Node."""
    return node_clients(*NODE)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoMesh]:
    """A mesh before APIs of several kinds and an MCP server."""
    running = DemoMesh(tmp_path_factory.mktemp("clients"), DemoTools(), ("--budget-ms", "1000"))
    async with (
        serving(http_app()) as http_port,
        serving(mcp_app()) as mcp_port,
        payments() as grpc_port,
        ticker() as ticker_port,
    ):
        ports = {"9001": http_port, "9002": mcp_port, "9003": grpc_port, "9004": ticker_port}
        for source, target in ((HERE / "agents", running.policies), (HERE / "tools", running.catalogue)):
            target.mkdir(parents=True)
            for path in source.glob("*.yaml"):
                text = path.read_text("utf-8")
                for written, port in ports.items():
                    text = text.replace(f"127.0.0.1:{written}", f"127.0.0.1:{port}")
                (target / path.name).write_text(text, "utf-8")
        (running.catalogue / "payments.binpb").write_bytes(descriptor_set())
        try:
            await running.up()
            yield running
        finally:
            await running.down()


async def run_as_agent(mesh: DemoMesh, *command: str, cwd: Path | None = None) -> tuple[int | None, str, str]:
    """`aegis agent run -- COMMAND`: its exit code, and what it printed on both streams."""
    words = ("-m", "aegis_authz.cli", "agent", "run", "--dir", str(mesh.state.resolve()), "--agent", "acme/emea/client")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, "--", *command, cwd=cwd, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    printed, complained = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, printed.decode(), complained.decode()
