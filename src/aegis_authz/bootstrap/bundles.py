"""Bundles under a mesh's keys and settings."""

from __future__ import annotations

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.adapters.files.sources import read_sources
from aegis_authz.config import ControlSettings
from aegis_authz.control.building import PolicyBuilder
from aegis_authz.control.trust import trust_data
from aegis_authz.core.release import Sources
from aegis_authz.redact.detectors.table import DETECTORS


def policy_builder(settings: ControlSettings, keys: Keys) -> PolicyBuilder:
    """What turns documents into signed bundles, the doctor's documents included. Raises SourceFolderError."""
    probe = settings.probe
    own = Sources({}, {}) if probe is None else Sources(read_sources(probe / "policies"), read_sources(probe / "tools"))
    trust = trust_data(settings, [keys.issuer.public_key()], [keys.approvals.public_key()])
    return PolicyBuilder(keys.bundle, trust, settings.public_url.rstrip("/"), DETECTORS, own)
