"""The meshes of the tests of the SDK: a running one for all (real Envoy, OPA, Redis, tools), and small ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from aegis_agent import Aegis
from aegis_agent.enrolment import Enrolment
from aegis_agent.key import AgentKey
from aegis_authz.demo.mesh import DemoMesh, demo_mesh
from sdk.functions import documents_with_functions
from tests.support.agent_mesh import AGENT, SmallMesh, new_key, small_mesh


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


@pytest_asyncio.fixture
async def small() -> AsyncIterator[SmallMesh]:
    """A mesh of the test's own that judges proofs by the letter."""
    async with small_mesh() as mesh:
        yield mesh


@pytest_asyncio.fixture
async def agent(small: SmallMesh) -> AsyncIterator[Aegis]:
    """An agent of the small mesh."""
    key = new_key()
    small.enrol(key)
    enrolment = Enrolment(str(AGENT), Path(), f"{small.url}/v1/token", small.url, small.url, "")
    async with Aegis(enrolment, AgentKey(key)) as agent:
        yield agent
