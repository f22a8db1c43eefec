"""What the one-machine mesh needs from adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aegis_authz.adapters.files.authority_folder import AuthorityFolder
from aegis_authz.adapters.files.bundles import FormerReleases
from aegis_authz.adapters.files.keys import KeyFolderError, open_keys
from aegis_authz.adapters.files.sources import SourceFolderError
from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.releases import SqlReleases
from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.database import DATABASE_FILE
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.bootstrap.vault import IN_VAULT
from aegis_authz.commands.documents import documents_from_here
from aegis_authz.commands.faults import unable_on
from aegis_authz.commands.local_agents import WorkloadUnknown, enrol_local_agents
from aegis_authz.config.channels import ChannelFile, ChannelSettings
from aegis_authz.control.policies.stand_ins import LOCAL_AGENTS
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.json_value import Json
from aegis_authz.core.release import ReleasesFault
from aegis_authz.intercept.authority import AuthorityUnreadable
from aegis_authz.local.layout import Layout
from aegis_authz.local.mesh import Mesh
from aegis_authz.local.mesh_facts import MeshFacts, MeshRunning
from aegis_authz.local.servers import ServerMissing
from aegis_authz.local.settings import MeshOptions, trusted_authorities
from aegis_authz.local.supervisor import StartFailed, Status
from aegis_authz.policy.load import load
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.proxy.render import write_config
from aegis_authz.redact.detectors.table import DETECTORS

_FOLDER_FAULTS = (
    AuthorityUnreadable,
    DatabaseFault,
    KeyFolderError,
    ReleasesFault,
    SettingsError,
    SourceFolderError,
    WorkloadUnknown,
)


async def run_mesh(
    state: Path,
    options: MeshOptions,
    progress: Callable[[Sequence[Status]], None],
    started: Callable[[MeshFacts], None],
) -> None:
    """Run a mesh on this machine's servers in this state folder until told to stop.

    Raises Unable when it cannot start, PolicyErrors for its documents.
    """
    with unable_on(StartFailed, ServerMissing, MeshRunning, OSError, *_FOLDER_FAULTS):
        await Mesh(state, options, served_catalogue, _create_keys, write_config).run(progress, started)


@unable_on(SettingsError)
def channels_of_file(path: Path) -> ChannelSettings:
    """The channels that a file says; files of secrets that it names are beside it. Raises Unable."""
    channels = load_settings(path, ChannelFile).channels
    return ChannelSettings.model_validate(_beside(path.resolve().parent, channels.model_dump(mode="json")))


def _beside(folder: Path, node: Json, name: str = "") -> Json:
    """The settings, in which files are named as they are found from anywhere."""
    if isinstance(node, Mapping):
        of_files = name == "webhooks"  # each of its members is one
        return {key: _beside(folder, value, "_file" if of_files else key) for key, value in node.items()}
    if isinstance(node, str) and name.endswith("_file") and not node.startswith(IN_VAULT):
        return str(folder / node)
    return list(node) if isinstance(node, Sequence) and not isinstance(node, str) else node


def _create_keys(layout: Layout) -> None:
    open_keys(layout.keys)
    AuthorityFolder(layout.authority, trusted_authorities()).open(SystemClock().now())


def served_catalogue(options: MeshOptions, layout: Layout) -> Catalogue:
    """The tools the control plane will serve in its region, the doctor's included; the folders of documents must be
    valid as well.

    These are the tools of the last release; at the very first start, those of the folders. On the way, the agents of
    the folders are enrolled for use on this machine.

    Raises PolicyErrors, SourceFolderError, ReleasesFault, DatabaseFault, KeyFolderError, WorkloadUnknown.
    """
    probe = layout.folder("probe")
    (probe / "policies" / LOCAL_AGENTS).unlink(missing_ok=True)  # written anew below, from what the folders say today
    own = documents_from_here(probe / "policies", probe / "tools")
    sources = documents_from_here(options.policies, options.tools)
    loaded = load({**sources.policies, **own.policies}, {**sources.tools, **own.tools}, DETECTORS)
    enrol_local_agents(options, layout, loaded)
    released = _released_tools(layout.folder("control"))
    catalogue = loaded.catalogue if released is None else load({}, {**released, **own.tools}).catalogue
    return catalogue.within(options.region)


def _released_tools(folder: Path) -> dict[str, str] | None:
    former = FormerReleases(folder)
    if revision := former.current():  # of a version of before: the control plane takes it into its database
        return dict(former.sources(revision).tools)
    if not (folder / DATABASE_FILE).exists():
        return None
    database = BlockingDatabase(f"sqlite:///{folder.resolve() / DATABASE_FILE}")
    try:
        database.migrate()
        releases = SqlReleases(database)
        revision = releases.current()
        return dict(releases.sources(revision).tools) if revision else None
    finally:
        database.close()
