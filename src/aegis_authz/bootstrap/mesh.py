"""What the one-machine mesh needs from adapters."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.adapters.key_folder import KeyFolderError, open_keys
from aegis_authz.adapters.source_folder import SourceFolderError, read_sources
from aegis_authz.bootstrap.settings import load_settings
from aegis_authz.check.detectors import DETECTORS
from aegis_authz.config import ControlSettings, ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.local.mesh import Mesh
from aegis_authz.local.settings import MeshOptions
from aegis_authz.policy.problems import PolicyErrors
from aegis_authz.policy.read import load
from aegis_authz.proxy.render import write_xds

MESH_FAULTS = (KeyFolderError, SourceFolderError, PolicyErrors)
"""What can be wrong with a mesh's folders; the messages are fit to show."""


def mesh(state: Path, options: MeshOptions) -> Mesh:
    """A mesh on this machine's servers and in this state folder."""
    return Mesh(state, options, read_catalogue, open_keys)


def read_catalogue(policies: Path, tools: Path, probe: Path) -> Catalogue:
    """The tools of a mesh, the doctor's included. Raises MESH_FAULTS."""
    policy_texts = {str(policies / path): text for path, text in read_sources(policies).items()}
    tool_texts = {str(tools / path): text for path, text in read_sources(tools).items()}
    own_policies = {str(probe / "policies" / path): text for path, text in read_sources(probe / "policies").items()}
    own_tools = {str(probe / "tools" / path): text for path, text in read_sources(probe / "tools").items()}
    loaded = load(policy_texts | own_policies, tool_texts | own_tools, DETECTORS)
    return Catalogue.of(loaded.tools)


def routes_changed(state: Path, tool_texts: dict[str, str]) -> None:
    """Tell a running mesh's Envoy of a new tool catalogue, by the folder it watches. Raises MESH_FAULTS, OSError."""
    settings = load_settings(state / "proxy.yaml", ProxySettings)
    probe = load_settings(state / "control.yaml", ControlSettings).probe
    own_texts = read_sources(probe / "tools") if probe is not None else {}
    own = {f"probe/{path}": text for path, text in own_texts.items()}
    write_xds(settings, Catalogue.of(load({}, tool_texts | own).tools))
