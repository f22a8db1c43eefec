from __future__ import annotations

import stat
from pathlib import Path

import pytest

from aegis_authz.adapters.files.key_ring import FileKeyRing
from aegis_authz.adapters.files.keys import open_keys
from aegis_authz.core.units import Epoch
from aegis_authz.ports.key_rings import KeyRingFault


def raws(ring: FileKeyRing, now: float) -> list[bytes]:
    return [key.public_bytes_raw() for key in ring.trusted(Epoch(now))]


@pytest.fixture
def ring(tmp_path: Path) -> FileKeyRing:
    open_keys(tmp_path)
    return FileKeyRing(tmp_path, "issuer")


def test_a_key_is_trusted_before_it_signs_and_for_a_while_after(ring: FileKeyRing, tmp_path: Path) -> None:
    [first] = raws(ring, 5)
    ring.prepare()
    ring.prepare()
    own, coming = raws(ring, 5)
    assert own == first == ring.signing_key.public_key().public_bytes_raw()
    ring.switch(Epoch(10.0))
    assert ring.signing_key.public_key().public_bytes_raw() == coming
    assert raws(ring, 9) == [coming, first]
    assert raws(ring, 10) == [coming]
    assert raws(FileKeyRing(tmp_path, "issuer"), 9) == [coming, first]
    assert open_keys(tmp_path).issuer.public_key().public_bytes_raw() == coming
    assert stat.S_IMODE((tmp_path / "issuer.pem").stat().st_mode) == 0o600
    assert (ring.is_outlived(Epoch(9)), ring.is_outlived(Epoch(10))) == (False, True)
    ring.drop(Epoch(10))
    assert raws(FileKeyRing(tmp_path, "issuer"), 5) == [coming]


def test_a_rotation_that_was_interrupted_is_seen_by_the_next_process(ring: FileKeyRing, tmp_path: Path) -> None:
    ring.prepare()
    assert raws(FileKeyRing(tmp_path, "issuer"), 5) == raws(ring, 5)


def test_there_is_nothing_to_switch_to_before_a_next_key(ring: FileKeyRing) -> None:
    with pytest.raises(KeyRingFault, match="no next key"):
        ring.switch(Epoch(10.0))


@pytest.mark.parametrize("text", ["", "{}", '{"former": [{}]}'])
def test_a_file_that_is_not_understood_is_not_taken_for_no_key(ring: FileKeyRing, tmp_path: Path, text: str) -> None:
    (tmp_path / "issuer.former.json").write_text(text)
    with pytest.raises(KeyRingFault, match="cannot be read"):
        FileKeyRing(tmp_path, "issuer")
