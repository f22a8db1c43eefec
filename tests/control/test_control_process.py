"""`aegis serve control` as a process: starts, refuses to start, stops."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from aegis_authz.adapters.control_connection import ControlUnreachable
from aegis_authz.adapters.files.keys import open_keys
from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.releases import SqlReleases
from aegis_authz.commands.control import control_plane
from aegis_authz.commands.faults import Unable
from aegis_authz.config.control import ControlSettings, TlsSettings
from aegis_authz.core.release import Sources
from tests.support.authority import Authority
from tests.support.real_cluster import running_cluster

Documents = Callable[..., Sources]
PROGRAM = """
import logging, sys
from pathlib import Path
from aegis_authz.bootstrap.control import run_control
from aegis_authz.bootstrap.settings import load_settings
from aegis_authz.config.control import ControlSettings
logging.basicConfig(level=logging.INFO)
run_control(load_settings(Path(sys.argv[1]), ControlSettings))
"""


def write(settings: ControlSettings, sources: Sources) -> None:
    for folder, texts in ((settings.policies, sources.policies), (settings.tools, sources.tools)):
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text)


@asynccontextmanager
async def started(settings: ControlSettings, file: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    await asyncio.to_thread(file.write_text, json.dumps(settings.model_dump(mode="json")))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(file), stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: asyncio.subprocess.Process, words: str) -> str:
    """Read its log until a line holds the words."""
    assert process.stderr is not None
    async with asyncio.timeout(90):  # all that it imports is read on a machine that does other things
        log = ""
        while words not in log:
            line = (await process.stderr.readline()).decode()
            assert line, log
            log += line
        return log


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def placed(settings: ControlSettings) -> ControlSettings:
    open_keys(settings.keys)
    return settings.model_copy(update={"listen": f"127.0.0.1:{free_port()}"})


async def test_it_serves_and_stops_at_once_though_a_poll_is_held(
    placed: ControlSettings, documents: Documents, tmp_path: Path
) -> None:
    write(placed, documents())
    async with started(placed, tmp_path / "control.yaml") as process:
        own = (line for line in (await said(process, "listens on")).splitlines() if ":aegis_authz." in line)
        first = next(own)
        assert "Redis does not answer, and the control plane is not ready until it does: start it" in first
        token = (placed.keys / "opa.token").read_text()
        async with httpx.AsyncClient(
            base_url=f"http://{placed.listen}", headers={"authorization": f"Bearer {token}"}
        ) as opa:
            etag = (await opa.get("/bundles/aegis.tar.gz")).headers["etag"]
            report = {"labels": {"id": "i1"}, "bundles": {}}
            assert (await opa.post("/status", json=report)).status_code == 204
            headers = {"if-none-match": etag, "prefer": "modes=snapshot;wait=50"}
            poll = asyncio.create_task(opa.get("/bundles/aegis.tar.gz", headers=headers, timeout=60))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(poll), 0.3)
            process.terminate()
            assert (await asyncio.wait_for(poll, 2)).status_code == 304
            assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_on_a_cluster_it_begins_what_is_remembered_in_every_partition(
    placed: ControlSettings, documents: Documents, tmp_path: Path, redis_binary: Path
) -> None:
    write(placed, documents())
    with running_cluster(redis_binary) as cluster:
        on_cluster = placed.model_copy(update={"redis": cluster.url})
        async with started(on_cluster, tmp_path / "control.yaml") as process:
            await said(process, "listens on")
            async with asyncio.timeout(30):
                while any(len(cluster.names(f"aegis:{{*}}:{mark}")) < 64 for mark in ("counted", "told")):
                    await asyncio.sleep(0.05)
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_it_does_not_start_on_invalid_folders_and_says_where(
    placed: ControlSettings, documents: Documents, tmp_path: Path
) -> None:
    write(placed, Sources({"a.yaml": "agent: a\nallowed_tool: []\n"}, documents().tools))
    async with started(placed, tmp_path / "control.yaml") as process:
        log = await said(process, "a.yaml:2:1: allowed_tool")
        assert await asyncio.wait_for(process.wait(), 5) == 1
    assert "Traceback" not in log
    database = BlockingDatabase(f"sqlite:///{placed.state / 'control.db'}")
    assert SqlReleases(database).current() == ""
    database.close()


async def test_a_second_one_on_the_same_file_of_sqlite_does_not_start(
    placed: ControlSettings, documents: Documents, tmp_path: Path
) -> None:
    write(placed, documents())
    database = f"sqlite:///{tmp_path / 'mesh.db'}"
    own = placed.model_copy(update={"database": database})
    second = own.model_copy(update={"listen": f"127.0.0.1:{free_port()}", "state": tmp_path / "second"})
    async with started(own, tmp_path / "control.yaml") as process:
        await said(process, "listens on")
        async with started(second, tmp_path / "second.yaml") as refused:
            await said(refused, "mesh.db: several of them share a PostgreSQL, not a file of SQLite")
            assert await asyncio.wait_for(refused.wait(), 5) == 1


async def test_a_second_one_on_the_same_folder_does_not_start(
    placed: ControlSettings, documents: Documents, tmp_path: Path
) -> None:
    write(placed, documents())
    async with started(placed, tmp_path / "control.yaml") as first:
        await said(first, "listens on")
        other = placed.model_copy(update={"listen": f"127.0.0.1:{free_port()}"})
        async with started(other, tmp_path / "other.yaml") as second:
            await said(second, f"another control plane is using {placed.state}")
            assert await asyncio.wait_for(second.wait(), 5) == 1


async def test_a_missing_key_is_not_made_anew_but_stops_the_start(
    placed: ControlSettings, documents: Documents, tmp_path: Path
) -> None:
    write(placed, documents())
    elsewhere = placed.model_copy(update={"keys": tmp_path / "none"})
    async with started(elsewhere, tmp_path / "control.yaml") as process:
        log = await said(process, "issuer.pem: no such file; the secrets of a mesh are made once, by: aegis init")
        assert await asyncio.wait_for(process.wait(), 5) == 1
    assert "Traceback" not in log
    assert not elsewhere.keys.exists()


async def test_a_key_that_others_can_read_stops_the_start(
    placed: ControlSettings, documents: Documents, tmp_path: Path
) -> None:
    write(placed, documents())
    async with started(placed, tmp_path / "control.yaml") as process:
        await said(process, "listens on")
        process.terminate()
        await process.wait()
    (placed.keys / "issuer.pem").chmod(0o644)
    async with started(placed, tmp_path / "control.yaml") as process:
        await said(process, "issuer.pem: mode 0644")
        assert await asyncio.wait_for(process.wait(), 5) == 1


async def test_it_speaks_tls_and_believes_the_certificates_of_its_authorities(
    placed: ControlSettings, documents: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(placed, documents())
    authority = Authority(tmp_path)
    server, ann = (authority.leaf(f"{name}.pem", x509.DNSName(name)) for name in ("localhost", "ann"))
    for file in (server, ann):
        file.chmod(0o600)
    tls = TlsSettings(certificate=server, key=server, client_ca=authority.file)
    secured = placed.model_copy(update={"tls": tls})
    url = f"https://localhost:{placed.listen.rpartition(':')[2]}"
    async with started(secured, tmp_path / "control.yaml") as process:
        await said(process, "listens on")
        monkeypatch.setenv("AEGIS_CONTROL", url)
        monkeypatch.setenv("AEGIS_ADMIN_TOKEN_FILE", str(placed.keys / "admin.token"))
        with control_plane(tmp_path) as client, pytest.raises(ControlUnreachable):
            await asyncio.to_thread(client.status)  # an authority that nobody named
        monkeypatch.setenv("AEGIS_CONTROL_CA", str(authority.file))
        for certificate in ("", str(ann)):
            monkeypatch.setenv("AEGIS_CONTROL_CERTIFICATE", certificate)
            with control_plane(tmp_path) as client:
                assert (await asyncio.to_thread(client.status)).revision
        monkeypatch.setenv("AEGIS_CONTROL_CERTIFICATE", str(tmp_path / "away"))
        with pytest.raises(Unable, match="away: no such file"), control_plane(tmp_path):
            pass
    away = placed.model_copy(update={"tls": tls.model_copy(update={"key": tmp_path / "away.key"})})
    async with started(away, tmp_path / "control.yaml") as process:
        log = await said(process, "the control plane cannot run:")
        assert await asyncio.wait_for(process.wait(), 5) == 1
    assert "away.key" in log
    assert "Traceback" not in log


def test_a_unix_socket_needs_no_tls(placed: ControlSettings, tmp_path: Path) -> None:
    tls = {"certificate": str(tmp_path / "a"), "key": str(tmp_path / "b")}
    with pytest.raises(ValueError, match="tls is for a listener of host:port"):
        ControlSettings.model_validate({**placed.model_dump(), "listen": f"unix:{tmp_path}/c.sock", "tls": tls})
