"""An agent's copy of the mesh's authorities: what is believed of an offer, and what stays."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from aegis_authz.agent.authorities import BUNDLE, OWN, AuthoritiesFault, AuthorityFiles, ask_authorities
from aegis_authz.core.units import Epoch
from aegis_authz.intercept.authority import MeshAuthorities, new_authority
from tests.support.agent_mesh import small_mesh

NOW = Epoch(1_772_000_000.0)
FIRST, SECOND, STRANGER = new_authority(NOW), new_authority(NOW), new_authority(NOW)
ALONE = MeshAuthorities((FIRST.certificate,), ())
ROTATING = MeshAuthorities((FIRST.certificate, SECOND.certificate), (FIRST.endorse(SECOND, NOW),))
ROTATED = MeshAuthorities((SECOND.certificate,), (FIRST.endorse(SECOND, NOW),))
FOREIGN = MeshAuthorities((STRANGER.certificate,), (STRANGER.endorse(FIRST, NOW),))


@pytest.fixture
def files(tmp_path: Path) -> AuthorityFiles:
    (tmp_path / "public.pem").write_text("public\n")
    folder = tmp_path / "agent"
    folder.mkdir()
    return AuthorityFiles(folder, tmp_path / "public.pem")


def own(files: AuthorityFiles) -> bytes:
    return (files.folder / OWN).read_bytes()


def test_what_comes_by_tls_is_believed_and_clients_get_it_with_the_public_ones(files: AuthorityFiles) -> None:
    assert files.take(ALONE, "", True, NOW)
    assert (own(files), files.bundle.read_bytes()) == (FIRST.certificate, FIRST.certificate + b"public\n")
    assert not files.take(ALONE, "", True, NOW)
    assert files.take(FOREIGN, "", True, NOW)


def test_in_the_clear_the_one_that_was_named_is_believed_and_what_follows_it(files: AuthorityFiles) -> None:
    with pytest.raises(AuthoritiesFault, match=r"aegis agent enroll .* --authority"):
        files.take(ALONE, "", False, NOW)
    assert list(files.folder.iterdir()) == []
    files.take(ALONE, FIRST.fingerprint, False, NOW)
    files.take(ROTATING, "", False, NOW)
    assert own(files) == FIRST.certificate + SECOND.certificate
    files.take(ROTATED, "", False, NOW)
    assert own(files) == SECOND.certificate


def test_who_sits_between_puts_no_authority_in_its_place(files: AuthorityFiles) -> None:
    files.take(ALONE, FIRST.fingerprint, False, NOW)
    both = MeshAuthorities((STRANGER.certificate, FIRST.certificate), FOREIGN.endorsements)
    with pytest.raises(AuthoritiesFault):
        files.take(FOREIGN, "", False, NOW)
    files.take(both, "", False, NOW)
    assert own(files) == FIRST.certificate
    with pytest.raises(AuthoritiesFault, match="is none of those that the mesh has now"):
        files.take(FOREIGN, FIRST.fingerprint, True, NOW)
    assert own(files) == FIRST.certificate


def test_what_was_named_counts_also_where_an_answer_is_assured(files: AuthorityFiles) -> None:
    both = MeshAuthorities((STRANGER.certificate, *ROTATING.trusted), (*FOREIGN.endorsements, *ROTATING.endorsements))
    files.take(both, FIRST.fingerprint, True, NOW)
    assert own(files) == FIRST.certificate + SECOND.certificate
    with pytest.raises(AuthoritiesFault, match="nothing says that they are the mesh's"):
        files.take(FOREIGN, "", True, NOW)
    files.take(both, "", True, NOW)
    assert own(files) == FIRST.certificate + SECOND.certificate


def test_what_is_no_certificate_changes_nothing(files: AuthorityFiles) -> None:
    files.take(ALONE, "", True, NOW)
    for offer in (
        MeshAuthorities((b"x",), ()),
        MeshAuthorities((), ()),
        MeshAuthorities((FIRST.certificate,) * 40, ()),
    ):
        with pytest.raises(AuthoritiesFault):
            files.take(offer, "", True, NOW)
    assert (files.folder / BUNDLE).read_bytes() == FIRST.certificate + b"public\n"


async def test_a_control_plane_is_asked_and_its_answer_read_strictly() -> None:
    async with small_mesh() as mesh, aiohttp.ClientSession() as session:
        assert await ask_authorities(session, mesh.url) is None
        mesh.authorities = {"authorities": [FIRST.certificate.decode()], "endorsements": []}
        assert await ask_authorities(session, mesh.url + "/") == ALONE
        for answer in ({}, {"authorities": "x", "endorsements": []}, {"authorities": [1], "endorsements": []}, []):
            mesh.authorities = answer
            with pytest.raises(AuthoritiesFault, match="and no authorities"):
                await ask_authorities(session, mesh.url)
        mesh.is_away = True
        with pytest.raises(AuthoritiesFault):
            await ask_authorities(session, mesh.url)
