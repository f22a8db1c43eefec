"""One running mesh for all end-to-end tests: real Envoy, OPA, Redis, authorizers and tools."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.run import agent_of
from aegis_authz.demo.use_cases.run import traced_mesh
from aegis_authz.demo.use_cases.span_receiver import SpanReceiver
from aegis_authz.local.documents import example_documents
from tests.support.browser import chromium


@pytest.fixture(scope="session")
def receiver() -> SpanReceiver:
    """Where the mesh exports its spans to."""
    return SpanReceiver()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_mesh(tmp_path_factory: pytest.TempPathFactory, receiver: SpanReceiver) -> AsyncIterator[DemoMesh]:
    options = ("--workload", "acme/emea/finance-agent")
    async with traced_mesh(tmp_path_factory.mktemp("e2e"), example_documents(), receiver, options) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mesh(shared_mesh: DemoMesh) -> DemoMesh:
    """The mesh, in which nothing waits for a person: an agent may hold no more than twenty calls open."""
    async with shared_mesh.owner() as client:
        while waiting := (await client.get("/v1/approvals?state=pending&limit=200")).json()["approvals"]:
            for approval in waiting:
                answer = await client.post(f"/v1/approvals/{approval['id']}/cancel", json={"note": "left by a test"})
                assert answer.status_code in (200, 409), answer.text  # it may have ended meanwhile
    return shared_mesh


@pytest.fixture(scope="module")
def control(mesh: DemoMesh) -> str:
    """The address of the control plane."""
    return str(json.loads((mesh.state / "mesh.json").read_text("utf-8"))["control"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def agent(shared_mesh: DemoMesh) -> AsyncIterator[Agent]:
    caller = agent_of(shared_mesh)
    yield caller
    await caller.close()


@pytest.fixture(scope="session")
def state(shared_mesh: DemoMesh) -> Path:
    return shared_mesh.state
