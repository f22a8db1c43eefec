"""The Prometheus of a mesh: what it scrapes, and where it listens."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from aegis_authz.local.documents import prometheus_rules
from aegis_authz.local.layout import Layout
from aegis_authz.local.prometheus import prometheus_command, prometheus_text
from tests.support.prometheus import program


@pytest.fixture
def text(tmp_path: Path) -> str:
    return prometheus_text(Layout(tmp_path, tmp_path), 9100, 7400, 9090, prometheus_rules())


def test_it_scrapes_every_process_with_figures_on_loopback(text: str) -> None:
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in yaml.safe_load(text)["scrape_configs"]}
    assert jobs == {
        "aegis-authz": ["127.0.0.1:9100"],
        "aegis-control": ["127.0.0.1:7400"],
        "prometheus": ["127.0.0.1:9090"],
    }


def test_the_token_is_a_file_and_no_person_is_named(text: str, tmp_path: Path) -> None:
    control = yaml.safe_load(text)["scrape_configs"][1]
    assert control["authorization"] == {"credentials_file": str(tmp_path / "keys" / "admin.token")}
    [dropped] = control["metric_relabel_configs"]
    assert (dropped["regex"], dropped["action"]) == ("aegis_oversight_.*", "drop")


def test_promtool_takes_it_with_our_rules(text: str, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "admin.token").write_text("t")
    (tmp_path / "prometheus.yml").write_text(text)
    done = subprocess.run(
        [program("promtool"), "check", "config", tmp_path / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 rule files found" in done.stdout


def test_it_listens_on_loopback_alone(tmp_path: Path) -> None:
    command = prometheus_command(Path("/usr/bin/prometheus"), tmp_path / "p.yml", tmp_path / "data", 9090)
    assert command[0] == "/usr/bin/prometheus" and "--web.listen-address=127.0.0.1:9090" in command
    assert not [word for word in command if "enable-admin-api" in word or "enable-lifecycle" in word]
