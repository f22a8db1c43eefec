"""The admission policies of sidecars, and the webhook in place of one, in a real API server: pods of a labelled namespace get their gateway, and pods
that could get around it are refused with a sentence.
"""

from __future__ import annotations

import asyncio
import base64
import copy
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from tests.deploy.conftest import HERE
from tests.support.injection_server import injection_server
from tests.support.kube_cluster import PATIENCE, RealCluster, real_cluster

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"generateName": "agent-", "labels": {"aegis/agent": "finance"}},
    "spec": {
        "serviceAccountName": "finance",
        "initContainers": [
            {
                "name": "prepare",
                "image": "agent:1",
                "securityContext": {"runAsUser": 20001, "allowPrivilegeEscalation": False},
            }
        ],
        "containers": [
            {
                "name": "agent",
                "image": "agent:1",
                "securityContext": {"runAsUser": 20001, "allowPrivilegeEscalation": False},
            }
        ],
    },
}
GATEWAY = [
    "aegis-rules",
    "aegis-opa",
    "aegis-routes",
    "aegis-certificates",
    "aegis-authz-0",
    "aegis-envoy",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sidecar", "webhook"])
async def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RealCluster]:
    """A cluster with what the chart gives it in force in the namespace `shop`: policies, or a webhook and a policy."""
    folder = tmp_path_factory.mktemp("cluster")
    objects = list(yaml.safe_load_all((HERE / "renders" / f"{request.param}.yaml").read_text("utf-8")))
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(real_cluster(folder))
        labels = {"aegis/inject": "true"}
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}}
        await running.post("/api/v1/namespaces", space)
        for entry in objects:
            if entry is not None and "AdmissionPolicy" in entry["kind"]:
                plural = entry["kind"].lower().replace("policybinding", "policybindings").removesuffix("policy")
                plural = plural if plural.endswith("bindings") else f"{plural}policies"
                await running.post(f"/apis/{entry['apiVersion']}/{plural}", entry)
            elif entry is not None and entry["kind"] == "MutatingWebhookConfiguration":
                files = next(
                    e["data"] for e in objects if e and e["metadata"]["name"] == "aegis-injection" and "data" in e
                )
                server = await stack.enter_async_context(injection_server(folder, files))
                bundle = base64.b64encode(server.authorities.read_bytes()).decode("ascii")
                entry["webhooks"][0]["clientConfig"] = {"url": f"{server.url}/inject", "caBundle": bundle}
                await running.post(f"/apis/{entry['apiVersion']}/mutatingwebhookconfigurations", entry)
        async with asyncio.timeout(PATIENCE):  # they take force a moment after they are written
            while not await is_held(running):
                await asyncio.sleep(0.2)
        yield running


def pod(**words: Any) -> dict[str, Any]:
    """The agent's pod, with these words in its spec."""
    made = copy.deepcopy(POD)
    made["spec"].update(words)
    return made


def container(**words: Any) -> dict[str, Any]:
    """The agent's container, with these words in its security context."""
    made: dict[str, Any] = copy.deepcopy(POD["spec"]["containers"][0])
    made["securityContext"].update(words)
    return made


async def dry_run(cluster: RealCluster, body: dict[str, Any]) -> httpx.Response:
    return await cluster.http.post("/api/v1/namespaces/shop/pods?dryRun=All", json=body)


async def is_held(cluster: RealCluster) -> bool:
    """Whether both policies are in force."""
    injected, refused = await dry_run(cluster, pod()), await dry_run(cluster, pod(hostNetwork=True))
    names = [entry["name"] for entry in injected.json().get("spec", {}).get("initContainers", [])]
    return names[: len(GATEWAY)] == GATEWAY and "aegis: " in refused.text


async def test_a_pod_gets_its_gateway_before_anything_of_its_own_runs(cluster: RealCluster) -> None:
    answer = await dry_run(cluster, pod())
    assert answer.status_code == 201, answer.text
    spec = answer.json()["spec"]
    assert [entry["name"] for entry in spec["initContainers"]] == [*GATEWAY, "prepare"]
    assert [entry.get("restartPolicy") for entry in spec["initContainers"]] == [None, *["Always"] * 5, None]
    assert spec["initContainers"][0]["securityContext"]["capabilities"] == {"add": ["NET_ADMIN"], "drop": ["ALL"]}
    volumes = {entry["name"]: entry for entry in spec["volumes"]}
    assert volumes["aegis-settings"]["configMap"]["name"] == "aegis-sidecar-finance"
    assert volumes["aegis-identity"]["projected"]["sources"][0]["serviceAccountToken"]["audience"] == "aegis"
    assert spec["securityContext"]["fsGroup"] == 10001


