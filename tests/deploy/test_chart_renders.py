"""The chart, rendered by Helm: the renders that the other tests read are what it gives today, and faults are named."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.conftest import CHART, HERE, SETS

pytestmark = pytest.mark.slow

CLUSTER = ("--api-versions", "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy")


def render(helm: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What Helm makes of the chart for the Kubernetes of today, whichever this Helm was built with."""
    command = [helm, "template", "aegis", str(CHART), "--namespace", "mesh", "--kube-version", "1.36", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", SETS)
def test_the_render_in_the_repository_is_that_of_the_chart(helm: str, name: str) -> None:
    done = render(helm, *CLUSTER, "-f", str(HERE / "values" / f"{name}.yaml"))
    assert done.stderr == ""
    page = HERE / "renders" / f"{name}.yaml"
    if os.environ.get("AEGIS_WRITE_DOCS"):
        page.write_text(done.stdout, "utf-8")
    assert done.stdout == page.read_text("utf-8"), "make chart-renders"


@pytest.mark.parametrize(("region", "settings"), [("eu", {"control.yaml", "authz.yaml"}), ("", set())])
def test_the_region_of_a_release_is_that_of_its_control_plane_and_authorizers(
    helm: str, region: str, settings: set[str]
) -> None:
    done = render(helm, "--set", f"redis.bundled=true,region={region}")
    assert done.returncode == 0, done.stderr
    maps = (entry for entry in yaml.safe_load_all(done.stdout) if entry and entry["kind"] == "ConfigMap")
    files = {name: text for entry in maps for name, text in (entry.get("data") or {}).items() if name.endswith(".yaml")}
    assert {name for name, text in files.items() if "region" in yaml.safe_load(text)} == settings
    assert all(yaml.safe_load(files[name])["region"] == region for name in settings)


def test_the_dashboards_are_those_of_the_repository(helm: str) -> None:
    done = render(helm, "--set", "redis.bundled=true,monitoring.dashboards.enabled=true")
    (boards,) = (
        entry for entry in yaml.safe_load_all(done.stdout) if entry and entry["metadata"]["name"] == "aegis-dashboards"
    )
    assert boards["metadata"]["labels"]["grafana_dashboard"] == "1"
    files = {path.name: path.read_text("utf-8") for path in (CHART / "dashboards").glob("*.json")}
    assert len(files) == 3
    assert boards["data"] == files


def test_sidecars_exchange_their_tokens_at_the_control_plane_of_the_release_by_tls(helm: str) -> None:
    words = "redis.bundled=true,sidecar.enabled=true,sidecar.records.loss=accept"
    agents = "sidecar.namespaces[0].name=shop,sidecar.namespaces[0].agents[0].name=a,sidecar.namespaces[0].agents[0].agent=acme/emea/a"
    refused = render(helm, *CLUSTER, "--set", words, "--set", agents)
    assert "or give it TLS (control.tls.secret)" in refused.stderr
    done = render(helm, *CLUSTER, "--set", f"{words},control.tls.secret=control-tls", "--set", agents)
    objects = [entry for entry in yaml.safe_load_all(done.stdout) if entry]
    (own,) = (entry["data"]["authz.yaml"] for entry in objects if entry["metadata"]["name"] == "aegis-sidecar-a")
    workload = yaml.safe_load(own)["identity"]["workload"]["agent"]
    assert workload["token_endpoint"] == "https://aegis-control.mesh.svc:7400/v1/token"
    assert workload["authorities"] == "/run/secrets/public/control-ca.pem"


def test_the_evaluation_endpoint_is_reached_where_its_url_says_and_by_https_alone(helm: str) -> None:
    base = "redis.bundled=true,gateway.evaluation.secret=pdp"
    done = render(helm, "--set", f"{base},gateway.evaluation.url=https://pdp.example")
    assert done.returncode == 0, done.stderr
    maps = [entry for entry in yaml.safe_load_all(done.stdout) if entry and entry["kind"] == "ConfigMap"]
    files = {name: text for entry in maps for name, text in (entry.get("data") or {}).items() if name.endswith(".yaml")}
    assert yaml.safe_load(files["authz.yaml"])["evaluation"]["url"] == "https://pdp.example"
    assert yaml.safe_load(files["control.yaml"])["public_evaluation"] == "https://pdp.example"
    for wrong in ("http://pdp.example", "https://pdp.example/path"):
        assert "gateway.evaluation.url" in render(
            helm, "--set", f"{base},gateway.evaluation.url={wrong}"
        ).stderr.replace("/", ".")


def test_where_clients_must_show_a_certificate_envoy_asks_for_one_of_that_authority(helm: str) -> None:
    done = render(helm, "--set", "redis.bundled=true,gateway.tls.secret=edge,gateway.tls.clientCa=true")
    objects = [entry for entry in yaml.safe_load_all(done.stdout) if entry]
    routes = next(entry["data"]["routes.yaml"] for entry in objects if "routes.yaml" in (entry.get("data") or {}))
    assert yaml.safe_load(routes)["proxy"]["tls"]["client_ca"] == "/run/secrets/gateway-tls/ca.crt"
    assert "Pod" not in {entry["kind"] for entry in objects}, "a probe without an identity would be hung up on"


@pytest.mark.parametrize("name", [name for name in SETS if name not in ("both", "sidecar")])
def test_the_chart_passes_lint(helm: str, name: str) -> None:  # with sidecars it wants to know the cluster
    command = [helm, "lint", "--strict", str(CHART), "-f", str(HERE / "values" / f"{name}.yaml")]
    done = subprocess.run([*command, "--kube-version", "1.36"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SETS)
def test_a_cluster_would_take_every_object(name: str, tmp_path: Path) -> None:
    validate = importlib.util.find_spec("kubernetes_validate")
    if validate is None:
        pytest.skip("NO KUBERNETES-VALIDATE: pip install kubernetes-validate")
    objects = yaml.safe_load_all((HERE / "renders" / f"{name}.yaml").read_text("utf-8"))
    known = [entry for entry in objects if entry and entry["kind"] != "ServiceMonitor"]
    path = tmp_path / "objects.yaml"
    path.write_text(yaml.safe_dump_all(known), "utf-8")
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", "1.36", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--set", "networkPolicy.enabled=true"), "networkPolicy.redis: say where Redis is"),
        (("--set", "control.enabled=false"), "control.url: where is the control plane"),
        (("--set", "gateway.enabled=false,redis.bundled=true"), "control.publicUrl: where do agents"),
        (("--set", "gateway.replica=2"), "replica"),
        (("--set", "redis.bundled=true,control.replicas=2"), "several control planes are one PostgreSQL"),
        (
            ("--set", "redis.bundled=true,control.replicas=2,control.settings.database=postgresql://aegis@db/aegis"),
            "networkPolicy.controlEgress: say where PostgreSQL is",
        ),
        (("--set", "redis.bundled=true,sidecar.enabled=true"), "this cluster has no MutatingAdmissionPolicy"),
        ((*CLUSTER, "--set", "redis.bundled=true,sidecar.enabled=true"), "sidecar.records.claim: name a"),
    ],
)
def test_values_that_cannot_work_are_refused_with_what_to_say(helm: str, words: tuple[str, ...], sentence: str) -> None:
    done = render(helm, *words)
    assert done.returncode != 0
    assert sentence in done.stderr
