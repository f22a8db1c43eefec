"""The agents of a mesh on one machine, ready to call: a key for each that its policies name, registered by the mesh."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz import durable
from aegis_authz.adapters.files.keys import load_ed25519
from aegis_authz.agent.enrolment import KEY_FILE, Enrolment, agent_folder, write_enrolment
from aegis_authz.commands.agent import TOKEN_PATH, agents_home
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.policies.stand_ins import LOCAL_AGENTS
from aegis_authz.core.json_value import Json
from aegis_authz.core.registration import DEFAULT_WAYS
from aegis_authz.core.scope import Scope
from aegis_authz.encoding.jwk import okp_jwk
from aegis_authz.local.layout import Layout
from aegis_authz.local.settings import MeshOptions, control_settings
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.load import Loaded

MOST_LOCAL_AGENTS = 200
"""A folder with more agents than that is no laptop's: none of them gets a key here."""


class WorkloadUnknown(Exception):
    """A port shall stand for an agent that has no key on this machine; the message is fit to show."""


def enrol_local_agents(options: MeshOptions, layout: Layout, loaded: Loaded) -> tuple[Scope, ...]:
    """Make what is missing: a key and an enrolment below `agents` of the state folder, and the registering document.

    An agent that documents of the operator's own register is left to them. Raises KeyFolderError, OSError, and
    WorkloadUnknown for a port of an agent that no key is made for here.
    """
    agents = tuple(_agents(loaded, layout.state / "probe", options.region))
    if len(agents) > MOST_LOCAL_AGENTS:
        agents = ()
    workloads = {entry.agent for entry in options.workloads}
    for agent in sorted(workloads.difference(agents), key=str):
        raise WorkloadUnknown(
            f"--workload {agent}: no policy names this agent in full, or documents of your own register it;"
            " its key is not made here"
        )
    home = agents_home(layout.state)
    document: dict[str, Json] = {}
    for agent in agents:
        folder = agent_folder(home, agent)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ways: list[Json] = [*sorted(way.value for way in DEFAULT_WAYS), *(["workload"] if agent in workloads else [])]
        document[str(agent)] = {"owner": "this machine", "ways": ways, "keys": [_public_jwk(folder / KEY_FILE)]}
        write_enrolment(folder, _enrolment(agent, options, control_settings(layout, options)))
    path = layout.folder("probe") / "policies" / LOCAL_AGENTS
    if document:
        path.write_text(json.dumps({"agents": document}, indent=2), "utf-8")  # JSON is YAML
    else:
        path.unlink(missing_ok=True)
    return agents


def _agents(loaded: Loaded, doctors: Path, region: str) -> Iterator[Scope]:
    """The agents that policies name in full and no document registers; neither the doctor's own, nor any of another
    region.
    """
    residency = None if loaded.residency is None else loaded.residency.of(region)
    registered = {str(scope) for scope, _ in loaded.identities.entries()}
    policies = (policy for policy in loaded.loaded_policies if not Path(policy.source.path).is_relative_to(doctors))
    for name in dict.fromkeys(policy.document.scope for policy in policies):
        if ANY in name or name in registered:
            continue
        agent = Scope.parse(name)
        if not region or (residency is not None and residency.is_home(agent)):
            yield agent


def _public_jwk(path: Path) -> Json:
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        durable.create(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    jwk = okp_jwk(load_ed25519(path).public_key().public_bytes_raw())
    return {"kty": jwk["kty"], "crv": jwk["crv"], "x": jwk["x"]}


def _enrolment(agent: Scope, options: MeshOptions, control: ControlSettings) -> Enrolment:
    return Enrolment(
        agent=str(agent),
        token_endpoint=f"{control.public_url}{TOKEN_PATH}",
        issuer=control.issuer,
        audience=control.mesh_audience,
        proxy=f"http://127.0.0.1:{options.ports['proxy']}",
        reverse=f"http://127.0.0.1:{options.ports['reverse']}",
        authorities="",
        evaluation=f"http://127.0.0.1:{options.ports['evaluation']}",
    )
