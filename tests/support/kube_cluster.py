"""A real API server of Kubernetes with its etcd, on loopback.

Needs `kube-apiserver` and `etcd` on PATH, or named by AEGIS_KUBE_APISERVER and AEGIS_ETCD.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz.local.tcp_ports import choose_ports

ISSUER = "https://kubernetes.default.svc"
PATIENCE = 180
ADMIN = "admintoken"


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
