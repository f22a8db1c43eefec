"""A transit engine that fails in every way: each is a fault of its own, and none says the token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from aegis_authz.adapters.keys.vault import VaultKeyStore, token_source
from aegis_authz.config.control import KeyServiceSettings, VaultSettings
from aegis_authz.ports.key_rings import KeyServiceDown
from tests.support.transit_server import TOKEN, Transit, transit_server


@pytest.fixture
def transit() -> Iterator[Transit]:
    with transit_server() as server:
        yield server


@pytest.fixture
def store(transit: Transit) -> Iterator[VaultKeyStore]:
    opened = VaultKeyStore(transit.url, "transit", "aegis-issuer", lambda: TOKEN)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("status", "content", "why"),
    [
        (500, b"{}", "status 500"),
        (307, b"", "status 307"),  # nobody is followed elsewhere with the token
        (200, b"<html>", "not what Vault answers"),
        (200, b'{"data": []}', "not what Vault answers"),
        (200, b'{"data": {"signature": "vault:v1:AAAA"}}', "something else than a signature"),
        (200, b'{"data": {"signature": 1}}', "something else than a signature"),
        (200, b"[" * 100_000, "not what Vault answers"),
        (200, b" " * 1_100_000, "no answer"),
    ],
)
def test_an_answer_that_is_none_signs_nothing(
    transit: Transit, store: VaultKeyStore, status: int, content: bytes, why: str
) -> None:
    handle = store.make()
    transit.answer = (status, content)
    with pytest.raises(KeyServiceDown, match=why) as fault:
        store.sign(handle, b"x")
    assert TOKEN not in str(fault.value)


def test_a_signature_of_another_version_is_none(transit: Transit, store: VaultKeyStore) -> None:
    handle = store.make()
    transit.answer = (200, b'{"data": {"signature": "vault:v2:%b=="}}' % (b"A" * 86))
    with pytest.raises(KeyServiceDown, match="something else"):
        store.sign(handle, b"x")


def test_a_sealed_engine_a_wrong_token_and_nobody_are_told_apart(transit: Transit, store: VaultKeyStore) -> None:
    handle = store.make()
    transit.is_sealed = True
    with pytest.raises(KeyServiceDown, match="status 503"):
        store.sign(handle, b"x")
    transit.is_sealed = False
    stranger = VaultKeyStore(transit.url, "transit", "aegis-issuer", lambda: "wrong-token-1")
    with pytest.raises(KeyServiceDown, match="status 403") as fault:
        stranger.sign(handle, b"x")
    assert "wrong-token-1" not in str(fault.value)
    nobody = VaultKeyStore("http://127.0.0.1:1", "transit", "aegis-issuer", lambda: TOKEN)
    with pytest.raises(KeyServiceDown, match="no answer"):
        nobody.make()
    for opened in (stranger, nobody):
        opened.close()


@pytest.mark.parametrize("handle", ["", "0", "../aegis-approvals", "1/x", "latest"])
def test_a_handle_that_is_no_version_reaches_no_path(store: VaultKeyStore, handle: str) -> None:
    with pytest.raises(KeyServiceDown, match="not a version"):
        store.sign(handle, b"x")


def test_a_key_of_another_kind_is_not_taken(transit: Transit, store: VaultKeyStore) -> None:
    store.make()
    transit.answer = (200, b'{"data": {"type": "aes256-gcm96", "keys": {"1": 1780000000}, "latest_version": 1}}')
    with pytest.raises(KeyServiceDown, match="not an Ed25519 key"):
        store.public_key("1")


def test_the_token_comes_from_its_file_each_time_or_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    source = token_source(file)
    with pytest.raises(KeyServiceDown, match="cannot be read"):
        source()
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        assert source() == token
    file.write_text("two\nlines")
    with pytest.raises(KeyServiceDown, match="no token") as fault:
        source()
    assert "lines" not in str(fault.value)
    monkeypatch.setenv("VAULT_TOKEN", "from-outside")
    assert token_source(None)() == "from-outside"
    monkeypatch.delenv("VAULT_TOKEN")
    with pytest.raises(KeyServiceDown, match="no token in VAULT_TOKEN"):
        token_source(None)()


@pytest.mark.parametrize(
    "url", ["http://vault.example", "https://me:secret@vault", "https://", "vault:8200", "https://v?x"]
)
def test_the_token_is_sent_in_the_clear_to_nobody(url: str) -> None:
    with pytest.raises(ValidationError):
        VaultSettings(url=url)


def test_the_keys_are_in_one_service(tmp_path: Path) -> None:
    vault = {"url": "https://vault.example"}
    with pytest.raises(ValidationError, match="either vault or pkcs11"):
        KeyServiceSettings.model_validate({"vault": vault, "pkcs11": {"module": tmp_path, "token": "t"}})
    with pytest.raises(ValidationError, match="either vault or pkcs11"):
        KeyServiceSettings.model_validate({})
    assert KeyServiceSettings.model_validate({"vault": vault}).vault is not None
