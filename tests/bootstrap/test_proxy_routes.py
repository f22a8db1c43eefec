from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from aegis_authz.bootstrap.proxy_routes import ProxyRoutes
from aegis_authz.bootstrap.settings import SettingsError
from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE

PAY = Tool("pay", "pay.example", None, "http://127.0.0.1:9001", (), "/mcp", "", None, False, False, NO_INTERFACE)


def settings_file(folder: Path) -> Path:
    settings = {
        "forward_port": 15000,
        "reverse_port": 15001,
        "admin_socket": "/run/envoy.sock",
        "authz": ["authz:9000"],
        "xds": str(folder / "xds"),
        "access_log": "/dev/stdout",
        "ca_file": "/ca.pem",
    }
    path = folder / "proxy.yaml"
    path.write_text(yaml.safe_dump(settings), "utf-8")
    return path


def test_what_is_shown_is_written_where_envoy_watches(tmp_path: Path) -> None:
    routes = ProxyRoutes(settings_file(tmp_path))
    routes.show(Catalogue.of((PAY,)))
    clusters = yaml.safe_load((tmp_path / "xds" / "cds.yaml").read_text("utf-8"))["resources"]
    assert [cluster["name"] for cluster in clusters] == [f"tool:pay:{PAY.route}"]


def test_clusters_of_the_routes_in_force_stay_until_the_next_change(tmp_path: Path) -> None:
    routes = ProxyRoutes(settings_file(tmp_path))
    places = [
        Tool("pay", "pay.example", None, f"http://127.0.0.1:{port}", (), "/mcp", "", None, False, False, NO_INTERFACE)
        for port in (1, 2, 3)
    ]
    for place in places:
        routes.show(Catalogue.of((place,)))
    clusters = yaml.safe_load((tmp_path / "xds" / "cds.yaml").read_text("utf-8"))["resources"]
    assert [cluster["name"] for cluster in clusters] == [f"tool:pay:{place.route}" for place in (places[2], places[1])]


@pytest.mark.parametrize(
    "damage", ["{", "- a", "text", "resources: [{}]", "resources: 5", "resources: [{virtual_hosts: 1}]"]
)
def test_files_that_are_not_ours_are_replaced(tmp_path: Path, damage: str) -> None:
    routes = ProxyRoutes(settings_file(tmp_path))
    routes.show(Catalogue.of((PAY,)))
    files = {path: path.read_text("utf-8") for path in (tmp_path / "xds").iterdir()}
    for path in files:
        path.write_text(damage, "utf-8")
    routes.show(Catalogue.of((PAY,)))
    assert {path: path.read_text("utf-8") for path in files} == files


def test_settings_that_cannot_be_read_are_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    path.write_text("forward_port: many\n", "utf-8")
    with pytest.raises(SettingsError, match="forward_port"):
        ProxyRoutes(path)
