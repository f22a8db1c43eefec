"""Hops of a redirect and repeated tries: each request that leaves has a proof that was never used.

The mesh here is a small one that judges proofs by the letter and refuses an id that it saw before.
"""

from __future__ import annotations

import asyncio

import pytest

from aegis_agent import Aegis
from aegis_agent.httpx2 import Client
from sdk.python.tests.callers import HTTP_CALLERS
from tests.support.agent_mesh import SmallMesh


@pytest.mark.parametrize("name", HTTP_CALLERS)
async def test_each_hop_of_a_redirect_has_a_proof_of_its_own(name: str, small: SmallMesh, agent: Aegis) -> None:
    async with HTTP_CALLERS[name](agent) as caller:
        assert await caller.post("http://tool.example/elsewhere?a=%2F", {"n": 1}) == {"n": 1}
    assert small.refusals == []
    targets = [passed["target"] for passed in small.passed]
    assert targets == ["http://tool.example/elsewhere?a=%2F", "http://tool.example/next"]
    assert len({passed["headers"]["x-aegis-proof"] for passed in small.passed}) == 2
    assert len({passed["headers"]["x-aegis-token"] for passed in small.passed}) == small.tokens_issued == 1


async def test_a_request_that_is_sent_again_has_a_proof_of_its_own(small: SmallMesh, agent: Aegis) -> None:
    with Client(agent) as client:
        request = client.build_request("POST", "http://tool.example/pay", content=iter([b"a", b"b"]))
        for _ in range(2):
            assert (await asyncio.to_thread(client.send, request)).content == b"ab"
    assert (small.refusals, len(small.passed)) == ([], 2)


@pytest.mark.parametrize("option", ["transport", "mounts", "proxy", "verify", "cert"])
async def test_no_option_leads_requests_past_the_mesh(option: str, agent: Aegis) -> None:
    with pytest.raises(TypeError, match=f"{option} is not an option here"):
        Client(agent, **{option: None})


async def test_nothing_of_the_environment_leads_requests_past_the_mesh(
    small: SmallMesh, agent: Aegis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "*")
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for name in HTTP_CALLERS:
        async with HTTP_CALLERS[name](agent) as caller:
            assert await caller.post("http://tool.example/pay", {"n": 1}) == {"n": 1}
    assert len(small.passed) == len(HTTP_CALLERS)
