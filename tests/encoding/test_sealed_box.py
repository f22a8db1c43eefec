"""Boxes that the holder of a private key alone opens (HPKE)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from aegis_authz.encoding.sealed_box import NotOpened, key_name, read_public_key, seal, unseal, write_public_key

KEY, OTHER = (X25519PrivateKey.from_private_bytes(seed * 32) for seed in (b"a", b"b"))
PUBLIC = KEY.public_key().public_bytes_raw()


def test_a_box_opens_for_its_key_and_its_place_alone() -> None:
    box = seal(PUBLIC, b"a place", b"a secret")
    assert unseal(KEY, b"a place", box) == b"a secret"
    assert b"a secret" not in box
    assert seal(PUBLIC, b"a place", b"a secret") != box
    for key, place, content in ((OTHER, b"a place", box), (KEY, b"another", box), (KEY, b"a place", box[:20])):
        with pytest.raises(NotOpened):
            unseal(key, place, content)
    for at in range(len(box)):
        with pytest.raises(NotOpened):
            unseal(KEY, b"a place", box[:at] + bytes([box[at] ^ 1]) + box[at + 1 :])


def test_a_public_key_is_read_as_it_is_written_and_nothing_else_is() -> None:
    assert read_public_key(write_public_key(PUBLIC)) == PUBLIC
    assert len(key_name(PUBLIC)) == 43
    for text in ("", "AAAA", "A" * 44, "é" * 43, write_public_key(PUBLIC) + "="):
        with pytest.raises(ValueError, match="no X25519 public key"):
            read_public_key(text)
    with pytest.raises(ValueError, match="that no one can hold"):
        read_public_key("A" * 43)
