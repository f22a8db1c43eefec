from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.encoding import base64url
from aegis_authz.encoding.jwk import okp_jwk, raw_from_jwk, thumbprint

# RFC 8037 appendix A.2 and A.3.
RFC_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_RAW = base64url.decode(RFC_X.encode())
RFC_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
LOW_ORDER = bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    assert thumbprint(RFC_RAW) == RFC_THUMBPRINT


def test_a_key_survives_the_way_through_its_jwk() -> None:
    raw = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert raw_from_jwk(okp_jwk(raw)) == raw
    assert okp_jwk(raw)["kid"] == thumbprint(raw)


def test_kid_use_and_alg_may_be_absent() -> None:
    assert raw_from_jwk({"kty": "OKP", "crv": "Ed25519", "x": RFC_X}) == RFC_RAW


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"crv": "X25519"},
        {"x": RFC_X + "="},
        {"x": RFC_X[:-1]},
        {"x": RFC_X[:-1] + "p"},
        {"x": "é" * 43},
        {"x": 5},
        {"x": base64url.encode(LOW_ORDER).decode()},
        {"x": base64url.encode(bytes(32)).decode()},
        {"x": base64url.encode(b"\xff" * 32).decode()},
        {"kid": "another"},
        {"use": "enc"},
        {"alg": "RS256"},
        {"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"},
        {"jku": "https://evil.example"},
    ],
    ids=str,
)
def test_a_jwk_that_differs_in_anything_is_refused(change: dict[str, str | int]) -> None:
    with pytest.raises(ValueError):
        raw_from_jwk({**okp_jwk(RFC_RAW), **change})


@pytest.mark.parametrize("missing", ["kty", "crv", "x"])
def test_a_jwk_without_a_required_member_is_refused(missing: str) -> None:
    jwk = okp_jwk(RFC_RAW)
    del jwk[missing]
    with pytest.raises(ValueError):
        raw_from_jwk(jwk)


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(33)])
def test_a_key_of_the_wrong_length_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        thumbprint(raw)
    with pytest.raises(ValueError):
        okp_jwk(raw)


def test_a_low_order_point_gets_no_jwk() -> None:
    with pytest.raises(ValueError):
        okp_jwk(LOW_ORDER)
