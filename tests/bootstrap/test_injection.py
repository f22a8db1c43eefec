"""The webhook that gives pods their gateway, as a process: TLS alone, and a sentence where it cannot start."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest
import yaml

from aegis_authz.bootstrap.injection import InjectionFault, serve_injection
from aegis_authz.config.injection import InjectionSettings
from tests.support.injection_server import injection_server

RENDER = Path(__file__).parents[1] / "deploy" / "renders" / "webhook.yaml"
SECONDS = 60


def files_of_the_chart() -> dict[str, str]:
    objects = (entry for entry in yaml.safe_load_all(RENDER.read_text("utf-8")) if entry)
    return next(
        dict(each["data"]) for each in objects if each["metadata"]["name"] == "aegis-injection" and "data" in each
    )


async def test_it_serves_what_the_chart_says_by_tls(tmp_path: Path) -> None:
    pod = {"metadata": {"labels": {"aegis/agent": "finance"}}, "spec": {"containers": []}}
    pods = {"group": "", "version": "v1", "resource": "pods"}
    request = {"uid": "1", "operation": "CREATE", "resource": pods, "object": pod}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    async with injection_server(tmp_path, files_of_the_chart()) as server:
        tls = ssl.create_default_context(cafile=server.authorities)
        async with httpx.AsyncClient(base_url=server.url, verify=tls, trust_env=False) as client:
            await until_ready(client)
            response = (await client.post("/inject", json=review)).json()["response"]
            assert (response["uid"], response["allowed"]) == ("1", True)
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(server.url.replace("https:", "http:"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "injection.yaml: while parsing"),
        ("[]", "injection.yaml: the injection is not an object"),
        ("{fsGroup: 1, volumes: [], containers: []}", "injection.yaml: containers: a gateway has some"),
        ("{fsGroup: 1, volumes: [], containers: [{name: x}]}", "tls.crt"),
    ],
)
def test_it_does_not_start_with_files_that_cannot_be_used(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "injection.yaml").write_text(text, "utf-8")
    settings = InjectionSettings(
        listen="127.0.0.1:1",
        certificate=tmp_path / "tls.crt",
        key=tmp_path / "tls.key",
        injection=tmp_path / "injection.yaml",
    )
    with pytest.raises(InjectionFault, match=fault):
        serve_injection(settings)


async def until_ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                assert (await client.get("/readyz")).text == "ready"
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
            else:
                return
