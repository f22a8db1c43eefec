"""Configuration as files: YAML that Envoy reads at its start, and the folder it watches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from betterproto2 import Casing, Message
from envoy_data_plane.envoy.service.discovery.v3 import DiscoveryResponse

from aegis_authz import durable
from aegis_authz.config import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.proxy.bootstrap import CLUSTERS_FILE, bootstrap
from aegis_authz.proxy.clusters import clusters
from aegis_authz.proxy.listeners import ROUTES_FILES
from aegis_authz.proxy.routes import route_configs
from aegis_authz.proxy.typed import packed

BOOTSTRAP_FILE = "envoy.yaml"
_WIDTH = 120
_READABLE = 0o644


def to_yaml(message: Message) -> str:
    """A message as YAML in proto3's JSON mapping, with the field names of the .proto files."""
    return yaml.safe_dump(message.to_dict(casing=Casing.SNAKE), sort_keys=False, allow_unicode=True, width=_WIDTH)


def discovery(resources: Sequence[Message]) -> DiscoveryResponse:
    """Resources as Envoy reads them from a file. The version is the digest of their content."""
    content = [packed(resource) for resource in resources]
    digest = hashlib.sha256(b"".join(any_.value for any_ in content)).hexdigest()
    return DiscoveryResponse(version_info=digest[:16], resources=content)


def xds_files(settings: ProxySettings, catalogue: Catalogue) -> dict[str, str]:
    """What Envoy watches, by file name, in the order to be written: a route must find its cluster."""
    return {
        CLUSTERS_FILE: to_yaml(discovery(clusters(settings, catalogue))),
        **{ROUTES_FILES[routes.name]: to_yaml(discovery([routes])) for routes in route_configs(settings, catalogue)},
    }


def config_files(settings: ProxySettings, catalogue: Catalogue) -> dict[str, str]:
    """All of the configuration, by file name. Raises ValueError for settings or tools that cannot be rendered."""
    return {**xds_files(settings, catalogue), BOOTSTRAP_FILE: to_yaml(bootstrap(settings))}


def write_config(folder: Path, settings: ProxySettings, catalogue: Catalogue) -> Path:
    """Write all that Envoy needs: envoy.yaml into `folder`, routes and clusters into `settings.xds`.

    Returns the path of envoy.yaml. Raises OSError, and ValueError for settings or tools that cannot be rendered.
    """
    files = config_files(settings, catalogue)
    start = files.pop(BOOTSTRAP_FILE)
    write_files(settings.xds, files)
    write_files(folder, {BOOTSTRAP_FILE: start})
    return folder / BOOTSTRAP_FILE


def write_xds(settings: ProxySettings, catalogue: Catalogue) -> None:
    """Write routes and clusters where Envoy watches; a running Envoy takes them at once. Raises OSError, ValueError."""
    write_files(settings.xds, xds_files(settings, catalogue))


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder, each replaced whole: Envoy must never see a half of what it watches. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        durable.replace(folder / name, text.encode("utf-8"), _READABLE)
