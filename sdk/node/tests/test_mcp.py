"""The official clients of MCP over the SDK: a refusal is the result of a tool, which a model can read."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from aegis_authz.demo.mesh import DemoMesh
from sdk.node.tests.test_page import programs
from tests.support.registry_clients import node_clients

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PACKAGES = ("@modelcontextprotocol/sdk@1.32.2", "@modelcontextprotocol/client@2.4.0")
FIRST = (
    'import { Client } from "@modelcontextprotocol/sdk/client/index.js";\n'
    'import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";\n'
)
SECOND = 'import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";\n'


@pytest.mark.parametrize("imports", [FIRST, SECOND], ids=PACKAGES)
async def test_a_refused_tool_call_is_its_result_and_the_session_ends_well(
    imports: str, built: Path, mesh: DemoMesh, tmp_path: Path
) -> None:
    shutil.copytree(node_clients(*PACKAGES) / "node_modules", tmp_path / "node_modules", symlinks=True)
    package = tmp_path / "node_modules" / "@aegis-authz" / "agent"
    shutil.copytree(built, package, ignore=shutil.ignore_patterns("node_modules"))
    program = programs()["issues.mjs"]
    assert FIRST in program
    (tmp_path / "issues.mjs").write_text(program.replace(FIRST, imports), "utf-8")
    agent = {"AEGIS_DIR": str(mesh.state.resolve()), "AEGIS_AGENT": "acme/emea/coding-agent"}
    process = await asyncio.create_subprocess_exec(
        "node",
        "issues.mjs",
        cwd=tmp_path,
        env={**os.environ, **agent},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    allowed, refused = printed.decode().splitlines()[0], printed.decode()
    assert allowed.startswith("list_issues false ")
    assert "delete_repository true " in refused
    assert "Do not retry" in refused
