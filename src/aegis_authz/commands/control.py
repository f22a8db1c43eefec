"""The control plane of a mesh on this machine, and who asks it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.control_client import ControlClient, ControlRefused, ControlUnreachable
from aegis_authz.adapters.files.keys import ADMIN_TOKEN, KeyFolderError, load_token
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json


@dataclass(frozen=True, slots=True)
class MeshFolders:
    """Where a mesh's documents are edited."""

    policies: Path
    tools: Path


@contextmanager
def control_plane(state: Path) -> Iterator[ControlClient]:
    """The control plane of the mesh in this folder, with the right to administer it.

    Raises Unable, and Rejected for what it refuses inside the block.
    """
    with unable_on(KeyFolderError, ControlUnreachable):
        client = ControlClient(_mesh_text(state, "control"), load_token(state / "keys" / ADMIN_TOKEN))
        try:
            with client as control:
                yield control
        except ControlRefused as refused:
            raise Rejected(str(refused)) from None


def mesh_folders(state: Path) -> MeshFolders:
    """The folders of documents in use. Raises Unable."""
    return MeshFolders(Path(_mesh_text(state, "policies")), Path(_mesh_text(state, "tools")))


def operator_name() -> str:
    """The name of whoever runs this command, as the operating system knows it."""
    return getpass.getuser()


def _mesh_text(state: Path, name: str) -> str:
    path = state / "mesh.json"
    try:
        mesh = strict_json.parse_object(path.read_bytes())
    except FileNotFoundError:
        raise Unable(f"{path}: no such file; start a mesh with: aegis up --dir {state}") from None
    except (OSError, Refused) as fault:
        raise Unable(f"{path}: {fault}") from None
    value = mesh.get(name)
    if not isinstance(value, str) or not value:
        raise Unable(f"{path}: names no {name!r}")
    return value
