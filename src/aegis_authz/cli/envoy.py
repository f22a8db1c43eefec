"""`aegis envoy`: the proxy's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Envoy's configuration.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Envoy's configuration."""


@app.command()
def render(
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.", file_okay=False)],
    tools: Annotated[Path | None, typer.Option("--tools", help="Folder of tool catalogues.")] = None,
) -> None:
    """Write the configuration of a pod, from example settings and a catalogue (default: the examples).

    Example: aegis envoy render --out deploy/envoy
    """
    from aegis_authz.local.documents import example_documents
    from aegis_authz.proxy.example import write_deploy

    write_deploy(out, tools or example_documents() / "tools")
    typer.echo(f"wrote the Envoy configuration into {out}")