async def test_the_gateway_of_a_pod_is_that_of_the_chart_to_the_letter(cluster: RealCluster) -> None:
    """What Kubernetes adds of its own (defaults) aside, every word of the render arrives."""
    spec = (await dry_run(cluster, pod())).json()["spec"]
    envoy = next(entry for entry in spec["initContainers"] if entry["name"] == "aegis-envoy")
    assert envoy["args"] == ["serve", "envoy", "--config-path", "/run/aegis/envoy/envoy.yaml", "--concurrency", "1"]
    assert envoy["securityContext"]["runAsUser"] == 1337
    assert envoy["resources"] == {"limits": {"memory": "512Mi"}, "requests": {"cpu": "200m", "memory": "128Mi"}}
    assert envoy["startupProbe"]["exec"]["command"][-3:] == ["ready", "unix:/run/envoy/envoy.sock", "/ready"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (pod(hostNetwork=True), "hostNetwork"),
        (pod(hostPID=True), "hostNetwork, hostPID"),
        (pod(shareProcessNamespace=True), "shareProcessNamespace"),
        (pod(containers=[container(runAsUser=1337)]), "runAsUser"),
        (pod(containers=[container(runAsUser=10001)]), "runAsUser"),
        (pod(containers=[container(runAsUser=0)]), "runAsUser"),
        (pod(containers=[{"name": "agent", "image": "agent:1"}]), "runAsUser"),
        (pod(initContainers=[{**container(runAsUser=1337), "name": "prepare"}]), "runAsUser"),
        (pod(volumes=[{"name": "x", "secret": {"secretName": "aegis-certificates"}}]), "for the gateway alone"),
        (
            pod(volumes=[{"name": "x", "projected": {"sources": [{"secret": {"name": "aegis-authz"}}]}}]),
            "for the gateway alone",
        ),
        (
            pod(
                volumes=[
                    {
                        "name": "x",
                        "projected": {"sources": [{"serviceAccountToken": {"audience": "aegis", "path": "t"}}]},
                    }
                ]
            ),
            "for the gateway alone",
        ),
        (pod(containers=[{**container(), "envFrom": [{"secretRef": {"name": "aegis-opa"}}]}]), "for the gateway alone"),
        (
            pod(
                containers=[
                    {
                        **container(),
                        "env": [
                            {"name": "K", "valueFrom": {"secretKeyRef": {"name": "aegis-authz", "key": "records.pem"}}}
                        ],
                    }
                ]
            ),
            "for the gateway alone",
        ),
        (pod(volumes=[{"name": "host", "hostPath": {"path": "/"}}]), "hostPath"),
        (pod(securityContext={"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "0"}]}), "no sysctls"),
        (pod(securityContext={"seccompProfile": {"type": "Unconfined"}}), "switches neither seccomp"),
        (pod(containers=[container(seccompProfile={"type": "Unconfined"})]), "switch neither seccomp"),
        (pod(containers=[{**container(), "ports": [{"containerPort": 80, "hostPort": 80}]}]), "ports of the host"),
        (pod(containers=[container(allowPrivilegeEscalation=True)]), "allowPrivilegeEscalation"),
        (pod(containers=[container(capabilities={"add": ["NET_RAW"]})]), "add no capability"),
        (
            pod(containers=[{**container(), "volumeMounts": [{"name": "aegis-run", "mountPath": "/x"}]}]),
            "volumes called aegis-",
        ),
        (pod(containers=[{**container(), "name": "aegis-envoy2"}]), "no other is called aegis-"),
        (pod(initContainers=[{**container(), "name": "aegis-more"}]), "no other is called aegis-"),
        ({**pod(), "metadata": {"generateName": "agent-"}}, "label the pod aegis/agent"),
        (
            {**pod(), "metadata": {"generateName": "agent-", "labels": {"aegis/agent": "stranger"}}},
            "label the pod aegis/agent",
        ),
    ],
)
async def test_a_pod_that_could_get_around_its_gateway_is_refused(
    cluster: RealCluster, body: dict[str, Any], sentence: str
) -> None:
    answer = await dry_run(cluster, body)
    assert answer.status_code in (403, 422), answer.text
    assert sentence in answer.json()["message"]


async def test_no_debug_container_is_added_to_a_running_pod(cluster: RealCluster) -> None:
    made = await cluster.post("/api/v1/namespaces/shop/pods", pod())
    name = made["metadata"]["name"]
    debug = {
        "spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox", "securityContext": {"runAsUser": 1337}}]}
    }
    answer = await cluster.http.patch(
        f"/api/v1/namespaces/shop/pods/{name}/ephemeralcontainers",
        json=debug,
        headers={"content-type": "application/strategic-merge-patch+json"},
    )
    assert answer.status_code in (403, 422), answer.text
    assert "no debug containers" in answer.json()["message"]


async def test_a_namespace_without_the_label_is_left_alone(cluster: RealCluster) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "quiet"}}
    await cluster.post("/api/v1/namespaces", space)
    answer = await cluster.http.post("/api/v1/namespaces/quiet/pods?dryRun=All", json=pod())
    assert answer.status_code == 201, answer.text
    assert [entry["name"] for entry in answer.json()["spec"]["initContainers"]] == ["prepare"]
