"""`aegis envoy`: the proxy's configuration."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults

app = typer.Typer(help="Envoy's configuration.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Envoy's configuration."""


@app.command()
def render(
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.", file_okay=False)],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="Settings of the proxy (YAML); default: those of a pod.", exists=True, dir_okay=False
        ),
    ] = None,
    tools: Annotated[
        Path | None, typer.Option("--tools", help="Folder of tool catalogues; default: the examples.", file_okay=False)
    ] = None,
) -> None:
    """Write envoy.yaml, and the files of routes and clusters that it watches. Exits with 1 when the tools are invalid,
    2 when it cannot.

    An Envoy that watches the folder takes new routes and clusters at once.

    Example: aegis envoy render --out /etc/aegis/envoy --config proxy.yaml --tools policies/tools
    """
    from aegis_authz.commands.envoy import render_envoy

    with exits_on_faults("envoy render"):
        rendered = render_envoy(out, config, tools)
    typer.echo(f"{out}: {', '.join(rendered.files)} for {rendered.tools} tools")


@app.command()
def routes(
    tools: Annotated[
        Path | None, typer.Option("--tools", help="Folder of tool catalogues; default: the examples.", file_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Print what a gateway that is none of ours must say of where it forwards each tool's calls: `aegis.route`.

    It changes with the tool's address, so that a gateway that was not told leads no call elsewhere.

    Example: aegis envoy routes --tools policies/tools
    """
    from aegis_authz.commands.envoy import tool_routes

    with exits_on_faults("envoy routes"):
        rows = tool_routes(tools)
    if as_json:
        typer.echo(json.dumps({"routes": [asdict(row) for row in rows]}))
        return
    width = max((len(row.tool) for row in rows), default=0)
    for row in rows:
        typer.echo(f"{row.tool:{width}}  {row.route}  {row.host} -> {row.upstream}")
