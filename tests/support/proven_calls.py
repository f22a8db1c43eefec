"""One call with a bound token and its proof, and the parts it is made of, for tests that change them one by one."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.snapshot import Trust
from aegis_authz.identity.proof import ProvenRequest, token_hash
from aegis_authz.identity.proof_mint import ProofMint

NOW = 1_800_000_000.25
ISSUER = Ed25519PrivateKey.from_private_bytes(b"i" * 32)
AGENT = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
TRUST = Trust("aegis", "mesh", {"kid-1": ISSUER.public_key().public_bytes_raw()}, {}, 300, 5)
MINT = ProofMint(AGENT)
TARGET = "http://api.bank.example/v1/payments?dry=1"
BODY = b'{"amount":5}'


def bound_token(**changes: Any) -> str:
    """A token bound to the key of AGENT. A claim that is changed to None is left out."""
    claims: dict[str, Any] = {
        "iss": "aegis",
        "aud": "mesh",
        "sub": "acme/emea/bot",
        "org": "acme",
        "tenant": "emea",
        "agent": "bot",
        "jti": "t-1",
        "iat": NOW - 100,
        "nbf": NOW - 100,
        "exp": NOW + 100,
        "cnf": {"jkt": MINT.thumbprint},
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, ISSUER, "EdDSA", {"typ": "aegis+jwt", "kid": "kid-1"})


TOKEN = bound_token()
REQUEST = ProvenRequest("POST", (TARGET,), BODY)


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def digest(data: bytes) -> str:
    """The digest of a token or body, as proofs write it."""
    return b64(hashlib.sha256(data).digest())


def jwk_of(key: Ed25519PrivateKey) -> dict[str, Any]:
    """The three members by which a proof names a key."""
    return {"crv": "Ed25519", "kty": "OKP", "x": b64(key.public_key().public_bytes_raw())}


def header(**changes: Any) -> dict[str, Any]:
    """The header of a good proof, changed; None leaves a member out."""
    whole = {"alg": "EdDSA", "typ": "dpop+jwt", "jwk": jwk_of(AGENT)} | changes
    return {name: value for name, value in whole.items() if value is not None}


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good proof of REQUEST, changed; None leaves a claim out."""
    whole: dict[str, Any] = {
        "jti": "p-1",
        "htm": "POST",
        "htu": TARGET,
        "iat": NOW - 1,
        "ath": token_hash(TOKEN),
        "bh": digest(BODY),
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def signed(head: Any, payload: Any, key: Ed25519PrivateKey = AGENT) -> str:
    """A JWS of these two, whatever they are: texts are taken as they stand, all else is written as JSON."""
    parts = [b64((part if isinstance(part, str) else json.dumps(part)).encode()) for part in (head, payload)]
    text = ".".join(parts)
    return f"{text}.{b64(key.sign(text.encode()))}"
