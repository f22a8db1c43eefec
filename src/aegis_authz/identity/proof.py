"""Proofs of a call by the key that a token is bound to, verified strictly (RFC 9449 section 4.3).

They differ from RFC 9449 in three things (docs/decisions/0016-proofs.md): `htu` holds the query, `bh` is the digest of
the body, and both header and claims have exactly the members named here. What makes them is `identity/proof_mint.py`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from aegis_authz.core.identity import Proof
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch, Jti, Seconds
from aegis_authz.encoding import base64url, strict_json
from aegis_authz.encoding.jwk import ED25519_ALGORITHMS, raw_from_jwk, thumbprint
from aegis_authz.identity.compact import is_signature, split_jws

PROOF_TYPE = "dpop+jwt"
PROOF_LIFE = Seconds(60.0)
"""How old a proof may be."""
_MAX_PROOF_BYTES = 16_384  # it holds the whole target, and targets may be long
_MAX_HEADER_BYTES = 512
_HEADER_MEMBERS = {"alg", "typ", "jwk"}
_KEY_MEMBERS = {"kty", "crv", "x"}
_CLAIMS = {"jti", "htm", "htu", "iat", "ath"}
_CLAIMS_OF_A_BODY = _CLAIMS | {"bh"}
_MAX_JTI = 256


@dataclass(frozen=True, slots=True)
class ProvenRequest:
    """What a proof must be about, as Envoy showed it.

    `targets` are the URIs under which the agent may have addressed it, in their normal form.
    """

    method: str
    targets: tuple[str, ...]
    body: bytes


def token_hash(token: str) -> str:
    """What `ath` must be for a token (RFC 9449 section 4.2)."""
    return _digest(token.encode("utf-8"))


def read_proof(
    proof: str, bound_key: str, token_digest: str, request: ProvenRequest, now: Epoch, skew: Seconds
) -> Proof:
    """Verify that the key of that thumbprint proves this very request with the token of that hash.

    Raises Refused with PROOF_MALFORMED, PROOF_INVALID, PROOF_MISMATCH or PROOF_STALE. The key that the proof itself
    names is believed only when it is the bound one.
    """
    try:
        head, claims_text, signed, signature = split_jws(proof, _MAX_PROOF_BYTES)
        key, key_id = _key(head)
    except (ValueError, Refused):
        raise Refused(Reason.PROOF_MALFORMED, "not a compact JWS with the header {alg, typ, jwk} of a proof") from None
    if key_id != bound_key:
        raise Refused(Reason.PROOF_MISMATCH, "made with another key than the token is bound to")
    if not is_signature(signature, signed, key):
        raise Refused(Reason.PROOF_INVALID, "the signature does not verify")
    try:
        claims = strict_json.parse_object(claims_text)
    except Refused:
        raise Refused(Reason.PROOF_MALFORMED, "the claims are not a JSON object") from None
    return _proof_of(claims, key_id, token_digest, request, now, skew)


def read_past_proof(proof: str, bound_key: str, token_digest: str, request: ProvenRequest) -> Proof:
    """`read_proof` of one that was in time when it was shown first, whenever that was: that of a CONNECT, later on.

    What it proves is good for as long as its token, and no longer than its tunnel.
    """
    return read_proof(proof, bound_key, token_digest, request, Epoch(0.0), Seconds(math.inf))


def _proof_of(
    claims: Mapping[str, Json], key_id: str, token_digest: str, request: ProvenRequest, now: Epoch, skew: Seconds
) -> Proof:
    if claims.keys() != (_CLAIMS_OF_A_BODY if request.body else _CLAIMS):
        raise Refused(
            Reason.PROOF_MALFORMED, f"the claims are not those of a call with{'' if request.body else 'out'} a body"
        )
    jti, issued_at = claims["jti"], claims["iat"]
    if not isinstance(jti, str) or not 0 < len(jti) <= _MAX_JTI:
        raise Refused(Reason.PROOF_MALFORMED, "jti is not a short text")
    if isinstance(issued_at, bool) or not isinstance(issued_at, int | float) or not 0 < issued_at < 2**40:
        raise Refused(Reason.PROOF_MALFORMED, "iat is not a time")
    if claims["ath"] != token_digest:
        raise Refused(Reason.PROOF_MISMATCH, "made for another token")
    if claims["htm"] != request.method:
        raise Refused(Reason.PROOF_MISMATCH, "made for another method")
    if claims["htu"] not in request.targets:
        raise Refused(Reason.PROOF_MISMATCH, "made for another target")
    if request.body and claims["bh"] != _digest(request.body):
        raise Refused(Reason.PROOF_MISMATCH, "made for another body")
    if now > issued_at + PROOF_LIFE:
        raise Refused(Reason.PROOF_STALE, "older than a minute")
    if issued_at > now + skew:
        raise Refused(Reason.PROOF_STALE, "made in the future")
    return Proof(Jti(jti), key_id, Epoch(float(issued_at)), Seconds(PROOF_LIFE + skew))


@lru_cache(4096)
def _key(head: bytes) -> tuple[bytes, str]:
    """The key a header names, and its thumbprint; remembered: all proofs of one key have the same header.

    Raises ValueError or Refused for any other header, above all one with a private or a weak key.
    """
    if len(head) > _MAX_HEADER_BYTES:
        raise ValueError("the header is too long")
    header = strict_json.parse_object(base64url.decode(head))
    jwk = header.get("jwk")
    if header.keys() != _HEADER_MEMBERS or header["alg"] not in ED25519_ALGORITHMS or header["typ"] != PROOF_TYPE:
        raise ValueError("the header is not {alg, typ, jwk} of a proof")
    if not isinstance(jwk, dict) or jwk.keys() != _KEY_MEMBERS:
        raise ValueError("jwk is not {kty, crv, x}")
    key = raw_from_jwk(jwk)
    return key, thumbprint(key)


def _digest(data: bytes) -> str:
    return base64url.encode(hashlib.sha256(data).digest()).decode("ascii")
