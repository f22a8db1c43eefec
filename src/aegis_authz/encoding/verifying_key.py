"""Public keys of other issuers as JSON Web Keys (RFC 7517, 7518 section 6, 8037), each with what it may verify."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from aegis_authz.core.json_value import Json
from aegis_authz.encoding import base64url
from aegis_authz.encoding.jwk import raw_from_jwk

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256", "PS256"),
    "EC": ("ES256",),
    "OKP": ("EdDSA", "Ed25519"),
}
"""What a key of each type may verify: never a MAC, so that a public key is never taken for a shared secret."""

_USES = ("sig", "jwt-svid")
"""What a key may be for; SPIFFE's bundles say the second (SPIFFE Trust Domain and Bundle, section 4.2.2)."""
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
_LEAST_RSA_BITS, _MOST_RSA_BITS = 2048, 8192
_COORDINATE_BYTES = 32
_MAX_KID = 256
_OKP_MEMBERS = ("kty", "crv", "x")


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key. `kid` is "" where its issuer gave none; `algorithms` are those it may verify."""

    kid: str
    algorithms: tuple[str, ...]
    key: PublicKey = field(repr=False)


def verifying_key(jwk: Mapping[str, Json]) -> VerifyingKey:
    """Read a JWK.

    Raises ValueError unless it is a public RSA (2048 to 8192 bits), P-256 or Ed25519 key for signatures.
    """
    if not _PRIVATE.isdisjoint(jwk):
        raise ValueError("the JWK holds a private or secret part")
    kind, kid = jwk.get("kty"), jwk.get("kid", "")
    algorithms = ALGORITHMS.get(kind) if isinstance(kind, str) else None
    if algorithms is None:
        raise ValueError("kty must be RSA, EC or OKP")
    if not isinstance(kid, str) or len(kid) > _MAX_KID:
        raise ValueError("kid is not a short text")
    if jwk.get("use", "sig") not in _USES:
        raise ValueError("the key is not for signatures")
    algorithm = jwk.get("alg")
    if algorithm is not None and algorithm not in algorithms:
        raise ValueError("alg does not fit the key")
    usable = algorithms if algorithm is None or kind == "OKP" else (str(algorithm),)
    return VerifyingKey(kid, usable, _READERS[str(kind)](jwk))


def p256_jwk(key: EllipticCurvePublicKey) -> dict[str, str]:
    """The JWK of a P-256 public key, with its thumbprint (RFC 7638) as `kid`."""
    numbers = key.public_numbers()
    x, y = (
        base64url.encode(number.to_bytes(_COORDINATE_BYTES, "big")).decode("ascii") for number in (numbers.x, numbers.y)
    )
    canonical = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    kid = base64url.encode(hashlib.sha256(canonical.encode("ascii")).digest()).decode("ascii")
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256"}


def _rsa(jwk: Mapping[str, Json]) -> PublicKey:
    modulus, exponent = _number(jwk, "n"), _number(jwk, "e")
    if not _LEAST_RSA_BITS <= modulus.bit_length() <= _MOST_RSA_BITS:
        raise ValueError(f"an RSA key has {_LEAST_RSA_BITS} to {_MOST_RSA_BITS} bits")
    if exponent.bit_length() > 32:
        raise ValueError("e is too large")
    return RSAPublicNumbers(exponent, modulus).public_key()


def _ec(jwk: Mapping[str, Json]) -> PublicKey:
    if jwk.get("crv") != "P-256":
        raise ValueError("crv must be P-256")
    x, y = (_octets(jwk, name) for name in ("x", "y"))
    if len(x) != _COORDINATE_BYTES or len(y) != _COORDINATE_BYTES:
        raise ValueError("x and y have 32 bytes each")
    return EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), SECP256R1()).public_key()


def _okp(jwk: Mapping[str, Json]) -> PublicKey:
    # a stranger's kid is a name of its own choice, not the thumbprint
    return Ed25519PublicKey.from_public_bytes(raw_from_jwk({name: jwk.get(name) for name in _OKP_MEMBERS}))


_READERS = {"RSA": _rsa, "EC": _ec, "OKP": _okp}


def _number(jwk: Mapping[str, Json], name: str) -> int:
    return int.from_bytes(_octets(jwk, name), "big")


def _octets(jwk: Mapping[str, Json], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str) or not value.isascii() or not value:
        raise ValueError(f"{name} is not base64url")
    return base64url.decode(value.encode("ascii"))
