"""`aegis down`, against stand-ins for the supervisor."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aegis_authz.local.layout import open_layout
from aegis_authz.local.mesh_facts import is_running, take_lock, write_facts
from aegis_authz.local.stopping import CannotStop, stop_mesh
from tests.support.mesh_facts import made_facts, made_process

Ends = Callable[..., bool]
SUPERVISOR = """
import signal, sys, time
from pathlib import Path
from aegis_authz.local.mesh_facts import take_lock
lock = take_lock(Path(sys.argv[1]) / "lock")
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""


@asynccontextmanager
async def supervisor(state: Path, how: str = "listens") -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISOR, str(state), how, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 20) == b"up\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def test_nothing_to_stop_is_said_and_leftovers_are_removed(tmp_path: Path) -> None:
    layout = open_layout(tmp_path)
    layout.facts.write_text("{}")
    os.close(take_lock(layout.lock))
    assert stop_mesh(tmp_path) is False
    assert not layout.facts.exists()
    assert not layout.run.exists()
    assert stop_mesh(tmp_path) is False
    assert stop_mesh(tmp_path / "never") is False


async def test_a_mesh_is_stopped_by_sigterm_and_nothing_is_left(tmp_path: Path) -> None:
    layout = open_layout(tmp_path)
    async with supervisor(tmp_path) as process:
        assert await asyncio.to_thread(stop_mesh, tmp_path) is True
        assert await asyncio.wait_for(process.wait(), 5) == -15
    assert not is_running(tmp_path)
    assert not layout.run.exists()


async def test_a_supervisor_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    async with supervisor(tmp_path, "deaf") as process:
        assert await asyncio.to_thread(stop_mesh, tmp_path, 0.2) is True
        assert await asyncio.wait_for(process.wait(), 5) == -9


async def test_a_process_of_the_mesh_that_lives_on_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_authz.local.stopping._KILL_PATIENCE", 0.2)
    write_facts(tmp_path / "mesh.json", made_facts(tmp_path, processes=(made_process("opa", pid=os.getpid()),)))
    async with supervisor(tmp_path):
        with pytest.raises(CannotStop, match=f"these processes are left: {os.getpid()}$"):
            await asyncio.to_thread(stop_mesh, tmp_path, 2.0)
