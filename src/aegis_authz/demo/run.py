"""`aegis demo`: plays the scenario with progress shown, prints the table, verifies the records."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from aegis_authz.commands.tokens import issuer_key
from aegis_authz.demo import scenario
from aegis_authz.demo.agent import Agent, Tokens
from aegis_authz.demo.around_chapter import way_around
from aegis_authz.demo.evidence import evidence
from aegis_authz.demo.hold_chapter import held_open
from aegis_authz.demo.https_chapter import https_calls
from aegis_authz.demo.limits_chapter import limits
from aegis_authz.demo.mcp_chapter import mcp_calls
from aegis_authz.demo.mesh import DemoMesh, demo_mesh
from aegis_authz.demo.scenario import Chapter, Row
from aegis_authz.demo.staying import show_link, stay

CHAPTERS: Sequence[Chapter] = (
    scenario.payments,
    scenario.approvals,
    scenario.sanitize,
    scenario.tokens,
    scenario.egress,
    limits,
    held_open,
    mcp_calls,
    https_calls,
    way_around,
    scenario.shadow,
    scenario.publish,
    scenario.opa_outage,
    scenario.redis_outage,
    evidence,
)


_PORT_OF_ITS_OWN = ("--workload", "acme/emea/finance-agent")
"""Words for `aegis up`: the mesh holds a token of this agent, for a listener that stands for it."""
_WIDE = 160
"""Columns of a terminal that all of the table fits into."""


async def run_demo(policies: Path, console: Console, stays: bool = False) -> bool:
    """Play everything on a mesh of its own. Returns whether every line was as expected.

    What `stays` is there until SIGINT, SIGTERM or SIGHUP, for people to look at.
    """
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="aegis-demo-") as folder:
        with console.status("Starting Redis, the control plane, OPA, two authorizers and Envoy"):
            context = demo_mesh(Path(folder), policies, _PORT_OF_ITS_OWN)
            mesh = await context.__aenter__()
        try:
            agent = agent_of(mesh)
            show_link(mesh, console, "Watch it in a browser while it plays, signed in once by:")
            for chapter in CHAPTERS:
                headline = (chapter.__doc__ or "").splitlines()[0]
                with console.status(headline):
                    played = await chapter(mesh, agent)
                failed = [line for line in played if not line.ok]
                console.print(f"{'[red]failed[/]' if failed else '[green]ok[/]    '} {headline}")
                rows += played
            if stays:
                console.print(table(rows, console.width))
                await stay(mesh, agent, console)
            await agent.close()
        finally:
            with console.status("Stopping everything"):
                await context.__aexit__(None, None, None)
    if not stays:
        console.print(table(rows, console.width))
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


def table(rows: Sequence[Row], width: int) -> Table:
    """Every line of the demo, for a terminal of so many columns: a narrow one shows neither what was expected of a line
    that is as expected, nor decision ids.
    """
    is_wide = width >= _WIDE
    title = "Aegis demo: real calls through a real Envoy"
    lines = Table(title=title) if is_wide else Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    lines.add_column("", no_wrap=True)
    lines.add_column("call", overflow="fold")
    for column in (*(["expected"] if is_wide else []), "answer"):
        lines.add_column(column, no_wrap=True)
    lines.add_column("reason", no_wrap=is_wide, overflow="fold")
    lines.add_column("ms", justify="right", no_wrap=True)
    if is_wide:
        lines.add_column("decision id", no_wrap=True)
    chapter = ""
    for line in rows:
        if line.chapter != chapter:
            lines.add_section()
            chapter = line.chapter
        mark = "[green]✓[/]" if line.ok else "[red]✗[/]"
        milliseconds = f"{line.ms:.1f}"
        if is_wide:
            lines.add_row(mark, line.call, line.expected, line.answer, line.reason, milliseconds, line.decision_id)
        else:
            reason = line.reason if line.ok else f"{line.reason} (expected: {line.expected})"
            lines.add_row(mark, line.call, line.answer, reason, milliseconds)
    return lines
