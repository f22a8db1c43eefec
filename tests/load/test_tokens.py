from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz.adapters.files.keys import open_keys
from aegis_authz.commands.faults import Unable
from aegis_authz.core.scope import Scope
from aegis_authz.load.calls import Signer
from aegis_authz.load.tokens import GivenTokens, NoTokens, SignedTokens, mesh_signer, read_key, read_tokens

PKCS8 = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_signed_tokens_are_new_each_time() -> None:
    names = count()
    signer = Signer(Ed25519PrivateKey.generate(), "aegis", "aegis-mesh", Scope("acme", "emea", "a"), ttl=60)
    tokens = SignedTokens(signer, lambda: 1_800_000_000.0, lambda: f"run{next(names)}")
    first, second = set(tokens.take(5)), set(tokens.take(5))
    assert len(first | second) == 10
    assert tokens.life == 60


def test_given_tokens_are_taken_in_order_and_none_is_sent_twice() -> None:
    tokens = GivenTokens(["a", "b", "c"])
    assert list(tokens.take(2)) == ["a", "b"]
    tokens.spent(1)
    assert list(tokens.take(5)) == ["b", "c"]
    tokens.spent(2)
    assert list(tokens.take(5)) == []


def test_a_file_of_tokens_has_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("a\n\n  b \n")
    assert list(read_tokens(tmp_path / "t").take(9)) == ["a", "b"]


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), (b"\n", "no token"), (b"\xff", "not ASCII")])
def test_a_file_of_tokens_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        (tmp_path / "t").write_bytes(content)
    with pytest.raises(NoTokens, match=why):
        read_tokens(tmp_path / "t")


def test_a_key_is_read_from_pem(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "k").write_bytes(key.private_bytes(*PKCS8))
    assert read_key(tmp_path / "k").private_bytes_raw() == key.private_bytes_raw()


def test_what_is_no_key_of_an_issuer_is_named(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(generate_private_key(SECP256R1()).private_bytes(*PKCS8))
    for path, why in ((tmp_path / "k", "not an unencrypted Ed25519"), (tmp_path / "none", "No such file")):
        with pytest.raises(NoTokens, match=why):
            read_key(path)


def test_the_mesh_says_how_its_tokens_are_signed(tmp_path: Path) -> None:
    keys = open_keys(tmp_path / "keys")
    (tmp_path / "control.yaml").write_text(
        f"listen: 127.0.0.1:1\npublic_url: http://127.0.0.1:1\nstate: {tmp_path}\nkeys: {tmp_path}/keys\n"
        f"policies: {tmp_path}\ntools: {tmp_path}\nrecords: {tmp_path}\nredis: unix:///r\n"
        "issuer: us\naudience: them\nmax_token_life: 120\n"
    )
    signer = mesh_signer(tmp_path, Scope("acme", "emea", "a"))
    assert (signer.issuer, signer.audience, signer.ttl) == ("us", "them", 120)
    assert signer.key.private_bytes_raw() == keys.issuer.private_bytes_raw()


def test_a_folder_without_a_mesh_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unable, match=r"control\.yaml"):
        mesh_signer(tmp_path, Scope("acme", "emea", "a"))
