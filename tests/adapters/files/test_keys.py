from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key

from aegis_authz.adapters.files.keys import KeyFolderError, load_ed25519, load_keys, load_p256, load_token, open_keys
from aegis_authz.encoding.jwk import raw_from_jwk

SIGNING = ["issuer.pem", "approvals.pem", "bundle.pem", "root.pem", "records.pem"]
SECRETS = [*SIGNING, "admin.token", "opa.token", "sessions.keys"]


def test_a_missing_folder_is_made_with_every_key_private(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "keys"
    open_keys(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {name: (folder / name).stat().st_mode & 0o777 for name in SECRETS} == dict.fromkeys(SECRETS, 0o600)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*SECRETS, "root.pub.pem", "records.pub.json"])


def test_opening_again_loads_the_same_keys(tmp_path: Path) -> None:
    first, second = open_keys(tmp_path), open_keys(tmp_path)
    for name in ("issuer", "approvals", "records"):
        assert getattr(first, name).private_bytes_raw() == getattr(second, name).private_bytes_raw()
    assert first.bundle.private_numbers() == second.bundle.private_numbers()
    assert (first.admin_token, first.opa_token) == (second.admin_token, second.opa_token)


def test_the_two_tokens_differ_and_have_256_bits(tmp_path: Path) -> None:
    keys = open_keys(tmp_path)
    assert keys.admin_token != keys.opa_token
    assert len(bytes.fromhex(keys.admin_token)) == len(bytes.fromhex(keys.opa_token)) == 32


def test_a_lost_key_alone_is_made_anew(tmp_path: Path) -> None:
    before = open_keys(tmp_path)
    (tmp_path / "opa.token").unlink()
    after = open_keys(tmp_path)
    assert after.opa_token != before.opa_token
    assert after.admin_token == before.admin_token


def test_starters_that_race_end_with_one_set_of_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(open_keys, [tmp_path] * 8))
    assert len({keys.admin_token for keys in opened}) == 1
    assert len({keys.issuer.private_bytes_raw() for keys in opened}) == 1
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_public_halves_match_the_private_keys(tmp_path: Path) -> None:
    keys = open_keys(tmp_path)
    published = json.loads((tmp_path / "records.pub.json").read_text())
    assert [raw_from_jwk(jwk) for jwk in published["keys"]] == [keys.records.public_key().public_bytes_raw()]
    assert load_pem_public_key((tmp_path / "root.pub.pem").read_bytes()) == keys.root.public_key()


def test_the_public_half_of_an_earlier_key_of_records_stays_published(tmp_path: Path) -> None:
    before = open_keys(tmp_path).records.public_key().public_bytes_raw()
    (tmp_path / "records.pem").unlink()
    now = open_keys(tmp_path).records.public_key().public_bytes_raw()
    load_keys(tmp_path)
    published = json.loads((tmp_path / "records.pub.json").read_text())
    assert [raw_from_jwk(jwk) for jwk in published["keys"]] == [now, before]


def test_a_public_half_that_went_wrong_is_written_anew(tmp_path: Path) -> None:
    open_keys(tmp_path)
    good = (tmp_path / "records.pub.json").read_bytes()
    (tmp_path / "records.pub.json").write_bytes(b"{}")
    load_keys(tmp_path)
    assert (tmp_path / "records.pub.json").read_bytes() == good


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_secret_that_others_can_use_is_refused_by_name(tmp_path: Path, name: str, mode: int) -> None:
    open_keys(tmp_path)
    (tmp_path / name).chmod(mode)
    with pytest.raises(KeyFolderError, match=rf"{name}: mode {mode:04o}.*chmod 600"):
        open_keys(tmp_path)


def test_loading_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyFolderError, match=r"issuer\.pem: no such file"):
        load_keys(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    open_keys(tmp_path)
    with pytest.raises(KeyFolderError, match="not an Ed25519"):
        load_ed25519(tmp_path / "bundle.pem")
    with pytest.raises(KeyFolderError, match="not an EC P-256"):
        load_p256(tmp_path / "issuer.pem")
    other = generate_private_key(SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "bundle.pem").write_bytes(other)
    with pytest.raises(KeyFolderError, match="neither"):
        load_p256(tmp_path / "bundle.pem")


@pytest.mark.parametrize(
    "content", [b"", b"not a pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_broken_key_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "issuer.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFolderError) as refused:
        load_ed25519(path)
    assert "AAAA" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"ab" * 31, b"AB" * 32, b"ab" * 33, b"zz" * 32])
def test_a_token_of_another_shape_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "admin.token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFolderError, match="64 lower-case hex"):
        load_token(path)


def test_a_pipe_in_place_of_a_key_neither_hangs_nor_passes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "issuer.pem", 0o600)
    with pytest.raises(KeyFolderError, match="not a regular file"):
        load_ed25519(tmp_path / "issuer.pem")


def test_no_secret_shows_in_the_repr(tmp_path: Path) -> None:
    keys = open_keys(tmp_path)
    assert keys.admin_token not in repr(keys)
    assert keys.opa_token not in repr(keys)
