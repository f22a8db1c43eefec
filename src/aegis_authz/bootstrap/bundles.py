"""Bundles under a mesh's keys and settings."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.adapters.files.revocations import FileRevocationList
from aegis_authz.adapters.files.sources import read_sources
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.building import PolicyBuilder
from aegis_authz.control.trust import trust_data
from aegis_authz.core.json_value import Json
from aegis_authz.core.release import Sources
from aegis_authz.ports.control_plane import RevocationList
from aegis_authz.redact.detectors.table import DETECTORS

REVOKED_FILE = "revoked.json"
"""What is revoked, in the state folder of a control plane."""

PublicKeys = Callable[[], tuple[Ed25519PublicKey, ...]]


def policy_builder(
    settings: ControlSettings,
    keys: Keys,
    token_keys: PublicKeys | None = None,
    approval_keys: PublicKeys | None = None,
    signing_key: Callable[[], EllipticCurvePrivateKey] | None = None,
    revoked: RevocationList | None = None,
) -> PolicyBuilder:
    """What turns documents into signed bundles, the doctor's documents included. Raises SourceFolderError,
    RevocationListFault.

    `token_keys` and `approval_keys` say whose signatures are believed; and `signing_key` what signs; without
    them, it is those of `keys` alone. Without `revoked` it is the list in the control plane's state folder as it is.
    """
    revocations = FileRevocationList(settings.state / REVOKED_FILE) if revoked is None else revoked
    probe = settings.probe
    own = Sources({}, {}) if probe is None else Sources(read_sources(probe / "policies"), read_sources(probe / "tools"))

    def trust() -> dict[str, Json]:
        tokens = (keys.issuer.public_key(),) if token_keys is None else token_keys()
        approvals = (keys.approvals.public_key(),) if approval_keys is None else approval_keys()
        return trust_data(settings, tokens, approvals)

    def marks() -> list[str]:
        return [entry.target.mark for entry in revocations.current]

    key = signing_key or (lambda: keys.bundle)
    return PolicyBuilder(key, trust, settings.public_url.rstrip("/"), DETECTORS, own, marks)
