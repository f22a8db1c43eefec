"""Proofs are what a mesh reads, to the byte; a key that others can read is not used."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_agent import AegisUnavailable
from aegis_agent.key import AgentKey, load_key, target_uri
from aegis_authz.core.units import Epoch, Jti
from aegis_authz.identity import proof_mint

URLS = (
    *("http://A.example", "https://a.example:443/x?y=%2F&z", "http://a.example.:80/a//b#c", "http://u:p@a.example:8/"),
    *("http://[::1]:7/x", "http://a.example/?", "HTTP://a.example/%C3%A9"),
)
NO_URLS = ("", "/x", "ftp://a.example/", "http://", "http://a.example:x/")


def pem(key: object) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined, no-any-return]  # of either kind


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_spelt_as_the_mesh_spells_it(url: str) -> None:
    assert target_uri(url) == proof_mint.target_uri(url)


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_url_of_a_call_gets_no_proof(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        AgentKey(Ed25519PrivateKey.generate()).proof("GET", url, "t", b"")


@pytest.mark.parametrize(("token", "body"), [("", b""), ("t.t.t", b""), ("t.t.t", b"{}")])
def test_a_proof_is_the_one_that_the_mint_of_the_mesh_makes(token: str, body: bytes) -> None:
    key = Ed25519PrivateKey.generate()
    proof = AgentKey(key).proof("POST", "http://a.example/x", token, body)
    claims = jwt.decode(proof, key.public_key(), algorithms=["EdDSA"], options={"verify_iat": False})
    assert AgentKey(key).thumbprint == proof_mint.ProofMint(key).thumbprint
    assert proof == proof_mint.ProofMint(key).mint(
        "POST", "http://a.example/x", token, body, Epoch(claims["iat"]), Jti(claims["jti"])
    )


def test_no_two_proofs_have_one_id() -> None:
    key = AgentKey(Ed25519PrivateKey.generate())
    proofs = [key.proof("GET", "http://a.example/", "t", b"") for _ in range(100)]
    ids = {jwt.decode(proof, options={"verify_signature": False})["jti"] for proof in proofs}
    assert len(ids) == len(proofs)


def test_a_key_is_read_and_never_shown(tmp_path: Path) -> None:
    path, key = tmp_path / "key.pem", Ed25519PrivateKey.generate()
    path.write_bytes(pem(key))
    path.chmod(0o600)
    loaded = load_key(path)
    assert repr(loaded) == f"AgentKey({proof_mint.ProofMint(key).thumbprint})"


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        (pem(Ed25519PrivateKey.generate()), 0o640, "others can use this key; run: chmod 600"),
        (b"not a key", 0o600, "no private key in PEM"),
        (pem(generate_private_key(SECP256R1())), 0o600, "not an Ed25519 key"),
        (None, 0o600, "No such file or directory; enrol the agent"),
    ],
)
def test_a_file_of_no_use_says_what_to_do(content: bytes | None, mode: int, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(AegisUnavailable, match=sentence):
        load_key(path)
