"""Who follows an authority, said by the authority itself: how clients elsewhere come to trust the next one.

An endorsement is a certificate of the next authority's key, signed by the one before. It is no authority's and names no
host, so no client takes it for anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from aegis_authz.core.units import Epoch
from aegis_authz.intercept.authority import AuthorityUnreadable, is_no_authority, permitted_names, spki_of

MOST_CERTIFICATES = 32
"""Of authorities, and of endorsements, that are looked at."""


def fingerprint_of(certificate: bytes) -> str:
    """The SHA-256 of a certificate in PEM, in hex. Raises AuthorityUnreadable."""
    (parsed,) = _parsed([certificate])
    return parsed.fingerprint(hashes.SHA256()).hex()


def authorities_among(certificates: Sequence[bytes], now: Epoch) -> tuple[bytes, ...]:
    """Those that are of authorities and not over, in PEM. Raises AuthorityUnreadable for what is no certificate."""
    return tuple(_pem(one) for one in _parsed(certificates) if not is_no_authority(one) and _lasts(one, now))


def endorsed(
    trusted: Sequence[bytes], offered: Sequence[bytes], endorsements: Sequence[bytes], now: Epoch
) -> tuple[bytes, ...]:
    """Those authorities that are trusted, or follow one that is, by endorsements; each in PEM, in their order.

    One that is held to domains endorses none that is held to others or to none. Raises AuthorityUnreadable.
    """
    issuers, pending = _parsed(trusted), _parsed(endorsements)
    moved = True
    while moved:
        followers = [entry for entry in pending if any(_follows(entry, issuer, now) for issuer in issuers)]
        issuers += followers
        pending = [entry for entry in pending if entry not in followers]
        moved = bool(followers)
    keys = {_identity(issuer) for issuer in issuers}
    return tuple(
        _pem(candidate)
        for candidate in _parsed(offered)
        if not is_no_authority(candidate) and _lasts(candidate, now) and _identity(candidate) in keys
    )


def _follows(entry: x509.Certificate, issuer: x509.Certificate, now: Epoch) -> bool:
    try:
        entry.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    held, names = permitted_names(issuer), permitted_names(entry)
    is_within = not held or (
        bool(names) and all(any(name == top or name.endswith(f".{top}") for top in held) for name in names)
    )
    return is_within and _lasts(issuer, now) and _lasts(entry, now)


def _identity(certificate: x509.Certificate) -> tuple[bytes, bytes, tuple[str, ...]]:
    """What is the same in an authority's certificate and in an endorsement of it."""
    names = tuple(sorted(permitted_names(certificate)))
    return spki_of(certificate.public_key()), certificate.subject.public_bytes(), names


def _lasts(certificate: x509.Certificate, now: Epoch) -> bool:
    starts, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return starts <= now < ends


def _parsed(certificates: Iterable[bytes]) -> list[x509.Certificate]:
    try:
        parsed = [x509.load_pem_x509_certificate(certificate) for certificate in certificates]
    except ValueError:
        raise AuthorityUnreadable("not certificates in PEM") from None
    if len(parsed) > MOST_CERTIFICATES:
        raise AuthorityUnreadable(f"more than {MOST_CERTIFICATES} certificates")
    return parsed


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
