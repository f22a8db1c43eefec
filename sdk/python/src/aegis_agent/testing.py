"""A plugin of pytest: a mesh for a session, so that a project tests its agents against the policies that it has.

In the project's settings of pytest: `aegis_policies` and `aegis_tools`, folders of documents, and `aegis_agent`, the
ORG/TENANT/AGENT of most tests. Tools on this machine that nobody has started are answered by an echo. The `aegis`
command is needed (`aegis-authz[local]`), on PATH or as `aegis_command` says.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from aegis_agent.aegis import Aegis

_SECONDS = 180
_SETTINGS = {
    "aegis_policies": ("folder of the policies that the mesh has", "policies/agents"),
    "aegis_tools": ("folder of the tools that the mesh knows", "policies/tools"),
    "aegis_agent": ("ORG/TENANT/AGENT that `aegis` is", ""),
    "aegis_command": ("what runs the command line of Aegis", "aegis"),
}


class Mesh:
    """A mesh that runs on this machine for these tests."""

    def __init__(self, command: list[str], state: Path) -> None:
        self._command = command
        self._state = state
        self._agents = ExitStack()

    def environment(self, agent: str) -> dict[str, str]:
        """What leads another process to the mesh as this agent, ORG/TENANT/AGENT."""
        return {"AEGIS_DIR": str(self._state), "AEGIS_AGENT": agent}

    def agent(self, name: str) -> Aegis:
        """The agent ORG/TENANT/AGENT, until the session ends."""
        return self._agents.enter_context(Aegis.from_env(self.environment(name)))

    def approve(self, approval_id: str, note: str = "") -> None:
        """A person approves a held call. Raises RuntimeError with what the command printed."""
        self.run("approvals", "approve", approval_id, "--dir", str(self._state), "--json", *_noted(note))

    def deny(self, approval_id: str, note: str = "no") -> None:
        """A person denies a held call. Raises RuntimeError with what the command printed."""
        self.run("approvals", "deny", approval_id, "--dir", str(self._state), *_noted(note))

    def explain(self, decision_id: str) -> str:
        """What the mesh says of a decision, as `aegis explain` prints it."""
        return self.run("explain", decision_id, "--dir", str(self._state))

    def up(self, policies: Path, tools: Path) -> None:
        """Start it. Raises RuntimeError with what the command printed."""
        folders = ("--policies", str(policies), "--tools", str(tools))
        self.run("up", "--detach", "--echo", "--dir", str(self._state), *folders, "--json")

    def down(self) -> None:
        """End it, and its agents."""
        self._agents.close()
        self.run("down", "--dir", str(self._state))

    def run(self, *arguments: str) -> str:
        """What a command of Aegis printed. Raises RuntimeError when it ends with an error."""
        done = subprocess.run(
            [*self._command, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"aegis {arguments[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout


def pytest_addoption(parser: pytest.Parser) -> None:
    """The settings of a project."""
    for name, (text, default) in _SETTINGS.items():
        parser.addini(name, text, default=default)


@pytest.fixture(scope="session")
def aegis_mesh(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The mesh of this session, with the project's policies in front of its tools."""
    root = pytestconfig.rootpath
    state = tmp_path_factory.mktemp("aegis") / "mesh"
    mesh = Mesh(shlex.split(str(pytestconfig.getini("aegis_command"))), state)
    try:
        mesh.up(root / str(pytestconfig.getini("aegis_policies")), root / str(pytestconfig.getini("aegis_tools")))
        yield mesh
    finally:
        if (state / "mesh.json").exists():
            mesh.down()


@pytest.fixture(scope="session")
def aegis(aegis_mesh: Mesh, pytestconfig: pytest.Config) -> Aegis:
    """The agent that the project's settings name."""
    name = str(pytestconfig.getini("aegis_agent"))
    if not name:
        raise pytest.UsageError("say in aegis_agent of pytest's settings which ORG/TENANT/AGENT the tests are")
    return aegis_mesh.agent(name)


def _noted(note: str) -> tuple[str, ...]:
    return ("--note", note) if note else ()


__all__ = ["Mesh", "aegis", "aegis_mesh"]
