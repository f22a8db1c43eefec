"""By which client certificates people are told. Every function raises Unable and Rejected."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from aegis_authz.api.people import CertificateAnswer
from aegis_authz.commands.control import control_plane
from aegis_authz.commands.faults import Unable


def certificates_of(state: Path, person_id: str) -> tuple[CertificateAnswer, ...]:
    """The names of a person's certificates."""
    with control_plane(state) as control:
        return control.certificates_of(person_id).certificates


def add_certificate(state: Path, person_id: str, kind: str, value: str, note: str) -> None:
    """Tell a person by client certificates of this name."""
    with control_plane(state) as control:
        control.set_certificate(person_id, kind, value, note, removed=False)


def remove_certificate(state: Path, person_id: str, kind: str, value: str, note: str) -> None:
    """Tell a person by them no more."""
    with control_plane(state) as control:
        control.set_certificate(person_id, kind, value, note, removed=True)


def fingerprint_of(file: Path) -> str:
    """The SHA-256 of the first certificate in a file of PEM, in hex. Raises Unable."""
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as fault:
        raise Unable(f"{file}: no certificate in PEM ({type(fault).__name__})") from None
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
