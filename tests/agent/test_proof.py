from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.agent.proof import ASSERTION_LIFE, ProofKey
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from tests.support.agent_mesh import digest, thumbprint_of

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOW = 1_790_000_000.25
PROOFS = ProofKey(KEY, lambda: Epoch(NOW), lambda: "id-1")
URL = "http://tool.example/a?b=1"


def claims_of(text: str, audience: str | None = None) -> dict[str, object]:
    options = {"verify_exp": False, "verify_iat": False}
    claims: dict[str, object] = jwt.decode(
        text, KEY.public_key(), algorithms=["EdDSA"], audience=audience, options=options
    )
    return claims


def test_a_proof_names_the_call_the_token_and_the_body() -> None:
    text = PROOFS.proof("POST", URL, "token", b"{}")
    header = jwt.get_unverified_header(text)
    assert header == {"alg": "EdDSA", "typ": "dpop+jwt", "jwk": header["jwk"]}
    assert thumbprint_of(header["jwk"]) == PROOFS.thumbprint
    assert claims_of(text) == {
        "jti": "id-1",
        "htm": "POST",
        "htu": URL,
        "iat": NOW,
        "ath": digest(b"token"),
        "bh": digest(b"{}"),
    }


def test_without_a_body_there_is_no_hash_of_one() -> None:
    assert "bh" not in claims_of(PROOFS.proof("GET", URL, "token", b""))


def test_the_proof_a_token_is_asked_for_with_names_no_token() -> None:
    assert "ath" not in claims_of(PROOFS.proof("POST", URL, None, b""))


def test_an_assertion_is_for_one_endpoint_and_for_moments() -> None:
    text = PROOFS.assertion(Scope("acme", "emea", "coding-agent"), "https://control/v1/token")
    assert jwt.get_unverified_header(text)["kid"] == PROOFS.thumbprint
    claims = claims_of(text, "https://control/v1/token")
    assert claims["iss"] == claims["sub"] == "acme/emea/coding-agent"
    assert claims["exp"] == int(NOW) + ASSERTION_LIFE
    assert ASSERTION_LIFE <= 60


@pytest.mark.parametrize("url", ["", "/a", "ftp://tool.example/", "http:///a", "http://tool.example:99999/"])
def test_what_is_no_url_of_a_call_has_no_proof(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|Port"):
        PROOFS.proof("GET", url, "token", b"")


def test_the_key_is_shown_nowhere() -> None:
    assert repr(PROOFS) == f"ProofKey({PROOFS.thumbprint})"


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_bodies_that_differ_have_proofs_that_differ(body: bytes, another: bytes) -> None:
    hashes = [claims_of(PROOFS.proof("POST", URL, "t", content)).get("bh") for content in (body, another)]
    assert (hashes[0] == hashes[1]) == (body == another)
