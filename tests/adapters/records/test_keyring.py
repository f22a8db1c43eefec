"""Keys that data keys are wrapped by: from a file, or in the transit engine of a Vault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aegis_authz.adapters.records.keyring import (
    VARIABLE,
    FileKey,
    Keyring,
    KeyUnusable,
    VaultKey,
    keyring_of,
    make_key_file,
    process_keyring,
)
from aegis_authz.adapters.vault_secrets import ADDRESS
from aegis_authz.adapters.vault_secrets import TOKEN as TOKEN_VARIABLE
from aegis_authz.evidence.encryption import EncryptedSegment
from tests.support.transit_server import TOKEN, transit_server

DATA_KEY = b"d" * 32


def segment(key: str, wrapped: str, number: int = 1) -> EncryptedSegment:
    return EncryptedSegment("w", number, 1, 2, bytes(32), 10, 0, "0" * 64, 0, "0" * 64, key, wrapped)


def test_a_key_of_a_file_opens_what_it_wrapped_for_that_segment_alone(tmp_path: Path) -> None:
    name = make_key_file(tmp_path / "kek")
    key = FileKey(tmp_path / "kek")
    wrapped = key.wrap(DATA_KEY, b"aegis-data-key\nw\n1\n")
    ring = keyring_of({VARIABLE: f"file:{tmp_path / 'kek'}"})
    assert key.name == name
    assert (tmp_path / "kek").stat().st_mode & 0o777 == 0o600
    assert ring.first.name == name
    assert ring.data_key(segment(name, wrapped)) == DATA_KEY
    with pytest.raises(KeyUnusable, match="does not open its data key"):
        ring.data_key(segment(name, wrapped, number=2))
    assert key.wrap(DATA_KEY, b"") != key.wrap(DATA_KEY, b"")


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    make_key_file(tmp_path / "kek")
    before = (tmp_path / "kek").read_bytes()
    with pytest.raises(KeyUnusable, match="is there already"):
        make_key_file(tmp_path / "kek")
    assert (tmp_path / "kek").read_bytes() == before


def test_a_file_that_is_no_key_is_refused_by_name_and_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    for content, mode in ((b"c2VjcmV0\n", 0o600), (b"no base64!", 0o600), (b"", 0o600), (b"A" * 43 + b"=", 0o644)):
        path.write_bytes(content)
        path.chmod(mode)
        with pytest.raises(KeyUnusable) as fault:
            keyring_of({VARIABLE: f"file:{path}"})
        assert str(path) in str(fault.value)
        assert "c2VjcmV0" not in str(fault.value)


@pytest.mark.parametrize("word", ["kek", "file:", "vault:transit", "vault:../x", "kms:a/b"])
def test_a_word_that_names_no_key_is_refused(word: str) -> None:
    with pytest.raises(KeyUnusable, match="a key is file:PATH or vault:MOUNT/NAME"):
        keyring_of({VARIABLE: word})


def test_without_a_key_the_one_that_is_missing_is_named() -> None:
    with pytest.raises(
        KeyUnusable, match=r"with the key vault:transit/aegis, which is not given \(AEGIS_RECORDS_KEYS\)"
    ):
        Keyring([]).data_key(segment("vault:transit/aegis", "vault:v1:x"))
    with pytest.raises(KeyUnusable, match="no key to encrypt with is named"):
        _ = Keyring([]).first


def test_the_process_reads_its_keys_again_when_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [make_key_file(tmp_path / name) for name in ("a", "b")]
    for file, name in zip(("a", "b"), names, strict=True):
        monkeypatch.setenv(VARIABLE, f"file:{tmp_path / file}")
        assert process_keyring() is process_keyring()
        assert process_keyring().first.name == name


def test_a_key_of_a_vault_wraps_by_its_newest_version_and_opens_those_of_before() -> None:
    with transit_server() as transit:
        transit.ciphers["aegis"] = [AESGCM(b"1" * 32)]
        key = VaultKey("transit", "aegis", {ADDRESS: transit.url, TOKEN_VARIABLE: TOKEN})
        first = key.wrap(DATA_KEY, b"a context")
        transit.ciphers["aegis"].append(AESGCM(b"2" * 32))
        second = key.wrap(DATA_KEY, b"a context")
        assert (first[:9], second[:9]) == ("vault:v1:", "vault:v2:")
        assert key.unwrap(first, b"a context") == key.unwrap(second, b"a context") == DATA_KEY
        with pytest.raises(KeyUnusable, match="transit/decrypt/aegis: status 400"):
            key.unwrap(second, b"another")
        transit.is_sealed = True
        with pytest.raises(KeyUnusable, match="status 503"):
            key.wrap(DATA_KEY, b"")
        transit.is_sealed = False
        for answer in ({"data": {}}, {"data": {"plaintext": "!"}}):
            transit.answer = 200, json.dumps(answer).encode()
            with pytest.raises(KeyUnusable, match="the answer is not what Vault answers"):
                key.unwrap(second, b"")
