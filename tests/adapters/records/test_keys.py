from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from aegis_authz.adapters.records.keys import RecordKeyError, load_public_keys
from aegis_authz.encoding.jwk import okp_jwk

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
RAW = KEY.public_key().public_bytes_raw()
JWK = json.dumps(okp_jwk(RAW)).encode()
SPKI = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
P256 = generate_private_key(SECP256R1()).public_key().public_bytes(*SPKI)


@pytest.mark.parametrize(
    "data",
    [
        JWK,
        b'{"keys": [' + JWK + b"]}\n",
        KEY.public_key().public_bytes(*SPKI),
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ],
    ids=["jwk", "jwk set", "public pem", "private pem"],
)
def test_a_key_is_read_in_each_form_it_comes_in(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    path.chmod(0o600)
    assert load_public_keys(path) == (RAW,)


@pytest.mark.parametrize(
    "data",
    [b"", b"junk", b"{}", b"{", b'{"keys": []}', b'{"keys": [1]}', b'{"keys": {}}', JWK + JWK, P256],
)
def test_what_is_no_ed25519_public_key_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "some.key"
    path.write_bytes(data)
    with pytest.raises(RecordKeyError, match=r"some\.key"):
        load_public_keys(path)
