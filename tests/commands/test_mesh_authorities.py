"""An agent's copy of the mesh's authorities, asked of a control plane that answers as it likes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.agent.authorities import BUNDLE, OWN
from aegis_authz.commands.enrolling import enrol_agent
from aegis_authz.commands.faults import Unable
from aegis_authz.commands.mesh_authorities import AuthorityRenewal
from aegis_authz.intercept.authority import new_authority
from tests.support.agent_mesh import small_mesh


async def test_a_mesh_without_authorities_is_none_where_one_of_them_was_named(tmp_path: Path) -> None:
    authority = new_authority(SystemClock().now())
    async with small_mesh() as mesh, aiohttp.ClientSession() as session:
        renewal = AuthorityRenewal(tmp_path, mesh.url, pytest.fail)
        assert await renewal.renew(session) == ""
        assert authority.fingerprint in await renewal.renew(session, authority.fingerprint)
        mesh.authorities = {"authorities": [authority.certificate.decode()], "endorsements": []}
        assert await renewal.renew(session, authority.fingerprint) == ""
    assert (tmp_path / BUNDLE).read_bytes().startswith(authority.certificate)


async def test_who_hides_the_authority_that_was_named_has_nobody_enrolled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    async with small_mesh() as mesh:
        mesh.code = "c"
        with pytest.raises(Unable, match="nothing was enrolled"):
            await asyncio.to_thread(enrol_agent, "c", mesh.url, "", "", "0" * 64)
        assert mesh.code == "c"


async def test_who_enrols_at_another_mesh_trusts_the_authorities_of_the_former_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    authority = new_authority(SystemClock().now())
    async with small_mesh() as former, small_mesh() as mesh:
        former.authorities = {"authorities": [authority.certificate.decode()], "endorsements": []}
        former.code = mesh.code = "c"
        enrolled = await asyncio.to_thread(enrol_agent, "c", former.url, "", "", "")
        assert enrolled.enrolment.authorities == str(enrolled.folder / BUNDLE)
        former.code, former.is_away = "d", True  # it has some, and cannot say which
        enrolled = await asyncio.to_thread(enrol_agent, "d", former.url, "", "", "")
        assert (bool(enrolled.problem), enrolled.enrolment.authorities) == (True, str(enrolled.folder / BUNDLE))
        enrolled = await asyncio.to_thread(enrol_agent, "c", mesh.url, "", "", "")
        assert (enrolled.problem, enrolled.enrolment.authorities) == ("", "")
        assert not (enrolled.folder / OWN).exists()


async def test_an_authority_that_was_named_counts_until_the_agent_enrols_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    authority, stranger = new_authority(SystemClock().now()), new_authority(SystemClock().now())
    async with small_mesh() as mesh, aiohttp.ClientSession() as session:
        mesh.authorities = {"authorities": [authority.certificate.decode()], "endorsements": []}
        mesh.code = "c"
        enrolled = await asyncio.to_thread(enrol_agent, "c", mesh.url, "", "", authority.fingerprint)
        mesh.authorities = {"authorities": [stranger.certificate.decode()], "endorsements": []}
        renewal = AuthorityRenewal(enrolled.folder, mesh.url, pytest.fail)
        assert "were not taken" in await renewal.renew(session)
        assert (enrolled.folder / OWN).read_bytes() == authority.certificate
        mesh.code = "d"
        await asyncio.to_thread(enrol_agent, "d", mesh.url, "", "", "")
        assert await renewal.renew(session) == ""
        assert (enrolled.folder / OWN).read_bytes() == stranger.certificate
