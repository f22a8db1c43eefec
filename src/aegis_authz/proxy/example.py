"""The example configuration in deploy/envoy: an Envoy in a pod with two authorizers beside it."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.policy.load import load
from aegis_authz.proxy.render import config_files, write_files

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


def catalogue_in(folder: Path) -> Catalogue:
    """The tools of every .yaml file in or below a folder. Raises OSError, PolicyErrors."""
    texts = {str(path): path.read_text("utf-8") for path in sorted(folder.rglob("*.yaml"))}
    return Catalogue.of(load({}, texts).tools)


def example_files(tools: Path) -> dict[str, str | bytes]:
    """The committed files by name, for the catalogue in the folder `tools`. Raises OSError, PolicyErrors."""
    files = config_files(EXAMPLE, catalogue_in(tools))
    return {name: text if isinstance(text, bytes) else _NOTE + text for name, text in files.items()}


def write_deploy(folder: Path, tools: Path) -> None:
    """Write the committed files into `folder`. Raises OSError, PolicyErrors."""
    write_files(folder, example_files(tools))
