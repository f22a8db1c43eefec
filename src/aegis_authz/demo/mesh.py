"""A mesh of the demo's own: brought up, used and taken down through the command line, as a user would."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import httpx

from aegis_authz.demo.approval_page import approve_on_page
from aegis_authz.demo.mcp_server import mcp_app
from aegis_authz.demo.serving import serving
from aegis_authz.demo.tools import DemoTools
from aegis_authz.local.mesh_facts import MeshFacts, read_facts

SPENDING_TENANT = "apac"
"""The tenant that the pack `spending` is about in the demo."""
BREAKER_REFUSALS = 3
"""So many refused calls quarantine one of its agents."""
_BREAKER = f"""\
org: acme
tenant: {SPENDING_TENANT}
agent: devops-agent
name: breaker
description: An agent that is refused again and again is looked at before it goes on.
owner: platform
breaker: {{refusals: {BREAKER_REFUSALS}, within: 60s, quarantine: 15m}}
"""
_DOCUMENTS = Path(__file__).parent / "documents"
"""What is about public APIs as their own clients call them; kept out of the examples, which are about no real host."""
_SUPPLIERS = (("stripe-payments", "supplier-payments"), ("api.stripe.example", "suppliers.example"))
_PATIENCE, _PAUSE = 30.0, 0.1
"""Seconds in which a call that is asked for is listed, and between two looks."""
_PUBLISH_SECONDS = "30"
_HOST = re.compile(r"^host: .*$", re.MULTILINE)


class CommandFailed(Exception):
    """An `aegis` command ended with an error; the message holds what it printed."""


class DemoMesh:
    """A running mesh in `folder`, with policies of its own in front of `tools`.

    `options` are further words for `aegis up`.
    """

    def __init__(self, folder: Path, tools: DemoTools, options: tuple[str, ...] = ()) -> None:
        self._options = options
        self.folder = folder
        self.tools = tools
        self.policies = folder / "policies"
        self.catalogue = folder / "tools"
        self.state = folder / "mesh"

    @property
    def proxy(self) -> str:
        """The forward proxy agents use."""
        return self._facts().proxy

    @property
    def metrics(self) -> str:
        """Where the authorizers' metrics are."""
        return self._facts().metrics

    @property
    def control(self) -> str:
        """The control plane."""
        return self._facts().control

    @property
    def admin_token(self) -> str:
        """The token of whoever may everything at the control plane."""
        return (self.state / "keys" / "admin.token").read_text("ascii").strip()

    @property
    def reverse(self) -> str:
        """The reverse routes: `<reverse>/<tool>/...`."""
        return self._facts().reverse

    def pids(self) -> dict[str, int]:
        """The mesh's processes by name."""
        return self._facts().pids

    def edit_policy(self, agent: str, old: str, new: str) -> None:
        """Replace a line of an agent's policy. Raises ValueError when it is not there."""
        path = self.policies / f"{agent}.yaml"
        text = path.read_text("utf-8")
        if old not in text:
            raise ValueError(f"{path}: no {old!r} in it")
        path.write_text(text.replace(old, new), "utf-8")

    async def publish(self) -> str:
        """`aegis policy publish`; returns the new revision."""
        answer = json.loads(
            await self.aegis("policy", "publish", "--dir", str(self.state), "--wait", _PUBLISH_SECONDS, "--json")
        )
        return str(answer["revision"])

    async def approve(self, approval_id: str) -> str:
        """`aegis approvals approve`; returns the override token."""
        arguments = (
            "approvals",
            "approve",
            approval_id,
            "--dir",
            str(self.state),
            "--json",
        )
        return str(json.loads(await self.aegis(*arguments))["override_token"])

    async def deny(self, approval_id: str, note: str) -> None:
        """Deny a held call, for a reason, by the API: a command takes long on a busy machine, and a request waits.

        Raises httpx.HTTPError.
        """
        async with self.owner() as owner:
            (await owner.post(f"/v1/approvals/{approval_id}/deny", json={"note": note})).raise_for_status()

    async def waiting(self, agent: str, parameter: str, value: object) -> str:
        """The approval of this agent's call with this value, once it is asked for.

        Raises TimeoutError, httpx.HTTPError.
        """
        async with asyncio.timeout(_PATIENCE), self.owner() as owner:
            while True:
                page = (await owner.get("/v1/approvals?state=pending&limit=200")).raise_for_status().json()
                for entry in page["approvals"]:
                    if entry["agent"] == agent and entry["parameters"].get(parameter) == value:
                        return str(entry["id"])
                await asyncio.sleep(_PAUSE)

    def owner(self) -> httpx.AsyncClient:
        """Whoever has the admin token, at the API."""
        bearer = {"authorization": f"Bearer {self.admin_token}"}
        return httpx.AsyncClient(base_url=self.control, headers=bearer, timeout=_PATIENCE, trust_env=False)

    async def approve_on_page(self, approval_id: str, note: str) -> bool:
        """Approve on the page of the control plane; returns whether it shows the approval then."""
        page = await approve_on_page(self.control, self.admin_token, approval_id, note)
        return "Approved by bootstrap-owner." in page

    async def up(self) -> None:
        """`aegis up --detach`. Raises CommandFailed with what it printed."""
        folders = ("--policies", str(self.policies), "--tools", str(self.catalogue))
        await self.aegis("up", "--detach", "--dir", str(self.state), *folders, *self._options)

    async def down(self) -> None:
        """`aegis down`."""
        await self.aegis("down", "--dir", str(self.state))

    async def aegis(self, *arguments: str) -> str:
        """Run an `aegis` command; returns what it printed. Raises CommandFailed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "aegis_authz.cli",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, complained = await process.communicate()
        if process.returncode != 0:
            output = (printed + complained).decode("utf-8", "replace").strip()
            raise CommandFailed(f"aegis {' '.join(arguments[:2])} ended with {process.returncode}:\n{output}")
        return printed.decode("utf-8")

    def _facts(self) -> MeshFacts:
        return read_facts(self.state)


@asynccontextmanager
async def demo_mesh(folder: Path, policies: Path, options: tuple[str, ...] = ()) -> AsyncIterator[DemoMesh]:
    """Start the tools and a mesh in front of them; both are gone when the block ends.

    `folder` is an empty folder for everything; `policies` holds the example documents (`agents/`, `tools/`),
    `options` further words for `aegis up`.
    """
    tools = DemoTools()
    async with AsyncExitStack() as stack:
        http_port = await stack.enter_async_context(serving(tools.app()))
        mcp_port = await stack.enter_async_context(serving(mcp_app()))
        mesh = DemoMesh(folder, tools, options)
        ports = {"9001": http_port, "9002": http_port, "9003": http_port, "9004": mcp_port}
        mesh.policies.mkdir(parents=True)
        mesh.catalogue.mkdir()
        for documents in (policies, _DOCUMENTS):
            _copy_documents(documents, mesh, ports)
        _copy_spending(policies / "packs" / "spending", mesh, http_port)
        _copy_pack(policies / "packs" / "multi-tenant", mesh, http_port)
        try:
            await mesh.up()
            yield mesh
        finally:
            await mesh.down()


def _copy_documents(policies: Path, mesh: DemoMesh, ports: dict[str, int]) -> None:
    for source, target in ((policies / "agents", mesh.policies), (policies / "tools", mesh.catalogue)):
        for name, text in _texts(source):
            for example, port in ports.items():
                text = text.replace(f"127.0.0.1:{example}", f"127.0.0.1:{port}")
            (target / name).write_text(text, "utf-8")


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """The documents of a folder, without their tests: to those the hosts are free at which tools of the demo answer."""
    for path in sorted(folder.glob("*.yaml")):
        if not path.name.endswith("_test.yaml"):
            yield path.name, path.read_text("utf-8")


def _copy_spending(pack: Path, mesh: DemoMesh, port: int) -> None:
    """Put the pack beside the examples, for a tenant of its own; its payments are another tool than theirs."""
    changes = {
        "tenant: emea": f"tenant: {SPENDING_TENANT}",
        "acme/emea/": f"acme/{SPENDING_TENANT}/",
        **dict(_SUPPLIERS),
    }
    _copy_pack(pack, mesh, port, changes)
    (mesh.policies / "spending-breaker.yaml").write_text(_BREAKER, "utf-8")


def _copy_pack(pack: Path, mesh: DemoMesh, port: int, changes: Mapping[str, str] = MappingProxyType({})) -> None:
    """Put a pack beside the examples, its tools at this port, with these texts in place of those."""
    for source, target in ((pack / "agents", mesh.policies), (pack / "tools", mesh.catalogue)):
        for name, text in _texts(source):
            for example, own in changes.items():
                text = text.replace(example, own)
            text = _HOST.sub(rf"\g<0>\nupstream: http://127.0.0.1:{port}", text)
            (target / f"{pack.name}-{name}").write_text(text, "utf-8")
