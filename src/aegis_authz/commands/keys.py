"""Keys of a mesh, for commands that mint tokens on its machine."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.keys import ISSUER, load_ed25519


def issuer_key(folder: Path) -> Ed25519PrivateKey:
    """The key agent tokens are signed with. Raises KeyFolderError."""
    return load_ed25519(folder / ISSUER)
