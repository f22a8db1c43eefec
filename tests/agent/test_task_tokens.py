from __future__ import annotations

import pytest
from aiohttp import web

from aegis_authz.agent.mesh import mesh_session
from aegis_authz.agent.task_tokens import TaskTokens
from aegis_authz.agent.token_endpoint import TokenEndpoint
from aegis_authz.agent.tokens import TokenFault
from tests.support.agent_mesh import AGENT, new_key, proof_key

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
DETAILS = '[{"type":"aegis_task","calls":1}]'


class Issuer:
    """A token endpoint that keeps what it was asked, and numbers its tokens; `is_over` when the task is."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.is_over = False

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        if self.is_over:
            refusal = {"error": "invalid_authorization_details", "error_description": "the task is over"}
            return web.json_response(refusal, status=400)
        answer = {"access_token": f"t{len(self.forms)}", "token_type": "DPoP", "expires_in": 300}
        return web.json_response(answer)


async def obtained(issuer: Issuer, times: int, token: str = "") -> list[str]:
    runner = web.ServerRunner(web.Server(issuer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with mesh_session() as session:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/token"
            tokens = TaskTokens(TokenEndpoint(session, url, AGENT, proof_key(new_key())), DETAILS, token)
            return [(await tokens.obtain()).text for _ in range(times)]
    finally:
        await runner.cleanup()


async def test_a_task_is_asked_for_once_and_its_token_renewed_after_that() -> None:
    issuer = Issuer()
    assert await obtained(issuer, 3) == ["t2", "t3", "t4"]
    first, *exchanges = issuer.forms
    assert first["grant_type"] == "client_credentials"
    assert [(form["grant_type"], form["subject_token"]) for form in exchanges] == [
        (EXCHANGE, token) for token in ("t1", "t2", "t3")
    ]
    assert [form.get("authorization_details") for form in exchanges] == [DETAILS, None, None]


async def test_a_token_that_was_handed_over_is_renewed_and_no_other_asked_for() -> None:
    issuer = Issuer()
    assert await obtained(issuer, 2, token="theirs") == ["t1", "t2"]
    assert [form["subject_token"] for form in issuer.forms] == ["theirs", "t1"]
    assert all("authorization_details" not in form for form in issuer.forms)


async def test_a_task_that_is_over_is_told_and_not_begun_anew() -> None:
    issuer = Issuer()
    issuer.is_over = True
    with pytest.raises(TokenFault, match="the task is over"):
        await obtained(issuer, 1, token="theirs")
    assert len(issuer.forms) == 1
