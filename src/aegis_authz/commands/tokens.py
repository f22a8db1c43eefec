"""Agent tokens of a mesh on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.keys import ISSUER, KeyFolderError, load_ed25519
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.config import ControlSettings
from aegis_authz.core.scope import Scope
from aegis_authz.identity.mint import mint_token

TOKEN_FAULTS = (KeyFolderError, SettingsError, ValueError)
"""Everything that keeps a token from being minted; the messages are fit to show."""


def issuer_key(folder: Path) -> Ed25519PrivateKey:
    """The key agent tokens are signed with, in a folder of keys. Raises KeyFolderError."""
    return load_ed25519(folder / ISSUER)


def mint_agent_token(state: Path, scope: Scope, ttl: float, actors: Sequence[str], on_behalf_of: str = "") -> str:
    """A token of an agent of the mesh in this folder. Raises TOKEN_FAULTS."""
    settings = load_settings(state / "control.yaml", ControlSettings)
    if ttl > settings.max_token_life:
        raise ValueError(f"this mesh accepts tokens that live at most {settings.max_token_life:g} seconds")
    return mint_token(
        issuer_key(state / "keys"),
        issuer=settings.issuer,
        audience=settings.audience,
        scope=scope,
        now=SystemClock().now(),
        ttl=ttl,
        jti=SystemIds().token(),
        actors=actors,
        on_behalf_of=on_behalf_of,
    )
