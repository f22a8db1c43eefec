"""The folder of the mesh's authority: made once, rotated in three steps, and what clients are given meanwhile."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from aegis_authz.adapters.files.authority_folder import (
    ENDORSEMENTS,
    NEXT,
    SIGNING,
    AuthorityFile,
    AuthorityFolder,
    PublishedAuthorities,
    RotationFault,
)
from aegis_authz.core.units import Epoch
from aegis_authz.intercept.authority import AuthorityUnreadable, certificates_in, new_authority
from aegis_authz.intercept.endorsements import endorsed

NOW = Epoch(1_800_000_000.0)


@pytest.fixture
def public(tmp_path: Path) -> Path:
    path = tmp_path / "public.pem"
    path.write_bytes(new_authority(NOW).certificate)
    return path


@pytest.fixture
def folder(tmp_path: Path, public: Path) -> AuthorityFolder:
    return AuthorityFolder(tmp_path / "ca", public)


def trusted(folder: AuthorityFolder) -> tuple[bytes, ...]:
    return certificates_in(folder.trusted.read_bytes())


def test_an_authority_is_made_once_and_its_key_is_for_its_owner_alone(folder: AuthorityFolder, tmp_path: Path) -> None:
    first = folder.open(NOW)
    assert folder.open(NOW).fingerprint == first.fingerprint
    assert stat.S_IMODE((tmp_path / "ca" / SIGNING).stat().st_mode) == 0o600
    assert trusted(folder) == (first.certificate,)
    assert b"PRIVATE" not in folder.bundle.read_bytes()


def test_clients_are_given_the_public_authorities_as_well(folder: AuthorityFolder, public: Path) -> None:
    own = folder.open(NOW)
    assert certificates_in(folder.bundle.read_bytes()) == (own.certificate, *certificates_in(public.read_bytes()))


def test_both_are_trusted_while_a_rotation_lasts(folder: AuthorityFolder, tmp_path: Path) -> None:
    old = folder.open(NOW)
    new = folder.begin(NOW, ("api.example",))
    assert (folder.signing().fingerprint, new.names) == (old.fingerprint, ("api.example",))
    assert trusted(folder) == (old.certificate, new.certificate)
    assert stat.S_IMODE((tmp_path / "ca" / NEXT).stat().st_mode) == 0o600
    assert folder.switch().fingerprint == folder.signing().fingerprint == new.fingerprint
    assert trusted(folder) == (new.certificate, old.certificate)
    folder.finish()
    assert trusted(folder) == (new.certificate,)


def test_steps_out_of_order_say_which_is_next(folder: AuthorityFolder) -> None:
    folder.open(NOW)
    with pytest.raises(RotationFault, match="begin one with: aegis ca rotate"):
        folder.switch()
    with pytest.raises(RotationFault, match="nothing to end"):
        folder.finish()
    folder.begin(NOW, ())
    with pytest.raises(RotationFault, match="go on with: aegis ca rotate --sign"):
        folder.begin(NOW, ())
    folder.switch()
    with pytest.raises(RotationFault, match="end it with: aegis ca rotate --finish"):
        folder.begin(NOW, ())


def test_a_switch_that_stopped_half_way_is_gone_on_with(folder: AuthorityFolder, tmp_path: Path) -> None:
    old = folder.open(NOW)
    new = folder.begin(NOW, ())
    pem = (tmp_path / "ca" / NEXT).read_bytes()
    folder.switch()
    (tmp_path / "ca" / NEXT).write_bytes(pem)  # as if the power had gone before it was removed
    (tmp_path / "ca" / NEXT).chmod(0o600)
    folder.switch()
    assert trusted(folder) == (new.certificate, old.certificate)


def test_no_rotation_begins_of_which_nothing_says_who_came_before(folder: AuthorityFolder, tmp_path: Path) -> None:
    old = folder.open(NOW)
    (tmp_path / "ca" / ENDORSEMENTS).mkdir()  # as if the disk were full
    with pytest.raises(OSError, match=ENDORSEMENTS):
        folder.begin(NOW, ())
    (tmp_path / "ca" / ENDORSEMENTS).rmdir()
    new = folder.begin(NOW, ())
    with pytest.raises(RotationFault):
        folder.begin(NOW, ())
    mesh = PublishedAuthorities(folder.trusted)()
    assert len(mesh.endorsements) == 1
    assert endorsed([old.certificate], mesh.trusted, mesh.endorsements, NOW) == (old.certificate, new.certificate)


def test_a_file_is_read_again_when_it_has_changed_and_signs_nothing_when_it_is_gone(
    folder: AuthorityFolder, tmp_path: Path
) -> None:
    old = folder.open(NOW)
    reading = AuthorityFile(tmp_path / "ca" / SIGNING)
    assert reading() is reading()
    assert reading().fingerprint == old.fingerprint
    folder.begin(NOW, ())
    new = folder.switch()
    assert reading().fingerprint == new.fingerprint
    (tmp_path / "ca" / SIGNING).unlink()
    with pytest.raises(OSError, match=r"signing\.pem"):
        reading()


def test_a_key_that_others_can_read_is_refused(folder: AuthorityFolder, tmp_path: Path) -> None:
    folder.open(NOW)
    (tmp_path / "ca" / SIGNING).chmod(0o640)
    with pytest.raises(AuthorityUnreadable, match="lets others use this secret"):
        AuthorityFile(tmp_path / "ca" / SIGNING)()
