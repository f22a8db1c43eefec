"""The pods of the chart, played: its settings, users, rights and mounts are enough for the processes, and no less is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from aegis_authz.commands.secrets import MeshAddresses, make_mesh_secrets
from tests.deploy.conftest import HERE
from tests.support.container_engine import Engine, EngineFault, missing
from tests.support.pod_player import PodPlayer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"the containers are NOT tested: {missing()}"),
]

PATIENCE = 120.0
PLACE = "127.0.0.2"  # not 127.0.0.1, which a hosts file joins with ::1
PROBES = {
    "gateway-aegis-envoy": ("unix:/run/envoy/envoy.sock", "/ready"),
    "gateway-aegis-authz-0": ("unix:/run/aegis/ready-0.sock", "/readyz"),
    "gateway-aegis-authz-1": ("unix:/run/aegis/ready-1.sock", "/readyz"),
    "gateway-aegis-routes": ("unix:/run/aegis/routes.sock", "/readyz"),
    "gateway-aegis-certificates": ("unix:/run/aegis/certs-up.sock", "/readyz"),
}
ASK = """
import json, sys, urllib.error, urllib.request
url, proxy = sys.argv[1:]
request = urllib.request.Request(url)
if proxy:
    request.set_proxy(proxy, "http")
try:
    reply = urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as refusal:
    reply = refusal
print(json.dumps([reply.status, reply.read().decode()]))
"""


@pytest.fixture(scope="module")
def pods(engine: Engine) -> Iterator[PodPlayer]:
    """The trial of the chart: Redis, the control plane and a gateway."""
    secrets, folder = engine.folder / "chart-secrets", engine.folder / "chart"
    control = "aegis-control.mesh.svc"
    addresses = MeshAddresses("aegis-redis:6379", f"http://{control}:7400", Path("/run/secrets/opa/opa.token"))
    make_mesh_secrets(secrets, addresses, for_images=False)
    objects = [entry for entry in yaml.safe_load_all((HERE / "renders" / "trial.yaml").read_text("utf-8")) if entry]
    settings = {entry["metadata"]["name"]: entry.get("data") or {} for entry in objects if entry["kind"] == "ConfigMap"}
    owners = {entry["metadata"]["name"]: entry for entry in objects if entry["kind"] in ("Deployment", "StatefulSet")}
    player = PodPlayer(
        engine,
        folder,
        dict.fromkeys((control, "aegis-redis", "aegis-gateway.mesh.svc"), PLACE),
        owners["aegis-redis"]["spec"]["template"]["spec"]["containers"][0]["image"],
        "pods",
        "none",
    )
    try:
        for part in ("redis", "control", "gateway"):
            player.play(part, owners[f"aegis-{part}"], settings, secrets)
        yield player
    except BaseException:
        print(player.logs())  # noqa: T201  # shown where a test fails
        raise
    finally:
        player.end()


def ready(pods: PodPlayer, container: str, address: str, path: str) -> bool:
    try:
        pods.inside(container, "/usr/bin/python3", "-P", "-m", "aegis_authz.cli", "ready", address, path)
    except EngineFault:
        return False
    return True


@pytest.mark.parametrize("container", PROBES)
def test_every_container_becomes_ready_as_its_probe_asks(pods: PodPlayer, container: str) -> None:
    end = time.monotonic() + PATIENCE
    while not ready(pods, container, *PROBES[container]):
        assert time.monotonic() < end, pods.logs()
        time.sleep(1)


def ask(pods: PodPlayer, url: str, proxy: str = "") -> tuple[int, str]:
    status, body = json.loads(pods.inside("control-control", "/usr/bin/python3", "-c", ASK, url, proxy))
    return status, body


def test_the_door_passes_keys_and_nothing_of_the_administrators(pods: PodPlayer) -> None:
    status, body = ask(pods, "http://127.0.0.1:10002/.well-known/jwks.json")
    assert (status, list(json.loads(body))) == (200, ["keys"])
    assert ask(pods, "http://127.0.0.1:10002/v1/policies")[0] == 404


def test_a_call_without_a_credential_is_refused_by_the_authorizer(pods: PodPlayer) -> None:
    status, body = ask(pods, "http://payments.example/v1/payments", "127.0.0.1:10000")
    assert (status, json.loads(body)["reason"]) == (401, "CREDENTIAL_MISSING")


def test_what_helm_test_runs_finds_every_control_at_work(pods: PodPlayer) -> None:
    objects = yaml.safe_load_all((HERE / "renders" / "trial.yaml").read_text("utf-8"))
    (probe,) = (entry["spec"]["containers"][0] for entry in objects if entry and entry["kind"] == "Pod")
    assert probe["args"][0] == "doctor"
    assert "Every control does its work." in pods.inside("control-control", "aegis", *probe["args"])
