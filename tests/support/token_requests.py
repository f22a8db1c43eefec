"""Requests for tokens: what a well-behaved agent sends, and the same with anything changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.encoding import base64url
from aegis_authz.encoding.jwk import okp_jwk
from aegis_authz.identity.enrolment import code_hash

ENDPOINT = "http://127.0.0.1:7000/v1/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def private_key(seed: bytes) -> Ed25519PrivateKey:
    """The key of a seed that is repeated to 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes((seed * 32)[:32])


def public_jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    """{kty, crv, x}."""
    jwk = okp_jwk(key.public_key().public_bytes_raw())
    return {name: jwk[name] for name in ("kty", "crv", "x")}


def key_id(key: Ed25519PrivateKey) -> str:
    """The thumbprint."""
    return okp_jwk(key.public_key().public_bytes_raw())["kid"]


def jws(header: Mapping[str, Any], claims: Mapping[str, Any], key: Ed25519PrivateKey) -> str:
    """A compact JWS of exactly these members."""
    parts = [base64url.encode(json.dumps(part).encode()) for part in (header, claims)]
    signed = b".".join(parts)
    return (signed + b"." + base64url.encode(key.sign(signed))).decode("ascii")


def assertion(
    agent: str,
    key: Ed25519PrivateKey,
    now: float,
    header: Mapping[str, Any] | None = None,
    signer: Ed25519PrivateKey | None = None,
    **claims: Any,
) -> str:
    """An assertion of the agent; members of `header` and `claims` replace its own, None leaves one out."""
    own = {"iss": agent, "sub": agent, "aud": ENDPOINT, "jti": f"a-{now}-{len(claims)}", "iat": now, "exp": now + 30}
    return jws(
        _changed({"alg": "EdDSA", "typ": "JWT", "kid": key_id(key)}, header or {}), _changed(own, claims), signer or key
    )


def binding(
    key: Ed25519PrivateKey,
    now: float,
    header: Mapping[str, Any] | None = None,
    signer: Ed25519PrivateKey | None = None,
    **claims: Any,
) -> str:
    """A proof of the key for the token endpoint, changed as `assertion` is."""
    own = {"jti": f"p-{now}-{len(claims)}", "htm": "POST", "htu": ENDPOINT, "iat": now}
    return jws(
        _changed({"alg": "EdDSA", "typ": "dpop+jwt", "jwk": public_jwk(key)}, header or {}),
        _changed(own, claims),
        signer or key,
    )


def client_form(text: str) -> dict[str, str]:
    """The form of client_credentials with an assertion."""
    return {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": text}


def _changed(own: dict[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**own, **members}.items() if value is not None}


def enrolment(
    code: str, key: Ed25519PrivateKey, now: float, header: Mapping[str, Any] | None = None, **claims: Any
) -> dict[str, Any]:
    """The body that brings a key for a code, changed as `assertion` is."""
    own = {"code_hash": code_hash(code), "aud": ENDPOINT.replace("token", "enroll"), "iat": now, "jti": f"e-{now}"}
    head = {"alg": "EdDSA", "typ": "aegis-enrol+jwt", "jwk": public_jwk(key)}
    return {
        "code": code,
        "jwk": public_jwk(key),
        "proof": jws(_changed(head, header or {}), _changed(own, claims), key),
    }
