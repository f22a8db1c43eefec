"""`aegis demo fintech` and its like: use cases on a mesh of their own, one after the other."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aegis_authz.demo.mesh import DemoMesh, demo_mesh
from aegis_authz.demo.run import agent_of
from aegis_authz.demo.serving import serving
from aegis_authz.demo.use_cases.devops import DEVOPS
from aegis_authz.demo.use_cases.fintech import FINTECH
from aegis_authz.demo.use_cases.healthcare import HEALTHCARE
from aegis_authz.demo.use_cases.mssp import MSSP
from aegis_authz.demo.use_cases.play import play
from aegis_authz.demo.use_cases.saas import SAAS
from aegis_authz.demo.use_cases.span_receiver import TRACES_PATH, SpanReceiver
from aegis_authz.demo.use_cases.use_case import Outcome, UseCase

USE_CASES: Mapping[str, UseCase] = {use_case.name: use_case for use_case in (FINTECH, HEALTHCARE, SAAS, DEVOPS, MSSP)}


@asynccontextmanager
async def traced_mesh(
    folder: Path, policies: Path, receiver: SpanReceiver, options: Sequence[str] = ()
) -> AsyncIterator[DemoMesh]:
    """The demo's mesh, whose spans go to `receiver`; the rest as `demo_mesh` has it."""
    async with serving(receiver.app()) as port:
        otlp = ("--otlp", f"http://127.0.0.1:{port}{TRACES_PATH}")
        async with demo_mesh(folder, policies, (*options, *otlp)) as mesh:
            yield mesh


async def played(names: Sequence[str], policies: Path) -> AsyncIterator[Outcome]:
    """Play these use cases of `USE_CASES` on a mesh of their own, and take it down at the end."""
    receiver = SpanReceiver()
    with tempfile.TemporaryDirectory(prefix="aegis-demo-") as folder:
        async with traced_mesh(Path(folder), policies, receiver) as mesh:
            agent = agent_of(mesh)
            try:
                for name in names:
                    yield await play(USE_CASES[name], mesh, agent, receiver)
            finally:
                await agent.close()
