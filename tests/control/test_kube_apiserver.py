"""Tokens of a real cluster's service accounts (TokenRequest), exchanged: by its keys, and by asking it (TokenReview)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import jwt
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.adapters.token_review import Cluster, HttpTokenReviews
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.identity.issuance import Denial
from tests.support.kube_cluster import ADMIN, ISSUER, PATIENCE, real_cluster
from tests.support.token_requests import binding, private_key

pytestmark = pytest.mark.slow

TRUST = """\
trust: {name}
owner: platform
kind: kubernetes
issuer: https://kubernetes.default.svc
audience: {audience}
{keys}
algorithms: [RS256]
max_life: 86400
reuse: same_key
subjects:
  - claims: {{"/kubernetes.io/namespace": shop, "/kubernetes.io/serviceaccount/name": agent}}
    agent: acme/emea/shop
"""

Client = Callable[[ControlServices, str], httpx.AsyncClient]


async def exchange(client: httpx.AsyncClient, token: str) -> httpx.Response:
    data = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }
    proof = binding(private_key(b"p"), time.time(), jti=str(time.time_ns()))
    return await client.post("/v1/token", data=data, headers={"DPoP": proof})


def agent_of(answer: httpx.Response, keys: Keys) -> str:
    assert answer.status_code == 200, answer.text
    text = answer.json()["access_token"]
    return str(jwt.decode(text, keys.issuer.public_key(), ["EdDSA"], audience="aegis-mesh")["sub"])


def reason_of(answer: httpx.Response) -> str:
    return str(answer.json()["error_description"])


async def test_service_accounts_of_a_real_cluster_stand_for_agents_until_they_are_gone(
    new_plane: Callable[..., ControlServices],
    documents: Callable[..., Sources],
    client: Client,
    keys: Keys,
    tmp_path: Path,
) -> None:
    (tmp_path / "own-token").write_text(ADMIN, "utf-8")
    async with real_cluster(tmp_path) as cluster:
        await cluster.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
        for account in ("agent", "other"):
            await cluster.post("/api/v1/namespaces/shop/serviceaccounts", {"metadata": {"name": account}})
        published = (await cluster.http.get("/openid/v1/jwks")).json()["keys"]
        by_keys = TRUST.format(name="by-keys", audience="aegis-keys", keys=f"keys: {json.dumps(published)}")
        by_review = TRUST.format(name="by-review", audience="aegis", keys="token_review: local")
        reviews = HttpTokenReviews({"local": Cluster(cluster.url, tmp_path / "own-token", cluster.authorities)})
        plane, usual = new_plane(reviews=reviews), documents()
        identity = {"identity.yaml": f"{by_keys}---\n{by_review}"}
        plane.publisher.start(lambda: Sources({**usual.policies, **identity}, usual.tools))
        async with client(plane, "") as anyone:
            asked, known = await cluster.token("agent", "aegis"), await cluster.token("agent", "aegis-keys")
            for token in (asked, known):
                assert agent_of(await exchange(anyone, token), keys) == "acme/emea/shop"
            other = await cluster.token("other", "aegis")
            assert reason_of(await exchange(anyone, other)) == Denial.SUBJECT_UNMATCHED.description
            for_itself = await cluster.token("agent", ISSUER)
            assert reason_of(await exchange(anyone, for_itself)) == Denial.SUBJECT_AUDIENCE.description
            head, claims, signature = asked.split(".")
            altered = f"{head}.{claims}.{signature[:-8]}{'A' * 8}"
            assert reason_of(await exchange(anyone, altered)) == Denial.SUBJECT_REVIEW.description
            assert (await cluster.http.delete("/api/v1/namespaces/shop/serviceaccounts/agent")).status_code == 200
            # the cluster knows at once; whoever looks at keys alone learns it when the token ends
            assert await refusal_of(anyone, asked) == Denial.SUBJECT_REVIEW.description
            assert agent_of(await exchange(anyone, known), keys) == "acme/emea/shop"
        await reviews.close()


async def refusal_of(anyone: httpx.AsyncClient, token: str) -> str:
    """Why it is refused, once the cluster's own memory of good tokens is over."""
    async with asyncio.timeout(PATIENCE):
        while (answer := await exchange(anyone, token)).status_code == 200:
            await asyncio.sleep(1)
    return reason_of(answer)
