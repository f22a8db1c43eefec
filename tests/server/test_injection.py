"""The webhook that gives pods their gateway: what it answers the API server."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from aegis_authz.server.injection import INJECT_PATH, injection_app
from aegis_authz.server.pod_patch import Injection

PODS = {"group": "", "version": "v1", "resource": "pods"}


@pytest_asyncio.fixture
async def webhook() -> AsyncIterator[httpx.AsyncClient]:
    app = injection_app(Injection(10001, [], [{"name": "aegis-envoy"}]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://webhook") as client:
        yield client


def review(**words: Any) -> dict[str, Any]:
    pod = {"metadata": {"labels": {"aegis/agent": "finance"}}, "spec": {"containers": []}}
    request = {"uid": "1-2-3", "operation": "CREATE", "resource": PODS, "object": pod, **words}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


async def test_a_pod_is_admitted_with_a_patch(webhook: httpx.AsyncClient) -> None:
    answer = (await webhook.post(INJECT_PATH, json=review())).json()
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response = answer["response"]
    assert (response["uid"], response["allowed"], response["patchType"]) == ("1-2-3", True, "JSONPatch")
    patch = json.loads(base64.b64decode(response["patch"]))
    assert {"op": "add", "path": "/spec/initContainers/0", "value": {"name": "aegis-envoy"}} in patch


async def test_a_pod_without_its_agent_is_refused_with_a_sentence(webhook: httpx.AsyncClient) -> None:
    answer = (await webhook.post(INJECT_PATH, json=review(object={"metadata": {}, "spec": {}}))).json()
    assert answer["response"]["allowed"] is False
    assert answer["response"]["status"]["message"].startswith("aegis: label the pod aegis/agent")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        json.dumps({**review(), "apiVersion": "admission.k8s.io/v1beta1"}).encode(),
        json.dumps({**review(), "request": None}).encode(),
        json.dumps(review(operation="UPDATE")).encode(),
        json.dumps(review(resource={**PODS, "resource": "deployments"})).encode(),
        json.dumps(review(uid=7)).encode(),
        json.dumps(review(object=[])).encode(),
    ],
)
async def test_what_is_no_review_of_a_new_pod_admits_nothing(webhook: httpx.AsyncClient, body: bytes) -> None:
    answer = await webhook.post(INJECT_PATH, content=body)
    assert (answer.status_code, answer.text[:18]) == (400, "no review of a pod")


async def test_a_review_that_is_larger_than_any_pod_is_not_read(webhook: httpx.AsyncClient) -> None:
    assert (await webhook.post(INJECT_PATH, content=b" " * (4 * 1024 * 1024 + 1))).status_code == 413


async def test_it_says_that_it_is_ready(webhook: httpx.AsyncClient) -> None:
    assert (await webhook.get("/readyz")).text == "ready"
