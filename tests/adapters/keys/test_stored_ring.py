"""While the key service is away: public keys are known, nothing is signed, and what it signs wrongly is not used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.adapters.keys.stored_ring import StoredKeyRing
from aegis_authz.adapters.keys.vault import VaultKeyStore
from aegis_authz.core.units import Epoch
from aegis_authz.ports.key_rings import KeyRingFault, KeyServiceDown
from tests.support.transit_server import TOKEN, Transit, transit_server

NOW = Epoch(1_800_000_000.0)


@pytest.fixture
def transit() -> Iterator[Transit]:
    with transit_server() as server:
        yield server


@pytest.fixture
def store(transit: Transit) -> Iterator[VaultKeyStore]:
    opened = VaultKeyStore(transit.url, "transit", "aegis-issuer", lambda: TOKEN)
    yield opened
    opened.close()


def test_a_start_while_the_service_is_away_knows_all_public_keys_and_signs_nothing(
    transit: Transit, store: VaultKeyStore, tmp_path: Path
) -> None:
    before = StoredKeyRing(tmp_path, "issuer", store, lambda: NOW)
    before.prepare()
    transit.is_sealed = True
    ring = StoredKeyRing(tmp_path, "issuer", store, lambda: NOW)
    assert ring.trusted(NOW) == before.trusted(NOW)
    assert ring.since == NOW
    with pytest.raises(KeyServiceDown, match="status 503"):
        ring.signing_key.sign(b"x")
    transit.is_sealed = False
    ring.signing_key.public_key().verify(ring.signing_key.sign(b"x"), b"x")


def test_a_ring_is_not_begun_without_the_service(transit: Transit, store: VaultKeyStore, tmp_path: Path) -> None:
    transit.is_sealed = True
    with pytest.raises(KeyServiceDown):
        StoredKeyRing(tmp_path, "issuer", store, lambda: NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_signature_by_another_key_is_not_used(transit: Transit, store: VaultKeyStore, tmp_path: Path) -> None:
    ring = StoredKeyRing(tmp_path, "issuer", store, lambda: NOW)
    transit.lies = True
    with pytest.raises(KeyServiceDown, match="another key"):
        ring.signing_key.sign(b"x")


def test_no_private_key_is_in_the_folder(store: VaultKeyStore, tmp_path: Path) -> None:
    StoredKeyRing(tmp_path, "issuer", store, lambda: NOW)
    (file,) = tmp_path.iterdir()
    data = json.loads(file.read_text())
    assert set(data["current"]["jwk"]) == {"kty", "crv", "x", "kid", "use", "alg"}
    assert data["current"]["handle"] == "1"


@pytest.mark.parametrize("text", ["", "{}", '{"current": {}, "next": null, "former": []}', '{"current": 1}'])
def test_a_file_that_is_not_understood_is_not_taken_for_no_ring(
    store: VaultKeyStore, tmp_path: Path, text: str
) -> None:
    (tmp_path / "issuer.ring.json").write_text(text)
    with pytest.raises(KeyRingFault, match="cannot be read"):
        StoredKeyRing(tmp_path, "issuer", store, lambda: NOW)
