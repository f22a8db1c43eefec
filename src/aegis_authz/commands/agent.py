"""What stands on an agent's side: which agent we are, and a signer its programs call through."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aegis_authz.adapters.files.keys import KeyFolderError, load_ed25519
from aegis_authz.adapters.system import SystemClock, SystemIds, chance
from aegis_authz.agent.authorities import BUNDLE
from aegis_authz.agent.command import command_environment, run_command
from aegis_authz.agent.enrolment import (
    KEY_FILE,
    Enrolment,
    EnrolmentFault,
    agent_folder,
    enrolled_agents,
    read_enrolment,
    users_agents,
)
from aegis_authz.agent.mesh import MeshAddress, MeshCaller, mesh_session
from aegis_authz.agent.proof import ProofKey
from aegis_authz.agent.serving import ListenFault, Listening, serving
from aegis_authz.agent.signer import Signer
from aegis_authz.agent.task_tokens import TaskTokens
from aegis_authz.agent.token_endpoint import TokenEndpoint
from aegis_authz.agent.tokens import TokenKeeper
from aegis_authz.agent.tunnels import Tunnels
from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.commands.mesh_authorities import AuthorityRenewal
from aegis_authz.core.scope import Scope
from aegis_authz.local.layout import Layout
from aegis_authz.local.mesh import stop_signals
from aegis_authz.local.mesh_facts import MeshNotRunning, read_facts

TOKEN_PATH = "/v1/token"  # noqa: S105  # a path
_AGENTS = "agents"
_HERE = Path(".aegis")

Report = Callable[[str], None]
"""Told what an operator should know, a sentence at a time."""


@dataclass(frozen=True, slots=True)
class AgentChoice:
    """What the user said about the agent; "" and None leave it to what is enrolled.

    `state` is the folder of a mesh on this machine, `control` the base URL of a control plane.
    """

    state: Path | None
    agent: str
    key: Path | None
    control: str
    proxy: str
    reverse: str


@dataclass(frozen=True, slots=True)
class AgentSide:
    """An agent that can call: who it is, and its key.

    `folder` is where its copy of the mesh's authorities is, None where they are those of a mesh on this machine.
    """

    enrolment: Enrolment
    key: ProofKey
    folder: Path | None


@unable_on(EnrolmentFault, MeshNotRunning, KeyFolderError, ValueError)
def agent_side(choice: AgentChoice) -> AgentSide:
    """The agent the user means, its key loaded. Raises Unable."""
    state, own_folder = choice.state, None
    if choice.key is not None:
        key_file, enrolment = choice.key, _without_enrolment(choice)
    else:
        state = nearest_mesh(state)
        home = agents_home(state)
        folder = agent_folder(home, chosen_agent(home, choice.agent))
        key_file, enrolment = folder / KEY_FILE, read_enrolment(folder)
        own_folder = folder if state is None else None
    enrolment = _at_its_mesh(enrolment, state)
    endpoint = f"{choice.control.rstrip('/')}{TOKEN_PATH}" if choice.control else enrolment.token_endpoint
    enrolment = replace(
        enrolment,
        token_endpoint=endpoint,
        proxy=choice.proxy or enrolment.proxy,
        reverse=(choice.reverse or enrolment.reverse).rstrip("/"),
    )
    clock, ids = SystemClock(), SystemIds()
    return AgentSide(enrolment, ProofKey(load_ed25519(key_file), clock.now, ids.token), own_folder)


def chosen_agent(home: Path, agent: str) -> Scope:
    """The agent of this name, or the only one, among those enrolled in a folder. Raises EnrolmentFault, ValueError."""
    enrolled = enrolled_agents(home)
    if agent:
        scope = Scope.parse(agent)
        if scope not in enrolled:
            raise EnrolmentFault(f"no agent {scope} is enrolled in {home}; enrol it with: aegis agent enroll CODE")
        return scope
    if len(enrolled) == 1:
        return enrolled[0]
    if not enrolled:
        raise EnrolmentFault(f"no agent is enrolled in {home}; enrol one with: aegis agent enroll CODE")
    raise EnrolmentFault(f"say which agent with --agent; enrolled are {', '.join(map(str, enrolled))}")


def nearest_mesh(state: Path | None) -> Path | None:
    """The mesh on this machine whose agents are meant: the one named, else `.aegis` unless the user has agents."""
    is_here = state is None and not enrolled_agents(users_agents()) and agents_home(_HERE).is_dir()
    return _HERE if is_here else state


def agents_home(state: Path | None) -> Path:
    """The folder of agents: that of a mesh on this machine, else this user's."""
    return users_agents() if state is None else state / _AGENTS


