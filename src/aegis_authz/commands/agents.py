"""Agents of a mesh: register them, invite them, stop one at once, see who is there.

Every function raises Unable and Rejected.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from aegis_authz import durable
from aegis_authz.adapters.files.sources import SourceFolderError, read_sources
from aegis_authz.api.agents import RestoredAnswer, RevocationAnswer, RevocationsAnswer
from aegis_authz.api.enrolment import InvitationAnswer, RegisteredAgentsAnswer
from aegis_authz.commands.control import control_plane
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.revocation import Revoked
from aegis_authz.core.scope import Scope
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.policy.language.identities import AgentsDocument
from aegis_authz.policy.load import load

_MAX_KEY_BYTES = 16_384


def list_revoked(state: Path) -> RevocationsAnswer:
    """The revoked agents of the mesh in this folder, newest first."""
    with control_plane(state) as control:
        return control.revocations()


def revoke(state: Path, target: Revoked, note: str) -> RevocationAnswer:
    """Refuse every call of an agent or a tenant, or with a key or a token, from the next one on."""
    with control_plane(state) as control:
        return control.revoke_target(target, note)


def restore(state: Path, target: Revoked, note: str) -> RestoredAnswer:
    """Let policy judge it again."""
    with control_plane(state) as control:
        return control.restore_target(target, note)


def list_registered(state: Path) -> RegisteredAgentsAnswer:
    """The agents that the mesh in this folder has registered."""
    with control_plane(state) as control:
        return control.registered()


def invite(state: Path, scope: Scope, note: str, ttl: float) -> InvitationAnswer:
    """A code that lets the agent bring its own key, once."""
    with control_plane(state) as control:
        return control.invite(scope, note, ttl)


@unable_on(SourceFolderError)
def add_agent(policies: Path, tools: Path, scope: Scope, key: Path, owner: str) -> Path:
    """Write a document that registers the agent with the public key of that file; returns its path.

    `owner` is "" to name nobody. Raises Unable for a key that cannot be read, Rejected when the file is there already,
    PolicyErrors when the folder cannot be published with it: above all for an agent or a key that is registered.
    """
    entry: dict[str, Json] = {"keys": [_public_key(key)]}
    if owner:
        entry = {"owner": owner, **entry}
    name = agent_document(scope)
    document = yaml.safe_dump({"agents": {str(scope): entry}}, sort_keys=False)
    load({**read_sources(policies), name: document}, read_sources(tools))
    if not durable.create(policies / name, document.encode("utf-8"), 0o644):
        raise Rejected(f"{policies / name} is there already; edit it, or remove it first")
    return policies / name


def agent_document(scope: Scope) -> str:
    """The file that registers an agent where nobody chose another."""
    return f"agent-{scope.org}-{scope.tenant}-{scope.agent}.yaml"


def key_thumbprint(path: Path) -> str:
    """The thumbprint of the public key in a PEM or JWK file. Raises Unable."""
    document = AgentsDocument.model_validate({"agents": {"a/b/c": {"keys": [_public_key(path)]}}})
    (entry,) = document.agents.values()
    (raw_key,) = entry.keys or ()
    return thumbprint(raw_key)


def _public_key(path: Path) -> Json:
    """What a document says of the key. Never a private one: that stays where the agent is."""
    try:
        content = path.read_bytes()[:_MAX_KEY_BYTES].decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise Unable(f"{path}: {fault}") from None
    if "PRIVATE KEY" in content:
        raise Unable(f"{path} is a private key; give its public half: openssl pkey -in {path} -pubout")
    value: Json = content + "\n"
    if content.startswith("{"):
        try:
            value = dict(strict_json.parse_object(content.encode("utf-8")))
        except Refused as refused:
            raise Unable(f"{path}: not a JWK: {refused.detail}") from None
    try:
        AgentsDocument.model_validate({"agents": {"a/b/c": {"keys": [value]}}})
    except ValueError:
        raise Unable(f"{path}: not an Ed25519 public key, as PEM or JWK") from None
    return value
