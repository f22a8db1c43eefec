"""Hops of a redirect and repeated tries: each request that leaves has a proof that was never used.

The mesh here is a small one that judges proofs by the letter and refuses an id that it saw before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from aegis_agent import Aegis
from aegis_agent.enrolment import Enrolment
from aegis_agent.httpx2 import Client
from aegis_agent.key import AgentKey
from sdk.python.tests.callers import HTTP_CALLERS
from tests.support.agent_mesh import AGENT, SmallMesh, new_key, small_mesh


@pytest_asyncio.fixture
async def mesh() -> AsyncIterator[SmallMesh]:
    async with small_mesh() as mesh:
        yield mesh


@pytest_asyncio.fixture
async def aegis(mesh: SmallMesh) -> AsyncIterator[Aegis]:
    key = new_key()
    mesh.enrol(key)
    enrolment = Enrolment(str(AGENT), Path(), f"{mesh.url}/v1/token", mesh.url, mesh.url, "")
    async with Aegis(enrolment, AgentKey(key)) as agent:
        yield agent


@pytest.mark.parametrize("name", HTTP_CALLERS)
async def test_each_hop_of_a_redirect_has_a_proof_of_its_own(name: str, mesh: SmallMesh, aegis: Aegis) -> None:
    async with HTTP_CALLERS[name](aegis) as caller:
        assert await caller.post("http://tool.example/elsewhere?a=%2F", {"n": 1}) == {"n": 1}
    assert mesh.refusals == []
    targets = [passed["target"] for passed in mesh.passed]
    assert targets == ["http://tool.example/elsewhere?a=%2F", "http://tool.example/next"]
    assert len({passed["headers"]["x-aegis-proof"] for passed in mesh.passed}) == 2
    assert len({passed["headers"]["x-aegis-token"] for passed in mesh.passed}) == mesh.tokens_issued == 1


async def test_a_request_that_is_sent_again_has_a_proof_of_its_own(mesh: SmallMesh, aegis: Aegis) -> None:
    with Client(aegis) as client:
        request = client.build_request("POST", "http://tool.example/pay", content=iter([b"a", b"b"]))
        for _ in range(2):
            assert (await asyncio.to_thread(client.send, request)).content == b"ab"
    assert (mesh.refusals, len(mesh.passed)) == ([], 2)


@pytest.mark.parametrize("option", ["transport", "mounts", "proxy", "verify", "cert"])
async def test_no_option_leads_requests_past_the_mesh(option: str, aegis: Aegis) -> None:
    with pytest.raises(TypeError, match=f"{option} is not an option here"):
        Client(aegis, **{option: None})


async def test_nothing_of_the_environment_leads_requests_past_the_mesh(
    mesh: SmallMesh, aegis: Aegis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "*")
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for name in HTTP_CALLERS:
        async with HTTP_CALLERS[name](aegis) as caller:
            assert await caller.post("http://tool.example/pay", {"n": 1}) == {"n": 1}
    assert len(mesh.passed) == len(HTTP_CALLERS)
