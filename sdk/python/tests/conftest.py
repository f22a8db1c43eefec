"""One running mesh for all tests of the SDK: real Envoy, OPA, Redis, authorizers and tools."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from aegis_agent import Aegis
from aegis_authz.demo.mesh import DemoMesh, demo_mesh
from sdk.functions import documents_with_functions


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoMesh]:
    documents = documents_with_functions(tmp_path_factory.mktemp("documents"))
    async with demo_mesh(tmp_path_factory.mktemp("sdk"), documents) as running:
        yield running


@pytest.fixture(scope="session")
def environment(mesh: DemoMesh) -> dict[str, str]:
    """What an agent's process is given."""
    return {"AEGIS_DIR": str(mesh.state.resolve()), "AEGIS_AGENT": "acme/emea/finance-agent"}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def aegis(environment: dict[str, str]) -> AsyncIterator[Aegis]:
    async with Aegis.from_env(environment) as agent:
        yield agent
