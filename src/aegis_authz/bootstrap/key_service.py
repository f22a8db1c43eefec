"""The rings of the keys that sign tokens and approvals: in files, or in the key service of the settings."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.adapters.files.key_ring import FileKeyRing
from aegis_authz.adapters.keys.stored_ring import StoredKeyRing
from aegis_authz.config.control import ControlSettings, Pkcs11Settings, VaultSettings
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.key_rings import KeyRing, KeyRingFault, KeyStore

SIGNERS = ("issuer", "approvals")


def signing_rings(settings: ControlSettings, clock: Clock) -> dict[str, KeyRing]:
    """A ring for each of them. Raises KeyRingFault, KeyFolderError."""
    service = settings.key_service
    if service is None:
        return {name: FileKeyRing(settings.keys, name) for name in SIGNERS}
    if service.vault is not None:
        return {name: _ring(settings.keys, name, _vault(service.vault, name), clock) for name in SIGNERS}
    if service.pkcs11 is not None:
        return {name: _ring(settings.keys, name, _pkcs11(service.pkcs11, name), clock) for name in SIGNERS}
    raise KeyRingFault("the key service of the settings is none")


def _ring(folder: Path, name: str, store: KeyStore, clock: Clock) -> KeyRing:
    return StoredKeyRing(folder, name, store, clock.now)


def _vault(settings: VaultSettings, name: str) -> KeyStore:
    from aegis_authz.adapters.keys.vault import VaultKeyStore, token_source  # only here: takes an HTTP client

    token = token_source(settings.token_file)
    return VaultKeyStore(settings.url, settings.mount, f"{settings.name}-{name}", token, settings.ca_file)


def _pkcs11(settings: Pkcs11Settings, name: str) -> KeyStore:
    try:
        from aegis_authz.adapters.keys.hardware import Pkcs11KeyStore, pin_source
    except ModuleNotFoundError as missing:
        raise KeyRingFault(f"{missing.name} is not installed; run: pip install aegis-authz[pkcs11]") from None
    pin = pin_source(settings.pin_file)
    return Pkcs11KeyStore(settings.module, settings.token, f"{settings.name}-{name}", pin)
