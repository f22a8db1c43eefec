"""Secrets that settings leave to a Vault, read once at start."""

from __future__ import annotations

import os

from aegis_authz.adapters.files.secret_file import SecretUnusable

IN_VAULT = "vault:"
"""What a place of a secret begins with, in place of the path of a file: `vault:MOUNT/PATH#FIELD`."""


def vault_secret(reference: str) -> str:
    """The secret at `MOUNT/PATH#FIELD` of the Vault that the environment names.

    Raises SecretUnusable, which names the place and never the secret.
    """
    try:
        from aegis_authz.adapters.vault_secrets import VaultPlace, VaultSecrets  # httpx: a worker may not have it
    except ModuleNotFoundError as fault:
        raise SecretUnusable(f"{fault}: a secret in Vault needs aegis-authz[control]") from None
    with VaultSecrets(VaultPlace.of(os.environ)) as vault:
        return vault.read(reference)
