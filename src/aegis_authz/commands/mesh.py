"""What the one-machine mesh needs from adapters."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.adapters.files.bundles import FileReleases
from aegis_authz.adapters.files.keys import KeyFolderError, open_keys
from aegis_authz.adapters.files.sources import SourceFolderError, read_sources
from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.config import ControlSettings, ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.release import ReleasesFault
from aegis_authz.local.layout import Layout
from aegis_authz.local.mesh import Mesh
from aegis_authz.local.settings import MeshOptions
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.proxy.render import write_config, write_xds
from aegis_authz.redact.detectors.table import DETECTORS

MESH_FAULTS = (KeyFolderError, ReleasesFault, SettingsError, SourceFolderError, PolicyErrors)
"""What can be wrong with a mesh's folders; the messages are fit to show."""


def mesh(state: Path, options: MeshOptions) -> Mesh:
    """A mesh on this machine's servers and in this state folder."""
    return Mesh(state, options, served_catalogue, open_keys, write_config)


def served_catalogue(options: MeshOptions, layout: Layout) -> Catalogue:
    """The tools the control plane will serve, the doctor's included; the folders of documents must be valid as well.

    These are the tools of the last release; at the very first start, those of the folders. Raises MESH_FAULTS.
    """
    probe = layout.folder("probe")
    own_policies = _located(probe / "policies")
    own_tools = _located(probe / "tools")
    tools = _located(options.tools) | own_tools
    loaded = load(_located(options.policies) | own_policies, tools, DETECTORS)
    released = _released_tools(layout.folder("control"))
    return Catalogue.of(loaded.tools if released is None else load({}, released | own_tools).tools)


def _located(folder: Path) -> dict[str, str]:
    return {str(folder / path): text for path, text in read_sources(folder).items()}


def _released_tools(folder: Path) -> dict[str, str] | None:
    releases = FileReleases(folder, SystemClock())
    try:
        revision = releases.current()
        return dict(releases.sources(revision).tools) if revision else None
    finally:
        releases.close()


def routes_changed(state: Path, tool_texts: dict[str, str]) -> None:
    """Tell a running mesh's Envoy of a new tool catalogue, by the folder it watches. Raises MESH_FAULTS, OSError."""
    settings = load_settings(state / "proxy.yaml", ProxySettings)
    probe = load_settings(state / "control.yaml", ControlSettings).probe
    own_texts = read_sources(probe / "tools") if probe is not None else {}
    own = {f"probe/{path}": text for path, text in own_texts.items()}
    write_xds(settings, Catalogue.of(load({}, tool_texts | own).tools))
