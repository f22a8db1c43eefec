"""`aegis connect`: clients of MCP led through the mesh, by their settings alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.agent import AgentName
from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.options import AsJson, OptionalState

if TYPE_CHECKING:
    from aegis_authz.commands.connect import ClientChoice

CLIENTS = "claude-code, claude-desktop, cursor, vscode, codex, gemini"


def connect(
    client: Annotated[str, typer.Argument(metavar="[CLIENT]", help=f"{CLIENTS}.")] = "",
    state: OptionalState = None,
    agent: AgentName = "",
    server: Annotated[
        list[str] | None,
        typer.Option("--server", metavar="NAME=TOOL/PATH", help="A server; default: all MCP servers of the catalogue."),
    ] = None,
    signer: Annotated[
        list[str] | None,
        typer.Option("--signer", help="Base URL of an `aegis agent proxy`, for clients that speak HTTP."),
    ] = None,
    project: Annotated[bool, typer.Option("--project", help="The settings of the project in this folder.")] = False,
    file: Annotated[Path | None, typer.Option("--file", help="This settings file, wherever it is.")] = None,
    hooks: Annotated[
        str, typer.Option("--hooks", metavar="URL", help="Have its own tools asked about at this `aegis agent hooks`.")
    ] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take the connection back.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change and make none.")] = False,
    inventory: Annotated[
        bool, typer.Option("--inventory", help="Name every server of every client; exit with 1 when one is ungoverned.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Lead a client's MCP servers through the mesh by changing its settings, and take it back with --undo.

    An entry with the name or the host of a server in the catalogue is led to that one, servers without an entry are
    added, and all else stays letter for letter, comments included. A backup is kept.

    Example: aegis connect cursor --dir .aegis --agent acme/emea/coding-agent
    """
    if inventory:
        _inventory(signer or [], as_json)
        return
    if client not in CLIENTS.split(", "):
        raise unusable("connect", f"say which client: {CLIENTS}; or --inventory")
    from aegis_authz.commands.connect import ClientChoice

    choice = ClientChoice(client, project, file)
    with exits_on_faults("connect"):
        if undo:
            _undo(choice, dry_run, as_json)
        elif hooks:
            _hook(choice, hooks, dry_run, as_json)
        else:
            _connect(choice, state, agent, server or [], (signer or [""])[0], dry_run, as_json)


def _connect(
    choice: ClientChoice,
    state: Path | None,
    agent: str,
    servers: list[str],
    signer: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    from aegis_authz.commands.connect import carry_out_plan, diff, plan_connection

    scope, plan = plan_connection(choice, state, agent, servers, signer)
    backup = None if dry_run else carry_out_plan(plan)
    if as_json:
        document = {
            "client": choice.client,
            "file": str(plan.file),
            "agent": str(scope),
            "governed": plan.led,
            "ungoverned": plan.left,
            "backup": None if backup is None else str(backup),
        }
        typer.echo(json.dumps(document, indent=2))
    elif dry_run:
        typer.echo(diff(plan), nl=False)
    else:
        typer.echo(f"{choice.client} calls {', '.join(plan.led)} through the mesh as {scope}")
        typer.echo(f"changed: {plan.file}\nbackup:  {backup}\nback:    aegis connect {choice.client} --undo")
    for name in plan.left:
        typer.echo(f"not governed: {name}; `aegis mcp import {plan.file}` writes a catalogue entry for it", err=True)


def _undo(choice: ClientChoice, dry_run: bool, as_json: bool) -> None:
    from aegis_authz.commands.connect import carry_out_plan, diff, plan_disconnection

    for plan in plan_disconnection(choice):
        if dry_run:
            typer.echo(diff(plan), nl=False)
            continue
        carry_out_plan(plan)
        if as_json:
            typer.echo(json.dumps({"client": choice.client, "file": str(plan.file), "exists": plan.after is not None}))
        else:
            typer.echo(f"{plan.file} is as it was" if plan.after is not None else f"{plan.file} is gone, as it was")


def _hook(choice: ClientChoice, url: str, dry_run: bool, as_json: bool) -> None:
    from aegis_authz.commands.connect import carry_out_plan, diff
    from aegis_authz.commands.hooks import plan_hooks

    plan, note = plan_hooks(choice, url)
    backup = None if dry_run else carry_out_plan(plan)
    if as_json:
        document = {"client": choice.client, "file": str(plan.file), "hooks": url, "backup": backup and str(backup)}
        typer.echo(json.dumps(document, indent=2))
    elif dry_run:
        typer.echo(diff(plan), nl=False)
    else:
        typer.echo(f"{choice.client} asks {url} before each call of a tool, and calls none without an answer")
        typer.echo(f"changed: {plan.file}\nback:    aegis connect {choice.client} --undo")
    if note:
        typer.echo(note, err=True)


def _inventory(signers: list[str], as_json: bool) -> None:
    from aegis_authz.commands.connect import inventory

    entries = inventory(signers)
    rows = [
        {
            "client": entry.client,
            "file": str(entry.file),
            "server": entry.server.name,
            "reach": entry.server.reach,
            "governed": entry.is_governed,
        }
        for entry in entries.servers
    ]
    if as_json:
        typer.echo(json.dumps({"servers": rows, "unreadable": entries.faults}, indent=2))
    else:
        for row in rows:
            governed = "governed    " if row["governed"] else "not governed"
            typer.echo(f"{governed}  {row['client']:14}  {row['server']:20}  {row['reach']}  ({row['file']})")
        for fault in entries.faults:
            typer.echo(f"unreadable    {fault}", err=True)
        if not rows and not entries.faults:
            typer.echo("no client of this user has an MCP server")
    if entries.faults or not all(entry.is_governed for entry in entries.servers):
        raise typer.Exit(REFUSED)
