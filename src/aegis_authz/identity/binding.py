"""The proof, at the token endpoint, of the key a token shall be bound to (RFC 9449 section 5), verified strictly."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.core.units import Epoch, Jti, Seconds
from aegis_authz.encoding.jwk import ED25519_ALGORITHMS, raw_from_jwk, thumbprint
from aegis_authz.identity.compact import CompactJws
from aegis_authz.identity.issuance import Denial, NotIssued
from aegis_authz.identity.proof import PROOF_LIFE, PROOF_TYPE

_MAX_BYTES = 4096
_CLAIMS = {"jti", "htm", "htu", "iat"}
_HEADER = {"alg", "typ", "jwk"}
_METHOD = "POST"


@dataclass(frozen=True, slots=True)
class Binding:
    """A verified proof: the thumbprint and the raw bytes of the key that made it."""

    key_id: str
    raw_key: bytes
    jti: Jti
    issued_at: Epoch


def read_binding(text: str, endpoint: str, now: Epoch, skew: Seconds) -> Binding:
    """Verify a proof for a POST to the endpoint at this URL. Raises NotIssued with a PROOF_ denial."""
    try:
        jws = CompactJws.parse(text, _MAX_BYTES)
        jwk = jws.header["jwk"]
        raw_key = raw_from_jwk(jwk) if isinstance(jwk, dict) else b""
        jti, issued_at = Jti(jws.text("jti")), jws.time("iat")
    except (ValueError, KeyError) as fault:
        raise NotIssued(Denial.PROOF_FORM, str(fault)) from None
    if not raw_key or jws.header.keys() != _HEADER or jws.claims.keys() != _CLAIMS:
        raise NotIssued(Denial.PROOF_FORM, "members that are not those of a proof")
    if jws.header["alg"] not in ED25519_ALGORITHMS or jws.header["typ"] != PROOF_TYPE:
        raise NotIssued(Denial.PROOF_FORM, "alg is not EdDSA, or typ is not dpop+jwt")
    if not jws.is_signed_by(raw_key):
        raise NotIssued(Denial.PROOF_SIGNATURE)
    if jws.claims["htm"] != _METHOD or jws.claims["htu"] != endpoint:
        raise NotIssued(Denial.PROOF_TARGET)
    if now > issued_at + PROOF_LIFE or issued_at > now + skew:
        raise NotIssued(Denial.PROOF_STALE)
    return Binding(thumbprint(raw_key), raw_key, jti, issued_at)
