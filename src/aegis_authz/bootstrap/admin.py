"""What the commands of an operator work with: the control plane of a mesh, its keys and folders."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aegis_authz.adapters.control_client import ControlClient, ControlRefused, ControlUnreachable
from aegis_authz.adapters.key_folder import (
    ADMIN_TOKEN,
    ISSUER,
    KeyFolderError,
    load_ed25519,
    load_keys,
    load_p256,
    load_token,
)
from aegis_authz.adapters.source_folder import SourceFolderError, read_sources
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.bootstrap.control import policy_builder
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.config import ControlSettings
from aegis_authz.core.refused import Refused
from aegis_authz.core.release import Sources
from aegis_authz.policy.problems import PolicyErrors, Problem
from aegis_authz.policy.read import load
from aegis_authz.wire import strict_json
from aegis_authz.wire.mint import mint_token

__all__ = [
    "ADMIN_FAULTS",
    "ControlRefused",
    "PolicyErrors",
    "Problem",
    "build_bundle",
    "control_client",
    "located",
    "mesh_folders",
    "mint_agent_token",
    "operator_name",
    "published_tools",
    "read_documents",
    "validate_documents",
]


class NoMesh(Exception):
    """The folder holds no mesh that these commands could talk to; the message is fit to show."""


class OutputFault(Exception):
    """A file asked for cannot be written; the message is fit to show."""


ADMIN_FAULTS = (ControlUnreachable, KeyFolderError, NoMesh, OutputFault, SettingsError, SourceFolderError)
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


def read_documents(policies: Path, tools: Path) -> Sources:
    """All documents of two folders, by relative path. Raises SourceFolderError."""
    return Sources(read_sources(policies), read_sources(tools))


def validate_documents(policies: Path | None, tools: Path | None) -> tuple[int, int]:
    """Check documents as publishing would; returns how many policies and tools there are.

    Raises PolicyErrors naming files as they are found from here, SourceFolderError.
    """
    loaded = load(_named(policies), _named(tools))
    return len(loaded.policies), len(loaded.tools)


def build_bundle(policies: Path, tools: Path, state: Path, key: Path | None, out: Path) -> tuple[str, int]:
    """Write the signed bundle of these documents under a mesh's settings and public keys; returns revision and size.

    `key` None signs with the mesh's own key. Raises PolicyErrors and ADMIN_FAULTS.
    """
    settings = load_settings(state / "control.yaml", ControlSettings)
    keys = load_keys(state / "keys")
    if key is not None:
        keys = replace(keys, bundle=load_p256(key))
    live = policy_builder(settings, keys, None).build(read_documents(policies, tools))
    try:
        out.write_bytes(live.bundle)
    except OSError as fault:
        raise OutputFault(f"{out}: {fault.strerror}") from None
    return live.revision, len(live.bundle)


def published_tools(control: ControlClient, revision: str) -> dict[str, str]:
    """The tool catalogues of a published revision, by path. Raises ControlUnreachable, ControlRefused."""
    tools = control.sources(revision).get("tools")
    if not isinstance(tools, Mapping) or not all(isinstance(text, str) for text in tools.values()):
        raise ControlUnreachable("the control plane did not tell the documents of the revision")
    return {path: str(text) for path, text in tools.items()}


def located(problems: tuple[Problem, ...], sources: Sources, policies: Path, tools: Path) -> tuple[Problem, ...]:
    """The problems with their files named as they are found from here, where only one folder has that file."""

    def from_here(problem: Problem) -> Problem:
        in_policies, in_tools = problem.path in sources.policies, problem.path in sources.tools
        if in_policies == in_tools:
            return problem
        return replace(problem, path=str((policies if in_policies else tools) / problem.path))

    return tuple(from_here(problem) for problem in problems)


def mint_agent_token(state: Path, org: str, tenant: str, agent: str, ttl: float, actors: Sequence[str]) -> str:
    """A token of an agent of the mesh in this folder. Raises ADMIN_FAULTS, and ValueError for unusable names or ttl."""
    settings = load_settings(state / "control.yaml", ControlSettings)
    if ttl > settings.max_token_life:
        raise ValueError(f"this mesh accepts tokens that live at most {settings.max_token_life:g} seconds")
    return mint_token(
        load_ed25519(state / "keys" / ISSUER),
        issuer=settings.issuer,
        audience=settings.audience,
        org=org,
        tenant=tenant,
        agent=agent,
        now=SystemClock().now(),
        ttl=ttl,
        jti=SystemIds().token(),
        actors=actors,
    )


def operator_name() -> str:
    """The name of whoever runs this command, as the operating system knows it."""
    return getpass.getuser()


def _named(folder: Path | None) -> Mapping[str, str]:
    if folder is None:
        return {}
    return {str(folder / name): text for name, text in read_sources(folder).items()}


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
