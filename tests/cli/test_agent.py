"""`aegis agent` as a user runs it, before a mesh that judges each proof by the letter."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz.agent.enrolment import Enrolment, agent_folder, write_enrolment
from tests.support.agent_mesh import AGENT, SmallMesh, new_key, small_mesh


@pytest_asyncio.fixture
async def mesh() -> AsyncIterator[SmallMesh]:
    async with small_mesh() as running:
        yield running


@pytest.fixture
def home(mesh: SmallMesh, tmp_path: Path) -> Path:
    """A user's folder of settings in which the agent is enrolled."""
    key = new_key()
    mesh.enrol(key)
    folder = agent_folder(tmp_path / "aegis" / "agents", AGENT)
    folder.mkdir(parents=True)
    (folder / "key.pem").touch(0o600)
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    enrolment = Enrolment(str(AGENT), f"{mesh.url}/v1/token", "aegis", "small-mesh", mesh.url, mesh.url, "", "")
    write_enrolment(folder, enrolment)
    return tmp_path


async def start(home: Path, *words: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "aegis_authz.cli", "agent", *words]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(home)}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)


async def aegis_agent(home: Path, *words: str) -> tuple[int | None, str, str]:
    process = await start(home, *words)
    printed, complained = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, printed.decode(), complained.decode()


async def test_a_command_calls_as_the_agent_and_knows_nothing_of_it(mesh: SmallMesh, home: Path) -> None:
    script = "curl -sS -d '{}' http://tool.example/pay && curl -sS --noproxy '*' $AEGIS_BASE_URL/github/x; exit 3"
    code, printed, complained = await aegis_agent(home, "run", "--", "sh", "-c", script)
    assert (code, printed, complained) == (3, "{}done", "")
    assert [call["target"] for call in mesh.passed] == ["http://tool.example/pay", "/github/x"]
    assert mesh.refusals == []


async def test_a_tunnel_that_the_mesh_refuses_is_not_opened(mesh: SmallMesh, home: Path) -> None:
    code, printed, _ = await aegis_agent(home, "run", "--", "curl", "-s", "-w", "%{http_connect}", "https://a.example/")
    assert (code, printed) == (56, "401")  # curl: the proxy refused, with the mesh's own words
    assert mesh.passed == []


async def test_a_proxy_serves_until_it_is_told_to_stop(mesh: SmallMesh, home: Path) -> None:
    process = await start(home, "proxy", "--listen", "127.0.0.1:0")
    assert process.stderr is not None
    line = (await asyncio.wait_for(process.stderr.readline(), 60)).decode()
    matched = re.fullmatch(rf"signing for {AGENT} at (http://\S+), to {mesh.url}\n", line)
    assert matched is not None, line
    curl = await asyncio.create_subprocess_exec(
        *("curl", "-sS", f"{matched[1]}/github/x"), stdout=asyncio.subprocess.PIPE
    )
    assert (await curl.communicate())[0] == b"done"
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_key_that_others_can_read_is_refused(home: Path) -> None:
    (agent_folder(home / "aegis" / "agents", AGENT) / "key.pem").chmod(0o640)
    code, _, complained = await aegis_agent(home, "run", "--", "true")
    assert code == 2
    assert "mode 0640 lets others use this secret; run: chmod 600" in complained


async def test_without_an_enrolment_it_says_how_to_get_one(tmp_path: Path) -> None:
    code, _, complained = await aegis_agent(tmp_path, "run", "--", "true")
    assert code == 2
    assert "no agent is enrolled in" in complained
    assert "aegis agent enroll CODE" in complained


async def test_a_key_without_an_enrolment_needs_its_places(mesh: SmallMesh, home: Path, tmp_path: Path) -> None:
    key = str(agent_folder(home / "aegis" / "agents", AGENT) / "key.pem")
    code, _, complained = await aegis_agent(tmp_path, "run", "--key", key, "--", "true")
    assert (code, "say --agent as well" in complained) == (2, True)
    places = ("--agent", str(AGENT), "--control", mesh.url, "--mesh", mesh.url)
    run = await aegis_agent(tmp_path, "run", "--key", key, *places, "--", "curl", "-sS", "http://tool.example/x")
    assert run == (0, "done", "")


async def test_a_control_plane_that_is_away_is_said_to_the_operator_and_to_the_caller(
    mesh: SmallMesh, home: Path
) -> None:
    mesh.is_away = True
    code, printed, complained = await aegis_agent(home, "run", "--", "curl", "-s", "http://tool.example/x")
    assert code == 0
    assert json.loads(printed)["reason"] == "TOKEN_UNAVAILABLE"
    assert "issued no token to acme/emea/coding-agent: temporarily_unavailable; calls are refused" in complained


async def test_an_agent_brings_its_own_key_for_a_code(mesh: SmallMesh, tmp_path: Path) -> None:
    mesh.code = "once"
    code, printed, complained = await aegis_agent(tmp_path, "enroll", "once", "--control", mesh.url)
    assert (code, complained) == (0, "")
    folder = agent_folder(tmp_path / "aegis" / "agents", AGENT)
    assert printed.startswith(f"{AGENT} is enrolled; its key is in {folder}\n")
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    assert await aegis_agent(tmp_path, "run", "--", "curl", "-sS", "http://tool.example/x") == (0, "done", "")
    key = (folder / "key.pem").read_bytes()
    code, _, complained = await aegis_agent(tmp_path, "enroll", "once", "--control", mesh.url)
    assert (code, "the code is unknown, used or over" in complained) == (2, True)
    assert (folder / "key.pem").read_bytes() == key
    assert [path.name for path in (tmp_path / "aegis" / "agents").iterdir()] == ["acme"]


async def test_a_control_plane_that_is_none_leaves_no_key(tmp_path: Path) -> None:
    for control in ("http://127.0.0.1:9", "no url"):
        code, _, complained = await aegis_agent(tmp_path, "enroll", "once", "--control", control)
        assert (code, "does not answer at" in complained) == (2, True)
    assert list((tmp_path / "aegis" / "agents").iterdir()) == []
