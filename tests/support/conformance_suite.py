"""The official conformance suite of MCP and the server it is made for, installed once from npm and PyPI."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

SUITE = "0.2.0-alpha.12"
"""Of @modelcontextprotocol/conformance: the first line that knows both eras, and what the SDKs' own CI runs."""
NODE = "22"
PYTHON_1, TYPESCRIPT_1, TYPESCRIPT_2 = "1.30.0", "1.32.2", "2.4.0"
"""The official clients beside the Python SDK of our own lock."""
REVISIONS = {"2025-11-25": 84, "2026-07-28": 152}
"""The checks that the server passes of each revision, called directly."""
_RUN_SECONDS = 400
_ON_H11 = (
    # uvicorn's other reader, httptools, leaves the white space around values, and a check is about that
    "import runpy, sys; sys.modules['httptools'] = None; "
    "runpy.run_module('mcp_everything_server', run_name='__main__', alter_sys=True)"
)

Checks = Counter[tuple[str, str, str, str]]
"""How often each check came out as it did: scenario, id, name, status."""


class Suite:
    """What is installed in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._modules = folder / "node_modules"

    @staticmethod
    def in_cache() -> Suite:
        """What the user's cache holds, so that it is installed once."""
        return Suite(Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "aegis" / "mcp-conformance")

    def install(self) -> None:
        """Take from the registries what is missing. Raises CalledProcessError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._npm("conformance", f"node@{NODE}", f"@modelcontextprotocol/conformance@{SUITE}")
        if not self._server.exists():
            sdk = f"mcp=={version('mcp')}"
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "mcp", "--dest", "."]
            subprocess.run([*pip, sdk], cwd=self._folder, check=True)
            with tarfile.open(self._folder / f"mcp-{version('mcp')}.tar.gz") as archive:
                archive.extractall(self._folder, filter="data")

    def install_clients(self) -> None:
        """Take the official clients that are missing, of both lines of both languages. Raises CalledProcessError."""
        self._npm("sdk", f"@modelcontextprotocol/sdk@{TYPESCRIPT_1}")
        self._npm("client", f"@modelcontextprotocol/client@{TYPESCRIPT_2}")
        if not self._python_1.exists():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(self._python_1)]
            subprocess.run([*pip, f"mcp=={PYTHON_1}"], check=True)

    def program(self, client: str, script: str, folder: Path) -> list[str]:
        """The words that run a script for a client; it stands where its packages are found."""
        if client.startswith("python"):
            path = folder / "client.py"
            path.write_text(script)
            return [sys.executable, str(path)]
        path = self._folder / f"{client.replace(' ', '-')}.mjs"
        path.write_text(script)
        return [str(self._node), str(path)]

    def environment(self, client: str) -> dict[str, str]:
        """What the client runs in."""
        found = {"PYTHONPATH": str(self._python_1)} if client == "python 1" else {}
        return {**os.environ, **found}

    def _npm(self, name: str, *packages: str) -> None:
        if not (self._modules / "@modelcontextprotocol" / name).exists():
            npm = shutil.which("npm") or "npm"
            subprocess.run([npm, "i", "--no-audit", "--no-fund", *packages], cwd=self._folder, check=True)

    @property
    def _node(self) -> Path:
        return self._modules / "node" / "bin" / "node"

    @property
    def _python_1(self) -> Path:
        return self._folder / f"python-{PYTHON_1}"

    @property
    def _server(self) -> Path:
        return self._folder / f"mcp-{version('mcp')}" / "examples" / "servers" / "everything-server"

    @asynccontextmanager
    async def server(self, port: int) -> AsyncIterator[None]:
        """The SDK's everything-server on this port."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _ON_H11,
            "--port",
            str(port),
            cwd=self._server,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(30):
                while not await _answers(port):
                    await asyncio.sleep(0.1)
            yield
        finally:
            process.kill()
            await process.wait()

    async def run(self, port: int, revision: str, folder: Path) -> Checks:
        """Every check of a revision against the endpoint at this port.

        What did not pass has a second chance: some checks are about times, and the machine may be busy.
        """
        checks = await self._run(port, revision, folder / "first")
        if passed(checks) < REVISIONS[revision]:
            checks |= await self._run(port, revision, folder / "second")
        return checks

    async def _run(self, port: int, revision: str, folder: Path) -> Checks:
        path = f"{self._modules / 'node' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        script = self._modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
        process = await asyncio.create_subprocess_exec(
            str(self._node),
            str(script),
            *("server", "--url", f"http://127.0.0.1:{port}/mcp", "--suite", "all", "--spec-version", revision),
            *("--timeout", "60000", "-o", str(folder)),
            env={**os.environ, "PATH": path},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(_RUN_SECONDS):
            await process.wait()
        return _checks(folder)


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    return True


def _checks(folder: Path) -> Checks:
    checks: Checks = Counter()
    for path in folder.glob("*/checks.json"):
        scenario = path.parent.name.partition("-20")[0].removeprefix("server-")
        for check in json.loads(path.read_text("utf-8")):
            checks[scenario, check["id"], check.get("name", ""), check["status"]] += 1
    return checks


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port: int = place.getsockname()[1]
        return port


def passed(checks: Checks) -> int:
    """How many checks passed."""
    return sum(count for (_, _, _, status), count in checks.items() if status == "SUCCESS")


def lost(direct: Checks, through: Checks) -> list[str]:
    """The checks that passed directly and did not pass through the mesh, by scenario and name."""
    missing = direct - through
    return sorted(
        f"{scenario}: {name or id_}" for (scenario, id_, name, status), _ in missing.items() if status == "SUCCESS"
    )
