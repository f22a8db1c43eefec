"""`aegis mcp`: MCP clients and servers that speak stdio, at the two ends of a mesh."""

from __future__ import annotations

from typing import Annotated

import typer

from aegis_authz.cli.agent import AgentName, ControlUrl, KeyFile, MeshProxy, MeshReverse, chosen_side, report
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import OptionalState

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
