"""The proof, at enrolment, that whoever has the code has the key as well.

A compact JWS with the header {alg: EdDSA, typ: aegis-enrol+jwt, jwk} and the claims {code_hash, aud, iat, jti}:
`code_hash` is the base64url SHA-256 of the code, `aud` the URL it is sent to.
"""

from __future__ import annotations

import hashlib

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.encoding import base64url
from aegis_authz.encoding.jwk import ED25519_ALGORITHMS, raw_from_jwk
from aegis_authz.identity.compact import CompactJws

ENROLMENT_TYPE = "aegis-enrol+jwt"
PROOF_LIFE = Seconds(300.0)
"""How old a proof may be: whoever enrols may have no exact clock yet. The code is good once all the same."""

_MAX_BYTES = 4096
_HEADER = {"alg", "typ", "jwk"}
_CLAIMS = {"code_hash", "aud", "iat", "jti"}


def code_hash(code: str) -> str:
    """What the proof says of a code."""
    return base64url.encode(hashlib.sha256(code.encode("utf-8")).digest()).decode("ascii")


def read_enrolment_proof(proof: str, code: str, raw_key: bytes, endpoint: str, now: Epoch) -> None:
    """Verify that this key's holder shows this code here and now. Raises ValueError."""
    jws = CompactJws.parse(proof, _MAX_BYTES)
    jwk = jws.header.get("jwk")
    if jws.header.keys() != _HEADER or jws.claims.keys() != _CLAIMS or not isinstance(jwk, dict):
        raise ValueError("the proof is not a JWS of {code_hash, aud, iat, jti} with {alg, typ, jwk}")
    if jws.header["alg"] not in ED25519_ALGORITHMS or jws.header["typ"] != ENROLMENT_TYPE:
        raise ValueError(f"alg of the proof is not EdDSA, or typ is not {ENROLMENT_TYPE}")
    if raw_from_jwk(jwk) != raw_key:
        raise ValueError("the proof is made with another key")
    if not jws.is_signed_by(raw_key):
        raise ValueError("the signature of the proof does not verify")
    if jws.claims["aud"] != endpoint:
        raise ValueError("aud of the proof is not the URL of this endpoint")
    if jws.claims["code_hash"] != code_hash(code):
        raise ValueError("the proof is made for another code")
    jws.text("jti")
    if abs(now - jws.time("iat")) > PROOF_LIFE:
        raise ValueError("the proof is older than five minutes, or made in the future: is the clock right?")
