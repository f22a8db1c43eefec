"""The workloads of a worker against a token endpoint: keys, tokens, renewal, and what is told when there is none."""

from __future__ import annotations

import asyncio
import stat
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz.adapters.files.keys import KeyFolderError, load_ed25519
from aegis_authz.bootstrap.workloads import OpenWorkload, open_workloads
from aegis_authz.config.authz import WorkloadSettings
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from tests.support.agent_mesh import AGENT, SmallMesh, new_key, small_mesh

SUBJECT = "aa.bb.cc"


def settings_of(mesh: SmallMesh, folder: Path, **changes: object) -> WorkloadSettings:
    return WorkloadSettings.model_validate(
        {"agent": str(AGENT), "token_endpoint": f"{mesh.url}/v1/token", "key": folder / "key.pem", **changes}
    )


def own_key(mesh: SmallMesh, folder: Path) -> None:
    key = new_key()
    mesh.enrol(key)
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "key.pem").chmod(0o600)


async def opened(settings: WorkloadSettings, stack: AsyncExitStack) -> OpenWorkload:
    (entry,) = await open_workloads({"pod": settings}, stack)
    return entry


async def until_held(entry: OpenWorkload) -> str:
    async with asyncio.timeout(10):
        while entry.trouble:
            await asyncio.sleep(0.01)
    return entry.workload.tokens.current()


async def test_the_agents_own_key_gets_its_token_and_no_call_waits_for_it(tmp_path: Path) -> None:
    async with small_mesh() as mesh, AsyncExitStack() as stack:
        own_key(mesh, tmp_path)
        entry = await opened(settings_of(mesh, tmp_path), stack)
        with pytest.raises(Refused) as refused:
            entry.workload.tokens.current()
        assert refused.value.reason is Reason.WORKLOAD_UNAVAILABLE
        assert entry.trouble == f"pod has no token of {AGENT}: none was obtained yet"
        renewal = asyncio.create_task(entry.keeper.keep())
        assert await until_held(entry)
        assert mesh.tokens_issued == 1
        renewal.cancel()


async def test_an_outage_is_survived_until_the_token_ends_and_named_from_then_on(tmp_path: Path) -> None:
    async with small_mesh() as mesh, AsyncExitStack() as stack:
        own_key(mesh, tmp_path)
        mesh.life = 2
        entry = await opened(settings_of(mesh, tmp_path), stack)
        renewal = asyncio.create_task(entry.keeper.keep())
        token = await until_held(entry)
        mesh.is_away = True
        assert entry.workload.tokens.current() == token
        async with asyncio.timeout(10):
            while not entry.trouble:
                await asyncio.sleep(0.01)
        assert "temporarily_unavailable" in entry.trouble
        with pytest.raises(Refused):
            entry.workload.tokens.current()
        mesh.is_away = False
        assert await until_held(entry) != token
        renewal.cancel()


async def test_a_platforms_token_is_exchanged_for_a_key_that_all_workers_share(tmp_path: Path) -> None:
    (tmp_path / "subject").write_text(SUBJECT, "utf-8")
    async with small_mesh() as mesh, AsyncExitStack() as stack:
        settings = settings_of(mesh, tmp_path, subject_token=tmp_path / "subject")
        first, second = [await opened(settings, stack) for _ in range(2)]
        key = load_ed25519(tmp_path / "key.pem")
        mesh.subjects[SUBJECT] = key.public_key()
        renewals = [asyncio.create_task(entry.keeper.keep()) for entry in (first, second)]
        await until_held(first)
        await until_held(second)
        assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
        for renewal in renewals:
            renewal.cancel()


async def test_what_stands_in_the_way_is_told_and_holds_no_token(tmp_path: Path) -> None:
    async with small_mesh() as mesh, AsyncExitStack() as stack:
        settings = settings_of(mesh, tmp_path, subject_token=tmp_path / "subject")
        entry = await opened(settings, stack)
        renewal = asyncio.create_task(entry.keeper.keep())
        async with asyncio.timeout(10):
            while "No such file" not in entry.trouble:
                await asyncio.sleep(0.01)
            (tmp_path / "subject").write_text(SUBJECT, "utf-8")
            while "issued no token" not in entry.trouble:
                await asyncio.sleep(0.01)
        assert SUBJECT not in entry.trouble
        renewal.cancel()


async def test_without_a_subject_token_a_key_that_is_missing_is_not_made(tmp_path: Path) -> None:
    async with small_mesh() as mesh, AsyncExitStack() as stack:
        with pytest.raises(KeyFolderError, match=r"key\.pem"):
            await opened(settings_of(mesh, tmp_path), stack)
        assert not (tmp_path / "key.pem").exists()


async def test_a_file_of_authorities_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing", "utf-8")
    async with small_mesh() as mesh, AsyncExitStack() as stack:
        own_key(mesh, tmp_path)
        with pytest.raises(OSError, match=r"ca\.pem: no certificate authorities"):
            await opened(settings_of(mesh, tmp_path, authorities=tmp_path / "ca.pem"), stack)
