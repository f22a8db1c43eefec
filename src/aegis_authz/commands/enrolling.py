"""An agent that brings its own key: made here, kept here, and only its public half leaves."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz import durable
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.agent.authorities import BUNDLE, OWN, PIN
from aegis_authz.agent.enrolment import (
    KEY_FILE,
    Enrolment,
    EnrolmentFault,
    agent_folder,
    read_enrolment,
    users_agents,
    write_enrolment,
)
from aegis_authz.agent.enrolment_endpoint import enrol
from aegis_authz.agent.mesh import mesh_session
from aegis_authz.agent.proof import ProofKey
from aegis_authz.commands.faults import unable_on
from aegis_authz.commands.mesh_authorities import AuthorityRenewal


@dataclass(frozen=True, slots=True)
class EnrolledAgent:
    """What came of it, and the folder with the key."""

    enrolment: Enrolment
    folder: Path
    problem: str
    """Why the mesh's authorities were not taken, "" where they were, or where it has none."""


@unable_on(EnrolmentFault, OSError)
def enrol_agent(code: str, control: str, proxy: str, reverse: str, authority: str) -> EnrolledAgent:
    """Make a key, show its public half with the code, and keep both in this user's folder of agents.

    `proxy` and `reverse` take the place of what the control plane says of its mesh; `authority` is the fingerprint of
    one of its certificate authorities, "" for none. An agent that was enrolled before
    gets the new key, and trusts the authorities of before only where those of the same mesh cannot be told now. Raises
    Unable; then nothing is left of the key.
    """
    home = users_agents()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix=".enrol-", dir=home))  # 0700
    try:
        problem = asyncio.run(_taken(AuthorityRenewal(draft, control, lambda _: None), authority))
        if problem and authority:
            raise EnrolmentFault(f"nothing was enrolled: {problem}")  # who answers may be somebody else
        key = Ed25519PrivateKey.generate()
        durable.create(draft / KEY_FILE, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        answer = asyncio.run(_shown(code, control, key))
        enrolment = replace(answer, proxy=proxy or answer.proxy, reverse=(reverse or answer.reverse).rstrip("/"))
        folder = agent_folder(home, enrolment.scope)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (draft / KEY_FILE).replace(folder / KEY_FILE)
        keeps_former = bool(problem) and _is_of_the_same_mesh(folder, enrolment)
        for name in (PIN, OWN, BUNDLE):
            if (draft / name).exists():
                (draft / name).replace(folder / name)
            elif not keeps_former:  # another mesh's may sign for any host, and say who follows them
                (folder / name).unlink(missing_ok=True)
        durable.sync_folder(folder)
        bundle = folder / BUNDLE
        enrolment = replace(enrolment, authorities=str(bundle) if bundle.is_file() else "")
        write_enrolment(folder, enrolment)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return EnrolledAgent(enrolment, folder, problem)


def _is_of_the_same_mesh(folder: Path, enrolment: Enrolment) -> bool:
    """Whether an agent was enrolled before where it is enrolled now."""
    try:
        return read_enrolment(folder).token_endpoint == enrolment.token_endpoint
    except EnrolmentFault:
        return False


async def _taken(renewal: AuthorityRenewal, pin: str) -> str:
    async with mesh_session() as session:
        return await renewal.renew(session, pin.lower().removeprefix("sha256:"))


async def _shown(code: str, control: str, key: Ed25519PrivateKey) -> Enrolment:
    async with mesh_session() as session:
        return await enrol(session, control, code, ProofKey(key, SystemClock().now, SystemIds().token))
