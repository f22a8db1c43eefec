"""Ed25519 public keys as JSON Web Keys in a bundle (RFC 8037), named by their thumbprint (RFC 7638)."""

from __future__ import annotations

import base64
import hashlib

from nacl.bindings import crypto_core_ed25519_is_valid_point

from aegis_authz.core.json_value import Json
from aegis_authz.policy.bundle.tool_data import members, text

_MEMBERS = {"kty", "crv", "x", "kid"}


def raw_key(jwk: Json) -> tuple[str, bytes]:
    """The key id and the 32 raw bytes of a public key {kty, crv, x, kid}.

    Raises ValueError for other members (above all `d`), another type, a `kid` that is not the thumbprint, and
    a point of low order or not in canonical form.
    """
    key = members(jwk, _MEMBERS, "a key")
    if key["kty"] != "OKP" or key["crv"] != "Ed25519":
        raise ValueError("a key is not an Ed25519 key")
    x, kid = text(key["x"], "x"), text(key["kid"], "kid")
    try:
        raw = base64.b64decode(x + "=" * (-len(x) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise ValueError("x is not base64url") from None
    if len(raw) != 32 or _base64url(raw) != x or not crypto_core_ed25519_is_valid_point(raw):
        raise ValueError("x is not an Ed25519 public key in its one spelling")
    if kid != thumbprint(x):
        raise ValueError("kid is not the key's thumbprint")
    return kid, raw


def thumbprint(x: str) -> str:
    """The RFC 7638 thumbprint of an Ed25519 public key, given its `x` member."""
    required = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    return _base64url(hashlib.sha256(required.encode("utf-8")).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
