"""The example configuration in deploy/envoy: an Envoy in a pod with two authorizers beside it."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.config import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.policy.read import load
from aegis_authz.proxy.bootstrap import CLUSTERS_FILE, bootstrap
from aegis_authz.proxy.clusters import clusters
from aegis_authz.proxy.listeners import ROUTES_FILES
from aegis_authz.proxy.render import BOOTSTRAP_FILE, discovery, to_yaml
from aegis_authz.proxy.routes import route_configs

EXAMPLE = ProxySettings(
    bind="0.0.0.0",  # noqa: S104  # the pod's network policy says who may come
    forward_port=10000,
    reverse_port=10001,
    admin_socket="/run/aegis/envoy.sock",
    authz=("unix:/run/aegis/authz-0.sock", "unix:/run/aegis/authz-1.sock"),
    xds=Path("/etc/aegis/envoy"),
    access_log=Path("/dev/stdout"),
    ca_file=Path("/etc/ssl/certs/ca-certificates.crt"),
)

_NOTE = "# Written by `make envoy-config`; edit src/aegis_authz/proxy instead.\n"


def example_files(tools: Path) -> dict[str, str]:
    """The files by name, for the catalogue in the folder `tools`. Raises OSError, PolicyErrors."""
    texts = {path.name: path.read_text("utf-8") for path in sorted(tools.glob("*.yaml"))}
    catalogue = Catalogue.of(load({}, texts).tools)
    return {
        BOOTSTRAP_FILE: _NOTE + to_yaml(bootstrap(EXAMPLE)),
        **{ROUTES_FILES[r.name]: _NOTE + to_yaml(discovery([r])) for r in route_configs(EXAMPLE, catalogue)},
        CLUSTERS_FILE: _NOTE + to_yaml(discovery(clusters(EXAMPLE, catalogue))),
    }


def write_deploy(folder: Path, tools: Path) -> None:
    """Write the example files into `folder`. Raises OSError, PolicyErrors."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in example_files(tools).items():
        (folder / name).write_text(text, "utf-8")
