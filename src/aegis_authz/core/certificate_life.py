"""From when until when a certificate holds."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.core.units import Epoch


@dataclass(frozen=True, slots=True)
class CertificateLife:
    """Seconds since the epoch: from `starts` on, until `ends` (RFC 5280, section 4.1.2.5)."""

    starts: Epoch
    ends: Epoch
