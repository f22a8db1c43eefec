"""Client certificates: what a connection proved by TLS, for whoever judges the requests on it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass

from cryptography import x509
from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from aegis_authz.control.http import PROBLEM_MEDIA_TYPE
from aegis_authz.core.sign_in import CertificateKind, CertificateName

_STATE = "client_certificate"


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that TLS has verified and whose key the client has proven.

    `subject` is its name (RFC 4514), "" for none; `emails` and `uris` are its alternative names (RFC 5280
    section 4.2.1.6), and `fingerprint` the SHA-256 of all of it, in hex.
    """

    subject: str
    emails: tuple[str, ...]
    uris: tuple[str, ...]
    fingerprint: str

    @property
    def names(self) -> tuple[CertificateName, ...]:
        """By which it may be a person's; none of a form that nobody is given."""
        pairs = (
            (CertificateKind.FINGERPRINT, self.fingerprint),
            (CertificateKind.SUBJECT, self.subject),
            *((CertificateKind.URI, uri) for uri in self.uris),
            *((CertificateKind.EMAIL, email) for email in self.emails),
        )
        return tuple(name for kind, value in pairs if (name := _name(kind, value)) is not None)


def _name(kind: CertificateKind, value: str) -> CertificateName | None:
    try:
        return CertificateName(kind, value)
    except ValueError:
        return None


class CertificateProtocol(HttpToolsProtocol):
    """HTTP whose requests carry the certificate of their connection, in a state that no request can write."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Keep what TLS has verified."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self.app_state = {**self.app_state, _STATE: None if tls is None else tls.getpeercert(binary_form=True)}

    def send_400_response(self, msg: str) -> None:
        """Say as a problem, too, that what came is no HTTP; `msg` is uvicorn's own, and shows nothing of it."""
        body = json.dumps({"type": "about:blank", "status": 400, "detail": msg}).encode("ascii")
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: {PROBLEM_MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(f"{head}connection: close\r\n\r\n".encode("ascii") + body)
        self.transport.close()


def client_certificate(request: Request) -> ClientCertificate | None:
    """The certificate of the connection by which a request came, None where it showed none or one beyond reading."""
    der = getattr(request.state, _STATE, None)
    if not isinstance(der, bytes):
        return None
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = _alternative_names(certificate)
        return ClientCertificate(
            subject=certificate.subject.rfc4514_string(),
            emails=tuple(names.get_values_for_type(x509.RFC822Name)),
            uris=tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
            fingerprint=hashlib.sha256(der).hexdigest(),
        )
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName([])
