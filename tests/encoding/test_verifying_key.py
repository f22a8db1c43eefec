"""Public keys of other issuers: what may verify what, and nothing that hides a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from aegis_authz.encoding.verifying_key import verifying_key

RSA_KEY = rsa.generate_private_key(65537, 2048).public_key()
EC_KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
OKP_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key()


def rsa_jwk(**members: Any) -> dict[str, Any]:
    return {**_plain(json.loads(RSAAlgorithm.to_jwk(RSA_KEY))), **members}


def ec_jwk(**members: Any) -> dict[str, Any]:
    return {**_plain(json.loads(ECAlgorithm.to_jwk(EC_KEY))), **members}


def _plain(jwk: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name != "key_ops"}


def test_each_type_of_key_verifies_its_own_algorithms_alone() -> None:
    assert verifying_key(rsa_jwk(kid="a")).algorithms == ("RS256", "PS256")
    assert verifying_key(rsa_jwk(alg="PS256")).algorithms == ("PS256",)
    assert verifying_key(ec_jwk()).algorithms == ("ES256",)
    assert verifying_key(json.loads(OKPAlgorithm.to_jwk(OKP_KEY))).algorithms == ("EdDSA", "Ed25519")


def test_the_key_is_the_one_that_was_written() -> None:
    assert verifying_key(rsa_jwk()).key == RSA_KEY
    assert verifying_key(ec_jwk()).key == EC_KEY


def test_a_strangers_key_id_is_its_own_choice() -> None:
    assert verifying_key({**json.loads(OKPAlgorithm.to_jwk(OKP_KEY)), "kid": "2026-1"}).kid == "2026-1"


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        rsa_jwk(d="AQAB"),
        rsa_jwk(alg="HS256"),
        rsa_jwk(alg="ES256"),
        rsa_jwk(use="enc"),
        rsa_jwk(kid=7),
        rsa_jwk(kid="k" * 257),
        rsa_jwk(n="AQAB"),
        rsa_jwk(e=""),
        rsa_jwk(e=65537),
        rsa_jwk(n="!"),
        ec_jwk(crv="P-384"),
        ec_jwk(x="AA"),
        ec_jwk(y=ec_jwk()["x"]),
        {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
    ],
)
def test_everything_else_is_refused(jwk: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        verifying_key(jwk)


def test_a_key_of_a_spiffe_bundle_is_for_one_kind_of_identity() -> None:
    assert verifying_key(rsa_jwk(use="jwt-svid")).algorithms == ("RS256", "PS256")
    with pytest.raises(ValueError, match="not for signatures"):
        verifying_key(rsa_jwk(use="x509-svid"))