@dataclass(frozen=True, slots=True)
class AgentTask:
    """What the calls of a signer are narrowed to: `authorization_details`, or a `token` that is narrowed already."""

    details: str
    token: str


async def serve_signer(
    side: AgentSide, listen: str, report: Report, started: Callable[[Listening], None], task: AgentTask | None = None
) -> None:
    """Serve a signer until SIGINT, SIGTERM or SIGHUP; `started` is called once it listens. Raises Unable."""
    stop = stop_signals()
    async with open_signer(side, listen, report, task) as listening:
        started(listening)
        await stop.wait()


async def run_through(
    side: AgentSide, words: Sequence[str], direct: Sequence[str], report: Report, task: AgentTask | None = None
) -> int:
    """Run a command whose requests pass a signer of its own; returns the command's exit code. Raises Unable."""
    renewal = _renewal(side, report)
    if renewal is not None:
        async with mesh_session() as session:
            await renewal.renew(session)  # before the command reads the file; the signer tells what is in the way
    authorities = authorities_of(side)
    async with open_signer(side, "127.0.0.1:0", report, task) as listening:
        return await run_command(words, command_environment(os.environ, listening.url, direct, authorities))


@asynccontextmanager
async def open_signer(
    side: AgentSide, listen: str, report: Report, task: AgentTask | None = None
) -> AsyncIterator[Listening]:
    """A signer that listens until the block ends. Raises Unable."""
    async with open_caller(side, report, task) as caller:
        try:
            tunnels = Tunnels(caller, os.getuid(), report)
            async with serving(Signer(caller, os.getuid()), listen, tunnels) as listening:
                try:
                    yield listening
                finally:
                    await tunnels.end()
        except ListenFault as fault:
            raise Unable(str(fault)) from None


@asynccontextmanager
async def open_caller(side: AgentSide, report: Report, task: AgentTask | None = None) -> AsyncIterator[MeshCaller]:
    """Calls into the mesh as this agent, its token renewed until the block ends."""
    enrolment = side.enrolment
    async with mesh_session() as session:
        endpoint = TokenEndpoint(session, enrolment.token_endpoint, enrolment.scope, side.key)
        obtain = endpoint.obtain if task is None else TaskTokens(endpoint, task.details, task.token).obtain
        keeper = TokenKeeper(obtain, time.monotonic, report, chance)
        mesh = MeshAddress(enrolment.proxy, enrolment.reverse)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(keeper.keep())]
            authorities = _renewal(side, report)
            if authorities is not None:
                tasks.append(group.create_task(authorities.watch(session)))
            try:
                yield MeshCaller(session, mesh, side.key, keeper.token)
            finally:
                for renewal in tasks:
                    renewal.cancel()


def authorities_of(side: AgentSide) -> Path | None:
    """The file that its programs are given for HTTPS, None where the mesh opens none."""
    if side.enrolment.authorities:
        return Path(side.enrolment.authorities)
    copied = None if side.folder is None else side.folder / BUNDLE
    return copied if copied is not None and copied.is_file() else None


def _renewal(side: AgentSide, report: Report) -> AuthorityRenewal | None:
    if side.folder is None:
        return None
    return AuthorityRenewal(side.folder, side.enrolment.token_endpoint.removesuffix(TOKEN_PATH), report)


def _without_enrolment(choice: AgentChoice) -> Enrolment:
    if not choice.agent or not (choice.state or (choice.control and choice.proxy)):
        raise EnrolmentFault("with --key, say --agent as well, and --dir, or --control and --mesh")
    Scope.parse(choice.agent)
    return Enrolment(choice.agent, "", "", "", "", choice.reverse or choice.proxy, "", "")


def _at_its_mesh(enrolment: Enrolment, state: Path | None) -> Enrolment:
    """The enrolment with the addresses that a mesh on this machine has now."""
    if state is None:
        return enrolment
    facts = read_facts(state)
    bundle = Layout(Path(facts.state), Path(facts.run)).bundle
    return replace(
        enrolment,
        token_endpoint=f"{facts.control}{TOKEN_PATH}",
        proxy=facts.proxy,
        reverse=facts.reverse,
        evaluation=facts.evaluation,
        authorities=str(bundle) if bundle.is_file() else enrolment.authorities,
    )
