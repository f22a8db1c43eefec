"""Certificates for tests."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate authority, and servers and clients it vouches for. What it signs stands in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "ca.pem"
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        own = self._certificate(self._key.public_key(), self._name, ())
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def context(self, name: x509.GeneralName) -> ssl.SSLContext:
        """A server that shows a certificate of that name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.leaf("leaf.pem", name))
        return context

    def leaf(self, file: str, *names: x509.GeneralName) -> Path:
        """A file of a fresh key and its certificate with these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self._certificate(key.public_key(), x509.Name([]), names)
        pem = self._folder / file
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pem.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
        return pem

    def _certificate(
        self, key: ec.EllipticCurvePublicKey, subject: x509.Name, names: tuple[x509.GeneralName, ...]
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .issuer_name(self._name)
            .subject_name(subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        return builder.sign(self._key, hashes.SHA256())
