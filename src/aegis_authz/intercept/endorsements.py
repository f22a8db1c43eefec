"""Who follows an authority, said by the authority itself: how clients elsewhere come to trust the next one.

An endorsement is a certificate of the next authority's key, signed by the one before, for this use alone: no client
takes it for that of a host or an authority, nor the leaf of a host, whose key others have, for an endorsement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from aegis_authz.core.units import Epoch
from aegis_authz.intercept.authority import ENDORSEMENT, AuthorityUnreadable, is_no_authority, permitted_names, spki_of

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What a certificate may raise that somebody else made."""
MOST_CERTIFICATES = 32
"""Of authorities, and of endorsements, that are looked at."""


def fingerprint_of(certificate: bytes) -> str:
    """The SHA-256 of a certificate in PEM, in hex. Raises AuthorityUnreadable."""
    (parsed,) = _parsed([certificate])
    return parsed.fingerprint(hashes.SHA256()).hex()


def authorities_among(certificates: Sequence[bytes], now: Epoch) -> tuple[bytes, ...]:
    """Those that are of authorities and not over, in PEM. Raises AuthorityUnreadable for what is no certificate."""
    return tuple(_pem(entry) for entry in _parsed(certificates) if not is_no_authority(entry) and _lasts(entry, now))


def endorsed(
    trusted: Sequence[bytes], offered: Sequence[bytes], endorsements: Sequence[bytes], now: Epoch
) -> tuple[bytes, ...]:
    """Those authorities that are trusted, or follow one that is, by endorsements; each in PEM, in their order.

    One that is held to domains endorses none that is held to others or to none. Raises AuthorityUnreadable.
    """
    issuers, pending = _parsed(trusted), _parsed(endorsements)
    is_growing = True
    while is_growing:
        followers = [entry for entry in pending if any(_follows(entry, issuer, now) for issuer in issuers)]
        issuers += followers
        pending = [entry for entry in pending if entry not in followers]
        is_growing = bool(followers)
    keys = {_identity(issuer) for issuer in issuers}
    return tuple(
        _pem(candidate)
        for candidate in _parsed(offered)
        if not is_no_authority(candidate) and _lasts(candidate, now) and _identity(candidate) in keys
    )


def _follows(entry: x509.Certificate, issuer: x509.Certificate, now: Epoch) -> bool:
    try:
        if [*entry.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value] != [ENDORSEMENT]:
            return False
        entry.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    domains, names = permitted_names(issuer), permitted_names(entry)
    is_within = not domains or (
        bool(names) and all(any(name == top or name.endswith(f".{top}") for top in domains) for name in names)
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
    """The certificates, all that is asked of them read once. Raises AuthorityUnreadable where something cannot be."""
    try:
        parsed = [x509.load_pem_x509_certificate(certificate) for certificate in certificates]
        for certificate in parsed:
            _identity(certificate)
    except _UNREADABLE:
        raise AuthorityUnreadable("not certificates that can be read") from None
    if len(parsed) > MOST_CERTIFICATES:
        raise AuthorityUnreadable(f"more than {MOST_CERTIFICATES} certificates")
    return parsed


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
