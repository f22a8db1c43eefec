"""One running mesh for all end-to-end tests: real Envoy, OPA, Redis, authorizers and tools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.run import agent_of
from aegis_authz.demo.use_cases.run import traced_mesh
from aegis_authz.demo.use_cases.span_receiver import SpanReceiver
from aegis_authz.local.documents import example_documents


@pytest.fixture(scope="session")
def receiver() -> SpanReceiver:
    """Where the mesh exports its spans to."""
    return SpanReceiver()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory, receiver: SpanReceiver) -> AsyncIterator[DemoMesh]:
    options = ("--workload", "acme/emea/finance-agent")
    async with traced_mesh(tmp_path_factory.mktemp("e2e"), example_documents(), receiver, options) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def agent(mesh: DemoMesh) -> AsyncIterator[Agent]:
    caller = agent_of(mesh)
    yield caller
    await caller.close()


@pytest.fixture(scope="session")
def state(mesh: DemoMesh) -> Path:
    return mesh.state
