"""The official conformance suite of MCP through a real mesh against the same server directly: `make conformance`."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.run import agent_of
from aegis_authz.demo.tools import DemoTools
from tests.support.conformance_suite import REVISIONS, SUITE, Checks, Suite, free_port, lost, passed
from tests.support.token_relay import TokenRelay

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="the suite is on npm alone"),
]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mcp.md"
RULES = {
    "open": "  - {name: everything, actions: ['*']}\n",
    "redacting": "  - name: everything\n    actions: ['*']\n    sanitize: {response: {detectors: [email, us_ssn, credit_card]}}\n",
}
TOOL = """
tool: everything
host: 127.0.0.1:{relay}
upstream: http://127.0.0.1:{server}/mcp
mcp: {{}}
"""


@dataclass
class Legs:
    """The checks of each revision: directly, and through the mesh for each kind of rules."""

    direct: dict[str, Checks]
    through: dict[str, dict[str, Checks]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def legs(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Legs]:
    suite = Suite.in_cache()
    suite.install()
    folder, port = tmp_path_factory.mktemp("conformance"), free_port()
    found = Legs({}, {})
    async with suite.server(port):
        for revision in REVISIONS:
            found.direct[revision] = await suite.run(port, revision, folder / "direct" / revision)
        for kind, rules in RULES.items():
            mesh = DemoMesh(folder / kind, DemoTools(), ("--budget-ms", "2000"))
            found.through[kind] = await _through(suite, mesh, port, rules)
    yield found


async def _through(suite: Suite, mesh: DemoMesh, port: int, rules: str) -> dict[str, Checks]:
    relay = TokenRelay(lambda head, body: "")
    async with relay.serving():
        mesh.policies.mkdir(parents=True)
        mesh.catalogue.mkdir(parents=True)
        policy = f"org: acme\ntenant: emea\nagent: suite\nallowed_tools:\n{rules}"
        (mesh.policies / "suite.yaml").write_text(policy)
        (mesh.catalogue / "everything.yaml").write_text(TOOL.format(relay=relay.port, server=port))
        try:
            await mesh.up()
            relay.upstream = int(mesh.proxy.rpartition(":")[2])
            agent = agent_of(mesh)
            await agent.close()
            relay.token = lambda head, body: agent.tokens.mint("suite")
            return {revision: await suite.run(relay.port, revision, mesh.folder / revision) for revision in REVISIONS}
        finally:
            await mesh.down()


async def test_the_server_passes_all_of_the_suite_directly(legs: Legs) -> None:
    assert {revision: passed(checks) for revision, checks in legs.direct.items()} == REVISIONS


@pytest.mark.parametrize("revision", REVISIONS)
async def test_nothing_is_lost_through_the_mesh_where_everything_is_allowed(legs: Legs, revision: str) -> None:
    assert lost(legs.direct[revision], legs.through["open"][revision]) == []


async def test_the_page_says_what_the_suite_says(legs: Legs) -> None:
    rows = [
        '| revision | directly | through the mesh, `["*"]` | the same with redacted answers |',
        "|---|---|---|---|",
    ]
    for revision, checks in legs.direct.items():
        through = [passed(legs.through[kind][revision]) for kind in RULES]
        rows.append(f"| {revision} | {passed(checks)} | {through[0]} | {through[1]} |")
    losses = sorted(
        {loss for revision in REVISIONS for loss in lost(legs.direct[revision], legs.through["redacting"][revision])}
    )
    table = "\n".join(
        [
            f"<!-- conformance: written by make conformance, suite {SUITE} -->",
            *rows,
            "",
            *(f"- lost: {loss}" for loss in losses),
            "<!-- end -->",
        ]
    )
    text = PAGE.read_text("utf-8")
    page = re.sub(r"<!-- conformance: .*?<!-- end -->", lambda _: table, text, flags=re.DOTALL)
    if os.environ.get("AEGIS_WRITE_DOCS"):
        PAGE.write_text(page, "utf-8")
    assert PAGE.read_text("utf-8") == page
