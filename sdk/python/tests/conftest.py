"""One running mesh for all tests of the SDK: real Envoy, OPA, Redis, authorizers and tools."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from aegis_agent import Aegis
from aegis_authz.demo.mesh import DemoMesh, demo_mesh
from aegis_authz.local.documents import example_documents

_PEOPLE = """\
tool: people
functions:
  find_person:
    parameters: {name: string, remark: {type: string, optional: true}}
  write_letter:
    parameters: {name: string}
  raise_salary:
    cost: {fixed: 2, currency: USD}
    parameters: {name: string, percent: number}
"""
_PEOPLE_AGENT = """\
org: acme
tenant: emea
agent: people-agent
owner: people
allowed_tools:
  - name: people
    actions: [find_person]
    sanitize:
      request: {detectors: [us_ssn]}
      response: {detectors: [us_ssn], fields: [/notes]}
  - name: people
    actions: [write_letter]
    sanitize: {response: {detectors: [us_ssn]}}
  - name: people
    actions: [raise_salary]
limits:
  - budget: 10 USD/day
    tools: [people]
    actions: [raise_salary]
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoMesh]:
    documents = tmp_path_factory.mktemp("documents") / "policies"
    shutil.copytree(example_documents(), documents)
    (documents / "tools" / "people.yaml").write_text(_PEOPLE, "utf-8")
    (documents / "agents" / "people-agent.yaml").write_text(_PEOPLE_AGENT, "utf-8")
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
