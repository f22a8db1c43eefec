"""From when until when certificates hold that a process serves or uses, as their files say now."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from aegis_authz.core.certificate_life import CertificateLife
from aegis_authz.core.units import Epoch

_log = logging.getLogger(__name__)
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """A file of PEM. Of one that is shown, its first certificate counts, with its chain: what ends first ends all.

    Where it holds `authorities`, that which ends last counts: one follows the other.
    """

    path: Path
    authorities: bool


class CertificateDates:
    """The files by what is asked of them, such as `listener`. What cannot be read is in the log once, until it can."""

    def __init__(self, files: Mapping[str, CertificateFile]) -> None:
        self._files = files
        self._troubles: dict[str, str] = {}

    def read(self) -> dict[str, CertificateLife | None]:
        """The life of each, None for what cannot be read. Blocks."""
        return {name: self._read(name, file) for name, file in self._files.items()}

    def _read(self, name: str, file: CertificateFile) -> CertificateLife | None:
        try:
            life = certificate_life(file)
        except (OSError, ValueError) as fault:
            trouble = f"{file.path}: {getattr(fault, 'strerror', None) or fault}"
            if self._troubles.get(name) != trouble:
                _log.warning("when the certificate %s ends cannot be told: %s", name, trouble)
            self._troubles[name] = trouble
            return None
        self._troubles.pop(name, None)
        return life


def certificate_life(file: CertificateFile) -> CertificateLife:
    """The life of the certificate, or authorities, in a file. Raises OSError, ValueError."""
    with file.path.open("rb") as content:
        pem = content.read(_MOST_BYTES)
    certificates = x509.load_pem_x509_certificates(pem)
    by_end = sorted(certificates, key=lambda certificate: certificate.not_valid_after_utc)
    certificate = by_end[-1 if file.authorities else 0]
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return CertificateLife(Epoch(starts.timestamp()), Epoch(ends.timestamp()))
