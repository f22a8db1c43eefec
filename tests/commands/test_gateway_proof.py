"""Gateways that do not judge are found out; that a real one does is shown in tests/e2e and, in containers, in tests/deploy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aegis_authz.commands.faults import Unable
from aegis_authz.commands.gateway_proof import GatewayPlaces, prove_gateway
from aegis_authz.demo.serving import serving
from aegis_authz.local.proof import Proof

KEYS = {"/.well-known/jwks.json": (200, {"keys": [{"kty": "OKP"}]})}
MISSING = {"decision": "deny", "reason": "CREDENTIAL_MISSING"}


def pretender(answers: Mapping[str, tuple[int, object]], headers: Mapping[str, str]) -> Starlette:
    """What stands where a gateway should be: it answers by path, `/pay` those calls that a gateway would judge."""

    async def answer(request: Request) -> Response:
        status, body = answers.get(request.url.path, (404, {}))
        return JSONResponse(body, status, headers)

    methods = ["GET", "POST", "CONNECT"]
    return Starlette(routes=[Route("/{path:path}", answer, methods=methods)])


async def proofs_of(answers: Mapping[str, tuple[int, object]], headers: Mapping[str, str]) -> dict[str, Proof]:
    async with serving(pretender(answers, headers)) as port:
        url = f"http://127.0.0.1:{port}"
        return {proof.call.replace(url, ""): proof for proof in await prove_gateway(GatewayPlaces(url, url, None))}


async def test_a_proxy_that_lets_everything_pass_is_no_gateway() -> None:
    proofs = await proofs_of({"/pay": (201, {"status": "paid"}), "/v1/policies": (200, {}), **KEYS}, {})
    assert "not judged: 201" in proofs["a call without a credential"].trouble
    assert "not judged: 201" in proofs["a token of a foreign key"].trouble
    assert "expected status 404" in proofs["GET /v1/policies"].trouble
    assert proofs["GET /.well-known/jwks.json"].trouble == ""


async def test_a_refusal_for_another_reason_is_not_the_right_one() -> None:
    judged = {"x-aegis-decision": "deny", "x-aegis-decision-id": "1"}
    proofs = await proofs_of({"/pay": (401, MISSING), **KEYS}, judged)
    assert proofs["a call without a credential"].trouble == ""
    assert proofs["a token of a foreign key"].trouble == "expected 401 deny CREDENTIAL_UNTRUSTED"


async def test_an_allow_is_never_right() -> None:
    judged = {"x-aegis-decision": "allow", "x-aegis-decision-id": "1"}
    proofs = await proofs_of({"/pay": (401, MISSING)}, judged)
    assert proofs["a call without a credential"].trouble == "expected 401 deny CREDENTIAL_MISSING"


async def test_a_door_without_keys_gives_nobody_a_token() -> None:
    proofs = await proofs_of({"/.well-known/jwks.json": (200, {"keys": []})}, {})
    assert proofs["GET /.well-known/jwks.json"].trouble == "no keys are in the answer"


async def test_where_nobody_listens_each_call_says_so() -> None:
    async with serving(Starlette()) as port:
        places = GatewayPlaces(f"http://127.0.0.1:{port}", "", None)
    proofs = await prove_gateway(places)
    assert [proof.call for proof in proofs if "ConnectError" not in proof.trouble] == []
    assert len(proofs) == 3


@pytest.mark.parametrize(
    "places",
    [
        GatewayPlaces("gateway:10000", "", None),
        GatewayPlaces("https://g", "", Path("/nowhere/ca.pem")),
        GatewayPlaces("http://127.0.0.1:1", "http://[::1", None),
        GatewayPlaces("http://127.0.0.1:1", "http://127.0.0.1:port", None),
    ],
)
async def test_places_that_cannot_be_asked_are_named(places: GatewayPlaces) -> None:
    with pytest.raises(Unable):
        await prove_gateway(places)
