"""Tokens of a real OpenID provider, exchanged: its keys found by discovery, its outage, and what it never issued."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.adapters.jwks import HttpKeySets
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.identity.issuance import Denial
from aegis_authz.local.tcp_ports import choose_ports
from aegis_authz.testing.issuing import MemoryJournal
from tests.support.real_openid import real_openid
from tests.support.token_requests import binding, key_id, private_key

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "support" / "oidc_provider.mjs"
POD_KEY = private_key(b"p")
PATIENCE = 60
TRUST = """\
trust: provider
owner: platform
issuer: {issuer}
audience: aegis
discovery: true
algorithms: [RS256]
subjects:
  - {{claims: {{client_id: shop, scope: call}}, agent: acme/emea/shop}}
"""

Client = Callable[[ControlServices, str], httpx.AsyncClient]


@asynccontextmanager
async def provider(port: int) -> AsyncIterator[str]:
    """The provider, its issuer; gone when the block ends."""
    async with real_openid(SCRIPT, str(port)):
        yield f"http://127.0.0.1:{port}"


async def issued(issuer: str, audience: str = "aegis", scope: str = "call") -> str:
    """An access token of the provider's client."""
    form = {"grant_type": "client_credentials", "resource": f"urn:{audience}", "scope": scope}
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        answer = await client.post(f"{issuer}/token", data=form, auth=("shop", "for-this-test-alone"))
    token: str = answer.json()["access_token"]
    return token


async def exchange(client: httpx.AsyncClient, token: str) -> httpx.Response:
    data = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    return await client.post("/v1/token", data=data, headers={"DPoP": binding(POD_KEY, time.time(), jti=token[-20:])})


def reason_of(answer: httpx.Response) -> str:
    body: dict[str, Any] = answer.json()
    return str(body["error_description"])


async def test_a_real_providers_token_becomes_one_of_the_agent_through_its_outage(
    new_plane: Callable[..., ControlServices], documents: Callable[..., Sources], client: Client, keys: Keys
) -> None:
    port = choose_ports({"provider": 0}, {})["provider"]
    sets, journal, usual = HttpKeySets(), MemoryJournal(for_tests=True), documents()
    plane = new_plane(key_sets=sets, journal=journal)
    identity = TRUST.format(issuer=f"http://127.0.0.1:{port}")
    plane.publisher.start(lambda: Sources({**usual.policies, "identity.yaml": identity}, usual.tools))
    try:
        async with client(plane, "") as anyone:
            async with provider(port) as issuer:
                first, later = await issued(issuer), await issued(issuer)
                answer = await exchange(anyone, first)
                assert answer.status_code == 200, answer.text
                ours = jwt.decode(
                    answer.json()["access_token"], keys.issuer.public_key(), ["EdDSA"], audience="aegis-mesh"
                )
                assert (ours["sub"], ours["cnf"]) == ("acme/emea/shop", {"jkt": key_id(POD_KEY)})
                assert reason_of(await exchange(anyone, first)) == Denial.SUBJECT_REPLAYED.description
                elsewhere = await issued(issuer, audience="another")
                assert reason_of(await exchange(anyone, elsewhere)) == Denial.SUBJECT_AUDIENCE.description
            # the provider is gone: what it signed is good by the keys that are known
            assert (await exchange(anyone, later)).status_code == 200
            head, claims, signature = later.split(".")
            altered = f"{head}.{claims}.{signature[:-8]}{'A' * 8}"
            assert reason_of(await exchange(anyone, altered)) == Denial.SUBJECT_SIGNATURE.description
            async with provider(port) as issuer:  # it comes back with another key under the same name
                stranger = await issued(issuer)
            assert reason_of(await exchange(anyone, stranger)) == Denial.SUBJECT_SIGNATURE.description
    finally:
        await sets.close()
    lines = json.dumps([str(line) for line in journal.lines])
    assert all(token not in lines for token in (first, later, elsewhere))
    assert [line.error for line in journal.lines if line.error] == [
        "subject_replayed",
        "subject_audience",
        "subject_signature",
        "subject_signature",
    ]
