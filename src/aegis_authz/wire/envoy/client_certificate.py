"""What Envoy says of a client's certificate, in x-forwarded-client-cert as our listeners have it set.

Source: envoy documentation, "x-forwarded-client-cert"; the listeners ask for `URI` alone, beside `By` and `Hash`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.http.call import HttpCall

CERTIFICATE_HEADER = "x-forwarded-client-cert"
_ELEMENT = re.compile(r"(?:By=[^;,=\"]*;)*Hash=([0-9a-f]{64});URI=(spiffe://[^;,\"]{1,2048})\Z")


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A verified client certificate: its SPIFFE id, and its SHA-256 in hex."""

    spiffe_id: str
    fingerprint: str


def client_certificate(http: HttpCall) -> ClientCertificate | None:
    """The certificate the client showed, None when it showed none.

    Raises Refused(CREDENTIAL_MALFORMED) for one without exactly one SPIFFE id, and for a header that says another than
    the connection itself: no client can put one there, and a proxy in front must not either.
    """
    values = http.headers.get(CERTIFICATE_HEADER, ())
    if not values and not http.principal:
        return None
    match = _ELEMENT.match(values[0]) if len(values) == 1 else None
    if match is None or match.group(2) != http.principal:
        raise Refused(Reason.CREDENTIAL_MALFORMED, "not a client certificate with exactly one SPIFFE id")
    return ClientCertificate(match.group(2), match.group(1))
