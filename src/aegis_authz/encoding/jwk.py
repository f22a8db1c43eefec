"""Ed25519 public keys as JSON Web Keys (RFC 7517, RFC 8037), named by their thumbprint (RFC 7638)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from nacl.bindings import crypto_core_ed25519_is_valid_point

from aegis_authz.core.json_value import Json
from aegis_authz.encoding import base64url

KEY_BYTES = 32
_REQUIRED = {"kty", "crv", "x"}
_MEMBERS = _REQUIRED | {"kid", "use", "alg"}
ED25519_ALGORITHMS = ("EdDSA", "Ed25519")
"""Both names of Ed25519 in JOSE: the one of RFC 8037, and the one that RFC 9864 puts in its place."""


def thumbprint(raw_public: bytes) -> str:
    """The key id of a raw 32-byte Ed25519 public key: SHA-256 over its required members (RFC 7638 section 3)."""
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{_x(raw_public)}"}}'
    return base64url.encode(hashlib.sha256(canonical.encode("ascii")).digest()).decode("ascii")


def okp_jwk(raw_public: bytes) -> dict[str, str]:
    """The JWK of a raw 32-byte Ed25519 public key, with its thumbprint as `kid`.

    Raises ValueError for a key no one can hold.
    """
    _refuse_weak(raw_public)
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": _x(raw_public),
        "kid": thumbprint(raw_public),
        "use": "sig",
        "alg": "EdDSA",
    }


def raw_from_jwk(jwk: Mapping[str, Json]) -> bytes:
    """The raw 32 bytes of a JWK.

    Raises ValueError unless it is an Ed25519 public key in canonical base64url, of prime order, without
    members beyond kty, crv, x, kid, use and alg (above all without `d`), and with a `kid`, if any,
    that is its thumbprint.
    """
    if not jwk.keys() >= _REQUIRED or not jwk.keys() <= _MEMBERS:
        raise ValueError("a JWK must have kty, crv and x, and may have kid, use and alg")
    if jwk["kty"] != "OKP" or jwk["crv"] != "Ed25519":
        raise ValueError("the JWK is not an Ed25519 key")
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", "EdDSA") not in ED25519_ALGORITHMS:
        raise ValueError("the JWK is not for EdDSA signatures")
    x = jwk["x"]
    if not isinstance(x, str) or not x.isascii():
        raise ValueError("x is not base64url")
    raw = base64url.decode(x.encode("ascii"))
    _refuse_weak(raw)
    if "kid" in jwk and jwk["kid"] != thumbprint(raw):
        raise ValueError("kid is not the thumbprint of the key")
    return raw


def raws_from_jwks(value: Mapping[str, Json]) -> tuple[bytes, ...]:
    """The raw bytes of a JWK, or of each in a JWK set. Raises ValueError as `raw_from_jwk`, and for an empty set."""
    if "keys" not in value:
        return (raw_from_jwk(value),)
    keys = value["keys"]
    if not isinstance(keys, list) or not keys:
        raise ValueError("the key set is empty")
    raws: list[bytes] = []
    for key in keys:
        if not isinstance(key, dict):
            raise ValueError("a key is not an object")  # noqa: TRY004  # a wrong value
        raws.append(raw_from_jwk(key))
    return tuple(raws)


def _x(raw_public: bytes) -> str:
    if len(raw_public) != KEY_BYTES:
        raise ValueError("an Ed25519 public key has 32 bytes")
    return base64url.encode(raw_public).decode("ascii")


def _refuse_weak(raw_public: bytes) -> None:
    if len(raw_public) != KEY_BYTES:
        raise ValueError("an Ed25519 public key has 32 bytes")
    if not crypto_core_ed25519_is_valid_point(raw_public):
        raise ValueError("the key is a low-order or non-canonical point")
