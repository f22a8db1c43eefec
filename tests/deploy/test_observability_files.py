"""What the profile `observability` of docker-compose.yml is given: read by Prometheus' own tool, and by the collector
itself where it is there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.prometheus import program
from tests.support.real_otelcol import collector_program

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]


def document(*path: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(DEPLOY.joinpath(*path).read_text("utf-8"))
    return read


def test_prometheus_takes_its_configuration_and_its_rules() -> None:
    done = subprocess.run(
        [program("promtool"), "check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_asks_each_authorizer_and_nobody_that_is_not_there() -> None:
    jobs = {job["job_name"]: job for job in document("prometheus", "prometheus.yml")["scrape_configs"]}
    targets = {target for job in jobs.values() for group in job["static_configs"] for target in group["targets"]}
    hosts = {target.partition(":")[0] for target in targets} - {"localhost"}
    assert hosts == {"authz-0", "authz-1", "collector"}
    assert all("mesh" in SERVICES[host]["networks"] for host in (*hosts, "prometheus"))
    port = yaml.safe_load((DEPLOY / "compose" / "authz.yaml").read_text("utf-8"))["metrics"].rpartition(":")[2]
    [group] = jobs["aegis-authz"]["static_configs"]
    assert group["targets"] == [f"authz-0:{port}", f"authz-1:{port}"]


def test_every_pipeline_of_the_collector_is_made_of_parts_that_are_configured() -> None:
    collector = document("otel", "collector.yaml")
    for pipeline in collector["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            configured = collector.get(kind, {}).keys() | (collector["connectors"].keys() - {"processors"})
            assert set(pipeline.get(kind, ())) <= configured, kind
        assert pipeline["receivers"] and pipeline["exporters"]
    listened = {collector["exporters"]["prometheus"]["endpoint"].rpartition(":")[2], "8888"}
    prometheus = document("prometheus", "prometheus.yml")
    asked = {
        target.rpartition(":")[2]
        for job in prometheus["scrape_configs"]
        for group in job["static_configs"]
        for target in group["targets"]
        if target.startswith("collector:")
    }
    assert asked == listened


@pytest.mark.slow
def test_the_collector_takes_its_configuration() -> None:
    done = subprocess.run(
        [collector_program(), "validate", f"--config={DEPLOY / 'otel' / 'collector.yaml'}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_asks_prometheus_and_shows_the_folder_that_is_mounted() -> None:
    [source] = document("grafana", "provisioning", "datasources", "prometheus.yaml")["datasources"]
    assert (source["url"], source["uid"]) == ("http://prometheus:9090", "prometheus")
    [provider] = document("grafana", "provisioning", "dashboards", "aegis.yaml")["providers"]
    places = dict(mount.removesuffix(":ro").split(":") for mount in SERVICES["grafana"]["volumes"])
    assert provider["options"]["path"] == places["./deploy/grafana/dashboards"]
    assert SERVICES["grafana"]["environment"]["GF_PATHS_PROVISIONING"] == places["./deploy/grafana/provisioning"]


def test_nobody_can_sign_in_to_grafana_or_change_what_it_shows() -> None:
    given = SERVICES["grafana"]["environment"]
    assert given["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert given["GF_AUTH_DISABLE_LOGIN_FORM"] == given["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert document("grafana", "provisioning", "dashboards", "aegis.yaml")["providers"][0]["allowUiUpdates"] is False
