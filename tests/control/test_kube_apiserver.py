"""Tokens of a real cluster's service accounts (TokenRequest), exchanged: by its keys, and by asking it (TokenReview).

Needs `kube-apiserver` and `etcd` on PATH, or named by AEGIS_KUBE_APISERVER and AEGIS_ETCD.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.adapters.token_review import Cluster, HttpTokenReviews
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.identity.issuance import Denial
from aegis_authz.local.tcp_ports import choose_ports
from tests.support.token_requests import binding, private_key

pytestmark = pytest.mark.slow

ISSUER = "https://kubernetes.default.svc"
PATIENCE = 180
ADMIN = "admintoken"
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


def binary(name: str, variable: str) -> str:
    path = os.environ.get(variable) or shutil.which(name)
    if path is None:
        pytest.skip(f"NO {name.upper()}: put it on PATH or name it by {variable}")
    return path


@dataclass
class RealCluster:
    """An API server on loopback, under an administrator's token."""

    url: str
    authorities: Path
    http: httpx.AsyncClient

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.http.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def token(self, account: str, audience: str) -> str:
        """A token of a service account of the namespace `shop`, as the kubelet asks for those it projects."""
        spec = {"audiences": [audience], "expirationSeconds": 600}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        made = await self.post(f"/api/v1/namespaces/shop/serviceaccounts/{account}/token", body)
        return str(made["status"]["token"])


@asynccontextmanager
async def running(*command: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def real_cluster(folder: Path) -> AsyncIterator[RealCluster]:
    """etcd and an API server, ready; gone when the block ends."""
    server, etcd = binary("kube-apiserver", "AEGIS_KUBE_APISERVER"), binary("etcd", "AEGIS_ETCD")
    ports = choose_ports(dict.fromkeys(("etcd", "peer", "api"), 0), {})
    signing = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    (folder / "sa.key").write_bytes(signing)
    (folder / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n', "utf-8")
    store, peer = (f"http://127.0.0.1:{ports[name]}" for name in ("etcd", "peer"))
    keeping = (etcd, "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync")
    places = ("--listen-client-urls", store, "--advertise-client-urls", store, "--listen-peer-urls", peer)
    key = str(folder / "sa.key")
    serving = (
        *(server, f"--etcd-servers={store}", f"--secure-port={ports['api']}", "--bind-address=127.0.0.1"),
        *("--advertise-address=127.0.0.1", f"--cert-dir={folder / 'certs'}", f"--service-account-issuer={ISSUER}"),
        *(f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}"),
        *(f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC"),
        *("--service-cluster-ip-range=10.96.0.0/16", "--disable-admission-plugins=ServiceAccount"),
    )
    async with running(*keeping, *places), running(*serving):
        certificate = folder / "certs" / "apiserver.crt"
        url = f"https://127.0.0.1:{ports['api']}"
        async with asyncio.timeout(PATIENCE):
            while not certificate.exists():
                await asyncio.sleep(0.1)
            headers = {"authorization": f"Bearer {ADMIN}"}
            context = ssl.create_default_context(cafile=certificate)
            async with httpx.AsyncClient(base_url=url, headers=headers, verify=context, timeout=30) as http:
                while not await _is_ready(http):
                    await asyncio.sleep(0.2)
                yield RealCluster(url, certificate, http)


async def _is_ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx.HTTPError:
        return False


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
