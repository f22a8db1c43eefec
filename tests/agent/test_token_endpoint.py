from __future__ import annotations

import json

import pytest
from aiohttp import web

from aegis_authz.agent.mesh import mesh_session
from aegis_authz.agent.token_endpoint import TokenEndpoint
from aegis_authz.agent.tokens import TokenFault
from tests.support.agent_mesh import AGENT, new_key, proof_key, small_mesh


async def test_a_token_is_obtained_with_the_key_alone() -> None:
    async with small_mesh() as mesh, mesh_session() as session:
        key = new_key()
        mesh.enrol(key)
        token = await TokenEndpoint(session, f"{mesh.url}/v1/token", AGENT, proof_key(key)).obtain()
        assert token.life == 300
        assert mesh.refusals == []


async def test_a_key_that_is_not_enrolled_gets_the_reason() -> None:
    async with small_mesh() as mesh, mesh_session() as session:
        with pytest.raises(TokenFault, match="issued no token to acme/emea/coding-agent: invalid_client"):
            await TokenEndpoint(session, f"{mesh.url}/v1/token", AGENT, proof_key(new_key())).obtain()


async def test_a_control_plane_that_is_not_there_is_named() -> None:
    async with mesh_session() as session:
        with pytest.raises(TokenFault, match=r"does not answer at http://127.0.0.1:9/v1/token"):
            await TokenEndpoint(session, "http://127.0.0.1:9/v1/token", AGENT, proof_key(new_key())).obtain()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        json.dumps({"access_token": "a", "token_type": "Bearer", "expires_in": 300}).encode(),
        json.dumps({"access_token": "a\u00e9", "token_type": "DPoP", "expires_in": 300}).encode(),
        json.dumps({"access_token": "", "token_type": "DPoP", "expires_in": 300}).encode(),
        json.dumps({"access_token": "a", "token_type": "DPoP"}).encode(),
        json.dumps({"access_token": "a", "token_type": "DPoP", "expires_in": 0}).encode(),
        json.dumps({"access_token": "a", "token_type": "DPoP", "expires_in": True}).encode(),
        json.dumps({"access_token": "a", "token_type": "DPoP", "expires_in": 1e9}).encode(),
        b'{"access_token":"a","access_token":"b","token_type":"DPoP","expires_in":300}',
    ],
)
async def test_an_answer_that_is_no_bound_token_is_none(answer: bytes) -> None:
    async def answers(_: web.BaseRequest) -> web.Response:
        return web.Response(body=answer)

    runner = web.ServerRunner(web.Server(answers))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with mesh_session() as session:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/token"
            with pytest.raises(TokenFault, match=r"answered no token|did not say how long"):
                await TokenEndpoint(session, url, AGENT, proof_key(new_key())).obtain()
    finally:
        await runner.cleanup()
