"""What keeps an Envoy's configuration: written once for its start, and again for each revision; never a half."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from aegis_authz.bootstrap.routes import RouteWriter
from aegis_authz.config.proxy import ListenerTls, ProxySettings
from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.units import Revision


def served(revision: str, *ports: int) -> tuple[Revision, Catalogue]:
    tools = [
        Tool(f"t{n}", f"t{n}.example", None, f"http://127.0.0.1:{n}", (), "/mcp", "", None, False, False, NO_INTERFACE)
        for n in ports
    ]
    return Revision(revision), Catalogue.of(tools)


@pytest.fixture
def settings(tmp_path: Path) -> ProxySettings:
    return ProxySettings(
        forward_port=10000,
        reverse_port=10001,
        admin_socket="/run/envoy/envoy.sock",
        authz=("unix:/run/aegis/authz-0.sock",),
        xds=tmp_path / "run" / "xds",
        access_log=Path("/dev/stdout"),
        ca_file=Path("/ca.pem"),
    )


def tool_names(settings: ProxySettings) -> list[str]:
    resources = yaml.safe_load((settings.xds / "cds.yaml").read_text("utf-8"))["resources"]
    return [cluster["name"].split(":")[1] for cluster in resources]


def test_envoy_is_given_what_it_starts_from_after_all_that_it_names(tmp_path: Path, settings: ProxySettings) -> None:
    writer = RouteWriter(tmp_path / "run", settings)
    assert writer.trouble == "nothing is written yet"
    writer.follow(*served("r1", 1))
    assert writer.trouble == ""
    assert tool_names(settings) == ["t1"]
    start = tmp_path / "run" / "envoy.yaml"
    written = [start.stat().st_mtime_ns, *(path.stat().st_mtime_ns for path in settings.xds.iterdir())]
    assert max(written) == start.stat().st_mtime_ns


def test_another_revision_changes_routes_and_not_what_envoy_started_from(
    tmp_path: Path, settings: ProxySettings
) -> None:
    writer = RouteWriter(tmp_path / "run", settings)
    writer.follow(*served("r1", 1))
    start = (tmp_path / "run" / "envoy.yaml").stat().st_mtime_ns
    writer.follow(*served("r2", 2))
    assert tool_names(settings) == ["t2", "t1"]  # the one before until the next change
    assert (tmp_path / "run" / "envoy.yaml").stat().st_mtime_ns == start


def test_the_same_revision_writes_nothing(tmp_path: Path, settings: ProxySettings) -> None:
    writer = RouteWriter(tmp_path / "run", settings)
    writer.follow(*served("r1", 1))
    (settings.xds / "cds.yaml").unlink()
    writer.follow(*served("r1", 1))
    assert not (settings.xds / "cds.yaml").exists()


def test_after_a_start_of_its_own_it_keeps_the_clusters_that_a_running_envoy_uses(
    tmp_path: Path, settings: ProxySettings
) -> None:
    RouteWriter(tmp_path / "run", settings).follow(*served("r1", 1))
    RouteWriter(tmp_path / "run", settings).follow(*served("r2", 2))
    assert tool_names(settings) == ["t2", "t1"]


def test_what_cannot_be_written_is_its_trouble_until_it_can(tmp_path: Path, settings: ProxySettings) -> None:
    (tmp_path / "run").write_text("in the way")
    writer = RouteWriter(tmp_path / "run", settings)
    writer.follow(*served("r1", 1))
    assert writer.trouble.startswith("the routes of revision r1 cannot be written: ")
    (tmp_path / "run").unlink()
    writer.follow(*served("r1", 1))
    assert writer.trouble == ""


def test_an_envoy_does_not_start_from_what_other_settings_left(tmp_path: Path, settings: ProxySettings) -> None:
    start = tmp_path / "run" / "envoy.yaml"
    RouteWriter(tmp_path / "run", settings).begin()  # nothing is there yet
    RouteWriter(tmp_path / "run", settings).follow(*served("r1", 1))
    RouteWriter(tmp_path / "run", settings).begin()
    assert start.exists()  # an Envoy that starts anew need not wait for OPA
    encrypted = ListenerTls(certificate=Path("/c.pem"), key=Path("/k.pem"))
    writer = RouteWriter(tmp_path / "run", settings.model_copy(update={"tls": encrypted}))
    writer.begin()
    assert not start.exists()
    writer.follow(*served("r1", 1))
    assert "/k.pem" in start.read_text("utf-8")
    RouteWriter(tmp_path / "run", settings.model_copy(update={"authz": ()})).begin()
    assert not start.exists()  # settings that cannot be rendered are those of no Envoy


def test_settings_that_cannot_be_rendered_are_its_trouble(tmp_path: Path, settings: ProxySettings) -> None:
    writer = RouteWriter(tmp_path / "run", settings.model_copy(update={"authz": ()}))
    writer.follow(*served("r1", 1))
    assert "authz needs addresses" in writer.trouble
    assert not (tmp_path / "run" / "envoy.yaml").exists()
