"""The mesh's own certificate authority, and the leaf certificates that it signs.

Source: RFC 5280, sections 4.2.1.10 (name constraints) and 4.2.1.6 (an empty subject beside a critical alternative
name).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.intercept.names import is_host_name

LEAF_LIFE = Seconds(86_400.0)
"""A leaf lives a day: Envoy serves an expired one on when nobody brings it another."""
AUTHORITY_LIFE = Seconds(365 * 86_400.0)
_CLOCKS = timedelta(minutes=5)  # a client's clock may be behind ours
_COMMON_NAME = "Aegis mesh"


ENDORSEMENT = x509.ObjectIdentifier("2.25.206645916891549919651332252937889843602")
"""What an endorsement is for, and no other certificate of ours (ITU-T X.667, an identifier made of a UUID)."""


class NotCertified(ValueError):
    """The authority signs no certificate for that name, or none any more; the message says why."""


class AuthorityUnreadable(ValueError):
    """What was read is no authority's certificate and key; the message holds neither."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate for one host and its key, both PEM. `starts` and `ends` bound its life."""

    name: str
    certificate: bytes
    key: bytes = field(repr=False)
    starts: Epoch
    ends: Epoch

    @property
    def renewal(self) -> Epoch:
        """When the next one is due: at half of its life."""
        return Epoch((self.starts + self.ends) / 2)


@dataclass(frozen=True, slots=True)
class MeshAuthorities:
    """The certificates of the authorities that a mesh has its clients trust, and who followed whom; each in PEM."""

    trusted: tuple[bytes, ...]
    endorsements: tuple[bytes, ...]


class Authority:
    """A certificate authority and its key, which never leaves it but by `to_pem`."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        """Raises AuthorityUnreadable for a certificate that is no authority's, or for another key."""
        if is_no_authority(certificate) or spki_of(certificate.public_key()) != spki_of(key.public_key()):
            raise AuthorityUnreadable("not the certificate of an authority and its key")
        self._certificate = certificate
        self._key = key
        self._key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        self.names = permitted_names(certificate)
        """The domains it is held to, () where it may sign for any."""
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        """The SHA-256 of the certificate, in hex."""
        self.ends = Epoch(certificate.not_valid_after_utc.timestamp())

    def __repr__(self) -> str:
        return f"Authority({self.fingerprint})"

    @property
    def certificate(self) -> bytes:
        """The certificate, PEM: what clients have to trust."""
        return self._certificate.public_bytes(Encoding.PEM)

    def to_pem(self) -> bytes:
        """Key and certificate: to be kept from everybody."""
        key = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + self.certificate

    def check(self, name: str) -> None:
        """Whether a leaf of this name may be made at all. Raises NotCertified."""
        if not is_host_name(name):
            raise NotCertified("not the name of a host in lower case")
        if self.names and not any(name == domain or name.endswith(f".{domain}") for domain in self.names):
            raise NotCertified("outside the domains that the authority is held to")

    def endorse(self, successor: Authority, now: Epoch) -> bytes:
        """A certificate that says who comes next, PEM, for those who trust this one. Good as long as this one is."""
        following = successor._certificate  # of the same class
        builder = (
            x509.CertificateBuilder(self._certificate.subject, following.subject, following.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_time(now) - _CLOCKS)
            .not_valid_after(_time(self.ends))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ENDORSEMENT]), critical=True)
            .add_extension(self._key_id, critical=False)
        )
        if successor.names:
            permitted = [x509.DNSName(name) for name in successor.names]
            builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def mint(self, name: str, now: Epoch, life: Seconds = LEAF_LIFE) -> Leaf:
        """A new key and certificate for a host. Raises NotCertified."""
        self.check(name)
        starts, ends = now, Epoch(min(now + life, self.ends))
        if ends <= now:
            raise NotCertified("the authority's own certificate has expired")
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder(self._certificate.subject, x509.Name([]), key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_time(starts) - _CLOCKS)
            .not_valid_after(_time(ends))
            # with an empty subject the name is critical
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(self._key_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Leaf(name, certificate.public_bytes(Encoding.PEM), key_pem, starts, ends)


def new_authority(now: Epoch, names: tuple[str, ...] = (), life: Seconds = AUTHORITY_LIFE) -> Authority:
    """An authority with a new P-256 key, held to `names` and what is below them; () for any name.

    Raises NotCertified for a name that is none of a host.
    """
    wrong = next((name for name in names if not is_host_name(name)), None)
    if wrong is not None:
        raise NotCertified(f"{wrong!r} is not the name of a host in lower case")
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # a part of the digest makes the subjects of two authorities differ: clients look up issuers by subject
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _COMMON_NAME),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{_COMMON_NAME} {identifier.digest.hex()[:8]}"),
        ]
    )
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(now) - _CLOCKS)
        .not_valid_after(_time(Epoch(now + life)))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
    )
    if names:
        permitted = [x509.DNSName(name) for name in sorted(set(names))]
        builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def read_authority(pem: bytes) -> Authority:
    """What `Authority.to_pem` wrote. Raises AuthorityUnreadable."""
    try:
        key = load_pem_private_key(pem, None)
        certificates = x509.load_pem_x509_certificates(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise AuthorityUnreadable("not a certificate and a key in PEM") from None
    if len(certificates) != 1 or not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityUnreadable("not one certificate and one key of an elliptic curve")
    return Authority(certificates[0], key)


def certificates_in(pem: bytes) -> tuple[bytes, ...]:
    """The certificates in a text, each as PEM. Raises AuthorityUnreadable."""
    try:
        return tuple(each.public_bytes(Encoding.PEM) for each in x509.load_pem_x509_certificates(pem))
    except ValueError:
        raise AuthorityUnreadable("not certificates in PEM") from None


def is_no_authority(certificate: x509.Certificate) -> bool:
    """Whether it is no certificate that an authority made for itself."""
    try:
        certificate.verify_directly_issued_by(certificate)
        return not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return True


def permitted_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The domains that a certificate is held to, () for any."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.value for name in constraints.permitted_subtrees or () if isinstance(name, x509.DNSName))


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def spki_of(key: object) -> bytes:
    """A public key as it stands in certificates. Raises AuthorityUnreadable for one of another kind."""
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise AuthorityUnreadable("not the certificate of an authority and its key")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _time(seconds: Epoch) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
