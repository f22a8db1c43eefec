"""Bundles under a mesh's keys and settings."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.adapters.files.revocations import REVOKED_FILE, read_revocations
from aegis_authz.adapters.files.sources import read_sources
from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.revocations import SqlRevocationList
from aegis_authz.bootstrap.database import database_file, database_url
from aegis_authz.config.channels import places_of
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.keys.trust import trust_data
from aegis_authz.control.policies.building import PolicyBuilder
from aegis_authz.core.json_value import Json
from aegis_authz.core.release import Sources
from aegis_authz.core.revocation import Revocation
from aegis_authz.ports.control_plane import RevocationList
from aegis_authz.redact.detectors.table import DETECTORS

PublicKeys = Callable[[], tuple[Ed25519PublicKey, ...]]


def stored_revocations(settings: ControlSettings) -> tuple[Revocation, ...]:
    """What is revoked in the mesh of these settings, where a control plane has ever run. Raises RevocationListFault."""
    former = settings.state / REVOKED_FILE
    if former.exists():  # of a version of before: the next start takes it into the database
        return read_revocations(former)
    file = database_file(settings)
    if file is not None and not file.exists():  # to look into it would make it
        return ()
    database = BlockingDatabase(database_url(settings))
    try:
        revocations = SqlRevocationList(database)
        revocations.refresh()
        return revocations.current
    finally:
        database.close()


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
    them, it is those of `keys` alone. Without `revoked` it is the list of the control plane's database as it is.
    """
    stored = stored_revocations(settings) if revoked is None else ()
    probe = settings.probe
    own = Sources({}, {}) if probe is None else Sources(read_sources(probe / "policies"), read_sources(probe / "tools"))

    def trust() -> dict[str, Json]:
        tokens = (keys.issuer.public_key(),) if token_keys is None else token_keys()
        approvals = (keys.approvals.public_key(),) if approval_keys is None else approval_keys()
        return trust_data(settings, tokens, approvals)

    def marks() -> list[str]:
        return [entry.target.mark for entry in (stored if revoked is None else revoked.current)]

    key = signing_key or (lambda: keys.bundle)
    people = (settings.people_url or settings.public_url).rstrip("/")
    base, places = settings.public_url.rstrip("/"), places_of(settings.channels)
    return PolicyBuilder(key, trust, base, DETECTORS, own, marks, people, settings.region, places)
