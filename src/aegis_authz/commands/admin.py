"""What the commands of an operator work with: the control plane of a mesh, its keys and folders."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.control_client import ControlClient, ControlRefused, ControlUnreachable
from aegis_authz.adapters.files.keys import ADMIN_TOKEN, KeyFolderError, load_token
from aegis_authz.bootstrap.settings import SettingsError
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.policy.source.problems import PolicyErrors, Problem

__all__ = [
    "ADMIN_FAULTS",
    "ControlRefused",
    "PolicyErrors",
    "Problem",
    "control_client",
    "mesh_folders",
    "operator_name",
    "published_tools",
]


class NoMesh(Exception):
    """The folder holds no mesh that these commands could talk to; the message is fit to show."""


ADMIN_FAULTS = (ControlUnreachable, KeyFolderError, NoMesh, OSError, SettingsError)
"""Everything that keeps a command from asking at all; the messages are fit to show."""


@dataclass(frozen=True, slots=True)
class MeshFolders:
    """Where a mesh's documents are edited."""

    policies: Path
    tools: Path


def control_client(state: Path) -> ControlClient:
    """The control plane of the mesh in this folder, with the right to administer it. Raises ADMIN_FAULTS."""
    return ControlClient(_mesh_text(state, "control"), load_token(state / "keys" / ADMIN_TOKEN))


def mesh_folders(state: Path) -> MeshFolders:
    """The folders of documents in use. Raises NoMesh."""
    return MeshFolders(Path(_mesh_text(state, "policies")), Path(_mesh_text(state, "tools")))


def published_tools(control: ControlClient, revision: str) -> dict[str, str]:
    """The tool catalogues of a published revision, by path. Raises ControlUnreachable, ControlRefused."""
    tools = control.sources(revision).get("tools")
    if not isinstance(tools, Mapping) or not all(isinstance(text, str) for text in tools.values()):
        raise ControlUnreachable("the control plane did not tell the documents of the revision")
    return {path: str(text) for path, text in tools.items()}


def operator_name() -> str:
    """The name of whoever runs this command, as the operating system knows it."""
    return getpass.getuser()


def _mesh_text(state: Path, name: str) -> str:
    path = state / "mesh.json"
    try:
        mesh = strict_json.parse_object(path.read_bytes())
    except FileNotFoundError:
        raise NoMesh(f"{path}: no such file; start a mesh with: aegis up --dir {state}") from None
    except (OSError, Refused) as fault:
        raise NoMesh(f"{path}: {fault}") from None
    value = mesh.get(name)
    if not isinstance(value, str) or not value:
        raise NoMesh(f"{path}: names no {name!r}")
    return value
