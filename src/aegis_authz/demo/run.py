"""`aegis demo`: plays the scenario with progress shown, prints the table, verifies the records."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from aegis_authz.commands.tokens import issuer_key
from aegis_authz.demo import scenario
from aegis_authz.demo.agent import Agent, Tokens
from aegis_authz.demo.evidence import evidence
from aegis_authz.demo.mcp_chapter import mcp_calls
from aegis_authz.demo.mesh import DemoMesh, demo_mesh
from aegis_authz.demo.scenario import Chapter, Row

CHAPTERS: Sequence[Chapter] = (
    scenario.payments,
    scenario.approvals,
    scenario.sanitize,
    scenario.tokens,
    scenario.egress,
    mcp_calls,
    scenario.shadow,
    scenario.publish,
    scenario.opa_outage,
    scenario.redis_outage,
    evidence,
)


async def run_demo(policies: Path, console: Console) -> bool:
    """Play everything on a mesh of its own. Returns whether every line was as expected."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="aegis-demo-") as folder:
        with console.status("Starting Redis, the control plane, OPA, two authorizers and Envoy"):
            context = demo_mesh(Path(folder), policies)
            mesh = await context.__aenter__()
        try:
            agent = agent_of(mesh)
            for chapter in CHAPTERS:
                headline = (chapter.__doc__ or "").splitlines()[0]
                with console.status(headline):
                    played = await chapter(mesh, agent)
                failed = [line for line in played if not line.ok]
                console.print(f"{'[red]failed[/]' if failed else '[green]ok[/]    '} {headline}")
                rows += played
            await agent.close()
        finally:
            with console.status("Stopping everything"):
                await context.__aexit__(None, None, None)
    console.print(_table(rows))
    wrong = [line for line in rows if not line.ok]
    verdict = (
        f"[red]{len(wrong)} of {len(rows)} lines are not as expected.[/]"
        if wrong
        else "[green]Every line is as expected.[/]"
    )
    console.print(verdict)
    return not wrong


def agent_of(mesh: DemoMesh) -> Agent:
    """An agent that holds the mesh's own issuer key."""
    settings = yaml.safe_load((mesh.state / "control.yaml").read_text("utf-8"))
    key = issuer_key(mesh.state / "keys")
    tokens = Tokens(key, settings.get("issuer", "aegis"), settings.get("audience", "aegis-mesh"))
    return Agent(mesh.proxy, mesh.state / "records", tokens)


def _table(rows: Sequence[Row]) -> Table:
    table = Table(title="Aegis demo: real calls through a real Envoy")
    for column in ("", "call", "expected", "answer", "reason"):
        table.add_column(column, no_wrap=True)
    table.add_column("ms", justify="right")
    table.add_column("decision id", no_wrap=True)
    chapter = ""
    for line in rows:
        if line.chapter != chapter:
            table.add_section()
            chapter = line.chapter
        mark = "[green]✓[/]" if line.ok else "[red]✗[/]"
        table.add_row(mark, line.call, line.expected, line.answer, line.reason, f"{line.ms:.1f}", line.decision_id)
    return table
