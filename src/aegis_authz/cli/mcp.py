"""`aegis mcp`: MCP clients and servers that speak stdio, at the two ends of a mesh."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.agent import AgentName, ControlUrl, KeyFile, MeshProxy, MeshReverse, chosen_side, report
from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.options import AsJson, OptionalState

app = typer.Typer(help="Lead MCP over stdio through the mesh.", no_args_is_help=True)


@app.callback()
def mcp() -> None:
    """Lead MCP over stdio through the mesh."""


@app.command()
def proxy(
    server: Annotated[str, typer.Argument(metavar="SERVER", help="The server's URL, or TOOL/PATH.")],
    state: OptionalState = None,
    agent: AgentName = "",
    key: KeyFile = None,
    control: ControlUrl = "",
    mesh: MeshProxy = "",
    reverse: MeshReverse = "",
) -> None:
    """Be an MCP server over stdio that stands for a server behind the mesh: each message is a call of the agent.

    For clients that start their servers as commands. It ends when its input ends.

    Example: aegis mcp proxy github/mcp --dir .aegis --agent acme/emea/coding-agent
    """
    import asyncio

    from aegis_authz.commands.mcp import proxy_stdio

    with exits_on_faults("mcp proxy"):
        asyncio.run(proxy_stdio(chosen_side(state, agent, key, control, mesh, reverse), server, report))


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def wrap(
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND ...", help="The server and its arguments.")],
    listen: Annotated[str, typer.Option("--listen", help="127.0.0.1:PORT; 0 for any free one.")],
) -> None:
    """Serve a command that speaks MCP over stdio as an HTTP endpoint, for the catalogue's `upstream`.

    Each session has a process of its own. Only processes of this user may call: the mesh's Envoy. What it prints to
    stderr passes through. It ends on Ctrl-C or SIGTERM.

    Example: aegis mcp wrap --listen 127.0.0.1:9004 -- npx -y @modelcontextprotocol/server-filesystem /srv
    """
    import asyncio

    from aegis_authz.commands.mcp import wrap_stdio

    def started(url: str) -> None:
        typer.echo(f"upstream: {url}", err=True)

    with exits_on_faults("mcp wrap"):
        asyncio.run(wrap_stdio(command, listen, started))


@app.command("import")
def import_(
    settings: Annotated[Path, typer.Argument(metavar="FILE", help="A client's settings, such as ~/.cursor/mcp.json.")],
    agent: Annotated[str, typer.Option("--agent", metavar="ORG/TENANT/AGENT", help="Who the policy is for.")],
    out: Annotated[Path, typer.Option("--out", help="The folder that gets tools/ and agents/.")] = Path("policies"),
    owner: Annotated[str, typer.Option("--owner", help="Who answers for the tools and the policy.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write a catalogue entry for each server of a client's settings, from the tools it lists, and a first policy.

    The commands that the settings name are run, as the client would run them. Tools that call themselves read-only are
    allowed, all others wait for an approval: read what was written. Exits with 1 when a server does not answer.

    Example: aegis mcp import ~/.cursor/mcp.json --agent acme/dev/coding-agent --out policies
    """
    from aegis_authz.commands.control import operator_name
    from aegis_authz.commands.mcp_import import import_servers
    from aegis_authz.core.scope import Scope

    with exits_on_faults("mcp import"):
        try:
            scope = Scope.parse(agent)
        except ValueError as fault:
            raise unusable("mcp import", f"--agent {fault}") from None
        imported = import_servers(settings, out, scope, owner or operator_name())
    if as_json:
        document = {
            "files": [str(path) for path in imported.files],
            "tools": {server.tool: [tool.name for tool in server.tools] for server in imported.servers},
            "commands": imported.commands,
            "notes": imported.notes,
            "faults": imported.faults,
        }
        typer.echo(json.dumps(document, indent=2))
    else:
        for server in imported.servers:
            reading = sum(tool.is_read_only for tool in server.tools)
            typer.echo(f"{server.tool}: {len(server.tools)} tools, {reading} of them read-only by their own words")
        for path in imported.files:
            typer.echo(f"wrote {path}")
        for command in imported.commands:
            typer.echo(f"run   {command}")
    for note in (*imported.notes, *imported.faults):
        typer.echo(f"note: {note}", err=True)
    if imported.faults:
        raise typer.Exit(REFUSED)
