"""Agent tokens of a mesh on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.keys import ISSUER, KeyFolderError, load_ed25519
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.commands.faults import unable_on
from aegis_authz.config.control import ControlSettings
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Jti, Seconds
from aegis_authz.identity.mint import mint_token


def issuer_key(folder: Path) -> Ed25519PrivateKey:
    """The key agent tokens are signed with, in a folder of keys. Raises KeyFolderError."""
    return load_ed25519(folder / ISSUER)


@unable_on(KeyFolderError, SettingsError)
def mesh_issuer(state: Path) -> tuple[Ed25519PrivateKey, ControlSettings]:
    """What the tokens of the mesh in this folder are signed with, and for whom. Raises Unable."""
    settings = load_settings(state / "control.yaml", ControlSettings)
    return issuer_key(state / "keys"), settings


@unable_on(ValueError)
def mint_agent_token(
    state: Path, scope: Scope, ttl: Seconds, actors: Sequence[str], on_behalf_of: str = "", session: str = ""
) -> str:
    """A token of an agent of the mesh in this folder. Raises Unable."""
    key, settings = mesh_issuer(state)
    if ttl > settings.max_token_life:
        raise ValueError(f"this mesh accepts tokens that live at most {settings.max_token_life:g} seconds")
    return mint_token(
        key,
        issuer=settings.issuer,
        audience=settings.mesh_audience,
        scope=scope,
        now=SystemClock().now(),
        ttl=ttl,
        jti=Jti(SystemIds().token()),
        actors=actors,
        on_behalf_of=on_behalf_of,
        session=session,
    )
