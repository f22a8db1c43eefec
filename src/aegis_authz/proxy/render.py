"""Configuration as files: YAML that Envoy reads at its start, and the folder it watches."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from betterproto2 import Casing, Message
from envoy_data_plane.envoy.service.discovery.v3 import DiscoveryResponse

from aegis_authz import durable
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.proxy.bootstrap import CLUSTERS_FILE, LISTENERS_FILE, bootstrap, has_watched_listeners
from aegis_authz.proxy.clusters import clusters
from aegis_authz.proxy.interception import interception_clusters, interception_listeners
from aegis_authz.proxy.routes import route_configs, routes_file
from aegis_authz.proxy.transparent import transparent_clusters, transparent_listeners
from aegis_authz.proxy.typed import packed

BOOTSTRAP_FILE = "envoy.yaml"
_WIDTH = 120
_READABLE = 0o644
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_READ_OTHERWISE = re.compile(r"[-+.]?[0-9].*|y|n|yes|no|on|off|true|false|null|~", re.IGNORECASE | re.DOTALL)
"""Texts that some reader of YAML takes for a number, a truth or nothing: Envoy's for more of them than our own."""


class _Dumper(yaml.SafeDumper):
    """Writes texts so that every reader takes them for texts."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, "'" if _READ_OTHERWISE.fullmatch(value) else None)


_Dumper.add_representer(str, _text)


def to_yaml(message: Message) -> str:
    """A message as YAML in proto3's JSON mapping, with the field names of the .proto files."""
    return _yaml(message.to_dict(casing=Casing.SNAKE))


def _yaml(values: Mapping[str, Any]) -> str:
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


def discovery(resources: Sequence[Message]) -> DiscoveryResponse:
    """Resources as Envoy reads them from a file. The version is the digest of their content."""
    content = [packed(resource) for resource in resources]
    digest = hashlib.sha256(b"".join(any_.value for any_ in content)).hexdigest()
    return DiscoveryResponse(version_info=digest[:16], resources=content)


def xds_files(settings: ProxySettings, catalogue: Catalogue) -> dict[str, str | bytes]:
    """What Envoy watches, by file name, in the order to be written: a route must find its cluster.

    Tools of other regions have neither.
    """
    catalogue = catalogue.near
    all_clusters = [
        *clusters(settings, catalogue),
        *interception_clusters(settings, catalogue),
        *transparent_clusters(settings, catalogue),
    ]
    listeners = [*interception_listeners(settings, catalogue), *transparent_listeners(settings, catalogue)]
    return {
        CLUSTERS_FILE: to_yaml(discovery(all_clusters)),
        **({LISTENERS_FILE: bytes(discovery(listeners))} if has_watched_listeners(settings) else {}),
        **{routes_file(routes.name): to_yaml(discovery([routes])) for routes in route_configs(settings, catalogue)},
    }


def config_files(settings: ProxySettings, catalogue: Catalogue) -> dict[str, str | bytes]:
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


def write_bootstrap(folder: Path, settings: ProxySettings) -> None:
    """Write what Envoy starts from into `folder`. Raises OSError, and ValueError for settings that cannot be used."""
    write_files(folder, {BOOTSTRAP_FILE: to_yaml(bootstrap(settings))})


def is_bootstrap_of(folder: Path, settings: ProxySettings) -> bool:
    """Whether an Envoy that starts from `folder` is one of these settings. Raises OSError where it cannot be read."""
    try:
        return (folder / BOOTSTRAP_FILE).read_text("utf-8") == to_yaml(bootstrap(settings))
    except ValueError:  # settings that cannot be rendered, or a file that nobody wrote so
        return False


def write_xds(settings: ProxySettings, catalogue: Catalogue) -> None:
    """Write routes and clusters where Envoy watches; a running Envoy takes them at once. Raises OSError, ValueError.

    Clusters of the routes in force stay until the next change: a request that was routed before must find its own.
    """
    files = xds_files(settings, catalogue)
    routes_files = [name for name in files if name not in (CLUSTERS_FILE, LISTENERS_FILE)]
    files[CLUSTERS_FILE] = _with_clusters_in_use(str(files[CLUSTERS_FILE]), settings.xds, routes_files)
    write_files(settings.xds, files)


def _with_clusters_in_use(text: str, folder: Path, routes_files: Iterable[str]) -> str:
    try:
        return _joined(text, folder, routes_files)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        return text  # what stands in the folder is not what we write: it is replaced, and nothing of it kept


def _joined(text: str, folder: Path, routes_files: Iterable[str]) -> str:
    response = _resources(text)
    names = {cluster["name"] for cluster in response["resources"]}
    in_use = {name for file in routes_files for name in _clusters_named(_read(folder / file))}
    old_clusters = [
        cluster
        for cluster in _resources(_read(folder / CLUSTERS_FILE))["resources"]
        if cluster["name"] in in_use - names
    ]
    if not old_clusters:
        return text
    resources = [*response["resources"], *old_clusters]
    version = hashlib.sha256(repr(resources).encode()).hexdigest()[:16]
    return _yaml({"version_info": version, "resources": resources})


def _clusters_named(text: str) -> Iterator[str]:
    for routes in _resources(text)["resources"]:
        for host in routes.get("virtual_hosts", ()):
            for route in host.get("routes", ()):
                if "route" in route:
                    yield route["route"]["cluster"]


def _resources(text: str) -> dict[str, Any]:
    """A discovery response as this module wrote it; one without resources for an empty text."""
    response: dict[str, Any] = yaml.load(text, Loader=_LOADER) or {}  # noqa: S506  # a safe loader: see _LOADER
    return {"resources": []} | response


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files into a folder, each replaced whole: Envoy must never see a half of what it watches.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        content = text if isinstance(text, bytes) else text.encode("utf-8")
        durable.replace(folder / name, content, _READABLE)
